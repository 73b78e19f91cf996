/**
 * OffsetDelete (key 47), versions 0 to 0.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, int32, string, struct } from '../schema.ts'

export const offsetDelete = defineApi({
  key: 47,
  name: 'OffsetDelete',
  versions: [0, 0],
  flexibleSince: Number.POSITIVE_INFINITY,
  request: struct({
    /** The unique group identifier. */
    groupId: string(),
    /** The topics to delete offsets for. */
    topics: array(
      struct({
        /** The topic name. */
        name: string(),
        /** Each partition to delete offsets for. */
        partitions: array(
          struct({
            /** The partition index. */
            partitionIndex: int32(),
          }),
        ),
      }),
    ),
  }),
  response: struct({
    /** The top-level error code, or 0 if there was no error. */
    errorCode: int16(),
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The responses for each topic. */
    topics: array(
      struct({
        /** The topic name. */
        name: string(),
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
