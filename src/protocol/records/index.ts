/** Records as other folders see them. `lz4.ts`, `snappy.ts` and `xx-hash-32.ts` are nobody's business but `compression.ts`'s. */
export { RecordBatchWriter, controlBatch, type BuildOptions, type RecordInput } from './batch-writer.ts'
export { compress, decompress, type CompressionType } from './compression.ts'
export { ConsumerRecord, type RecordHeader, type TimestampType } from './consumer-record.ts'
export { crc32c } from './crc32c.ts'
export {
  CorruptBatchError,
  RECORD_BATCH_OVERHEAD,
  RecordBatch,
  UnsupportedMagicError,
  recordBatches,
} from './record-batch.ts'
export { RecordCursor, type RecordCursorOptions } from './record-cursor.ts'
export { recordOf, type RecordParts } from './record-of.ts'
export { TopicPartitionMap, topicPartitionKey, type TopicPartition } from './topic-partition.ts'
