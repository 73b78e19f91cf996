/**
 * OffsetForLeaderEpoch (key 23), versions 2 to 4.
 *
 * Request:
 * - Versions 0-1 were removed in Apache Kafka 4.0, Version 2 is the new baseline.
 * - Version 1 is the same as version 0.
 * - Version 2 adds the current leader epoch to support fencing.
 * - Version 3 adds ReplicaId (the default is -2 which conventionally represents a "debug" consumer which is allowed
 *   to see offsets beyond the high watermark). Followers will use this replicaId when using an older version of the
 *   protocol.
 * - Version 4 enables flexible versions.
 *
 * Response:
 * - Versions 0-1 were removed in Apache Kafka 4.0, Version 2 is the new baseline.
 * - Version 1 added the leader epoch to the response.
 * - Version 2 added the throttle time.
 * - Version 3 is the same as version 2.
 * - Version 4 enables flexible versions.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, int32, int64, string, struct } from '../schema.ts'

export const offsetForLeaderEpoch = defineApi({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  versions: [2, 4],
  flexibleSince: 4,
  request: struct({
    /** The broker ID of the follower, of -1 if this request is from a consumer. */
    replicaId: int32({ since: 3, ignorable: true, default: -2 }),
    /** Each topic to get offsets for. */
    topics: array(
      struct({
        /** The topic name. */
        topic: string(),
        /** Each partition to get offsets for. */
        partitions: array(
          struct({
            /** The partition index. */
            partition: int32(),
            /**
             * An epoch used to fence consumers/replicas with old metadata. If the epoch provided by the client is larger
             * than the current epoch known to the broker, then the UNKNOWN_LEADER_EPOCH error code will be returned. If
             * the provided epoch is smaller, then the FENCED_LEADER_EPOCH error code will be returned.
             */
            currentLeaderEpoch: int32({ default: -1 }),
            /** The epoch to look up an offset for. */
            leaderEpoch: int32(),
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
    throttleTimeMs: int32(),
    /** Each topic we fetched offsets for. */
    topics: array(
      struct({
        /** The topic name. */
        topic: string(),
        /** Each partition in the topic we fetched offsets for. */
        partitions: array(
          struct({
            /** The error code 0, or if there was no error. */
            errorCode: int16(),
            /** The partition index. */
            partition: int32(),
            /** The leader epoch of the partition. */
            leaderEpoch: int32({ default: -1 }),
            /** The end offset of the epoch. */
            endOffset: int64({ default: -1 }),
          }),
        ),
      }),
    ),
  }),
})
