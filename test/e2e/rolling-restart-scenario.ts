/**
 * Three processes of one conf share two groups, one into files and one into SQLite, while records are produced. One after the other is ended by SIGTERM, as a
 * rolling restart does it, and started again; the next one is not touched before it is ready. In the end each record must be there once.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Admin } from '../../src/client/admin/admin.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { checkStores, confOf, countOf, PARTITIONS, produce, type StoreOptions, TOPIC } from './kill-scenario.ts'
import { SluiceProcess } from './sluice-process.ts'

export interface RollingOptions extends StoreOptions {
  /** How often each of the processes is restarted. */
  readonly rounds: number
}

export async function rollingRestartScenario(t: TestContext, options: RollingOptions): Promise<{ records: number }> {
  const directory = await temporaryDirectory(t)
  const { bootstrapServers, rounds } = options
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  t.after(() => admin.close())
  await admin.createTopics([{ name: TOPIC, partitions: PARTITIONS }])
  const conf = join(directory, 'consumer.conf')
  await writeFile(conf, confOf(directory, options))
  const stop = new AbortController()
  const producing = produce(bootstrapServers, stop.signal)
  producing.catch(() => {})
  t.after(() => stop.abort())
  const start = () => new SluiceProcess(t, ['run', conf, '--http', '127.0.0.1:0'], { cwd: directory })
  const processes = [start(), start(), start()]
  for (const process of processes) await ready(process)
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < processes.length; index++) {
      const before = countOf(directory)
      processes[index]!.kill('SIGTERM')
      const { code, stdout, stderr } = await processes[index]!.ended
      assert.equal(code, 0, stderr)
      assert.match(stdout, /^Bye$/m)
      processes[index] = start()
      await ready(processes[index]!)
      await until(() => countOf(directory).table > before.table && countOf(directory).files > before.files, {
        everyMs: 50,
        withinMs: 60_000,
        what: 'more records in both stores',
      })
    }
  }
  stop.abort()
  const records = await producing
  await checkStores(directory, records, processes)
  return { records }
}

async function ready(process: SluiceProcess): Promise<void> {
  const [, url] = await process.says(/(http:\/\/\S+) answers/, 'stderr')
  const isReady = async () => !process.isOver && (await fetch(`${url}/readyz`)).ok
  await until(isReady, { everyMs: 50, withinMs: 90_000, what: 'readiness' }).catch((error: Error) => {
    throw new Error(`${error.message}\n${process.stderr}`)
  })
}
