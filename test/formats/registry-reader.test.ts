/** Avro, Protobuf and JSON Schema as Confluent's Python serializers write them, and what is no such value. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MalformedDataError } from '../../src/formats/errors.ts'
import { RegistryReader, type RegistryFormat } from '../../src/formats/registry-reader.ts'
import { expectedValue, registryOf, type DescribedSchema, vectors } from './vectors.ts'

function formatOf(topic: string): RegistryFormat {
  const [kind] = topic.split('-')
  return kind === 'json' ? 'json-schema' : (kind as RegistryFormat)
}

/** Objects of avsc have a class of their own; what is compared is what they hold. */
function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value) || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]))
}

async function readerOf(format: RegistryFormat, schemas: Readonly<Record<string, DescribedSchema>>) {
  return RegistryReader.load(format, registryOf({ subjects: vectors.subjects, schemas }))
}

for (const { topic, bytes, expected } of vectors.values) {
  test(`vectors: ${topic}`, async () => {
    const reader = await readerOf(formatOf(topic), vectors.schemas)
    const data = Buffer.from(bytes, 'hex')
    assert.deepEqual(plain(await reader.read(data)), expectedValue(expected))
    const again = reader.read(data)
    assert.ok(!(again instanceof Promise), 'a schema that is known costs no promise')
    assert.deepEqual(plain(again), expectedValue(expected))
  })
}

test('protobuf: a registry that holds the text of the .proto files gives the same', async () => {
  const text = (name: string, more: Partial<DescribedSchema> = {}) => ({
    schema: vectors.protoTexts[name]!,
    schemaType: 'PROTOBUF',
    ...more,
  })
  const references = [{ name: 'shop/money.proto', subject: 'money', version: 1 }]
  for (const { topic, bytes, expected } of vectors.values) {
    if (formatOf(topic) !== 'protobuf') continue
    const data = Buffer.from(bytes, 'hex')
    const schemas = { [data.readInt32BE(1)]: text('shop/purchase.proto', { references }) }
    const registry = registryOf({ subjects: { money: { 1: text('shop/money.proto') } }, schemas })
    const reader = await RegistryReader.load('protobuf', registry)
    assert.deepEqual(plain(await reader.read(data)), expectedValue(expected), topic)
  }
})

test('every value, cut off anywhere or with a byte changed, is a value or a MalformedDataError, at once', async () => {
  for (const { topic, bytes } of vectors.values) {
    const reader = await readerOf(formatOf(topic), vectors.schemas)
    const whole = Buffer.from(bytes, 'hex')
    const isRefused = async (data: Buffer) => {
      try {
        await reader.read(data)
        return false
      } catch (error) {
        if (error instanceof MalformedDataError) return true
        throw error
      }
    }
    let refused = 0
    for (let length = 0; length < whole.length; length++) {
      if (await isRefused(whole.subarray(0, length))) refused++
    }
    assert.ok(refused >= 5, topic)
    for (let at = 5; at < whole.length; at++) {
      for (const bit of [0x80, 0xff, 0x01]) {
        const broken = Buffer.from(whole)
        broken[at]! ^= bit
        await isRefused(broken)
      }
    }
  }
})

test('avro: counts that cannot be true are refused before they cost memory', async () => {
  const schemas = {
    1: { schema: '{"type":"array","items":"long"}' },
    2: { schema: '{"type":"map","values":"long"}' },
    3: { schema: '{"type":"array","items":"null"}' },
  }
  const reader = await readerOf('avro', schemas)
  // 2^40 as a zigzag varint.
  const count = '808080808040'
  for (const id of [1, 2, 3]) {
    const data = Buffer.from(`000000000${id}${count}02`, 'hex')
    await assert.rejects(async () => reader.read(data), /items are announced in 1 bytes|items are announced/)
  }
})

test('MalformedDataError: says what the record is, if not a value of the registry', async () => {
  const reader = await readerOf('avro', vectors.schemas)
  assert.throws(
    () => reader.read(Buffer.from('{"id":1}')),
    /begins with the byte 0x7b.*not written with a schema registry/,
  )
  assert.throws(() => reader.read(Buffer.from([0, 0])), /2 bytes are too few/)
  await assert.rejects(async () => reader.read(Buffer.from('0000000063', 'hex')), /knows no schema with the id 99/)
  const json = vectors.values.find(({ topic }) => topic === 'json-pair')!
  await assert.rejects(
    async () => reader.read(Buffer.from(json.bytes, 'hex')),
    /is of the type JSON, and "avro" reads AVRO/,
  )
})

test('json-schema: a value that its schema does not allow is refused with its place', async () => {
  const reader = await readerOf('json-schema', vectors.schemas)
  const person = Buffer.from(vectors.values.find(({ topic }) => topic === 'json-person')!.bytes, 'hex')
  const refused = (json: string) =>
    assert.rejects(async () => reader.read(Buffer.concat([person.subarray(0, 5), Buffer.from(json)])), {
      code: 'SLUICE_MALFORMED_DATA',
      message:
        /JSON Schema \d+ says: (?:\/home must have required property 'city'|must have required property 'name'|\/id must be integer)/,
    })
  await refused('{"name":"Ada","home":{}}')
  await refused('{}')
  await refused('{"name":"Ada","id":1.5}')
})

test('json-schema: drafts 06, 07, 2019-09 and 2020-12; another is refused', async () => {
  const draft = (uri: string) => ({ schema: JSON.stringify({ $schema: uri, type: 'object' }), schemaType: 'JSON' })
  const reader = await readerOf('json-schema', {
    1: draft('http://json-schema.org/draft-06/schema#'),
    2: draft('http://json-schema.org/draft-07/schema#'),
    3: draft('https://json-schema.org/draft/2019-09/schema'),
    4: draft('https://json-schema.org/draft/2020-12/schema'),
    5: draft('http://json-schema.org/draft-04/schema#'),
  })
  const data = (id: number) => Buffer.concat([Buffer.of(0, 0, 0, 0, id), Buffer.from('{}')])
  for (const id of [1, 2, 3, 4]) assert.deepEqual(await reader.read(data(id)), {})
  await assert.rejects(async () => reader.read(data(5)), /draft-04.*which is not known: draft-06/)
})

test('a package that is missing is an error that says what to install', async () => {
  const missing = (name: string) => {
    const error = new Error(`Cannot find package '${name}' imported from somewhere`)
    return Promise.reject(Object.assign(error, { code: 'ERR_MODULE_NOT_FOUND' }))
  }
  for (const [format, name] of [
    ['avro', 'avsc'],
    ['protobuf', 'protobufjs'],
    ['json-schema', 'ajv'],
  ] as const) {
    await assert.rejects(RegistryReader.load(format, registryOf(vectors), missing), {
      code: 'SLUICE_FORMAT_UNAVAILABLE',
      message: `"${format}" needs the package "${name}", which is not installed: run npm install ${name}`,
    })
  }
})
