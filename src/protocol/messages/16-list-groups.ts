/**
 * ListGroups (key 16), versions 0 to 5.
 *
 * Request:
 * - Version 1 and 2 are the same as version 0.
 * - Version 3 is the first flexible version.
 * - Version 4 adds the StatesFilter field (KIP-518).
 * - Version 5 adds the TypesFilter field (KIP-848).
 *
 * Response:
 * - Version 1 adds the throttle time.
 * - Starting in version 2, on quota violation, brokers send out responses before throttling.
 * - Version 3 is the first flexible version.
 * - Version 4 adds the GroupState field (KIP-518).
 * - Version 5 adds the GroupType field (KIP-848).
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, int32, string, struct } from '../schema.ts'

export const listGroups = defineApi({
  key: 16,
  name: 'ListGroups',
  versions: [0, 5],
  flexibleSince: 3,
  request: struct({
    /** The states of the groups we want to list. If empty, all groups are returned with their state. */
    statesFilter: array(string(), { since: 4 }),
    /** The types of the groups we want to list. If empty, all groups are returned with their type. */
    typesFilter: array(string(), { since: 5 }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    /** The error code, or 0 if there was no error. */
    errorCode: int16(),
    /** Each group in the response. */
    groups: array(
      struct({
        /** The group ID. */
        groupId: string(),
        /** The group protocol type. */
        protocolType: string(),
        /** The group state name. */
        groupState: string({ since: 4, ignorable: true }),
        /** The group type name. */
        groupType: string({ since: 5, ignorable: true }),
      }),
    ),
  }),
})
