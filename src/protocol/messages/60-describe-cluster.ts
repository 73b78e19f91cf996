/**
 * DescribeCluster (key 60), versions 0 to 2.
 *
 * Request:
 * - Version 1 adds EndpointType for KIP-919 support.
 * - Version 2 adds IncludeFencedBrokers for KIP-1073 support.
 *
 * Response:
 * - Version 1 adds the EndpointType field, and makes MISMATCHED_ENDPOINT_TYPE and UNSUPPORTED_ENDPOINT_TYPE valid
 *   top-level response error codes.
 * - Version 2 adds IsFenced field to Brokers for KIP-1073 support.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, int16, int32, int8, nullableString, string, struct } from '../schema.ts'

export const describeCluster = defineApi({
  key: 60,
  name: 'DescribeCluster',
  versions: [0, 2],
  flexibleSince: 0,
  request: struct({
    /** Whether to include cluster authorized operations. */
    includeClusterAuthorizedOperations: bool(),
    /** The endpoint type to describe. 1=brokers, 2=controllers. */
    endpointType: int8({ since: 1, default: 1 }),
    /** Whether to include fenced brokers when listing brokers. */
    includeFencedBrokers: bool({ since: 2 }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The top-level error code, or 0 if there was no error. */
    errorCode: int16(),
    /** The top-level error message, or null if there was no error. */
    errorMessage: nullableString({ default: null }),
    /** The endpoint type that was described. 1=brokers, 2=controllers. */
    endpointType: int8({ since: 1, default: 1 }),
    /** The cluster ID that responding broker belongs to. */
    clusterId: string(),
    /**
     * The ID of the controller. When handled by a controller, returns the current voter leader ID. When handled by a
     * broker, returns a random alive broker ID as a fallback.
     */
    controllerId: int32({ default: -1 }),
    /** Each broker in the response. */
    brokers: array(
      struct({
        /** The broker ID. */
        brokerId: int32(),
        /** The broker hostname. */
        host: string(),
        /** The broker port. */
        port: int32(),
        /** The rack of the broker, or null if it has not been assigned to a rack. */
        rack: nullableString({ default: null }),
        /** Whether the broker is fenced. */
        isFenced: bool({ since: 2 }),
      }),
    ),
    /** 32-bit bitfield to represent authorized operations for this cluster. */
    clusterAuthorizedOperations: int32({ default: -2147483648 }),
  }),
})
