/** Which version of each API client and broker agree on: what kafka-broker-api-versions prints, for this client. */
import { KafkaError } from '../../protocol/error-codes.ts'
import { apis, apiVersions as apiVersionsApi } from '../../protocol/messages/index.ts'
import { CLIENT_SOFTWARE } from '../connection.ts'
import { type AdminCallOptions, type AdminContext, untilDone } from './gathering.ts'

export interface ApiVersionRange {
  readonly oldest: number
  readonly newest: number
}

export interface AgreedVersion {
  readonly key: number
  readonly name: string
  readonly client: ApiVersionRange
  /** undefined if the broker does not know the API. */
  readonly broker: ApiVersionRange | undefined
  /** The newest that both know; undefined if there is none. */
  readonly used: number | undefined
}

/** The APIs that this client knows, as one broker of the cluster answers for them. */
export function agreedVersions(context: AdminContext, options: AdminCallOptions): Promise<AgreedVersion[]> {
  const doing = 'Asking a broker for its API versions'
  return untilDone(context, doing, options, async (signal) => {
    const response = await context.cluster.send(apiVersionsApi, 'any', CLIENT_SOFTWARE, { signal })
    if (response.errorCode !== 0) throw new KafkaError(response.errorCode, doing)
    const brokers = new Map(
      response.apiKeys.map((one) => [one.apiKey, { oldest: one.minVersion, newest: one.maxVersion }]),
    )
    return apis.map(({ key, name, versions: [oldest, newest] }) => {
      const broker = brokers.get(key)
      const used = Math.min(newest, broker?.newest ?? -1)
      const isCommon = broker !== undefined && used >= Math.max(oldest, broker.oldest)
      return { key, name, client: { oldest, newest }, broker, used: isCommon ? used : undefined }
    })
  })
}
