/**
 * Metadata (key 3), versions 0 to 13.
 *
 * Request:
 * - In version 0, an empty array indicates "request metadata for all topics." In version 1 and higher, an empty
 *   array indicates "request metadata for no topics," and a null array is used to indicate "request metadata for all
 *   topics."
 * - Version 2 and 3 are the same as version 1.
 * - Version 4 adds AllowAutoTopicCreation.
 * - Starting in version 8, authorized operations can be requested for cluster and topic resource.
 * - Version 9 is the first flexible version.
 * - Version 10 adds topicId and allows name field to be null. However, this functionality was not implemented on the
 *   server.
 * - Versions 10 and 11 should not use the topicId field or set topic name to null.
 * - Version 11 deprecates IncludeClusterAuthorizedOperations field. This is now exposed by the DescribeCluster API
 *   (KIP-700).
 * - Version 12 supports topic Id.
 * - Version 13 supports top-level error code in the response.
 *
 * Response:
 * - Version 1 adds fields for the rack of each broker, the controller id, and whether or not the topic is internal.
 * - Version 2 adds the cluster ID field.
 * - Version 3 adds the throttle time.
 * - Version 4 is the same as version 3.
 * - Version 5 adds a per-partition offline_replicas field. This field specifies the list of replicas that are
 *   offline.
 * - Starting in version 6, on quota violation, brokers send out responses before throttling.
 * - Version 7 adds the leader epoch to the partition metadata.
 * - Starting in version 8, brokers can send authorized operations for topic and cluster.
 * - Version 9 is the first flexible version.
 * - Version 10 adds topicId.
 * - Version 11 deprecates ClusterAuthorizedOperations. This is now exposed by the DescribeCluster API (KIP-700).
 * - Version 12 supports topicId.
 * - Version 13 supports top-level error code in the response.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, int16, int32, nullableArray, nullableString, string, struct, uuid } from '../schema.ts'

export const metadata = defineApi({
  key: 3,
  name: 'Metadata',
  versions: [0, 13],
  flexibleSince: 9,
  request: struct({
    /** The topics to fetch metadata for. */
    topics: nullableArray(
      struct({
        /** The topic id. */
        topicId: uuid({ since: 10, ignorable: true }),
        /** The topic name. */
        name: nullableString({ nullableSince: 10 }),
      }),
      { nullableSince: 1 },
    ),
    /**
     * If this is true, the broker may auto-create topics that we requested which do not already exist, if it is
     * configured to do so.
     */
    allowAutoTopicCreation: bool({ since: 4, default: true }),
    /** Whether to include cluster authorized operations. */
    includeClusterAuthorizedOperations: bool({ since: 8, until: 10 }),
    /** Whether to include topic authorized operations. */
    includeTopicAuthorizedOperations: bool({ since: 8 }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ since: 3, ignorable: true }),
    /** A list of brokers present in the cluster. */
    brokers: array(
      struct({
        /** The broker ID. */
        nodeId: int32(),
        /** The broker hostname. */
        host: string(),
        /** The broker port. */
        port: int32(),
        /** The rack of the broker, or null if it has not been assigned to a rack. */
        rack: nullableString({ since: 1, ignorable: true, default: null }),
      }),
    ),
    /** The cluster ID that responding broker belongs to. */
    clusterId: nullableString({ since: 2, ignorable: true, default: null }),
    /** The ID of the controller broker. */
    controllerId: int32({ since: 1, ignorable: true, default: -1 }),
    /** Each topic in the response. */
    topics: array(
      struct({
        /** The topic error, or 0 if there was no error. */
        errorCode: int16(),
        /**
         * The topic name. Null for non-existing topics queried by ID. This is never null when ErrorCode is zero. One of
         * Name and TopicId is always populated.
         */
        name: nullableString({ nullableSince: 12 }),
        /**
         * The topic id. Zero for non-existing topics queried by name. This is never zero when ErrorCode is zero. One of
         * Name and TopicId is always populated.
         */
        topicId: uuid({ since: 10, ignorable: true }),
        /** True if the topic is internal. */
        isInternal: bool({ since: 1, ignorable: true, default: false }),
        /** Each partition in the topic. */
        partitions: array(
          struct({
            /** The partition error, or 0 if there was no error. */
            errorCode: int16(),
            /** The partition index. */
            partitionIndex: int32(),
            /** The ID of the leader broker. */
            leaderId: int32(),
            /** The leader epoch of this partition. */
            leaderEpoch: int32({ since: 7, ignorable: true, default: -1 }),
            /** The set of all nodes that host this partition. */
            replicaNodes: array(int32()),
            /** The set of nodes that are in sync with the leader for this partition. */
            isrNodes: array(int32()),
            /** The set of offline replicas of this partition. */
            offlineReplicas: array(int32(), { since: 5, ignorable: true }),
          }),
        ),
        /** 32-bit bitfield to represent authorized operations for this topic. */
        topicAuthorizedOperations: int32({ since: 8, default: -2147483648 }),
      }),
    ),
    /** 32-bit bitfield to represent authorized operations for this cluster. */
    clusterAuthorizedOperations: int32({ since: 8, until: 10, default: -2147483648 }),
    /** The top-level error code, or 0 if there was no error. */
    errorCode: int16({ since: 13, ignorable: true }),
  }),
})
