/**
 * `sluice run` with the postgres sink, the embedded broker and a real PostgreSQL 15, while records are produced: two processes of one conf, killed
 * with -9 ten times at random, the server killed too, and one process stopped for longer than its session lasts. In the end each record is
 * there once: appended, and by key.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '../../src/client/admin/admin.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { SluiceProcess } from '../e2e/sluice-process.ts'
import { startBroker } from '../../src/testing/start-broker.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { PASSWORD, query, startPostgres } from './postgres.ts'

const KILLS = 10
const PARTITIONS = 4
const KEYS = 500
const SESSION_TIMEOUT_MS = 1500
/** Longer than the session: its partitions go to the other process, and it comes back beside it. */
const stoppedMs = 2 * SESSION_TIMEOUT_MS
const besideMs = 500

test('postgres: ten kills of `sluice run`, three of the server, a stopped process: each record once', async (t) => {
  const random = seededRandom(11)
  const directory = await temporaryDirectory(t)
  const server = await startPostgres(t)
  const broker = await startBroker({
    properties: { 'group.min.session.timeout.ms': 500, 'group.initial.rebalance.delay.ms': 100 },
  })
  t.after(() => broker.stop())
  const { bootstrapServers } = broker
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  t.after(() => admin.close())
  await admin.createTopics([{ name: 'flights', partitions: PARTITIONS }])

  const conf = join(directory, 'consumer.conf')
  const common = {
    topic: 'flights',
    'bootstrap.servers': bootstrapServers,
    value: 'json',
    'session.timeout.ms': SESSION_TIMEOUT_MS,
    'heartbeat.interval.ms': 300,
    'auto.commit.interval.ms': 200,
  }
  const sink = { type: 'postgres', ...server.options(), 'flush.records': 4000, 'flush.ms': 300 }
  const id = { name: 'id', type: 'bigint' }
  const append = {
    ...sink,
    table: 'appended',
    columns: [id, 'text', '$partition', '$offset', { name: 'at', field: '$timestamp' }],
  }
  const upsert = { ...sink, table: 'latest', columns: ['$key', id], mode: 'upsert', 'key.columns': ['key'] }
  const applications = [
    { ...common, 'group.id': 'append-consumers', 'consumer.no': 2, sink: append },
    { ...common, 'group.id': 'upsert-consumers', 'consumer.no': 1, sink: upsert },
  ]
  await writeFile(conf, JSON.stringify(applications))
  const stop = new AbortController()
  t.after(() => stop.abort())
  const producing = produce(bootstrapServers, stop.signal)
  producing.catch(() => {})

  let said = ''
  const start = () => new SluiceProcess(t, ['run', conf], { cwd: directory })
  const processes: [SluiceProcess, SluiceProcess] = [start(), start()]
  const groups = ['append-consumers', 'upsert-consumers']
  const stored = async () =>
    Number((await query(server.url(), 'SELECT coalesce(sum(next), 0) AS n FROM sluice_offsets'))[0]!['n'])
  for (let kill = 0; kill < KILLS; kill++) {
    // Only what is under way can be cut off.
    const before = kill === 0 ? 0 : await stored()
    await until(async () => (await stored().catch(() => 0)) > before, {
      withinMs: 120_000,
      everyMs: 50,
      what: 'records are stored',
    })
    const untilNextMs = random.next() * 1500
    await sleep(untilNextMs)
    if (kill % 4 === 1) {
      await server.kill()
      await server.start()
    }
    const which = random.next() < 0.5 ? 0 : 1
    const process = processes[which]
    assert.ok(!process.isOver, `a process ended by itself:\n${process.stderr}\n${process.stdout}`)
    if (kill === 5) {
      process.kill('SIGSTOP')
      await sleep(stoppedMs)
      process.kill('SIGCONT')
      await sleep(besideMs)
    }
    process.kill('SIGKILL')
    said += (await process.ended).stderr + process.stdout
    processes[which] = start()
  }
  stop.abort()
  const produced = await producing
  const count = async () => Number((await query(server.url(), 'SELECT count(*) AS n FROM appended'))[0]!['n'])
  await until(async () => (await stored()) >= groups.length * produced, {
    withinMs: 120_000,
    everyMs: 100,
    what: 'everything is stored',
  }).catch(async (error: Error) => {
    throw new Error(`${error.message}: ${await count()} of ${produced}\n${processes[0].stderr}\n${processes[1].stderr}`)
  })
  // The last of them may just have been started: a signal counts from when it is a member.
  const members = 2 * applications.reduce((sum, { 'consumer.no': count }) => sum + count, 0)
  await until(
    async () => {
      const described = await admin.describeGroups(groups)
      return groups.reduce((sum, group) => sum + described.get(group).members.length, 0) === members
    },
    { withinMs: 120_000, everyMs: 100, what: `${members} members` },
  )
  for (const process of processes) process.kill('SIGTERM')
  for (const process of processes) {
    const { code, stderr, stdout } = await process.ended
    said += stderr + stdout
    assert.equal(code, 0, stderr)
  }
  const [appended] = await query(
    server.url(),
    'SELECT count(*)::int AS n, count(DISTINCT id)::int AS ids, count(DISTINCT (partition, "offset"))::int AS places, min(id)::int AS least, max(id)::int AS most FROM appended',
  )
  assert.deepEqual(appended, { n: produced, ids: produced, places: produced, least: 0, most: produced - 1 })
  const latest = await query(server.url(), 'SELECT key, id::int FROM latest ORDER BY id')
  const expected = Array.from({ length: KEYS }, (_, index) => produced - KEYS + index)
  assert.deepEqual(
    latest,
    expected.map((one) => ({ key: `key-${one % KEYS}`, id: one })),
  )
  assert.ok(!said.includes(PASSWORD), 'no log line holds the password')
  t.diagnostic(`${produced} records, ${KILLS} kills, ${(said.match(/Trying again/g) ?? []).length} times tried again`)
})

/** Record n has the key n % KEYS and goes to the partition of its key. Resolves with how many were acknowledged, a multiple of KEYS. */
async function produce(bootstrapServers: string, stop: AbortSignal): Promise<number> {
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers, 'delivery.timeout.ms': 120_000 })
  let produced = 0
  try {
    while (!stop.aborted) {
      const from = produced
      const batch = Array.from({ length: 2 * KEYS }, (_, index) => ({
        topic: 'flights',
        partition: (from + index) % PARTITIONS,
        key: `key-${(from + index) % KEYS}`,
        value: JSON.stringify({
          id: from + index,
          text: `flight "${from + index}"\tlate, and ${'very '.repeat(10)}so`,
        }),
      }))
      await producer.sendBatch(batch)
      produced += batch.length
      await sleep(stop.aborted ? 0 : 40)
    }
  } finally {
    await producer.close({ timeoutMs: 30_000 })
  }
  return produced
}
