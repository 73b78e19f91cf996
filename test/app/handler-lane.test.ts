/** What a partition's lane does with records and a handler, one promise at a time; all of it together is handler-simulation.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Concurrency } from '../../src/app/concurrency.ts'
import { recordDecoder } from '../../src/app/decode.ts'
import { HandlerFailedError } from '../../src/app/errors.ts'
import { FailurePolicy, type OnFailure } from '../../src/app/failure-policy.ts'
import {
  BatchFailedError,
  FatalError,
  type HandlerContext,
  type HandlerRecord,
  RetriableError,
} from '../../src/app/handler.ts'
import { HandlerLane, type HandlerLaneContext, MOST_AHEAD } from '../../src/app/handler-lane.ts'
import type { ProducerPort } from '../../src/app/producer-port.ts'
import type { ProducerRecord } from '../../src/client/producer/record.ts'
import type { ConsumerRecord } from '../../src/protocol/records/consumer-record.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { SluiceError } from '../../src/error.ts'
import { until } from '../support/until.ts'
import { VirtualClock } from './simulation/virtual-clock.ts'

const topicPartition = { topic: 'payments', partition: 0 }

function recordAt(offset: number, key: string | null = null, value = String(offset)): ConsumerRecord {
  const bytes = Buffer.from(value)
  return {
    ...topicPartition,
    offset,
    timestamp: 7,
    timestampType: 'CreateTime',
    key: key === null ? null : Buffer.from(key),
    value: bytes,
    keyText: () => key,
    valueText: () => value,
    serializedKeySize: key === null ? -1 : key.length,
    serializedValueSize: bytes.length,
    serializedHeadersSize: 9,
    headers: [{ key: 'own', value: Buffer.from('header') }],
  } as unknown as ConsumerRecord
}

const recordsOf = (keys: readonly (string | null)[], first = 0) =>
  keys.map((key, index) => recordAt(first + index, key))

interface Call {
  readonly offsets: readonly number[]
  readonly attempt: number
  readonly context: HandlerContext
  resolve(): void
  reject(error: Error): void
}

/** A handler that a test answers by hand, or by `answer`. */
class Bench {
  readonly clock = new VirtualClock()
  readonly calls: Call[] = []
  readonly sent: ProducerRecord[] = []
  readonly topics: string[] = []
  readonly commits: (() => void)[] = []
  changes = 0
  answer: ((offsets: readonly number[], attempt: number) => Error | undefined) | undefined
  beforeSend: () => Promise<void> = async () => {}
  readonly lane: HandlerLane
  readonly failures: FailurePolicy

  constructor({
    kind = 'record',
    onFailure = 'stop',
    start = 0,
    concurrency = Number.POSITIVE_INFINITY,
    isExactlyOnce = false,
    value = 'string',
    ...overrides
  }: Omit<Partial<HandlerLaneContext>, 'concurrency'> & {
    kind?: 'record' | 'batch'
    onFailure?: OnFailure
    start?: number
    concurrency?: number | Concurrency
    isExactlyOnce?: boolean
    value?: 'string' | 'json'
  } = {}) {
    const clock = this.clock.of({ isDead: false })
    const random = seededRandom(1)
    const producer: ProducerPort = {
      send: async (record) => {
        await this.beforeSend()
        this.sent.push(record)
      },
      ensureTopic: async (topic, like) => void this.topics.push(`${topic} like ${like}`),
      transact: async () => {},
      close: async () => {},
    }
    this.failures = new FailurePolicy({
      onFailure,
      application: 'app',
      consumer: 'c',
      producer,
      clock,
      random,
      logger: silentLogger,
    })
    const handle = (given: HandlerRecord | readonly HandlerRecord[], context: HandlerContext) => {
      const offsets = (Array.isArray(given) ? given : [given]).map((one: HandlerRecord) => one.offset)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      this.calls.push({ offsets, attempt: context.attempt, context, resolve, reject })
      if (this.answer) {
        const error = this.answer(offsets, context.attempt)
        if (error) reject(error)
        else resolve()
      }
      return promise
    }
    this.lane = new HandlerLane(topicPartition, start, {
      handler: { kind, handle: handle as never },
      order: 'partition',
      batchRecords: 500,
      retry: { retries: 2, backoffMs: 100, backoffMaxMs: 1000 },
      failures: this.failures,
      decoder: recordDecoder({ value }),
      application: 'app',
      consumer: 'c',
      clock,
      random,
      logger: silentLogger,
      send: isExactlyOnce ? undefined : (record, signal) => producer.send(record, signal),
      onChange: () => void this.changes++,
      afterRecord: undefined,
      ...overrides,
      concurrency: concurrency instanceof Concurrency ? concurrency : new Concurrency(concurrency),
    })
  }

