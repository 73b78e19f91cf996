/** For users of the library: values by a schema registry, of records that a consumer gives as bytes. */
import { systemClock } from '../seams/clock.ts'
import { systemHttp } from '../seams/http.ts'
import { systemRandom } from '../seams/random.ts'
import { FormatUnavailableError } from './errors.ts'
import { registryOptions, type RegistryProperties } from './registry-options.ts'
import { RegistryReader, type RegistryFormat } from './registry-reader.ts'
import { SchemaRegistry } from './schema-registry.ts'

export {
  FormatUnavailableError,
  MalformedDataError,
  SchemaRegistryRefusedError,
  SchemaRegistryUnavailableError,
} from './errors.ts'
export type { RegistryProperties } from './registry-options.ts'
export type { RegistryFormat } from './registry-reader.ts'

export interface RegistryValues {
  /**
   * What these bytes, a key or a value, hold; a promise only while their schema is not known yet, so `await` it.
   *
   * @throws MalformedDataError for bytes that are no such value, from the promise also SchemaRegistryUnavailableError (retriable) and SchemaRegistryRefusedError
   */
  read(data: Buffer): unknown
  /** Ends requests that are under way. */
  close(): void
}

/**
 * Reads Avro, Protobuf or JSON Schema as Confluent's serializers write them. Asks the registry for nothing yet.
 *
 * @throws FormatUnavailableError when the format's package is not installed, or `schema.registry.url` is no URL
 */
export async function openRegistryValues(
  format: RegistryFormat,
  properties: RegistryProperties,
): Promise<RegistryValues> {
  const urls = properties['schema.registry.url']?.split(',') ?? []
  if (urls.length === 0 || !urls.every((url) => URL.canParse(url.trim()))) {
    throw new FormatUnavailableError('schema.registry.url must be a URL, for example http://127.0.0.1:8081')
  }
  const seams = { http: systemHttp, clock: systemClock, random: systemRandom }
  const registry = new SchemaRegistry(registryOptions(properties), seams)
  const reader = await RegistryReader.load(format, registry)
  return { read: (data) => reader.read(data), close: () => registry.close() }
}
