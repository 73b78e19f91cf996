/**
 * Fetch (key 1), versions 4 to 18.
 *
 * Request:
 * - Versions 0-3 were removed in Apache Kafka 4.0, Version 4 is the new baseline.
 * - Version 1 is the same as version 0. Starting in Version 2, the requester must be able to handle Kafka Log
 *   Message format version 1.
 * - Version 3 adds MaxBytes. Starting in version 3, the partition ordering in the request is now relevant.
 *   Partitions will be processed in the order they appear in the request.
 * - Version 4 adds IsolationLevel. Starting in version 4, the requestor must be able to handle Kafka log message
 *   format version 2.
 * - Version 5 adds LogStartOffset to indicate the earliest available offset of partition data that can be consumed.
 * - Version 6 is the same as version 5.
 * - Version 7 adds incremental fetch request support.
 * - Version 8 is the same as version 7.
 * - Version 9 adds CurrentLeaderEpoch, as described in KIP-320.
 * - Version 10 indicates that we can use the ZStd compression algorithm, as described in KIP-110.
 * - Version 12 adds flexible versions support as well as epoch validation through the `LastFetchedEpoch` field
 * - Version 13 replaces topic names with topic IDs (KIP-516). May return UNKNOWN_TOPIC_ID error code.
 * - Version 14 is the same as version 13 but it also receives a new error called
 *   OffsetMovedToTieredStorageException(KIP-405)
 * - Version 15 adds the ReplicaState which includes new field ReplicaEpoch and the ReplicaId. Also, deprecate the
 *   old ReplicaId field and set its default value to -1. (KIP-903)
 * - Version 16 is the same as version 15 (KIP-951).
 * - Version 17 adds directory id support from KIP-853
 * - Version 18 adds high-watermark from KIP-1166
 *
 * Response:
 * - Versions 0-3 were removed in Apache Kafka 4.0, Version 4 is the new baseline.
 * - Version 1 adds throttle time. Version 2 and 3 are the same as version 1.
 * - Version 4 adds features for transactional consumption.
 * - Version 5 adds LogStartOffset to indicate the earliest available offset of partition data that can be consumed.
 * - Starting in version 6, we may return KAFKA_STORAGE_ERROR as an error code.
 * - Version 7 adds incremental fetch request support.
 * - Starting in version 8, on quota violation, brokers send out responses before throttling.
 * - Version 9 is the same as version 8.
 * - Version 10 indicates that the response data can use the ZStd compression algorithm, as described in KIP-110.
 * - Version 12 adds support for flexible versions, epoch detection through the `TruncationOffset` field, and leader
 *   discovery through the `CurrentLeader` field
 * - Version 13 replaces the topic name field with topic ID (KIP-516).
 * - Version 14 is the same as version 13 but it also receives a new error called OffsetMovedToTieredStorageException
 *   (KIP-405)
 * - Version 15 is the same as version 14 (KIP-903).
 * - Version 16 adds the 'NodeEndpoints' field (KIP-951).
 * - Version 17 no changes to the response (KIP-853).
 * - Version 18 no changes to the response (KIP-1166)
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import {
  array,
  int16,
  int32,
  int64,
  int8,
  nullableArray,
  nullableString,
  records,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const fetch = defineApi({
  key: 1,
  name: 'Fetch',
  versions: [4, 18],
  flexibleSince: 12,
  request: struct({
    /** The clusterId if known. This is used to validate metadata fetches prior to broker registration. */
    clusterId: nullableString({ since: 12, tag: 0, ignorable: true, default: null }),
    /** The broker ID of the follower, of -1 if this request is from a consumer. */
    replicaId: int32({ until: 14, default: -1 }),
    /** The state of the replica in the follower. */
    replicaState: struct(
      {
        /** The replica ID of the follower, or -1 if this request is from a consumer. */
        replicaId: int32({ default: -1 }),
        /** The epoch of this follower, or -1 if not available. */
        replicaEpoch: int64({ default: -1 }),
      },
      { since: 15, tag: 1 },
    ),
    /** The maximum time in milliseconds to wait for the response. */
    maxWaitMs: int32(),
    /** The minimum bytes to accumulate in the response. */
    minBytes: int32(),
    /** The maximum bytes to fetch. See KIP-74 for cases where this limit may not be honored. */
    maxBytes: int32({ default: 2147483647 }),
    /**
     * This setting controls the visibility of transactional records. Using READ_UNCOMMITTED (isolation_level = 0)
     * makes all records visible. With READ_COMMITTED (isolation_level = 1), non-transactional and COMMITTED
     * transactional records are visible. To be more concrete, READ_COMMITTED returns all data from offsets smaller
     * than the current LSO (last stable offset), and enables the inclusion of the list of aborted transactions in the
     * result, which allows consumers to discard ABORTED transactional records.
     */
    isolationLevel: int8({ default: 0 }),
    /** The fetch session ID. */
    sessionId: int32({ since: 7, ignorable: true, default: 0 }),
    /** The fetch session epoch, which is used for ordering requests in a session. */
    sessionEpoch: int32({ since: 7, ignorable: true, default: -1 }),
    /** The topics to fetch. */
    topics: array(
      struct({
        /** The name of the topic to fetch. */
        topic: string({ until: 12, ignorable: true }),
        /** The unique topic ID. */
        topicId: uuid({ since: 13, ignorable: true }),
        /** The partitions to fetch. */
        partitions: array(
          struct({
            /** The partition index. */
            partition: int32(),
            /** The current leader epoch of the partition. */
            currentLeaderEpoch: int32({ since: 9, ignorable: true, default: -1 }),
            /** The message offset. */
            fetchOffset: int64(),
            /** The epoch of the last fetched record or -1 if there is none. */
            lastFetchedEpoch: int32({ since: 12, default: -1 }),
            /**
             * The earliest available offset of the follower replica. The field is only used when the request is sent by
             * the follower.
             */
            logStartOffset: int64({ since: 5, ignorable: true, default: -1 }),
            /** The maximum bytes to fetch from this partition. See KIP-74 for cases where this limit may not be honored. */
            partitionMaxBytes: int32(),
            /** The directory id of the follower fetching. */
            replicaDirectoryId: uuid({ since: 17, tag: 0, ignorable: true }),
            /**
             * The high-watermark known by the replica; -1 if it is not known. Kafka's default, 2^63 - 1 for "the feature is
             * not supported", is 2^53 - 1 here, as it is never sent.
             */
            highWatermark: int64({ since: 18, tag: 1, ignorable: true, default: Number.MAX_SAFE_INTEGER }),
          }),
        ),
      }),
    ),
    /** In an incremental fetch request, the partitions to remove. */
    forgottenTopicsData: array(
      struct({
        /** The topic name. */
        topic: string({ until: 12, ignorable: true }),
        /** The unique topic ID. */
        topicId: uuid({ since: 13, ignorable: true }),
        /** The partitions indexes to forget. */
        partitions: array(int32()),
      }),
      { since: 7 },
    ),
    /** Rack ID of the consumer making this request. */
    rackId: string({ since: 11, ignorable: true, default: '' }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The top level response error code. */
    errorCode: int16({ since: 7, ignorable: true }),
    /** The fetch session ID, or 0 if this is not part of a fetch session. */
    sessionId: int32({ since: 7, default: 0 }),
    /** The response topics. */
    responses: array(
      struct({
        /** The topic name. */
        topic: string({ until: 12, ignorable: true }),
        /** The unique topic ID. */
        topicId: uuid({ since: 13, ignorable: true }),
        /** The topic partitions. */
        partitions: array(
          struct({
            /** The partition index. */
            partitionIndex: int32(),
            /** The error code, or 0 if there was no fetch error. */
            errorCode: int16(),
            /** The current high water mark. */
            highWatermark: int64(),
            /**
             * The last stable offset (or LSO) of the partition. This is the last offset such that the state of all
             * transactional records prior to this offset have been decided (ABORTED or COMMITTED).
             */
            lastStableOffset: int64({ default: -1 }),
            /** The current log start offset. */
            logStartOffset: int64({ since: 5, ignorable: true, default: -1 }),
            /**
             * In case divergence is detected based on the `LastFetchedEpoch` and `FetchOffset` in the request, this field
             * indicates the largest epoch and its end offset such that subsequent records are known to diverge.
             */
            divergingEpoch: struct(
              {
                /** The largest epoch. */
                epoch: int32({ default: -1 }),
                /** The end offset of the epoch. */
                endOffset: int64({ default: -1 }),
              },
              { since: 12, tag: 0 },
            ),
            /** The current leader of the partition. */
            currentLeader: struct(
              {
                /** The ID of the current leader or -1 if the leader is unknown. */
                leaderId: int32({ default: -1 }),
                /** The latest known leader epoch. */
                leaderEpoch: int32({ default: -1 }),
              },
              { since: 12, tag: 1 },
            ),
            /**
             * In the case of fetching an offset less than the LogStartOffset, this is the end offset and epoch that should
             * be used in the FetchSnapshot request.
             */
            snapshotId: struct(
              {
                /** The end offset of the epoch. */
                endOffset: int64({ default: -1 }),
                /** The largest epoch. */
                epoch: int32({ default: -1 }),
              },
              { since: 12, tag: 2 },
            ),
            /** The aborted transactions. */
            abortedTransactions: nullableArray(
              struct({
                /** The producer id associated with the aborted transaction. */
                producerId: int64(),
                /** The first offset in the aborted transaction. */
                firstOffset: int64(),
              }),
            ),
            /** The preferred read replica for the consumer to use on its next fetch request. */
            preferredReadReplica: int32({ since: 11, default: -1 }),
            /** The record data. */
            records: records(),
          }),
        ),
      }),
    ),
    /**
     * Endpoints for all current-leaders enumerated in PartitionData, with errors NOT_LEADER_OR_FOLLOWER &
     * FENCED_LEADER_EPOCH.
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
      { since: 16, tag: 0 },
    ),
  }),
})