  get offsets(): (readonly number[])[] {
    return this.calls.map(({ offsets }) => offsets)
  }

  async settled(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  async resolve(...indexes: number[]): Promise<void> {
    for (const index of indexes) this.calls[index]!.resolve()
    await this.settled()
  }
}

await test('partition order: one after the other, whatever the keys', async () => {
  const bench = new Bench()
  bench.lane.push(recordsOf(['a', 'b', 'c']), 5)
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0]])
  assert.equal(bench.lane.durable, undefined)
  await bench.resolve(0)
  assert.deepEqual(bench.offsets, [[0], [1]])
  assert.equal(bench.lane.durable, 1)
  await bench.resolve(1)
  await bench.resolve(2)
  assert.equal(bench.lane.durable, 5, 'the position behind the last record, past a gap')
  assert.ok(bench.lane.isIdle)
  assert.equal(bench.lane.storedRecords, 3)
  assert.equal(bench.lane.pendingBytes, 0)
})

await test('key order: other keys go on, and durable never passes a gap', async () => {
  const bench = new Bench({ order: 'key' })
  bench.lane.push(recordsOf(['a', 'b', 'a', 'c', 'b']), 5)
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0], [1], [3]])
  await bench.resolve(1, 2)
  assert.deepEqual(bench.offsets, [[0], [1], [3], [4]])
  await bench.resolve(3)
  assert.equal(bench.lane.durable, undefined, 'offset 0 is not done')
  await bench.resolve(0)
  assert.equal(bench.lane.durable, 2, 'offset 2 is not done')
  await bench.resolve(4)
  assert.equal(bench.lane.durable, 5)
})

await test('key order: records without a key wait for nobody', async () => {
  const bench = new Bench({ order: 'key' })
  bench.lane.push(recordsOf([null, null, 'a', 'a']), 4)
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0], [1], [2]])
})

await test('unordered: all at once, up to the concurrency, which lanes share', async () => {
  const shared = new Concurrency(3)
  const bench = new Bench({ order: 'unordered', concurrency: shared })
  const other = new Bench({ order: 'unordered', concurrency: shared })
  bench.lane.push(recordsOf(['a', 'a', 'a', 'a']), 4)
  other.lane.push(recordsOf(['a']), 1)
  await bench.settled()
  assert.deepEqual([bench.calls.length, other.calls.length], [3, 0])
  await bench.resolve(0)
  assert.deepEqual([bench.calls.length, other.calls.length], [4, 0], 'who asked first is served first')
  await bench.resolve(1)
  assert.equal(other.calls.length, 1)
})

await test('window: nothing begins too far ahead of a record that is not done', async () => {
  const bench = new Bench({ order: 'unordered' })
  bench.answer = (offsets) => (offsets[0] === 0 ? undefined : undefined)
  const held = Promise.withResolvers<void>()
  const handle = (record: HandlerRecord) => {
    bench.calls.push({ offsets: [record.offset], attempt: 1, context: undefined as never, resolve() {}, reject() {} })
    return record.offset === 0 ? held.promise : undefined
  }
  const lane = new Bench({ order: 'unordered', handler: { kind: 'record', handle } }).lane
  lane.push(
    Array.from({ length: MOST_AHEAD + 500 }, (_, offset) => recordAt(offset)),
    MOST_AHEAD + 500,
  )
  await until(() => bench.calls.length >= MOST_AHEAD)
  await bench.settled()
  assert.equal(bench.calls.length, MOST_AHEAD)
  assert.equal(lane.durable, undefined)
  assert.ok(lane.pendingBytes > 0, 'what waits holds up fetching')
  held.resolve()
  await until(() => lane.durable === MOST_AHEAD + 500)
})

