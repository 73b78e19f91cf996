/** Processes that are killed with SIGKILL while they append; and a second process at the same directory. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { LogDirectory } from '../../../src/broker/log/log-directory.ts'
import { LogDirectoryError } from '../../../src/broker/log/log-directory-error.ts'
import { seededRandom } from '../../../src/seams/random.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { until } from '../../support/until.ts'
import { openLogs, optionsFor, readAll } from './log-fixtures.ts'

function startAppending(t: TestContext, directory: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'appending-process.ts'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('latin1')))
  const closed = once(child, 'close')
  const lines = () =>
    output
      .slice(0, output.lastIndexOf('\n') + 1)
      .split('\n')
      .slice(0, -1)
  return { child, closed, lines }
}

test('kill -9 while appending: every acknowledged record is there, at its offset, once', async (t) => {
  const directory = await temporaryDirectory(t)
  const random = seededRandom(42)
  const acknowledged = new Map<string, string>()
  for (let round = 0; round < 6; round++) {
    const { child, closed, lines } = startAppending(t, directory)
    const wanted = 50 + Math.floor(random.next() * 2000)
    await until(() => lines().length > wanted, { what: 'the child appends', withinMs: 120_000 })
    child.kill('SIGKILL')
    await closed
    for (const line of lines().slice(1)) {
      const [partition, offset, value] = line.split(' ') as [string, string, string]
      const place = `${partition} ${offset}`
      assert.equal(acknowledged.get(place) ?? value, value, `the offset ${place} is given once`)
      acknowledged.set(place, value)
    }
    const logs = await openLogs(t, directory)
    const stored = new Map<string, string>()
    const counts = new Map<string, number>()
    for (const { partitions } of logs.topics()) {
      for (const log of partitions) {
        const records = await readAll(log)
        assert.deepEqual(
          records.map(({ offset }) => offset),
          Array.from({ length: log.logEndOffset }, (_, offset) => offset),
        )
        for (const record of records) {
          const value = record.valueText()!.slice(0, record.valueText()!.lastIndexOf(':'))
          stored.set(`${log.partition} ${record.offset}`, value)
          counts.set(value, (counts.get(value) ?? 0) + 1)
        }
      }
    }
    for (const [place, value] of acknowledged) assert.equal(stored.get(place), value, `the record at ${place}`)
    assert.ok([...counts.values()].every((count) => count === 1))
    await (round % 2 ? logs.close() : logs.abandon())
  }
})

test('open: a directory that another process uses is refused with its id, and free once that is killed', async (t) => {
  const directory = await temporaryDirectory(t)
  const { child, closed, lines } = startAppending(t, directory)
  await until(() => lines().includes('ready'), { what: 'the child has opened the directory' })
  await assert.rejects(LogDirectory.open(optionsFor(directory)), (error) => {
    assert.ok(error instanceof LogDirectoryError)
    assert.equal(error.code, 'SLUICE_DATA_DIRECTORY_LOCKED')
    assert.ok(error.message.includes(directory) && error.message.includes(String(child.pid)), error.message)
    return true
  })
  child.kill('SIGKILL')
  await closed
  const logs = await LogDirectory.open(optionsFor(directory))
  await assert.rejects(LogDirectory.open(optionsFor(directory)), { code: 'SLUICE_DATA_DIRECTORY_LOCKED' })
  await logs.close()
  await (await LogDirectory.open(optionsFor(directory))).close()
})
