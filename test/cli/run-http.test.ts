/** `sluice run --http`: what a process tells about itself while it runs, is busy, is told to stop, or cannot listen. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Admin } from '../../src/client/admin/admin.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import { startBroker } from '../../src/testing/index.ts'
import { runSluice, SluiceProcess } from '../e2e/sluice-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

interface Shown {
  readonly consumers: readonly {
    readonly application: string
    readonly consumer: string
    readonly state: string
    readonly generation: number
    readonly assignment: readonly { topic: string; partition: number; position: number; done: number; lag: number }[]
    readonly lag: number
    readonly lastCommitAt: string | null
    readonly counts: Readonly<Record<string, number>>
    readonly missingTopics: readonly string[]
    readonly ageMs: number
  }[]
}

async function scene(t: TestContext, { topics = { clicks: 2 } as Record<string, number>, records = 0 } = {}) {
  const broker = await startBroker({
    topics,
    properties: { 'group.initial.rebalance.delay.ms': 0, 'auto.create.topics.enable': false },
  })
  t.after(() => broker.stop())
  const directory = await temporaryDirectory(t)
  const servers = broker.bootstrapServers
  const produce = async (count: number, topic = 'clicks') => {
    const producer = new Producer({ 'bootstrap.servers': servers })
    try {
      await producer.sendBatch(
        Array.from({ length: count }, (_, id) => ({ topic, partition: id % (topics[topic] ?? 1), value: String(id) })),
      )
    } finally {
      await producer.close()
    }
  }
  if (records > 0) await produce(records)
  const start = async (conf: object, args: readonly string[] = []) => {
    const path = join(directory, 'consumer.conf')
    const application = { topic: 'clicks', 'group.id': 'readers', 'bootstrap.servers': servers, ...conf }
    await writeFile(path, JSON.stringify(Array.isArray(conf) ? conf : application))
    const process = new SluiceProcess(t, ['run', path, '--http', '127.0.0.1:0', ...args])
    const [, url] = await process.says(/(http:\/\/127\.0\.0\.1:\d+) answers/, 'stderr')
    const status = async () => (await (await fetch(`${url}/status`)).json()) as Shown
    const codeOf = async (path: string) => (await fetch(`${url}${path}`)).status
    return { process, url: url!, status, codeOf }
  }
  return { servers, directory, produce, start }
}

for (const threads of [true, false]) {
  await test(`run --http: status, metrics and probes with threads ${threads}, also under many requests`, async (t) => {
    const { directory, start, produce } = await scene(t, { records: 3000 })
    const sink = { type: 'file', directory: join(directory, 'out'), format: 'log', 'rotate.ms': 200 }
    const conf = { threads, sink, 'consumer.no': 2, 'auto.commit.interval.ms': 200 }
    const { process, url, status, codeOf } = await start(conf)
    await until(async () => (await codeOf('/readyz')) === 200, { everyMs: 100, what: 'readiness' })
    const done = async () => (await status()).consumers.reduce((sum, { counts }) => sum + counts['stored']!, 0)
    await until(async () => (await done()) === 3000, { everyMs: 100, what: '3000 stored' })
    const generations = (await status()).consumers.map(({ generation }) => generation)
    const asking = Array.from({ length: 20 }, async () => {
      for (let round = 0; round < 100; round++) assert.equal(await codeOf(round % 2 ? '/metrics' : '/status'), 200)
    })
    await produce(3000)
    await Promise.all(asking)
    await until(async () => (await done()) === 6000, { everyMs: 100, what: '6000 stored' })
    await until(async () => (await status()).consumers.every(({ lag, lastCommitAt }) => lag === 0 && lastCommitAt), {
      everyMs: 100,
      what: 'no lag, and commits',
    })
    const { consumers } = await status()
    assert.deepEqual(
      consumers.map(({ generation }) => generation),
      generations,
      'nobody lost its membership',
    )
    const assignment = consumers.flatMap((one) => one.assignment)
    assert.deepEqual(
      new Set(assignment.map(({ topic, partition, done, lag }) => `${topic}-${partition} ${done} ${lag}`)),
      new Set(['clicks-0 3000 0', 'clicks-1 3000 0']),
    )
    const metrics = await (await fetch(`${url}/metrics`)).text()
    for (const pattern of [
      /^sluice_records_done_total\{group="readers",consumer="consumer-thread-0"\} \d+$/m,
      /^sluice_partition_lag\{group="readers",consumer="consumer-thread-\d",topic="clicks",partition="1"\} 0$/m,
      /^sluice_rebalance_events_total\{.*event="assigned"\} [1-9]/m,
      /^kafka_consumer_consumer_coordinator_metrics_commit_total\{.*client_id="readers-consumer-thread-0"\} [1-9]/m,
      /^kafka_consumer_consumer_fetch_manager_metrics_records_consumed_total\{.*,topic="clicks"\} [1-9]\d*$/m,
    ])
      assert.match(metrics, pattern)
    assert.match(
      process.stderr,
      /readers consumer-thread-\d: rebalance: assigned clicks-\d.* \(generation \d+, \d+ ms\)$/m,
    )
    process.kill('SIGTERM')
    const { code, stderr } = await process.ended
    assert.equal(code, 0, stderr)
    assert.match(stderr, /rebalance: revoked clicks-\d.* \(generation \d+, \d+ ms\)$/m)
  })
}

/** Keeps its thread's event loop busy from the first record until a file is there. */
const blockingHandler = (file: string) => `
import { existsSync } from 'node:fs'
const cell = new Int32Array(new SharedArrayBuffer(4))
export function handle() { while (!existsSync(${JSON.stringify(file)})) Atomics.wait(cell, 0, 0, 20) }
`

