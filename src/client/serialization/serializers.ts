/** What deserializers.ts reads, written: byte for byte as Java's serializers do, and JSON. A value that does not fit is an error, never cut. */
import { InvalidArgumentError } from '../errors.ts'
import { exactJsonText } from '../../protocol/records/exact-json.ts'

/** Turns a key or a value into bytes. Never called for null or undefined, which stay null. A throw fails that one record. */
export type Serializer<T> = (value: T, topic: string, part: 'key' | 'value') => Uint8Array

function refusal(name: string, value: unknown): InvalidArgumentError {
  const shown = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? typeof value)
  return new InvalidArgumentError(`${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown} is no ${name}`)
}

function whole(name: string, bits: 16 | 32, write: (into: Buffer, value: number) => void): Serializer<number> {
  const limit = 2 ** (bits - 1)
  return (value) => {
    if (!Number.isInteger(value) || value < -limit || value >= limit) {
      throw refusal(`${name}: whole numbers from ${-limit} to ${limit - 1} are`, value)
    }
    const bytes = Buffer.allocUnsafe(bits / 8)
    write(bytes, value)
    return bytes
  }
}

function real(name: string, size: 4 | 8): Serializer<number> {
  return (value) => {
    if (typeof value !== 'number') throw refusal(`${name}: a number is`, value)
    const bytes = Buffer.allocUnsafe(size)
    if (size === 4) bytes.writeFloatBE(value)
    else bytes.writeDoubleBE(value)
    return bytes
  }
}

function long(value: number | bigint): Uint8Array {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw refusal('long that is exact: whole numbers up to 2^53 - 1 and bigints are', value)
  }
  if (typeof value !== 'number' && typeof value !== 'bigint') throw refusal('long: a number or a bigint is', value)
  const exact = BigInt(value)
  if (BigInt.asIntN(64, exact) !== exact) throw refusal('long: it has more than 64 bits', value)
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(exact)
  return bytes
}

function json(value: unknown): Uint8Array {
  if (value === undefined || typeof value === 'function' || typeof value === 'symbol') {
    throw refusal('value that JSON has', value)
  }
  return Buffer.from(exactJsonText(value))
}

function uuid(value: string): Uint8Array {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) throw refusal('UUID', value)
  return Buffer.from(value.toLowerCase(), 'latin1')
}

export const serializers = {
  string: (value: string): Uint8Array => {
    if (typeof value !== 'string') throw refusal('string', value)
    return Buffer.from(value)
  },
  bytes: (value: Uint8Array): Uint8Array => {
    if (!(value instanceof Uint8Array)) throw refusal('bytes', value)
    return value
  },
  json,
  boolean: (value: boolean): Uint8Array => {
    if (typeof value !== 'boolean') throw refusal('boolean', value)
    return Buffer.of(value ? 1 : 0)
  },
  short: whole('short', 16, (into, value) => into.writeInt16BE(value)),
  integer: whole('integer', 32, (into, value) => into.writeInt32BE(value)),
  /** A bigint, or a number that is exact. */
  long,
  float: real('float', 4),
  double: real('double', 8),
  uuid,
} as const

export type SerializerName = keyof typeof serializers
