/**
 * DeleteGroups (key 42), versions 0 to 2.
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
import { array, int16, int32, string, struct } from '../schema.ts'

export const deleteGroups = defineApi({
  key: 42,
  name: 'DeleteGroups',
  versions: [0, 2],
  flexibleSince: 2,
  request: struct({
    /** The group names to delete. */
    groupsNames: array(string()),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The deletion results. */
    results: array(
      struct({
        /** The group id. */
        groupId: string(),
        /** The deletion error, or 0 if the deletion succeeded. */
        errorCode: int16(),
      }),
    ),
  }),
})
