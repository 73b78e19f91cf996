/**
 * FindCoordinator (key 10), versions 0 to 6.
 *
 * Request:
 * - Version 1 adds KeyType.
 * - Version 2 is the same as version 1.
 * - Version 3 is the first flexible version.
 * - Version 4 adds support for batching via CoordinatorKeys (KIP-699)
 * - Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * - Version 6 adds support for share groups (KIP-932). For key type SHARE (2), the coordinator key format is
 *   "groupId:topicId:partition".
 *
 * Response:
 * - Version 1 adds throttle time and error messages.
 * - Starting in version 2, on quota violation, brokers send out responses before throttling.
 * - Version 3 is the first flexible version.
 * - Version 4 adds support for batching via Coordinators (KIP-699)
 * - Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * - Version 6 adds support for share groups (KIP-932).
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, int32, int8, nullableString, string, struct } from '../schema.ts'

export const findCoordinator = defineApi({
  key: 10,
  name: 'FindCoordinator',
  versions: [0, 6],
  flexibleSince: 3,
  request: struct({
    /** The coordinator key. */
    key: string({ until: 3 }),
    /** The coordinator key type. (group, transaction, share). */
    keyType: int8({ since: 1, default: 0 }),
    /** The coordinator keys. */
    coordinatorKeys: array(string(), { since: 4 }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    /** The error code, or 0 if there was no error. */
    errorCode: int16({ until: 3 }),
    /** The error message, or null if there was no error. */
    errorMessage: nullableString({ since: 1, until: 3, ignorable: true }),
    /** The node id. */
    nodeId: int32({ until: 3 }),
    /** The host name. */
    host: string({ until: 3 }),
    /** The port. */
    port: int32({ until: 3 }),
    /** Each coordinator result in the response. */
    coordinators: array(
      struct({
        /** The coordinator key. */
        key: string(),
        /** The node id. */
        nodeId: int32(),
        /** The host name. */
        host: string(),
        /** The port. */
        port: int32(),
        /** The error code, or 0 if there was no error. */
        errorCode: int16(),
        /** The error message, or null if there was no error. */
        errorMessage: nullableString(),
      }),
      { since: 4 },
    ),
  }),
})
