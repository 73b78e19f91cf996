/**
 * CreateTopics (key 19), versions 2 to 7.
 *
 * Request:
 * - Versions 0-1 were removed in Apache Kafka 4.0, Version 2 is the new baseline.
 * - Version 1 adds validateOnly.
 * - Version 4 makes partitions/replicationFactor optional even when assignments are not present (KIP-464)
 * - Version 5 is the first flexible version.
 * - Version 5 also returns topic configs in the response (KIP-525).
 * - Version 6 is identical to version 5 but may return a THROTTLING_QUOTA_EXCEEDED error in the response if the
 *   topics creation is throttled (KIP-599).
 * - Version 7 is the same as version 6.
 *
 * Response:
 * - Versions 0-1 were removed in Apache Kafka 4.0, Version 2 is the new baseline.
 * - Version 1 adds a per-topic error message string.
 * - Version 2 adds the throttle time.
 * - Starting in version 3, on quota violation, brokers send out responses before throttling.
 * - Version 4 makes partitions/replicationFactor optional even when assignments are not present (KIP-464).
 * - Version 5 is the first flexible version.
 * - Version 5 also returns topic configs in the response (KIP-525).
 * - Version 6 is identical to version 5 but may return a THROTTLING_QUOTA_EXCEEDED error in the response if the
 *   topics creation is throttled (KIP-599).
 * - Version 7 returns the topic ID of the newly created topic if creation is successful.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, int16, int32, int8, nullableArray, nullableString, string, struct, uuid } from '../schema.ts'

export const createTopics = defineApi({
  key: 19,
  name: 'CreateTopics',
  versions: [2, 7],
  flexibleSince: 5,
  request: struct({
    /** The topics to create. */
    topics: array(
      struct({
        /** The topic name. */
        name: string(),
        /**
         * The number of partitions to create in the topic, or -1 if we are either specifying a manual partition
         * assignment or using the default partitions.
         */
        numPartitions: int32(),
        /**
         * The number of replicas to create for each partition in the topic, or -1 if we are either specifying a manual
         * partition assignment or using the default replication factor.
         */
        replicationFactor: int16(),
        /** The manual partition assignment, or the empty array if we are using automatic assignment. */
        assignments: array(
          struct({
            /** The partition index. */
            partitionIndex: int32(),
            /** The brokers to place the partition on. */
            brokerIds: array(int32()),
          }),
        ),
        /** The custom topic configurations to set. */
        configs: array(
          struct({
            /** The configuration name. */
            name: string(),
            /** The configuration value. */
            value: nullableString(),
          }),
        ),
      }),
    ),
    /** How long to wait in milliseconds before timing out the request. */
    timeoutMs: int32({ default: 60000 }),
    /** If true, check that the topics can be created as specified, but don't create anything. */
    validateOnly: bool({ default: false }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** Results for each topic we tried to create. */
    topics: array(
      struct({
        /** The topic name. */
        name: string(),
        /** The unique topic ID. */
        topicId: uuid({ since: 7, ignorable: true }),
        /** The error code, or 0 if there was no error. */
        errorCode: int16(),
        /** The error message, or null if there was no error. */
        errorMessage: nullableString(),
        /** Optional topic config error returned if configs are not returned in the response. */
        topicConfigErrorCode: int16({ since: 5, tag: 0, ignorable: true }),
        /** Number of partitions of the topic. */
        numPartitions: int32({ since: 5, ignorable: true, default: -1 }),
        /** Replication factor of the topic. */
        replicationFactor: int16({ since: 5, ignorable: true, default: -1 }),
        /** Configuration of the topic. */
        configs: nullableArray(
          struct({
            /** The configuration name. */
            name: string(),
            /** The configuration value. */
            value: nullableString(),
            /** True if the configuration is read-only. */
            readOnly: bool(),
            /** The configuration source. */
            configSource: int8({ default: -1 }),
            /** True if this configuration is sensitive. */
            isSensitive: bool(),
          }),
          { since: 5, ignorable: true },
        ),
      }),
    ),
  }),
})