await test('retries: with backoff, while others go on; the room is given away meanwhile', async () => {
  const bench = new Bench({ order: 'key', concurrency: 1 })
  bench.answer = (offsets, attempt) => (offsets[0] === 0 && attempt < 3 ? new Error('down') : undefined)
  bench.lane.push(recordsOf(['a', 'b']), 2)
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0], [1]], 'the other key has the only room')
  assert.ok(bench.lane.isWaiting)
  const began = bench.clock.now
  await bench.clock.run(() => bench.lane.durable === 2, 10_000)
  assert.deepEqual(
    bench.calls.map(({ offsets, attempt }) => [offsets[0], attempt]),
    [
      [0, 1],
      [1, 1],
      [0, 2],
      [0, 3],
    ],
  )
  const tookMs = bench.clock.now - began
  assert.ok(tookMs >= 0.8 * 300 && tookMs <= 1.2 * 300, `100 and 200 ms, spread by a fifth: ${tookMs}`)
  assert.deepEqual(bench.failures.counts, { failed: 2, retried: 2, deadLettered: 0, skipped: 0 })
})

await test('retries: an error may say when, by its property and not by its class', async () => {
  for (const error of [
    new RetriableError('busy', { retryAfterMs: 5000 }),
    Object.assign(new Error('busy'), { retryAfterMs: 5000 }),
  ]) {
    const bench = new Bench()
    bench.answer = (_, attempt) => (attempt === 1 ? error : undefined)
    bench.lane.push(recordsOf(['a']), 1)
    const began = bench.clock.now
    await bench.clock.run(() => bench.lane.durable === 1, 10_000)
    assert.equal(bench.clock.now - began, 5000)
  }
})

await test('given up: after the last attempt, or at once where it cannot help', async () => {
  for (const [error, attempts] of [
    [new Error('down'), 3],
    [new FatalError('never'), 1],
    [Object.assign(new Error('never'), { retriable: false }), 1],
  ] as const) {
    const bench = new Bench()
    bench.answer = (offsets) => (offsets[0] === 1 ? error : undefined)
    bench.lane.push(recordsOf(['a', 'b', 'c']), 3)
    await bench.clock.run(() => bench.lane.state.kind === 'failed', 10_000).catch(() => {})
    const { state } = bench.lane
    assert.ok(state.kind === 'failed' && state.error instanceof HandlerFailedError, state.kind)
    assert.match(
      state.error.message,
      /topic payments, partition 0, offset 1: the handler failed.*Nothing from this offset on/,
    )
    assert.equal(bench.calls.filter(({ offsets }) => offsets[0] === 1).length, attempts)
    assert.equal(bench.lane.durable, 1)
    assert.ok(!bench.offsets.some(([offset]) => offset === 2), 'nothing behind it began')
  }
})

await test('dead-letter: key, value and headers are kept, and the others say why', async () => {
  const bench = new Bench({ onFailure: 'dead-letter' })
  bench.answer = (offsets) => (offsets[0] === 0 ? new FatalError('no such card') : undefined)
  bench.lane.push(recordsOf(['a', 'b']), 2)
  await bench.settled()
  assert.equal(bench.lane.durable, 2)
  const [letter] = bench.sent
  assert.deepEqual(bench.topics, ['payments-dlt like payments'])
  assert.deepEqual([letter!.topic, String(letter!.key), String(letter!.value)], ['payments-dlt', 'a', '0'])
  const headers = Object.fromEntries(letter!.headers!.map(({ key, value }) => [key, String(value)]))
  const stack = headers['sluice-error-stack']
  assert.match(stack!, /no such card/)
  assert.deepEqual(headers, {
    own: 'header',
    'sluice-original-topic': 'payments',
    'sluice-original-partition': '0',
    'sluice-original-offset': '0',
    'sluice-original-timestamp': '7',
    'sluice-group': 'app',
    'sluice-error-class': 'FatalError',
    'sluice-error-message': 'no such card',
    'sluice-error-stack': stack,
    'sluice-attempts': '1',
  })
})

