/** Order, retries and sequence numbers against a scripted broker; what it does is what the comments of Java's TransactionManager describe. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { type PropertyBag } from '../../../src/client/config.ts'
import {
  BufferExhaustedError,
  ClosedError,
  DeliveryTimeoutError,
  InvalidArgumentError,
  RecordTooLargeError,
  TimeoutError,
} from '../../../src/client/errors.ts'
import { Producer, SendBatchError } from '../../../src/client/producer/index.ts'
import { KafkaError } from '../../../src/protocol/error-codes.ts'
import { seededRandom } from '../../../src/seams/random.ts'
import { produced, scriptedBroker, type ScriptedBroker } from '../scripted-broker.ts'
import { until } from '../../support/until.ts'
import { SequenceModel } from './sequence-model.ts'

const quick = {
  'retry.backoff.ms': 1,
  'retry.backoff.max.ms': 5,
  'reconnect.backoff.ms': 1,
  'reconnect.backoff.max.ms': 5,
}

function producerOf(t: TestContext, broker: ScriptedBroker, properties: PropertyBag = {}): Producer {
  const producer = new Producer({
    'bootstrap.servers': broker.bootstrapServers,
    'linger.ms': 0,
    ...quick,
    ...properties,
  })
  t.after(() => producer.close({ timeoutMs: 0 }))
  return producer
}

function recordsOf(request: any): Buffer {
  return request.topicData[0].partitionData[0].records
}

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({ topic: 'orders', value: String(from + index) }))
const texts = (count: number) => Array.from({ length: count }, (_, index) => String(index))
/** Batches of one record each, so that many are in flight. */
const oneRecordABatch = { 'batch.size': 0 }

/** A broker whose partition checks sequences; `fault` may answer in its place, before or after the append. */
async function modelBroker(
  t: TestContext,
  fault: (
    request: any,
    count: number,
    append: () => ReturnType<SequenceModel['append']>,
  ) => object | string | undefined,
) {
  const broker = await scriptedBroker(t)
  const model = new SequenceModel()
  broker.on('Produce', (request, _version, count) => {
    const append = () => model.append(recordsOf(request))
    return fault(request, count, append) ?? (produced(request, append()) as any)
  })
  return { broker, model }
}

test('send: five batches in flight and the first fails: all are written once and in order', async (t) => {
  const { broker, model } = await modelBroker(t, (request, count) =>
    count === 0 ? produced(request, { errorCode: 7 }) : undefined,
  )
  const producer = producerOf(t, broker, oneRecordABatch)
  const sent = await producer.sendBatch(numbered(20))
  assert.deepEqual(model.values, texts(20))
  assert.deepEqual(
    [...sent].map(({ offset }) => offset),
    texts(20).map(Number),
  )
})

test('send: the answer is lost after the append: the retry is recognised, nothing is written twice', async (t) => {
  const { broker, model } = await modelBroker(t, (_request, count, append) => {
    if (count !== 2 && count !== 7) return undefined
    append()
    return 'hang-up'
  })
  const producer = producerOf(t, broker, oneRecordABatch)
  await producer.sendBatch(numbered(20))
  assert.deepEqual(model.values, texts(20))
})

test('send: random faults of every kind: once and in order, whatever the seed', async (t) => {
  for (let seed = 1; seed <= 8; seed++) {
    const random = seededRandom(seed)
    const { broker, model } = await modelBroker(t, (request, _count, append) => {
      const chance = random.next()
      if (chance < 0.1) return produced(request, { errorCode: 6 })
      if (chance < 0.2) return produced(request, { errorCode: 19 })
      if (chance < 0.27) return 'hang-up'
      if (chance < 0.34) {
        append()
        return 'hang-up'
      }
      return undefined
    })
    const producer = producerOf(t, broker, { ...oneRecordABatch, 'buffer.memory': 4096 })
    await producer.sendBatch(numbered(60))
    assert.deepEqual(model.values, texts(60), `seed ${seed}`)
    await producer.close()
  }
})

test('UNKNOWN_PRODUCER_ID after retention removed what was acknowledged: goes on under a new epoch', async (t) => {
  const { broker, model } = await modelBroker(t, (request, count) => {
    if (count !== 3) return undefined
    model.forget()
    return produced(request, { errorCode: 59, logStartOffset: 3 })
  })
  const producer = producerOf(t, broker)
  for (const record of numbered(6)) await producer.send(record)
  assert.deepEqual(model.values, texts(6))
})

