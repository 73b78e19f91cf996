/** The short names of the formats and Java's classes for them, as `key.deserializer`, `value.serializer` and the like may say them. */
import { type DeserializerName } from './deserializers.ts'

const javaFormats: Readonly<Record<string, DeserializerName>> = {
  String: 'string',
  ByteArray: 'bytes',
  ByteBuffer: 'bytes',
  Bytes: 'bytes',
  Boolean: 'boolean',
  Short: 'short',
  Integer: 'integer',
  Long: 'long',
  Float: 'float',
  Double: 'double',
  UUID: 'uuid',
}

/** In the order in which they are listed in messages and docs. */
export const formatNames: readonly DeserializerName[] = [
  'string',
  'bytes',
  'json',
  'integer',
  'long',
  'short',
  'float',
  'double',
  'boolean',
  'uuid',
]

const prefix = 'org.apache.kafka.common.serialization.'

/** The format that a short name or Java's class of it names. */
export function formatNamed(name: string, kind: 'Serializer' | 'Deserializer'): DeserializerName | undefined {
  const short = formatNames.find((one) => one === name)
  if (short) return short
  if (!name.startsWith(prefix) || !name.endsWith(kind)) return undefined
  const java = name.slice(prefix.length, -kind.length)
  return Object.hasOwn(javaFormats, java) ? javaFormats[java] : undefined
}

/** For the table of properties: null stays null; an unknown name is an Error that says what is known. */
export function formatOf(kind: 'Serializer' | 'Deserializer'): (name: string | null) => DeserializerName | null {
  return (name) => {
    if (name === null) return null
    const known = formatNamed(name, kind)
    if (known) return known
    throw new Error(
      `is not known: ${formatNames.join(', ')} are, and Java's classes for them; ` +
        `hand a function of your own to the constructor as ${kind === 'Serializer' ? 'keySerializer or valueSerializer' : 'keyDeserializer or valueDeserializer'}`,
    )
  }
}
