/**
 * Two processes of one conf share a group whose handler notes each record in a file and sends one record for it. While records are produced they are killed
 * with -9 at random moments, or stopped for longer than their session lasts and woken up, or ended by SIGTERM, and started again.
 *
 *     killed      every record is handled at least once; with `exactly.once` its output is there exactly once for readers of committed records
 *     SIGTERM     every record is handled exactly once
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '../../src/client/admin/admin.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { SluiceProcess } from './sluice-process.ts'

export interface HandlerScenario {
  readonly bootstrapServers: string
  /** How each restart begins. */
  readonly by: 'SIGKILL' | 'SIGTERM'
  readonly restarts: number
  /** Of the restarts, how many come after a SIGSTOP that outlasts the session, and a SIGCONT. */
  readonly stops: number
  readonly seed: number
  readonly isExactlyOnce: boolean
  readonly sessionTimeoutMs: number
  readonly threads: boolean
  /** The values in a topic, as a reader of committed records that is none of ours sees them now. */
  readonly readCommitted: (topic: string) => Promise<readonly string[]>
}

const PARTITIONS = 3
const KEYS = 7
const betweenSendsMs = 20

export async function handlerScenario(t: TestContext, options: HandlerScenario): Promise<{ records: number }> {
  const directory = await temporaryDirectory(t)
  const { bootstrapServers, isExactlyOnce } = options
  const random = seededRandom(options.seed)
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  t.after(() => admin.close())
  await admin.createTopics([
    { name: 'orders', partitions: PARTITIONS },
    { name: 'receipts', partitions: 1 },
  ])
  const conf = join(directory, 'consumer.conf')
  await writeFile(join(directory, 'charge.ts'), handlerModule(join(directory, 'handled.log')))
  await writeFile(conf, JSON.stringify(confOf(options)))
  const stop = new AbortController()
  const producing = produce(bootstrapServers, stop.signal)
  producing.catch(() => {})
  t.after(() => stop.abort())
  const start = () => new SluiceProcess(t, ['run', conf], { cwd: directory })
  const processes = [start(), start()]
  for (const process of processes) await process.says(/ owns orders/, 'stderr')
  for (let index = 0; index < options.restarts; index++) {
    const untilNextMs = 200 + random.next() * 1500
    await sleep(untilNextMs)
    const which = index % 2
    const process = processes[which]!
    assert.ok(!process.isOver, `a process ended by itself:\n${process.stderr}`)
    if (index < options.stops) {
      process.kill('SIGSTOP')
      await sleep(options.sessionTimeoutMs * 2)
      process.kill('SIGCONT')
      await sleep(random.next() * 500)
    }
    process.kill(options.by)
    const { code, stdout, stderr } = await process.ended
    if (options.by === 'SIGTERM') assert.deepEqual([code, stdout], [0, 'Bye\n'], stderr)
    processes[which] = start()
    await processes[which]!.says(/ owns orders/, 'stderr')
  }
  stop.abort()
  const records = await producing
  await until(() => handledIn(directory).size === records, {
    withinMs: 120_000,
    everyMs: 200,
    what: `${records} handled records`,
  }).catch((error: Error) => {
    throw new Error(
      `${error.message}, and ${handledIn(directory).size} are\n${processes.map((one) => one.stderr).join('\n')}`,
    )
  })
  for (const process of processes) process.kill('SIGTERM')
  for (const process of processes) assert.equal((await process.ended).code, 0, process.stderr)
  // A transaction that a killed process left open hides what was committed behind it, until the coordinator ends it.
  let outputs: readonly string[] = []
  await until(async () => new Set((outputs = await options.readCommitted('receipts'))).size >= records, {
    withinMs: 120_000,
    everyMs: 500,
    what: `the outputs of ${records} records`,
  }).catch((error: Error) => {
    throw new Error(`${error.message}: ${new Set(outputs).size} are there`)
  })
  assert.equal(new Set(outputs).size, records, 'each record has its output')
  if (isExactlyOnce) assert.equal(outputs.length, records, 'no output is there twice')
  if (options.by === 'SIGTERM') {
    const twice = [...handledIn(directory)].filter(([, times]) => times > 1)
    assert.deepEqual(twice, [], 'nothing is handled twice when every stop is clean')
  }
  return { records }
}

function confOf({ bootstrapServers, isExactlyOnce, sessionTimeoutMs, threads }: HandlerScenario): object {
  return {
    topic: 'orders',
    'group.id': 'charging',
    'bootstrap.servers': bootstrapServers,
    'session.timeout.ms': sessionTimeoutMs,
    'heartbeat.interval.ms': Math.floor(sessionTimeoutMs / 5),
    'auto.commit.interval.ms': 100,
    threads,
    handler: './charge.ts',
    order: 'key',
    concurrency: 20,
    'exactly.once': isExactlyOnce,
  }
}

/** Fails at times, and takes a while. */
const handlerModule = (log: string) => `
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
export default async function (record, { attempt, producer }) {
  await sleep(Math.random() * 10)
  if (attempt === 1 && record.offset % 97 === 13) throw new Error('for now')
  await producer.send({ topic: 'receipts', key: record.key, value: record.value })
  appendFileSync(${JSON.stringify(log)}, record.value + '\\n')
}
`

/** How often each record was handled. */
function handledIn(directory: string): ReadonlyMap<string, number> {
  const file = join(directory, 'handled.log')
  const counts = new Map<string, number>()
  if (!existsSync(file)) return counts
  // The last line may be on its way.
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) counts.set(line, (counts.get(line) ?? 0) + 1)
  return counts
}

async function produce(bootstrapServers: string, stop: AbortSignal): Promise<number> {
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers })
  let produced = 0
  try {
    while (!stop.aborted) {
      const from = produced
      const batch = Array.from({ length: 5 }, (_, index) => ({
        topic: 'orders',
        key: `customer-${(from + index) % KEYS}`,
        value: `order-${from + index}`,
      }))
      await producer.sendBatch(batch)
      produced += batch.length
      await sleep(betweenSendsMs)
    }
  } finally {
    await producer.close()
  }
  return produced
}
