/**
 * DescribeLogDirs (key 35), versions 1 to 4.
 *
 * Request:
 * - Version 0 was removed in Apache Kafka 4.0, Version 1 is the new baseline.
 * - Version 1 is the same as version 0.
 * - Version 2 is the first flexible version.
 * - Version 3 is the same as version 2 (new field in response).
 * - Version 4 is the same as version 2 (new fields in response).
 * - Version 5 is the same as version 2 (new fields in response).
 *
 * Response:
 * - Version 0 was removed in Apache Kafka 4.0, Version 1 is the new baseline. Starting in version 1, on quota
 *   violation, brokers send out responses before throttling.
 * - Version 2 is the first flexible version.
 * - Version 3 adds the top-level ErrorCode field
 * - Version 4 adds the TotalBytes and UsableBytes fields
 * - Version 5 adds IsCordoned field
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, int16, int32, int64, nullableArray, string, struct } from '../schema.ts'

export const describeLogDirs = defineApi({
  key: 35,
  name: 'DescribeLogDirs',
  versions: [1, 4],
  flexibleSince: 2,
  request: struct({
    /** Each topic that we want to describe log directories for, or null for all topics. */
    topics: nullableArray(
      struct({
        /** The topic name. */
        topic: string(),
        /** The partition indexes. */
        partitions: array(int32()),
      }),
    ),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The error code, or 0 if there was no error. */
    errorCode: int16({ since: 3, ignorable: true }),
    /** The log directories. */
    results: array(
      struct({
        /** The error code, or 0 if there was no error. */
        errorCode: int16(),
        /** The absolute log directory path. */
        logDir: string(),
        /** The topics. */
        topics: array(
          struct({
            /** The topic name. */
            name: string(),
            /** The partitions. */
            partitions: array(
              struct({
                /** The partition index. */
                partitionIndex: int32(),
                /** The size of the log segments in this partition in bytes. */
                partitionSize: int64(),
                /**
                 * The lag of the log's LEO w.r.t. partition's HW (if it is the current log for the partition) or current
                 * replica's LEO (if it is the future log for the partition).
                 */
                offsetLag: int64(),
                /**
                 * True if this log is created by AlterReplicaLogDirsRequest and will replace the current log of the replica
                 * in the future.
                 */
                isFutureKey: bool(),
              }),
            ),
          }),
        ),
        /**
         * The total size in bytes of the volume the log directory is in. This value does not include the size of data
         * stored in remote storage.
         */
        totalBytes: int64({ since: 4, ignorable: true, default: -1 }),
        /**
         * The usable size in bytes of the volume the log directory is in. This value does not include the size of data
         * stored in remote storage.
         */
        usableBytes: int64({ since: 4, ignorable: true, default: -1 }),
      }),
    ),
  }),
})
