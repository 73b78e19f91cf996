/** Serializers and deserializers against what Java's write (vectors/java-serializers.tsv), and what they refuse. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseConsumerConfig, parseProducerConfig } from '../../../src/client/config.ts'
import { ConfigError } from '../../../src/client/errors.ts'
import { type DeserializerName, deserializers, type Serializer, serializers } from '../../../src/index.ts'

interface Vector {
  readonly format: DeserializerName
  readonly text: string
  readonly value: unknown
  readonly bytes: Buffer
}

const vectors: readonly Vector[] = readFileSync(join(import.meta.dirname, 'vectors', 'java-serializers.tsv'), 'utf8')
  .trimEnd()
  .split('\n')
  .filter((line) => !line.startsWith('#'))
  .map((line) => {
    const [format, text, hex] = line.split('\t') as [DeserializerName, string, string]
    const isExact = format !== 'long' || Number.isSafeInteger(Number(text))
    return { format, text, value: isExact ? JSON.parse(text) : BigInt(text), bytes: Buffer.from(hex, 'hex') }
  })

/** A deserializer as a consumer calls it, whose record nobody looks at. */
function read(format: DeserializerName, bytes: Buffer): unknown {
  return deserializers[format](bytes)
}

function write(format: DeserializerName, value: unknown): Uint8Array {
  return (serializers[format] as Serializer<unknown>)(value, 'topic', 'value')
}

test('deserializers: read what Java writes', () => {
  assert.ok(vectors.length > 30)
  for (const { format, text, value, bytes } of vectors) {
    assert.deepEqual(read(format, bytes), value, `${format} ${text}`)
  }
})

test('serializers: write what Java writes', () => {
  for (const { format, text, value, bytes } of vectors) {
    assert.deepEqual(Buffer.from(write(format, value)), bytes, `${format} ${text}`)
  }
})

test('deserializers: a long beyond 2^53 is a bigint, never a rounded number', () => {
  const bytes = Buffer.from('0020000000000001', 'hex')
  assert.equal(read('long', bytes), 9007199254740993n)
  assert.throws(() => write('long', 9007199254740992), /long that is exact/)
  assert.throws(() => write('long', 2n ** 63n), /more than 64 bits/)
})

test('deserializers: bytes that are no such value are an error that says why', () => {
  const cases: readonly [DeserializerName, Buffer, RegExp][] = [
    ['integer', Buffer.alloc(3), /an integer takes 4 bytes, and there are 3/],
    ['integer', Buffer.alloc(5), /there are 5/],
    ['integer', Buffer.alloc(0), /there are 0/],
    ['long', Buffer.alloc(4), /a long takes 8 bytes/],
    ['short', Buffer.alloc(1), /a short takes 2 bytes/],
    ['float', Buffer.alloc(8), /a float takes 4 bytes/],
    ['double', Buffer.alloc(4), /a double takes 8 bytes/],
    ['boolean', Buffer.of(2), /0 or 1/],
    ['boolean', Buffer.alloc(0), /takes 1 byte,/],
    ['uuid', Buffer.from('123e4567'), /no UUID/],
    ['json', Buffer.from('{"a":'), /not JSON: "\{\\"a\\":"/],
    ['json', Buffer.from([0x22, 0xff, 0x22]), /not UTF-8/],
    ['json', Buffer.alloc(0), /not JSON/],
  ]
  for (const [format, bytes, message] of cases) assert.throws(() => read(format, bytes), message, format)
})

test('serializers: a value that does not fit is refused, not cut', () => {
  const cases: readonly [DeserializerName, unknown][] = [
    ['integer', 2 ** 31],
    ['integer', 1.5],
    ['integer', '7'],
    ['short', 32768],
    ['long', 0.5],
    ['float', '1'],
    ['boolean', 0],
    ['uuid', 'no'],
    ['string', 7],
    ['bytes', 'text'],
    ['json', undefined],
  ]
  for (const [format, value] of cases) {
    assert.throws(() => write(format, value), { code: 'SLUICE_INVALID_ARGUMENT' }, `${format} ${String(value)}`)
  }
})

test('key.deserializer and value.serializer: short names and Java classes; another name is an error that lists them', () => {
  const servers = { 'bootstrap.servers': '127.0.0.1:9092' }
  const java = 'org.apache.kafka.common.serialization'
  const consumer = parseConsumerConfig({
    ...servers,
    'key.deserializer': `${java}.LongDeserializer`,
    'value.deserializer': 'json',
  })
  assert.equal(consumer['key.deserializer'], 'long')
  assert.equal(consumer['value.deserializer'], 'json')
  const producer = parseProducerConfig({ ...servers, 'key.serializer': `${java}.UUIDSerializer` })
  assert.equal(producer['key.serializer'], 'uuid')
  assert.equal(producer['value.serializer'], null)
  assert.throws(
    () => parseConsumerConfig({ ...servers, 'value.deserializer': `${java}.StringSerializer` }),
    (error) => error instanceof ConfigError && /string, bytes, json, integer.*valueDeserializer/.test(error.message),
  )
})
