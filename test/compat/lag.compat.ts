/** The lag monitor over Apache Kafka 4.3.1: a group that goes OK, WARNING, ERROR and back, groups of both protocols, and what the cluster does to it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, test, type TestContext } from 'node:test'
import type { ClusterMonitor } from '../../src/lag/cluster-monitor.ts'
import { groupDetail } from '../../src/lag/views.ts'
import { benchOf } from '../lag/embedded.ts'
import { until } from '../support/until.ts'
import { kafkaClassPath, runProgram, startKafka } from './kafka.ts'

const kafka = startKafka()
after(async () => (await kafka).stop())

const groupOf = (monitor: ClusterMonitor, groupId: string) => monitor.state.groups.get(groupId)
const INTERVAL_MS = 250

/** Writes `perTick` records every 50 ms until the test says otherwise. */
function producing(t: TestContext, bench: ReturnType<typeof benchOf>, topic: string) {
  const pace = { perTick: 0 }
  let isOver = false
  const loop = (async () => {
    let turn = 0
    await until(
      async () => {
        if (pace.perTick > 0) await bench.produce(topic, turn++ % 2, pace.perTick)
        return isOver
      },
      { withinMs: 600_000, everyMs: 50 },
    )
  })()
  bench.stop(async () => {
    isOver = true
    await loop
  })
  t.diagnostic(`producing to ${topic}`)
  return pace
}

test('lag: a real consumer goes OK, WARNING when it is slower than what is written, ERROR when it is stopped, OK when it is back', async (t) => {
  const bench = benchOf(t, (await kafka).bootstrapServers)
  await bench.admin.createTopics([{ name: 'life', partitions: 2 }])
  const pace = producing(t, bench, 'life')
  const reading = { most: 10_000, isOver: false }
  const read = async (consumer: ReturnType<typeof bench.consumer>) => {
    consumer.subscribe(['life'])
    await until(
      async () => {
        const records = await consumer.poll(50)
        if (records.count > 0) await consumer.commitSync()
        return reading.isOver
      },
      { withinMs: 300_000, everyMs: 50 },
    )
    await consumer.close()
  }
  const monitor = bench.monitor({ sampleIntervalMs: INTERVAL_MS })
  monitor.start()
  const becomes = (status: string) =>
    until(() => groupOf(monitor, 'alive')?.status === status, {
      withinMs: 120_000,
      what: `${status}; it is ${groupOf(monitor, 'alive')?.status}: ${groupOf(monitor, 'alive')?.worst?.evidence}`,
    })
  pace.perTick = 5
  let running = read(bench.consumer('alive', { 'max.poll.records': 1000 }))
  await becomes('OK')
  await until(() => (groupOf(monitor, 'alive')?.readPerSecond ?? 0) > 0)
  // Now it reads one record at a time, and forty are written meanwhile.
  reading.isOver = true
  await running
  reading.isOver = false
  running = read(bench.consumer('alive', { 'max.poll.records': 1 }))
  pace.perTick = 40
  await becomes('WARNING')
  assert.equal(groupOf(monitor, 'alive')!.worst!.rule, 'falling-behind')
  assert.ok(groupOf(monitor, 'alive')!.lagSeconds! > 0)
  pace.perTick = 1
  reading.isOver = true
  await running
  await becomes('ERROR')
  assert.equal(groupOf(monitor, 'alive')!.worst!.status, 'STOP')
  reading.isOver = false
  running = read(bench.consumer('alive', { 'max.poll.records': 5000 }))
  await becomes('OK')
  const kinds = new Set(groupOf(monitor, 'alive')!.marks.map(({ kind }) => kind))
  assert.ok(kinds.has('status') && kinds.has('rebalance'), [...kinds].join())
  reading.isOver = true
  await running
})

