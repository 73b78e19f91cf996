/**
 * Two processes of one conf share two groups, one into files and one into SQLite, while records are produced. They are killed with -9 at
 * random moments and started again; at times one is stopped (SIGSTOP) for longer than its session lasts and then goes on, so that two owners
 * are alive at once. In the end each record must be there once: in the files of its partition in offset order, and in the table.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '../../src/client/admin/admin.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import { seededRandom, type Random } from '../../src/seams/random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { SluiceProcess } from './sluice-process.ts'

export interface StoreOptions {
  readonly bootstrapServers: string
  /** Must be allowed by the broker (group.min.session.timeout.ms). */
  readonly sessionTimeoutMs: number
  /** false keeps each process on one thread, which starts sooner. */
  readonly threads?: boolean
}

export interface KillOptions extends StoreOptions {
  readonly kills: number
  /** How many times one process is stopped for longer than its session, beside the kills. */
  readonly stops: number
  readonly seed: number
  /** Replicas of each partition; more than one where a broker is killed too. Default: the broker's. */
  readonly replicationFactor?: number
  /** Called before each kill; the scenario that kills the broker too does it here. */
  readonly beforeKill?: (index: number) => Promise<void>
}

export const PARTITIONS = 4
const betweenSendsMs = 20
export const TOPIC = 'flights'

export async function killScenario(
  t: TestContext,
  options: KillOptions,
): Promise<{ records: number; lostSessions: number }> {
  const directory = await temporaryDirectory(t)
  const random = seededRandom(options.seed)
  const { bootstrapServers } = options
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  t.after(() => admin.close())
  await admin.createTopics([{ name: TOPIC, partitions: PARTITIONS, replicationFactor: options.replicationFactor }])
  const conf = join(directory, 'consumer.conf')
  await writeFile(conf, confOf(directory, options))
  const stop = new AbortController()
  const producing = produce(bootstrapServers, stop.signal)
  // A scenario that fails on its way does not wait for the last records.
  producing.catch(() => {})
  t.after(() => stop.abort())
  const start = () => new SluiceProcess(t, ['run', conf], { cwd: directory })
  const processes: [SluiceProcess, SluiceProcess] = [start(), start()]
  for (let index = 0; index < options.kills; index++) {
    const untilNextMs = 200 + random.next() * 1300
    await sleep(untilNextMs)
    await options.beforeKill?.(index)
    const which = random.next() < 0.5 ? 0 : 1
    assertRunning(processes[which])
    if (index < options.stops) await stopForAWhile(processes[which], random, options.sessionTimeoutMs)
    processes[which].kill('SIGKILL')
    await processes[which].ended
    processes[which] = start()
  }
  stop.abort()
  const produced = await producing
  assert.ok(produced > 0, 'records were produced')
  // The last of them may just have been started, and find everything stored: a signal counts from when it is at work.
  for (const process of processes) await process.says(/assigned/, 'stderr')
  await checkStores(directory, produced, processes)
  return { records: produced, lostSessions: options.stops }
}

/** Waits until both stores hold what was produced, stops the processes, and looks for each record, once. */
export async function checkStores(
  directory: string,
  produced: number,
  processes: readonly SluiceProcess[],
): Promise<void> {
  await until(() => countOf(directory).table >= produced && countOf(directory).files >= produced, {
    withinMs: 120_000,
    everyMs: 100,
    what: `${produced} records in the store`,
  }).catch((error: Error) => {
    const said = processes.map(({ stderr }) => stderr).join('\n')
    throw new Error(`${error.message}; it holds ${JSON.stringify(countOf(directory))}\n${said}`)
  })
  for (const process of processes) process.kill('SIGTERM')
  for (const process of processes) {
    const { code, stdout, stderr } = await process.ended
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^Bye$/m)
  }
  checkFiles(directory, produced)
  checkTable(directory, produced)
}

