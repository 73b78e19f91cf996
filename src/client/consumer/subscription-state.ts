/**
 * What a consumer reads: what it subscribes to, the partitions that are assigned to it, and for each the way to its position.
 * No I/O; the fetcher, the offset lookups and the group member all work on this.
 *
 * A partition's phases:
 *
 *     initializing ── committed offset found ──▶ validating ── the log still holds it ──▶ fetching
 *        │  ▲                                        │  ▲                                    │  ▲
 *        │  └ assigned                               │  └── the leader's epoch changed ──────┘  │
 *        └── none committed ──▶ resetting ◀── out of range, truncated, seekToBeginning/End ─────┘
 *                                   └────────── ListOffsets answered ───────────────────────────▲
 *
 * `seek` leads to `fetching` (by way of `validating` when an epoch is known) from anywhere.
 */
import { type Deserializers } from '../../protocol/records/deserialized-record.ts'
import { type TopicPartition, TopicPartitionMap } from '../../protocol/records/topic-partition.ts'
import { type OffsetResetPolicy } from '../properties.ts'
import { IllegalStateError } from '../errors.ts'
import { type OffsetAndMetadata } from './consumer-records.ts'
import { PartitionBuffer } from './partition-buffer.ts'

export type ResetStrategy = Exclude<OffsetResetPolicy, 'none'>

export type PartitionPhase =
  | { readonly name: 'initializing' }
  | { readonly name: 'resetting'; readonly strategy: ResetStrategy }
  | { readonly name: 'validating' }
  | { readonly name: 'fetching' }

export class AssignedPartition implements TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly buffer: PartitionBuffer
  phase: PartitionPhase = { name: 'initializing' }
  paused = false
  /** Being given up: nothing is handed out or fetched any more. */
  revoking = false
  /** Grows whenever what is in flight for this partition stops being wanted. */
  version = 0
  /** No request for this partition before this moment (monotonic). */
  notBeforeMs = 0
  /** The epoch of the leader against whose log the position was checked; -1 before. */
  checkedLeaderEpoch = -1
  highWatermark = -1
  lastStableOffset = -1
  logStartOffset = -1
  constructor(topic: string, partition: number, checkCrcs: boolean, deserializers: Deserializers | undefined) {
    this.topic = topic
    this.partition = partition
    this.buffer = new PartitionBuffer(topic, partition, checkCrcs, deserializers)
  }

  get hasPosition(): boolean {
    return this.phase.name === 'fetching' || this.phase.name === 'validating'
  }

  /** Data may be handed out. */
  get isReadable(): boolean {
    return this.phase.name === 'fetching' && !this.paused && !this.revoking
  }

  /** The position as it would be committed. */
  get next(): OffsetAndMetadata {
    const { position, positionEpoch } = this.buffer
    return positionEpoch < 0 ? { offset: position } : { offset: position, leaderEpoch: positionEpoch }
  }

  /** Goes on at `offset`; whatever is buffered or in flight is dropped. With an epoch the log is checked first. */
  seek(offset: number, leaderEpoch = -1): void {
    this.version++
    this.notBeforeMs = 0
    this.buffer.reset(offset, leaderEpoch)
    this.checkedLeaderEpoch = -1
    this.phase = leaderEpoch < 0 ? { name: 'fetching' } : { name: 'validating' }
  }

  /** The position is asked of the log: its beginning or its end. */
  reset(strategy: ResetStrategy): void {
    this.version++
    this.notBeforeMs = 0
    this.buffer.reset(-1)
    this.phase = { name: 'resetting', strategy }
  }
}

export type Subscription =
  | { readonly kind: 'none' }
  | { readonly kind: 'topics'; readonly topics: ReadonlySet<string> }
  | { readonly kind: 'pattern'; readonly pattern: RegExp; readonly topics: ReadonlySet<string> }
  | { readonly kind: 'assigned' }

export function isSameSet(left: ReadonlySet<string>, right: ReadonlySet<string>): boolean {
  return left.size === right.size && [...left].every((one) => right.has(one))
}

