/**
 * OffsetFetch (key 9), versions 1 to 10.
 *
 * Request:
 * - Version 0 was removed in Apache Kafka 4.0, Version 1 is the new baseline.
 * - In version 0, the request read offsets from ZK.
 * - Starting in version 1, the broker supports fetching offsets from the internal __consumer_offsets topic.
 * - Starting in version 2, the request can contain a null topics array to indicate that offsets for all topics
 *   should be fetched. It also returns a top level error code for group or coordinator level errors.
 * - Version 3, 4, and 5 are the same as version 2.
 * - Version 6 is the first flexible version.
 * - Version 7 is adding the require stable flag.
 * - Version 8 is adding support for fetching offsets for multiple groups at a time.
 * - Version 9 is the first version that can be used with the new consumer group protocol (KIP-848). It adds the
 *   MemberId and MemberEpoch fields. Those are filled in and validated when the new consumer protocol is used.
 * - Version 10 adds support for topic ids and removes support for topic names (KIP-848).
 *
 * Response:
 * - Version 0 was removed in Apache Kafka 4.0, Version 1 is the new baseline.
 * - Version 1 is the same as version 0.
 * - Version 2 adds a top-level error code.
 * - Version 3 adds the throttle time.
 * - Starting in version 4, on quota violation, brokers send out responses before throttling.
 * - Version 5 adds the leader epoch to the committed offset.
 * - Version 6 is the first flexible version.
 * - Version 7 adds pending offset commit as new error response on partition level.
 * - Version 8 is adding support for fetching offsets for multiple groups
 * - Version 9 is the first version that can be used with the new consumer group protocol (KIP-848). The response is
 *   the same as version 8 but can return STALE_MEMBER_EPOCH and UNKNOWN_MEMBER_ID errors when the new consumer group
 *   protocol is used.
 * - Version 10 adds support for topic ids and removes support for topic names (KIP-848). It can return
 *   UNKNOWN_TOPIC_ID if topic IDs used and the topic is not found in metadata. Supported errors: -
 *   GROUP_AUTHORIZATION_FAILED (version 0+) - NOT_COORDINATOR (version 0+) - COORDINATOR_NOT_AVAILABLE (version 0+)
 *   - COORDINATOR_LOAD_IN_PROGRESS (version 0+) - GROUP_ID_NOT_FOUND (version 0+) - UNSTABLE_OFFSET_COMMIT (version
 *   7+) - UNKNOWN_MEMBER_ID (version 9+) - STALE_MEMBER_EPOCH (version 9+) - UNKNOWN_TOPIC_ID (version 10+)
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, int16, int32, int64, nullableArray, nullableString, string, struct, uuid } from '../schema.ts'

export const offsetFetch = defineApi({
  key: 9,
  name: 'OffsetFetch',
  versions: [1, 10],
  flexibleSince: 6,
  request: struct({
    /** The group to fetch offsets for. */
    groupId: string({ until: 7 }),
    /** Each topic we would like to fetch offsets for, or null to fetch offsets for all topics. */
    topics: nullableArray(
      struct({
        /** The topic name. */
        name: string({ until: 7 }),
        /** The partition indexes we would like to fetch offsets for. */
        partitionIndexes: array(int32(), { until: 7 }),
      }),
      { until: 7, nullableSince: 2 },
    ),
    /** Each group we would like to fetch offsets for. */
    groups: array(
      struct({
        /** The group ID. */
        groupId: string(),
        /** The member id. */
        memberId: nullableString({ since: 9, ignorable: true, default: null }),
        /** The member epoch if using the new consumer protocol (KIP-848). */
        memberEpoch: int32({ since: 9, ignorable: true, default: -1 }),
        /** Each topic we would like to fetch offsets for, or null to fetch offsets for all topics. */
        topics: nullableArray(
          struct({
            /** The topic name. */
            name: string({ until: 9, ignorable: true }),
            /** The topic ID. */
            topicId: uuid({ since: 10, ignorable: true }),
            /** The partition indexes we would like to fetch offsets for. */
            partitionIndexes: array(int32()),
          }),
        ),
      }),
      { since: 8 },
    ),
    /** Whether broker should hold on returning unstable offsets but set a retriable error code for the partitions. */
    requireStable: bool({ since: 7, default: false }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ since: 3, ignorable: true }),
    /** The responses per topic. */
    topics: array(
      struct({
        /** The topic name. */
        name: string({ until: 7 }),
        /** The responses per partition. */
        partitions: array(
          struct({
            /** The partition index. */
            partitionIndex: int32({ until: 7 }),
            /** The committed message offset. */
            committedOffset: int64({ until: 7 }),
            /** The leader epoch. */
            committedLeaderEpoch: int32({ since: 5, until: 7, ignorable: true, default: -1 }),
            /** The partition metadata. */
            metadata: nullableString({ until: 7 }),
            /** The error code, or 0 if there was no error. */
            errorCode: int16({ until: 7 }),
          }),
          { until: 7 },
        ),
      }),
      { until: 7 },
    ),
    /** The top-level error code, or 0 if there was no error. */
    errorCode: int16({ since: 2, until: 7, ignorable: true, default: 0 }),
    /** The responses per group id. */
    groups: array(
      struct({
        /** The group ID. */
        groupId: string(),
        /** The responses per topic. */
        topics: array(
          struct({
            /** The topic name. */
            name: string({ until: 9, ignorable: true }),
            /** The topic ID. */
            topicId: uuid({ since: 10, ignorable: true }),
            /** The responses per partition. */
            partitions: array(
              struct({
                /** The partition index. */
                partitionIndex: int32(),
                /** The committed message offset. */
                committedOffset: int64(),
                /** The leader epoch. */
                committedLeaderEpoch: int32({ default: -1 }),
                /** The partition metadata. */
                metadata: nullableString(),
                /** The partition-level error code, or 0 if there was no error. */
                errorCode: int16(),
              }),
            ),
          }),
        ),
        /** The group-level error code, or 0 if there was no error. */
        errorCode: int16({ default: 0 }),
      }),
      { since: 8 },
    ),
  }),
})
