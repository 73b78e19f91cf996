/**
 * ConsumerGroupDescribe (key 69), versions 0 to 1.
 *
 * Request:
 * - Version 0 describes groups of the consumer protocol (KIP-848).
 * - Version 1 adds the member type to the response (KIP-1099).
 *
 * Response:
 * - Version 1 adds MemberType field (KIP-1099). For ConsumerGroupDescribeRequest, the member type is classic for
 *   members that still speak the classic protocol in a group that is being migrated. Supported errors: -
 *   GROUP_AUTHORIZATION_FAILED (version 0+) - NOT_COORDINATOR (version 0+) - COORDINATOR_NOT_AVAILABLE (version 0+) -
 *   COORDINATOR_LOAD_IN_PROGRESS (version 0+) - INVALID_REQUEST (version 0+) - INVALID_GROUP_ID (version 0+) -
 *   GROUP_ID_NOT_FOUND (version 0+) - TOPIC_AUTHORIZATION_FAILED (version 1+)
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, int16, int32, int8, nullableString, string, struct, uuid } from '../schema.ts'

const assignment = () =>
  struct({
    /** The assigned topic-partitions to the member. */
    topicPartitions: array(
      struct({
        /** The topic ID. */
        topicId: uuid(),
        /** The topic name. */
        topicName: string(),
        /** The partitions. */
        partitions: array(int32()),
      }),
    ),
  })

export const consumerGroupDescribe = defineApi({
  key: 69,
  name: 'ConsumerGroupDescribe',
  versions: [0, 1],
  flexibleSince: 0,
  request: struct({
    /** The ids of the groups to describe. */
    groupIds: array(string()),
    /** Whether to include authorized operations. */
    includeAuthorizedOperations: bool(),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** Each described group. */
    groups: array(
      struct({
        /** The describe error, or 0 if there was no error. */
        errorCode: int16(),
        /** The top-level error message, or null if there was no error. */
        errorMessage: nullableString({ default: null }),
        /** The group ID string. */
        groupId: string(),
        /** The group state string, or the empty string. */
        groupState: string(),
        /** The group epoch. */
        groupEpoch: int32(),
        /** The assignment epoch. */
        assignmentEpoch: int32(),
        /** The selected assignor. */
        assignorName: string(),
        /** The members. */
        members: array(
          struct({
            /** The member ID. */
            memberId: string(),
            /** The member instance ID. */
            instanceId: nullableString({ default: null }),
            /** The member rack ID. */
            rackId: nullableString({ default: null }),
            /** The current member epoch. */
            memberEpoch: int32(),
            /** The client ID. */
            clientId: string(),
            /** The client host. */
            clientHost: string(),
            /** The subscribed topic names. */
            subscribedTopicNames: array(string()),
            /** the subscribed topic regex otherwise or null of not provided. */
            subscribedTopicRegex: nullableString({ default: null }),
            /** The current assignment. */
            assignment: assignment(),
            /** The target assignment. */
            targetAssignment: assignment(),
            /** -1 for unknown. 0 for classic member. +1 for consumer member. */
            memberType: int8({ since: 1, ignorable: true, default: -1 }),
          }),
        ),
        /** 32-bit bitfield to represent authorized operations for this group. */
        authorizedOperations: int32({ default: -2147483648 }),
      }),
    ),
  }),
})