await test('dead-letter: a topic that cannot be written to for a while holds the record up, for good stops the application', async () => {
  const bench = new Bench({ onFailure: 'dead-letter' })
  bench.answer = () => new FatalError('no')
  let failures = 2
  bench.beforeSend = async () => {
    if (failures-- > 0) throw new SluiceError('X', 'no leader', { retriable: true })
  }
  bench.lane.push(recordsOf(['a']), 1)
  await bench.settled()
  assert.equal(bench.lane.durable, undefined)
  await bench.clock.run(() => bench.lane.durable === 1, 60_000)
  assert.equal(bench.sent.length, 1)
  const refused = new Bench({ onFailure: 'dead-letter' })
  refused.answer = () => new FatalError('no')
  refused.beforeSend = async () => {
    throw new SluiceError('X', 'not allowed')
  }
  refused.lane.push(recordsOf(['a']), 1)
  await refused.settled()
  const { state } = refused.lane
  assert.ok(state.kind === 'failed')
  assert.match(state.error.message, /cannot be written to its dead-letter topic payments-dlt: not allowed/)
  assert.equal(refused.lane.durable, undefined)
})

await test('skip: said and passed', async () => {
  const bench = new Bench({ onFailure: 'skip' })
  bench.answer = (offsets) => (offsets[0] === 0 ? new FatalError('no') : undefined)
  bench.lane.push(recordsOf(['a', 'b']), 2)
  await bench.settled()
  assert.equal(bench.lane.durable, 2)
  assert.equal(bench.failures.counts.skipped, 1)
})

await test('a value that cannot be decoded goes the same way, without a call', async () => {
  const bench = new Bench({ onFailure: 'dead-letter', value: 'json' })
  bench.answer = () => undefined
  bench.lane.push([recordAt(0, null, '1'), recordAt(1, null, '{'), recordAt(2, null, '3')], 3)
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0], [2]])
  assert.equal(bench.lane.durable, 3)
  assert.equal(bench.sent.length, 1)
})

await test('what a handler sends is awaited, also when the handler does not, and a late send is refused', async () => {
  const bench = new Bench()
  const sending = Promise.withResolvers<void>()
  bench.beforeSend = () => sending.promise
  bench.lane.push(recordsOf(['a']), 1)
  await bench.settled()
  const { context } = bench.calls[0]!
  void context.producer.send({ topic: 'receipts', value: 'r' })
  bench.calls[0]!.resolve()
  await bench.settled()
  assert.equal(bench.lane.durable, undefined)
  sending.resolve()
  await bench.settled()
  assert.equal(bench.lane.durable, 1)
  await assert.rejects(context.producer.send({ topic: 'receipts', value: 'r' }), /the handler has resolved/)
})

await test('a send that fails is a failed attempt', async () => {
  const bench = new Bench({ retry: { retries: 1, backoffMs: 1, backoffMaxMs: 1 } })
  let failures = 1
  bench.beforeSend = async () => {
    if (failures-- > 0) throw new SluiceError('X', 'no leader', { retriable: true })
  }
  bench.lane.push(recordsOf(['a']), 1)
  await bench.settled()
  void bench.calls[0]!.context.producer.send({ topic: 'receipts', value: 'r' }).catch(() => {})
  bench.calls[0]!.resolve()
  await bench.clock.run(() => bench.calls.length === 2, 1000)
  assert.equal(bench.lane.durable, undefined)
})

await test('exactly.once: output is held until its record belongs to the run without a gap, a failed attempt’s is dropped', async () => {
  const bench = new Bench({ order: 'key', isExactlyOnce: true, retry: { retries: 1, backoffMs: 1, backoffMaxMs: 1 } })
  bench.lane.push(recordsOf(['a', 'b']), 2)
  await bench.settled()
  const values = (next: number) => bench.lane.outputsUpTo(next).map(({ value }) => value)
  for (const [index, value] of ['of 0', 'of 1'].entries()) {
    await bench.calls[index]!.context.producer.send({ topic: 'receipts', value })
  }
  await bench.resolve(1)
  assert.deepEqual(values(9), [], 'offset 0 is not done')
  bench.calls[0]!.reject(new Error('down'))
  await bench.clock.run(() => bench.calls.length === 3, 1000)
  await bench.calls[2]!.context.producer.send({ topic: 'receipts', value: 'of 0, again' })
  await bench.resolve(2)
  assert.equal(bench.lane.durable, 2)
  assert.deepEqual(values(1), ['of 0, again'])
  assert.deepEqual(values(2), ['of 0, again', 'of 1'])
  bench.lane.forgetOutputs(1)
  assert.deepEqual(values(2), ['of 1'])
  assert.deepEqual(bench.sent, [])
})

