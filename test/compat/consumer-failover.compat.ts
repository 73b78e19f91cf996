/** The consumer over three nodes of Apache Kafka while leaders and coordinators move. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertInOrder } from '../support/each-once.ts'
import { until } from '../support/until.ts'
import { Cluster } from '../../src/client/cluster.ts'
import { parseAdminConfig } from '../../src/client/config.ts'
import { systemSeams } from '../../src/client/seams.ts'
import { createTopics } from '../../src/protocol/messages/index.ts'
import { Fixture, uniqueName } from '../client/consumer/suite/environment.ts'
import { type KafkaCluster, startKafka } from './kafka.ts'

let kafka: KafkaCluster
before(async () => {
  kafka = await startKafka({ nodes: 3 })
})
after(() => kafka?.stop())

test('brokers are killed and stopped one after the other: every record comes once, in order', async (t) => {
  const f = new Fixture(t, { bootstrapServers: () => kafka.bootstrapServers })
  const cluster = new Cluster(parseAdminConfig({ 'bootstrap.servers': kafka.bootstrapServers }), systemSeams())
  t.after(() => cluster.close())
  await cluster.connect()
  const topic = uniqueName('failover')
  await cluster.send(createTopics, cluster.metadata.controllerId, {
    topics: [
      {
        name: topic,
        numPartitions: 6,
        replicationFactor: 3,
        assignments: [],
        configs: [{ name: 'min.insync.replicas', value: '1' }],
      },
    ],
    timeoutMs: 30_000,
  })
  const consumer = f.consumer({ 'heartbeat.interval.ms': 200 })
  consumer.subscribe([topic])
  const seen: number[][] = Array.from({ length: 6 }, () => [])
  const stopping = new AbortController()
  let commits = 0
  const consuming = (async () => {
    while (!stopping.signal.aborted) {
      for (const { partition, offset } of await consumer.poll(100)) seen[partition]!.push(offset)
      consumer.commitAsync(undefined, (_offsets, error) => void (error ?? commits++))
    }
  })()
  const perRound = 200
  let produced = 0
  const produceRound = async () => {
    const producer = f.producer()
    const sent: Promise<unknown>[] = []
    for (let index = 0; index < perRound * 6; index++)
      sent.push(producer.send({ topic, partition: index % 6, value: `${produced + index}` }))
    await Promise.all(sent)
    produced += perRound
  }
  const caughtUp = () =>
    until(() => seen.every(({ length }) => length >= produced), {
      withinMs: 60_000,
      what: 'the consumer has caught up',
    })
  await produceRound()
  await caughtUp()
  for (const node of kafka.nodes.slice(1)) {
    if (node.id === 2) await node.kill()
    else await node.stop()
    await produceRound()
    await caughtUp()
    await node.start()
    await produceRound()
    await caughtUp()
  }
  stopping.abort()
  await consuming
  for (const offsets of seen) assertInOrder(offsets, (offset) => offset, produced, 'each record once, in order')
  assert.ok(commits > 0)
  await consumer.commitSync()
})
