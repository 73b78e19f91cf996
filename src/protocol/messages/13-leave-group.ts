/**
 * LeaveGroup (key 13), versions 0 to 5.
 *
 * Request:
 * - Version 1 and 2 are the same as version 0.
 * - Version 3 defines batch processing scheme with group.instance.id + member.id for identity
 * - Version 4 is the first flexible version.
 * - Version 5 adds the Reason field (KIP-800).
 *
 * Response:
 * - Version 1 adds the throttle time.
 * - Starting in version 2, on quota violation, brokers send out responses before throttling.
 * - Starting in version 3, we will make leave group request into batch mode and add group.instance.id.
 * - Version 4 is the first flexible version.
 * - Version 5 is the same as version 4.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, int32, nullableString, string, struct } from '../schema.ts'

export const leaveGroup = defineApi({
  key: 13,
  name: 'LeaveGroup',
  versions: [0, 5],
  flexibleSince: 4,
  request: struct({
    /** The ID of the group to leave. */
    groupId: string(),
    /** The member ID to remove from the group. */
    memberId: string({ until: 2 }),
    /** List of leaving member identities. */
    members: array(
      struct({
        /** The member ID to remove from the group. */
        memberId: string(),
        /** The group instance ID to remove from the group. */
        groupInstanceId: nullableString({ default: null }),
        /** The reason why the member left the group. */
        reason: nullableString({ since: 5, ignorable: true, default: null }),
      }),
      { since: 3 },
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
    /** List of leaving member responses. */
    members: array(
      struct({
        /** The member ID to remove from the group. */
        memberId: string(),
        /** The group instance ID to remove from the group. */
        groupInstanceId: nullableString(),
        /** The error code, or 0 if there was no error. */
        errorCode: int16(),
      }),
      { since: 3 },
    ),
  }),
})
