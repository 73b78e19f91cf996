/** The monitor over the embedded broker: what it sees of real groups, what it asks for, and what faults do to it. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { TopicPartitionMap } from '../../src/client/index.ts'
import type { Consumer } from '../../src/client/consumer/index.ts'
import type { ClusterMonitor } from '../../src/lag/cluster-monitor.ts'
import { groupDetail } from '../../src/lag/views.ts'
import { error, once, startBroker } from '../../src/testing/index.ts'
import { until } from '../support/until.ts'
import { benchOf } from './embedded.ts'

const shared = startBroker()
after(async () => (await shared).stop())

async function readAll(consumer: Consumer, count: number): Promise<void> {
  let read = 0
  await until(async () => (read += (await consumer.poll(100)).count) >= count)
}

const groupOf = (monitor: ClusterMonitor, groupId: string) => monitor.state.groups.get(groupId)!

test('monitor: lag, time lag, members and their assignment, of a group that reads', async (t) => {
  const bench = benchOf(t, (await shared).bootstrapServers)
  await bench.admin.createTopics([{ name: 'clicks', partitions: 2 }])
  const consumer = bench.consumer('readers', { 'client.id': 'reader-1' })
  consumer.subscribe(['clicks'])
  await bench.produce('clicks', 0, 30)
  await bench.produce('clicks', 1, 10)
  await readAll(consumer, 40)
  await consumer.commitSync()
  const monitor = bench.monitor()
  await monitor.sample()
  assert.equal(groupOf(monitor, 'readers').totalLag, 0)
  await bench.produce('clicks', 0, 5)
  await monitor.sample()
  const detail = groupDetail(monitor, groupOf(monitor, 'readers'))
  assert.deepEqual([detail.status, detail.totalLag, detail.members, detail.state], ['OK', 5, 1, 'Stable'])
  const [first, second] = detail.partitionList
  assert.deepEqual([first!.partition, first!.committed, first!.end, first!.lag], [0, 30, 35, 5])
  assert.ok(first!.lagSeconds !== null && first!.lagSeconds >= 0 && first!.lagSeconds < 60)
  assert.equal(first!.owner!.clientId, 'reader-1')
  assert.deepEqual([second!.lag, second!.lagSeconds], [0, 0])
  assert.deepEqual(detail.memberList[0]!.assignment, [{ topic: 'clicks', partitions: [0, 1] }])
})

test('monitor: a group that was stopped is OK, then STOP, and OK again when it has caught up', async (t) => {
  const bench = benchOf(t, (await shared).bootstrapServers)
  await bench.admin.createTopics([{ name: 'life' }])
  const first = bench.consumer('lively')
  first.subscribe(['life'])
  await bench.produce('life', 0, 3)
  await readAll(first, 3)
  await first.commitSync()
  const monitor = bench.monitor({ sampleIntervalMs: 1 })
  await monitor.sample()
  await first.close()
  await bench.produce('life', 0, 3)
  await until(async () => {
    await monitor.sample()
    return groupOf(monitor, 'lively').status === 'ERROR'
  })
  assert.equal(groupOf(monitor, 'lively').worst!.status, 'STOP')
  assert.match(groupOf(monitor, 'lively').worst!.evidence, /3 records.* wait\. The group has no members\./)
  const second = bench.consumer('lively')
  second.subscribe(['life'])
  await readAll(second, 3)
  await second.commitSync()
  await monitor.sample()
  assert.equal(groupOf(monitor, 'lively').status, 'OK')
})

test('monitor: a group that only assigns, one that never committed, and one that was deleted', async (t) => {
  const bench = benchOf(t, (await shared).bootstrapServers)
  await bench.admin.createTopics([{ name: 'assigned' }])
  await bench.produce('assigned', 0, 10)
  const assigner = bench.consumer('assigner')
  assigner.assign([{ topic: 'assigned', partition: 0 }])
  await readAll(assigner, 10)
  await assigner.commitSync(new TopicPartitionMap([[{ topic: 'assigned', partition: 0 }, { offset: 4 }]]))
  const silent = bench.consumer('silent')
  silent.subscribe(['assigned'])
  await readAll(silent, 10)
  const monitor = bench.monitor()
  await monitor.sample()
  assert.equal(groupOf(monitor, 'assigner').totalLag, 6)
  assert.deepEqual([groupOf(monitor, 'silent').partitions, groupOf(monitor, 'silent').totalLag], [0, null])
  await bench.admin.deleteGroups(['assigner'])
  const { gone } = await monitor.sample()
  assert.deepEqual(gone, ['assigner'])
})

test('monitor: complaint 7 (#818), over a broker: deleted offsets leave', async (t) => {
  const bench = benchOf(t, (await shared).bootstrapServers)
  await bench.admin.createTopics([{ name: 'tomb', partitions: 2 }])
  const both = [0, 1].map((partition) => [{ topic: 'tomb', partition }, { offset: 0 }] as const)
  await bench.admin.alterGroupOffsets('tombs', both)
  const monitor = bench.monitor()
  await monitor.sample()
  assert.equal(groupOf(monitor, 'tombs').partitions, 2)
  await bench.admin.deleteGroupOffsets('tombs', [{ topic: 'tomb', partition: 0 }])
  await monitor.sample()
  assert.equal(groupOf(monitor, 'tombs').partitions, 1)
  await bench.admin.deleteTopics(['tomb'])
  await monitor.sample()
  assert.equal(groupOf(monitor, 'tombs')?.partitions ?? 0, 0)
})

test('monitor: complaint 9 (#864), over a broker: a topic created anew under its name', async (t) => {
  const bench = benchOf(t, (await shared).bootstrapServers)
  await bench.admin.createTopics([{ name: 'phoenix', partitions: 3 }])
  await bench.produce('phoenix', 0, 50)
  const consumer = bench.consumer('ashes')
  consumer.assign([{ topic: 'phoenix', partition: 0 }])
  await consumer.commitSync(new TopicPartitionMap([[{ topic: 'phoenix', partition: 0 }, { offset: 50 }]]))
  const monitor = bench.monitor()
  await monitor.sample()
  const before = monitor.state.topics.get('phoenix')!.topicId
  await bench.admin.deleteTopics(['phoenix'])
  await bench.admin.createTopics([{ name: 'phoenix', partitions: 1 }])
  await bench.admin.alterGroupOffsets('ashes', [[{ topic: 'phoenix', partition: 0 }, { offset: 0 }]])
  await bench.produce('phoenix', 0, 2)
  await monitor.sample()
  assert.notEqual(monitor.state.topics.get('phoenix')!.topicId, before)
  assert.deepEqual([groupOf(monitor, 'ashes').totalLag, groupOf(monitor, 'ashes').status], [2, 'OK'])
})

test('monitor: complaint 2 (#461), over a broker: transaction markers are no lag', async (t) => {
  const { bootstrapServers } = await shared
  const bench = benchOf(t, bootstrapServers)
  await bench.admin.createTopics([{ name: 'exactly' }])
  const { Producer } = await import('../../src/client/producer/index.ts')
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers, 'transactional.id': 'tx-lag' })
  bench.stop(() => producer.close())
  await producer.initTransactions()
  producer.beginTransaction()
  await producer.send({ topic: 'exactly', value: Buffer.from('one') })
  await producer.commitTransaction()
  // As Kafka Streams and many others do: the offset after the last record, not after the marker.
  await bench.admin.alterGroupOffsets('streams', [[{ topic: 'exactly', partition: 0 }, { offset: 1 }]])
  const monitor = bench.monitor({ sampleIntervalMs: 1 })
  monitor.start()
  await until(() => groupOf(monitor, 'streams')?.worst?.rule === 'only-markers')
  assert.deepEqual([groupOf(monitor, 'streams').totalLag, groupOf(monitor, 'streams').status], [0, 'OK'])
})

test('monitor: a time lag that the log ends do not tell is read from the record', async (t) => {
  const bench = benchOf(t, (await shared).bootstrapServers)
  await bench.admin.createTopics([{ name: 'aged' }])
  const wroteAt = Date.now() - 7_200_000
  await bench.producer.send({ topic: 'aged', value: Buffer.from('old'), timestamp: wroteAt })
  await bench.admin.alterGroupOffsets('late', [[{ topic: 'aged', partition: 0 }, { offset: 0 }]])
  const blind = bench.monitor({ peek: false })
  await blind.sample()
  assert.equal(groupOf(blind, 'late').lagSeconds, null)
  const monitor = bench.monitor({ sampleIntervalMs: 1 })
  monitor.start()
  await until(() => groupOf(monitor, 'late')?.lagSeconds != null)
  const { lagSeconds } = groupOf(monitor, 'late')
  assert.ok(lagSeconds! > 7199 && lagSeconds! < 7400, String(lagSeconds))
})

test('monitor: many groups cost a bounded number of requests, and no lookup of coordinators', async (t) => {
  const broker = await startBroker({ topics: { wide: 10 } })
  t.after(() => broker.stop())
  const asked = new Map<string, number>()
  for (const api of ['ListGroups', 'OffsetFetch', 'ListOffsets', 'DescribeGroups', 'FindCoordinator', 'Metadata']) {
    broker.intercept(api, () => void asked.set(api, (asked.get(api) ?? 0) + 1))
  }
  const bench = benchOf(t, broker.bootstrapServers)
  const offsets = Array.from({ length: 10 }, (_, partition) => [{ topic: 'wide', partition }, { offset: 0 }] as const)
  for (let index = 0; index < 100; index++) await bench.admin.alterGroupOffsets(`many-${index}`, offsets)
  await bench.produce('wide', 3, 1)
  asked.clear()
  const monitor = bench.monitor({ peek: false })
  await monitor.sample()
  await monitor.sample()
  assert.equal(monitor.state.pairs, 1000)
  assert.equal(asked.get('FindCoordinator'), undefined)
  assert.deepEqual([asked.get('ListGroups'), asked.get('OffsetFetch'), asked.get('DescribeGroups')], [2, 2, 1])
  assert.ok(asked.get('ListOffsets')! <= 6, String(asked.get('ListOffsets')))
  assert.ok(monitor.requestsPerSample! <= 8, `${monitor.requestsPerSample} requests for 100 groups`)
})

test('monitor: what one sample cannot have is said, and the next one has it', async (t) => {
  const broker = await startBroker({ topics: { shaky: 1 } })
  t.after(() => broker.stop())
  const bench = benchOf(t, broker.bootstrapServers)
  await bench.produce('shaky', 0, 5)
  await bench.admin.alterGroupOffsets('shaken', [[{ topic: 'shaky', partition: 0 }, { offset: 2 }]])
  const monitor = bench.monitor({ peek: false })
  await monitor.sample()
  broker.intercept('ListOffsets', once(error('NOT_LEADER_OR_FOLLOWER')))
  await bench.produce('shaky', 0, 5)
  await monitor.sample()
  assert.match(monitor.problem!, /Listing log ends: .*NOT_LEADER_OR_FOLLOWER/)
  assert.equal(groupOf(monitor, 'shaken').totalLag, 3, 'held back')
  broker.intercept('OffsetFetch', once(error('NOT_COORDINATOR')))
  await monitor.sample()
  assert.match(monitor.problem!, /Reading commits: .*NOT_COORDINATOR/)
  await monitor.sample()
  assert.deepEqual([monitor.problem, groupOf(monitor, 'shaken').totalLag], [undefined, 8])
})

test('monitor: complaint 10 (#378): rights that are missing are said by name', async (t) => {
  const broker = await startBroker({ topics: { secret: 1 } })
  t.after(() => broker.stop())
  const bench = benchOf(t, broker.bootstrapServers)
  await bench.admin.alterGroupOffsets('hidden', [[{ topic: 'secret', partition: 0 }, { offset: 0 }]])
  const monitor = bench.monitor({ peek: false })
  broker.intercept('OffsetFetch', once(error('GROUP_AUTHORIZATION_FAILED')))
  await monitor.sample()
  assert.deepEqual(monitor.missingRights, ['Describe on Group hidden'])
  assert.equal(monitor.condition, 'ok')
  await monitor.sample()
  assert.deepEqual(monitor.missingRights, [])
})

test('monitor: a cluster that cannot be reached is stale, not the end, and is found again', async (t) => {
  const broker = await startBroker({ topics: { gone: 1 } })
  t.after(() => broker.stop())
  const bench = benchOf(t, broker.bootstrapServers)
  await bench.admin.alterGroupOffsets('watched', [[{ topic: 'gone', partition: 0 }, { offset: 0 }]])
  const monitor = bench.monitor({ sampleIntervalMs: 20, peek: false })
  monitor.start()
  await until(() => monitor.condition === 'ok')
  await broker.kill()
  await until(() => monitor.condition === 'stale')
  assert.match(monitor.problem!, /ECONNREFUSED|closed|reached|broke/i)
  assert.equal(groupOf(monitor, 'watched').totalLag, 0, 'what was known stands')
  await broker.restart()
  await until(() => monitor.condition === 'ok')
  assert.equal(groupOf(monitor, 'watched').partitions, 1)
})

test('monitor: one that never found its cluster says why', async (t) => {
  const bench = benchOf(t, '127.0.0.1:1')
  const monitor = bench.monitor({ peek: false })
  await assert.rejects(monitor.sample(), /127\.0\.0\.1:1/)
  assert.equal(monitor.condition, 'starting')
})
