/** Finding by offset, timestamp and epoch: the indexes against a look at everything. */
import assert from 'node:assert/strict'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { recordBatches } from '../../../src/protocol/records/record-batch.ts'
import { LeaderEpochs } from '../../../src/broker/log/leader-epochs.ts'
import { OffsetIndex, TimeIndex } from '../../../src/broker/log/offset-index.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { batchOf, openLogs, readAll, START_MS } from './log-fixtures.ts'

const batches = fc.array(
  fc.record({
    size: fc.integer({ min: 1, max: 6 }),
    valueBytes: fc.integer({ min: 0, max: 300 }),
    timestamps: fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 6, maxLength: 6 }),
    compression: fc.constantFrom(
      'none' as const,
      'none' as const,
      'gzip' as const,
      'lz4' as const,
      'snappy' as const,
      'zstd' as const,
    ),
    reopen: fc.constantFrom('no', 'no', 'no', 'clean', 'crash', 'without indexes'),
  }),
  { minLength: 1, maxLength: 25 },
)

test('lookup: every offset and timestamp is found as by a look at all records (property)', async (t) => {
  const root = await temporaryDirectory(t)
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      batches,
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 200, max: 3000 }),
      async (sequence, interval, segmentBytes) => {
        const directory = join(root, String(run++))
        let logs = await openLogs(t, directory, { tailMemoryBytes: 0 })
        const config = {
          'internal.segment.bytes': String(segmentBytes + 2000),
          'index.interval.bytes': String(interval),
        }
        let log = (await logs.createTopic('topic', 1, config)).partitions[0]!
        const timestamps: number[] = []
        const starts: number[] = []
        for (const { size, valueBytes, timestamps: given, compression, reopen } of sequence) {
          const records = given
            .slice(0, size)
            .map((ms) => ({ value: Buffer.alloc(valueBytes, 7), timestamp: START_MS + ms }))
          starts.push(timestamps.length)
          await log.append(batchOf(records, { compression }))
          timestamps.push(...records.map(({ timestamp }) => timestamp))
          if (reopen === 'no') continue
          await (reopen === 'crash' ? logs.abandon() : logs.close())
          if (reopen === 'without indexes') {
            const names = await readdir(join(directory, 'topic-0'))
            await Promise.all(
              names.filter((name) => name.endsWith('index')).map((name) => rm(join(directory, 'topic-0', name))),
            )
          }
          logs = await openLogs(t, directory, { tailMemoryBytes: 0 })
          log = logs.partition('topic', 0)!
        }
        for (let offset = 0; offset < timestamps.length; offset++) {
          const { records } = await log.read(offset, { maxBytes: 1, isolation: 'read_uncommitted', minOneBatch: true })
          const found = records.flatMap((piece) => [...recordBatches(piece)])
          assert.deepEqual(
            found.map(({ baseOffset }) => baseOffset),
            [starts.findLast((start) => start <= offset)],
          )
          found[0]!.verifyCrc()
        }
        for (let ms = 0; ms <= 501; ms += 25) {
          const offset = timestamps.findIndex((timestamp) => timestamp >= START_MS + ms)
          const found = await log.offsetForTimestamp(START_MS + ms)
          assert.deepEqual(
            found && [found.offset, found.timestamp],
            offset < 0 ? undefined : [offset, timestamps[offset]],
          )
        }
        const latest = Math.max(...timestamps)
        assert.deepEqual((await log.maxTimestamp())!.timestamp, latest)
        assert.equal(timestamps[(await log.maxTimestamp())!.offset], latest)
        assert.equal((await readAll(log)).length, timestamps.length)
        await logs.close()
      },
    ),
    { numRuns: 40 },
  )
})

test('read: maxBytes is kept to whole batches, except for the first one when it must be handed out', async (t) => {
  const directory = await temporaryDirectory(t)
  for (const tailMemoryBytes of [0, 1 << 20]) {
    const logs = await openLogs(t, join(directory, String(tailMemoryBytes)), { tailMemoryBytes })
    const log = (await logs.createTopic('topic', 1)).partitions[0]!
    const size = batchOf(['12345678']).length
    for (let number = 0; number < 5; number++) await log.append(batchOf(['12345678']))
    for (let maxBytes = 0; maxBytes < 5 * size; maxBytes++) {
      const options = { maxBytes, isolation: 'read_uncommitted' as const }
      assert.equal(
        (await log.read(0, { ...options, minOneBatch: false })).sizeInBytes,
        Math.floor(maxBytes / size) * size,
      )
      assert.equal(
        (await log.read(0, { ...options, minOneBatch: true })).sizeInBytes,
        Math.max(1, Math.floor(maxBytes / size)) * size,
      )
    }
    const atEnd = await log.read(5, { maxBytes: 100, isolation: 'read_uncommitted', minOneBatch: true })
    assert.deepEqual([atEnd.records, atEnd.highWatermark], [[], 5])
    await assert.rejects(
      log.read(6, { maxBytes: 100, isolation: 'read_uncommitted', minOneBatch: true }),
      /OFFSET_OUT_OF_RANGE/,
    )
    assert.equal(log.bytesAvailable(5, 'read_uncommitted'), 0)
    assert.ok(log.bytesAvailable(2, 'read_uncommitted') >= 3 * size)
  }
})

test('index: the entry below and the one above, against a look at all entries (property)', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 200 })),
      fc.integer({ min: -1, max: 201 }),
      (offsets, target) => {
        const sorted = offsets.toSorted((one, other) => one - other)
        const index = new OffsetIndex()
        for (const offset of sorted) index.append(offset, offset * 10 + 1)
        assert.equal(
          index.positionBefore(target),
          sorted
            .filter((offset) => offset <= target)
            .at(-1)
            ?.valueOf() === undefined
            ? 0
            : sorted.filter((offset) => offset <= target).at(-1)! * 10 + 1,
        )
        const above = sorted.find((offset) => offset > target)
        assert.equal(index.positionAfter(target), above === undefined ? undefined : above * 10 + 1)
        const times = new TimeIndex()
        for (const offset of sorted) times.append(1000 + offset, offset)
        assert.equal(times.offsetBefore(1000 + target), sorted.filter((offset) => offset < target).at(-1) ?? 0)
        assert.deepEqual(new OffsetIndex(index.bytes()).bytes(), index.bytes())
        assert.equal(OffsetIndex.isSane(index.bytes(), 2002), true)
        assert.equal(OffsetIndex.isSane(Buffer.concat([index.bytes(), Buffer.alloc(8)]), 2002), sorted.length === 0)
      },
    ),
  )
})

test('offsetForLeaderEpoch: as Kafka answers for known, unknown, older and newer epochs', () => {
  const epochs = new LeaderEpochs([
    { epoch: 2, startOffset: 10 },
    { epoch: 5, startOffset: 20 },
  ])
  assert.deepEqual(epochs.endOf(5, 33), { leaderEpoch: 5, endOffset: 33 })
  assert.deepEqual(epochs.endOf(6, 33), { leaderEpoch: -1, endOffset: -1 })
  assert.deepEqual(epochs.endOf(4, 33), { leaderEpoch: 2, endOffset: 20 })
  assert.deepEqual(epochs.endOf(1, 33), { leaderEpoch: 1, endOffset: 10 })
  epochs.removeBefore(25)
  assert.deepEqual(epochs.endOf(2, 33), { leaderEpoch: 2, endOffset: 25 })
})
