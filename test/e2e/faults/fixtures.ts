/**
 * What the tests of faults stand on: a broker in a process of its own, a conf in a folder of its own, records that are numbered, and
 * looks into the stores that do not go through Sluice.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext } from 'node:test'
import { Admin } from '../../../src/client/admin/admin.ts'
import { Producer } from '../../../src/client/producer/producer.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { until } from '../../support/until.ts'
import { SluiceProcess, spawnBroker, type SpawnOptions } from '../sluice-process.ts'

export const brokerProperties = { 'group.initial.rebalance.delay.ms': 0, 'group.min.session.timeout.ms': 500 }

export interface Scene {
  readonly directory: string
  readonly bootstrapServers: string
  readonly port: number
  readonly broker: SluiceProcess
  /** Where the broker keeps its log: for another one on the same port. */
  readonly data: string
}

/** A broker, and a folder for the conf and the stores. */
export async function sceneOf(t: TestContext): Promise<Scene> {
  const directory = await temporaryDirectory(t)
  const data = join(directory, 'data')
  const { process: broker, port, bootstrapServers } = await spawnBroker(t, data, { properties: brokerProperties })
  return { directory, bootstrapServers, port, broker, data }
}

type Conf = Readonly<Record<string, unknown>>

/** The path of a conf with one application, which reads the topic `numbers` as JSON in the group `readers` unless `conf` says otherwise. */
export async function confFile(scene: Pick<Scene, 'directory' | 'bootstrapServers'>, conf: Conf): Promise<string> {
  const path = join(scene.directory, 'consumer.conf')
  const application = {
    topic: 'numbers',
    'group.id': 'readers',
    'bootstrap.servers': scene.bootstrapServers,
    'session.timeout.ms': 6000,
    'heartbeat.interval.ms': 500,
    'auto.commit.interval.ms': 100,
    value: 'json',
    ...conf,
  }
  await writeFile(path, JSON.stringify(application))
  return path
}

export const sqliteSink = (directory: string, more: Conf = {}): Conf => ({
  type: 'sqlite',
  database: join(directory, 'store', 'numbers.db'),
  table: 'numbers',
  columns: [{ name: 'id', type: 'integer' }],
  'flush.ms': 50,
  ...more,
})

export const fileSink = (directory: string, more: Conf = {}): Conf => ({
  type: 'file',
  directory: join(directory, 'store'),
  format: 'csv',
  columns: ['id'],
  'rotate.ms': 50,
  ...more,
})

export function runConf(
  t: TestContext,
  path: string,
  { arguments: more = [], ...options }: SpawnOptions & { arguments?: readonly string[] } = {},
): SluiceProcess {
  return new SluiceProcess(t, ['run', path, ...more], options)
}

export function adminOf(t: TestContext, bootstrapServers: string): Admin {
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  t.after(() => admin.close())
  return admin
}

export async function createTopic(t: TestContext, bootstrapServers: string, name = 'numbers'): Promise<void> {
  await adminOf(t, bootstrapServers).createTopics([{ name, partitions: 1 }])
}

/** Produces these values to one partition, in order. */
export async function produce(
  bootstrapServers: string,
  values: readonly string[],
  topic = 'numbers',
  partition = 0,
): Promise<void> {
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers })
  try {
    await producer.sendBatch(values.map((value) => ({ topic, partition, value })))
  } finally {
    await producer.close()
  }
}

/** `{"id":from}` … `{"id":to - 1}`. */
export function numbered(from: number, to: number, padding = 0): string[] {
  const pad = padding === 0 ? '' : `,"pad":"${'x'.repeat(padding)}"`
  return Array.from({ length: to - from }, (_, index) => `{"id":${from + index}${pad}}`)
}

export const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

/** The ids in the table, in the order in which they were stored. */
export function tableIds(directory: string): number[] {
  const path = join(directory, 'store', 'numbers.db')
  if (!existsSync(path)) return []
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 })
  try {
    return database
      .prepare('SELECT id FROM numbers ORDER BY rowid')
      .all()
      .map((row) => Number(row['id']))
  } catch (error) {
    if (/no such table/.test((error as Error).message)) return []
    throw error
  } finally {
    database.close()
  }
}

/** The ids in the files of partition 0, in the order of the files' names. */
export function fileIds(directory: string, topic = 'numbers'): number[] {
  const folder = join(directory, 'store', topic, '0')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.csv'))
    .sort()
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean))
    .map((line) => Number(line.split(',')[0]))
}

/** Waits until the store holds so many records. Fails with what the process said. */
export async function untilStored(
  process: SluiceProcess,
  ids: () => readonly number[],
  count: number,
  withinMs = 60_000,
): Promise<void> {
  await until(() => ids().length >= count || process.isOver, {
    withinMs,
    everyMs: 30,
    what: `${count} records stored`,
  }).catch((error: Error) => {
    throw new Error(`${error.message}; there are ${ids().length}\n${process.stderr}`)
  })
  assert.ok(ids().length >= count, `${ids().length} of ${count} records when it ended:\n${process.stderr}`)
}

/** Where the group stands with partition 0. */
export async function committedOffset(
  t: TestContext,
  bootstrapServers: string,
  topic = 'numbers',
  group = 'readers',
): Promise<number | undefined> {
  const offsets = await adminOf(t, bootstrapServers).listGroupOffsets(group)
  return offsets.get({ topic, partition: 0 })?.offset
}

/** SIGTERM must end it in good order. */
export async function endsInOrder(process: SluiceProcess): Promise<void> {
  process.kill('SIGTERM')
  const { code, stdout, stderr } = await process.ended
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^Bye$/m)
}