test('OUT_OF_ORDER_SEQUENCE_NUMBER for the next batch: the gap can never be filled, so the epoch is raised', async (t) => {
  const { broker, model } = await modelBroker(t, (request, count) =>
    count === 3 ? produced(request, { errorCode: 45 }) : undefined,
  )
  const producer = producerOf(t, broker)
  for (const record of numbered(6)) await producer.send(record)
  assert.deepEqual(model.values, texts(6))
})

test('DUPLICATE_SEQUENCE_NUMBER: written it is, only its offset is forgotten', async (t) => {
  const { broker } = await modelBroker(t, (request, count) =>
    count === 0 ? produced(request, { errorCode: 46 }) : undefined,
  )
  const producer = producerOf(t, broker)
  const { offset } = await producer.send(numbered(1)[0]!)
  assert.equal(offset, -1)
})

test('a batch that is refused for good fails alone: those behind it go on', async (t) => {
  const refused = new Set(['3'])
  const { broker, model } = await modelBroker(t, (request) => {
    const bytes = recordsOf(request)
    const probe = new SequenceModel()
    probe.append(bytes)
    return probe.values.some((value) => refused.has(value)) ? produced(request, { errorCode: 87 }) : undefined
  })
  const producer = producerOf(t, broker, oneRecordABatch)
  await assert.rejects(producer.sendBatch(numbered(10)), (error: SendBatchError) => {
    assert.ok(error instanceof SendBatchError)
    assert.deepEqual(
      error.failures.map(({ index }) => index),
      [3],
    )
    assert.equal((error.failures[0]!.error as KafkaError).code, 'KAFKA_INVALID_RECORD')
    assert.equal(error.sent.at(9).offset, 8)
    return true
  })
  assert.deepEqual(
    model.values,
    texts(10).filter((value) => value !== '3'),
  )
})

test('MESSAGE_TOO_LARGE: the batch is halved until it fits, and one record that never fits fails alone', async (t) => {
  const { broker, model } = await modelBroker(t, (request) =>
    recordsOf(request).length > 400 ? produced(request, { errorCode: 10 }) : undefined,
  )
  const producer = producerOf(t, broker, { 'linger.ms': 20 })
  const records = numbered(40)
  records[17] = { topic: 'orders', value: 'x'.repeat(500) }
  await assert.rejects(producer.sendBatch(records), (error: SendBatchError) => {
    assert.deepEqual(
      error.failures.map(({ index }) => index),
      [17],
    )
    assert.ok(error.failures[0]!.error instanceof RecordTooLargeError)
    return true
  })
  assert.deepEqual(
    model.values,
    texts(40).filter((value) => value !== '17'),
  )
  await producer.send({ topic: 'orders', value: 'after' })
  assert.equal(model.values.at(-1), 'after')
})

test('max.request.size: a record that can never be sent fails alone, at once', async (t) => {
  const { broker, model } = await modelBroker(t, () => undefined)
  const producer = producerOf(t, broker, { 'max.request.size': 1000 })
  const records = numbered(100)
  records[50] = { topic: 'orders', value: 'x'.repeat(1000) }
  await assert.rejects(producer.sendBatch(records), (error: SendBatchError) => {
    assert.deepEqual(
      error.failures.map(({ index }) => index),
      [50],
    )
    assert.ok(error.failures[0]!.error instanceof RecordTooLargeError)
    return true
  })
  assert.equal(model.values.length, 99)
  assert.ok(broker.requests('Produce').every(({ request }) => recordsOf(request).length <= 1000))
})

test('delivery.timeout.ms: a record that is never acknowledged fails, with the cause', async (t) => {
  const { broker } = await modelBroker(t, (request) => produced(request, { errorCode: 19 }))
  const producer = producerOf(t, broker, { 'delivery.timeout.ms': 120, 'request.timeout.ms': 100 })
  await assert.rejects(producer.send(numbered(1)[0]!), (error: DeliveryTimeoutError) => {
    assert.ok(error instanceof DeliveryTimeoutError)
    assert.match(error.message, /orders-0 were not acknowledged within 120 ms .*NOT_ENOUGH_REPLICAS/s)
    return true
  })
})

