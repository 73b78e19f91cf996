/** The stdout sink: what a terminal shows, what a slow reader does to it, and how it ends when the reader goes. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { type SinkContext, SinkEndedError } from '../../src/sinks/sink.ts'
import { stdoutSinkTo } from '../../src/sinks/stdout.ts'
import { until } from '../support/until.ts'
import { batchOf, contextOf, flights, opened, storeAll } from './fixtures.ts'

async function printed(
  t: TestContext,
  rows: Parameters<typeof batchOf>[0],
  changes: Partial<SinkContext>,
  options = {},
): Promise<string> {
  const stream = new PassThrough()
  t.after(() => stream.destroy())
  const context = contextOf({ valueType: 'string', ...changes })
  const batch = batchOf(rows, { valueType: context.valueType })
  await storeAll(stdoutSinkTo(() => stream).create({ prefix: 'auto', ...options }), context, batch)
  return (stream.read() as Buffer).toString()
}

test('one consumer prints plain values, several say whose each line is', async (t) => {
  const rows = ['first', '', null]
  assert.equal(await printed(t, rows, {}), 'first\n\nnull\n')
  const changes = { consumer: 'consumer-thread-1', consumerCount: 3 }
  assert.equal(
    await printed(t, rows, changes),
    'consumer-thread-1 >> first\nconsumer-thread-1 >> \nconsumer-thread-1 >> null\n',
  )
  assert.equal(await printed(t, ['a'], changes, { prefix: 'never' }), 'a\n')
  assert.equal(await printed(t, ['a'], {}, { prefix: 'always' }), 'consumer-thread-0 >> a\n')
})

test('JSON is printed as it came, bytes as text', async (t) => {
  assert.equal(await printed(t, ['{"a": 1.0}', '"text"'], { valueType: 'json' }), '{"a": 1.0}\n"text"\n')
  assert.equal(await printed(t, [{ value: Buffer.from('bytes') }], { valueType: 'bytes' }), 'bytes\n')
})

test('a write resolves when the reader has taken it: a slow reader slows the application down', async (t) => {
  const taken: (() => void)[] = []
  const slow = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => void taken.push(done) })
  t.after(() => slow.destroy())
  const sink = stdoutSinkTo(() => slow).create({ prefix: 'auto' })
  await opened(sink, contextOf())
  let written = false
  const writing = sink.write(batchOf(['{"a":1}'])).then(() => (written = true))
  await until(() => taken.length === 1)
  assert.equal(written, false)
  taken[0]!()
  await writing
  assert.deepEqual(await sink.flush(flights, 1, contextOf().signal), { durable: 1 })
  assert.deepEqual(await sink.revoked([flights], 'revoked'), [{ topicPartition: flights, durable: 1 }])
})

test('a reader that goes away ends the application without an error, also when it goes between two writes', async (t) => {
  const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
  const stream = new Writable({ write: (_chunk, _encoding, done) => done(broken) })
  t.after(() => stream.destroy())
  const sink = stdoutSinkTo(() => stream).create({ prefix: 'auto' })
  await opened(sink, contextOf())
  await assert.rejects(sink.write(batchOf(['{"a":1}'])), SinkEndedError)
  await assert.rejects(sink.write(batchOf(['{"a":1}'])), SinkEndedError)
  await assert.rejects(sink.flush(flights, 1, contextOf().signal), SinkEndedError)
})

test('a real pipe whose reader ends is told apart from a failure', async () => {
  const [stdout, fixtures] = ['../../src/sinks/stdout.ts', './fixtures.ts'].map(
    (path) => new URL(path, import.meta.url).href,
  )
  const script = `
    const { stdoutSink } = await import(${JSON.stringify(stdout)})
    const { batchOf, contextOf, opened } = await import(${JSON.stringify(fixtures)})
    const sink = stdoutSink.create({ prefix: 'auto' })
    await opened(sink, contextOf({ valueType: 'string' }))
    for (let first = 0; ; first++) {
      try { await sink.write(batchOf(['x'.repeat(10000)], { first, valueType: 'string' })) }
      catch (error) { process.stderr.write(error.code); break }
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const [code] = (await once(child, 'close')) as [number]
  assert.deepEqual([code, complaint], [0, 'SLUICE_SINK_ENDED'])
})
