/** What a consumer makes of a cluster in trouble, over the embedded broker with faults on request. */
import assert from 'node:assert/strict'
import { once as eventOf } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { type Consumer, type RebalanceListener } from '../../../src/client/consumer/index.ts'
import { type TopicPartition } from '../../../src/protocol/records/topic-partition.ts'
import { RecordBatchWriter } from '../../../src/protocol/records/batch-writer.ts'
import { disconnect, error, once, startBroker, type TestBroker, times } from '../../../src/testing/index.ts'
import { until } from '../../support/until.ts'
import { at, awaitAssignment, consume, Fixture, pollUntil, uniqueName } from './suite/environment.ts'

async function setUp(t: TestContext): Promise<{ broker: TestBroker; f: Fixture }> {
  const broker = await startBroker({ properties: { 'group.min.session.timeout.ms': 100 } })
  t.after(() => broker.stop())
  return { broker, f: new Fixture(t, { bootstrapServers: () => broker.bootstrapServers }) }
}

const offsetsOf = (records: Iterable<{ offset: number }>) => [...records].map(({ offset }) => offset)
const upTo = (count: number) => Array.from({ length: count }, (_, offset) => offset)

async function subscribed(
  f: Fixture,
  topic: string,
  properties = {},
  listener: RebalanceListener = {},
): Promise<Consumer> {
  const consumer = f.consumer({ 'heartbeat.interval.ms': 50, 'session.timeout.ms': 1000, ...properties })
  consumer.subscribe([topic], listener)
  await awaitAssignment(consumer, 1)
  return consumer
}

for (const name of ['NOT_COORDINATOR', 'COORDINATOR_LOAD_IN_PROGRESS', 'UNSTABLE_OFFSET_COMMIT'] as const) {
  test(`OffsetFetch: ${name} is asked again and never read as "nothing committed"`, async (t) => {
    const { broker, f } = await setUp(t)
    const topic = await f.topic()
    await f.produce(topic, 10)
    const group = uniqueName('group')
    const first = f.consumer({ 'group.id': group })
    first.assign([at(topic)])
    await first.commitSync([[at(topic), { offset: 6 }]])
    broker.intercept('OffsetFetch', times(3, error(name)))
    for (const reset of ['earliest', 'none']) {
      const consumer = f.consumer({ 'group.id': group, 'auto.offset.reset': reset })
      consumer.assign([at(topic)])
      assert.equal((await consume(consumer, 1))[0]!.offset, 6)
    }
  })
}

test('commitSync tries again what passes, commitAsync says that it may be tried again', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  const consumer = f.consumer()
  consumer.assign([at(topic)])
  broker.intercept('OffsetCommit', times(2, error('COORDINATOR_LOAD_IN_PROGRESS')))
  await consumer.commitSync([[at(topic), { offset: 1 }]])
  assert.equal((await consumer.committed([at(topic)])).get(at(topic))!.offset, 1)
  broker.intercept('OffsetCommit', once(error('NOT_COORDINATOR')))
  const failed = await new Promise<Error | undefined>((resolve, reject) => {
    consumer.commitAsync([[at(topic), { offset: 2 }]], (_offsets, failure) => resolve(failure))
    pollUntil(consumer, () => true)
      .then(() => consumer.commitSync([]))
      .catch(reject)
  })
  assert.equal((failed as { code?: string }).code, 'SLUICE_RETRIABLE_COMMIT_FAILED')
  assert.equal((await consumer.committed([at(topic)])).get(at(topic))!.offset, 1)
})

test('commitSync gives up at its timeout and says what failed last', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  const consumer = f.consumer()
  consumer.assign([at(topic)])
  // The coordinator is known, and its topic made, before the time counts.
  await consumer.committed([at(topic)])
  broker.intercept('OffsetCommit', error('COORDINATOR_LOAD_IN_PROGRESS'))
  await assert.rejects(consumer.commitSync([[at(topic), { offset: 1 }]], { timeoutMs: 300 }), {
    code: 'SLUICE_TIMEOUT',
    message: /COORDINATOR_LOAD_IN_PROGRESS/,
  })
})

