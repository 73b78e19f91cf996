/** A schema registry's properties, under Confluent's names, as the client of it takes them. */
import type { SchemaRegistryOptions } from './schema-registry.ts'

/** `schema.registry.url` must be there and hold URLs; the others may be left out. */
export type RegistryProperties = Readonly<Record<string, string>>

export function registryOptions(properties: RegistryProperties): SchemaRegistryOptions {
  const ca = properties['schema.registry.ssl.truststore.certificates']
  const cert = properties['schema.registry.ssl.keystore.certificate.chain']
  const key = properties['schema.registry.ssl.keystore.key']
  return {
    urls: properties['schema.registry.url']!.split(',').map((one) => new URL(one.trim())),
    userInfo: properties['basic.auth.user.info'],
    tls: (ca ?? cert ?? key) ? { ca, cert, key } : undefined,
  }
}
