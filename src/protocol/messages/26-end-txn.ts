/**
 * EndTxn (key 26), versions 0 to 5.
 *
 * Request:
 * - Version 1 is the same as version 0.
 * - Version 2 adds the support for new error code PRODUCER_FENCED.
 * - Version 3 enables flexible versions.
 * - Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * - Version 5 enables bumping epoch on every transaction (KIP-890 Part 2)
 *
 * Response:
 * - Starting in version 1, on quota violation, brokers send out responses before throttling.
 * - Version 2 adds the support for new error code PRODUCER_FENCED.
 * - Version 3 enables flexible versions.
 * - Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * - Version 5 enables bumping epoch on every transaction (KIP-890 Part 2), so producer ID and epoch are included in
 *   the response.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { bool, int16, int32, int64, string, struct } from '../schema.ts'

export const endTxn = defineApi({
  key: 26,
  name: 'EndTxn',
  versions: [0, 5],
  flexibleSince: 3,
  request: struct({
    /** The ID of the transaction to end. */
    transactionalId: string(),
    /** The producer ID. */
    producerId: int64(),
    /** The current epoch associated with the producer. */
    producerEpoch: int16(),
    /** True if the transaction was committed, false if it was aborted. */
    committed: bool(),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The error code, or 0 if there was no error. */
    errorCode: int16(),
    /** The producer ID. */
    producerId: int64({ since: 5, ignorable: true, default: -1 }),
    /** The current epoch associated with the producer. */
    producerEpoch: int16({ since: 5, ignorable: true, default: -1 }),
  }),
})
