/**
 * What the pipeline needs of a group consumer, and nothing more, so that a simulation can stand in for it. The real one is
 * kafka-port.ts. Calls come one at a time, from the pipeline's loop or from within the listener; only `wakeup` comes from anywhere.
 */
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import type { TopicPartition } from '../protocol/records/topic-partition.ts'

/** One partition's part of what a poll returned. */
export interface PolledPartition {
  readonly topicPartition: TopicPartition
  /** In offset order. May be empty when only the position moved (transaction markers, compaction). */
  readonly records: readonly ConsumerRecord[]
  /** The position after them. */
  readonly next: number
}

export interface PartitionOffset {
  readonly topicPartition: TopicPartition
  readonly offset: number
}

/** Runs inside `poll` and `close` only; `poll` goes on when the promise has resolved. Must not throw. */
export interface AssignmentListener {
  /** The partitions that were added; nothing of them has been fetched yet. */
  assigned(added: readonly TopicPartition[]): Promise<void>
  /** Still owned; the rejoin waits for this. */
  revoked(partitions: readonly TopicPartition[]): Promise<void>
  /** No longer owned: another member may have them. */
  lost(partitions: readonly TopicPartition[]): Promise<void>
}

/** How long a call may wait for brokers. */
export interface CallLimits {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** How offsets are committed: by the consumer itself, or with a transaction (transactional-commits.ts). */
export interface CommitChannel {
  commitSync(offsets: readonly PartitionOffset[], limits: CallLimits): Promise<void>
  commitAsync(offsets: readonly PartitionOffset[], done: (error: Error | undefined) => void): void
}

export interface ConsumerPort extends CommitChannel {
  subscribe(listener: AssignmentListener): void
  /** Returns early, with nothing, after `wakeup`. */
  poll(timeoutMs: number): Promise<readonly PolledPartition[]>
  /** Makes the poll under way, or the next one, return at once. */
  wakeup(): void
  seek(topicPartition: TopicPartition, offset: number): void
  pause(topicPartitions: readonly TopicPartition[]): void
  resume(topicPartitions: readonly TopicPartition[]): void
  /** The group's commits, index for index. */
  committed(topicPartitions: readonly TopicPartition[], limits: CallLimits): Promise<readonly (number | undefined)[]>
  /** First offset and end of each log, index for index. */
  logBounds(
    topicPartitions: readonly TopicPartition[],
    limits: CallLimits,
  ): Promise<readonly { start: number; end: number }[]>
  /** Makes `SinkContext.topicId` know these topics. */
  learnTopicIds(topics: readonly string[], limits: CallLimits): Promise<void>
  topicId(topic: string): string
  /** As far as the brokers' last answer tells: it was deleted, or is not there yet. Its offsets cannot be committed. */
  isMissing(topic: string): boolean
  generation(): number
  /** Leaves the group. `listener.revoked` is called for what is still assigned. */
  close(timeoutMs: number): Promise<void>
}
