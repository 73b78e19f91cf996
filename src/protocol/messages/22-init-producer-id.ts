/**
 * InitProducerId (key 22), versions 0 to 5.
 *
 * Request:
 * - Version 1 is the same as version 0.
 * - Version 2 is the first flexible version.
 * - Version 3 adds ProducerId and ProducerEpoch, allowing producers to try to resume after an INVALID_PRODUCER_EPOCH
 *   error
 * - Version 4 adds the support for new error code PRODUCER_FENCED.
 * - Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * - Version 6 adds support for 2PC (KIP-939).
 *
 * Response:
 * - Starting in version 1, on quota violation, brokers send out responses before throttling.
 * - Version 2 is the first flexible version.
 * - Version 3 is the same as version 2.
 * - Version 4 adds the support for new error code PRODUCER_FENCED.
 * - Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * - Version 6 adds support for 2PC (KIP-939).
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { int16, int32, int64, nullableString, struct } from '../schema.ts'

export const initProducerId = defineApi({
  key: 22,
  name: 'InitProducerId',
  versions: [0, 5],
  flexibleSince: 2,
  request: struct({
    /** The transactional id, or null if the producer is not transactional. */
    transactionalId: nullableString(),
    /**
     * The time in ms to wait before aborting idle transactions sent by this producer. This is only relevant if a
     * TransactionalId has been defined.
     */
    transactionTimeoutMs: int32(),
    /**
     * The producer id. This is used to disambiguate requests if a transactional id is reused following its expiration.
     */
    producerId: int64({ since: 3, default: -1 }),
    /**
     * The producer's current epoch. This will be checked against the producer epoch on the broker, and the request
     * will return an error if they do not match.
     */
    producerEpoch: int16({ since: 3, default: -1 }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The error code, or 0 if there was no error. */
    errorCode: int16(),
    /** The current producer id. */
    producerId: int64({ default: -1 }),
    /** The current epoch associated with the producer id. */
    producerEpoch: int16(),
  }),
})