await test('exactly.once: output counts as pending until it is committed, also behind a gap', async () => {
  const bench = new Bench({ order: 'key', isExactlyOnce: true })
  bench.lane.push(recordsOf(['a', 'b', 'c']), 3)
  await bench.settled()
  const value = 'x'.repeat(1_000_000)
  for (const call of bench.calls) await call.context.producer.send({ topic: 'receipts', value })
  const isAbout = (megabytes: number) => Math.round(bench.lane.pendingBytes / 1e6) === megabytes
  assert.ok(isAbout(0), 'a handler that runs may still fail')
  await bench.resolve(1)
  await bench.resolve(2)
  assert.ok(isAbout(2), `${bench.lane.pendingBytes} bytes behind the gap`)
  await bench.resolve(0)
  assert.ok(isAbout(3), `${bench.lane.pendingBytes} bytes`)
  assert.equal(bench.lane.isIdle, true)
  bench.lane.forgetOutputs(1)
  assert.ok(isAbout(2), `${bench.lane.pendingBytes} bytes after the first is committed`)
  bench.lane.forgetOutputs(3)
  assert.equal(bench.lane.pendingBytes, 0)
})

await test('pending: a record counts with its headers, and with what the lane keeps of it', async () => {
  const bench = new Bench()
  bench.lane.push(recordsOf(['key']), 1)
  // 3 of the key, 1 of the value, 9 of the header, 256 of views and places: measured.
  assert.equal(bench.lane.pendingBytes, 3 + 1 + 9 + 256)
  await bench.settled()
  await bench.resolve(0)
  assert.equal(bench.lane.pendingBytes, 0)
})

await test('exactly.once: what cannot be sent is a failed attempt of its own record', async () => {
  const handle = (_: HandlerRecord, { producer }: HandlerContext) => {
    void producer.send({ topic: 'receipts', value: { amount: 1 } as never })
  }
  const { lane, failures } = new Bench({ handler: { kind: 'record', handle }, isExactlyOnce: true, onFailure: 'skip' })
  lane.push(recordsOf(['a']), 1)
  await until(() => lane.durable === 1)
  assert.equal(failures.counts.skipped, 1)
  assert.deepEqual(lane.outputsUpTo(1), [])
})

await test('batch: what waits comes together, and a failure at a record keeps those before it', async () => {
  const bench = new Bench({ kind: 'batch', batchRecords: 3, retry: { retries: 1, backoffMs: 1, backoffMaxMs: 1 } })
  bench.lane.push(recordsOf(['a', 'b', 'c', 'd', 'e']), 5)
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0, 1, 2]])
  bench.calls[0]!.reject(new BatchFailedError(1, new Error('b is down')))
  await bench.settled()
  assert.equal(bench.lane.durable, 1)
  assert.deepEqual(bench.offsets, [[0, 1, 2]], 'not without a wait')
  await bench.clock.run(() => bench.calls.length === 2, 1000)
  assert.deepEqual(bench.offsets.at(-1), [1, 2], 'from the failed one on')
  await bench.resolve(1)
  assert.deepEqual(bench.offsets.at(-1), [3, 4])
})

await test('batch: when its attempts are used up, records go alone, so that only the guilty one is given up', async () => {
  const bench = new Bench({
    kind: 'batch',
    onFailure: 'dead-letter',
    retry: { retries: 0, backoffMs: 1, backoffMaxMs: 1 },
  })
  bench.answer = (offsets) => (offsets.includes(1) ? new Error('one of them') : undefined)
  bench.lane.push(recordsOf(['a', 'b', 'c']), 3)
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0, 1, 2], [0], [1], [2]])
  assert.equal(bench.lane.durable, 3)
  assert.equal(bench.sent.length, 1)
})

await test('batch: the record that its error names is given up at once when it is fatal, the others are not handed out again', async () => {
  const bench = new Bench({ kind: 'batch', onFailure: 'dead-letter' })
  const declined = Object.assign(new Error('declined'), { name: 'CardDeclined', retriable: false })
  bench.answer = (offsets) => (offsets.includes(1) ? new BatchFailedError(offsets.indexOf(1), declined) : undefined)
  bench.lane.push(recordsOf(['a', 'b', 'c']), 3)
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0, 1, 2], [2]])
  assert.equal(bench.lane.durable, 3)
  assert.deepEqual(
    bench.sent.map(({ value, headers }) => [
      String(value),
      String(headers!.find(({ key }) => key === 'sluice-error-class')!.value),
      String(headers!.find(({ key }) => key === 'sluice-attempts')!.value),
    ]),
    [['1', 'CardDeclined', '1']],
  )
})

