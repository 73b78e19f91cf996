/** What counts as stalled, and what does not, however long it lasts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Watchdog } from '../../src/app/watchdog.ts'
import type { ConsumerStatus } from '../../src/app/supervisor.ts'
import type { Clock } from '../../src/seams/clock.ts'
import type { Logger } from '../../src/seams/logger.ts'
import { consumerStatus, partitionReport, workerReport } from './consumer-status.ts'

function watched(limitMs = 5000) {
  let nowMs = 0
  const said: string[] = []
  const say = (_: object, message: string) => void said.push(message)
  const logger: Logger = { debug: say, info: say, warn: say, error: say }
  const watchdog = new Watchdog(limitMs, { monotonic: () => nowMs } as Clock, logger)
  return {
    watchdog,
    said,
    /** Looks once a second; the consumer has just answered unless the values say otherwise. */
    look: (seconds: number, of: (nowMs: number) => Partial<ConsumerStatus>) => {
      for (let second = 0; second < seconds; second++) {
        nowMs += 1000
        watchdog.look([consumerStatus({ heardAtMs: nowMs, ...of(nowMs) })])
      }
    },
    suspend: (ms: number) => void (nowMs += ms),
  }
}

const partition = (values: Parameters<typeof partitionReport>[0]) => ({
  report: workerReport({ partitions: [partitionReport(values)] }),
})

test('watchdog: lag and no movement for longer than the limit is a stall, said once; movement ends it', () => {
  const { watchdog, look, said } = watched()
  look(6, () => partition({ position: 10, done: 10, end: 50 }))
  assert.deepEqual(watchdog.stalls, [])
  look(3, () => partition({ position: 10, done: 10, end: 60 }))
  assert.deepEqual(watchdog.stalls, [
    {
      application: 'readers',
      consumer: 'consumer-thread-0',
      partition: 'clicks-0',
      seconds: 8,
      reason: 'clicks-0 has lag 50 and has not moved',
    },
  ])
  look(1, () => partition({ position: 11, done: 10, end: 60 }))
  assert.deepEqual(watchdog.stalls, [])
  assert.deepEqual(said, [
    'readers consumer-thread-0 is stalled: clicks-0 has lag 50 and has not moved for 6 s. /healthz fails until it moves',
    'readers consumer-thread-0 is no longer stalled: clicks-0 moves, or has nothing left to do',
  ])
})

for (const [what, values] of [
  ['nothing to read', () => partition({ position: 10, end: 10 })],
  ['a file that is not yet due, and nothing to read', () => partition({ position: 10, done: 2, end: 10 })],
  ['a slow store', (nowMs: number) => partition({ position: 900, done: nowMs, end: 9e9, isBusy: true })],
  ['a file that is not yet due, while reading', (nowMs: number) => partition({ position: nowMs, done: 2, end: 9e9 })],
  ['an end of the log that nobody has told', () => partition({ position: 10, end: undefined })],
  ['no partitions', () => ({ report: workerReport({ partitions: [] }) })],
  ['no connection yet', () => ({ report: undefined })],
  ['a restart that is due', () => ({ state: 'restarting' as const, heardAtMs: 0 })],
  ['a consumer that has failed', () => ({ state: 'failed' as const, heardAtMs: 0 })],
] as const) {
  test(`watchdog: ${what} is no stall`, () => {
    const { watchdog, look } = watched()
    look(600, values)
    assert.deepEqual(watchdog.stalls, [])
  })
}

test('watchdog: records that hang in the store or a handler are a stall, without any lag of the position', () => {
  const { watchdog, look } = watched()
  look(7, () => partition({ position: 10, done: 4, end: 10, isBusy: true }))
  assert.equal(watchdog.stalls[0]?.reason, 'clicks-0 has lag 6 and has not moved')
})

test('watchdog: a partition whose store does not say where it stands is a stall', () => {
  const { watchdog, look } = watched()
  look(7, () => partition({ position: undefined, done: undefined, end: undefined, isBusy: true }))
  assert.equal(watchdog.stalls[0]?.reason, 'clicks-0 could not be begun with')
})

test('watchdog: a consumer that does not answer is a stall', () => {
  const { watchdog, look } = watched()
  look(7, () => ({ heardAtMs: 1 }))
  assert.equal(watchdog.stalls[0]?.partition, undefined)
  assert.match(watchdog.stalls[0]!.reason, /has not answered/)
})

test('watchdog: of the time in which a process was suspended, ten seconds count', () => {
  const { watchdog, look, suspend } = watched(20_000)
  look(5, () => partition({ position: 10, done: 10, end: 50 }))
  suspend(3_600_000)
  look(1, () => partition({ position: 10, done: 10, end: 50 }))
  assert.deepEqual(watchdog.stalls, [])
  look(8, () => partition({ position: 10, done: 10, end: 50 }))
  assert.deepEqual(
    watchdog.stalls.map(({ seconds }) => seconds),
    [22],
  )
})

test('watchdog: a partition that is taken away and comes back begins anew', () => {
  const { watchdog, look } = watched()
  look(4, () => partition({ position: 10, end: 50 }))
  look(1, () => ({ report: workerReport({ partitions: [] }) }))
  look(4, () => partition({ position: 10, end: 50 }))
  assert.deepEqual(watchdog.stalls, [])
})
