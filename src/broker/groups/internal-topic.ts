/**
 * A compacted topic in which a coordinator keeps its state: `__consumer_offsets` and `__transaction_state`. Knows how to
 * create it, append to it and read it back; what the records mean is the coordinator's business.
 *
 * The topic comes into being with the first need of it, as in Kafka: a broker without groups has none of its files.
 */
import { type RecordBatch, recordBatches } from '../../protocol/records/record-batch.ts'
import { RecordBatchWriter } from '../../protocol/records/batch-writer.ts'
import { type ConsumerRecord } from '../../protocol/records/consumer-record.ts'
import { RecordCursor } from '../../protocol/records/record-cursor.ts'
import { codeOf, type ErrorName, KafkaError } from '../../protocol/error-codes.ts'
import { type Clock } from '../../seams/clock.ts'
import { type LogDirectory, type Topic } from '../log/log-directory.ts'
import { type PartitionLog } from '../log/partition-log.ts'
import { coordinatorPartition } from './coordinator-partition.ts'
import { type KeyedRecord } from './group-records.ts'

/** A batch stays well below the usual `max.message.bytes`, so that a long list of records needs no thought. */
const BATCH_BYTES = 512 * 1024
const READ_BYTES = 1024 * 1024

export interface InternalTopicOptions {
  readonly logs: LogDirectory
  readonly clock: Clock
  readonly name: '__consumer_offsets' | '__transaction_state'
  readonly partitionCount: number
  readonly segmentBytes: number
}

/** The transaction as part of which records are appended. */
export interface ProducerIdAndEpoch {
  readonly producerId: number
  readonly producerEpoch: number
}

export class InternalTopic {
  readonly name: string
  readonly #options: InternalTopicOptions
  #creating: Promise<Topic> | undefined

  constructor(options: InternalTopicOptions) {
    this.name = options.name
    this.#options = options
  }

  /** As the topic has them; before it exists, as it would be created. */
  get partitionCount(): number {
    return this.#topic()?.partitions.length ?? this.#options.partitionCount
  }

  get exists(): boolean {
    return this.#topic() !== undefined
  }

  partitionOf(id: string): number {
    return coordinatorPartition(id, this.partitionCount)
  }

  partition(partition: number): PartitionLog | undefined {
    return this.#topic()?.partitions[partition]
  }

  /** Creates the topic unless it exists. Rejects with the log's refusal. */
  async ensure(): Promise<void> {
    if (this.#topic()) return
    const { logs, name, partitionCount, segmentBytes } = this.#options
    this.#creating ??= logs
      .createTopic(
        name,
        partitionCount,
        { 'cleanup.policy': 'compact', 'segment.bytes': String(segmentBytes) },
        { internal: true },
      )
      .finally(() => (this.#creating = undefined))
    await this.#creating
  }

  /**
   * Appends all records in order and resolves with their offsets when they are written. The place in the log is taken
   * before this returns: of two calls, the first one's records stand first. Rejects with a `KafkaError`.
   */
  async append(
    partition: number,
    records: readonly KeyedRecord[],
    transaction?: ProducerIdAndEpoch,
  ): Promise<number[]> {
    const log = this.partition(partition)
    if (!log) throw new KafkaError(codeOf('UNKNOWN_TOPIC_OR_PARTITION'), `append to ${this.name}-${partition}`)
    const timestamp = this.#options.clock.now()
    const mostBytes = Math.min(BATCH_BYTES, this.#topic()!.config.maxMessageBytes)
    const appends: Promise<number[]>[] = []
    let writer = new RecordBatchWriter()
    const finish = () => {
      const { count } = writer
      const batch = writer.build({ ...transaction, isTransactional: transaction !== undefined })
      const offsets = log
        .append(batch, { origin: 'coordinator' })
        .then(({ baseOffset }) => Array.from({ length: count }, (_, index) => baseOffset + index))
      appends.push(offsets)
      writer = new RecordBatchWriter()
    }
    for (const { key, value } of records) {
      const record = { key, value, timestamp }
      if (writer.count > 0 && writer.sizeInBytes + RecordBatchWriter.sizeUpperBound(record) > mostBytes) finish()
      writer.append(record)
    }
    if (writer.count > 0) finish()
    return (await Promise.all(appends)).flat()
  }

  /** Every batch of a partition in order, with its records; a control batch has none. */
  async *read(partition: number): AsyncGenerator<{ batch: RecordBatch; records: ConsumerRecord[] }> {
    const log = this.partition(partition)
    if (!log) return
    let offset = log.logStartOffset
    while (offset < log.logEndOffset) {
      const options = { maxBytes: READ_BYTES, isolation: 'read_uncommitted', minOneBatch: true } as const
      const { records: stored } = await log.read(offset, options)
      const before = offset
      for (const piece of stored) {
        for (const batch of recordBatches(piece)) {
          const cursor = new RecordCursor(batch, this.name, partition)
          const records: ConsumerRecord[] = []
          cursor.take(records, Number.POSITIVE_INFINITY, batch.baseOffset)
          offset = batch.nextOffset
          yield { batch, records }
        }
      }
      if (offset === before) return
    }
  }

  #topic(): Topic | undefined {
    return this.#options.logs.topic(this.name)
  }
}

const translations = new Map<ErrorName, ErrorName>([
  ['UNKNOWN_TOPIC_OR_PARTITION', 'COORDINATOR_NOT_AVAILABLE'],
  ['NOT_ENOUGH_REPLICAS', 'COORDINATOR_NOT_AVAILABLE'],
  ['REQUEST_TIMED_OUT', 'COORDINATOR_NOT_AVAILABLE'],
  ['NOT_LEADER_OR_FOLLOWER', 'NOT_COORDINATOR'],
  ['KAFKA_STORAGE_ERROR', 'NOT_COORDINATOR'],
  ['MESSAGE_TOO_LARGE', 'UNKNOWN_SERVER_ERROR'],
  ['RECORD_LIST_TOO_LARGE', 'UNKNOWN_SERVER_ERROR'],
  ['INVALID_FETCH_SIZE', 'UNKNOWN_SERVER_ERROR'],
])

/** What an error of the log means to the client of a coordinator, as Kafka translates it. */
export function coordinatorError(error: unknown): ErrorName {
  if (!(error instanceof KafkaError)) return 'UNKNOWN_SERVER_ERROR'
  return translations.get(error.error.name) ?? error.error.name
}
