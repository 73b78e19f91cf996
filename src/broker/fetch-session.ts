/**
 * Fetch sessions (KIP-227): what a client fetches is remembered, so that its next request names only what changed and its next
 * answer carries only partitions with news.
 *
 *     full request (epoch 0)  ──▶ session, epoch 1 ──request with epoch n──▶ epoch n + 1 …
 *     final request (epoch -1) ─▶ session gone, this one fetch is answered in full
 *     wrong epoch ─▶ INVALID_FETCH_SESSION_EPOCH        unknown id ─▶ FETCH_SESSION_ID_NOT_FOUND
 *
 * Sessions are few (`max.incremental.fetch.session.cache.slots`). One that was not used for two minutes makes room for a new one; so
 * does one older than that which is smaller than the new one. A client without a slot is answered with session id 0: it goes on in full
 * requests. Nothing is stored: after a restart every session is unknown, and clients begin anew.
 */
import { codeOf } from '../protocol/error-codes.ts'
import { type Clock } from '../seams/clock.ts'
import { type Random } from '../seams/random.ts'

const NO_SESSION = 0
const INITIAL_EPOCH = 0
const FINAL_EPOCH = -1
const EPOCH_MAX = 0x7fffffff
/** Kafka's MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS. */
const EVICTION_MS = 120_000

/** A partition as a request names it: by topic name before version 13, by topic id from then on. */
export interface FetchPartition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly currentLeaderEpoch: number
  readonly fetchOffset: number
  readonly lastFetchedEpoch: number
  readonly partitionMaxBytes: number
}

/** What of an answer decides whether an incremental answer must carry the partition. */
export interface PartitionNews {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly hasRecords: boolean
  readonly diverges: boolean
}

interface SessionPartition {
  request: FetchPartition
  highWatermark: number
  logStartOffset: number
}

interface Session {
  readonly id: number
  readonly usesTopicIds: boolean
  readonly createdAt: number
  /** In the order in which they are to be served: those that got records move to the end, so that none starves. */
  readonly partitions: Map<string, SessionPartition>
  epoch: number
  lastUsedAt: number
}

export interface SessionRequest {
  readonly version: number
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly partitions: readonly FetchPartition[]
  readonly forgotten: readonly Pick<FetchPartition, 'topic' | 'topicId' | 'partition'>[]
}

/** What one fetch is about, and which of its results go into the answer. */
export type FetchContext =
  | { readonly kind: 'error'; readonly errorCode: number }
  | {
      readonly kind: 'fetch'
      /** What to read, in this order. */
      readonly partitions: readonly FetchPartition[]
      /** Called once with what was read, index for index: the session id to answer with, and which results to send. */
      finish(news: readonly PartitionNews[]): { errorCode: number; sessionId: number; included: readonly number[] }
    }

function keyOf({ topic, topicId, partition }: Pick<FetchPartition, 'topic' | 'topicId' | 'partition'>): string {
  return `${partition}/${topic === '' ? topicId : topic}`
}

function nextEpoch(epoch: number): number {
  if (epoch < 0) return FINAL_EPOCH
  return epoch === EPOCH_MAX ? 1 : epoch + 1
}

function everyIndex(news: readonly PartitionNews[]): number[] {
  return news.map((_, index) => index)
}

export class FetchSessionCache {
  readonly #sessions = new Map<number, Session>()
  readonly #slots: number
  readonly #clock: Clock
  readonly #random: Random

  constructor({ slots, clock, random }: { slots: number; clock: Clock; random: Random }) {
    this.#slots = slots
    this.#clock = clock
    this.#random = random
  }

  get size(): number {
    return this.#sessions.size
  }

  contextOf(request: SessionRequest): FetchContext {
    const { sessionEpoch } = request
    if (sessionEpoch !== INITIAL_EPOCH && sessionEpoch !== FINAL_EPOCH) return this.#incremental(request)
    // A full request ends the session that it names, if any.
    this.#sessions.delete(request.sessionId)
    return {
      kind: 'fetch',
      partitions: request.partitions,
      finish: (news) => ({
        errorCode: 0,
        sessionId: sessionEpoch === FINAL_EPOCH ? NO_SESSION : this.#create(request, news),
        included: everyIndex(news),
      }),
    }
  }

