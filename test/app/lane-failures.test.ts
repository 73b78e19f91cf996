/** `on.failure` before a sink: what it makes of records that cannot be decoded, and of those that the store refuses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordDecoder } from '../../src/app/decode.ts'
import { FailurePolicy, type OnFailure } from '../../src/app/failure-policy.ts'
import { PartitionLane } from '../../src/app/lane.ts'
import { SluiceError } from '../../src/error.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { SinkRecordError, type Sink } from '../../src/sinks/sink.ts'
import { until } from '../support/until.ts'
import { FailingProducer, headerOf } from './failing-producer.ts'
import { recordAt, TOPIC } from './simulation/cluster.ts'
import { VirtualClock } from './simulation/virtual-clock.ts'

const topicPartition = { topic: TOPIC, partition: 0 }
const records = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => recordAt(0, from + index))

interface BenchOptions {
  readonly onFailure: OnFailure
  /** The store refuses these. */
  readonly refused?: readonly number[]
  /** What an earlier lane of the partition met. */
  readonly poison?: SinkRecordError
}

function benchOf({ onFailure, refused = [], poison }: BenchOptions) {
  const clock = new VirtualClock()
  const producer = new FailingProducer()
  /** Of each batch: first, next, offsets. */
  const batches: [number, number, number[]][] = []
  const sink: Sink = {
    open: async () => ({ guarantee: 'idempotent' }),
    assigned: async () => [],
    write: async ({ first, next, records: taken }) => {
      const bad = taken.find(({ offset }) => refused.includes(offset))
      if (bad) throw new SinkRecordError(bad, 'the column "delay" is missing')
      batches.push([first, next, taken.map(({ offset }) => offset)])
      return { flushDue: false }
    },
    flush: async (_, next) => ({ durable: next }),
    revoked: async () => [],
    close: async () => {},
  }
  const base = {
    clock: clock.of({ isDead: false }),
    random: seededRandom(1),
    logger: silentLogger,
    consumer: 'consumer-thread-0',
  }
  const failures = new FailurePolicy({ ...base, onFailure, application: 'app', producer })
  const context = {
    ...base,
    sink,
    sinkName: 'fake',
    decoder: recordDecoder({ value: 'json' }),
    cadence: { records: 1000, bytes: 1 << 30, intervalMs: 60_000, whenIdle: true },
    flushTimeoutMs: 60_000,
    failures,
    poisonAdvice: 'Do something.',
    onChange() {},
  }
  return { lane: new PartitionLane(topicPartition, 0, context, poison), batches, producer, failures, clock }
}

const offsetsIn = (batches: readonly [number, number, readonly number[]][]) =>
  batches.flatMap(([, , offsets]) => offsets)

/** Each batch begins where the one before it ended: the store sees no gap. */
function assertContiguous(batches: readonly [number, number, readonly number[]][], end: number): void {
  let at = 0
  for (const [first, next] of batches) {
    assert.equal(first, at)
    at = next
  }
  assert.equal(at, end)
}

for (const onFailure of ['skip', 'dead-letter'] as const) {
  await test(`${onFailure}: values that cannot be decoded are left out, and batches span their offsets`, async () => {
    const { lane, batches, producer, failures } = benchOf({ onFailure })
    lane.push([recordAt(0, 0, '{'), ...records(1, 3), recordAt(0, 3, 'no'), recordAt(0, 4, ''), ...records(5, 7)], 7)
    lane.push([recordAt(0, 7, 'json')], 9)
    await until(() => lane.durable === 9)
    assert.deepEqual(offsetsIn(batches), [1, 2, 5, 6])
    assertContiguous(batches, 9)
    assert.equal(lane.state.kind, 'running')
    assert.deepEqual([lane.pendingBytes, lane.pendingRecords, lane.isIdle], [0, 0, true])
    const { skipped, deadLettered } = failures.counts
    assert.deepEqual([skipped, deadLettered], onFailure === 'skip' ? [4, 0] : [0, 4])
    assert.deepEqual(
      producer.sent.map((letter) => headerOf(letter, 'original-offset')),
      onFailure === 'skip' ? [] : ['0', '3', '4', '7'],
    )
  })

  await test(`${onFailure}: records that the store refuses are cut out of their batches`, async () => {
    const { lane, batches, failures } = benchOf({ onFailure, refused: [0, 4, 5, 8] })
    lane.push(records(0, 9), 9)
    await until(() => lane.durable === 9)
    assert.deepEqual(offsetsIn(batches), [1, 2, 3, 6, 7])
    assertContiguous(batches, 9)
    assert.equal(failures.counts.skipped + failures.counts.deadLettered, 4)
    assert.equal(lane.pendingBytes, 0)
  })

  await test(`${onFailure}: a record that an earlier lane met is passed by the next one`, async () => {
    const poison = new SinkRecordError(recordAt(0, 2), 'the flush said no')
    const { lane, batches, failures } = benchOf({ onFailure, poison })
    lane.push(records(0, 5), 5)
    await until(() => lane.durable === 5)
    assert.deepEqual(offsetsIn(batches), [0, 1, 3, 4])
    assert.equal(failures.counts.skipped + failures.counts.deadLettered, 1)
  })
}

