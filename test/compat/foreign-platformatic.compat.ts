/** @platformatic/kafka 2.12.1 against the embedded broker. What passes is what stands here; it may only grow. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  Admin,
  type CompressionAlgorithmValue,
  Consumer,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { startBroker, type StartBrokerOptions, type TestBroker } from '../../src/testing/index.ts'
import { type Teardown, teardownOf } from '../support/teardown.ts'
import { until } from '../support/until.ts'

interface Setup {
  readonly broker: TestBroker
  readonly later: Teardown
  readonly connection: { clientId: string; bootstrapBrokers: string[] }
}

async function setUp(t: TestContext, options: StartBrokerOptions = {}): Promise<Setup> {
  const later = teardownOf(t)
  const broker = await startBroker(options)
  later(() => broker.stop())
  return { broker, later, connection: { clientId: 'foreign', bootstrapBrokers: [broker.bootstrapServers] } }
}

function producerOf({ connection, later }: Setup, options: object = {}) {
  const producer = new Producer({ ...connection, serializers: stringSerializers, ...options })
  later(() => producer.close())
  return producer
}

async function consume({ connection, later }: Setup, topic: string, groupId: string) {
  const consumer = new Consumer({
    ...connection,
    groupId,
    deserializers: stringDeserializers,
    sessionTimeout: 6000,
    heartbeatInterval: 200,
    rebalanceTimeout: 10_000,
  })
  let closed: Promise<void> | undefined
  const stop = () => (closed ??= consumer.close(true))
  later(stop)
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: 100, maxWaitTime: 200 })
  const seen: string[] = []
  stream.on('data', (message: { value: string }) => void seen.push(message.value))
  stream.on('error', () => {})
  return { seen, stop }
}

const messages = (topic: string, count: number, from = 1) =>
  Array.from({ length: count }, (_, index) => ({ topic, value: String(from + index) }))

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] satisfies CompressionAlgorithmValue[]) {
  test(`platformatic: produces with compression ${compression} and consumes all of it in a group`, async (t) => {
    const setup = await setUp(t, { topics: ['numbers'] })
    const producer = producerOf(setup)
    await producer.send({ messages: messages('numbers', 1000), compression })
    const { seen } = await consume(setup, 'numbers', 'g')
    await until(() => seen.length >= 1000)
    assert.deepEqual(
      seen,
      messages('numbers', 1000).map(({ value }) => value),
    )
  })
}

test('platformatic: produces as an idempotent producer', async (t) => {
  const setup = await setUp(t, { topics: ['numbers'] })
  const producer = producerOf(setup, { idempotent: true })
  for (let from = 1; from <= 100; from += 10) await producer.send({ messages: messages('numbers', 10, from) })
  const { seen } = await consume(setup, 'numbers', 'g')
  await until(() => seen.length === 100)
})

test('platformatic: creates, lists, describes, grows and deletes topics', async (t) => {
  const setup = await setUp(t)
  const admin = new Admin(setup.connection)
  setup.later(() => admin.close())
  const [created] = await admin.createTopics({ topics: ['clicks'], partitions: 3, replicas: 1 })
  assert.equal(created!.name, 'clicks')
  assert.deepEqual(await admin.listTopics(), ['clicks'])
  await admin.createPartitions({ topics: [{ name: 'clicks', count: 5 }] })
  const { topics } = await admin.metadata({ topics: ['clicks'] })
  assert.equal(topics.get('clicks')!.partitions.length, 5)
  await assert.rejects(admin.createPartitions({ topics: [{ name: 'clicks', count: 4 }] }))
  await admin.deleteTopics({ topics: ['clicks'] })
  assert.deepEqual(await admin.listTopics(), [])
})

test('platformatic: a group of three, and two that take over from one that leaves', async (t) => {
  const setup = await setUp(t, { topics: { clicks: 6 } })
  const producer = producerOf(setup)
  const members = [
    await consume(setup, 'clicks', 'g'),
    await consume(setup, 'clicks', 'g'),
    await consume(setup, 'clicks', 'g'),
  ]
  const seen = () => new Set(members.flatMap((member) => member.seen))
  const produce = (from: number) =>
    producer.send({ messages: messages('clicks', 600, from).map((one, index) => ({ ...one, partition: index % 6 })) })
  await produce(1)
  await until(() => seen().size === 600)
  await members[0]!.stop()
  await produce(601)
  await until(() => seen().size === 1200)
})