await test('batch with exactly.once: what stands beside the one given up is handled again, as its output was dropped', async () => {
  const bench = new Bench({ kind: 'batch', onFailure: 'skip', isExactlyOnce: true })
  const declined = Object.assign(new Error('declined'), { retriable: false })
  bench.answer = (offsets) => (offsets.includes(1) ? new BatchFailedError(offsets.indexOf(1), declined) : undefined)
  bench.lane.push(recordsOf(['a', 'b', 'c']), 3)
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0, 1, 2], [0], [2]])
  assert.equal(bench.lane.durable, 3)
})

// The follower of a slow record becomes ready behind everything that is too far ahead, and is what the window waits for.
await test('window: the record that closes the gap begins, however much waits behind the window', async () => {
  const first = Promise.withResolvers<void>()
  const handle = (record: HandlerRecord) => (record.offset === 0 ? first.promise : undefined)
  const { lane } = new Bench({ order: 'key', handler: { kind: 'record', handle } })
  const keys = Array.from({ length: 2 * MOST_AHEAD }, (_, offset) => (offset < 2 ? 'slow' : String(offset)))
  lane.push(recordsOf(keys), keys.length)
  await until(() => lane.storedRecords === MOST_AHEAD - 2)
  first.resolve()
  await until(() => lane.durable === keys.length)
})

await test('concurrency: a lane that waited for room takes all that is free once it has its turn', async () => {
  const shared = new Concurrency(3)
  const bench = new Bench({ order: 'unordered', concurrency: shared })
  const other = new Bench({ order: 'unordered', concurrency: shared })
  bench.lane.push(recordsOf([null, null, null]), 3)
  other.lane.push(recordsOf([null, null, null]), 3)
  await bench.settled()
  await bench.resolve(0, 1, 2)
  assert.equal(other.calls.length, 3)
})

await test('close: a retry whose wait is over and that waits for room is given up at once, and takes none', async () => {
  const shared = new Concurrency(1)
  const bench = new Bench({ concurrency: shared })
  const other = new Bench({ concurrency: shared })
  bench.lane.push(recordsOf(['a']), 1)
  other.lane.push(recordsOf(['a', 'b']), 2)
  await bench.settled()
  bench.calls[0]!.reject(new Error('down'))
  await bench.clock.run(() => !bench.lane.isWaiting && other.calls.length === 1, 1000)
  await bench.settled()
  await bench.lane.close({ signal: new AbortController().signal })
  assert.equal(bench.calls.length, 1)
  await other.resolve(0)
  assert.equal(other.calls.length, 2, 'the room is not lost')
})

await test('given up: what is thrown need not be an error', async () => {
  for (const [thrown, pattern] of [
    [Object.create(null), /threw what is no error: \[Object: null prototype\] \{\}/],
    [undefined, /threw what is no error: undefined/],
    [{ message: 'odd', retriable: false }, /the handler failed: Error: odd/],
  ] as const) {
    const handle = async () => {
      // oxlint-disable-next-line typescript/only-throw-error
      throw thrown
    }
    const retry = { retries: 0, backoffMs: 1, backoffMaxMs: 1 }
    const { lane } = new Bench({ handler: { kind: 'record', handle }, retry })
    lane.push(recordsOf(['a']), 1)
    await until(() => lane.state.kind === 'failed')
    assert.match((lane.state as { error: Error }).error.message, pattern)
  }
})

await test('close: what runs is finished, nothing else begins, and its result counts', async () => {
  const bench = new Bench({ order: 'unordered', concurrency: 2 })
  bench.lane.push(recordsOf(['a', 'b', 'c']), 3)
  await bench.settled()
  const closing = bench.lane.close({ signal: new AbortController().signal })
  bench.lane.push(recordsOf(['d'], 3), 4)
  await bench.resolve(0, 1)
  await closing
  assert.deepEqual(bench.offsets, [[0], [1]])
  assert.equal(bench.lane.durable, 2)
  assert.equal(bench.lane.state.kind, 'closed')
})

