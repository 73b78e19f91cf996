/**
 * DeleteRecords (key 21), versions 0 to 2.
 *
 * Request:
 * - Version 1 is the same as version 0.
 * - Version 2 is the first flexible version.
 *
 * Response:
 * - Starting in version 1, on quota violation, brokers send out responses before throttling.
 * - Version 2 is the first flexible version.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, int32, int64, string, struct } from '../schema.ts'

export const deleteRecords = defineApi({
  key: 21,
  name: 'DeleteRecords',
  versions: [0, 2],
  flexibleSince: 2,
  request: struct({
    /** Each topic that we want to delete records from. */
    topics: array(
      struct({
        /** The topic name. */
        name: string(),
        /** Each partition that we want to delete records from. */
        partitions: array(
          struct({
            /** The partition index. */
            partitionIndex: int32(),
            /** The deletion offset. -1 means that records should be truncated to the high watermark. */
            offset: int64(),
          }),
        ),
      }),
    ),
    /** How long to wait for the deletion to complete, in milliseconds. */
    timeoutMs: int32(),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** Each topic that we wanted to delete records from. */
    topics: array(
      struct({
        /** The topic name. */
        name: string(),
        /** Each partition that we wanted to delete records from. */
        partitions: array(
          struct({
            /** The partition index. */
            partitionIndex: int32(),
            /** The partition low water mark. */
            lowWatermark: int64(),
            /** The deletion error code, or 0 if the deletion succeeded. */
            errorCode: int16(),
          }),
        ),
      }),
    ),
  }),
})
