/** Rights that are missing, batches that are broken, coordinators that are not there: what the consumer says, and what goes on working. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  Consumer,
  type CorruptRecordsError,
  GroupAuthorizationError,
  type OffsetCommitCallback,
  TopicAuthorizationError,
} from '../../../src/client/consumer/index.ts'
import { parseConsumerConfig } from '../../../src/client/config.ts'
import { durationMs } from '../../../src/client/iso-duration.ts'
import { RecordBatchWriter } from '../../../src/protocol/records/batch-writer.ts'
import { error, once, startBroker, type TestBroker, times } from '../../../src/testing/index.ts'
import { until } from '../../support/until.ts'
import { at, awaitAssignment, consume, Fixture, pollUntil } from './suite/environment.ts'

async function setUp(t: TestContext): Promise<{ broker: TestBroker; f: Fixture }> {
  const broker = await startBroker({ properties: { 'group.min.session.timeout.ms': 100 } })
  t.after(() => broker.stop())
  return { broker, f: new Fixture(t, { bootstrapServers: () => broker.bootstrapServers }) }
}

test('TopicAuthorizationError: a topic that may not be fetched, named; once it may, reading goes on', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  await f.produce(topic, 3)
  const consumer = f.consumer()
  consumer.assign([at(topic)])
  await consumer.partitionsFor(topic)
  const refusal = {
    throttleTimeMs: 0,
    responses: [
      {
        topic,
        topicId: consumer.topicId(topic)!,
        partitions: [
          { partitionIndex: 0, errorCode: 29, highWatermark: -1, abortedTransactions: null, records: Buffer.alloc(0) },
        ],
      },
    ],
  }
  broker.intercept(
    'Fetch',
    once(() => refusal),
  )
  await assert.rejects(consume(consumer, 1), (failure) => {
    assert.ok(failure instanceof TopicAuthorizationError)
    assert.deepEqual(failure.topics, [topic])
    assert.equal(failure.code, 'KAFKA_TOPIC_AUTHORIZATION_FAILED')
    return true
  })
  assert.equal((await consume(consumer, 3)).length, 3)
})

test('GroupAuthorizationError: by the coordinator lookup, by a join and by a commit', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  const isRefused = (groupId: string) => (failure: unknown) => {
    assert.ok(failure instanceof GroupAuthorizationError)
    assert.equal(failure.groupId, groupId)
    return true
  }
  const consumer = f.consumer()
  const { groupId } = consumer.groupMetadata()
  consumer.subscribe([topic])
  for (const api of ['FindCoordinator', 'JoinGroup']) {
    broker.intercept(api, once(error('GROUP_AUTHORIZATION_FAILED')))
    await assert.rejects(awaitAssignment(consumer, 1), isRefused(groupId))
  }
  await awaitAssignment(consumer, 1)
  broker.intercept('OffsetCommit', once(error('GROUP_AUTHORIZATION_FAILED')))
  await assert.rejects(consumer.commitSync([[at(topic), { offset: 0 }]]), isRefused(groupId))
  broker.intercept('OffsetCommit', once(error('TOPIC_AUTHORIZATION_FAILED')))
  await assert.rejects(consumer.commitSync([[at(topic), { offset: 0 }]]), TopicAuthorizationError)
  const other = f.consumer()
  broker.intercept('FindCoordinator', once(error('GROUP_AUTHORIZATION_FAILED')))
  await assert.rejects(other.committed([at(topic)]), isRefused(other.groupMetadata().groupId))
})

test('a coordinator that is never found: polls go on empty, commits say what failed last, close ends', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  broker.intercept('FindCoordinator', error('COORDINATOR_NOT_AVAILABLE'))
  const consumer = f.consumer()
  consumer.subscribe([topic])
  for (let round = 0; round < 5; round++) assert.equal((await consumer.poll(50)).count, 0)
  const limits = { timeoutMs: 300 }
  await assert.rejects(consumer.committed([at(topic)], limits), {
    code: 'SLUICE_TIMEOUT',
    message: /COORDINATOR_NOT_AVAILABLE/,
  })
  await consumer.close({ timeoutMs: 300 })
})

test('a corrupt batch is left out by seeking where the error says', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  await f.produce(topic, 9)
  const consumer = f.consumer()
  consumer.assign([at(topic)])
  await consumer.partitionsFor(topic)
  const writer = new RecordBatchWriter()
  for (let index = 0; index < 4; index++) writer.append({ value: Buffer.from('broken'), timestamp: 0 })
  const records = writer.build({ baseOffset: 0 })
  records[records.length - 2]! ^= 1
  const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 9, abortedTransactions: null, records }
  const answer = {
    throttleTimeMs: 0,
    responses: [{ topic, topicId: consumer.topicId(topic)!, partitions: [partition] }],
  }
  broker.intercept(
    'Fetch',
    once(() => answer),
  )
  let next = -1
  await assert.rejects(consume(consumer, 1), (failure: CorruptRecordsError) => {
    assert.equal(failure.code, 'SLUICE_CORRUPT_RECORDS')
    assert.match(failure.message, /seek to 4 to leave out the broken batch/)
    next = failure.nextOffset!
    return true
  })
  consumer.seek(at(topic), next)
  assert.deepEqual(
    (await consume(consumer, 5)).map(({ offset }) => offset),
    [4, 5, 6, 7, 8],
  )
})

test('a topic that is deleted while it is consumed: polls go on empty, other topics are read', async (t) => {
  const { f } = await setUp(t)
  const [doomed, topic] = [await f.topic(), await f.topic()]
  await f.produce(doomed, 3)
  const consumer = f.consumer({ 'metadata.max.age.ms': 100, 'allow.auto.create.topics': false })
  consumer.subscribe([doomed, topic])
  await consume(consumer, 3)
  await f.dropTopic(doomed)
  await pollUntil(consumer, () => consumer.assignment().every((one) => one.topic === topic))
  await f.produce(topic, 4)
  assert.equal((await consume(consumer, 4)).length, 4)
})

test('an AbortSignal ends every call that waits, and the consumer stays usable', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  const consumer = f.consumer()
  consumer.assign([at(topic)])
  const interceptions = ['FindCoordinator', 'ListOffsets'].map((api) =>
    broker.intercept(api, error(api === 'ListOffsets' ? 'LEADER_NOT_AVAILABLE' : 'COORDINATOR_NOT_AVAILABLE')),
  )
  const calls: ((options: { signal: AbortSignal }) => Promise<unknown>)[] = [
    (options) => consumer.poll(60_000, options),
    (options) => consumer.commitSync([[at(topic), { offset: 0 }]], options),
    (options) => consumer.committed([at(topic)], options),
    (options) => consumer.position(at(topic), options),
    (options) => consumer.endOffsets([at(topic)], options),
    (options) => consumer.beginningOffsets([at(topic)], options),
    (options) => consumer.offsetsForTimes([[at(topic), 0]], options),
  ]
  for (const call of calls) {
    const controller = new AbortController()
    const waiting = call({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await assert.rejects(waiting, { code: 'SLUICE_ABORTED' }, call.toString())
    await assert.rejects(call({ signal: AbortSignal.abort() }), { code: 'SLUICE_ABORTED' }, call.toString())
  }
  for (const one of interceptions) one.remove()
  assert.equal(await consumer.position(at(topic)), 0)
})

test('commitAsync: callbacks keep the order of the commits, whatever becomes of them', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  const consumer = f.consumer()
  consumer.assign([at(topic)])
  const called: string[] = []
  const note: OffsetCommitCallback = ([one], failure) =>
    void called.push(`${one![1].offset} ${(failure as { code?: string } | undefined)?.code ?? 'done'}`)
  broker.intercept('OffsetCommit', times(1, error('COORDINATOR_LOAD_IN_PROGRESS')))
  for (let offset = 1; offset <= 3; offset++) consumer.commitAsync([[at(topic), { offset }]], note)
  await consumer.commitSync([[at(topic), { offset: 4 }]])
  assert.deepEqual(called, ['1 SLUICE_RETRIABLE_COMMIT_FAILED', '2 done', '3 done'])
  consumer.commitAsync([[at(topic), { offset: 5 }]], () => {
    throw new Error('from a callback')
  })
  consumer.commitAsync([[at(topic), { offset: 6 }]], note)
  await assert.rejects(consumer.commitSync([]), /from a callback/)
  await pollUntil(consumer, () => called.length === 4)
  assert.equal((await consumer.committed([at(topic)])).get(at(topic))!.offset, 6)
})

test('by_duration: ISO 8601 as Java reads it; what is none is refused with an example', () => {
  const hour = 3_600_000
  const cases: [string, number | undefined][] = [
    ['PT1H', hour],
    ['P2D', 48 * hour],
    ['P1DT2H3M4.5S', 26 * hour + 184_500],
    ['pt0s', 0],
    ['P', undefined],
    ['PT', undefined],
    ['P1DT', undefined],
    ['-PT1H', undefined],
    ['P1M', undefined],
    ['1h', undefined],
  ]
  for (const [text, expected] of cases) assert.equal(durationMs(text), expected, text)
  const parse = (reset: string) => parseConsumerConfig({ 'bootstrap.servers': 'a:1', 'auto.offset.reset': reset })
  assert.equal(parse('by_duration:PT1H')['auto.offset.reset'], 'by_duration:PT1H')
  assert.throws(() => parse('by_duration:-PT1H'), /ISO 8601 duration from 0 on, for example PT1H/)
  assert.throws(() => parse('by_duration'), /must be one of/)
})

test('close: while callbacks, commits and joins are under way, and twice', async (t) => {
  const { broker, f } = await setUp(t)
  const topic = await f.topic()
  // Not the fixture's, which would close it again and hear the same.
  const failing = new Consumer({ 'bootstrap.servers': broker.bootstrapServers, 'group.id': 'failing' })
  failing.subscribe([topic], {
    onPartitionsRevoked() {
      throw new Error('from the callback')
    },
  })
  await awaitAssignment(failing, 1)
  await assert.rejects(failing.close(), /from the callback/)
  await assert.rejects(failing.close(), /from the callback/)
  const committing = f.consumer()
  committing.assign([at(topic)])
  const held = broker.intercept('OffsetCommit', error('COORDINATOR_LOAD_IN_PROGRESS'))
  const commit = committing.commitSync([[at(topic), { offset: 0 }]])
  const refused = assert.rejects(commit, { code: 'SLUICE_CLOSED' })
  await committing.close({ timeoutMs: 300 })
  await refused
  held.remove()
  const inside = f.consumer()
  let failure: unknown
  inside.subscribe([topic], {
    async onPartitionsAssigned() {
      failure = await inside.close().catch((caught: unknown) => caught)
    },
  })
  await awaitAssignment(inside, 1)
  assert.equal((failure as { code: string }).code, 'SLUICE_ILLEGAL_STATE')
  await until(() => inside.assignment().length === 1)
})