test('commitSync: REBALANCE_IN_PROGRESS is said, and after another poll the commit succeeds', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  const consumer = await subscribed(f, topic)
  const { generationId } = consumer.groupMetadata()
  broker.intercept('OffsetCommit', once(error('REBALANCE_IN_PROGRESS')))
  await assert.rejects(consumer.commitSync([[at(topic), { offset: 1 }]]), { code: 'SLUICE_REBALANCE_IN_PROGRESS' })
  // The generation is known with the answer to the join, and the rebalance over with that to the sync.
  const isOver = () => consumer.groupMetadata().generationId > generationId && consumer.assignment().length === 1
  await pollUntil(consumer, isOver)
  await consumer.commitSync([[at(topic), { offset: 1 }]])
})

for (const name of ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'] as const) {
  test(`commitSync: ${name} fails for good, what was owned is lost, and the member joins anew`, async (t) => {
    const { broker, f } = await setUp(t)
    const topic = await f.topic()
    const lost: TopicPartition[] = []
    const consumer = await subscribed(f, topic, {}, { onPartitionsLost: (partitions) => void lost.push(...partitions) })
    broker.intercept('OffsetCommit', once(error(name)))
    await assert.rejects(consumer.commitSync([[at(topic), { offset: 1 }]]), {
      code: 'SLUICE_COMMIT_FAILED',
      retriable: false,
    })
    await assert.rejects(consumer.commitSync([[at(topic), { offset: 1 }]]), { code: 'SLUICE_COMMIT_FAILED' })
    await pollUntil(consumer, () => lost.length === 1 && consumer.assignment().length === 1)
    await consumer.commitSync([[at(topic), { offset: 1 }]])
  })

  test(`heartbeat: ${name} loses what was owned at the next poll, not before`, async (t) => {
    const { broker, f } = await setUp(t)
    const topic = await f.topic()
    const calls: string[] = []
    const consumer = await subscribed(
      f,
      topic,
      {},
      {
        onPartitionsLost: () => void calls.push('lost'),
        onPartitionsAssigned: () => void calls.push('assigned'),
      },
    )
    broker.intercept('Heartbeat', once(error(name)))
    await until(() => consumer.groupMetadata().generationId === -1)
    assert.deepEqual(calls, ['assigned'])
    await pollUntil(consumer, () => calls.length === 3)
    assert.deepEqual(calls, ['assigned', 'lost', 'assigned'])
  })
}

test('join: passing errors of the coordinator are tried again', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  broker.intercept('FindCoordinator', times(2, error('COORDINATOR_NOT_AVAILABLE')))
  broker.intercept('JoinGroup', once(error('COORDINATOR_LOAD_IN_PROGRESS')))
  broker.intercept('JoinGroup', once(error('NOT_COORDINATOR')))
  broker.intercept('JoinGroup', once(disconnect()))
  broker.intercept('SyncGroup', once(error('NOT_COORDINATOR')))
  broker.intercept('SyncGroup', once(error('REBALANCE_IN_PROGRESS')))
  broker.intercept('SyncGroup', once(disconnect({ when: 'after' })))
  await subscribed(f, topic)
})

test('join: a coordinator that must not be looked up is thrown by poll', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  broker.intercept('FindCoordinator', once(error('GROUP_AUTHORIZATION_FAILED')))
  await assert.rejects(subscribed(f, topic), { code: 'KAFKA_GROUP_AUTHORIZATION_FAILED' })
})

