/** What one poll returned: views of records, grouped by partition, each group in offset order. */
import { type ConsumerRecord } from '../../protocol/records/consumer-record.ts'
import { TopicPartitionMap, type TopicPartition } from '../../protocol/records/topic-partition.ts'

/** An offset to commit or that was committed: the next one to read, not the last one read. */
export interface OffsetAndMetadata {
  readonly offset: number
  readonly metadata?: string
  /** Epoch of the leader that gave the last record; helps to notice a truncated log. */
  readonly leaderEpoch?: number
}

export interface PartitionRecords<K = Buffer, V = Buffer> {
  readonly topicPartition: TopicPartition
  readonly records: readonly ConsumerRecord<K, V>[]
  /** The consumer's position behind these records: gaps (compaction, transaction markers) are passed over already. */
  readonly next: OffsetAndMetadata
}

export class ConsumerRecords<K = Buffer, V = Buffer> implements Iterable<ConsumerRecord<K, V>> {
  static readonly empty = new ConsumerRecords<never, never>([])
  readonly #groups: readonly PartitionRecords<K, V>[]
  /** How many records there are in all. */
  readonly count: number

  constructor(groups: readonly PartitionRecords<K, V>[]) {
    this.#groups = groups
    let count = 0
    for (const { records } of groups) count += records.length
    this.count = count
  }

  get isEmpty(): boolean {
    return this.count === 0
  }

  /** The partitions that records came from. */
  partitions(): TopicPartition[] {
    return this.#groups.filter(({ records }) => records.length > 0).map(({ topicPartition }) => topicPartition)
  }

  /** The records of one partition, or of all partitions of a topic. */
  records(of: TopicPartition | string): readonly ConsumerRecord<K, V>[] {
    if (typeof of === 'string') {
      return this.#groups.filter(({ topicPartition }) => topicPartition.topic === of).flatMap(({ records }) => records)
    }
    const found = this.#groups.find(
      ({ topicPartition: { topic, partition } }) => topic === of.topic && partition === of.partition,
    )
    return found?.records ?? []
  }

  /** Partition by partition; the cheapest way to work on batches. */
  groups(): readonly PartitionRecords<K, V>[] {
    return this.#groups
  }

  /** What to commit when all of these records are done. Holds partitions whose position moved without a record too. */
  nextOffsets(): TopicPartitionMap<OffsetAndMetadata> {
    return new TopicPartitionMap(this.#groups.map(({ topicPartition, next }) => [topicPartition, next]))
  }

  *[Symbol.iterator](): Generator<ConsumerRecord<K, V>> {
    for (const { records } of this.#groups) yield* records
  }
}
