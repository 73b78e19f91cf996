/** Workers in threads of their own, against the embedded broker: what a crash in one does, and what they share. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import { checkConf } from '../../src/app/conf.ts'
import { ConsumerFailedError, Supervisor } from '../../src/app/supervisor.ts'
import { ThreadHost } from '../../src/app/thread-host.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import { systemSeams } from '../../src/client/seams.ts'
import { silentLogger, type Logger } from '../../src/seams/logger.ts'
import { systemClock, type Clock } from '../../src/seams/clock.ts'
import { sinks as ownSinks } from '../../src/sinks/index.ts'
import type { SinkRegistry } from '../../src/sinks/sink.ts'
import { startBroker } from '../../src/testing/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { sinks as crashingSinks } from './crashing-sink.ts'

const crashing = { sinks: crashingSinks, sinksModule: new URL('./crashing-sink.ts', import.meta.url).href }

/** Restarts wait half a second and more; a test need not. */
const hastyClock: Clock = {
  ...systemClock,
  setTimer: (delayMs, callback, options) => systemClock.setTimer(delayMs / 50, callback, options),
}

interface Scene {
  readonly conf: object
  readonly sinks?: SinkRegistry
  readonly sinksModule?: string
  readonly stdout?: Writable
  readonly partitions?: number
  readonly records?: number
  readonly asValue?: (id: number) => string
}

async function run(
  t: TestContext,
  { conf, sinks = ownSinks, sinksModule, stdout, partitions = 1, records = 50, asValue = String }: Scene,
) {
  const broker = await startBroker({
    topics: { numbers: partitions },
    properties: { 'group.min.session.timeout.ms': 500 },
  })
  t.after(() => broker.stop())
  const producer = new Producer({ 'bootstrap.servers': broker.bootstrapServers })
  t.after(() => producer.close())
  await producer.sendBatch(
    Array.from({ length: records }, (_, id) => ({ topic: 'numbers', partition: id % partitions, value: asValue(id) })),
  )
  const said: string[] = []
  const say = (_: object, message: string) => void said.push(message)
  const logger: Logger = { debug: say, info: say, warn: say, error: say }
  const application = {
    topic: 'numbers',
    'group.id': 'readers',
    'bootstrap.servers': broker.bootstrapServers,
    'session.timeout.ms': 600,
    'heartbeat.interval.ms': 100,
    ...conf,
  }
  const supervisor = new Supervisor({
    applications: checkConf(application, 'consumer.conf', { sinks }),
    host: new ThreadHost({ logger, stdout: stdout ?? process.stdout, sinksModule }),
    transport: systemSeams().transport,
    clock: hastyClock,
    logger,
    reportEveryMs: 1000,
    onStatus: () => {},
  })
  const ended = supervisor.run()
  ended.catch(() => {})
  t.after(async () => {
    supervisor.stop()
    await ended.catch(() => {})
  })
  return { supervisor, ended, said }
}

const linesOf = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [])
const numbers = (count: number) => Array.from({ length: count }, (_, id) => id)

for (const [way, cause] of [
  ['throw', 'a bug in a timer'],
  ['reject', 'a bug in the store'],
  ['exit', 'its thread was ended from inside, with exit code 3'],
  ['memory', 'reaching memory limit'],
] as const) {
  await test(`threads: one that crashes by "${way}" is started again and loses nothing`, async (t) => {
    const file = join(await temporaryDirectory(t), 'out')
    const sink = { type: 'crashing', file, way }
    const { supervisor, ended, said } = await run(t, { ...crashing, conf: { sink, 'thread.memory.mb': 48 } })
    await until(() => linesOf(file).length >= 50, { withinMs: 60_000, what: `50 lines; said: ${said.join('\n')}` })
    assert.deepEqual(linesOf(file).map(Number), numbers(50))
    const [status] = supervisor.consumers
    assert.equal(status!.restarts, 1)
    assert.ok(status!.lastError?.includes(cause), status!.lastError)
    assert.ok(
      said.some(
        (line) => line.startsWith('readers consumer-thread-0 crashed: ') && line.includes('(1 of 10 within 600 s)'),
      ),
      said.join('\n'),
    )
    supervisor.stop()
    await ended
  })
}

