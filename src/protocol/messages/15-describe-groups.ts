/**
 * DescribeGroups (key 15), versions 0 to 6.
 *
 * Request:
 * - Versions 1 and 2 are the same as version 0.
 * - Starting in version 3, authorized operations can be requested.
 * - Starting in version 4, the response will include group.instance.id info for members.
 * - Version 5 is the first flexible version.
 * - Version 6 returns error code GROUP_ID_NOT_FOUND if the group ID is not found (KIP-1043).
 *
 * Response:
 * - Version 1 added throttle time.
 * - Starting in version 2, on quota violation, brokers send out responses before throttling.
 * - Starting in version 3, brokers can send authorized operations.
 * - Starting in version 4, the response will optionally include group.instance.id info for members.
 * - Version 5 is the first flexible version.
 * - Version 6 returns error code GROUP_ID_NOT_FOUND if the group ID is not found (KIP-1043). ProtocolData is
 *   currently only filled in if the group state is in the Stable state. N.B. If the group is in the Dead state, the
 *   members array will always be empty. This is currently only provided if the group is in the Stable state. This is
 *   currently only provided if the group is in the Stable state.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, bytes, int16, int32, nullableString, string, struct } from '../schema.ts'

export const describeGroups = defineApi({
  key: 15,
  name: 'DescribeGroups',
  versions: [0, 6],
  flexibleSince: 5,
  request: struct({
    /** The names of the groups to describe. */
    groups: array(string()),
    /** Whether to include authorized operations. */
    includeAuthorizedOperations: bool({ since: 3 }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    /** Each described group. */
    groups: array(
      struct({
        /** The describe error, or 0 if there was no error. */
        errorCode: int16(),
        /** The describe error message, or null if there was no error. */
        errorMessage: nullableString({ since: 6, default: null }),
        /** The group ID string. */
        groupId: string(),
        /** The group state string, or the empty string. */
        groupState: string(),
        /** The group protocol type, or the empty string. */
        protocolType: string(),
        /** The group protocol data, or the empty string. */
        protocolData: string(),
        /** The group members. */
        members: array(
          struct({
            /** The member id. */
            memberId: string(),
            /** The unique identifier of the consumer instance provided by end user. */
            groupInstanceId: nullableString({ since: 4, ignorable: true, default: null }),
            /** The client ID used in the member's latest join group request. */
            clientId: string(),
            /** The client host. */
            clientHost: string(),
            /** The metadata corresponding to the current group protocol in use. */
            memberMetadata: bytes(),
            /** The current assignment provided by the group leader. */
            memberAssignment: bytes(),
          }),
        ),
        /** 32-bit bitfield to represent authorized operations for this group. */
        authorizedOperations: int32({ since: 3, default: -2147483648 }),
      }),
    ),
  }),
})
