/**
 * Records of `__transaction_state`.
 *
 * Source: Apache Kafka, transaction-coordinator/src/main/resources/common/message (Apache-2.0).
 */
import { defineStored } from '../api.ts'
import { array, int16, int32, int64, int8, nullableArray, string, struct } from '../schema.ts'

export const transactionLogKey = defineStored({
  name: 'TransactionLogKey',
  versions: [0, 0],
  flexibleSince: Number.POSITIVE_INFINITY,
  value: struct({
    transactionalId: string(),
  }),
})

export const transactionLogValue = defineStored({
  name: 'TransactionLogValue',
  versions: [0, 1],
  flexibleSince: 1,
  value: struct({
    /** Producer id in use by the transactional id. */
    producerId: int64(),
    /** Producer id used by the last committed transaction. */
    previousProducerId: int64({ since: 1, tag: 0, ignorable: true, default: -1 }),
    /** Latest producer ID sent to the producer for the given transactional ID. */
    nextProducerId: int64({ since: 1, tag: 1, ignorable: true, default: -1 }),
    /** Epoch associated with the producer id. */
    producerEpoch: int16(),
    /** Transaction timeout in milliseconds. */
    transactionTimeoutMs: int32(),
    /** TransactionState the transaction is in. */
    transactionStatus: int8(),
    /** Set of partitions involved in the transaction. */
    transactionPartitions: nullableArray(
      struct({
        topic: string(),
        partitionIds: array(int32()),
      }),
    ),
    /** Time the transaction was last updated. */
    transactionLastUpdateTimestampMs: int64(),
    /** Time the transaction was started. */
    transactionStartTimestampMs: int64(),
    /** The transaction version used by the client. */
    clientTransactionVersion: int16({ since: 1, tag: 2, ignorable: true, default: 0 }),
    /** Producer epoch associated with the next producer id. */
    nextProducerEpoch: int16({ since: 1, tag: 3, ignorable: true, default: -1 }),
  }),
})
