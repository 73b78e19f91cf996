/**
 * OffsetCommit (key 8), versions 2 to 10.
 *
 * Request:
 * - Versions 0-1 were removed in Apache Kafka 4.0, Version 2 is the new baseline.
 * - Version 1 adds timestamp and group membership information, as well as the commit timestamp.
 * - Version 2 adds retention time. It removes the commit timestamp added in version 1.
 * - Version 3 and 4 are the same as version 2.
 * - Version 5 removes the retention time, which is now controlled only by a broker configuration.
 * - Version 6 adds the leader epoch for fencing.
 * - version 7 adds a new field called groupInstanceId to indicate member identity across restarts.
 * - Version 8 is the first flexible version.
 * - Version 9 is the first version that can be used with the new consumer group protocol (KIP-848). The request is
 *   the same as version 8.
 * - Version 10 adds support for topic ids and removes support for topic names (KIP-848).
 *
 * Response:
 * - Versions 0-1 were removed in Apache Kafka 4.0, Version 2 is the new baseline.
 * - Versions 1 and 2 are the same as version 0.
 * - Version 3 adds the throttle time to the response.
 * - Starting in version 4, on quota violation, brokers send out responses before throttling.
 * - Versions 5 and 6 are the same as version 4.
 * - Version 7 offsetCommitRequest supports a new field called groupInstanceId to indicate member identity across
 *   restarts.
 * - Version 8 is the first flexible version.
 * - Version 9 is the first version that can be used with the new consumer group protocol (KIP-848). The response is
 *   the same as version 8 but can return STALE_MEMBER_EPOCH when the new consumer group protocol is used and
 *   GROUP_ID_NOT_FOUND when the group does not exist for both protocols.
 * - Version 10 adds support for topic ids and removes support for topic names (KIP-848). Supported errors: -
 *   GROUP_AUTHORIZATION_FAILED (version 0+) - NOT_COORDINATOR (version 0+) - COORDINATOR_NOT_AVAILABLE (version 0+)
 *   - COORDINATOR_LOAD_IN_PROGRESS (version 0+) - ILLEGAL_GENERATION (version 1+) - UNKNOWN_MEMBER_ID (version 1+) -
 *   INVALID_COMMIT_OFFSET_SIZE (version 0+) - FENCED_MEMBER_EPOCH (version 7+) - GROUP_ID_NOT_FOUND (version 9+) -
 *   STALE_MEMBER_EPOCH (version 9+) - UNKNOWN_TOPIC_ID (version 10+)
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, int32, int64, nullableString, string, struct, uuid } from '../schema.ts'

export const offsetCommit = defineApi({
  key: 8,
  name: 'OffsetCommit',
  versions: [2, 10],
  flexibleSince: 8,
  request: struct({
    /** The unique group identifier. */
    groupId: string(),
    /**
     * The generation of the group if using the classic group protocol or the member epoch if using the consumer
     * protocol.
     */
    generationIdOrMemberEpoch: int32({ default: -1 }),
    /** The member ID assigned by the group coordinator. */
    memberId: string(),
    /** The unique identifier of the consumer instance provided by end user. */
    groupInstanceId: nullableString({ since: 7, default: null }),
    /** The time period in ms to retain the offset. */
    retentionTimeMs: int64({ until: 4, ignorable: true, default: -1 }),
    /** The topics to commit offsets for. */
    topics: array(
      struct({
        /** The topic name. */
        name: string({ until: 9, ignorable: true }),
        /** The topic ID. */
        topicId: uuid({ since: 10, ignorable: true }),
        /** Each partition to commit offsets for. */
        partitions: array(
          struct({
            /** The partition index. */
            partitionIndex: int32(),
            /** The message offset to be committed. */
            committedOffset: int64(),
            /** The leader epoch of this partition. */
            committedLeaderEpoch: int32({ since: 6, ignorable: true, default: -1 }),
            /** Any associated metadata the client wants to keep. */
            committedMetadata: nullableString(),
          }),
        ),
      }),
    ),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ since: 3, ignorable: true }),
    /** The responses for each topic. */
    topics: array(
      struct({
        /** The topic name. */
        name: string({ until: 9, ignorable: true }),
        /** The topic ID. */
        topicId: uuid({ since: 10, ignorable: true }),
        /** The responses for each partition in the topic. */
        partitions: array(
          struct({
            /** The partition index. */
            partitionIndex: int32(),
            /** The error code, or 0 if there was no error. */
            errorCode: int16(),
          }),
        ),
      }),
    ),
  }),
})
