/** Appending and reading: what is stored, what comes back, and what is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { batchOf, openLogs, readAll, START_MS, valuesOf } from './log-fixtures.ts'

test('append: offsets follow each other, and the records come back', async (t) => {
  const logs = await openLogs(t, await temporaryDirectory(t))
  const log = (await logs.createTopic('clicks', 1)).partitions[0]!
  const results = await Promise.all([
    log.append(batchOf(['a', 'b'])),
    log.append(batchOf(['c'])),
    log.append(batchOf(['d', 'e'])),
  ])
  assert.deepEqual(
    results.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset]),
    [
      [0, 1],
      [2, 2],
      [3, 4],
    ],
  )
  const records = await readAll(log)
  assert.deepEqual(valuesOf(records), ['a', 'b', 'c', 'd', 'e'])
  assert.deepEqual(
    records.map(({ offset }) => offset),
    [0, 1, 2, 3, 4],
  )
  assert.equal(log.logEndOffset, 5)
})

test('read: from the files as from memory', async (t) => {
  const directory = await temporaryDirectory(t)
  for (const tailMemoryBytes of [0, 1 << 20]) {
    const logs = await openLogs(t, `${directory}/${tailMemoryBytes}`, { tailMemoryBytes })
    const log = (await logs.createTopic('clicks', 1, { 'internal.segment.bytes': '1000' })).partitions[0]!
    const expected: string[] = []
    for (let number = 0; number < 200; number++) {
      expected.push(`value ${number}`)
      await log.append(batchOf([`value ${number}`], { timestamp: START_MS + number }))
    }
    assert.ok(log.segments.length > 10)
    for (const from of [0, 1, 57, 199, 200]) {
      assert.deepEqual(valuesOf(await readAll(log, from, 'read_uncommitted', 300)), expected.slice(from))
    }
  }
})

test('open: what was written before a clean stop is there again', async (t) => {
  const directory = await temporaryDirectory(t)
  const before = await openLogs(t, directory)
  const topic = await before.createTopic('a.b_c-D', 2, { 'retention.ms': '5' })
  await topic.partitions[1]!.append(batchOf(['x', 'y']))
  await before.close()
  const after = await openLogs(t, directory)
  assert.equal(after.clusterId, before.clusterId)
  assert.equal(after.topic('a.b_c-D')!.id, topic.id)
  assert.equal(after.topicById(topic.id)!.config.retentionMs, 5)
  assert.deepEqual(valuesOf(await readAll(after.partition('a.b_c-D', 1)!)), ['x', 'y'])
  assert.equal((await after.partition('a.b_c-D', 1)!.append(batchOf(['z']))).baseOffset, 2)
})
