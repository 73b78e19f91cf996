/**
 * Records of `__consumer_offsets` for groups of the consumer protocol (KIP-848): that a group exists, who its members are, and what each is
 * assigned right now. Keys 4, 6 and 7 (partition metadata, target assignments) are the coordinator's own business and are not read.
 *
 * A null value is a tombstone. Source: Apache Kafka 4.3, group-coordinator/src/main/resources/common/message (Apache-2.0).
 */
import { defineStored } from '../api.ts'
import {
  array,
  bytes,
  int32,
  int8,
  nullableArray,
  nullableString,
  nullableStruct,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const consumerGroupMetadataKey = defineStored({
  name: 'ConsumerGroupMetadataKey',
  versions: [3, 3],
  flexibleSince: Number.POSITIVE_INFINITY,
  value: struct({
    groupId: string(),
  }),
})

export const consumerGroupMemberMetadataKey = defineStored({
  name: 'ConsumerGroupMemberMetadataKey',
  versions: [5, 5],
  flexibleSince: Number.POSITIVE_INFINITY,
  value: struct({
    groupId: string(),
    memberId: string(),
  }),
})

export const consumerGroupMemberMetadataValue = defineStored({
  name: 'ConsumerGroupMemberMetadataValue',
  versions: [0, 0],
  flexibleSince: 0,
  value: struct({
    instanceId: nullableString(),
    rackId: nullableString(),
    clientId: string(),
    clientHost: string(),
    subscribedTopicNames: array(string()),
    subscribedTopicRegex: nullableString(),
    /** Milliseconds. */
    rebalanceTimeoutMs: int32({ default: -1 }),
    serverAssignor: nullableString(),
    /** Of a member that speaks the classic protocol in a group that is being migrated. */
    classicMemberMetadata: nullableStruct(
      {
        sessionTimeoutMs: int32(),
        supportedProtocols: array(struct({ name: string(), metadata: bytes() })),
      },
      { since: 0, tag: 0, default: { sessionTimeoutMs: 0, supportedProtocols: [] } },
    ),
  }),
})

export const consumerGroupCurrentMemberAssignmentKey = defineStored({
  name: 'ConsumerGroupCurrentMemberAssignmentKey',
  versions: [8, 8],
  flexibleSince: Number.POSITIVE_INFINITY,
  value: struct({
    groupId: string(),
    memberId: string(),
  }),
})

const topicPartitions = () =>
  array(
    struct({
      topicId: uuid(),
      partitions: array(int32()),
      /** One a partition, from Kafka 4.3 on. */
      assignmentEpochs: nullableArray(int32(), { since: 0, nullableSince: 0, tag: 0, default: null }),
    }),
  )

export const consumerGroupCurrentMemberAssignmentValue = defineStored({
  name: 'ConsumerGroupCurrentMemberAssignmentValue',
  versions: [0, 0],
  flexibleSince: 0,
  value: struct({
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    assignedPartitions: topicPartitions(),
    partitionsPendingRevocation: topicPartitions(),
  }),
})
