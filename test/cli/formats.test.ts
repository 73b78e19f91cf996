/** Tables, record lines, properties files and errors: what the command line reads and prints, without a process. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandError, describeError, UsageError } from '../../src/cli/exit.ts'
import { textLogger } from '../../src/cli/logger.ts'
import { formatTable } from '../../src/cli/output.ts'
import { parsePropertiesFile } from '../../src/cli/properties-file.ts'
import { recordFormatter } from '../../src/cli/record-format.ts'
import { deserializers } from '../../src/client/serialization/deserializers.ts'
import { RecordBatchWriter } from '../../src/protocol/records/batch-writer.ts'
import type { ConsumerRecord } from '../../src/protocol/records/consumer-record.ts'
import { RecordBatch } from '../../src/protocol/records/record-batch.ts'
import { RecordCursor } from '../../src/protocol/records/record-cursor.ts'
import { recordAt } from '../app/simulation/cluster.ts'

await test('table: columns are aligned, numbers to the right, nothing is a hyphen', () => {
  const text = formatTable(
    ['GROUP', 'LAG', 'HOST'],
    [
      ['a', 5, '/127.0.0.1'],
      ['longer', 1200, null],
    ],
  )
  assert.equal(text, ['GROUP    LAG  HOST', 'a          5  /127.0.0.1', 'longer  1200  -'].join('\n'))
})

await test('table: a row never ends in blanks, and no rows leave the headings', () => {
  assert.equal(formatTable(['A', 'B'], []), 'A  B')
})

await test('properties file: as Java reads it', () => {
  const text = [
    '# a comment',
    '! another',
    'bootstrap.servers = a:1,b:2',
    'client.id:me',
    'sasl.jaas.config org.apache.Module required \\',
    '    username="x";',
    'key\\ with\\=signs=value = with signs',
    'unicode=\\u00e4\\tb',
    'empty=',
    '',
    'last=one',
  ].join('\r\n')
  assert.deepEqual(parsePropertiesFile(text), {
    'bootstrap.servers': 'a:1,b:2',
    'client.id': 'me',
    'sasl.jaas.config': 'org.apache.Module required username="x";',
    'key with=signs': 'value = with signs',
    unicode: 'ä\tb',
    empty: '',
    last: 'one',
  })
})

await test('record format: what a deserializer gave, as text or as JSON', () => {
  const batch = new RecordBatch(
    (() => {
      const writer = new RecordBatchWriter()
      writer.append({
        key: Buffer.from('0000002a', 'hex'),
        value: Buffer.from('0020000000000001', 'hex'),
        timestamp: 0,
      })
      return writer.build()
    })(),
  )
  const records: ConsumerRecord[] = []
  const { integer, long } = deserializers
  new RecordCursor(batch, 'numbers', 0, { deserializers: { key: integer, value: long } }).take(records, 1, 0)
  assert.equal(recordFormatter({ 'print.key': 'true' }, false)(records[0]!), '42\t9007199254740993\n')
  assert.match(recordFormatter({}, true)(records[0]!), /"key":42,"value":9007199254740993,/)
})

await test('record format: the value alone, and what print.* adds', () => {
  const record = recordAt(2, 7, 'v', null)
  assert.equal(recordFormatter({}, false)(record), 'v\n')
  const everything = { 'print.key': 'true', 'print.partition': 'true', 'print.offset': 'true', 'key.separator': '|' }
  assert.equal(recordFormatter(everything, false)(record), 'Partition:2|Offset:7|null|v\n')
  assert.equal(recordFormatter({ 'print.headers': 'true' }, false)(record), 'NO_HEADERS\tv\n')
  assert.deepEqual(JSON.parse(recordFormatter({}, true)(record)), {
    topic: 'flights',
    partition: 2,
    offset: 7,
    timestamp: 0,
    key: null,
    value: 'v',
    headers: [],
  })
  assert.throws(() => recordFormatter({ 'print.keys': 'true' }, false), /did you mean "print\.key"/)
})

await test('errors: a user’s mistake has no stack, and a code of its own', () => {
  assert.deepEqual(describeError(new UsageError('which topic?')), { text: 'which topic?', code: 2 })
  assert.deepEqual(describeError(new CommandError('no such topic')), { text: 'no such topic', code: 1 })
  const missing = Object.assign(new Error('ENOENT: no such file, open x'), { code: 'ENOENT', path: 'x' })
  assert.deepEqual(describeError(missing), { text: 'x: there is no such file or directory (ENOENT)', code: 1 })
  assert.match(describeError(new TypeError('undefined is no function')).text, /unexpected error.*\n.*\n\s+at /)
})

await test('log: lines for people, from the level on that was asked for', () => {
  const lines: string[] = []
  const clock = { now: () => Date.UTC(2026, 0, 1, 12, 30, 0, 5) }
  const logger = textLogger('warn', (line) => lines.push(line), clock as never)
  logger.info({}, 'not this')
  logger.error({ group: 'g', topic: 'this', inner: {} }, 'this')
  assert.deepEqual(lines, ['12:30:00.005 error this (group g)\n'])
})
