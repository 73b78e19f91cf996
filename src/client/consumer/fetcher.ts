/**
 * Fetches records from every leader and hands them out.
 *
 * - One fetch a broker is under way, on a connection of its own, and the next is sent as soon as its answer is taken in: while records are
 *   handed out, the next ones travel. What a partition has buffered beyond `max.partition.fetch.bytes` keeps it out of the next fetch, and what all
 *   have buffered is held under `fetch.max.bytes`, so memory is bounded by about twice that.
 * - A fetch that leaves such a full partition out must not wait long for the others' data, or the full one would run dry meanwhile:
 *   it asks with a wait of 0, and not more often than every few milliseconds.
 * - Partitions take turns: the one that gave records last is looked at last, both here and in what the broker is asked for.
 * - An answer counts only for the partition, version and offset for which it was asked. `seek`, a reset or a new assignment raise the version.
 *
 * `collect` is synchronous and moves the positions; nothing may come between it and the return of the poll.
 */
import { errorOf, KafkaError } from '../../protocol/error-codes.ts'
import { fetch as fetchApi } from '../../protocol/messages/index.ts'
import { type ConsumerRecord } from '../../protocol/records/consumer-record.ts'
import { RecordDeserializationError } from '../../protocol/records/deserialized-record.ts'
import { type ResponseOf } from '../../protocol/api.ts'
import { type Cluster } from '../cluster.ts'
import { type ConsumerConfig } from '../config.ts'
import { isRetriable } from '../retry.ts'
import { CorruptRecordsError, LogTruncationError, OffsetOutOfRangeError, topicError } from './consumer-errors.ts'
import { type ConsumerMetrics } from './consumer-metrics.ts'
import { ConsumerRecords, type PartitionRecords } from './consumer-records.ts'
import { FetchTally } from './fetch-tally.ts'
import { FetchSession, type FetchPartition, type SessionRequest } from './fetch-session.ts'
import { type AssignedPartition, type SubscriptionState } from './subscription-state.ts'
import { type WakeSignal } from './wake-signal.ts'

type FetchResponse = ResponseOf<typeof fetchApi>
type PartitionResponse = FetchResponse['responses'][number]['partitions'][number]

/** A fetch past a full partition is repeated at most this often. */
const QUICK_LOOK_MS = 10
/** The first version that names topics by their id. */
const TOPIC_IDS_SINCE = 13
const FETCH_CHANNEL = 'fetch'

interface Asked {
  readonly partition: AssignedPartition
  readonly version: number
  readonly fetchOffset: number
}

interface LeaderFetch {
  readonly session: FetchSession
  inFlight: boolean
  notBeforeMs: number
  failures: number
}

/** The log has nothing at this offset. Told apart from other errors, as a reset may answer it. */
class OutOfRange {
  readonly offset: number
  constructor(offset: number) {
    this.offset = offset
  }
}

export interface FetcherParts {
  readonly cluster: Cluster
  readonly config: ConsumerConfig
  readonly subscriptions: SubscriptionState
  readonly signal: WakeSignal
  readonly metrics: ConsumerMetrics
}

export class Fetcher {
  readonly #parts: FetcherParts
  readonly #leaders = new Map<number, LeaderFetch>()
  readonly #abort = new AbortController()
  /** Partitions in the order in which they are handed out; rebuilt when the assignment changes. */
  #order: AssignedPartition[] = []
  #orderVersion = -1
  readonly #isReadCommitted: boolean

  constructor(parts: FetcherParts) {
    this.#parts = parts
    this.#isReadCommitted = parts.config['isolation.level'] === 'read_committed'
  }

  close(): void {
    this.#abort.abort()
  }

