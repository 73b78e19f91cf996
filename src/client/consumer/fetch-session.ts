/**
 * One broker's fetch session (KIP-227): the broker remembers what is fetched, so that a request names only what changed. Pure bookkeeping.
 *
 *     full request, epoch 0 ── session id given ──▶ incremental requests, epoch 1, 2, 3 … (then 1 again)
 *          ▲  ▲── no session id: every request is a full one
 *          └── an error of the session, a lost request, names instead of topic ids, a topic of another id
 */
import { type TopicPartition, TopicPartitionMap } from '../../protocol/records/topic-partition.ts'

export interface FetchPartition extends TopicPartition {
  readonly topicId: string | undefined
  readonly fetchOffset: number
  readonly currentLeaderEpoch: number
  readonly lastFetchedEpoch: number
  readonly partitionMaxBytes: number
}

export interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly partitions: readonly FetchPartition[]
  readonly forgotten: readonly FetchPartition[]
  /** Topics by id (version 13 and later), as all of them are known. */
  readonly usesTopicIds: boolean
}

const INITIAL_EPOCH = 0
/** An epoch is a positive 32-bit number. */
const LAST_EPOCH = 0x7fffffff

export class FetchSession {
  #sessionId = 0
  #nextEpoch = INITIAL_EPOCH
  #usesTopicIds = false
  #partitions = new TopicPartitionMap<FetchPartition>()

  get sessionId(): number {
    return this.#sessionId
  }

  /** The request for these partitions. Exactly one may be on its way; its outcome has to be told before the next. */
  next(wanted: readonly FetchPartition[]): SessionRequest {
    const usesTopicIds = wanted.every(({ topicId }) => topicId !== undefined)
    // Before version 13 topics go by their names, and a broker would forget the new topic together with the old one.
    const isRecreated = ({ topicId, ...one }: FetchPartition) => {
      const before = this.#partitions.get(one)
      return before !== undefined && before.topicId !== topicId
    }
    if (usesTopicIds !== this.#usesTopicIds || wanted.some(isRecreated)) this.lost()
    this.#usesTopicIds = usesTopicIds
    const sessionId = this.#sessionId
    const sessionEpoch = this.#nextEpoch
    const before = this.#partitions
    this.#partitions = new TopicPartitionMap(wanted.map((one) => [one, one]))
    if (sessionEpoch === INITIAL_EPOCH) {
      return { sessionId, sessionEpoch, partitions: wanted, forgotten: [], usesTopicIds }
    }
    const partitions = wanted.filter((one) => !isSame(before.get(one), one))
    const forgotten = [...before.values()].filter((one) => !this.#partitions.has(one))
    return { sessionId, sessionEpoch, partitions, forgotten, usesTopicIds }
  }

  /** The broker answered without an error of the session. */
  succeeded(sessionId: number): void {
    if (sessionId === 0) return this.#begin(0)
    this.#nextEpoch = this.#sessionId !== sessionId ? 1 : this.#nextEpoch >= LAST_EPOCH ? 1 : this.#nextEpoch + 1
    this.#sessionId = sessionId
  }

  /** The broker does not know the session any more. */
  forgottenByBroker(): void {
    this.#begin(0)
  }

  /** Request or answer was lost, or epochs disagree: the next request replaces the session by a new one. */
  lost(): void {
    this.#begin(this.#sessionId)
  }

  /** The partitions that the request under way or the last one asked for. */
  get partitions(): Iterable<FetchPartition> {
    return this.#partitions.values()
  }

  #begin(sessionId: number): void {
    this.#sessionId = sessionId
    this.#nextEpoch = INITIAL_EPOCH
    this.#partitions = new TopicPartitionMap()
  }
}

function isSame(before: FetchPartition | undefined, now: FetchPartition): boolean {
  return (
    before !== undefined &&
    before.fetchOffset === now.fetchOffset &&
    before.currentLeaderEpoch === now.currentLeaderEpoch &&
    before.lastFetchedEpoch === now.lastFetchedEpoch &&
    before.partitionMaxBytes === now.partitionMaxBytes
  )
}