  #incremental(request: SessionRequest): FetchContext {
    const session = this.#sessions.get(request.sessionId)
    if (!session) return { kind: 'error', errorCode: codeOf('FETCH_SESSION_ID_NOT_FOUND') }
    if (session.epoch !== request.sessionEpoch) {
      return { kind: 'error', errorCode: codeOf('INVALID_FETCH_SESSION_EPOCH') }
    }
    if (session.usesTopicIds !== request.version >= 13) {
      return { kind: 'error', errorCode: codeOf('FETCH_SESSION_TOPIC_ID_ERROR') }
    }
    update(session, request)
    if (session.partitions.size === 0) {
      this.#sessions.delete(session.id)
      return {
        kind: 'fetch',
        partitions: [],
        finish: () => ({ errorCode: 0, sessionId: NO_SESSION, included: [] }),
      }
    }
    session.epoch = nextEpoch(session.epoch)
    session.lastUsedAt = this.#clock.monotonic()
    const expected = session.epoch
    const keys = [...session.partitions.keys()]
    return {
      kind: 'fetch',
      partitions: [...session.partitions.values()].map((partition) => partition.request),
      finish: (news) => {
        // Another request of this session has come in meanwhile, over another connection.
        if (session.epoch !== expected) {
          return { errorCode: codeOf('INVALID_FETCH_SESSION_EPOCH'), sessionId: NO_SESSION, included: [] }
        }
        const included = everyIndex(news).filter((index) => isNews(session, keys[index]!, news[index]!))
        return { errorCode: 0, sessionId: session.id, included }
      },
    }
  }

  /** The id of a new session that holds what was asked for, or 0 when there is no room. */
  #create(request: SessionRequest, news: readonly PartitionNews[]): number {
    if (request.partitions.length === 0 || !this.#makeRoom(request.partitions.length)) return NO_SESSION
    const now = this.#clock.monotonic()
    const partitions = new Map<string, SessionPartition>()
    for (const [index, partition] of request.partitions.entries()) {
      const { errorCode, highWatermark, logStartOffset } = news[index]!
      partitions.set(keyOf(partition), {
        request: partition,
        highWatermark: errorCode === 0 ? highWatermark : -1,
        logStartOffset,
      })
    }
    const id = this.#freeId()
    const usesTopicIds = request.version >= 13
    this.#sessions.set(id, { id, usesTopicIds, createdAt: now, partitions, epoch: 1, lastUsedAt: now })
    return id
  }

  #makeRoom(size: number): boolean {
    if (this.#sessions.size < this.#slots) return true
    const now = this.#clock.monotonic()
    let evicted: Session | undefined
    for (const session of this.#sessions.values()) {
      if (now - session.lastUsedAt > EVICTION_MS) {
        if (!evicted || session.lastUsedAt < evicted.lastUsedAt) evicted = session
      }
    }
    if (!evicted) {
      for (const session of this.#sessions.values()) {
        const outgrown = now - session.createdAt > EVICTION_MS && session.partitions.size < size
        if (outgrown && (!evicted || session.partitions.size < evicted.partitions.size)) evicted = session
      }
    }
    return evicted !== undefined && this.#sessions.delete(evicted.id)
  }

  #freeId(): number {
    for (;;) {
      const id = 1 + Math.floor(this.#random.next() * (EPOCH_MAX - 1))
      if (!this.#sessions.has(id)) return id
    }
  }
}

function update(session: Session, request: SessionRequest): void {
  for (const partition of request.partitions) {
    const known = session.partitions.get(keyOf(partition))
    if (known) known.request = partition
    else session.partitions.set(keyOf(partition), { request: partition, highWatermark: -1, logStartOffset: -1 })
  }
  for (const forgotten of request.forgotten) session.partitions.delete(keyOf(forgotten))
}

/** Whether the client must hear of this partition; remembers what it then knows. As Kafka's `maybeUpdateResponseData`. */
function isNews(session: Session, key: string, news: PartitionNews): boolean {
  const partition = session.partitions.get(key)
  if (!partition) return false
  let mustSay = news.diverges || news.hasRecords
  if (news.hasRecords) {
    session.partitions.delete(key)
    session.partitions.set(key, partition)
  }
  if (partition.highWatermark !== news.highWatermark || partition.logStartOffset !== news.logStartOffset) mustSay = true
  partition.highWatermark = news.highWatermark
  partition.logStartOffset = news.logStartOffset
  if (news.errorCode !== 0) {
    // Said each time it happens, and once more when it is over.
    partition.highWatermark = -1
    mustSay = true
  }
  return mustSay
}
