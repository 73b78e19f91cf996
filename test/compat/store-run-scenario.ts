/**
 * `sluice run` with a store that is a server of its own, while records are produced: two processes of one conf, killed with -9 at random, the store killed too and for a while
 * not answering, and one process stopped for longer than its session lasts. In the end each record is there once.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '../../src/client/admin/admin.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { PARTITIONS, produce, TOPIC } from '../e2e/kill-scenario.ts'
import { SluiceProcess } from '../e2e/sluice-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

export const KILLS = 10
/** For the broker of the scenario. */
export const properties = { 'group.min.session.timeout.ms': 500, 'group.initial.rebalance.delay.ms': 100 }

const SESSION_TIMEOUT_MS = 2000
/** Longer than the session: its partitions go to the other process, and it comes back beside it. */
const stoppedMs = 2 * SESSION_TIMEOUT_MS
/** Longer than a request may take, which is a second. */
const silentMs = 2500

export interface StoreOfRun {
  readonly server: { kill(): Promise<void>; start(): Promise<void>; pause(): unknown; resume(): unknown }
  /** The `sink` object, with requests of at most a second. */
  readonly sink: object
  /** Grows with what is stored; asked while the store is up. */
  readonly progress: () => Promise<number>
  /** How many records a reader finds. */
  readonly stored: () => Promise<number>
}

/** Resolves with how many records were produced: all are stored, and the processes have ended well. */
export async function runScenario(
  t: TestContext,
  bootstrapServers: string,
  { server, sink, progress, stored }: StoreOfRun,
): Promise<{ produced: number; said: string }> {
  const random = seededRandom(17)
  const directory = await temporaryDirectory(t)
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  t.after(() => admin.close())
  await admin.createTopics([{ name: TOPIC, partitions: PARTITIONS }])
  const conf = join(directory, 'consumer.conf')
  const application = {
    'group.id': 'flight-consumers',
    'consumer.no': 2,
    topic: TOPIC,
    'bootstrap.servers': bootstrapServers,
    value: 'json',
    'session.timeout.ms': SESSION_TIMEOUT_MS,
    'heartbeat.interval.ms': 400,
    sink,
  }
  await writeFile(conf, JSON.stringify([application]))
  const stop = new AbortController()
  t.after(() => stop.abort())
  const producing = produce(bootstrapServers, stop.signal)
  producing.catch(() => {})

  const start = () => new SluiceProcess(t, ['run', conf], { cwd: directory })
  const processes: [SluiceProcess, SluiceProcess] = [start(), start()]
  const explained = (error: Error) => {
    throw new Error(`${error.message}\n${processes.map(({ stderr }) => stderr).join('\n')}`)
  }
  let said = ''
  for (let kill = 0; kill < KILLS; kill++) {
    // Only what is under way can be cut off.
    const before = await progress()
    await until(async () => (await progress()) > before, {
      withinMs: 120_000,
      everyMs: 50,
      what: 'records are stored',
    }).catch(explained)
    const untilNextMs = random.next() * 1000
    await sleep(untilNextMs)
    // A store that is not there when an application starts ends it, with the reason: only one that is at work waits for it.
    if (kill % 2 === 1) for (const process of processes) await process.says(/assigned/, 'stderr')
    if (kill % 4 === 1) {
      await server.kill()
      await server.start()
    }
    if (kill % 4 === 3) {
      await server.pause()
      await sleep(silentMs)
      await server.resume()
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
  await until(async () => (await stored()) >= produced, { withinMs: 120_000, everyMs: 500, what: 'all stored' }).catch(
    explained,
  )
  for (const process of processes) await process.says(/assigned/, 'stderr')
  for (const process of processes) process.kill('SIGTERM')
  for (const process of processes) {
    const { code, stderr } = await process.ended
    said += stderr
    assert.equal(code, 0, stderr)
  }
  return { produced, said }
}
