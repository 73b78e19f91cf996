/**
 * Produce (key 0), versions 3 to 13.
 *
 * Request:
 * - Versions 0-2 were removed in Apache Kafka 4.0, version 3 is the new baseline. Due to a bug in librdkafka, these
 *   versions have to be included in the api versions response (see KAFKA-18659), but are rejected otherwise. See
 *   `ApiKeys.PRODUCE_API_VERSIONS_RESPONSE_MIN_VERSION` for more details.
 * - Version 1 and 2 are the same as version 0.
 * - Version 3 adds the transactional ID, which is used for authorization when attempting to write transactional
 *   data. Version 3 also adds support for Kafka Message Format v2.
 * - Version 4 is the same as version 3, but the requester must be prepared to handle a KAFKA_STORAGE_ERROR.
 * - Version 5 and 6 are the same as version 3.
 * - Starting in version 7, records can be produced using ZStandard compression. See KIP-110.
 * - Starting in Version 8, response has RecordErrors and ErrorMessage. See KIP-467.
 * - Version 9 enables flexible versions.
 * - Version 10 is the same as version 9 (KIP-951).
 * - Version 11 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * - Version 12 is the same as version 11 (KIP-890). Note when produce requests are used in transaction, if
 *   transaction V2 (KIP_890 part 2) is enabled, the produce request will also include the function for a
 *   AddPartitionsToTxn call. If V2 is disabled, the client can't use produce request version higher than 11 within a
 *   transaction.
 * - Version 13 replaces topic names with topic IDs (KIP-516). May return UNKNOWN_TOPIC_ID error code.
 *
 * Response:
 * - Versions 0-2 were removed in Apache Kafka 4.0, version 3 is the new baseline. Due to a bug in librdkafka, these
 *   versions have to be included in the api versions response (see KAFKA-18659), but are rejected otherwise. See
 *   `ApiKeys.PRODUCE_API_VERSIONS_RESPONSE_MIN_VERSION` for more details.
 * - Version 1 added the throttle time.
 * - Version 2 added the log append time.
 * - Version 3 is the same as version 2.
 * - Version 4 added KAFKA_STORAGE_ERROR as a possible error code.
 * - Version 5 added LogStartOffset to filter out spurious OutOfOrderSequenceExceptions on the client.
 * - Version 8 added RecordErrors and ErrorMessage to include information about records that cause the whole batch to
 *   be dropped. See KIP-467 for details.
 * - Version 9 enables flexible versions.
 * - Version 10 adds 'CurrentLeader' and 'NodeEndpoints' as tagged fields (KIP-951)
 * - Version 11 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * - Version 12 is the same as version 10 (KIP-890).
 * - Version 13 replaces topic names with topic IDs (KIP-516). May return UNKNOWN_TOPIC_ID error code.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, int32, int64, nullableString, records, string, struct, uuid } from '../schema.ts'

export const produce = defineApi({
  key: 0,
  name: 'Produce',
  versions: [3, 13],
  flexibleSince: 9,
  request: struct({
    /** The transactional ID, or null if the producer is not transactional. */
    transactionalId: nullableString({ default: null }),
    /**
     * The number of acknowledgments the producer requires the leader to have received before considering a request
     * complete. Allowed values: 0 for no acknowledgments, 1 for only the leader and -1 for the full ISR.
     */
    acks: int16(),
    /** The timeout to await a response in milliseconds. */
    timeoutMs: int32(),
    /** Each topic to produce to. */
    topicData: array(
      struct({
        /** The topic name. */
        name: string({ until: 12, ignorable: true }),
        /** The unique topic ID. */
        topicId: uuid({ since: 13, ignorable: true }),
        /** Each partition to produce to. */
        partitionData: array(
          struct({
            /** The partition index. */
            index: int32(),
            /** The record data to be produced. */
            records: records(),
          }),
        ),
      }),
    ),
  }),
  response: struct({
    /** Each produce response. */
    responses: array(
      struct({
        /** The topic name. */
        name: string({ until: 12, ignorable: true }),
        /** The unique topic ID. */
        topicId: uuid({ since: 13, ignorable: true }),
        /** Each partition that we produced to within the topic. */
        partitionResponses: array(
          struct({
            /** The partition index. */
            index: int32(),
            /** The error code, or 0 if there was no error. */
            errorCode: int16(),
            /** The base offset. */
            baseOffset: int64(),
            /**
             * The timestamp returned by broker after appending the messages. If CreateTime is used for the topic, the
             * timestamp will be -1. If LogAppendTime is used for the topic, the timestamp will be the broker local time
             * when the messages are appended.
             */
            logAppendTimeMs: int64({ default: -1 }),
            /** The log start offset. */
            logStartOffset: int64({ since: 5, ignorable: true, default: -1 }),
            /** The batch indices of records that caused the batch to be dropped. */
            recordErrors: array(
              struct({
                /** The batch index of the record that caused the batch to be dropped. */
                batchIndex: int32(),
                /** The error message of the record that caused the batch to be dropped. */
                batchIndexErrorMessage: nullableString({ default: null }),
              }),
              { since: 8, ignorable: true },
            ),
            /**
             * The global error message summarizing the common root cause of the records that caused the batch to be
             * dropped.
             */
            errorMessage: nullableString({ since: 8, ignorable: true, default: null }),
            /** The leader broker that the producer should use for future requests. */
            currentLeader: struct(
              {
                /** The ID of the current leader or -1 if the leader is unknown. */
                leaderId: int32({ default: -1 }),
                /** The latest known leader epoch. */
                leaderEpoch: int32({ default: -1 }),
              },
              { since: 10, tag: 0 },
            ),
          }),
        ),
      }),
    ),
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ default: 0 }),
    /**
     * Endpoints for all current-leaders enumerated in PartitionProduceResponses, with errors NOT_LEADER_OR_FOLLOWER.
     */
    nodeEndpoints: array(
      struct({
        /** The ID of the associated node. */
        nodeId: int32(),
        /** The node's hostname. */
        host: string(),
        /** The node's port. */
        port: int32(),
        /** The rack of the node, or null if it has not been assigned to a rack. */
        rack: nullableString({ default: null }),
      }),
      { since: 10, tag: 0 },
    ),
  }),
})
