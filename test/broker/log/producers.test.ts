/** Idempotence and transactions as a partition sees them. After Kafka's ProducerStateManagerTest and UnifiedLogTest. */
import assert from 'node:assert/strict'
import { readdir, rm } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import { KafkaError } from '../../../src/protocol/error-codes.ts'
import { type PartitionLog } from '../../../src/broker/log/partition-log.ts'
import { decodeProducers, encodeProducers } from '../../../src/broker/log/producer-snapshot.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { batchOf, type BatchOptions, openLogs, readAll, StandingClock, valuesOf } from './log-fixtures.ts'

async function newLog(t: TestContext, config: Record<string, string> = {}) {
  const clock = new StandingClock()
  const directory = await temporaryDirectory(t)
  const logs = await openLogs(t, directory, { clock })
  return { clock, directory, logs, log: (await logs.createTopic('topic', 1, config)).partitions[0]! }
}

const write = (log: PartitionLog, baseSequence: number, values: string[], options: BatchOptions = {}) =>
  log.append(batchOf(values, { producerId: 1, producerEpoch: 0, baseSequence, ...options }))

const refuses = (promise: Promise<unknown>, name: string) =>
  assert.rejects(promise, (error) => error instanceof KafkaError && error.error.name === name)

test('append: a batch that was sent before is answered with its first offset, five batches back', async (t) => {
  const { log } = await newLog(t)
  for (let number = 0; number < 6; number++) await write(log, 2 * number, ['a', 'b'])
  const again = await write(log, 2, ['a', 'b'])
  assert.deepEqual([again.baseOffset, again.lastOffset, again.duplicate], [2, 3, true])
  assert.equal(log.logEndOffset, 12)
  await refuses(write(log, 0, ['a', 'b']), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  await refuses(write(log, 10, ['a']), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
})

test('append: a duplicate that is queued behind its original is no second record', async (t) => {
  const { log } = await newLog(t)
  const results = await Promise.all([write(log, 0, ['a']), write(log, 0, ['a']), write(log, 1, ['b'])])
  assert.deepEqual(
    results.map(({ baseOffset }) => baseOffset),
    [0, 0, 1],
  )
  assert.deepEqual(valuesOf(await readAll(log)), ['a', 'b'])
})

test('append: a gap in the sequence is refused, and the next right one is not', async (t) => {
  const { log } = await newLog(t)
  await write(log, 0, ['a'])
  await refuses(write(log, 2, ['c']), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  assert.equal((await write(log, 1, ['b'])).baseOffset, 1)
})

test('append: a producer that is not known may begin anywhere, as after retention', async (t) => {
  const { log } = await newLog(t)
  assert.equal((await write(log, 77, ['a'])).baseOffset, 0)
})

test('append: an old epoch is refused, a new one begins at sequence 0', async (t) => {
  const { log } = await newLog(t)
  await write(log, 0, ['a'], { producerEpoch: 3 })
  await refuses(write(log, 1, ['b'], { producerEpoch: 2 }), 'INVALID_PRODUCER_EPOCH')
  await refuses(write(log, 1, ['b'], { producerEpoch: 4 }), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  await write(log, 0, ['b'], { producerEpoch: 4 })
  assert.equal(log.logEndOffset, 2)
})

test('append: sequences start again at 0 after 2147483647', async (t) => {
  const { log } = await newLog(t)
  await write(log, 0x7ffffffe, ['a', 'b'])
  await write(log, 0, ['c'])
  assert.equal((await write(log, 0x7ffffffe, ['a', 'b'])).duplicate, true)
  const { log: other } = await newLog(t)
  await write(other, 0x7fffffff, ['a', 'b', 'c'])
  assert.equal((await write(other, 0x7fffffff, ['a', 'b', 'c'])).duplicate, true)
  assert.equal((await write(other, 2, ['d'])).baseOffset, 3)
})

test('expireProducers: an idle producer is forgotten, one with an open transaction is not', async (t) => {
  const { log, logs, clock } = await newLog(t)
  await write(log, 0, ['a'])
  await write(log, 0, ['b'], { producerId: 2, isTransactional: true })
  clock.ms += 86_400_001
  await logs.applyRetention()
  assert.deepEqual(
    log.producers().map(({ producerId }) => producerId),
    [2],
  )
})

test('read_committed: nothing is read beyond the first open transaction, and aborted ones are told', async (t) => {
  const { log } = await newLog(t)
  await log.append(batchOf(['plain']))
  await write(log, 0, ['one'], { isTransactional: true })
  await write(log, 0, ['two'], { producerId: 2, isTransactional: true })
  assert.equal(log.lastStableOffset, 1)
  assert.deepEqual(valuesOf(await readAll(log, 0, 'read_committed')), ['plain'])
  const end = { producerEpoch: 0, coordinatorEpoch: 0 }
  await log.appendControl({ type: 'abort', producerId: 2, ...end })
  assert.equal(log.lastStableOffset, 1)
  assert.deepEqual(log.abortedTransactions(0, 10), [{ producerId: 2, firstOffset: 2 }])
  await log.appendControl({ type: 'commit', producerId: 1, ...end })
  assert.equal(log.lastStableOffset, 5)
  const read = await log.read(0, { maxBytes: 1 << 20, isolation: 'read_committed', minOneBatch: true })
  assert.deepEqual(read.abortedTransactions, [{ producerId: 2, firstOffset: 2 }])
  assert.equal(
    (await log.read(0, { maxBytes: 1 << 20, isolation: 'read_uncommitted', minOneBatch: true })).abortedTransactions,
    null,
  )
  assert.deepEqual(log.abortedTransactions(4, 5), [])
  assert.deepEqual(log.abortedTransactions(0, 2), [])
})

test('append: within a transaction a record outside of it is refused, as is a fenced coordinator', async (t) => {
  const { log } = await newLog(t)
  await write(log, 0, ['a'], { isTransactional: true })
  assert.equal(log.hasOpenTransaction(1), true)
  await refuses(write(log, 1, ['b']), 'INVALID_TXN_STATE')
  await log.appendControl({ type: 'commit', producerId: 1, producerEpoch: 0, coordinatorEpoch: 5 })
  assert.equal(log.hasOpenTransaction(1), false)
  await refuses(
    log.appendControl({ type: 'commit', producerId: 1, producerEpoch: 0, coordinatorEpoch: 4 }),
    'TRANSACTION_COORDINATOR_FENCED',
  )
  await log.appendControl({ type: 'abort', producerId: 1, producerEpoch: 3, coordinatorEpoch: 5 })
  await refuses(
    log.appendControl({ type: 'commit', producerId: 1, producerEpoch: 2, coordinatorEpoch: 5 }),
    'INVALID_PRODUCER_EPOCH',
  )
})

test('open: producers and transactions are the same after a clean stop, a crash, and without any snapshot', async (t) => {
  const { log, logs, directory } = await newLog(t, { 'internal.segment.bytes': '400' })
  const end = { producerEpoch: 0, coordinatorEpoch: 7 }
  for (let number = 0; number < 12; number++) {
    await write(log, number, ['a'], { isTransactional: true })
    if (number % 3 === 2) await log.appendControl({ type: number % 2 ? 'abort' : 'commit', producerId: 1, ...end })
    await write(log, 2 * number, ['x', 'y'], { producerId: 2, producerEpoch: 1 })
    if (number === 5) await logs.checkpoint()
  }
  await write(log, 12, ['open'], { isTransactional: true })
  const expected = {
    producers: log.producers(),
    aborted: log.abortedTransactions(0, 100),
    stable: log.lastStableOffset,
  }
  assert.equal(expected.aborted.length, 2)
  await logs.abandon()
  for (const how of ['crash', 'clean', 'clean', 'no snapshot'] as const) {
    if (how === 'no snapshot') {
      const names = await readdir(`${directory}/topic-0`)
      await Promise.all(
        names.filter((name) => name.endsWith('.snapshot')).map((name) => rm(`${directory}/topic-0/${name}`)),
      )
    }
    const again = await openLogs(t, directory)
    const reopened = again.partition('topic', 0)!
    const found = {
      producers: reopened.producers(),
      aborted: reopened.abortedTransactions(0, 100),
      stable: reopened.lastStableOffset,
    }
    assert.deepEqual(found, expected, how)
    assert.equal((await write(reopened, 16, ['x', 'y'], { producerId: 2, producerEpoch: 1 })).duplicate, true, how)
    await again.close()
  }
})

test('snapshot: all five batches come back; one flipped bit anywhere and it is refused', () => {
  const batches = [1, 2, 3].map((number) => ({
    lastSequence: number,
    lastOffset: 10 * number,
    offsetDelta: 0,
    timestamp: 5,
  }))
  const entries = [
    { producerId: 2 ** 40, epoch: 4, batches, lastTimestamp: 5, coordinatorEpoch: 1, transactionFirstOffset: 10 },
    { producerId: 3, epoch: 0, batches: [], lastTimestamp: -1, coordinatorEpoch: -1, transactionFirstOffset: -1 },
  ]
  const bytes = encodeProducers(entries)
  assert.deepEqual(decodeProducers(bytes), entries)
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 1
    assert.equal(decodeProducers(damaged), undefined)
    assert.equal(decodeProducers(bytes.subarray(0, at)), undefined)
  }
})

test('read_committed: transactions that end in one write are all told, wherever the reading stops', async (t) => {
  const { log } = await newLog(t)
  await write(log, 0, ['a'], { producerId: 1, isTransactional: true })
  await write(log, 0, ['b'], { producerId: 2, isTransactional: true })
  await write(log, 0, ['c'], { producerId: 3, isTransactional: true })
  const end = { type: 'abort', producerEpoch: 0, coordinatorEpoch: 0 } as const
  await Promise.all([3, 1, 2].map((producerId) => log.appendControl({ ...end, producerId })))
  for (let to = 0; to <= 6; to++) {
    const expected = [1, 2, 3]
      .filter((producerId) => producerId - 1 < to)
      .map((producerId) => ({ producerId, firstOffset: producerId - 1 }))
    assert.deepEqual(log.abortedTransactions(0, to), expected, `up to ${to}`)
  }
})