await test('threads: crashes beyond the bound stop everything in good order, with the cause', async (t) => {
  const file = join(await temporaryDirectory(t), 'out')
  const sink = { type: 'crashing', file, way: 'throw', always: true }
  const { supervisor, ended } = await run(t, { ...crashing, conf: { sink, 'restart.max': 2, 'consumer.no': 2 } })
  await assert.rejects(ended, (error: ConsumerFailedError) => {
    assert.match(error.message, /a bug in a timer \(restarted 2 times within 600 s\)$/)
    assert.match(error.detail ?? '', /crashing-sink\.ts/)
    return error instanceof ConsumerFailedError
  })
  assert.deepEqual(supervisor.consumers.map(({ state }) => state).sort(), ['failed', 'stopped'])
})

await test('threads: what no restart can cure is not tried again', async (t) => {
  const file = join(await temporaryDirectory(t), 'out')
  const { supervisor, ended } = await run(t, {
    ...crashing,
    conf: { sink: { type: 'crashing', file, way: 'refuse' }, 'consumer.no': 2 },
    partitions: 2,
  })
  await assert.rejects(ended, /readers consumer-thread-\d: the table is another one$/)
  assert.deepEqual(
    supervisor.consumers.map(({ restarts }) => restarts),
    [0, 0],
  )
})

await test('threads: lines of several threads do not mix, and a slow reader holds the consumers back', async (t) => {
  let text = ''
  let isOpen = false
  const waiting: (() => void)[] = []
  const stdout = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      text += chunk
      if (isOpen) done()
      else waiting.push(done)
    },
  })
  const records = 20_000
  const { supervisor, ended } = await run(t, { conf: { 'consumer.no': 3 }, stdout, partitions: 6, records })
  await until(() => supervisor.consumers.every(({ partitions }) => partitions.length === 2))
  await until(() => waiting.length > 0)
  await until(() => supervisor.consumers.some(({ counts }) => counts.polled > 0))
  assert.ok(
    supervisor.consumers.every(({ counts }) => counts.stored === 0),
    'nothing is durable that the reader has not taken',
  )
  isOpen = true
  waiting.shift()!()
  await until(() => text.length > 0 && text.split('\n').length > records, { withinMs: 60_000 })
  const seen = new Set<number>()
  for (const line of text.trimEnd().split('\n')) {
    const match = /^consumer-thread-[012] >> (\d+)$/.exec(line)
    assert.ok(match, line)
    seen.add(Number(match[1]))
  }
  assert.equal(seen.size, records)
  supervisor.stop()
  await ended
})

await test('threads: a reader that goes away ends all of them without a failure', async (t) => {
  const stdout = new Writable({
    decodeStrings: false,
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
  })
  const { ended, supervisor } = await run(t, { conf: { 'consumer.no': 2 }, stdout, partitions: 2 })
  await ended
  assert.equal(supervisor.state, 'stopped')
})

await test('threads: several write one SQLite database, each record once', async (t) => {
  const path = join(await temporaryDirectory(t), 'numbers.db')
  const records = 4000
  const sink = {
    type: 'sqlite',
    database: path,
    table: 'numbers',
    columns: ['id'],
    'flush.ms': 10,
    'flush.records': 50,
  }
  const conf = { sink, value: 'json', 'consumer.no': 4, guarantee: 'transactional' }
  const { supervisor, ended, said } = await run(t, { conf, partitions: 4, records, asValue: (id) => `{"id":${id}}` })
  const stored = () => supervisor.consumers.reduce((sum, { counts }) => sum + counts.stored, 0)
  await until(() => stored() >= records, { withinMs: 60_000, what: `${records} stored; said: ${said.join('\n')}` })
  supervisor.stop()
  await ended
  const database = new DatabaseSync(path, { readOnly: true })
  t.after(() => database.close())
  const rows = database.prepare('SELECT id FROM numbers ORDER BY id').all() as { id: number }[]
  assert.deepEqual(
    rows.map(({ id }) => id),
    numbers(records),
  )
})

await test('threads: one that is asked and told to stop while it still loads answers both', async (t) => {
  const broker = await startBroker({ topics: { numbers: 1 } })
  t.after(() => broker.stop())
  const conf = { topic: 'numbers', 'group.id': 'readers', 'bootstrap.servers': broker.bootstrapServers }
  const [application] = checkConf(conf, 'consumer.conf', { sinks: ownSinks })
  const host = new ThreadHost({ logger: silentLogger, stdout: process.stdout })
  const heard: string[] = []
  const handle = host.launch({ consumer: 'consumer-thread-0', application: application! }, (message) => {
    heard.push(message.type === 'crashed' ? message.failure.message : message.type)
  })
  handle.post({ type: 'report' })
  handle.post({ type: 'stop' })
  await until(() => heard.length >= 2, { withinMs: 60_000 })
  assert.deepEqual(heard, ['report', 'stopped'])
})
