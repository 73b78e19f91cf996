/**
 * A handler that blocks the event loop for 30 s with `session.timeout.ms` 6000, against Apache Kafka, side by side with kafkajs: one member each, the
 * same block, in a process of its own. Sluice keeps its place; kafkajs, which sends heartbeats from the event loop, is evicted.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { Admin } from '../../src/client/admin/index.ts'
import { Producer } from '../../src/client/producer/index.ts'
import { type KafkaCluster, startKafka } from './kafka.ts'

const run = promisify(execFile)
const BLOCK_MS = 30_000

let kafka: KafkaCluster
before(async () => {
  kafka = await startKafka()
})
after(() => kafka?.stop())

interface Outcome {
  readonly offsets: number[]
  /** Generations or joins of the member: one means that nothing was rebalanced. */
  readonly joins: number
  readonly commitError: string | null
}

async function outcomeOf(client: 'sluice' | 'kafkajs'): Promise<Outcome> {
  const topic = `blocked-${client}`
  const admin = new Admin({ 'bootstrap.servers': kafka.bootstrapServers })
  await admin.createTopics([{ name: topic, partitions: 1 }])
  await admin.close()
  const producer = new Producer({ 'bootstrap.servers': kafka.bootstrapServers })
  for (let index = 0; index < 20; index++) void producer.send({ topic, partition: 0, value: `value ${index}` })
  await producer.close()
  const program = fileURLToPath(new URL('blocking-member.ts', import.meta.url))
  const { stdout } = await run(process.execPath, [program, client, kafka.bootstrapServers, topic, String(BLOCK_MS)], {
    timeout: 120_000,
  })
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Outcome
}

const all = Array.from({ length: 20 }, (_, offset) => offset)

test('sluice: a handler that blocks for 30 s with a session of 6 s loses nothing and causes no rebalance', async () => {
  assert.deepEqual(await outcomeOf('sluice'), { offsets: all, joins: 1, commitError: null })
})

test('kafkajs: the same handler costs the membership', async () => {
  const { joins, commitError, offsets } = await outcomeOf('kafkajs')
  assert.ok(joins > 1, 'it had to join again')
  assert.ok(commitError !== null || offsets.length > 20, 'its commit was refused, or records came again')
})
