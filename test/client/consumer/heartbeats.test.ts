/** Heartbeats that no handler can stall: memberships kept by a thread of their own, over the embedded broker in a process of its own. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { Consumer } from '../../../src/client/consumer/index.ts'
import { HeartbeatLink, processLink } from '../../../src/client/consumer/heartbeat-link.ts'
import { openHeartbeats, ThreadHeartbeats } from '../../../src/client/consumer/heartbeats.ts'
import { newPolls, pollWaits } from '../../../src/client/consumer/poll-watch.ts'
import { parseConsumerConfig } from '../../../src/client/config.ts'
import { Cluster } from '../../../src/client/cluster.ts'
import { systemSeams } from '../../../src/client/seams.ts'
import { systemClock } from '../../../src/seams/clock.ts'
import { startBroker } from '../../../src/testing/index.ts'
import { startBrokerProcess } from '../../support/broker-process.ts'
import { until } from '../../support/until.ts'
import { at, awaitAssignment, consume, Fixture, uniqueName } from './suite/environment.ts'

const quick = { 'group.min.session.timeout.ms': 100 }

/** Keeps the event loop busy: no timer, no socket, nothing gets its turn. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

async function setUp(t: TestContext): Promise<Fixture> {
  const broker = await startBrokerProcess(t, { properties: quick })
  return new Fixture(t, { bootstrapServers: () => broker.bootstrapServers })
}

test('a handler that blocks the event loop for longer than the session costs nothing and causes no rebalance', async (t) => {
  const f = await setUp(t)
  const topic = await f.topic(2)
  await f.produce(topic, 20)
  const calls: string[] = []
  const consumer = f.consumer({ 'session.timeout.ms': 1000, 'heartbeat.interval.ms': 100, 'max.poll.records': 10 })
  consumer.subscribe([topic], {
    onPartitionsAssigned: () => void calls.push('assigned'),
    onPartitionsRevoked: () => void calls.push('revoked'),
    onPartitionsLost: () => void calls.push('lost'),
  })
  const first = await consume(consumer, 10)
  const { generationId, memberId } = consumer.groupMetadata()
  block(4000)
  await consumer.commitSync()
  const rest = await consume(consumer, 10)
  assert.deepEqual(
    [...first, ...rest].map(({ offset }) => offset),
    Array.from({ length: 20 }, (_, offset) => offset),
  )
  await consumer.commitSync()
  assert.deepEqual(calls, ['assigned'])
  assert.deepEqual([consumer.groupMetadata().generationId, consumer.groupMetadata().memberId], [generationId, memberId])
  const heartbeats = consumer.metrics().get('consumer-coordinator-metrics:heartbeat-total')!.value
  assert.ok(heartbeats >= 10, `${heartbeats} heartbeats`)
})

test('with heartbeats on the event loop the same handler is evicted: what the thread is there for', async (t) => {
  const f = await setUp(t)
  const topic = await f.topic()
  await f.produce(topic, 5)
  const consumer = f.consumer(
    { 'session.timeout.ms': 1000, 'heartbeat.interval.ms': 100 },
    { clock: { ...systemClock } },
  )
  consumer.subscribe([topic])
  await consume(consumer, 5)
  block(3000)
  await assert.rejects(consumer.commitSync(), { code: 'SLUICE_COMMIT_FAILED' })
})

test('max.poll.interval.ms alone judges a stuck handler: the member leaves while the event loop is blocked', async (t) => {
  const f = await setUp(t)
  const topic = await f.topic()
  await f.produce(topic, 5)
  const group = uniqueName('group')
  const calls: string[] = []
  const stuck = f.consumer({
    'group.id': group,
    'max.poll.interval.ms': 1000,
    'session.timeout.ms': 60_000,
    'group.instance.id': null,
  })
  stuck.subscribe([topic], { onPartitionsLost: () => void calls.push('lost') })
  await consume(stuck, 5)
  const other = new Worker(new URL('./other-member.ts', import.meta.url), {
    workerData: { bootstrapServers: f.bootstrapServers, group, topic },
  })
  t.after(() => other.terminate())
  await once(other, 'message')
  // The other member can be assigned the partition only when this one has left: its session would last for a minute.
  const state = memberState()
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's, not a window's
  other.postMessage(state)
  Atomics.wait(state, 0, 0, 30_000)
  assert.equal(Atomics.load(state, 0), 1, 'the other member owns the partition')
  await assert.rejects(stuck.commitSync(), { code: 'SLUICE_COMMIT_FAILED' })
  await until(async () => {
    await stuck.poll(10)
    return calls.length > 0
  })
})

test('consumers in other threads use the one heartbeat thread of the process', async (t) => {
  const f = await setUp(t)
  const topic = await f.topic()
  const own = f.consumer()
  own.subscribe([topic])
  await awaitAssignment(own, 1)
  const workers = Array.from({ length: 3 }, (_, index) => {
    const worker = new Worker(new URL('./other-member.ts', import.meta.url), {
      workerData: { bootstrapServers: f.bootstrapServers, group: `${uniqueName('group')}-${index}`, topic },
    })
    t.after(() => worker.terminate())
    return worker
  })
  let started = 0
  const onWorker = () => void started++
  // Workers are announced a tick after they are made: the three above must not count.
  await Promise.all(workers.map((worker) => once(worker, 'online')))
  process.on('worker', onWorker)
  t.after(() => void process.off('worker', onWorker))
  const states = await Promise.all(
    workers.map(async (worker) => {
      const state = memberState()
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's, not a window's
      worker.postMessage(state)
      await until(() => Atomics.load(state, 0) === 1)
      return [...state]
    }),
  )
  assert.deepEqual(
    states,
    [
      [1, 0, 1],
      [1, 0, 1],
      [1, 0, 1],
    ],
    'each is kept by a thread, and has started none',
  )
  assert.equal(started, 0, 'the thread was there already')
})

/** What other-member.ts fills in: whether it owns a partition, the threads it has started, the consumers that a thread keeps for it. */
function memberState(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(12))
}

