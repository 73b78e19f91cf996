/** What the pipeline keeps of each partition that it owns: from its assignment until it is revoked or lost. */
import type { SluiceError } from '../error.ts'
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import type { Lane } from './partition-work.ts'

export interface Partition {
  readonly topicPartition: TopicPartition
  lane: Lane | undefined
  /** A record that the store refused in an earlier lane: the next one stops there. */
  poison: (SluiceError & { offset: number }) | undefined
  /** Where an earlier lane of this assignment stopped: what counts when the store keeps no offsets. */
  restartAt: number | undefined
  /** Where to read when nothing else says: the first record that came before the partition was placed. */
  arrived: number | undefined
  /** Of the topic that the store was asked about when the lane began. Another one under the same name has another. */
  topicId: string | undefined
  isPaused: boolean
  attempts: number
  /** clock.monotonic() before which placing is not tried again. */
  retryAt: number
}

export interface PartitionProgress {
  readonly topicPartition: TopicPartition
  /** Every record below it is stored, or handled for good; undefined until that is known. */
  readonly done: number | undefined
  /** The group's commit. */
  readonly committed: number | undefined
  /** Records are with the store or a handler, or wait for it, or the store has not said yet where it stands. */
  readonly isBusy: boolean
}

/** One that was just assigned: without a lane, and nothing of it read. */
export function newPartition(topicPartition: TopicPartition): Partition {
  return {
    topicPartition,
    lane: undefined,
    poison: undefined,
    restartAt: undefined,
    arrived: undefined,
    topicId: undefined,
    isPaused: false,
    attempts: 0,
    retryAt: 0,
  }
}
