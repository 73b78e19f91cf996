/** The consumer's public surface. */
export { type Assignor, type MemberSubscription } from './assignors/index.ts'
export { type OffsetCommitCallback } from './commits.ts'
export { Consumer, type ConsumerCallOptions, type ConsumerGroupMetadata, type OffsetsToCommit } from './consumer.ts'
export * from './consumer-errors.ts'
export { type Metric } from './consumer-metrics.ts'
export { ConsumerRecords, type OffsetAndMetadata, type PartitionRecords } from './consumer-records.ts'
export { type FoundOffset } from './offset-lookup.ts'
export { type RebalanceListener } from './rebalance-listener.ts'
