/** What the lines of each format are, read back by a parser that is not Sluice's where there is one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'csv-parse/sync'
import * as fc from 'fast-check'
import { createEncoder, type EncodingOptions } from '../../src/sinks/file-encoding.ts'
import { SinkRecordError } from '../../src/sinks/sink.ts'
import { batchOf, type Row } from './fixtures.ts'

function encode(options: Partial<EncodingOptions>, rows: readonly Row[]): string {
  const complete = { format: 'csv', columns: undefined, delimiter: ',', valueType: 'json', ...options } as const
  return createEncoder(complete).encode(batchOf(rows, { valueType: complete.valueType }))
}

test('csv: columns of the JSON value, other fields ignored, nested JSON as text, missing fields empty', () => {
  const rows = ['{"time":"2001-01-14","delay":-5,"x":1}', '{"delay":true,"time":null,"tags":["a",{"b":1}]}', null]
  assert.equal(encode({ columns: ['time', 'delay', 'tags'] }, rows), '2001-01-14,-5,\n,true,"[""a"",{""b"":1}]"\n,,\n')
})

test('csv: without columns, the record’s own six', () => {
  assert.equal(
    encode({ valueType: 'string' }, [
      { key: 'k', value: 'v' },
      { key: null, value: null },
    ]),
    'flights,0,0,1000,k,v\nflights,0,1,1001,,\n',
  )
  assert.equal(
    createEncoder({ format: 'csv', columns: undefined, delimiter: ';', valueType: 'json' }).header,
    'topic;partition;offset;timestamp;key;value\n',
  )
})

test('csv: the empty text and no value are told apart, and a lone column never leaves a line of nothing', () => {
  assert.equal(encode({ columns: ['a', 'b'] }, ['{"a":"","b":null}']), '"",\n')
  assert.equal(encode({ columns: ['a'] }, ['{"a":null}']), '""\n')
})

test('csv: any text in any column reads back the same', () => {
  const cell = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('"', ',', ';', '\n', '\r', ' ', 'a', '😀', '\t', '^', ']', '-', '\\') }),
  )
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell), { minLength: 1 }),
      fc.constantFrom(',', ';', '|', '^', ']', '-', '\\', '\t'),
      (rows, delimiter) => {
        const text = encode(
          { columns: ['a', 'b'], delimiter },
          rows.map(([a, b]) => JSON.stringify({ a, b })),
        )
        assert.deepEqual(parse(text, { delimiter, relax_column_count: false, record_delimiter: '\n' }), rows)
      },
    ),
  )
})

/** The escapes as PostgreSQL documents them for COPY, read without any of Sluice's code. */
function unescape(field: string): string | null {
  if (field === '\\N') return null
  return field.replace(/\\(.)/g, (_, letter: string) => ({ t: '\t', n: '\n', r: '\r' })[letter] ?? letter)
}

test('tsv and log: any text reads back the same, a line a record', () => {
  const cell = fc.option(fc.string({ unit: fc.constantFrom('\\', 'N', 'n', 't', 'r', '\t', '\n', '\r', 'ä', ' ') }))
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1 }), (rows) => {
      const tsv = encode(
        { format: 'tsv', columns: ['a', 'b'] },
        rows.map(([a, b]) => JSON.stringify({ a, b })),
      )
      assert.deepEqual(
        tsv
          .split('\n')
          .slice(0, -1)
          .map((line) => line.split('\t').map(unescape)),
        rows,
      )
      const log = encode(
        { format: 'log', valueType: 'string' },
        rows.map(([a]) => a),
      )
      assert.deepEqual(
        log.split('\n').slice(0, -1).map(unescape),
        rows.map(([a]) => a),
      )
    }),
  )
})

test('log: JSON stays as it came, on one line', () => {
  const text = '{\n  "a": "x\\ny",\r\n  "n": 1.0\n}'
  const log = encode({ format: 'log' }, [text])
  assert.equal(log, '{   "a": "x\\ny",    "n": 1.0 }\n')
  assert.deepEqual(JSON.parse(log), { a: 'x\ny', n: 1 })
})

test('jsonl: an object of the columns, or of the record with its value inside', () => {
  assert.equal(
    encode({ format: 'jsonl', columns: ['a', '$offset'] }, ['{"b":1,"a":{"c":[1]}}', null]),
    '{"a":{"c":[1]},"offset":0}\n{"a":null,"offset":1}\n',
  )
  const lines = encode({ format: 'jsonl' }, [{ key: 'k', value: '{"big":12345678901234567890,\n"a":1}' }, null])
  assert.match(lines, /"value":\{"big":12345678901234567890, "a":1\}\}\n/)
  const records = lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  assert.deepEqual(records[1], { topic: 'flights', partition: 0, offset: 1, timestamp: 1001, key: null, value: null })
})

test('bytes: key and value as base64', () => {
  const binary = Uint8Array.of(0, 255, 10)
  assert.equal(encode({ valueType: 'bytes' }, [{ key: binary, value: binary }]), 'flights,0,0,1000,AP8K,AP8K\n')
  assert.equal(encode({ format: 'log', valueType: 'bytes' }, [{ value: binary }, null]), 'AP8K\n\\N\n')
})

test('a value that is no object has no columns: the error names topic, partition and offset', () => {
  assert.throws(
    () => encode({ columns: ['a'] }, ['{"a":1}', '[1,2]']),
    (error) =>
      error instanceof SinkRecordError &&
      error.offset === 1 &&
      error.message === 'topic flights, partition 0, offset 1: the value is an array, and columns need a JSON object',
  )
})

test('a field that every object inherits is no field of the value', () => {
  assert.equal(encode({ columns: ['constructor', 'toString'] }, ['{"toString":"own"}']), ',own\n')
})

test('decoded values: whole numbers of 64 bits keep their digits, and bytes are base64, in a column and within one', () => {
  const batch = batchOf(['{}'], { valueType: 'json' })
  const value = { id: 2n ** 63n - 1n, raw: Buffer.from([0, 255]), nested: { ids: [2n ** 60n], raw: Buffer.from('a') } }
  const lines = (format: 'csv' | 'tsv' | 'jsonl') =>
    createEncoder({ format, columns: ['id', 'raw', 'nested'], delimiter: ',', valueType: 'json' }).encode({
      ...batch,
      values: [value],
    })
  const nested = '{"ids":[1152921504606846976],"raw":"YQ=="}'
  assert.equal(lines('csv'), `9223372036854775807,AP8=,"${nested.replaceAll('"', '""')}"\n`)
  assert.equal(lines('tsv'), `9223372036854775807\tAP8=\t${nested}\n`)
  assert.equal(lines('jsonl'), `{"id":9223372036854775807,"raw":"AP8=","nested":${nested}}\n`)
})