await test('close: a handler that does not end is not waited for beyond the limit, and its late result counts for nothing', async () => {
  const bench = new Bench()
  bench.lane.push(recordsOf(['a']), 1)
  await bench.settled()
  const limit = new AbortController()
  const closing = bench.lane.close({ signal: limit.signal })
  assert.equal(bench.calls[0]!.context.signal.aborted, false)
  limit.abort()
  await closing
  assert.equal(bench.calls[0]!.context.signal.aborted, true)
  await bench.resolve(0)
  assert.equal(bench.lane.durable, undefined)
})

await test('close: a retry that waits is given up at once', async () => {
  const bench = new Bench({ retry: { retries: 9, backoffMs: 60_000, backoffMaxMs: 60_000 } })
  bench.answer = () => new Error('down')
  bench.lane.push(recordsOf(['a']), 1)
  await bench.settled()
  await bench.lane.close({ signal: new AbortController().signal })
  assert.equal(bench.calls.length, 1)
  assert.equal(bench.lane.state.kind, 'closed')
  assert.equal(bench.lane.durable, undefined)
})

await test('close: a gap is closed first, so that what is done behind it is not handled twice', async () => {
  const bench = new Bench({ order: 'key' })
  bench.answer = (offsets, attempt) => (offsets[0] === 0 && attempt === 1 ? new Error('for now') : undefined)
  bench.lane.push(recordsOf(['a', 'b', 'a', 'b', 'a']), 5)
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0], [1], [3]])
  let isClosed = false
  void bench.lane.close({ signal: new AbortController().signal }).then(() => (isClosed = true))
  await bench.clock.run(() => isClosed, 5000)
  assert.equal(bench.lane.durable, 4, 'offset 2 had to be handled, offset 4 not any more')
})

await test('close: a gap that is not closed in time is left', async () => {
  const bench = new Bench({ order: 'key', retry: { retries: 99, backoffMs: 700, backoffMaxMs: 700 } })
  bench.answer = (offsets) => (offsets[0] === 0 ? new Error('down') : undefined)
  bench.lane.push(recordsOf(['a', 'b']), 2)
  await bench.settled()
  let isClosed = false
  const began = bench.clock.now
  void bench.lane.close({ signal: new AbortController().signal }).then(() => (isClosed = true))
  await bench.clock.run(() => isClosed, 60_000)
  assert.equal(bench.lane.durable, undefined)
  assert.ok(bench.clock.now - began >= 10_000)
  const drained = new AbortController()
  drained.abort()
  const other = new Bench({ order: 'key' })
  other.answer = bench.answer
  other.lane.push(recordsOf(['a', 'b']), 2)
  await other.settled()
  await other.lane.close({ signal: new AbortController().signal, drain: drained.signal })
  assert.equal(other.lane.durable, undefined)
})

await test('abort: signals, waits for nobody, and late results count for nothing', async () => {
  const bench = new Bench()
  bench.lane.push(recordsOf(['a', 'b']), 2)
  await bench.settled()
  await bench.lane.abort()
  assert.equal(bench.calls[0]!.context.signal.aborted, true)
  await bench.resolve(0)
  assert.equal(bench.lane.durable, undefined)
  assert.equal(bench.calls.length, 1)
})

await test('commit by record: the next one of a strand waits for the commit', async () => {
  const commits: (() => void)[] = []
  const afterRecord = () => new Promise<void>((resolve) => void commits.push(resolve))
  const bench = new Bench({ afterRecord })
  bench.answer = () => undefined
  bench.lane.push(recordsOf(['a', 'b']), 2)
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0]])
  assert.equal(bench.lane.durable, 1)
  commits.shift()!()
  await bench.settled()
  assert.deepEqual(bench.offsets, [[0], [1]])
})

await test('a poll without records moves what is durable, and not past a record that is not done', async () => {
  const bench = new Bench()
  bench.lane.push([], 4)
  assert.equal(bench.lane.durable, 4)
  bench.lane.push(recordsOf(['a'], 4), 5)
  bench.lane.push([], 9)
  assert.equal(bench.lane.durable, 4)
  await bench.settled()
  await bench.resolve(0)
  assert.equal(bench.lane.durable, 9)
})
