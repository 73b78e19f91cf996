/** What is deleted, when, and what is left afterwards; and where a log begins. */
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import { type PartitionLog } from '../../../src/broker/log/partition-log.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { batchOf, openLogs, readAll, StandingClock, START_MS } from './log-fixtures.ts'

async function newLog(t: TestContext, config: Record<string, string>) {
  const clock = new StandingClock()
  const directory = await temporaryDirectory(t)
  const logs = await openLogs(t, directory, { clock, tailMemoryBytes: 0 })
  return { clock, directory, logs, log: (await logs.createTopic('topic', 1, config)).partitions[0]! }
}

async function fill(log: PartitionLog, count: number): Promise<void> {
  for (let number = 0; number < count; number++)
    await log.append(batchOf([`v${number}`], { timestamp: START_MS + 1000 * number }))
}

test('retention.ms: segments whose newest record is too old go, oldest first', async (t) => {
  const { clock, log, logs } = await newLog(t, { 'internal.segment.bytes': '200', 'retention.ms': '5000' })
  await fill(log, 10)
  clock.ms = START_MS + 10_500
  await logs.applyRetention()
  // Two records a segment: that of 4 and 5 is old (5500 ms), that of 6 and 7 is not.
  assert.equal(log.logStartOffset, 6)
  assert.equal((await readAll(log)).length, 4)
  await assert.rejects(
    log.read(5, { maxBytes: 10, isolation: 'read_uncommitted', minOneBatch: true }),
    /OFFSET_OUT_OF_RANGE/,
  )
})

test('retention.ms: when everything is old the log is empty, and goes on at its end after a restart too', async (t) => {
  const { clock, log, logs, directory } = await newLog(t, { 'retention.ms': '5000' })
  await fill(log, 10)
  clock.ms = START_MS + 3_600_000
  await logs.applyRetention()
  assert.deepEqual([log.logStartOffset, log.logEndOffset, log.sizeInBytes], [10, 10, 0])
  await logs.abandon()
  const again = await openLogs(t, directory)
  const reopened = again.partition('topic', 0)!
  assert.deepEqual([reopened.logStartOffset, reopened.logEndOffset], [10, 10])
  assert.equal((await reopened.append(batchOf(['next']))).baseOffset, 10)
})

test('retention.bytes: the oldest segments go as long as what is left is as large as it may be', async (t) => {
  const { log, logs } = await newLog(t, { 'internal.segment.bytes': '200', 'retention.bytes': '300' })
  await fill(log, 10)
  await logs.applyRetention()
  assert.ok(log.sizeInBytes >= 300 && log.sizeInBytes < 300 + 200, String(log.sizeInBytes))
  assert.equal(log.logEndOffset, 10)
})

test('retention: an open transaction keeps its records; compact-only topics keep everything', async (t) => {
  const { clock, log, logs } = await newLog(t, { 'internal.segment.bytes': '200', 'retention.ms': '1' })
  await log.append(batchOf(['a']))
  await log.append(batchOf(['b'], { producerId: 1, producerEpoch: 0, baseSequence: 0, isTransactional: true }))
  await log.roll()
  await fill(log, 4)
  clock.ms += 10_000_000
  await logs.applyRetention()
  assert.equal(log.logStartOffset, 0)
  await logs.alterConfig('topic', { 'cleanup.policy': 'compact' })
  await log.appendControl({ type: 'commit', producerId: 1, producerEpoch: 0, coordinatorEpoch: 0 })
  await logs.applyRetention()
  assert.equal(log.logStartOffset, 0)
  await logs.alterConfig('topic', { 'cleanup.policy': null })
  await logs.applyRetention()
  assert.ok(log.logStartOffset > 0)
})

test('segment.ms: a record much younger than the first of the segment begins a new one', async (t) => {
  const { log } = await newLog(t, { 'segment.ms': '1500' })
  await fill(log, 5)
  assert.deepEqual(
    log.segments.map(({ baseOffset }) => baseOffset),
    [0, 2, 4],
  )
})

test('deleteRecords: the log begins there, after a crash too; whole segments below are removed', async (t) => {
  const { log, logs, directory } = await newLog(t, { 'internal.segment.bytes': '200' })
  await fill(log, 10)
  assert.equal(await log.deleteRecords(5), 5)
  assert.equal(await log.deleteRecords(3), 5)
  await assert.rejects(log.deleteRecords(11), /OFFSET_OUT_OF_RANGE/)
  await assert.rejects(
    log.read(4, { maxBytes: 10, isolation: 'read_uncommitted', minOneBatch: true }),
    /OFFSET_OUT_OF_RANGE/,
  )
  assert.equal((await readAll(log))[0]!.offset, 5)
  assert.deepEqual(
    (await readdir(`${directory}/topic-0`)).filter((name) => name.endsWith('.log'))[0],
    '00000000000000000004.log',
  )
  await logs.abandon()
  const again = await openLogs(t, directory)
  const reopened = again.partition('topic', 0)!
  assert.equal(reopened.logStartOffset, 5)
  assert.equal(await reopened.deleteRecords(-1), 10)
  assert.equal((await readAll(reopened)).length, 0)
  await again.close()
  assert.equal((await openLogs(t, directory)).partition('topic', 0)!.logStartOffset, 10)
})
