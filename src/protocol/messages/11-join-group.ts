/**
 * JoinGroup (key 11), versions 0 to 9.
 *
 * Request:
 * - Version 1 adds RebalanceTimeoutMs. Version 2 and 3 are the same as version 1.
 * - Starting from version 4, the client needs to issue a second request to join group
 * - Starting from version 5, we add a new field called groupInstanceId to indicate member identity across restarts.
 *   with assigned id.
 * - Version 6 is the first flexible version.
 * - Version 7 is the same as version 6.
 * - Version 8 adds the Reason field (KIP-800).
 * - Version 9 is the same as version 8. Note: if RebalanceTimeoutMs is not present, SessionTimeoutMs should be used
 *   instead. The default of -1 here is just intended as a placeholder.
 *
 * Response:
 * - Version 1 is the same as version 0.
 * - Version 2 adds throttle time.
 * - Starting in version 3, on quota violation, brokers send out responses before throttling.
 * - Starting in version 4, the client needs to issue a second request to join group with assigned id.
 * - Version 5 is bumped to apply group.instance.id to identify member across restarts.
 * - Version 6 is the first flexible version.
 * - Starting from version 7, the broker sends back the Protocol Type to the client (KIP-559).
 * - Version 8 is the same as version 7.
 * - Version 9 adds the SkipAssignment field.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, bytes, int16, int32, nullableString, string, struct } from '../schema.ts'

export const joinGroup = defineApi({
  key: 11,
  name: 'JoinGroup',
  versions: [0, 9],
  flexibleSince: 6,
  request: struct({
    /** The group identifier. */
    groupId: string(),
    /** The coordinator considers the consumer dead if it receives no heartbeat after this timeout in milliseconds. */
    sessionTimeoutMs: int32(),
    /**
     * The maximum time in milliseconds that the coordinator will wait for each member to rejoin when rebalancing the
     * group.
     */
    rebalanceTimeoutMs: int32({ since: 1, ignorable: true, default: -1 }),
    /** The member id assigned by the group coordinator. */
    memberId: string(),
    /** The unique identifier of the consumer instance provided by end user. */
    groupInstanceId: nullableString({ since: 5, default: null }),
    /** The unique name the for class of protocols implemented by the group we want to join. */
    protocolType: string(),
    /** The list of protocols that the member supports. */
    protocols: array(
      struct({
        /** The protocol name. */
        name: string(),
        /** The protocol metadata. */
        metadata: bytes(),
      }),
    ),
    /** The reason why the member (re-)joins the group. */
    reason: nullableString({ since: 8, ignorable: true, default: null }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ since: 2, ignorable: true }),
    /** The error code, or 0 if there was no error. */
    errorCode: int16(),
    /** The generation ID of the group. */
    generationId: int32({ default: -1 }),
    /** The group protocol name. */
    protocolType: nullableString({ since: 7, ignorable: true, default: null }),
    /** The group protocol selected by the coordinator. */
    protocolName: nullableString({ nullableSince: 7 }),
    /** The leader of the group. */
    leader: string(),
    /** True if the leader must skip running the assignment. */
    skipAssignment: bool({ since: 9, default: false }),
    /** The member ID assigned by the group coordinator. */
    memberId: string(),
    /** The group members. */
    members: array(
      struct({
        /** The group member ID. */
        memberId: string(),
        /** The unique identifier of the consumer instance provided by end user. */
        groupInstanceId: nullableString({ since: 5, ignorable: true, default: null }),
        /** The group member metadata. */
        metadata: bytes(),
      }),
    ),
  }),
})