test('delivery.timeout.ms: after a batch was given up, later records are written once and in order', async (t) => {
  let isStuck = true
  const { broker, model } = await modelBroker(t, () => (isStuck ? 'silence' : undefined))
  const producer = producerOf(t, broker, { 'delivery.timeout.ms': 150, 'request.timeout.ms': 100 })
  await assert.rejects(producer.send({ topic: 'orders', value: 'lost' }), DeliveryTimeoutError)
  isStuck = false
  for (const record of numbered(5)) await producer.send(record)
  assert.deepEqual(model.values, texts(5))
})

test('retries: a batch fails with its error when they are used up', async (t) => {
  const { broker } = await modelBroker(t, (request) => produced(request, { errorCode: 19 }))
  const producer = producerOf(t, broker, { retries: 2 })
  await assert.rejects(producer.send(numbered(1)[0]!), /NOT_ENOUGH_REPLICAS/)
  assert.equal(broker.requests('Produce').length, 3)
})

test('buffer.memory: a send that finds it full waits, and fails after max.block.ms', async (t) => {
  let isStuck = true
  const { broker, model } = await modelBroker(t, () => (isStuck ? 'silence' : undefined))
  const producer = producerOf(t, broker, {
    'buffer.memory': 1000,
    'batch.size': 300,
    'max.block.ms': 60,
    'request.timeout.ms': 400,
    'delivery.timeout.ms': 60_000,
  })
  // max.block.ms bounds the wait for metadata too, which is not what is asked here.
  const known = () => producer.partitionsFor('orders').then(Array.isArray, () => false)
  await until(known)
  const tooMany = assert.rejects(producer.sendBatch(numbered(100)), (error: SendBatchError) => {
    assert.ok(error.failures.length > 0 && error.failures.length < 100)
    assert.ok(error.failures.every(({ error }) => error instanceof BufferExhaustedError))
    return true
  })
  await assert.rejects(producer.send({ topic: 'orders', value: 'one more' }), BufferExhaustedError)
  isStuck = false
  await tooMany
  await producer.send({ topic: 'orders', value: 'there is room again' })
  // Waiting for room must not be judged by the 60 ms above: how fast this machine is says nothing.
  const patient = producerOf(t, broker, { 'buffer.memory': 1000, 'batch.size': 300 })
  const sent = await patient.sendBatch(numbered(300, 1000))
  assert.equal(sent.length, 300)
  assert.deepEqual(
    model.values.slice(-300),
    texts(300).map((value) => String(Number(value) + 1000)),
  )
})

test('max.block.ms: a topic that does not exist fails its own records, with what the broker said', async (t) => {
  const { broker, model } = await modelBroker(t, () => undefined)
  const producer = producerOf(t, broker, { 'max.block.ms': 1000 })
  const records = [
    ...numbered(2),
    { topic: 'missing', value: 'x' },
    { topic: 'missing', value: 'y' },
    ...numbered(1, 2),
  ]
  await assert.rejects(producer.sendBatch(records), (error: SendBatchError) => {
    assert.deepEqual(
      error.failures.map(({ index }) => index),
      [2, 3],
    )
    assert.ok(error.failures[0]!.error instanceof TimeoutError)
    assert.match(
      error.failures[0]!.error.message,
      /topic missing did not succeed within 1000 ms.*UNKNOWN_TOPIC_OR_PARTITION/s,
    )
    return true
  })
  assert.deepEqual(model.values, ['0', '1', '2'])
})

test('send: a partition that the topic does not have, a timestamp or value that is none, fail alone', async (t) => {
  const { broker, model } = await modelBroker(t, () => undefined)
  const producer = producerOf(t, broker)
  await assert.rejects(
    producer.send({ topic: 'orders', partition: 7 }),
    /The topic orders has no partition 7: it has 1/,
  )
  await assert.rejects(producer.send({ topic: 'orders', timestamp: Number.NaN }), InvalidArgumentError)
  await assert.rejects(producer.send({ topic: 'orders', value: { not: 'bytes' } as never }), InvalidArgumentError)
  await assert.rejects(producer.send({ topic: '' }), InvalidArgumentError)
  await producer.send({ topic: 'orders', partition: 0, value: 'good' })
  assert.deepEqual(model.values, ['good'])
})

