/**
 * SaslAuthenticate (key 36), versions 0 to 2.
 *
 * Request:
 * - Version 1 is the same as version 0.
 * - Version 2 adds flexible version support
 *
 * Response:
 * - Version 1 adds the session lifetime.
 * - Version 2 adds flexible version support
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { bytes, int16, int64, nullableString, struct } from '../schema.ts'

export const saslAuthenticate = defineApi({
  key: 36,
  name: 'SaslAuthenticate',
  versions: [0, 2],
  flexibleSince: 2,
  request: struct({
    /** The SASL authentication bytes from the client, as defined by the SASL mechanism. */
    authBytes: bytes(),
  }),
  response: struct({
    /** The error code, or 0 if there was no error. */
    errorCode: int16(),
    /** The error message, or null if there was no error. */
    errorMessage: nullableString(),
    /** The SASL authentication bytes from the server, as defined by the SASL mechanism. */
    authBytes: bytes(),
    /**
     * Number of milliseconds after which only re-authentication over the existing connection to create a new session
     * can occur.
     */
    sessionLifetimeMs: int64({ since: 1, ignorable: true, default: 0 }),
  }),
})
