/**
 * DeleteTopics (key 20), versions 1 to 6.
 *
 * Request:
 * - Version 0 was removed in Apache Kafka 4.0, Version 1 is the new baseline.
 * - Versions 0, 1, 2, and 3 are the same.
 * - Version 4 is the first flexible version.
 * - Version 5 adds ErrorMessage in the response and may return a THROTTLING_QUOTA_EXCEEDED error in the response if
 *   the topics deletion is throttled (KIP-599).
 * - Version 6 reorganizes topics, adds topic IDs and allows topic names to be null.
 *
 * Response:
 * - Version 0 was removed in Apache Kafka 4.0, Version 1 is the new baseline.
 * - Version 1 adds the throttle time.
 * - Starting in version 2, on quota violation, brokers send out responses before throttling.
 * - Starting in version 3, a TOPIC_DELETION_DISABLED error code may be returned.
 * - Version 4 is the first flexible version.
 * - Version 5 adds ErrorMessage in the response and may return a THROTTLING_QUOTA_EXCEEDED error in the response if
 *   the topics deletion is throttled (KIP-599).
 * - Version 6 adds topic ID to responses. An UNSUPPORTED_VERSION error code will be returned when attempting to
 *   delete using topic IDs when IBP < 2.8. UNKNOWN_TOPIC_ID error code will be returned when IBP is at least 2.8,
 *   but the topic ID was not found.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, int32, nullableString, string, struct, uuid } from '../schema.ts'

export const deleteTopics = defineApi({
  key: 20,
  name: 'DeleteTopics',
  versions: [1, 6],
  flexibleSince: 4,
  request: struct({
    /** The name or topic ID of the topic. */
    topics: array(
      struct({
        /** The topic name. */
        name: nullableString({ default: null }),
        /** The unique topic ID. */
        topicId: uuid(),
      }),
      { since: 6 },
    ),
    /** The names of the topics to delete. */
    topicNames: array(string(), { until: 5, ignorable: true }),
    /** The length of time in milliseconds to wait for the deletions to complete. */
    timeoutMs: int32(),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The results for each topic we tried to delete. */
    responses: array(
      struct({
        /** The topic name. */
        name: nullableString({ nullableSince: 6 }),
        /** The unique topic ID. */
        topicId: uuid({ since: 6, ignorable: true }),
        /** The deletion error, or 0 if the deletion succeeded. */
        errorCode: int16(),
        /** The error message, or null if there was no error. */
        errorMessage: nullableString({ since: 5, ignorable: true, default: null }),
      }),
    ),
  }),
})
