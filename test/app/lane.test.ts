/** What a lane does when something is wrong with a record or with the store; what holds in any order of events is the simulation's. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordDecoder } from '../../src/app/decode.ts'
import { PartitionLane, type SinkLaneContext } from '../../src/app/lane.ts'
import { systemClock } from '../../src/seams/clock.ts'
import type { Logger } from '../../src/seams/logger.ts'
import { FailurePolicy } from '../../src/app/failure-policy.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { seededRandom } from '../../src/seams/random.ts'
import {
  SinkEndedError,
  SinkRecordError,
  SinkUnavailableError,
  type Sink,
  type SinkBatch,
} from '../../src/sinks/sink.ts'
import { until } from '../support/until.ts'
import { recordAt, TOPIC } from './simulation/cluster.ts'
import { VirtualClock } from './simulation/virtual-clock.ts'

const topicPartition = { topic: TOPIC, partition: 0 }

interface Fake extends Sink {
  readonly batches: SinkBatch[]
  readonly flushes: number[]
}

const stopping = new FailurePolicy({
  onFailure: 'stop',
  application: 'app',
  consumer: 'consumer-thread-0',
  clock: systemClock,
  random: seededRandom(1),
  logger: silentLogger,
})

function fakeSink(overrides: Partial<Sink> = {}): Fake {
  const batches: SinkBatch[] = []
  const flushes: number[] = []
  return {
    batches,
    flushes,
    open: async () => ({ guarantee: 'idempotent' }),
    assigned: async () => [],
    write: async (batch) => {
      batches.push(batch)
      return { flushDue: false }
    },
    flush: async (_, next) => {
      flushes.push(next)
      return { durable: next }
    },
    revoked: async () => [],
    close: async () => {},
    ...overrides,
  }
}

function laneOf(sink: Sink, overrides: Partial<SinkLaneContext> = {}): PartitionLane {
  return new PartitionLane(topicPartition, 0, {
    sink,
    consumer: 'consumer-thread-0',
    sinkName: 'fake',
    decoder: recordDecoder({ value: 'json' }),
    cadence: { records: 1000, bytes: 1 << 30, intervalMs: 60_000, whenIdle: true },
    flushTimeoutMs: 60_000,
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
    failures: stopping,
    poisonAdvice: 'Do something.',
    onChange() {},
    ...overrides,
  })
}

const records = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => recordAt(0, from + index))

await test('lane: a value that is not JSON stops it, with everything before stored and nothing after', async () => {
  const sink = fakeSink()
  const lane = laneOf(sink)
  lane.push([...records(0, 3), recordAt(0, 3, 'no json'), ...records(4, 6)], 6)
  await until(() => lane.state.kind === 'failed')
  assert.equal(lane.durable, 3)
  assert.deepEqual(
    sink.batches.flatMap((batch) => batch.records.map(({ offset }) => offset)),
    [0, 1, 2],
  )
  assert.ok(lane.state.kind === 'failed')
  assert.match(
    lane.state.error.message,
    /^topic flights, partition 0, offset 3: the value cannot be decoded: it is not JSON: "no json"\. Every record before it is stored, nothing from it on is committed\. Do something\.$/,
  )
})

await test('lane: a record that the sink refuses is cut out of its batch, and stops it', async () => {
  const sink = fakeSink()
  const write = (batch: SinkBatch) => sink.write(batch)
  const refusing = {
    ...sink,
    write: async (batch: SinkBatch) => {
      const bad = batch.records.find(({ offset }) => offset === 4)
      if (bad) throw new SinkRecordError(bad, 'the column "delay" is missing')
      return write(batch)
    },
  }
  const lane = laneOf(refusing)
  lane.push(records(0, 8), 8)
  await until(() => lane.state.kind === 'failed')
  assert.equal(lane.durable, 4)
  assert.deepEqual(
    sink.batches.map(({ first, next }) => [first, next]),
    [[0, 4]],
  )
})

await test('lane: a record that an earlier lane met stops the next one there', async () => {
  const sink = fakeSink()
  const refused = new SinkRecordError(recordAt(0, 2), 'the store said no')
  const lane = new PartitionLane(topicPartition, 0, { ...contextOf(sink) }, refused)
  lane.push(records(0, 5), 5)
  await until(() => lane.state.kind === 'failed')
  assert.equal(lane.durable, 2)
})

function contextOf(sink: Sink): SinkLaneContext {
  return {
    sink,
    consumer: 'c',
    sinkName: 'fake',
    decoder: recordDecoder({ value: 'json' }),
    cadence: { records: 1000, bytes: 1 << 30, intervalMs: 60_000, whenIdle: true },
    flushTimeoutMs: 60_000,
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
    failures: stopping,
    poisonAdvice: '',
    onChange() {},
  }
}

await test('lane: a store that is down is tried again, loudly, until it is back', async () => {
  const clock = new VirtualClock()
  let failures = 3
  const sink = fakeSink()
  const flush: Sink['flush'] = (...args) => sink.flush(...args)
  const flaky: Sink = {
    ...sink,
    flush: async (...args) => {
      if (failures-- > 0) throw new SinkUnavailableError('flights.db: the database is locked')
      return flush(...args)
    },
  }
  const said: string[] = []
  const logger: Logger = { debug() {}, info() {}, warn() {}, error: (_, message) => void said.push(message) }
  const lane = laneOf(flaky, { clock: clock.of({ isDead: false }), logger })
  lane.push(records(0, 5), 5)
  await clock.run(() => lane.durable === 5, 60_000)
  assert.equal(said.length, 3)
  assert.match(
    said[0]!,
    /^flights-0: the fake sink is unavailable for flushing: flights\.db: the database is locked\. Trying again in \d\.\d s; nothing is lost/,
  )
})

await test('lane: a flush that hangs is aborted and tried again', async () => {
  const clock = new VirtualClock()
  let calls = 0
  const hanging = fakeSink({
    flush: (_, next, signal) => {
      if (++calls > 1) return Promise.resolve({ durable: next })
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new SinkUnavailableError('aborted')))
      })
    },
  })
  const lane = laneOf(hanging, { clock: clock.of({ isDead: false }), flushTimeoutMs: 1000 })
  lane.push(records(0, 2), 2)
  await clock.run(() => lane.durable === 2, 60_000)
  assert.equal(calls, 2)
})

await test('lane: batches meet the records of the cadence exactly', async () => {
  const sink = fakeSink()
  const lane = laneOf(sink, { cadence: { records: 4, bytes: 1 << 30, intervalMs: 60_000, whenIdle: false } })
  lane.push(records(0, 10), 10)
  await until(() => lane.isIdle)
  assert.deepEqual(sink.flushes, [4, 8])
  assert.equal(lane.durable, 8)
  await lane.close({ signal: new AbortController().signal })
  assert.deepEqual(sink.flushes, [4, 8, 10])
})

await test('lane: what is durable may stay behind what was flushed', async () => {
  const pinned = fakeSink({ flush: async () => ({ durable: 2 }) })
  const lane = laneOf(pinned)
  lane.push(records(0, 5), 5)
  await until(() => lane.isIdle)
  assert.equal(lane.durable, 2)
})

await test('lane: a position that moves without records reaches the store', async () => {
  const sink = fakeSink()
  const lane = laneOf(sink)
  lane.push([], 7)
  await until(() => lane.durable === 7)
  assert.deepEqual(
    sink.batches.map(({ first, next, records }) => [first, next, records.length]),
    [[0, 7, 0]],
  )
})

await test('lane: a reader of the output that has gone ends it without a failure', async () => {
  const gone = fakeSink({
    write: async () => {
      throw new SinkEndedError('nobody reads standard output any more')
    },
  })
  const lane = laneOf(gone)
  lane.push(records(0, 2), 2)
  await until(() => lane.state.kind === 'ended')
})

await test('lane: closing drops what was not written and flushes what was', async () => {
  const release = Promise.withResolvers<void>()
  const sink = fakeSink()
  const write = (batch: SinkBatch) => sink.write(batch)
  const slow: Sink = {
    ...sink,
    write: async (batch) => {
      await release.promise
      return write(batch)
    },
  }
  const lane = laneOf(slow)
  lane.push(records(0, 3), 3)
  lane.push(records(3, 6), 6)
  const closed = lane.close({ signal: new AbortController().signal })
  release.resolve()
  await closed
  assert.equal(lane.durable, 3)
  assert.deepEqual(sink.flushes, [3])
})
