/**
 * The deserializers that Kafka's clients bring (`org.apache.kafka.common.serialization`), byte for byte as Java's, and JSON. Used by name in
 * `key.deserializer` and `value.deserializer`, or handed to a consumer as functions; a function of one's own is as good.
 *
 * Numbers are big-endian and have their exact length: 3 bytes are no integer, and neither are 5.
 */
import { type Deserializer } from '../../protocol/records/deserialized-record.ts'
import { exactInteger, exactJson } from '../../protocol/records/exact-json.ts'

function sized<T>(name: string, size: number, read: (data: Buffer) => T): (data: Buffer) => T {
  return (data) => {
    if (data.length !== size) {
      throw new Error(`${name} takes ${size} ${size === 1 ? 'byte' : 'bytes'}, and there are ${data.length}`)
    }
    return read(data)
  }
}

const SHOWN_CHARACTERS = 60

function boolean(byte: number): boolean {
  if (byte > 1) throw new Error(`a boolean is the byte 0 or 1, and there is ${byte}`)
  return byte === 1
}

/** As text in the form `123e4567-e89b-12d3-a456-426614174000`, which is what Java's UUIDSerializer writes. */
function uuid(data: Buffer): string {
  const text = data.toString('latin1')
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    throw new Error(`it is no UUID of 36 characters: ${JSON.stringify(text.slice(0, SHOWN_CHARACTERS))}`)
  }
  return text.toLowerCase()
}

export const deserializers = {
  /** UTF-8. Bytes that are none become U+FFFD, as in Java. */
  string: (data: Buffer) => data.toString('utf8'),
  /** A view, not a copy. */
  bytes: (data: Buffer) => data,
  /** What `JSON.parse` gives; whole numbers of 64 bits beyond 2^53 - 1 are bigints. */
  json: exactJson,
  /** One byte, 0 or 1. */
  boolean: sized('a boolean', 1, (data) => boolean(data[0]!)),
  /** 16 bits, signed. */
  short: sized('a short', 2, (data) => data.readInt16BE()),
  /** 32 bits, signed. */
  integer: sized('an integer', 4, (data) => data.readInt32BE()),
  /** 64 bits, signed: a number where that is exact, a bigint beyond 2^53 - 1. */
  long: sized('a long', 8, (data) => exactInteger(data.readBigInt64BE())),
  /** IEEE 754, 32 bits. */
  float: sized('a float', 4, (data) => data.readFloatBE()),
  /** IEEE 754, 64 bits. */
  double: sized('a double', 8, (data) => data.readDoubleBE()),
  uuid,
} as const satisfies Record<string, Deserializer<unknown>>

export type DeserializerName = keyof typeof deserializers
