/**
 * Commits to Kafka what lanes made durable. When it is called is the pipeline's business; that nothing else is committed is
 * seen to here: only offsets that a lane or the sink itself gave as durable ever come in.
 *
 * A commit that fails is no failure of the application's: it is repeated with the next one, or the next owner reads again from
 * the one before, which the sink's guarantee makes harmless. So it is said, and that is all.
 */
import { SluiceError } from '../error.ts'
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import { topicPartitionKey, TopicPartitionMap, type TopicPartition } from '../protocol/records/topic-partition.ts'
import { RebalanceInProgressError } from '../client/consumer/consumer-errors.ts'
import { AbortedError } from '../client/errors.ts'
import type { CallLimits, CommitChannel, PartitionOffset } from './consumer-port.ts'
import { OutputRefusedError, TransactionBrokenError, TransactionsRefusedError } from './errors.ts'

export interface DurableOffset {
  readonly topicPartition: TopicPartition
  readonly durable: number | undefined
}

/** After these no later commit can succeed. */
const breaks = [TransactionBrokenError, OutputRefusedError, TransactionsRefusedError]

export class Committer {
  readonly #channel: CommitChannel
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #consumer: string
  /** The group's commit as far as it is known; without an entry the partition is not ours. */
  readonly #committed = new TopicPartitionMap<number | undefined>()
  /** Where reading began, of partitions that the group has no commit of. */
  readonly #began = new TopicPartitionMap<number>()
  #waiters: (() => void)[] = []
  #isUnderWay = false
  #lastAt: number
  #count = 0
  #lastAtMs: number | undefined
  /** Called when the channel is of no use any more: the consumer must begin again, or cannot go on. */
  onBroken: (error: SluiceError) => void = () => {}
  /** For messages: whether the store keeps its own offsets, so that a commit is only for lag tools. */
  isMirror = false

  constructor(channel: CommitChannel, clock: Clock, logger: Logger, consumer: string) {
    this.#channel = channel
    this.#clock = clock
    this.#logger = logger
    this.#consumer = consumer
    this.#lastAt = clock.monotonic()
  }

  /** Offsets that commits have moved by, in all. */
  get count(): number {
    return this.#count
  }

  /** Milliseconds since 1970 of the last commit that succeeded. */
  get lastAtMs(): number | undefined {
    return this.#lastAtMs
  }

  /** The group's commit as far as it is known. */
  committed(topicPartition: TopicPartition): number | undefined {
    return this.#committed.get(topicPartition)
  }

  get msSinceLast(): number {
    return this.#clock.monotonic() - this.#lastAt
  }

  get hasWaiters(): boolean {
    return this.#waiters.length > 0
  }

  begin(topicPartition: TopicPartition, committed: number | undefined): void {
    this.#committed.set(topicPartition, committed)
  }

  /** The first position of a partition that the group has no commit of: what its first commit moves is counted from there. */
  readsFrom(topicPartition: TopicPartition, position: number): void {
    if (this.#committed.get(topicPartition) !== undefined || this.#began.has(topicPartition)) return
    this.#began.set(topicPartition, position)
  }

  forget(topicPartition: TopicPartition): void {
    this.#committed.delete(topicPartition)
    this.#began.delete(topicPartition)
  }

  /** What is durable and not yet committed. */
  dirty(offsets: Iterable<DurableOffset>): PartitionOffset[] {
    const dirty: PartitionOffset[] = []
    for (const { topicPartition, durable } of offsets) {
      if (durable !== undefined && durable !== this.#committed.get(topicPartition)) {
        dirty.push({ topicPartition, offset: durable })
      }
    }
    return dirty
  }

  /** One at a time: what becomes durable meanwhile comes with the next. */
  inBackground(offsets: readonly PartitionOffset[]): void {
    if (offsets.length === 0 || this.#isUnderWay) return
    this.#isUnderWay = true
    this.#lastAt = this.#clock.monotonic()
    this.#channel.commitAsync(offsets, (error) => {
      this.#isUnderWay = false
      if (error) this.#failed(offsets, error)
      else this.#note(offsets)
    })
  }

  /** `isLast`: nobody commits these partitions again after this, so that an abort too is worth a word. */
  async now(offsets: readonly PartitionOffset[], limits: CallLimits, isLast = false): Promise<void> {
    try {
      if (offsets.length > 0) await this.#channel.commitSync(offsets, limits)
      this.#note(offsets)
    } catch (error) {
      this.#failed(offsets, error as Error, isLast)
    } finally {
      this.#lastAt = this.#clock.monotonic()
      this.releaseWaiters()
    }
  }

  /** Resolves with the next `now`, or when there will be none for whoever waits. */
  next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiters.push(resolve)
    return promise
  }

  releaseWaiters(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  #note(offsets: readonly PartitionOffset[]): void {
    if (offsets.length > 0) this.#lastAtMs = this.#clock.now()
    for (const { topicPartition, offset } of offsets) {
      if (!this.#committed.has(topicPartition)) continue
      const before = this.#committed.get(topicPartition)
      if (before !== undefined && offset <= before) continue
      this.#count += offset - (before ?? this.#began.get(topicPartition) ?? offset)
      this.#committed.set(topicPartition, offset)
    }
  }

  #failed(offsets: readonly PartitionOffset[], error: Error, isLast = false): void {
    const names = offsets.map(({ topicPartition, offset }) => `${topicPartitionKey(topicPartition)} to ${offset}`)
    const then = this.isMirror
      ? 'The store has them; only lag tools will see it later'
      : 'They are stored; without a later commit the next owner stores them again'
    const message = `committing ${names.join(', ')} failed: ${error.message}. ${then}`
    if (error instanceof SluiceError && breaks.some((broken) => error instanceof broken)) this.onBroken(error)
    // Everyday life: a rebalance begins, or the end does, and each commits again before partitions are given away.
    if (error instanceof RebalanceInProgressError || (error instanceof AbortedError && !isLast))
      this.#logger.debug({ consumer: this.#consumer }, message)
    else this.#logger.warn({ consumer: this.#consumer }, message)
  }
}
