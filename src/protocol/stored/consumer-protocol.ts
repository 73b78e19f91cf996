/**
 * What members and the leader of a classic consumer group tell each other inside JoinGroup and SyncGroup.
 *
 * The broker carries these bytes without opening them. A newer version is read as the newest known, as Kafka does.
 * Source: Apache Kafka, clients/src/main/resources/common/message (Apache-2.0).
 */
import { defineStored } from '../api.ts'
import { array, int32, nullableBytes, nullableString, string, struct } from '../schema.ts'

export const consumerProtocolSubscription = defineStored({
  name: 'ConsumerProtocolSubscription',
  versions: [0, 3],
  flexibleSince: Number.POSITIVE_INFINITY,
  lenient: true,
  value: struct({
    /** The topics that the member wants to consume. */
    topics: array(string()),
    /** User data that will be passed back to the consumer. */
    userData: nullableBytes({ default: null }),
    /** The partitions that the member owns. */
    ownedPartitions: array(
      struct({
        /** The topic name. */
        topic: string(),
        /** The partition ids. */
        partitions: array(int32()),
      }),
      { since: 1, ignorable: true },
    ),
    /** The generation id of the member. */
    generationId: int32({ since: 2, ignorable: true, default: -1 }),
    /** The rack id of the member. */
    rackId: nullableString({ since: 3, ignorable: true, default: null }),
  }),
})

export const consumerProtocolAssignment = defineStored({
  name: 'ConsumerProtocolAssignment',
  versions: [0, 3],
  flexibleSince: Number.POSITIVE_INFINITY,
  lenient: true,
  value: struct({
    /** The list of topics and partitions assigned to this consumer. */
    assignedPartitions: array(
      struct({
        /** The topic name. */
        topic: string(),
        /** The list of partitions assigned to this consumer. */
        partitions: array(int32()),
      }),
    ),
    /** User data. */
    userData: nullableBytes({ default: null }),
  }),
})