test('a cluster that cannot be reached: polls return nothing, questions say which address and why, close ends', async (t) => {
  const f = new Fixture(t, { bootstrapServers: () => '127.0.0.1:1' })
  const consumer = f.consumer()
  consumer.subscribe(['topic'])
  assert.equal((await consumer.poll(100)).count, 0)
  await assert.rejects(consumer.connect(), { code: 'SLUICE_BROKER_UNAVAILABLE', message: /127\.0\.0\.1:1/ })
  await assert.rejects(consumer.endOffsets([at('topic')], { timeoutMs: 200 }), {
    code: 'SLUICE_TIMEOUT',
    message: /127\.0\.0\.1:1/,
  })
  await assert.rejects(consumer.poll(-1), { code: 'SLUICE_INVALID_ARGUMENT' })
  await consumer.close()
})

test('a cluster that cannot be reached: a call whose time ends between two attempts names address and cause too', async (t) => {
  const f = new Fixture(t, { bootstrapServers: () => '127.0.0.1:1' })
  // After the first refusal the next attempt is a minute away.
  const consumer = f.consumer({ 'reconnect.backoff.ms': 60_000, 'reconnect.backoff.max.ms': 60_000 })
  await assert.rejects(consumer.connect(), { code: 'SLUICE_BROKER_UNAVAILABLE' })
  consumer.assign([at('topic')])
  const calls = [
    () => consumer.endOffsets([at('topic')], { timeoutMs: 50 }),
    () => consumer.committed([at('topic')], { timeoutMs: 50 }),
    () => consumer.position(at('topic'), { timeoutMs: 50 }),
    () => consumer.partitionsFor('topic', { timeoutMs: 50 }),
    () => consumer.commitSync([[at('topic'), { offset: 1 }]], { timeoutMs: 50 }),
  ]
  for (const call of calls) {
    await assert.rejects(call(), { code: 'SLUICE_TIMEOUT', message: /127\.0\.0\.1:1 .*ECONNREFUSED/ })
  }
})

test('a broker that accepts connections and never answers is named by a call whose time ends', async (t) => {
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await eventOf(server, 'listening')
  const { port } = server.address() as AddressInfo
  const f = new Fixture(t, { bootstrapServers: () => `127.0.0.1:${port}` })
  await assert.rejects(f.consumer().endOffsets([at('topic')], { timeoutMs: 50 }), {
    code: 'SLUICE_TIMEOUT',
    message: new RegExp(`127\\.0\\.0\\.1:${port} has not succeeded yet`),
  })
})

test('join: a refusal is thrown by poll, and a later poll may succeed', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  broker.intercept('JoinGroup', once(error('GROUP_AUTHORIZATION_FAILED')))
  await assert.rejects(subscribed(f, topic), { code: 'KAFKA_GROUP_AUTHORIZATION_FAILED' })
  await subscribed(f, topic)
})

test('fetch: lost sessions, lost connections and leaders in doubt cost no record and repeat none', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  await f.produce(topic, 2000, { size: 200 })
  const consumer = f.consumer({ 'max.partition.fetch.bytes': 20_000, 'retry.backoff.ms': 10 })
  let asked = 0
  const faults = [
    error('FETCH_SESSION_ID_NOT_FOUND'),
    error('INVALID_FETCH_SESSION_EPOCH'),
    disconnect(),
    disconnect({ when: 'after' }),
    error('NOT_LEADER_OR_FOLLOWER'),
    error('UNKNOWN_SERVER_ERROR'),
  ]
  broker.intercept('Fetch', (request, context) =>
    ++asked % 3 === 0 ? faults[asked % faults.length]!(request, context) : undefined,
  )
  consumer.assign([at(topic)])
  assert.deepEqual(offsetsOf(await consume(consumer, 2000)), upTo(2000))
  assert.ok(asked > 12)
})

