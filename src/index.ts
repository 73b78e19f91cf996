/**
 * Sluice as a library: consumer, producer and admin client for Apache Kafka, and what the handlers of consumer applications are written with.
 * `sluice/testing` holds the embedded broker.
 */
export * from './app/handler.ts'
export * from './client/admin/index.ts'
export {
  type AdminConfig,
  type ConsumerConfig,
  type ProducerConfig,
  type PropertyBag,
  type PropertyValue,
} from './client/config.ts'
export * from './client/consumer/index.ts'
export * from './client/errors.ts'
export {
  codeOf,
  ConsumerRecord,
  errorOf,
  KafkaError,
  topicPartitionKey,
  TopicPartitionMap,
  type ErrorCode,
  type ErrorName,
  type TopicPartition,
} from './client/index.ts'
export { type BrokerAddress, type PartitionMetadata } from './client/metadata.ts'
export * from './client/producer/index.ts'
export { systemSeams, type ClientSeams } from './client/seams.ts'
export * from './client/serialization/index.ts'
export { SluiceError } from './error.ts'
export * from './formats/index.ts'
export { silentLogger, type Logger } from './seams/logger.ts'