  /**
   * At most `max` buffered records; undefined if there are none and no position moved either.
   *
   * @throws RecordDeserializationError, CorruptRecordsError, OffsetOutOfRangeError, LogTruncationError, KafkaError (not authorised …), only with nothing collected
   */
  collect(max: number): ConsumerRecords | undefined {
    const order = this.#turns()
    let groups: PartitionRecords[] | undefined
    let nowMs: number | undefined
    let left = max
    for (let index = 0; index < order.length && left > 0; index++) {
      const partition = order[index]!
      const { buffer } = partition
      if (!partition.isReadable || (buffer.isEmpty && buffer.error === undefined)) continue
      const before = buffer.position
      const bytesBefore = buffer.takenBytes
      const records: ConsumerRecord[] = []
      let failure: unknown
      try {
        left -= buffer.take(records, left)
      } catch (error) {
        // What was fetched stays: the next poll comes to the same record, unless it seeks.
        failure = error instanceof RecordDeserializationError ? error : this.#unreadable(partition, error)
      }
      if (failure === undefined && buffer.isEmpty && buffer.error !== undefined && records.length === 0) {
        failure = this.#resolveError(partition)
      }
      if (failure !== undefined && groups === undefined) throw failure
      if (buffer.position === before || !partition.isReadable) continue
      const { topic, partition: number } = partition
      groups ??= []
      groups.push({ topicPartition: { topic, partition: number }, records, next: partition.next })
      nowMs ??= this.#parts.cluster.seams.clock.monotonic()
      const tally = { records: records.length, bytes: buffer.takenBytes - bytesBefore }
      this.#parts.metrics.recordsHandedOut(partition, tally, this.#isReadCommitted, nowMs)
    }
    if (groups === undefined) return undefined
    this.#rotate(groups)
    return new ConsumerRecords(groups)
  }

