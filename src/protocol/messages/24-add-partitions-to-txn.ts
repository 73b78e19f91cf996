/**
 * AddPartitionsToTxn (key 24), versions 0 to 5.
 *
 * Request:
 * - Version 1 is the same as version 0.
 * - Version 2 adds the support for new error code PRODUCER_FENCED.
 * - Version 3 enables flexible versions.
 * - Version 4 adds VerifyOnly field to check if partitions are already in transaction and adds support to batch
 *   multiple transactions.
 * - Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * - Versions 3 and below will be exclusively used by clients and versions 4 and above will be used by brokers.
 *
 * Response:
 * - Starting in version 1, on quota violation brokers send out responses before throttling.
 * - Version 2 adds the support for new error code PRODUCER_FENCED.
 * - Version 3 enables flexible versions.
 * - Version 4 adds support to batch multiple transactions and a top level error code.
 * - Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, int16, int32, int64, string, struct } from '../schema.ts'

export const addPartitionsToTxn = defineApi({
  key: 24,
  name: 'AddPartitionsToTxn',
  versions: [0, 5],
  flexibleSince: 3,
  request: struct({
    /** List of transactions to add partitions to. */
    transactions: array(
      struct({
        /** The transactional id corresponding to the transaction. */
        transactionalId: string(),
        /** Current producer id in use by the transactional id. */
        producerId: int64(),
        /** Current epoch associated with the producer id. */
        producerEpoch: int16(),
        /** Boolean to signify if we want to check if the partition is in the transaction rather than add it. */
        verifyOnly: bool({ default: false }),
        /** The partitions to add to the transaction. */
        topics: array(
          struct({
            /** The name of the topic. */
            name: string(),
            /** The partition indexes to add to the transaction. */
            partitions: array(int32()),
          }),
        ),
      }),
      { since: 4 },
    ),
    /** The transactional id corresponding to the transaction. */
    v3AndBelowTransactionalId: string({ until: 3 }),
    /** Current producer id in use by the transactional id. */
    v3AndBelowProducerId: int64({ until: 3 }),
    /** Current epoch associated with the producer id. */
    v3AndBelowProducerEpoch: int16({ until: 3 }),
    /** The partitions to add to the transaction. */
    v3AndBelowTopics: array(
      struct({
        /** The name of the topic. */
        name: string(),
        /** The partition indexes to add to the transaction. */
        partitions: array(int32()),
      }),
      { until: 3 },
    ),
  }),
  response: struct({
    /**
     * Duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request
     * did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The response top level error code. */
    errorCode: int16({ since: 4, ignorable: true }),
    /** Results categorized by transactional ID. */
    resultsByTransaction: array(
      struct({
        /** The transactional id corresponding to the transaction. */
        transactionalId: string(),
        /** The results for each topic. */
        topicResults: array(
          struct({
            /** The topic name. */
            name: string(),
            /** The results for each partition. */
            resultsByPartition: array(
              struct({
                /** The partition indexes. */
                partitionIndex: int32(),
                /** The response error code. */
                partitionErrorCode: int16(),
              }),
            ),
          }),
        ),
      }),
      { since: 4 },
    ),
    /** The results for each topic. */
    resultsByTopicV3AndBelow: array(
      struct({
        /** The topic name. */
        name: string(),
        /** The results for each partition. */
        resultsByPartition: array(
          struct({
            /** The partition indexes. */
            partitionIndex: int32(),
            /** The response error code. */
            partitionErrorCode: int16(),
          }),
        ),
      }),
      { until: 3 },
    ),
  }),
})
