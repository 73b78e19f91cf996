/** A partition without a leader for a while, or with one that nobody can name: its batches wait, and somebody goes on asking. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Cluster } from '../../../src/client/cluster.ts'
import { parseAdminConfig } from '../../../src/client/config.ts'
import { Producer } from '../../../src/client/producer/index.ts'
import { systemSeams } from '../../../src/client/seams.ts'
import { until } from '../../support/until.ts'
import { metadataOf, produced, scriptedBroker } from '../scripted-broker.ts'

const quick = {
  'retry.backoff.ms': 1,
  'retry.backoff.max.ms': 5,
  'reconnect.backoff.ms': 1,
  'reconnect.backoff.max.ms': 5,
}

type Metadata = ReturnType<typeof metadataOf>

/** As Kafka answers for a partition whose only replica is down: LEADER_NOT_AVAILABLE and -1. */
function withoutLeader(response: Metadata): Metadata {
  const topics = response.topics.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map((one) => ({ ...one, errorCode: 5, leaderId: -1 })),
  }))
  return { ...response, topics }
}

function producerOf(t: TestContext, bootstrapServers: string): Producer {
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers, 'linger.ms': 0, ...quick })
  t.after(() => producer.close({ timeoutMs: 0 }))
  return producer
}

test(
  'send: no leader in several answers in a row: metadata are asked for until there is one',
  { timeout: 20_000 },
  async (t) => {
    const broker = await scriptedBroker(t)
    broker.on('Produce', (request) => produced(request))
    let leaderless = 0
    broker.on('Metadata', (request) => {
      const response = metadataOf(broker.port, { orders: 1 }, request)
      return leaderless-- > 0 ? withoutLeader(response) : response
    })
    const producer = producerOf(t, broker.bootstrapServers)
    await producer.send({ topic: 'orders', value: 'first' })
    leaderless = 4
    // Who is asked again before the next answer with metadata is no leader yet either.
    broker.on('Produce', (request) => produced(request, { errorCode: leaderless > 0 ? 6 : 0 }))
    await producer.send({ topic: 'orders', value: 'second' })
    assert.ok(leaderless <= 0, 'every answer without a leader was given')
  },
)

test(
  'send: a leader that is not among the brokers is asked for again, and nothing spins',
  { timeout: 20_000 },
  async (t) => {
    const broker = await scriptedBroker(t)
    broker.on('Produce', (request) => produced(request))
    let unnamed = 3
    broker.on('Metadata', (request) => {
      const response = metadataOf(broker.port, { orders: 1 }, request)
      if (unnamed-- <= 0) return response
      return { ...response, brokers: response.brokers.map((one) => ({ ...one, nodeId: 2 })) }
    })
    const producer = producerOf(t, broker.bootstrapServers)
    await producer.send({ topic: 'orders', value: 'first' })
    assert.ok(unnamed <= 0)
  },
)

test(
  'markStale: said by a listener of the answer itself, metadata are fetched once more',
  { timeout: 20_000 },
  async (t) => {
    const broker = await scriptedBroker(t)
    const cluster = new Cluster(
      parseAdminConfig({ 'bootstrap.servers': broker.bootstrapServers, ...quick }),
      systemSeams(),
    )
    t.after(() => cluster.close())
    await cluster.connect()
    const { version } = cluster.metadata
    cluster.onMetadata(() => {
      if (cluster.metadata.version < version + 4) cluster.markStale()
    })
    cluster.markStale()
    await until(() => cluster.metadata.version === version + 4)
  },
)