await test('dead-letter: the letter of a refused record says what the store said', async () => {
  const { lane, producer } = benchOf({ onFailure: 'dead-letter', refused: [1] })
  lane.push(records(0, 3), 3)
  await until(() => lane.durable === 3)
  const [letter] = producer.sent
  assert.deepEqual(
    [letter!.topic, String(letter!.key), String(letter!.value)],
    [`${TOPIC}-dlt`, 'key-1', '{"offset":1}'],
  )
  assert.deepEqual([headerOf(letter!, 'original-offset'), headerOf(letter!, 'attempts')], ['1', '1'])
  assert.match(headerOf(letter!, 'error-message')!, /the column "delay" is missing/)
  assert.match(headerOf(letter!, 'error-class')!, /^SLUICE_/)
})

await test('dead-letter: nothing behind the record is stored before its letter is acknowledged', async () => {
  const { lane, batches, producer } = benchOf({ onFailure: 'dead-letter' })
  const sending = Promise.withResolvers<void>()
  const acknowledged = Promise.withResolvers<void>()
  producer.beforeSend = () => {
    sending.resolve()
    return acknowledged.promise
  }
  lane.push([...records(0, 2), recordAt(0, 2, 'no'), ...records(3, 5)], 5)
  await sending.promise
  assert.deepEqual(offsetsIn(batches), [0, 1])
  assert.ok((lane.durable ?? 0) <= 2)
  acknowledged.resolve()
  await until(() => lane.durable === 5)
})

await test('dead-letter: a topic that cannot be written to for a while holds the record up, and nothing is lost', async () => {
  const { lane, batches, producer, clock } = benchOf({ onFailure: 'dead-letter' })
  let failures = 3
  producer.beforeSend = async () => {
    if (failures-- > 0) throw new SluiceError('X', 'no leader', { retriable: true })
  }
  lane.push([...records(0, 2), recordAt(0, 2, 'no'), ...records(3, 5)], 5)
  await clock.run(() => lane.durable === 5, 60_000)
  assert.deepEqual(offsetsIn(batches), [0, 1, 3, 4])
  assert.equal(producer.sent.length, 1)
})

await test('dead-letter: a topic that never takes it stops the application at the record', async () => {
  const { lane, batches, producer } = benchOf({ onFailure: 'dead-letter' })
  producer.beforeSend = async () => {
    throw new SluiceError('X', 'not authorized')
  }
  lane.push([...records(0, 2), recordAt(0, 2, 'no'), ...records(3, 5)], 5)
  await until(() => lane.state.kind === 'failed')
  assert.ok(lane.state.kind === 'failed')
  assert.match(
    lane.state.error.message,
    /^topic flights, partition 0, offset 2: the record failed .* cannot be written to its dead-letter topic flights-dlt: not authorized/,
  )
  assert.deepEqual(offsetsIn(batches), [0, 1])
  assert.ok((lane.durable ?? 0) <= 2)
})

await test('dead-letter: a lane that closes while its topic is down stores what came before and does not pass the record', async () => {
  const { lane, batches, producer } = benchOf({ onFailure: 'dead-letter' })
  const tried = Promise.withResolvers<void>()
  producer.beforeSend = async () => {
    tried.resolve()
    throw new SluiceError('X', 'no leader', { retriable: true })
  }
  lane.push([...records(0, 2), recordAt(0, 2, 'no'), ...records(3, 5)], 5)
  await tried.promise
  await lane.close({ signal: new AbortController().signal })
  assert.deepEqual([lane.state.kind, lane.durable], ['closed', 2])
  assert.deepEqual(offsetsIn(batches), [0, 1])
})

await test('dead-letter: a lane that is aborted in the midst of it passes nothing', async () => {
  const { lane, producer } = benchOf({ onFailure: 'dead-letter' })
  const sending = Promise.withResolvers<void>()
  producer.beforeSend = (signal) => {
    sending.resolve()
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
  }
  lane.push([...records(0, 2), recordAt(0, 2, 'no')], 3)
  await sending.promise
  await lane.abort()
  assert.deepEqual([lane.state.kind, producer.sent], ['closed', []])
  assert.ok((lane.durable ?? 0) <= 2)
})

await test('stop: nothing is passed, whatever else the lane could do', async () => {
  const { lane, batches, failures } = benchOf({ onFailure: 'stop', refused: [3] })
  lane.push(records(0, 5), 5)
  await until(() => lane.state.kind === 'failed')
  assert.deepEqual([offsetsIn(batches), lane.durable], [[0, 1, 2], 3])
  assert.deepEqual([failures.counts.skipped, failures.counts.deadLettered], [0, 0])
})
