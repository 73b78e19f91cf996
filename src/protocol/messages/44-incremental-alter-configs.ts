/**
 * IncrementalAlterConfigs (key 44), versions 0 to 1.
 *
 * Request:
 * - Version 1 is the first flexible version.
 *
 * Response:
 * - Version 1 is the first flexible version.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, int16, int32, int8, nullableString, string, struct } from '../schema.ts'

export const incrementalAlterConfigs = defineApi({
  key: 44,
  name: 'IncrementalAlterConfigs',
  versions: [0, 1],
  flexibleSince: 1,
  request: struct({
    /** The incremental updates for each resource. */
    resources: array(
      struct({
        /** The resource type. */
        resourceType: int8(),
        /** The resource name. */
        resourceName: string(),
        /** The configurations. */
        configs: array(
          struct({
            /** The configuration key name. */
            name: string(),
            /** The type (Set, Delete, Append, Subtract) of operation. */
            configOperation: int8(),
            /** The value to set for the configuration key. */
            value: nullableString(),
          }),
        ),
      }),
    ),
    /** True if we should validate the request, but not change the configurations. */
    validateOnly: bool(),
  }),
  response: struct({
    /**
     * Duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request
     * did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The responses for each resource. */
    responses: array(
      struct({
        /** The resource error code. */
        errorCode: int16(),
        /** The resource error message, or null if there was no error. */
        errorMessage: nullableString(),
        /** The resource type. */
        resourceType: int8(),
        /** The resource name. */
        resourceName: string(),
      }),
    ),
  }),
})