  /** Sends a fetch to every leader that has none under way and of which something is wanted. */
  send(): void {
    const { cluster, subscriptions } = this.#parts
    if (this.#abort.signal.aborted) return
    let idle = false
    for (const leader of this.#leaders.values()) idle ||= !leader.inFlight
    const assigned = subscriptions.partitions
    if (!idle && this.#leaders.size >= cluster.metadata.brokers.size && this.#leaders.size > 0) return
    const nowMs = cluster.seams.clock.monotonic()
    const byLeader = new Map<number, AssignedPartition[]>()
    const order = assigned.length === 0 ? [] : this.#turns()
    for (const partition of order) {
      if (!partition.isReadable || partition.notBeforeMs > nowMs || partition.buffer.error !== undefined) continue
      const leader = cluster.metadata.leader(partition)
      if (leader === undefined) {
        cluster.markStale()
        continue
      }
      const list = byLeader.get(leader.nodeId)
      if (list) list.push(partition)
      else byLeader.set(leader.nodeId, [partition])
    }
    for (const [nodeId, partitions] of byLeader) this.#sendTo(nodeId, partitions, nowMs)
  }

  /** Milliseconds until something that waits now may be sent. */
  nextDueMs(nowMs: number): number {
    let due = Number.POSITIVE_INFINITY
    for (const { notBeforeMs } of this.#parts.subscriptions.partitions) {
      if (notBeforeMs > nowMs) due = Math.min(due, notBeforeMs - nowMs)
    }
    for (const { notBeforeMs, inFlight } of this.#leaders.values()) {
      if (!inFlight && notBeforeMs > nowMs) due = Math.min(due, notBeforeMs - nowMs)
    }
    return due
  }

  #turns(): AssignedPartition[] {
    const { subscriptions } = this.#parts
    if (this.#orderVersion !== subscriptions.assignmentVersion) {
      const known = new Set(this.#order)
      const now = new Set(subscriptions.partitions)
      this.#order = [
        ...this.#order.filter((one) => now.has(one)),
        ...subscriptions.partitions.filter((one) => !known.has(one)),
      ]
      this.#orderVersion = subscriptions.assignmentVersion
    }
    return this.#order
  }

  /** Partitions that gave something go to the end, those first that have nothing left. */
  #rotate(groups: readonly PartitionRecords[]): void {
    if (this.#order.length < 2) return
    const gave = groups.map(({ topicPartition }) => this.#parts.subscriptions.get(topicPartition)!)
    const moved = new Set(gave)
    this.#order = [...this.#order.filter((one) => !moved.has(one)), ...gave]
  }

  #sendTo(nodeId: number, partitions: readonly AssignedPartition[], nowMs: number): void {
    const { config } = this.#parts
    let leader = this.#leaders.get(nodeId)
    if (!leader) {
      leader = { session: new FetchSession(), inFlight: false, notBeforeMs: 0, failures: 0 }
      this.#leaders.set(nodeId, leader)
    }
    if (leader.inFlight || leader.notBeforeMs > nowMs) return
    let buffered = 0
    // What is paused is kept and not counted, or it would stop the others.
    for (const partition of this.#parts.subscriptions.partitions)
      if (partition.isReadable) buffered += partition.buffer.bytes
    if (buffered >= config['fetch.max.bytes'] && buffered > 0) return
    const limit = config['max.partition.fetch.bytes']
    const wanted = partitions.filter(({ buffer }) => buffer.bytes < limit || buffer.isEmpty)
    if (wanted.length === 0) return
    const passesFullOnes = wanted.length < partitions.length
    leader.inFlight = true
    if (passesFullOnes) leader.notBeforeMs = nowMs + QUICK_LOOK_MS
    void this.#exchange(nodeId, leader, wanted, config['fetch.max.bytes'] - buffered, passesFullOnes)
  }

  async #exchange(
    nodeId: number,
    leader: LeaderFetch,
    wanted: readonly AssignedPartition[],
    maxBytes: number,
    quick: boolean,
  ): Promise<void> {
    const { cluster, config, signal, metrics } = this.#parts
    const { clock, logger } = cluster.seams
    const asked = new Map<string, Asked>()
    const request = leader.session.next(
      wanted.map((partition): FetchPartition => {
        const { topic, partition: number, buffer, version } = partition
        asked.set(`${topic}:${number}`, { partition, version, fetchOffset: buffer.fetchOffset })
        return {
          topic,
          partition: number,
          topicId: cluster.metadata.topicId(topic),
          fetchOffset: buffer.fetchOffset,
          currentLeaderEpoch: cluster.metadata.leader(partition)?.leaderEpoch ?? -1,
          lastFetchedEpoch: buffer.fetchEpoch,
          partitionMaxBytes: config['max.partition.fetch.bytes'],
        }
      }),
    )
    const sentMs = clock.monotonic()
    try {
      const response = await cluster.send(
        fetchApi,
        nodeId,
        (version) => requestOf(request, version, config, maxBytes, quick),
        {
          channel: FETCH_CHANNEL,
          signal: this.#abort.signal,
          ...(request.usesTopicIds ? {} : { maxVersion: TOPIC_IDS_SINCE - 1 }),
        },
      )
      leader.failures = 0
      const nowMs = clock.monotonic()
      metrics.fetchAnswered(nowMs - sentMs, response.throttleTimeMs, nowMs)
      this.#take(leader, request, response, asked)
    } catch (error) {
      if (this.#abort.signal.aborted) return
      leader.session.lost()
      leader.failures++
      leader.notBeforeMs = clock.monotonic() + Math.min(1000, config['retry.backoff.ms'] * 2 ** (leader.failures - 1))
      logger[isRetriable(error) ? 'debug' : 'warn']({ nodeId, error: (error as Error).message }, 'a fetch failed')
      cluster.markStale()
    } finally {
      leader.inFlight = false
      if (!this.#abort.signal.aborted) {
        this.send()
        signal.notify()
      }
    }
  }

  #take(
    leader: LeaderFetch,
    request: SessionRequest,
    response: FetchResponse,
    asked: ReadonlyMap<string, Asked>,
  ): void {
    const { cluster } = this.#parts
    const name: string = errorOf(response.errorCode).name
    switch (name) {
      case 'NONE':
        leader.session.succeeded(response.sessionId)
        break
      case 'FETCH_SESSION_ID_NOT_FOUND':
        return leader.session.forgottenByBroker()
      case 'INVALID_FETCH_SESSION_EPOCH':
      case 'FETCH_SESSION_TOPIC_ID_ERROR':
        return leader.session.lost()
      default:
        leader.session.lost()
        throw new KafkaError(response.errorCode, 'Fetching records')
    }
    const names = new Map<string, string>()
    if (request.usesTopicIds) {
      for (const { topicId, topic } of leader.session.partitions) if (topicId) names.set(topicId, topic)
    }
    const count = response.responses.reduce((sum, { partitions }) => sum + partitions.length, 0)
    const tally = new FetchTally(count, (drained) =>
      this.#parts.metrics.fetchDrained(drained, cluster.seams.clock.monotonic()),
    )
    for (const { topic, topicId, partitions } of response.responses) {
      const named = topic !== '' ? topic : (names.get(topicId) ?? cluster.metadata.nameOf(topicId))
      for (const one of partitions) {
        const question = asked.get(`${named}:${one.partitionIndex}`)
        if (question) this.#takePartition(question, one, tally)
        else tally.partitionDone()
      }
    }
    for (const { nodeId, host, port, rack } of response.nodeEndpoints) {
      cluster.metadata.brokers.set(nodeId, { nodeId, host, port, rack })
    }
  }

  #takePartition({ partition, version, fetchOffset }: Asked, answer: PartitionResponse, tally: FetchTally): void {
    const isWanted = partition.version === version && partition.buffer.fetchOffset === fetchOffset
    const records = isWanted ? this.#recordsOf(partition, answer) : null
    if (records === null) return tally.partitionDone()
    partition.buffer.add(records, this.#isReadCommitted ? (answer.abortedTransactions ?? []) : undefined, tally)
  }

  /** The records that an answer holds for a partition; whatever else it says is taken in. */
  #recordsOf(partition: AssignedPartition, answer: PartitionResponse): Buffer | null {
    if (answer.errorCode !== 0) {
      this.#takeError(partition, answer)
      return null
    }
    partition.highWatermark = answer.highWatermark
    partition.lastStableOffset = answer.lastStableOffset
    if (answer.logStartOffset >= 0) partition.logStartOffset = answer.logStartOffset
    if (answer.divergingEpoch.endOffset >= 0 && answer.divergingEpoch.epoch >= 0) {
      this.#diverged(partition, answer.divergingEpoch.endOffset, answer.divergingEpoch.epoch)
      return null
    }
    const { records } = answer
    return records === null || records.length === 0 ? null : records
  }

  #takeError(partition: AssignedPartition, answer: PartitionResponse): void {
    const { cluster, config } = this.#parts
    const name: string = errorOf(answer.errorCode).name
    switch (name) {
      case 'OFFSET_OUT_OF_RANGE':
        partition.buffer.fail(new OutOfRange(partition.buffer.fetchOffset))
        return
      case 'TOPIC_AUTHORIZATION_FAILED':
      case 'UNSUPPORTED_COMPRESSION_TYPE':
      case 'CORRUPT_MESSAGE':
        partition.buffer.fail(topicError(answer.errorCode, partition.topic, `Fetching records of ${nameOf(partition)}`))
        return
      default: {
        const { leaderId, leaderEpoch } = answer.currentLeader
        const moved =
          leaderId >= 0 &&
          cluster.metadata.applyLeader(partition.topic, partition.partition, { nodeId: leaderId, leaderEpoch })
        if (!moved) {
          cluster.markStale()
          partition.notBeforeMs = cluster.seams.clock.monotonic() + config['retry.backoff.ms']
        }
        cluster.seams.logger.debug({ partition: nameOf(partition), error: name }, 'a partition could not be fetched')
      }
    }
  }

