/** What the client consists of, for the rest of Sluice. Users import from src/index.ts. */
export { Cluster, type Exchange, type RefreshOptions, type SendOptions } from './cluster.ts'
export {
  nearestName,
  parseAdminConfig,
  parseConsumerConfig,
  parseProducerConfig,
  type AdminConfig,
  type ClusterConfig,
  type ConsumerConfig,
  type ProducerConfig,
  type PropertyBag,
  type PropertyValue,
} from './config.ts'
export * from './errors.ts'
export { ClusterMetadata, type BrokerAddress, type PartitionMetadata, type TopicMetadata } from './metadata.ts'
export { adminProperties, consumerProperties, producerProperties } from './properties.ts'
export { backoffMs, isRetriable, withRetries } from './retry.ts'
export { systemSeams, type ClientSeams } from './seams.ts'
export { codeOf, errorOf, KafkaError, type ErrorCode, type ErrorName } from '../protocol/error-codes.ts'
export { ConsumerRecord } from '../protocol/records/consumer-record.ts'
export { topicPartitionKey, TopicPartitionMap, type TopicPartition } from '../protocol/records/topic-partition.ts'