/** A group that stores into files and one that stores into SQLite. */
export function confOf(
  directory: string,
  { bootstrapServers, sessionTimeoutMs, threads = true }: StoreOptions,
): string {
  const common = {
    topic: TOPIC,
    threads,
    'bootstrap.servers': bootstrapServers,
    'session.timeout.ms': sessionTimeoutMs,
    'heartbeat.interval.ms': Math.floor(sessionTimeoutMs / 5),
    'auto.commit.interval.ms': 200,
    value: 'json',
  }
  const file = {
    type: 'file',
    directory: join(directory, 'out'),
    format: 'csv',
    columns: ['id', '$partition'],
    'rotate.records': 400,
    'rotate.ms': 300,
  }
  const sqlite = {
    type: 'sqlite',
    database: join(directory, 'flights.db'),
    table: TOPIC,
    columns: ['id', 'text'],
    'flush.records': 150,
    'flush.ms': 100,
  }
  return JSON.stringify([
    { ...common, 'group.id': 'file-consumers', 'consumer.no': 2, sink: file },
    { ...common, 'group.id': 'sqlite-consumers', 'consumer.no': 1, sink: sqlite },
  ])
}

/** Record n goes to partition n % PARTITIONS, so that each partition's order is known. Resolves with how many were acknowledged. */
export async function produce(bootstrapServers: string, stop: AbortSignal): Promise<number> {
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers, 'delivery.timeout.ms': 120_000 })
  let produced = 0
  try {
    while (!stop.aborted) {
      const from = produced
      await producer.sendBatch(
        Array.from({ length: 40 }, (_, index) => ({
          topic: TOPIC,
          partition: (from + index) % PARTITIONS,
          value: JSON.stringify({ id: from + index, text: `flight "${from + index}", late` }),
        })),
      )
      produced += 40
      await sleep(stop.aborted ? 0 : betweenSendsMs)
    }
  } finally {
    await producer.close({ timeoutMs: 30_000 })
  }
  return produced
}

function assertRunning(process: SluiceProcess): void {
  assert.ok(!process.isOver, `a process ended by itself:\n${process.stderr}`)
}

/** Long enough for the group to give its partitions away; then it goes on beside their new owner for a moment. */
async function stopForAWhile(process: SluiceProcess, random: Random, sessionTimeoutMs: number): Promise<void> {
  process.kill('SIGSTOP')
  await sleep(sessionTimeoutMs * (1.5 + random.next()))
  process.kill('SIGCONT')
  await sleep(random.next() * 1500)
  assertRunning(process)
}

/** Lines of a partition's published files, concatenated in the order of their names. */
function linesOf(directory: string, partition: number): string[] {
  const folder = join(directory, 'out', TOPIC, String(partition))
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.csv'))
    .sort()
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean))
}

export function countOf(directory: string): { files: number; table: number } {
  let files = 0
  for (let partition = 0; partition < PARTITIONS; partition++) files += linesOf(directory, partition).length
  const rows = query(directory, `SELECT count(*) AS n FROM ${TOPIC}`)
  return { files, table: Number(rows[0]?.['n'] ?? 0) }
}

function query(directory: string, sql: string): Record<string, unknown>[] {
  const path = join(directory, 'flights.db')
  if (!existsSync(path)) return []
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 })
  try {
    return database.prepare(sql).all() as Record<string, unknown>[]
  } catch (error) {
    if (/no such table/.test((error as Error).message)) return []
    throw error
  } finally {
    database.close()
  }
}

function checkFiles(directory: string, produced: number): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const expected: string[] = []
    for (let id = partition; id < produced; id += PARTITIONS) expected.push(`${id},${partition}`)
    const lines = linesOf(directory, partition)
    const wrong = lines.findIndex((line, index) => line !== expected[index])
    const where = wrong < 0 ? '' : `: line ${wrong + 1} is "${lines[wrong]}" and not "${expected[wrong]}"`
    assert.ok(wrong < 0, `partition ${partition}: each record once, in offset order${where}`)
    assert.equal(lines.length, expected.length, `partition ${partition}`)
  }
}

function checkTable(directory: string, produced: number): void {
  const [row] = query(
    directory,
    `SELECT count(*) AS n, count(DISTINCT id) AS ids, min(id) AS least, max(id) AS most FROM ${TOPIC}`,
  )
  assert.deepEqual({ ...row }, { n: produced, ids: produced, least: 0, most: produced - 1 })
}
