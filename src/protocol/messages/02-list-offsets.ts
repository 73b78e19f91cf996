/**
 * ListOffsets (key 2), versions 1 to 11.
 *
 * Request:
 * - Version 0 was removed in Apache Kafka 4.0, Version 1 is the new baseline.
 * - Version 1 removes MaxNumOffsets. From this version forward, only a single offset can be returned.
 * - Version 2 adds the isolation level, which is used for transactional reads.
 * - Version 3 is the same as version 2.
 * - Version 4 adds the current leader epoch, which is used for fencing.
 * - Version 5 is the same as version 4.
 * - Version 6 enables flexible versions.
 * - Version 7 enables listing offsets by max timestamp (KIP-734).
 * - Version 8 enables listing offsets by local log start offset (KIP-405).
 * - Version 9 enables listing offsets by last tiered offset (KIP-1005).
 * - Version 10 enables async remote list offsets support (KIP-1075)
 * - Version 11 enables listing offsets by earliest pending upload offset (KIP-1023)
 *
 * Response:
 * - Version 0 was removed in Apache Kafka 4.0, Version 1 is the new baseline.
 * - Version 1 removes the offsets array in favor of returning a single offset.
 * - Version 1 also adds the timestamp associated with the returned offset.
 * - Version 2 adds the throttle time.
 * - Starting in version 3, on quota violation, brokers send out responses before throttling.
 * - Version 4 adds the leader epoch, which is used for fencing.
 * - Version 5 adds a new error code, OFFSET_NOT_AVAILABLE.
 * - Version 6 enables flexible versions.
 * - Version 7 is the same as version 6 (KIP-734).
 * - Version 8 enables listing offsets by local log start offset. This is the earliest log start offset in the local
 *   log. (KIP-405).
 * - Version 9 enables listing offsets by last tiered offset (KIP-1005).
 * - Version 10 enables async remote list offsets support (KIP-1075)
 * - Version 11 enables listing offsets by earliest pending upload offset (KIP-1023)
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, int32, int64, int8, string, struct } from '../schema.ts'

export const listOffsets = defineApi({
  key: 2,
  name: 'ListOffsets',
  versions: [1, 11],
  flexibleSince: 6,
  request: struct({
    /** The broker ID of the requester, or -1 if this request is being made by a normal consumer. */
    replicaId: int32(),
    /**
     * This setting controls the visibility of transactional records. Using READ_UNCOMMITTED (isolation_level = 0)
     * makes all records visible. With READ_COMMITTED (isolation_level = 1), non-transactional and COMMITTED
     * transactional records are visible. To be more concrete, READ_COMMITTED returns all data from offsets smaller
     * than the current LSO (last stable offset), and enables the inclusion of the list of aborted transactions in the
     * result, which allows consumers to discard ABORTED transactional records.
     */
    isolationLevel: int8({ since: 2 }),
    /** Each topic in the request. */
    topics: array(
      struct({
        /** The topic name. */
        name: string(),
        /** Each partition in the request. */
        partitions: array(
          struct({
            /** The partition index. */
            partitionIndex: int32(),
            /** The current leader epoch. */
            currentLeaderEpoch: int32({ since: 4, ignorable: true, default: -1 }),
            /** The current timestamp. */
            timestamp: int64(),
          }),
        ),
      }),
    ),
    /**
     * The timeout to await a response in milliseconds for requests that require reading from remote storage for topics
     * enabled with tiered storage.
     */
    timeoutMs: int32({ since: 10, ignorable: true }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ since: 2, ignorable: true }),
    /** Each topic in the response. */
    topics: array(
      struct({
        /** The topic name. */
        name: string(),
        /** Each partition in the response. */
        partitions: array(
          struct({
            /** The partition index. */
            partitionIndex: int32(),
            /** The partition error code, or 0 if there was no error. */
            errorCode: int16(),
            /** The timestamp associated with the returned offset. */
            timestamp: int64({ default: -1 }),
            /** The returned offset. */
            offset: int64({ default: -1 }),
            /** The leader epoch associated with the returned offset. */
            leaderEpoch: int32({ since: 4, default: -1 }),
          }),
        ),
      }),
    ),
  }),
})
