/** What a data directory does by itself as time goes by. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Clock } from '../../../src/seams/clock.ts'
import { systemDisk } from '../../../src/seams/disk.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { until } from '../../support/until.ts'
import { batchOf, keyed, openLogs, readAll, START_MS, valuesOf } from './log-fixtures.ts'

/** Fires its timers when it is moved over them. */
class MovedClock implements Clock {
  ms = START_MS
  #timers = new Set<{ atMs: number; callback: () => void }>()
  now = () => this.ms
  monotonic = () => this.ms
  sleep = () => Promise.resolve()
  yield = () => Promise.resolve()

  setTimer(delayMs: number, callback: () => void) {
    const timer = { atMs: this.ms + delayMs, callback }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  move(ms: number): void {
    this.ms += ms
    for (const timer of this.#timers) {
      if (timer.atMs > this.ms) continue
      this.#timers.delete(timer)
      timer.callback()
    }
  }

  get waiting(): number {
    return this.#timers.size
  }
}

test('retention, compaction and checkpoints come by themselves, again and again, until close', async (t) => {
  const clock = new MovedClock()
  const directory = await temporaryDirectory(t)
  const logs = await openLogs(t, directory, {
    clock,
    retentionCheckIntervalMs: 1000,
    cleanerBackoffMs: 300,
    checkpointIntervalMs: 200,
  })
  const old = (await logs.createTopic('old', 1, { 'retention.ms': '10' })).partitions[0]!
  const state = (await logs.createTopic('state', 1, { 'cleanup.policy': 'compact' })).partitions[0]!
  for (let round = 1; round <= 3; round++) {
    await old.append(batchOf(['x'], { timestamp: clock.ms }))
    await state.append(batchOf([keyed('a', `${round}`, clock.ms)]))
    await state.append(batchOf([keyed('a', `${round} again`, clock.ms)]))
    await state.roll()
    await until(() => clock.waiting === 4, { what: 'every chore waits for its next time' })
    clock.move(1000)
    await until(() => old.logStartOffset === round, { what: 'retention' })
    await until(async () => (await readAll(state)).length === 1, { what: 'compaction' })
    assert.deepEqual(valuesOf(await readAll(state)), [`${round} again`])
    await until(() => state.recoveryPoint === 2 * round, { what: 'checkpoint' })
  }
  await until(() => clock.waiting === 4)
  await logs.close()
  assert.equal(clock.waiting, 0)
})

test('flush.ms: what has waited that long is synced', async (t) => {
  const clock = new MovedClock()
  let syncs = 0
  const disk = {
    ...systemDisk,
    open: async (...args: Parameters<typeof systemDisk.open>) => {
      const file = await systemDisk.open(...args)
      return { ...file, sync: () => ((syncs += args[0].endsWith('.log') ? 1 : 0), file.sync()) }
    },
  }
  const logs = await openLogs(t, await temporaryDirectory(t), { clock, disk })
  const log = (await logs.createTopic('topic', 1, { 'flush.ms': '800' })).partitions[0]!
  await log.append(batchOf(['a']))
  clock.move(500)
  await until(() => clock.waiting === 4)
  assert.equal(syncs, 0)
  clock.move(500)
  await until(() => syncs === 1, { what: 'the sync' })
  await until(() => clock.waiting === 4)
  clock.move(2000)
  await until(() => clock.waiting === 4)
  assert.equal(syncs, 1)
})

test('tail memory: what is held stays within its budget, whatever the number of partitions', async (t) => {
  const logs = await openLogs(t, await temporaryDirectory(t), { tailMemoryBytes: 10_000 })
  const topic = await logs.createTopic('topic', 5)
  for (let number = 0; number < 200; number++) await topic.partitions[number % 5]!.append(batchOf(['x'.repeat(100)]))
  assert.ok(logs.tailSizeInBytes <= 10_000 && logs.tailSizeInBytes > 9_000, String(logs.tailSizeInBytes))
  for (const log of topic.partitions) assert.equal((await readAll(log)).length, 40)
  await logs.deleteTopic('topic')
  assert.equal(logs.tailSizeInBytes, 0)
})
