/** Handlers in processes of their own: a clean stop handles nothing twice, and waits for nobody longer than it may. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Admin } from '../../src/client/admin/admin.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { SluiceProcess, spawnBroker } from './sluice-process.ts'

const KEYS = 20
const GROUP = 'chargers'

interface Place {
  readonly directory: string
  readonly bootstrapServers: string
  readonly admin: Admin
  readonly producer: Producer
  start(): SluiceProcess
  /** Lines of what was handled: `partition key number`. */
  lines(): string[]
}

async function placeOf(t: TestContext, handler: string, settings: Record<string, unknown>): Promise<Place> {
  const directory = await temporaryDirectory(t)
  const { bootstrapServers } = await spawnBroker(t, await temporaryDirectory(t), {
    properties: { 'group.min.session.timeout.ms': 500, 'group.initial.rebalance.delay.ms': 100 },
  })
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  t.after(() => admin.close())
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers })
  t.after(() => producer.close({ timeoutMs: 0 }))
  await admin.createTopics([{ name: 'payments', partitions: 4 }])
  const handled = join(directory, 'handled')
  await writeFile(
    join(directory, 'charge.mjs'),
    `import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
const handled = (record) =>
  appendFileSync(${JSON.stringify(handled)}, \`\${record.partition} \${record.key} \${record.value}\\n\`)
${handler}`,
  )
  const conf = join(directory, 'consumer.conf')
  const application = {
    topic: 'payments',
    'group.id': GROUP,
    'bootstrap.servers': bootstrapServers,
    handler: './charge.mjs',
    ...settings,
  }
  await writeFile(conf, JSON.stringify(application))
  return {
    directory,
    bootstrapServers,
    admin,
    producer,
    start: () => new SluiceProcess(t, ['run', conf], { cwd: directory }),
    lines: () => (existsSync(handled) ? readFileSync(handled, 'utf8').split('\n').filter(Boolean) : []),
  }
}

async function produce({ producer }: Place, from: number, count: number): Promise<void> {
  await producer.sendBatch(
    Array.from({ length: count }, (_, index) => ({
      topic: 'payments',
      key: `card-${(from + index) % KEYS}`,
      value: String(from + index),
    })),
  )
}

async function endsWell(process: SluiceProcess): Promise<void> {
  process.kill('SIGTERM')
  const { code, stdout, stderr } = await process.ended
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^Bye$/m)
}

/** The last number of each key, as lines come; fails where one is not above the one before. */
function assertOrderByKey(lines: readonly string[]): void {
  const last = new Map<string, number>()
  for (const line of lines) {
    const [, key, number] = line.split(' ') as [string, string, string]
    assert.ok(Number(number) > (last.get(key) ?? -1), `${key}: ${number} after ${last.get(key)}`)
    last.set(key, Number(number))
  }
}

for (const threads of [true, false]) {
  await test(`handlers: a rolling restart of three processes handles each record once, by key in order (threads ${threads})`, async (t) => {
    const handler = `export default async (record) => {
  const workMs = 1 + (Number(record.value) % 7)
  await sleep(workMs)
  handled(record)
}`
    const place = await placeOf(t, handler, { order: 'key', concurrency: 50, threads, 'auto.commit.interval.ms': 100 })
    const processes = [place.start(), place.start(), place.start()]
    await produce(place, 0, 500)
    await until(() => place.lines().length > 100)
    let produced = 500
    for (const index of processes.keys()) {
      await produce(place, produced, 500)
      produced += 500
      await endsWell(processes[index]!)
      processes[index] = place.start()
      await processes[index].says(/owns payments/, 'stderr')
    }
    await until(() => place.lines().length >= produced, { withinMs: 60_000 })
    for (const process of processes) await endsWell(process)
    const lines = place.lines()
    assert.equal(lines.length, produced)
    assert.equal(new Set(lines).size, produced)
    assertOrderByKey(lines)
  })

  await test(`handlers: one that never ends does not hold up SIGTERM, and what others did is committed (threads ${threads})`, async (t) => {
    const handler = `export default async (record) => {
  if (record.partition === 0) await new Promise(() => {})
  handled(record)
}`
    const place = await placeOf(t, handler, {
      threads,
      'shutdown.timeout.ms': 2000,
      // Only the last commit counts.
      'auto.commit.interval.ms': 600_000,
    })
    for (const partition of [0, 1]) {
      await place.producer.sendBatch(
        Array.from({ length: 10 }, (_, index) => ({ topic: 'payments', partition, key: 'k', value: String(index) })),
      )
    }
    const process = place.start()
    await until(() => place.lines().length === 10)
    await endsWell(process)
    const offsets = [...(await place.admin.listGroupOffsets(GROUP))]
    assert.deepEqual(
      offsets.map(([{ partition }, { offset }]) => [partition, offset]).filter(([, offset]) => (offset ?? 0) > 0),
      [[1, 10]],
    )
  })
}