  /** The broker says that the log parted from what was fetched (KIP-595). Nothing behind that may be handed out as if it followed. */
  #diverged(partition: AssignedPartition, endOffset: number, epoch: number): void {
    const { config, cluster } = this.#parts
    const { position } = partition.buffer
    if (position <= endOffset) {
      // Only what was prefetched is wrong: fetch it again from the position.
      partition.seek(position, partition.buffer.positionEpoch)
      return
    }
    cluster.seams.logger.warn({ partition: nameOf(partition), position, endOffset }, 'the log was truncated')
    if (config['auto.offset.reset'] === 'none') {
      partition.buffer.discard()
      partition.buffer.fail(
        new LogTruncationError({ topic: partition.topic, partition: partition.partition }, position, endOffset),
      )
    } else {
      partition.seek(endOffset, epoch)
    }
  }

  /** The error behind the buffered data has come up. A reset answers an offset out of range; everything else is the caller's. */
  #resolveError(partition: AssignedPartition): Error | undefined {
    const error = partition.buffer.clearError()
    const { cluster, config } = this.#parts
    if (!(error instanceof OutOfRange)) {
      if (error instanceof LogTruncationError || error instanceof KafkaError) return error
      return this.#unreadable(partition, error)
    }
    const strategy = config['auto.offset.reset']
    const topicPartition = { topic: partition.topic, partition: partition.partition }
    if (strategy === 'none') return new OffsetOutOfRangeError([[topicPartition, error.offset]])
    cluster.seams.logger.warn(
      { partition: nameOf(partition), offset: error.offset, strategy },
      'the position is not in the log: it is reset',
    )
    partition.reset(strategy)
    return undefined
  }

  /** What was fetched is dropped, so that the next poll reads it from the broker again: the fault may have been the wire's. */
  #unreadable(partition: AssignedPartition, cause: unknown): Error {
    const { topic, partition: number, buffer } = partition
    const offset = buffer.position
    const { openUntil } = buffer
    partition.version++
    buffer.discard()
    return new CorruptRecordsError({ topic, partition: number }, offset, cause, openUntil)
  }
}

