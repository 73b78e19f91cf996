/**
 * ApiVersions (key 18), versions 0 to 4.
 *
 * Request:
 * - Versions 0 through 2 of ApiVersionsRequest are the same.
 * - Version 3 is the first flexible version and adds ClientSoftwareName and ClientSoftwareVersion.
 * - Version 4 fixes KAFKA-17011, which blocked SupportedFeatures.MinVersion in the response from being 0.
 *
 * Response:
 * - Version 1 adds throttle time to the response.
 * - Starting in version 2, on quota violation, brokers send out responses before throttling.
 * - Version 3 is the first flexible version. Tagged fields are only supported in the body but not in the header. The
 *   length of the header must not change in order to guarantee the backward compatibility.
 * - Starting from Apache Kafka 2.4 (KIP-511), ApiKeys field is populated with the supported versions of the
 *   ApiVersionsRequest when an UNSUPPORTED_VERSION error is returned.
 * - Version 4 fixes KAFKA-17011, which blocked SupportedFeatures.MinVersion from being 0.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, int16, int32, int64, string, struct } from '../schema.ts'

export const apiVersions = defineApi({
  key: 18,
  name: 'ApiVersions',
  versions: [0, 4],
  flexibleSince: 3,
  request: struct({
    /** The name of the client. */
    clientSoftwareName: string({ since: 3, ignorable: true }),
    /** The version of the client. */
    clientSoftwareVersion: string({ since: 3, ignorable: true }),
  }),
  response: struct({
    /** The top-level error code. */
    errorCode: int16(),
    /** The APIs supported by the broker. */
    apiKeys: array(
      struct({
        /** The API index. */
        apiKey: int16(),
        /** The minimum supported version, inclusive. */
        minVersion: int16(),
        /** The maximum supported version, inclusive. */
        maxVersion: int16(),
      }),
    ),
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    /** Features supported by the broker. Note: in v0-v3, features with MinSupportedVersion = 0 are omitted. */
    supportedFeatures: array(
      struct({
        /** The name of the feature. */
        name: string(),
        /** The minimum supported version for the feature. */
        minVersion: int16(),
        /** The maximum supported version for the feature. */
        maxVersion: int16(),
      }),
      { since: 3, tag: 0, ignorable: true },
    ),
    /**
     * The monotonically increasing epoch for the finalized features information. Valid values are >= 0. A value of -1
     * is special and represents unknown epoch.
     */
    finalizedFeaturesEpoch: int64({ since: 3, tag: 1, ignorable: true, default: -1 }),
    /** List of cluster-wide finalized features. The information is valid only if FinalizedFeaturesEpoch >= 0. */
    finalizedFeatures: array(
      struct({
        /** The name of the feature. */
        name: string(),
        /** The cluster-wide finalized max version level for the feature. */
        maxVersionLevel: int16(),
        /** The cluster-wide finalized min version level for the feature. */
        minVersionLevel: int16(),
      }),
      { since: 3, tag: 2, ignorable: true },
    ),
    /** Set by a KRaft controller if the required configurations for ZK migration are present. */
    zkMigrationReady: bool({ since: 3, tag: 3, ignorable: true, default: false }),
  }),
})
