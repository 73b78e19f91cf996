/**
 * Looks at the log from a commit on, where offsets alone do not tell: how old is the first unread record, if the log end was that far before
 * anybody watched; and is there a record at all, or only the markers of transactions?
 *
 * A few partitions a sample, in the background, with a consumer without a group. Without the right to read a topic, that topic is left alone.
 */
import { Consumer } from '../client/consumer/index.ts'
import { topicPartitionKey, type ClientSeams, type PropertyBag, type TopicPartition } from '../client/index.ts'
import type { ClusterState } from './cluster-state.ts'
import type { PairState } from './pair-state.ts'

const MOST_AT_ONCE = 50
/** Only so short a stretch can be nothing but markers. */
const MOST_MARKERS = 1000
const PATIENCE_MS = 5000

interface Candidate extends TopicPartition {
  readonly pair: PairState
  readonly committed: number
  readonly end: number
}

export class LogPeek {
  readonly #consumer: Consumer
  readonly #seams: ClientSeams
  readonly #refused = new Set<string>()
  #looking: Promise<void> | undefined
  #isClosed = false
  /** Rights that it lacked. */
  readonly missingRights = new Set<string>()

  constructor(properties: PropertyBag, seams: ClientSeams) {
    this.#seams = seams
    this.#consumer = new Consumer(
      {
        ...properties,
        'group.id': undefined,
        'enable.auto.commit': false,
        'auto.offset.reset': 'none',
        'isolation.level': 'read_uncommitted',
        'max.partition.fetch.bytes': 16_384,
        'fetch.max.wait.ms': 100,
      },
      seams,
    )
  }

  /** Begins to look, unless it still does. What it finds stands in the pairs, for the next judgement. */
  look(state: ClusterState): void {
    if (this.#looking || this.#isClosed) return
    const candidates = candidatesOf(state, this.#refused)
    if (candidates.length === 0) return
    this.#looking = this.#read(candidates)
      .catch((error: Error) => this.#refuse(error, candidates))
      .finally(() => (this.#looking = undefined))
  }

  /** Resolves when it looks at nothing. */
  async idle(): Promise<void> {
    await this.#looking
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#consumer.wakeup()
    await this.#looking
    await this.#consumer.close(0)
  }

  async #read(candidates: readonly Candidate[]): Promise<void> {
    const { clock } = this.#seams
    const open = new Map(candidates.map((one) => [topicPartitionKey(one), one]))
    this.#consumer.assign(candidates.map(({ topic, partition }) => ({ topic, partition })))
    for (const one of candidates) this.#consumer.seek(one, one.committed)
    const deadline = clock.monotonic() + PATIENCE_MS
    while (open.size > 0 && clock.monotonic() < deadline && !this.#isClosed) {
      const polled = await this.#consumer.poll(200)
      for (const record of polled) {
        const key = topicPartitionKey(record)
        const one = open.get(key)
        if (!one) continue
        const timestamp = record.timestamp > 0 ? record.timestamp : null
        one.pair.peeked = { committed: one.committed, end: one.end, timestamp, records: undefined }
        open.delete(key)
      }
      for (const [key, one] of open) {
        // Past the end without a record: there was none.
        if ((await this.#consumer.position(one)) < one.end) continue
        one.pair.peeked = { committed: one.committed, end: one.end, timestamp: null, records: 0 }
        open.delete(key)
      }
      this.#consumer.pause(candidates.filter((one) => !open.has(topicPartitionKey(one))))
    }
    this.#consumer.assign([])
  }

  #refuse(error: Error, candidates: readonly Candidate[]): void {
    this.#seams.logger.debug({ error: error.message }, 'looking at the log from a commit on')
    const { topics } = error as { topics?: Iterable<string> }
    if ((error as { code?: string }).code?.endsWith('_AUTHORIZATION_FAILED')) {
      for (const topic of topics ?? candidates.map(({ topic }) => topic)) {
        this.#refused.add(topic)
        if (this.missingRights.size < 20) this.missingRights.add(`Read on Topic ${topic}`)
      }
    }
    // Offsets out of range and the like: not looked at again while they stand there.
    for (const { pair, committed, end } of candidates) {
      if (pair.peeked?.committed !== committed) pair.peeked = { committed, end, timestamp: null, records: undefined }
    }
    if (!this.#isClosed) this.#consumer.assign([])
  }
}

/** Partitions whose time lag is not known, or that may hold nothing but markers, and have not been looked at as they stand. */
function candidatesOf(state: ClusterState, refused: ReadonlySet<string>): Candidate[] {
  const found = new Map<string, Candidate>()
  for (const group of state.groups.values()) {
    for (const pair of group.pairs()) {
      if (found.size === MOST_AT_ONCE) return [...found.values()]
      const last = pair.samples.at(-1)
      const { topic, partition } = pair
      if (!last || last.end <= last.committed || refused.has(topic)) continue
      const log = state.topics.get(topic)?.log(partition)
      if (!log || (log.logStart !== undefined && last.committed < log.logStart)) continue
      const peeked = pair.peeked?.committed === last.committed ? pair.peeked : undefined
      const isTimeUnknown = pair.lagSeconds === null && !peeked
      const lag = last.end - last.committed
      const stands = pair.stuckSince !== undefined && last.at > pair.stuckSince && last.end === pair.samples.at(-2)?.end
      // A record that was found stays; markers may be followed by one, so a new end is looked at anew.
      const isSettled = peeked !== undefined && (peeked.end === last.end || peeked.timestamp !== null)
      const mayBeMarkers = stands && lag <= MOST_MARKERS && !isSettled
      if (!isTimeUnknown && !mayBeMarkers) continue
      const key = topicPartitionKey({ topic, partition })
      if (!found.has(key)) found.set(key, { topic, partition, pair, committed: last.committed, end: last.end })
    }
  }
  return [...found.values()]
}
