/**
 * Heartbeat (key 12), versions 0 to 4.
 *
 * Request:
 * - Version 1 and version 2 are the same as version 0.
 * - Starting from version 3, we add a new field called groupInstanceId to indicate member identity across restarts.
 * - Version 4 is the first flexible version.
 *
 * Response:
 * - Version 1 adds throttle time.
 * - Starting in version 2, on quota violation, brokers send out responses before throttling.
 * - Starting from version 3, heartbeatRequest supports a new field called groupInstanceId to indicate member
 *   identity across restarts.
 * - Version 4 is the first flexible version.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { int16, int32, nullableString, string, struct } from '../schema.ts'

export const heartbeat = defineApi({
  key: 12,
  name: 'Heartbeat',
  versions: [0, 4],
  flexibleSince: 4,
  request: struct({
    /** The group id. */
    groupId: string(),
    /** The generation of the group. */
    generationId: int32(),
    /** The member ID. */
    memberId: string(),
    /** The unique identifier of the consumer instance provided by end user. */
    groupInstanceId: nullableString({ since: 3, default: null }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    /** The error code, or 0 if there was no error. */
    errorCode: int16(),
  }),
})
