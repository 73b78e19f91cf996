/** A store that is slower than its topic by far: what is held is bounded, polling goes on, and the membership lasts. bench/backpressure.ts does it with ten million records. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { checkConf } from '../../src/app/conf.ts'
import { Supervisor } from '../../src/app/supervisor.ts'
import { InProcessHost } from '../../src/app/worker-host.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import { systemSeams } from '../../src/client/seams.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { createSinkRegistry, defineSink } from '../../src/sinks/registry.ts'
import type { Sink, SinkBatch } from '../../src/sinks/sink.ts'
import { startBroker } from '../../src/testing/index.ts'
import { until } from '../support/until.ts'

const RECORDS = 100_000
const MAX_POLL_INTERVAL_MS = 1000
/** Less than a twentieth of the topic. */
const BUFFER_BYTES = 200_000

/** Takes a record a millisecond. */
class SlowSink implements Sink {
  async open() {
    return { guarantee: 'at-least-once' as const }
  }

  async assigned(partitions: Parameters<Sink['assigned']>[0]) {
    return partitions.map(({ topicPartition }) => ({ topicPartition, next: undefined }))
  }

  async write({ values }: SinkBatch) {
    await sleep(values.length)
    return { flushDue: false }
  }

  async flush(_: unknown, next: number) {
    return { durable: next }
  }

  async revoked(partitions: Parameters<Sink['revoked']>[0]) {
    return partitions.map((topicPartition) => ({ topicPartition, durable: undefined }))
  }

  async close() {}
}

const sinks = createSinkRegistry([
  defineSink({
    name: 'slow',
    guarantee: 'at-least-once',
    summary: 'Takes a record a millisecond.',
    options: z.strictObject({}),
    example: { type: 'slow' },
    create: () => new SlowSink(),
  }),
])

await test('backpressure: a slow store bounds what is held, and costs no membership', async (t) => {
  const broker = await startBroker({ topics: { clicks: 1 }, properties: { 'group.initial.rebalance.delay.ms': 0 } })
  t.after(() => broker.stop())
  const producer = new Producer({ 'bootstrap.servers': broker.bootstrapServers })
  t.after(() => producer.close())
  const value = Buffer.alloc(100, 'x')
  await producer.sendBatch(Array.from({ length: RECORDS }, () => ({ topic: 'clicks', partition: 0, value })))
  const seams = systemSeams({ logger: silentLogger })
  const conf = {
    topic: 'clicks',
    'group.id': 'slow',
    'bootstrap.servers': broker.bootstrapServers,
    'max.poll.interval.ms': MAX_POLL_INTERVAL_MS,
    'buffer.bytes': BUFFER_BYTES,
    sink: { type: 'slow' },
  }
  let most = 0
  const supervisor = new Supervisor({
    applications: checkConf(conf, 'consumer.conf', { sinks }),
    host: new InProcessHost({ seams, disk: systemDisk, sinks }),
    transport: seams.transport,
    clock: seams.clock,
    logger: silentLogger,
    reportEveryMs: 20,
    onStatus: ([consumer]) => {
      if (consumer) most = Math.max(most, consumer.counts.polled - consumer.counts.stored)
    },
  })
  const ended = supervisor.run()
  ended.catch(() => {})
  t.after(async () => {
    supervisor.stop()
    await ended.catch(() => {})
  })
  const stored = () => supervisor.consumers[0]?.counts.stored ?? 0
  await until(() => stored() > 0, { withinMs: 60_000 })
  const { generation } = supervisor.consumers[0]!.report!
  // Several times as long as a poll may take.
  await until(() => stored() >= 4 * MAX_POLL_INTERVAL_MS, { withinMs: 120_000, what: 'four seconds of work' })
  const [consumer] = supervisor.consumers
  assert.equal(consumer!.report!.generation, generation)
  assert.equal(consumer!.report!.rebalances.lost.calls, 0)
  assert.equal(consumer!.state, 'running')
  assert.ok(most > 0 && most < RECORDS / 20, `${most} records of ${RECORDS} were held`)
  assert.ok(consumer!.counts.polled < RECORDS / 2, 'the topic is not read ahead of the store')
})
