/**
 * `sluice run` with the s3 sink while records are produced: two processes of one conf, killed with -9 at random, the store killed too and for a while not answering,
 * and one process stopped for longer than its session lasts. In the end each record is there once, in offset order, as another driver and parser read it.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '../../src/client/admin/admin.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { startBroker } from '../../src/testing/start-broker.ts'
import { PARTITIONS, produce, TOPIC } from '../e2e/kill-scenario.ts'
import { SluiceProcess } from '../e2e/sluice-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { startKafka } from './kafka.ts'
import { publishedKeys, rowsBelow } from './s3-reading.ts'
import { startMinio, startVersityGateway, type StoreServer } from './s3-servers.ts'

const SESSION_TIMEOUT_MS = 2000
const properties = { 'group.min.session.timeout.ms': 500, 'group.initial.rebalance.delay.ms': 100 }
/** Longer than the session: its partitions go to the other process, and it comes back beside it. */
const stoppedMs = 2 * SESSION_TIMEOUT_MS
/** Longer than a request may take. */
const silentMs = 2500

test('s3: ten kills of `sluice run` over MinIO and Apache Kafka, the store killed and silent: each record once', async (t) => {
  const kafka = await startKafka({ properties })
  t.after(() => kafka.stop())
  await scenario(t, await startMinio(), kafka.bootstrapServers, { gzip: false })
})

test('s3: the same over versitygw and the embedded broker, compressed', async (t) => {
  const broker = await startBroker({ properties })
  t.after(() => broker.stop())
  await scenario(t, await startVersityGateway(), broker.bootstrapServers, { gzip: true })
})

async function scenario(
  t: TestContext,
  server: StoreServer,
  bootstrapServers: string,
  { gzip }: { gzip: boolean },
): Promise<void> {
  t.after(() => server.stop())
  const random = seededRandom(17)
  const directory = await temporaryDirectory(t)
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  t.after(() => admin.close())
  await admin.createTopics([{ name: TOPIC, partitions: PARTITIONS }])
  const conf = join(directory, 'consumer.conf')
  await writeFile(conf, JSON.stringify([applicationOf(server, bootstrapServers, gzip)]))
  const stop = new AbortController()
  t.after(() => stop.abort())
  const producing = produce(bootstrapServers, stop.signal)
  producing.catch(() => {})

  const start = () => new SluiceProcess(t, ['run', conf], { cwd: directory })
  const processes: [SluiceProcess, SluiceProcess] = [start(), start()]
  let said = ''
  for (let kill = 0; kill < 10; kill++) {
    // Only what is under way can be cut off.
    const before = (await publishedKeys(server.client, 'flights/')).length
    await until(async () => (await publishedKeys(server.client, 'flights/')).length > before, {
      withinMs: 120_000,
      everyMs: 50,
      what: 'objects are published',
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${processes.map(({ stderr }) => stderr).join('\n')}`)
    })
    const untilNextMs = random.next() * 1000
    await sleep(untilNextMs)
    if (kill % 4 === 1) {
      await server.kill()
      await server.start()
    }
    if (kill % 4 === 3) {
      server.pause()
      await sleep(silentMs)
      server.resume()
    }
    const which = random.next() < 0.5 ? 0 : 1
    const process = processes[which]
    assert.ok(!process.isOver, `a process ended by itself:\n${process.stderr}`)
    if (kill === 5) {
      process.kill('SIGSTOP')
      await sleep(stoppedMs)
      process.kill('SIGCONT')
      await process.says(/has another owner|lost|assigned/, 'stderr')
    }
    process.kill('SIGKILL')
    said += (await process.ended).stderr
    processes[which] = start()
  }
  stop.abort()
  const produced = await producing
  const stored = async () => (await rowsBelow(server.client, 'flights/')).length
  await until(async () => (await stored()) >= produced, { withinMs: 120_000, everyMs: 500, what: 'all stored' }).catch(
    async (error: Error) => {
      const now = processes.map(({ stderr }) => stderr).join('\n')
      throw new Error(`${error.message}: ${await stored()} of ${produced}\n${now}`)
    },
  )
  for (const process of processes) await process.says(/assigned/, 'stderr')
  for (const process of processes) process.kill('SIGTERM')
  for (const process of processes) {
    const { code, stderr } = await process.ended
    said += stderr
    assert.equal(code, 0, stderr)
  }
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const rows = await rowsBelow(server.client, `flights/${TOPIC}/${partition}/`)
    const expected = Array.from({ length: Math.ceil((produced - partition) / PARTITIONS) }, (_, index) => [
      String(partition + index * PARTITIONS),
      String(partition),
    ])
    assert.deepEqual(rows, expected, `partition ${partition}: each record once, in offset order`)
  }
  assert.ok(!said.includes(server.credentials['secret.access.key']), 'no log line holds the secret')
  const objects = (await publishedKeys(server.client, 'flights/')).length
  t.diagnostic(
    `${produced} records in ${objects} objects, 10 kills, ${(said.match(/Trying again/g) ?? []).length} times tried again`,
  )
}

function applicationOf({ endpoint, credentials }: StoreServer, bootstrapServers: string, gzip: boolean): object {
  return {
    'group.id': 's3-consumers',
    'consumer.no': 2,
    topic: TOPIC,
    'bootstrap.servers': bootstrapServers,
    value: 'json',
    'session.timeout.ms': SESSION_TIMEOUT_MS,
    'heartbeat.interval.ms': 400,
    sink: {
      type: 's3',
      bucket: 'test',
      prefix: 'flights',
      endpoint,
      ...credentials,
      columns: ['id', '$partition'],
      gzip,
      'rotate.ms': 400,
      'request.timeout.ms': 1000,
    },
  }
}