test('a thousand consumers that open and close leave nothing behind', async (t) => {
  const broker = await startBroker({ properties: quick })
  t.after(() => broker.stop())
  const config = parseConsumerConfig({ 'bootstrap.servers': broker.bootstrapServers, 'group.id': 'many' })
  const cluster = new Cluster(config, systemSeams())
  t.after(() => cluster.close())
  const before = processLink.size
  for (let round = 0; round < 1000; round++) {
    const heartbeats = openHeartbeats({ ...quiet(cluster, config), groupId: `many-${round % 7}` })
    heartbeats.start({ generationId: 1, memberId: 'm' })
    if (round % 2 === 0) heartbeats.stop()
    heartbeats.close()
  }
  assert.equal(processLink.size, before)
})

function quiet(cluster: Cluster, config: ReturnType<typeof parseConsumerConfig>) {
  const polls = newPolls()
  pollWaits(polls, true)
  return {
    cluster,
    config,
    polls,
    groupId: 'group',
    signal: cluster.closing,
    isOwnLoopUsed: false,
    onAnswer: () => {},
    onFailure: () => {},
    onPollIntervalExpired: () => {},
  }
}

test('without a thread heartbeats are sent from the event loop, after one warning', async (t) => {
  const broker = await startBroker({ properties: quick })
  t.after(() => broker.stop())
  const warnings: string[] = []
  const logger = {
    debug() {},
    info() {},
    error() {},
    warn: (_: object, message: string) => void warnings.push(message),
  }
  const config = parseConsumerConfig({
    'bootstrap.servers': broker.bootstrapServers,
    'group.id': 'group',
    'heartbeat.interval.ms': 20,
  })
  const cluster = new Cluster(config, systemSeams({ logger }))
  t.after(() => cluster.close())
  const link = new HeartbeatLink(() => {
    throw new Error('no more threads')
  })
  let answers = 0
  const open = () => {
    const heartbeats = new ThreadHeartbeats({ ...quiet(cluster, config), onAnswer: () => answers++ }, link)
    t.after(() => heartbeats.close())
    heartbeats.start({ generationId: 1, memberId: 'nobody' })
  }
  open()
  await until(() => answers > 2)
  open()
  await until(() => answers > 6)
  assert.equal(warnings.length, 1)
  assert.match(warnings[0]!, /no thread for heartbeats/)
})

test('the thread does not keep the process alive', async (t) => {
  const broker = await startBrokerProcess(t, { properties: quick, topics: { clicks: 1 } })
  const program = `
    import { Consumer } from ${JSON.stringify(new URL('../../../src/client/consumer/index.ts', import.meta.url).href)}
    const consumer = new Consumer({ 'bootstrap.servers': '${broker.bootstrapServers}', 'group.id': 'g' })
    consumer.subscribe(['clicks'])
    while (consumer.assignment().length === 0) await consumer.poll(100)
    await consumer.close()
    process.stdout.write('closed')`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  assert.equal(stdout, 'closed')
})

test('a coordinator that moves while the handler blocks is found again', async (t) => {
  const broker = await startBrokerProcess(t, { properties: quick })
  const f = new Fixture(t, { bootstrapServers: () => broker.bootstrapServers })
  const topic = await f.topic()
  const consumer: Consumer = f.consumer({ 'session.timeout.ms': 6000, 'heartbeat.interval.ms': 100 })
  consumer.subscribe([topic])
  await awaitAssignment(consumer, 1)
  const { generationId } = consumer.groupMetadata()
  await broker.kill()
  await broker.restart()
  const count = () => consumer.metrics().get('consumer-coordinator-metrics:heartbeat-total')!.value
  const before = count()
  block(1500)
  await until(async () => {
    await consumer.poll(10)
    return count() > before + 3
  })
  assert.equal(consumer.groupMetadata().generationId, generationId)
  await consumer.commitSync([[at(topic), { offset: 0 }]])
})
