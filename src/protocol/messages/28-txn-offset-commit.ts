/**
 * TxnOffsetCommit (key 28), versions 0 to 5.
 *
 * Request:
 * - Version 1 is the same as version 0.
 * - Version 2 adds the committed leader epoch.
 * - Version 3 adds the member.id, group.instance.id and generation.id.
 * - Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * - Version 5 is the same as version 4 (KIP-890). Note when TxnOffsetCommit requests are used in transaction, if
 *   transaction V2 (KIP_890 part 2) is enabled, the TxnOffsetCommit request will also include the function for a
 *   AddOffsetsToTxn call. If V2 is disabled, the client can't use TxnOffsetCommit request version higher than 4
 *   within a transaction.
 *
 * Response:
 * - Starting in version 1, on quota violation, brokers send out responses before throttling.
 * - Version 2 is the same as version 1.
 * - Version 3 adds illegal generation, fenced instance id, and unknown member id errors.
 * - Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * - Version 5 is the same with version 3 (KIP-890).
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, int16, int32, int64, nullableString, string, struct } from '../schema.ts'

export const txnOffsetCommit = defineApi({
  key: 28,
  name: 'TxnOffsetCommit',
  versions: [0, 5],
  flexibleSince: 3,
  request: struct({
    /** The ID of the transaction. */
    transactionalId: string(),
    /** The ID of the group. */
    groupId: string(),
    /** The current producer ID in use by the transactional ID. */
    producerId: int64(),
    /** The current epoch associated with the producer ID. */
    producerEpoch: int16(),
    /** The generation of the consumer. */
    generationId: int32({ since: 3, default: -1 }),
    /** The member ID assigned by the group coordinator. */
    memberId: string({ since: 3, default: '' }),
    /** The unique identifier of the consumer instance provided by end user. */
    groupInstanceId: nullableString({ since: 3, default: null }),
    /** Each topic that we want to commit offsets for. */
    topics: array(
      struct({
        /** The topic name. */
        name: string(),
        /** The partitions inside the topic that we want to commit offsets for. */
        partitions: array(
          struct({
            /** The index of the partition within the topic. */
            partitionIndex: int32(),
            /** The message offset to be committed. */
            committedOffset: int64(),
            /** The leader epoch of the last consumed record. */
            committedLeaderEpoch: int32({ since: 2, ignorable: true, default: -1 }),
            /** Any associated metadata the client wants to keep. */
            committedMetadata: nullableString(),
          }),
        ),
      }),
    ),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The responses for each topic. */
    topics: array(
      struct({
        /** The topic name. */
        name: string(),
        /** The responses for each partition in the topic. */
        partitions: array(
          struct({
            /** The partition index. */
            partitionIndex: int32(),
            /** The error code, or 0 if there was no error. */
            errorCode: int16(),
          }),
        ),
      }),
    ),
  }),
})
