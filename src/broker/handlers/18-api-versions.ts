/**
 * ApiVersions: which APIs are answered, in which versions. Taken from the table of handlers, so it cannot be wrong about it.
 *
 * A version that is not known is answered all the same, in version 0 and with error 35 and the range of this API alone (KIP-511), as
 * the client cannot know better yet; the dispatcher does that through `unsupportedApiVersions`.
 * The one feature is `transaction.version` 2: it makes Java's producer speak the transaction protocol of KIP-890.
 */
import { codeOf } from '../../protocol/error-codes.ts'
import { type ResponseInputOf } from '../../protocol/api.ts'
import { apiVersions } from '../../protocol/messages/18-api-versions.ts'
import { defineHandler, type Handler } from '../handler.ts'

/** As Kafka checks what a client calls itself (KIP-511). */
const SOFTWARE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export function apiVersionsHandler(handlers: readonly Handler[]): Handler {
  const apiKeys = () => handlers.map(advertised).sort((left, right) => left.apiKey - right.apiKey)
  return defineHandler(apiVersions, [0, 4], (request, { version }) => {
    const named = SOFTWARE_NAME.test(request.clientSoftwareName) && SOFTWARE_NAME.test(request.clientSoftwareVersion)
    if (version >= 3 && !named) return { errorCode: codeOf('INVALID_REQUEST'), apiKeys: [], throttleTimeMs: 0 }
    return {
      errorCode: 0,
      apiKeys: apiKeys(),
      throttleTimeMs: 0,
      // Clients of version 3 cannot bear a feature whose least version is 0 (KAFKA-17492).
      supportedFeatures: version >= 4 ? [{ name: 'transaction.version', minVersion: 0, maxVersion: 2 }] : [],
      finalizedFeaturesEpoch: 0,
      finalizedFeatures: [{ name: 'transaction.version', minVersionLevel: 2, maxVersionLevel: 2 }],
    }
  })
}

/** The answer, in version 0, to a version that is not known. */
export function unsupportedApiVersions(handler: Handler): ResponseInputOf<typeof apiVersions> {
  return { errorCode: codeOf('UNSUPPORTED_VERSION'), apiKeys: [advertised(handler)] }
}

function advertised({ api, versions, advertisedOldest }: Handler) {
  return { apiKey: api.key, minVersion: advertisedOldest, maxVersion: versions[1] }
}
