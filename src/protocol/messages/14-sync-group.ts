/**
 * SyncGroup (key 14), versions 0 to 5.
 *
 * Request:
 * - Versions 1 and 2 are the same as version 0.
 * - Starting from version 3, we add a new field called groupInstanceId to indicate member identity across restarts.
 * - Version 4 is the first flexible version.
 * - Starting from version 5, the client sends the Protocol Type and the Protocol Name to the broker (KIP-559). The
 *   broker will reject the request if they are inconsistent with the Type and Name known by the broker.
 *
 * Response:
 * - Version 1 adds throttle time.
 * - Starting in version 2, on quota violation, brokers send out responses before throttling.
 * - Starting from version 3, syncGroupRequest supports a new field called groupInstanceId to indicate member
 *   identity across restarts.
 * - Version 4 is the first flexible version.
 * - Starting from version 5, the broker sends back the Protocol Type and the Protocol Name to the client (KIP-559).
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bytes, int16, int32, nullableString, string, struct } from '../schema.ts'

export const syncGroup = defineApi({
  key: 14,
  name: 'SyncGroup',
  versions: [0, 5],
  flexibleSince: 4,
  request: struct({
    /** The unique group identifier. */
    groupId: string(),
    /** The generation of the group. */
    generationId: int32(),
    /** The member ID assigned by the group. */
    memberId: string(),
    /** The unique identifier of the consumer instance provided by end user. */
    groupInstanceId: nullableString({ since: 3, default: null }),
    /** The group protocol type. */
    protocolType: nullableString({ since: 5, ignorable: true, default: null }),
    /** The group protocol name. */
    protocolName: nullableString({ since: 5, ignorable: true, default: null }),
    /** Each assignment. */
    assignments: array(
      struct({
        /** The ID of the member to assign. */
        memberId: string(),
        /** The member assignment. */
        assignment: bytes(),
      }),
    ),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    /** The error code, or 0 if there was no error. */
    errorCode: int16(),
    /** The group protocol type. */
    protocolType: nullableString({ since: 5, ignorable: true, default: null }),
    /** The group protocol name. */
    protocolName: nullableString({ since: 5, ignorable: true, default: null }),
    /** The member assignment. */
    assignment: bytes(),
  }),
})
