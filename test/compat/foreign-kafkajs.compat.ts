/** KafkaJS 2.2.4 against the embedded broker. What passes is what stands here; it may only grow. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import kafkajs, { CompressionTypes, Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import { error, once, startBroker, type StartBrokerOptions, type TestBroker } from '../../src/testing/index.ts'
import { type Teardown, teardownOf } from '../support/teardown.ts'
import { until } from '../support/until.ts'

interface Setup {
  readonly broker: TestBroker
  readonly kafka: Kafka
  readonly later: Teardown
}

async function clientFor(t: TestContext, options: StartBrokerOptions = {}): Promise<Setup> {
  const later = teardownOf(t)
  const broker = await startBroker(options)
  later(() => broker.stop())
  const retry = { initialRetryTime: 20, maxRetryTime: 200, retries: 20 }
  const kafka = new Kafka({ brokers: [broker.bootstrapServers], logLevel: logLevel.NOTHING, retry })
  return { broker, kafka, later }
}

async function producerOf({ kafka, later }: Setup, options: Parameters<Kafka['producer']>[0] = {}) {
  const producer = kafka.producer(options)
  await producer.connect()
  later(() => producer.disconnect())
  return producer
}

async function adminOf({ kafka, later }: Setup) {
  const admin = kafka.admin()
  await admin.connect()
  later(() => admin.disconnect())
  return admin
}

interface Member {
  readonly seen: string[]
  readonly stop: () => Promise<void>
}

async function consume({ kafka, later }: Setup, topic: string, groupId: string): Promise<Member> {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 200, maxWaitTimeInMs: 200 })
  const seen: string[] = []
  const stop = () => consumer.disconnect()
  later(stop)
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const eachMessage = async ({ message }: { message: KafkaMessage }) => void seen.push(message.value!.toString())
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve))
  await consumer.run({ autoCommitInterval: 100, eachMessage })
  await joined
  return { seen, stop }
}

const values = (count: number, from = 1) =>
  Array.from({ length: count }, (_, index) => ({ value: String(from + index) }))

for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
  test(`kafkajs: produces with compression ${compression === CompressionTypes.GZIP ? 'gzip' : 'none'} and consumes all of it in a group`, async (t) => {
    const setup = await clientFor(t, { topics: ['numbers'] })
    const producer = await producerOf(setup)
    await producer.send({ topic: 'numbers', messages: values(1000), compression })
    const { seen } = await consume(setup, 'numbers', 'g')
    await until(() => seen.length >= 1000)
    assert.deepEqual(
      seen,
      values(1000).map(({ value }) => value),
    )
  })
}

for (const acks of [-1, 0, 1]) {
  test(`kafkajs: produces with acks ${acks}`, async (t) => {
    const setup = await clientFor(t, { topics: ['numbers'] })
    const producer = await producerOf(setup)
    await producer.send({ topic: 'numbers', messages: values(10), acks })
    const { seen } = await consume(setup, 'numbers', 'g')
    await until(() => seen.length === 10)
  })
}

test('kafkajs: produces as an idempotent producer, and again after an error that passes', async (t) => {
  const setup = await clientFor(t, { topics: ['numbers'] })
  const producer = await producerOf(setup, { idempotent: true, maxInFlightRequests: 1 })
  setup.broker.intercept('Produce', once(error('NOT_LEADER_OR_FOLLOWER')))
  for (let from = 1; from <= 100; from += 10) await producer.send({ topic: 'numbers', messages: values(10, from) })
  const { seen } = await consume(setup, 'numbers', 'g')
  await until(() => seen.length === 100)
})

test('kafkajs: creates, describes, grows, configures and deletes topics', async (t) => {
  const setup = await clientFor(t)
  const admin = await adminOf(setup)
  const configEntries = [{ name: 'retention.ms', value: '5000' }]
  assert.equal(await admin.createTopics({ topics: [{ topic: 'clicks', numPartitions: 2, configEntries }] }), true)
  assert.equal(await admin.createTopics({ topics: [{ topic: 'clicks' }] }), false, 'it is there already')
  assert.deepEqual(await admin.listTopics(), ['clicks'])
  await admin.createPartitions({ topicPartitions: [{ topic: 'clicks', count: 4 }] })
  const { topics } = await admin.fetchTopicMetadata({ topics: ['clicks'] })
  assert.equal(topics[0]!.partitions.length, 4)
  await assert.rejects(admin.createPartitions({ topicPartitions: [{ topic: 'clicks', count: 3 }] }), {
    type: 'INVALID_PARTITIONS',
  })
  const described = await admin.describeConfigs({
    includeSynonyms: true,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: 'clicks', configNames: ['retention.ms'] }],
  })
  assert.equal(described.resources[0]!.configEntries[0]!.configValue, '5000')
  const { brokers, controller } = await admin.describeCluster()
  assert.deepEqual([brokers.length, controller], [1, brokers[0]!.nodeId])
  await admin.deleteTopics({ topics: ['clicks'] })
  assert.deepEqual(await admin.listTopics(), [])
})

test('kafkajs: reads, resets and deletes offsets, and deletes records and groups', async (t) => {
  const setup = await clientFor(t, { topics: ['numbers'] })
  const producer = await producerOf(setup)
  await producer.send({ topic: 'numbers', messages: values(100) })
  const { seen, stop } = await consume(setup, 'numbers', 'g')
  await until(() => seen.length === 100)
  await stop()
  const admin = await adminOf(setup)
  const offsetOf = async () =>
    (await admin.fetchOffsets({ groupId: 'g', topics: ['numbers'] }))[0]!.partitions[0]!.offset
  assert.equal(await offsetOf(), '100')
  const { groups } = await admin.listGroups()
  assert.deepEqual(groups, [{ groupId: 'g', protocolType: 'consumer' }])
  assert.equal((await admin.describeGroups(['g'])).groups[0]!.state, 'Empty')
  await admin.setOffsets({ groupId: 'g', topic: 'numbers', partitions: [{ partition: 0, offset: '40' }] })
  assert.equal(await offsetOf(), '40')
  await admin.resetOffsets({ groupId: 'g', topic: 'numbers', earliest: true })
  // KafkaJS commits the special offset itself, whose meaning its consumer looks up when it begins.
  assert.equal(await offsetOf(), '-2')
  await admin.deleteTopicRecords({ topic: 'numbers', partitions: [{ partition: 0, offset: '30' }] })
  const [offsets] = await admin.fetchTopicOffsets('numbers')
  assert.deepEqual([offsets!.low, offsets!.high], ['30', '100'])
  await admin.deleteGroups(['g'])
  assert.deepEqual((await admin.listGroups()).groups, [])
})

test('kafkajs: a group of three, and two that take over from one that leaves', async (t) => {
  const setup = await clientFor(t, { topics: { clicks: 6 } })
  const producer = await producerOf(setup)
  const members: Member[] = []
  for (let index = 0; index < 3; index++) members.push(await consume(setup, 'clicks', 'g'))
  const seen = () => members.flatMap((member) => member.seen)
  const produce = async (count: number, from: number) => {
    const messages = values(count, from).map(({ value }, index) => ({ value, partition: index % 6 }))
    await producer.send({ topic: 'clicks', messages })
  }
  await produce(600, 1)
  await until(() => new Set(seen()).size === 600)
  await members[0]!.stop()
  await produce(600, 601)
  await until(() => new Set(seen()).size === 1200)
})

test('kafkajs: what a transaction commits is seen, what it aborts is not, and its offsets go with it', async (t) => {
  const setup = await clientFor(t, { topics: ['from', 'to'] })
  const producer = await producerOf(setup, { transactionalId: 'mover', maxInFlightRequests: 1, idempotent: true })
  const aborted = await producer.transaction()
  await aborted.send({ topic: 'to', messages: values(10, 1) })
  await aborted.abort()
  const committed = await producer.transaction()
  await committed.send({ topic: 'to', messages: values(10, 101) })
  const partitions = [{ partition: 0, offset: '7' }]
  await committed.sendOffsets({ consumerGroupId: 'mover', topics: [{ topic: 'from', partitions }] })
  await committed.commit()
  const { seen } = await consume(setup, 'to', 'reader')
  await until(() => seen.length === 10)
  assert.deepEqual(
    seen,
    values(10, 101).map(({ value }) => value),
  )
  const admin = await adminOf(setup)
  const [offsets] = await admin.fetchOffsets({ groupId: 'mover', topics: ['from'] })
  assert.equal(offsets!.partitions[0]!.offset, '7')
})