function nameOf({ topic, partition }: AssignedPartition): string {
  return `${topic}-${partition}`
}

function requestOf(request: SessionRequest, version: number, config: ConsumerConfig, maxBytes: number, quick: boolean) {
  const named = version < TOPIC_IDS_SINCE
  const topics = Map.groupBy(request.partitions, ({ topic }) => topic)
  const forgotten = Map.groupBy(request.forgotten, ({ topicId, topic }) => (named ? topic : topicId!))
  return {
    replicaId: -1,
    maxWaitMs: quick ? 0 : config['fetch.max.wait.ms'],
    minBytes: quick ? 0 : config['fetch.min.bytes'],
    maxBytes,
    isolationLevel: config['isolation.level'] === 'read_committed' ? 1 : 0,
    sessionId: request.sessionId,
    sessionEpoch: request.sessionEpoch,
    topics: [...topics.values()].map((partitions) => ({
      ...(named ? { topic: partitions[0]!.topic } : { topicId: partitions[0]!.topicId! }),
      partitions: partitions.map(
        ({ partition, fetchOffset, currentLeaderEpoch, lastFetchedEpoch, partitionMaxBytes }) => ({
          partition,
          fetchOffset,
          currentLeaderEpoch,
          lastFetchedEpoch: version >= 12 ? lastFetchedEpoch : -1,
          partitionMaxBytes,
        }),
      ),
    })),
    forgottenTopicsData:
      version < 7
        ? []
        : [...forgotten.values()].map((partitions) => ({
            ...(named ? { topic: partitions[0]!.topic } : { topicId: partitions[0]!.topicId! }),
            partitions: partitions.map(({ partition }) => partition),
          })),
    // With a rack the broker may name a nearer replica and give nothing itself; reading from followers is not done yet.
    rackId: '',
  }
}