test('send: sends that were not awaited keep their order while metadata are fetched', async (t) => {
  const { broker, model } = await modelBroker(t, () => undefined)
  const producer = producerOf(t, broker)
  const first = producer.sendBatch(numbered(3))
  const others = numbered(3, 3).map((record) => producer.send(record))
  const last = producer.sendBatch(numbered(3, 6))
  await Promise.all([first, ...others, last])
  assert.deepEqual(model.values, texts(9))
})

test('linger.ms: records wait for others, and flush does not', async (t) => {
  const { broker, model } = await modelBroker(t, () => undefined)
  const producer = producerOf(t, broker, { 'linger.ms': 600_000, 'delivery.timeout.ms': 1_000_000 })
  const sent = numbered(5).map((record) => producer.send(record))
  await producer.partitionsFor('orders')
  assert.deepEqual(model.values, [])
  await producer.flush()
  await Promise.all(sent)
  assert.deepEqual(model.values, texts(5))
  assert.equal(broker.requests('Produce').length, 1, 'one batch')
})

test('acks=0: sent is enough', async (t) => {
  const broker = await scriptedBroker(t)
  broker.on('Produce', () => 'silence')
  const producer = producerOf(t, broker, { acks: 0 })
  assert.equal((await producer.send({ topic: 'orders', value: 'x' })).offset, -1)
  await until(() => broker.requests('Produce').length === 1)
})

test('max.in.flight.requests.per.connection: never more are unanswered', async (t) => {
  let open = 0
  let most = 0
  const broker = await scriptedBroker(t)
  broker.on('Produce', (request) => {
    open++
    most = Math.max(most, broker.requests('Produce').length - answered)
    open--
    answered++
    return produced(request)
  })
  let answered = 0
  const producer = producerOf(t, broker, { ...oneRecordABatch, 'max.in.flight.requests.per.connection': 1 })
  await producer.sendBatch(numbered(20))
  assert.equal(most, 1)
  assert.equal(open, 0)
})

test('close: sends what waits, then refuses; without time what waits fails', async (t) => {
  let isStuck = false
  const { broker, model } = await modelBroker(t, () => (isStuck ? 'silence' : undefined))
  const patient = producerOf(t, broker, { 'linger.ms': 600_000, 'delivery.timeout.ms': 1_000_000 })
  const sent = patient.send({ topic: 'orders', value: 'last' })
  await patient.close()
  await sent
  assert.deepEqual(model.values, ['last'])
  await assert.rejects(patient.send({ topic: 'orders', value: 'late' }), ClosedError)
  isStuck = true
  const hasty = producerOf(t, broker, { 'linger.ms': 600_000, 'delivery.timeout.ms': 1_000_000 })
  await hasty.partitionsFor('orders')
  const lost = assert.rejects(hasty.send({ topic: 'orders', value: 'lost' }), ClosedError)
  await hasty.close({ timeoutMs: 0 })
  await lost
})

test('abortTransaction: a batch that waits to be sent again is dropped, and what was sent behind it does not wait for it', async (t) => {
  const broker = await scriptedBroker(t)
  const seen: number[] = []
  broker.on('AddPartitionsToTxn', (request) => ({
    throttleTimeMs: 0,
    resultsByTopicV3AndBelow: request.v3AndBelowTopics.map(({ name, partitions }: any) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex: number) => ({ partitionIndex, partitionErrorCode: 0 })),
    })),
  }))
  broker.on('EndTxn', () => ({ throttleTimeMs: 0, errorCode: 0 }))
  broker.on('Produce', (request, _version, count) => {
    seen.push(count)
    // The first is written; then one is refused for now, and those behind it are out of order.
    return produced(request, count === 0 ? {} : { errorCode: count === 1 ? 19 : 45 })
  })
  const producer = producerOf(t, broker, { ...oneRecordABatch, 'transactional.id': 'tx' })
  await producer.initTransactions()
  producer.beginTransaction()
  await producer.send({ topic: 'orders', value: 'first' })
  const failed = assert.rejects(producer.sendBatch(numbered(4)), SendBatchError)
  await until(() => seen.length > 3)
  await producer.abortTransaction()
  await failed
  const [first, second] = broker.requests('InitProducerId').map(({ request }) => request)
  assert.equal(first.producerId, -1)
  assert.equal(second.producerId, 7, 'numbers are missing from the sequence: another epoch was asked for')
  producer.beginTransaction()
})
