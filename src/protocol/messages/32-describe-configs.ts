/**
 * DescribeConfigs (key 32), versions 1 to 4.
 *
 * Request:
 * - Version 0 was removed in Apache Kafka 4.0, Version 1 is the new baseline.
 * - Version 1 adds IncludeSynonyms and removes IsDefault.
 * - Version 2 is the same as version 1.
 * - Version 4 enables flexible versions.
 *
 * Response:
 * - Version 0 was removed in Apache Kafka 4.0, Version 1 is the new baseline.
 * - Version 1 adds ConfigSource and the synonyms. Starting in version 2, on quota violation, brokers send out
 *   responses before throttling.
 * - Version 4 enables flexible versions.
 *
 * Fields and their descriptions follow Apache Kafka 4.3 (clients/src/main/resources/common/message, Apache-2.0).
 */
import { defineApi } from '../api.ts'
import { array, bool, int16, int32, int8, nullableArray, nullableString, string, struct } from '../schema.ts'

export const describeConfigs = defineApi({
  key: 32,
  name: 'DescribeConfigs',
  versions: [1, 4],
  flexibleSince: 4,
  request: struct({
    /** The resources whose configurations we want to describe. */
    resources: array(
      struct({
        /** The resource type. */
        resourceType: int8(),
        /** The resource name. */
        resourceName: string(),
        /** The configuration keys to list, or null to list all configuration keys. */
        configurationKeys: nullableArray(string()),
      }),
    ),
    /** True if we should include all synonyms. */
    includeSynonyms: bool({ default: false }),
    /** True if we should include configuration documentation. */
    includeDocumentation: bool({ since: 3, default: false }),
  }),
  response: struct({
    /**
     * The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the
     * request did not violate any quota.
     */
    throttleTimeMs: int32(),
    /** The results for each resource. */
    results: array(
      struct({
        /** The error code, or 0 if we were able to successfully describe the configurations. */
        errorCode: int16(),
        /** The error message, or null if we were able to successfully describe the configurations. */
        errorMessage: nullableString(),
        /** The resource type. */
        resourceType: int8(),
        /** The resource name. */
        resourceName: string(),
        /** Each listed configuration. */
        configs: array(
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
            /** The synonyms for this configuration key. */
            synonyms: array(
              struct({
                /** The synonym name. */
                name: string(),
                /** The synonym value. */
                value: nullableString(),
                /** The synonym source. */
                source: int8(),
              }),
            ),
            /**
             * The configuration data type. Type can be one of the following values - BOOLEAN, STRING, INT, SHORT, LONG,
             * DOUBLE, LIST, CLASS, PASSWORD.
             */
            configType: int8({ since: 3, ignorable: true, default: 0 }),
            /** The configuration documentation. */
            documentation: nullableString({ since: 3, ignorable: true }),
          }),
        ),
      }),
    ),
  }),
})
