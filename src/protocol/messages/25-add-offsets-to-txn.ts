/**
 * AddOffsetsToTxn (key 25), versions 0 to 4.
 *
 * Request:
 * - Version 1 is the same as version 0.
 * - Version 2 adds the support for new error code PRODUCER_FENCED.
 * - Version 3 enables flexible versions.
 * - Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 *
 * Response:
 * - Starting in version 1, on quota violation brokers send out responses before throttling.
 * - Version 2 adds the support for new error code PRODUCER_FENCED.
 * - Version 3 enables flexible versions.
 * - Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { int16, int32, int64, string, struct } from '../schema.ts'

export const addOffsetsToTxn = defineApi({
  key: 25,
  name: 'AddOffsetsToTxn',
  versions: [0, 4],
  flexibleSince: 3,
  request: struct({
    /** The transactional id corresponding to the transaction. */
    transactionalId: string(),
    /** Current producer id in use by the transactional id. */
    producerId: int64(),
    /** Current epoch associated with the producer id. */
    producerEpoch: int16(),
    /** The unique group identifier. */
    groupId: string(),
  }),
  response: struct({
    /**
     * Duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request
     * did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The response error code, or 0 if there was no error. */
    errorCode: int16(),
  }),
})
