/**
 * CreatePartitions (key 37), versions 0 to 3.
 *
 * Request:
 * - Version 1 is the same as version 0.
 * - Version 2 adds flexible version support
 * - Version 3 is identical to version 2 but may return a THROTTLING_QUOTA_EXCEEDED error in the response if the
 *   partitions creation is throttled (KIP-599).
 *
 * Response:
 * - Starting in version 1, on quota violation, brokers send out responses before throttling.
 * - Version 2 adds flexible version support
 * - Version 3 is identical to version 2 but may return a THROTTLING_QUOTA_EXCEEDED error in the response if the
 *   partitions creation is throttled (KIP-599).
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, int16, int32, nullableArray, nullableString, string, struct } from '../schema.ts'

export const createPartitions = defineApi({
  key: 37,
  name: 'CreatePartitions',
  versions: [0, 3],
  flexibleSince: 2,
  request: struct({
    /** Each topic that we want to create new partitions inside. */
    topics: array(
      struct({
        /** The topic name. */
        name: string(),
        /** The new partition count. */
        count: int32(),
        /** The new partition assignments. */
        assignments: nullableArray(
          struct({
            /** The assigned broker IDs. */
            brokerIds: array(int32()),
          }),
        ),
      }),
    ),
    /** The time in ms to wait for the partitions to be created. */
    timeoutMs: int32(),
    /** If true, then validate the request, but don't actually increase the number of partitions. */
    validateOnly: bool(),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The partition creation results for each topic. */
    results: array(
      struct({
        /** The topic name. */
        name: string(),
        /** The result error, or zero if there was no error. */
        errorCode: int16(),
        /** The result message, or null if there was no error. */
        errorMessage: nullableString({ default: null }),
      }),
    ),
  }),
})
