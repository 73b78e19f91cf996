/**
 * `exactly.once`: commits of the group that take the handlers' output with them. Stands where the consumer's own commits stand otherwise.
 *
 * What a handler sends is held until its record belongs to the run without a gap. A commit then is one short transaction: all output up to the
 * offsets, the offsets, the end. If it fails, it is aborted and everything is still held for the next one; if nobody knows whether it failed,
 * the consumer begins again from what the group has committed.
 */
import type { ProducerRecord } from '../client/producer/record.ts'
import type { GroupMetadata } from '../client/producer/transaction-offsets.ts'
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import type { CallLimits, CommitChannel, PartitionOffset } from './consumer-port.ts'
import { NotAMemberError, TransactionBrokenError } from './errors.ts'
import type { ProducerPort } from './producer-port.ts'

export interface HeldOutputs {
  outputsUpTo(topicPartition: TopicPartition, next: number): readonly ProducerRecord[]
  forgetOutputs(topicPartition: TopicPartition, next: number): void
}

export class TransactionalCommits implements CommitChannel {
  readonly #producer: ProducerPort
  readonly #held: HeldOutputs
  readonly #group: () => GroupMetadata
  /** One transaction at a time: the next begins when the one before it has ended, however. */
  #last: Promise<unknown> = Promise.resolve()
  #broken: TransactionBrokenError | undefined

  constructor(producer: ProducerPort, held: HeldOutputs, group: () => GroupMetadata) {
    this.#producer = producer
    this.#held = held
    this.#group = group
  }

  commitSync(offsets: readonly PartitionOffset[], { signal }: CallLimits): Promise<void> {
    // Whose offsets they are is known now: when its turn comes, the member may be one of a later generation, and the partitions another's.
    const group = this.#group()
    const committing = this.#last.then(() => this.#commit(offsets, group, signal))
    this.#last = committing.catch(() => {})
    return committing
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

  async #commit(
    offsets: readonly PartitionOffset[],
    group: GroupMetadata,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    // Nobody knows whether the last one counts: to send its output again, be it for a last commit, could repeat it.
    if (this.#broken) throw this.#broken
    // Without a generation brokers take the offsets unseen (that is for consumers without a group): a member that was put out would pass.
    if ((group.generationId ?? -1) < 0) throw new NotAMemberError(group.groupId)
    signal?.throwIfAborted()
    const records = offsets.flatMap(({ topicPartition, offset }) => this.#held.outputsUpTo(topicPartition, offset))
    try {
      await this.#producer.transact(records, offsets, group, signal)
    } catch (error) {
      if (error instanceof TransactionBrokenError) this.#broken = error
      throw error
    }
    for (const { topicPartition, offset } of offsets) this.#held.forgetOutputs(topicPartition, offset)
  }
}
