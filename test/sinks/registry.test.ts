/** What a user reads who wrote a `sink` object wrongly, and what the registry's definitions promise to the documentation. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sinks } from '../../src/sinks/index.ts'
import { createSinkRegistry } from '../../src/sinks/registry.ts'
import { SinkOptionsError } from '../../src/sinks/sink.ts'
import { stdoutSink } from '../../src/sinks/stdout.ts'

function messageOf(config: Record<string, unknown>, path?: string): string {
  try {
    sinks.configure(config, path)
  } catch (error) {
    assert.ok(error instanceof SinkOptionsError)
    return error.message
  }
  throw new assert.AssertionError({ message: 'it was accepted' })
}

test('an unknown type names the nearest and all', () => {
  assert.equal(
    messageOf({ type: 'sqllite' }, '[1].sink'),
    '[1].sink.type is "sqllite", which is no sink (did you mean "sqlite"?); sinks are "elasticsearch", "file", "influxdb", "mongodb", "mysql", "postgres", "s3", "sqlite", "stdout"',
  )
  assert.match(messageOf({}), /sink\.type is missing/)
})

test('an unknown option names the nearest and all', () => {
  const message = messageOf({ type: 'file', directory: 'out', 'rotate.record': 5 })
  assert.match(
    message,
    /^sink\.rotate\.record is no option \(did you mean "rotate\.records"\?\); options are "directory", /,
  )
})

test('a value that is not allowed is named with its path and what is allowed', () => {
  const format = messageOf({ type: 'file', directory: 'out', format: 'cvs' })
  assert.match(format, /^sink\.format is "cvs" \(did you mean "csv"\?\): .*"csv"\|"tsv"\|"log"\|"jsonl"/)
  assert.match(messageOf({ type: 'file', directory: 'out', 'rotate.ms': -1 }), /^sink\.rotate\.ms is -1: .*>0/)
  assert.match(messageOf({ type: 'file' }), /^sink\.directory is missing: /)
  assert.match(
    messageOf({ type: 'file', directory: 'out', delimiter: '"' }),
    /sink\.delimiter is "\\"": expected one character/,
  )
  assert.match(
    messageOf({ type: 'sqlite', database: 'a', table: 'sluice_offsets' }),
    /sink\.table is "sluice_offsets": .*reserved/,
  )
})

test('every sink describes its options, and its example is accepted', () => {
  for (const definition of sinks.definitions) {
    for (const [name, option] of Object.entries(definition.options.shape)) {
      assert.ok((option as { description?: string }).description, `${definition.name}: ${name} has a description`)
    }
    assert.equal(sinks.configure(definition.example).definition, definition)
  }
})

test('two sinks of one name are a mistake', () => {
  assert.throws(() => createSinkRegistry([stdoutSink, stdoutSink]), /two sinks are named "stdout"/)
})
