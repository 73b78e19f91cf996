/** The producer's public surface. */
export { Producer, type CallOptions, type ProducerOptions } from './producer.ts'
export {
  SendBatchError,
  SentRecords,
  type BytesLike,
  type ProducerRecord,
  type RecordFailure,
  type RecordMetadata,
} from './record.ts'
export { type GroupMetadata, type OffsetToCommit } from './transaction-offsets.ts'
export { murmur2, partitionOfKey } from './partitioner.ts'
