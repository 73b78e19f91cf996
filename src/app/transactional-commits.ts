/**
 * `exactly.once`: commits of the group that take the handlers' output with them. Stands where the consumer's own commits stand otherwise.
 *
 * What a handler sends is held until its record belongs to the run without a gap. A commit then is one short transaction: all output up to the
 * offsets, the offsets, the end. If it fails, it is aborted and everything is still held for the next one; if nobody knows whether it failed,
 * the consumer begins again from what the group has committed.
 */
import { AbortedError, TimeoutError } from '../client/errors.ts'
import type { ProducerRecord } from '../client/producer/record.ts'
import type { GroupMetadata } from '../client/producer/transaction-offsets.ts'
import { orAborted } from '../client/retry.ts'
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import type { Clock } from '../seams/clock.ts'
import type { CallLimits, CommitChannel, PartitionOffset } from './consumer-port.ts'
import { NotAMemberError, TransactionBrokenError, TransactionsRefusedError } from './errors.ts'
import type { ProducerPort } from './producer-port.ts'

export interface HeldOutputs {
  outputsUpTo(topicPartition: TopicPartition, next: number): readonly ProducerRecord[]
  forgetOutputs(topicPartition: TopicPartition, next: number): void
}

const DOING = 'Committing output and offsets in a transaction'

export class TransactionalCommits implements CommitChannel {
  readonly #producer: ProducerPort
  readonly #held: HeldOutputs
  readonly #group: () => GroupMetadata
  /** One transaction at a time: the next begins when the one before it has ended, however. */
  #last: Promise<unknown> = Promise.resolve()
  #broken: TransactionBrokenError | TransactionsRefusedError | undefined
  readonly #clock: Clock

  constructor(producer: ProducerPort, held: HeldOutputs, group: () => GroupMetadata, clock: Clock) {
    this.#clock = clock
    this.#producer = producer
    this.#held = held
    this.#group = group
  }

  /** Within its limits it waits for its turn, and then begins nothing; a transaction that has begun comes to its end, whichever. */
  async commitSync(offsets: readonly PartitionOffset[], { signal, timeoutMs }: CallLimits): Promise<void> {
    // Whose offsets they are is known now: when its turn comes, the member may be one of a later generation, and the partitions another's.
    const group = this.#group()
    const tooLate = new AbortController()
    const timer =
      timeoutMs === undefined ? undefined : this.#clock.setTimer(timeoutMs, () => tooLate.abort(), { background: true })
    const ends = signal ? AbortSignal.any([signal, tooLate.signal]) : tooLate.signal
    const turn = this.#last
    const committing = turn.then(() => this.#commit(offsets, group, ends))
    this.#last = committing.catch(() => {})
    try {
      await orAborted(turn, ends, DOING)
      await committing
    } catch (error) {
      if (!(error instanceof AbortedError) || signal?.aborted) throw error
      throw new TimeoutError(`${DOING} did not succeed within ${timeoutMs} ms.`, error)
    } finally {
      timer?.cancel()
    }
  }

  commitAsync(offsets: readonly PartitionOffset[], done: (error: Error | undefined) => void): void {
    void this.#commitAndSay(offsets, done)
  }

  async #commitAndSay(offsets: readonly PartitionOffset[], done: (error: Error | undefined) => void): Promise<void> {
    let failure: Error | undefined
    try {
      await this.commitSync(offsets, {})
    } catch (error) {
      failure = error as Error
    }
    done(failure)
  }

  async #commit(offsets: readonly PartitionOffset[], group: GroupMetadata, signal: AbortSignal): Promise<void> {
    // Nobody knows whether the last one counts: to send its output again, be it for a last commit, could repeat it.
    if (this.#broken) throw this.#broken
    // Without a generation brokers take the offsets unseen (that is for consumers without a group): a member that was put out would pass.
    if ((group.generationId ?? -1) < 0) throw new NotAMemberError(group.groupId)
    if (signal.aborted) throw new AbortedError(DOING, signal.reason)
    const records = offsets.flatMap(({ topicPartition, offset }) => this.#held.outputsUpTo(topicPartition, offset))
    try {
      await this.#producer.transact(records, offsets, group, signal)
    } catch (error) {
      if (error instanceof TransactionBrokenError || error instanceof TransactionsRefusedError) this.#broken = error
      throw error
    }
    for (const { topicPartition, offset } of offsets) this.#held.forgetOutputs(topicPartition, offset)
  }
}