const noTopics: ReadonlySet<string> = new Set()

export class SubscriptionState {
  readonly #checkCrcs: boolean
  readonly #deserializers: Deserializers | undefined
  #subscription: Subscription = { kind: 'none' }
  #partitions = new TopicPartitionMap<AssignedPartition>()
  #list: readonly AssignedPartition[] = []
  /** Grows with every change of the assignment. */
  assignmentVersion = 0

  constructor(checkCrcs: boolean, deserializers?: Deserializers) {
    this.#checkCrcs = checkCrcs
    this.#deserializers = deserializers
  }

  get subscription(): Subscription {
    return this.#subscription
  }

  get isGroupManaged(): boolean {
    return this.#subscription.kind === 'topics' || this.#subscription.kind === 'pattern'
  }

  /** The topics that are subscribed to, or that the pattern matches by now. */
  get topics(): ReadonlySet<string> {
    const subscription = this.#subscription
    return subscription.kind === 'topics' || subscription.kind === 'pattern' ? subscription.topics : noTopics
  }

  subscribeTopics(topics: Iterable<string>): boolean {
    this.#mustNotBe('assigned')
    const before = this.topics
    this.#subscription = { kind: 'topics', topics: new Set(topics) }
    return !isSameSet(before, this.topics)
  }

  subscribePattern(pattern: RegExp): void {
    this.#mustNotBe('assigned')
    this.#subscription = { kind: 'pattern', pattern, topics: this.topics }
  }

  /** What the pattern matches now; returns whether that is another set than before. */
  matchedTopics(topics: ReadonlySet<string>): boolean {
    if (this.#subscription.kind !== 'pattern') return false
    const changed = !isSameSet(this.#subscription.topics, topics)
    if (changed) this.#subscription = { ...this.#subscription, topics }
    return changed
  }

  unsubscribe(): void {
    this.#subscription = { kind: 'none' }
    this.setPartitions([])
  }

  assignByUser(partitions: readonly TopicPartition[]): void {
    this.#mustNotBe('topics', 'pattern')
    this.#subscription = { kind: 'assigned' }
    this.setPartitions(partitions)
  }

  /** The new assignment. Partitions that stay keep position, pause and buffer; the others are forgotten. */
  setPartitions(partitions: readonly TopicPartition[]): void {
    const next = new TopicPartitionMap<AssignedPartition>()
    for (const one of partitions) {
      const known = this.#partitions.get(one)
      next.set(one, known ?? new AssignedPartition(one.topic, one.partition, this.#checkCrcs, this.#deserializers))
    }
    for (const [one, gone] of this.#partitions) {
      if (next.has(one)) continue
      gone.version++
      gone.buffer.discard()
    }
    this.#partitions = next
    this.#list = [...next.values()]
    this.assignmentVersion++
  }

  /** Everything that is assigned. The same array until the assignment changes. */
  get partitions(): readonly AssignedPartition[] {
    return this.#list
  }

  get(topicPartition: TopicPartition): AssignedPartition | undefined {
    return this.#partitions.get(topicPartition)
  }

  /** As `get`, and an error that names the partition if it is not assigned. */
  assigned(topicPartition: TopicPartition): AssignedPartition {
    const found = this.#partitions.get(topicPartition)
    if (found) return found
    const name = `${topicPartition.topic}-${topicPartition.partition}`
    throw new IllegalStateError(`${name} is not assigned to this consumer`)
  }

  /** The positions of all partitions that have one: what a commit without arguments commits. */
  consumed(): [TopicPartition, OffsetAndMetadata][] {
    return this.#list
      .filter((one) => one.hasPosition)
      .map((one) => [{ topic: one.topic, partition: one.partition }, one.next])
  }

  #mustNotBe(...kinds: readonly Subscription['kind'][]): void {
    if (!kinds.includes(this.#subscription.kind)) return
    throw new IllegalStateError(
      'Subscribing to topics, subscribing to a pattern and assigning partitions exclude each other: call unsubscribe() in between',
    )
  }
}
