/** What is fetched and not yet handed out, by itself: gaps, cut-off batches, aborted transactions, broken bytes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartitionBuffer } from '../../../src/client/consumer/partition-buffer.ts'
import { controlBatch, RecordBatchWriter } from '../../../src/protocol/records/batch-writer.ts'
import { type ConsumerRecord } from '../../../src/protocol/records/consumer-record.ts'

interface BatchOptions {
  producerId?: number
  epoch?: number
  deltas?: number[]
}

function batch(baseOffset: number, count: number, { producerId, epoch = 0, deltas }: BatchOptions = {}): Buffer {
  const writer = new RecordBatchWriter()
  for (let index = 0; index < count; index++) writer.append({ value: Buffer.from(`v${index}`), timestamp: 0 })
  return writer.build({
    baseOffset,
    partitionLeaderEpoch: epoch,
    ...(deltas ? { offsetDeltas: deltas } : {}),
    ...(producerId === undefined ? {} : { producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true }),
  })
}

const marker = (baseOffset: number, producerId: number, type: 'commit' | 'abort') =>
  controlBatch({ type, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 0, baseOffset })

function bufferAt(offset: number): PartitionBuffer {
  const buffer = new PartitionBuffer('t', 0, true)
  buffer.reset(offset)
  return buffer
}

function take(buffer: PartitionBuffer, max = 1000): number[] {
  const records: ConsumerRecord[] = []
  assert.equal(buffer.take(records, max), records.length)
  return records.map(({ offset }) => offset)
}

test('take: a few at a time, over batches and chunks, and the next fetch goes on behind all of them', () => {
  const buffer = bufferAt(0)
  buffer.add(Buffer.concat([batch(0, 3, { epoch: 1 }), batch(3, 2, { epoch: 2 })]))
  buffer.add(batch(5, 1, { epoch: 2 }))
  assert.deepEqual([buffer.fetchOffset, buffer.fetchEpoch, buffer.position], [6, 2, 0])
  assert.deepEqual(take(buffer, 2), [0, 1])
  assert.deepEqual([buffer.position, buffer.positionEpoch], [2, 1])
  assert.deepEqual(take(buffer, 2), [2, 3])
  assert.deepEqual(take(buffer), [4, 5])
  assert.deepEqual([buffer.position, buffer.positionEpoch, buffer.bytes, buffer.isEmpty], [6, 2, 0, true])
})

test('take: begins in the middle of a batch, where the position is', () => {
  const buffer = bufferAt(2)
  buffer.add(batch(0, 5))
  assert.deepEqual(take(buffer), [2, 3, 4])
})

test('take: gaps that compaction left are passed, at the end of a batch too', () => {
  const buffer = bufferAt(0)
  buffer.add(Buffer.concat([batch(0, 2, { deltas: [1, 4] }), batch(9, 1)]))
  assert.deepEqual(take(buffer), [1, 4, 9])
  assert.equal(buffer.position, 10)
})

test('add: a last batch that is cut off at any byte is left to the next fetch', () => {
  const whole = batch(0, 2)
  const next = batch(2, 3)
  for (let length = 0; length < next.length; length++) {
    const buffer = bufferAt(0)
    buffer.add(Buffer.concat([whole, next.subarray(0, length)]))
    assert.equal(buffer.fetchOffset, 2)
    assert.deepEqual(take(buffer), [0, 1])
    assert.equal(buffer.error, undefined)
  }
})

test('read_committed: aborted records are passed by producer and offset, markers always', () => {
  const buffer = bufferAt(0)
  const bytes = Buffer.concat([
    batch(0, 2, { producerId: 1 }),
    batch(2, 2, { producerId: 2 }),
    batch(4, 1),
    marker(5, 1, 'abort'),
    batch(6, 1, { producerId: 1 }),
    marker(7, 2, 'commit'),
    marker(8, 1, 'commit'),
  ])
  buffer.add(bytes, [{ producerId: 1, firstOffset: 0 }])
  assert.deepEqual(take(buffer), [2, 3, 4, 6])
  assert.equal(buffer.position, 9)
  const uncommitted = bufferAt(0)
  uncommitted.add(bytes)
  assert.deepEqual(take(uncommitted), [0, 1, 2, 3, 4, 6])
})

test('read_committed: nothing but aborted records moves the position and gives no record', () => {
  const buffer = bufferAt(0)
  buffer.add(Buffer.concat([batch(0, 3, { producerId: 7 }), marker(3, 7, 'abort')]), [
    { producerId: 7, firstOffset: 0 },
  ])
  assert.deepEqual(take(buffer), [])
  assert.equal(buffer.position, 4)
})

test('take: a broken batch is thrown only when it comes up, and again until it is gone', () => {
  const broken = batch(2, 2)
  broken[broken.length - 2]! ^= 1
  const buffer = bufferAt(0)
  buffer.add(Buffer.concat([batch(0, 2), broken, batch(4, 1)]))
  assert.deepEqual(take(buffer), [0, 1])
  assert.throws(() => take(buffer), /CRC/)
  assert.throws(() => take(buffer), /CRC/)
  assert.equal(buffer.position, 2)
})

test('check.crcs=false: does not look at the checksum', () => {
  const broken = batch(0, 1)
  broken[broken.length - 2]! ^= 1
  const buffer = new PartitionBuffer('t', 0, false)
  buffer.reset(0)
  buffer.add(broken)
  assert.deepEqual(take(buffer), [0])
})

test('add: an old message format stands as an error behind what could be read', () => {
  const old = batch(2, 1)
  old[16] = 1
  const buffer = bufferAt(0)
  buffer.add(Buffer.concat([batch(0, 2), old]))
  assert.deepEqual(take(buffer), [0, 1])
  assert.match(String(buffer.error), /message format 1/)
})

test('reset: what is buffered and its error are gone', () => {
  const buffer = bufferAt(0)
  buffer.add(batch(0, 5))
  buffer.fail(new Error('x'))
  take(buffer, 1)
  buffer.reset(100, 4)
  assert.deepEqual(
    [buffer.isEmpty, buffer.error, buffer.position, buffer.fetchOffset, buffer.positionEpoch, buffer.bytes],
    [true, undefined, 100, 100, 4, 0],
  )
})