test('fetch: a batch whose CRC is wrong is an error that names it, and the position stays', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  await f.produce(topic, 5)
  const consumer = f.consumer()
  consumer.assign([at(topic)])
  await consumer.partitionsFor(topic)
  const writer = new RecordBatchWriter()
  for (let index = 0; index < 3; index++) writer.append({ value: Buffer.from('broken'), timestamp: 0 })
  const records = writer.build({ baseOffset: 0 })
  records[records.length - 2]! ^= 1
  const answer = {
    throttleTimeMs: 0,
    responses: [
      {
        topic,
        topicId: consumer.topicId(topic)!,
        partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 5, abortedTransactions: null, records }],
      },
    ],
  }
  broker.intercept(
    'Fetch',
    once(() => answer),
  )
  await assert.rejects(consume(consumer, 1), (failure: Error & { code: string; offset: number }) => {
    assert.equal(failure.code, 'SLUICE_CORRUPT_RECORDS')
    assert.equal(failure.offset, 0)
    assert.match(failure.message, new RegExp(`${topic}-0 at offset 0`))
    return true
  })
  assert.equal(await consumer.position(at(topic)), 0)
  assert.deepEqual(offsetsOf(await consume(consumer, 5)), upTo(5))
})

test('ListOffsets: passing errors are tried again, by a reset as by a question', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  await f.produce(topic, 5)
  const consumer = f.consumer({ 'retry.backoff.ms': 10 })
  consumer.assign([at(topic)])
  broker.intercept('ListOffsets', times(2, error('NOT_LEADER_OR_FOLLOWER')))
  assert.equal((await consume(consumer, 5)).length, 5)
  broker.intercept('ListOffsets', times(2, error('LEADER_NOT_AVAILABLE')))
  assert.equal((await consumer.endOffsets([at(topic)])).get(at(topic)), 5)
})

test('truncation: a position behind the end of its epoch is not read over in silence (KIP-320)', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  await f.produce(topic, 10)
  broker.intercept('OffsetForLeaderEpoch', () => ({
    throttleTimeMs: 0,
    topics: [{ topic, partitions: [{ errorCode: 0, partition: 0, leaderEpoch: 0, endOffset: 4 }] }],
  }))
  const strict = f.consumer({ 'auto.offset.reset': 'none' })
  strict.assign([at(topic)])
  strict.seek(at(topic), { offset: 7, leaderEpoch: 9999 })
  await assert.rejects(consume(strict, 1), { code: 'SLUICE_LOG_TRUNCATION', position: 7, divergentOffset: 4 })
  strict.seek(at(topic), 4)
  assert.equal((await consume(strict, 1))[0]!.offset, 4)
  const lenient = f.consumer({ 'auto.offset.reset': 'earliest' })
  lenient.assign([at(topic)])
  lenient.seek(at(topic), { offset: 7, leaderEpoch: 9999 })
  assert.equal((await consume(lenient, 1))[0]!.offset, 4)
})

test('a broker that is killed and comes back: the group goes on where it was, nothing lost', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  await f.produce(topic, 100)
  const consumer = await subscribed(f, topic, { 'max.poll.records': 10 })
  consumer.seekToBeginning()
  const seen = offsetsOf(await consume(consumer, 30))
  await consumer.commitSync()
  await broker.kill()
  await broker.restart()
  await pollUntil(consumer, (records) => {
    seen.push(...offsetsOf(records))
    return seen.length >= 100
  })
  assert.deepEqual(seen, upTo(100))
  await pollUntil(consumer, async () => {
    try {
      await consumer.commitSync()
      return true
    } catch (failure) {
      assert.match((failure as { code: string }).code, /SLUICE_(REBALANCE_IN_PROGRESS|COMMIT_FAILED)/)
      return false
    }
  })
})

test('close: in any state, with and without a broker, comes to its end', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  await f.consumer().close()
  const joining = f.consumer()
  joining.subscribe([topic])
  const polling = joining.poll(10_000)
  await joining.close()
  assert.equal((await polling).count, 0)
  const member = await subscribed(f, topic, { 'enable.auto.commit': true })
  await broker.kill()
  await member.close({ timeoutMs: 500 })
  await broker.restart()
})
