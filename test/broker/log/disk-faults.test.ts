/** Disks that fill up, fail to sync, or lose the end of a file: what was acknowledged stays, what was not is gone. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { FaultyDisk } from './faulty-disk.ts'
import { batchOf, openLogs, readAll, valuesOf } from './log-fixtures.ts'

const LOG = '00000000000000000000.log'

test('append: a write that stops at any byte stores nothing, is refused, and the next one goes well', async (t) => {
  const directory = await temporaryDirectory(t)
  const size = batchOf(['x']).length
  for (const failTruncate of [false, true]) {
    const faulty = new FaultyDisk()
    const logs = await openLogs(t, join(directory, String(failTruncate)), { disk: faulty.disk, tailMemoryBytes: 0 })
    const log = (await logs.createTopic('full', 1)).partitions[0]!
    const expected: string[] = []
    for (let fits = 0; fits < 2 * size; fits++) {
      faulty.bytesLeft = fits
      faulty.failTruncate = failTruncate
      const producer = { producerId: 9, producerEpoch: 0, baseSequence: expected.length }
      const results = await Promise.allSettled([
        log.append(batchOf(['x'], producer)),
        log.append(batchOf(['y'], { ...producer, baseSequence: expected.length + 1 })),
      ])
      for (const [at, result] of results.entries()) {
        if (result.status === 'fulfilled') expected.push(at === 0 ? 'x' : 'y')
        else if (at === 0) assert.match(String(result.reason), /KAFKA_STORAGE_ERROR/)
      }
      assert.equal(log.logEndOffset, expected.length)
      faulty.bytesLeft = Number.POSITIVE_INFINITY
      faulty.failTruncate = false
      await log.append(batchOf([`after ${fits}`], { ...producer, baseSequence: expected.length }))
      expected.push(`after ${fits}`)
    }
    assert.deepEqual(valuesOf(await readAll(log)), expected)
    await logs.abandon()
    const again = await openLogs(t, join(directory, String(failTruncate)))
    assert.deepEqual(valuesOf(await readAll(again.partition('full', 0)!)), expected)
  }
})

test('append: what a refused write left on the disk is cut before anything else is written there', async (t) => {
  const directory = await temporaryDirectory(t)
  const faulty = new FaultyDisk()
  const logs = await openLogs(t, directory, { disk: faulty.disk })
  const log = (await logs.createTopic('full', 1)).partitions[0]!
  await log.append(batchOf(['0']))
  // Two of three batches are whole on the disk when the write fails, and they cannot be cut off at once.
  faulty.bytesLeft = 2.5 * batchOf(['1']).length
  faulty.failTruncate = true
  const results = await Promise.allSettled(['1', '2', '3'].map((value) => log.append(batchOf([value]))))
  assert.deepEqual(new Set(results.map(({ status }) => status)), new Set(['rejected']))
  faulty.bytesLeft = Number.POSITIVE_INFINITY
  await assert.rejects(log.append(batchOf(['4'])), /KAFKA_STORAGE_ERROR/)
  faulty.failTruncate = false
  await log.append(batchOf(['5']))
  await logs.abandon()
  assert.deepEqual(valuesOf(await readAll((await openLogs(t, directory)).partition('full', 0)!)), ['0', '5'])
})

test('append: a sync that fails refuses the append (flush.messages=1)', async (t) => {
  const faulty = new FaultyDisk()
  const logs = await openLogs(t, await temporaryDirectory(t), { disk: faulty.disk })
  const log = (await logs.createTopic('synced', 1, { 'flush.messages': '1' })).partitions[0]!
  await log.append(batchOf(['a']))
  faulty.failSync = true
  await assert.rejects(log.append(batchOf(['b'])), /KAFKA_STORAGE_ERROR/)
  faulty.failSync = false
  assert.equal((await log.append(batchOf(['c']))).baseOffset, 1)
  assert.deepEqual(valuesOf(await readAll(log)), ['a', 'c'])
})

test('createTopic: a disk that is full refuses it, and there is no such topic then', async (t) => {
  const directory = await temporaryDirectory(t)
  const faulty = new FaultyDisk()
  faulty.concerns = (path) => path.includes('topics.json')
  const logs = await openLogs(t, directory, { disk: faulty.disk })
  await logs.createTopic('kept', 1)
  faulty.bytesLeft = 10
  await assert.rejects(logs.createTopic('refused', 3), /KAFKA_STORAGE_ERROR/)
  await assert.rejects(logs.deleteTopic('kept'), /KAFKA_STORAGE_ERROR/)
  assert.deepEqual(
    logs.topics().map(({ name }) => name),
    ['kept'],
  )
  faulty.bytesLeft = Number.POSITIVE_INFINITY
  await logs.createTopic('refused', 2)
  await logs.close()
  const again = await openLogs(t, directory)
  assert.deepEqual(
    again.topics().map(({ name, partitions }) => [name, partitions.length]),
    [
      ['kept', 1],
      ['refused', 2],
    ],
  )
})

test('open: a file that ends at any byte of its last batch is cut to whole batches, and its epoch rises', async (t) => {
  const directory = await temporaryDirectory(t)
  const logs = await openLogs(t, directory)
  const log = (await logs.createTopic('torn', 1)).partitions[0]!
  await log.append(batchOf(['a', 'b']))
  const whole = log.sizeInBytes
  await log.append(batchOf(['c']))
  await logs.abandon()
  const path = join(directory, 'torn-0', LOG)
  const bytes = await readFile(path)
  for (let length = whole; length < bytes.length; length++) {
    for (const fill of ['cut', 'garbage'] as const) {
      const garbage = Buffer.alloc(fill === 'garbage' ? bytes.length - length : 0, 0xff)
      await writeFile(path, Buffer.concat([bytes.subarray(0, length), garbage]))
      const again = await openLogs(t, directory)
      const reopened = again.partition('torn', 0)!
      assert.deepEqual([reopened.logEndOffset, reopened.sizeInBytes], [2, whole], `${length} ${fill}`)
      if (length > whole || fill === 'garbage') assert.ok(reopened.leaderEpoch > 0)
      assert.deepEqual(valuesOf(await readAll(reopened)), ['a', 'b'])
      await again.abandon()
    }
  }
})

test('open: damage in the middle cuts there and removes what follows; below the recovery point the reader is told', async (t) => {
  const directory = await temporaryDirectory(t)
  const logs = await openLogs(t, directory)
  const log = (await logs.createTopic('damaged', 1, { 'internal.segment.bytes': '300', 'index.interval.bytes': '0' }))
    .partitions[0]!
  for (let number = 0; number < 20; number++) await log.append(batchOf([`value ${number}`]))
  const bases = log.segments.map(({ baseOffset }) => baseOffset)
  await logs.abandon()
  const path = join(directory, 'damaged-0', `${String(bases[2]).padStart(20, '0')}.log`)
  const bytes = await readFile(path)
  bytes[bytes.length - 1]! ^= 1
  await writeFile(path, bytes)
  const again = await openLogs(t, directory)
  const cut = again.partition('damaged', 0)!
  assert.ok(cut.logEndOffset > bases[2]! && cut.logEndOffset < bases[3]!)
  assert.equal(cut.segments.length, 3)
  await again.close()

  const first = join(directory, 'damaged-0', LOG)
  const damaged = await readFile(first)
  damaged.writeInt32BE(-5, 8)
  await writeFile(first, damaged)
  const told = (await openLogs(t, directory)).partition('damaged', 0)!
  await assert.rejects(
    told.read(0, { maxBytes: 1000, isolation: 'read_uncommitted', minOneBatch: true }),
    /CORRUPT_MESSAGE/,
  )
  assert.equal(valuesOf(await readAll(told, bases[1]!))[0], `value ${bases[1]}`)
})
