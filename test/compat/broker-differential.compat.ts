/**
 * The same requests, byte for byte, to the embedded broker and to Apache Kafka 4.3.1: the answers must be equal field by field, but for
 * what nobody can foresee (ids, ports) and for the differences that are listed with their reason.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { recordBatches } from '../../src/protocol/records/record-batch.ts'
import { startBroker, type TestBroker } from '../../src/testing/index.ts'
import { WireClient } from '../support/wire-client.ts'
import { type DifferentialCase, type Wire } from './differential-cases.ts'
import { topicCases } from './differential-topic-cases.ts'
import { recordCases } from './differential-record-cases.ts'
import { type KafkaCluster, startKafka } from './kafka.ts'

let broker: TestBroker
let kafka: KafkaCluster

before(async () => {
  // Both with the same partitions of their internal topics, which start-broker.ts and kafka.ts agree on.
  broker = await startBroker()
  // The defaults are compared too.
  kafka = await startKafka({ properties: { 'log.retention.ms': null } })
})
after(async () => {
  await kafka?.stop()
  await broker?.stop()
})

for (const one of [...topicCases, ...recordCases]) {
  test(`as Apache Kafka answers: ${one.name}`, async () => {
    const theirs = await answerOf(kafka.bootstrapServers, one)
    const ours = await answerOf(broker.bootstrapServers, one)
    assert.deepEqual(ours, theirs)
  })
}

async function answerOf(bootstrapServers: string, { run }: DifferentialCase): Promise<unknown> {
  const wire: Wire = { client: await WireClient.connect(bootstrapServers), bootstrapServers }
  try {
    return comparable(await run(wire))
  } catch (error) {
    if ((error as Error).message !== 'connection closed') throw error
    return 'connection closed'
  } finally {
    wire.client.close()
  }
}

function wholeBatches(records: Buffer): string[] {
  return [...recordBatches(records)].map((batch) => batch.bytes().toString('hex'))
}

/** Replaces what is different in every run. */
function comparable(value: unknown, name = ''): unknown {
  // Kafka cuts the last batch off where the bytes end, this broker gives whole ones only: both are what a client must take.
  if (Buffer.isBuffer(value)) return name === 'records' ? wholeBatches(value) : value.toString('hex')
  if (Array.isArray(value)) return value.map((item) => comparable(item))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, comparable(inner, key)]))
  }
  if (name === 'topicId' && value !== 'AAAAAAAAAAAAAAAAAAAAAA') return 'a topic id'
  if (name === 'clusterId' && typeof value === 'string' && value !== '') return 'a cluster id'
  if (name === 'port' && typeof value === 'number' && value > 0) return 'a port'
  if (name === 'sessionId' && value !== 0) return 'a session id'
  return value
}