await test('run --http: a thread that is busy holds up no answer, is told to be old, and fails liveness until it goes on', async (t) => {
  const { servers, directory, start } = await scene(t, { topics: { clicks: 1, others: 1 }, records: 5 })
  const release = join(directory, 'release')
  await writeFile(join(directory, 'blocking.mjs'), blockingHandler(release))
  const common = { 'bootstrap.servers': servers, 'auto.commit.interval.ms': 100 }
  const sink = { type: 'file', directory: join(directory, 'out'), format: 'log' }
  const { process, status, codeOf } = await start(
    [
      { ...common, topic: 'clicks', 'group.id': 'blocked', handler: './blocking.mjs' },
      { ...common, topic: 'others', 'group.id': 'free', sink },
    ],
    ['--stalled-after', '1500'],
  )
  await until(async () => (await codeOf('/healthz')) === 503, { everyMs: 50, what: 'a stall' })
  const { consumers } = await status()
  const [blocked, free] = ['blocked', 'free'].map((name) => consumers.find(({ application }) => application === name)!)
  assert.ok(blocked!.ageMs > 1000, `told to be old: ${blocked!.ageMs} ms`)
  assert.equal(blocked!.state, 'running')
  assert.ok(free!.ageMs < blocked!.ageMs)
  assert.match(
    process.stderr,
    /blocked consumer-thread-0 is stalled: it has not answered \(its event loop is busy or stuck\) for \d+ s/,
  )
  await writeFile(release, '')
  await until(async () => (await codeOf('/healthz')) === 200, { everyMs: 50, what: 'liveness' })
  await until(async () => (await status()).consumers[0]!.counts['stored'] === 5, { everyMs: 50, what: '5 handled' })
  process.kill('SIGTERM')
  assert.equal((await process.ended).code, 0)
  assert.match(process.stderr, /blocked consumer-thread-0 is no longer stalled: it answers/)
})

await test('run --http: a port that is taken is said before anything is joined', async (t) => {
  const { servers, directory } = await scene(t)
  const other = createServer().listen(0, '127.0.0.1')
  t.after(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  const path = join(directory, 'consumer.conf')
  await writeFile(path, JSON.stringify({ topic: 'clicks', 'group.id': 'readers', 'bootstrap.servers': servers }))
  const { code, stderr } = await runSluice(t, ['run', path, '--http', `127.0.0.1:${port}`])
  assert.deepEqual(
    [code, stderr],
    [
      1,
      `sluice: --http 127.0.0.1:${port}: the port is in use by another process: choose another one, or 0 for one that is free. Nothing was started\n`,
    ],
  )
  const admin = new Admin({ 'bootstrap.servers': servers })
  t.after(() => admin.close())
  assert.deepEqual(await admin.listGroups(), [])
})

await test('run --http: what is no address is refused', async (t) => {
  for (const address of ['nowhere', '127.0.0.1:', '127.0.0.1:99999', '::1:9400']) {
    const { code, stderr } = await runSluice(t, ['run', 'consumer.conf', '--http', address])
    assert.deepEqual([code, /The form is host:port/.test(stderr)], [2, true], `${address}: ${stderr}`)
  }
})

await test('run: a topic that does not exist is said once for all consumers, and read as soon as it is created', async (t) => {
  const { servers, directory, start, produce } = await scene(t)
  const sink = { type: 'file', directory: join(directory, 'out'), format: 'log', 'rotate.ms': 100 }
  const { process, status } = await start({ topic: ['clicks', 'views'], 'consumer.no': 3, sink, threads: false })
  const missing = async () => new Set((await status()).consumers.flatMap(({ missingTopics }) => missingTopics))
  await until(async () => (await missing()).has('views'), { everyMs: 50, what: 'a missing topic' })
  const admin = new Admin({ 'bootstrap.servers': servers })
  t.after(() => admin.close())
  await admin.createTopics([{ name: 'views', partitions: 1 }])
  await produce(10, 'views')
  const done = async () => (await status()).consumers.reduce((sum, { counts }) => sum + counts['stored']!, 0)
  await until(async () => (await done()) === 10, { everyMs: 50, what: '10 stored' })
  await process.says(/readers: the topic views exists now, and is read$/m, 'stderr')
  assert.equal((await missing()).size, 0)
  process.kill('SIGTERM')
  const { code, stderr } = await process.ended
  assert.equal(code, 0)
  const said = stderr.split('\n').filter((line) => line.includes('does not exist'))
  assert.equal(said.length, 1, stderr)
  assert.match(
    said[0]!,
    /warn  readers: the topic views does not exist, and nothing of it is read\. .*sluice topics create views --bootstrap-server 127\.0\.0\.1:\d+/,
  )
})