test('lag: a group of the consumer protocol (KIP-848) has its members, and one of kcat its lag', async (t) => {
  const { bootstrapServers } = await kafka
  const bench = benchOf(t, bootstrapServers)
  await bench.admin.createTopics([{ name: 'both', partitions: 2 }])
  await bench.produce('both', 0, 10)
  await bench.produce('both', 1, 10)
  const java = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', await kafkaClassPath()]
  const properties = [
    'group.protocol=consumer',
    'client.id=modern',
    'auto.offset.reset=earliest',
    'auto.commit.interval.ms=200',
  ]
  const child = spawn('java', [
    ...java,
    'org.apache.kafka.tools.consumer.ConsoleConsumer',
    '--bootstrap-server',
    bootstrapServers,
    '--topic',
    'both',
    '--group',
    'modern',
    ...properties.flatMap((one) => ['--consumer-property', one]),
  ])
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  bench.stop(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  const kcat = await runProgram('kcat', [
    '-b',
    bootstrapServers,
    '-G',
    'old',
    '-c',
    '15',
    '-X',
    'auto.offset.reset=earliest',
    'both',
  ])
  assert.equal(kcat.code, 0, kcat.stderr)
  const monitor = bench.monitor({ sampleIntervalMs: INTERVAL_MS, describeEveryMs: 1000 })
  monitor.start()
  await until(
    () => groupOf(monitor, 'modern')?.totalLag === 0 && groupOf(monitor, 'modern')?.description?.members.length === 1,
    {
      withinMs: 90_000,
      what: `the group of the consumer protocol has read everything: ${said}`,
    },
  )
  const modern = groupDetail(monitor, groupOf(monitor, 'modern')!)
  assert.equal(modern.type?.toLowerCase(), 'consumer')
  assert.deepEqual(modern.memberList[0]!.assignment, [{ topic: 'both', partitions: [0, 1] }])
  assert.ok(modern.partitionList.every(({ owner }) => owner?.clientId === 'modern'))
  const old = groupOf(monitor, 'old')!
  assert.equal(old.type?.toLowerCase(), 'classic')
  assert.ok(old.totalLag !== null && old.totalLag <= 20, String(old.totalLag))
})

test('lag: hundreds of groups cost a sample a handful of requests', async (t) => {
  const bench = benchOf(t, (await kafka).bootstrapServers)
  await bench.admin.createTopics([{ name: 'crowd', partitions: 10 }])
  const offsets = Array.from({ length: 10 }, (_, partition) => [{ topic: 'crowd', partition }, { offset: 0 }] as const)
  const groups = Array.from({ length: 450 }, (_, index) => `crowd-${index}`)
  for (let from = 0; from < groups.length; from += 50)
    await Promise.all(groups.slice(from, from + 50).map((group) => bench.admin.alterGroupOffsets(group, offsets)))
  const monitor = bench.monitor({ peek: false, allow: /^crowd-\d+$/, describeEveryMs: 600_000 })
  await monitor.sample()
  const first = monitor.requestsPerSample!
  await monitor.sample()
  assert.equal(monitor.state.pairs, 4500)
  t.diagnostic(
    `450 groups of 10 partitions: ${first} requests for the first sample, ${monitor.requestsPerSample} for the next`,
  )
  // ListGroups, Metadata, ListOffsets, and OffsetFetch for each two hundred groups.
  assert.ok(monitor.requestsPerSample! <= 8, String(monitor.requestsPerSample))
})

test('lag: a restarted broker makes no spike', async (t) => {
  const cluster = await startKafka()
  t.after(() => cluster.stop())
  const bench = benchOf(t, cluster.bootstrapServers)
  await bench.admin.createTopics([{ name: 'steady', partitions: 2 }])
  await bench.produce('steady', 0, 100)
  await bench.admin.alterGroupOffsets('steady', [
    [{ topic: 'steady', partition: 0 }, { offset: 95 }],
    [{ topic: 'steady', partition: 1 }, { offset: 0 }],
  ])
  const monitor = bench.monitor({ sampleIntervalMs: INTERVAL_MS, peek: false })
  const lags = new Set<number | null>()
  monitor.onSample(() => lags.add(groupOf(monitor, 'steady')?.totalLag ?? null))
  monitor.start()
  await until(() => monitor.condition === 'ok')
  await cluster.nodes[0]!.kill()
  await until(() => monitor.condition === 'stale')
  await cluster.nodes[0]!.start()
  await until(() => monitor.condition === 'ok' && monitor.problems.length === 0, { withinMs: 60_000 })
  const samples = monitor.samples
  await until(() => monitor.samples > samples + 5)
  assert.deepEqual([...lags], [5])
})
