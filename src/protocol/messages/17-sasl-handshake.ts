/**
 * SaslHandshake (key 17), versions 0 to 1.
 *
 * Request:
 * - Version 1 supports SASL_AUTHENTICATE. NOTE: Version cannot be easily bumped due to incorrect client negotiation
 *   for clients <= 2.4. See https://issues.apache.org/jira/browse/KAFKA-9577
 *
 * Response:
 * - Version 1 is the same as version 0. NOTE: Version cannot be easily bumped due to incorrect client negotiation
 *   for clients <= 2.4. See https://issues.apache.org/jira/browse/KAFKA-9577
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, string, struct } from '../schema.ts'

export const saslHandshake = defineApi({
  key: 17,
  name: 'SaslHandshake',
  versions: [0, 1],
  flexibleSince: Number.POSITIVE_INFINITY,
  request: struct({
    /** The SASL mechanism chosen by the client. */
    mechanism: string(),
  }),
  response: struct({
    /** The error code, or 0 if there was no error. */
    errorCode: int16(),
    /** The mechanisms enabled in the server. */
    mechanisms: array(string()),
  }),
})
