/**
 * What in a consumer.conf says how records are decoded: `key` and `value`, and where the schema registry is. Names are Java's where Java has one
 * (`schema.registry.url`, `basic.auth.user.info`, …); Java's classes of deserializers are taken too.
 */
import { dirname, resolve } from 'node:path'
import { nearestName } from '../client/config.ts'
import { formatNamed, formatNames } from '../client/serialization/names.ts'
import { registryFormats, type RegistryFormat } from '../formats/registry-reader.ts'
import type { EntryReader } from './conf.ts'
import { shown } from './conf-shown.ts'

/** Plain data. */
export interface ValuesConf {
  /** A format's name, or the absolute path of a module whose default export decodes. */
  readonly value: string
  /** The same; undefined leaves it to the sink: text, or bytes where values are bytes. */
  readonly key: string | undefined
  /** Properties of the schema registry, as they were given. */
  readonly registry: Readonly<Record<string, string>>
}

export const registryNames = {
  'schema.registry.url':
    'Base URL of the schema registry for `avro`, `protobuf` and `json-schema`; several with commas, or a list.',
  'basic.auth.credentials.source':
    'Where the registry’s user comes from: `URL` (default; from `schema.registry.url`, where it has one) or `USER_INFO`.',
  'basic.auth.user.info': 'The registry’s user and password: `user:password`.',
  'schema.registry.ssl.truststore.certificates':
    'PEM text of the authorities that the registry’s certificate is checked against, for example `${file:/etc/ca.pem}`. Without it, the system’s.',
  'schema.registry.ssl.keystore.certificate.chain': 'PEM text of the client’s certificate for the registry.',
  'schema.registry.ssl.keystore.key': 'PEM text of the client’s private key for the registry.',
} as const

const formats: readonly string[] = [...formatNames, ...registryFormats]

const confluentClasses: Readonly<Record<string, RegistryFormat>> = {
  'io.confluent.kafka.serializers.KafkaAvroDeserializer': 'avro',
  'io.confluent.kafka.serializers.protobuf.KafkaProtobufDeserializer': 'protobuf',
  'io.confluent.kafka.serializers.json.KafkaJsonSchemaDeserializer': 'json-schema',
}

export function isRegistryFormat(name: string | undefined): name is RegistryFormat {
  return (registryFormats as readonly (string | undefined)[]).includes(name)
}

export interface ModuleFiles {
  /** The conf's own, to which paths of modules are relative. */
  readonly confFile: string
  /** Throws when the file cannot be read; undefined where files are not looked at. */
  readonly readText: ((path: string) => string) | undefined
}

export function readValues(entry: EntryReader, files: ModuleFiles): ValuesConf {
  const value = readPart(entry, 'value', files) ?? 'string'
  const key = readPart(entry, 'key', files)
  const registry = readRegistry(entry, [value, key].find(isRegistryFormat))
  return { value, key, registry }
}

/** `value`, or Java's `value.deserializer` in its place. */
function readPart(entry: EntryReader, part: 'key' | 'value', files: ModuleFiles): string | undefined {
  const property = `${part}.deserializer`
  const own = entry.values[part]
  const java = entry.values[property]
  const fromJava = java === undefined || java === null ? undefined : javaFormat(entry, property, java)
  if (own === undefined) return fromJava
  const found = typeof own === 'string' ? (isModule(own) ? modulePath(entry, part, own, files) : own) : undefined
  if (found === undefined || !(formats.includes(found) || isModule(found))) {
    const nearest = typeof own === 'string' ? nearestName(own, formats) : undefined
    return entry.problem(
      part,
      `is ${shown(own)}, and must be one of ${formats.join(', ')}, or the path of a module of your own ("./decode.ts")` +
        (nearest ? `; did you mean "${nearest}"?` : ''),
    )
  }
  if (fromJava !== undefined && fromJava !== found) {
    entry.problem(property, `is ${shown(java)}, and "${part}" is ${shown(own)}: leave one of them out`)
  }
  return found
}

function javaFormat(entry: EntryReader, property: string, java: unknown): string | undefined {
  const found = typeof java === 'string' ? (confluentClasses[java] ?? formatNamed(java, 'Deserializer')) : undefined
  if (found !== undefined) return found
  const part = property.replace('.deserializer', '')
  return entry.problem(
    property,
    `is ${shown(java)}, which is not known: leave it out and set "${part}" to one of ${formats.join(', ')}, or to the path of a module of your own`,
  )
}

/** A path, in difference to a format's name: it begins with a point or a slash, or ends as modules do. */
export function isModule(name: string): boolean {
  return /^\.{0,2}\/|\.[cm]?[jt]s$/.test(name)
}

function modulePath(entry: EntryReader, part: string, path: string, { confFile, readText }: ModuleFiles): string {
  const absolute = resolve(dirname(confFile), path)
  if (!readText) return absolute
  try {
    readText(absolute)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'there is no such file' : message
    entry.problem(part, `is ${shown(path)}, and ${absolute} cannot be read: ${reason}`)
  }
  return absolute
}

function readRegistry(entry: EntryReader, needed: RegistryFormat | undefined): Readonly<Record<string, string>> {
  const given: Record<string, string> = {}
  for (const name of Object.keys(registryNames)) {
    const value = entry.values[name]
    if (value === undefined || value === null) continue
    const text = name === 'schema.registry.url' && Array.isArray(value) ? value.join(',') : value
    if (typeof text === 'string' && text.trim() !== '') given[name] = text
    else entry.problem(name, 'must be a text that is not empty')
  }
  const { 'schema.registry.url': urls, 'basic.auth.credentials.source': source } = given
  if (needed && urls === undefined && !entry.has('schema.registry.url')) {
    entry.problem(
      'schema.registry.url',
      `is missing, and "${needed}" needs it: say where the schema registry is, for example "http://127.0.0.1:8081"`,
    )
  }
  for (const one of urls?.split(',') ?? []) {
    const url = URL.parse(one.trim())
    if (url && /^https?:$/.test(url.protocol)) continue
    entry.problem('schema.registry.url', 'holds something that is no URL of the form http://host:port')
  }
  if (source !== undefined && source !== 'URL' && source !== 'USER_INFO') {
    entry.problem('basic.auth.credentials.source', `is ${shown(source)}, and must be URL or USER_INFO`)
  }
  const userInfo = given['basic.auth.user.info']
  if (userInfo !== undefined && !userInfo.includes(':')) {
    entry.problem('basic.auth.user.info', 'must have the form user:password (it is not shown)')
  }
  if (source === 'USER_INFO' && userInfo === undefined) {
    entry.problem('basic.auth.credentials.source', 'is USER_INFO, and "basic.auth.user.info" is missing')
  }
  if (source === 'URL' && userInfo !== undefined) {
    entry.problem('basic.auth.credentials.source', 'is URL, and "basic.auth.user.info" is given: leave one of them out')
  }
  return given
}
