/** The admin client's public surface. */
export { Admin, type ClusterDescription } from './admin.ts'
export { type AgreedVersion, type ApiVersionRange } from './api-versions.ts'
export {
  resourceName,
  type ConfigChange,
  type ConfigEntry,
  type ConfigResource,
  type DescribeConfigsOptions,
  type ResourceChanges,
} from './configs.ts'
export { AdminError, Results, type AdminCallOptions } from './gathering.ts'
export {
  type GroupDescription,
  type GroupListing,
  type GroupMember,
  type GroupState,
  type ListGroupOffsetsOptions,
  type ListGroupsOptions,
} from './groups.ts'
export { type OffsetTarget, placeOffsets, type PlacedOffset } from './offset-targets.ts'
export { type ListedOffset, type ListOffsetsOptions, type OffsetSpec } from './partitions.ts'
export {
  type CreatedTopic,
  type NewTopic,
  type TopicChangeOptions,
  type TopicDescription,
  type TopicListing,
} from './topics.ts'
