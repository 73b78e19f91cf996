/**
 * How far a partition is stored, where rows and the offset that they reach are committed together: the one row of it in the table of offsets, and what it
 * means when the compare-and-set on that row touches nothing.
 *
 * A COMMIT whose answer is lost may or may not have happened. The flush is called again, with the same rows: its compare-and-set waits for the old
 * transaction, if that one still runs. It touches the row: there was no commit, and the rows go in now. Or not: `next` is where this flush would
 * have moved it, so it is done; or elsewhere, so another owner has gone on.
 */
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import { type SinkContext, SinkFencedError } from './sink.ts'

/** application, cluster id, topic id, partition: a recreated topic, or another cluster's of the same name, has an id and so a row of its own. */
export type OffsetKey = readonly [application: string, clusterId: string, topicId: string, partition: number]

export interface StoredPartition {
  readonly topicPartition: TopicPartition
  readonly key: OffsetKey
  /** undefined: the store has no row yet. */
  durable: number | undefined
  /** Where what is taken and not durable begins. */
  start: number | undefined
  position: number | undefined
  /** A COMMIT was sent and not answered: `position` as it was then. */
  uncertainAt: number | undefined
}

export function offsetKey({ application, clusterId, topicId }: SinkContext, topicPartition: TopicPartition): OffsetKey {
  return [application, clusterId, topicId(topicPartition.topic), topicPartition.partition]
}

/** @param next of the partition's row, if there is one */
export function storedPartition(
  topicPartition: TopicPartition,
  key: OffsetKey,
  next: number | undefined,
): StoredPartition {
  return { topicPartition, key, durable: next, start: next, position: next, uncertainAt: undefined }
}

/** Everything that was taken is stored. */
export function markStored(partition: StoredPartition): number | undefined {
  partition.durable = partition.position
  partition.start = partition.position
  partition.uncertainAt = undefined
  return partition.durable
}

/**
 * After a compare-and-set that touched no row, and a rollback: whether an earlier commit of this very flush has done it.
 * @param stored `next` as it is now
 * @param where the store, as messages name it
 * @throws SinkFencedError when it has not
 */
export function assertDoneBefore(
  { topicPartition, durable, start, uncertainAt, position }: StoredPartition,
  stored: number | undefined,
  where: string,
): void {
  const isUncertain = uncertainAt !== undefined && stored === uncertainAt
  if (isUncertain && uncertainAt === position) return
  const { topic, partition } = topicPartition
  throw new SinkFencedError(
    topicPartition,
    isUncertain
      ? `topic ${topic}, partition ${partition}: the commit that broke off has stored everything below ${stored}; what follows is read again`
      : `topic ${topic}, partition ${partition} has another owner at ${where}, which has stored what follows ${durable ?? start}`,
  )
}
