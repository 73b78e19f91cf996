/** `__consumer_offsets` of the embedded broker as the place where commits are seen: alone, and checked against the coordinators. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterMonitor } from '../../src/lag/cluster-monitor.ts'
import { systemSeams } from '../../src/client/index.ts'
import { OFFSETS_TOPIC, OffsetsTopic } from '../../src/lag/offsets-topic.ts'
import { MissingRights, Problems } from '../../src/lag/sample-problems.ts'
import { startBroker } from '../../src/testing/index.ts'
import { until } from '../support/until.ts'
import { benchOf } from './embedded.ts'

const groupOf = (monitor: ClusterMonitor, groupId: string) => monitor.state.groups.get(groupId)

for (const collectBy of ['offsets-topic', 'both'] as const) {
  test(`${collectBy}: every commit is seen with its time, also of a group that assigns; deleted offsets and groups leave`, async (t) => {
    const broker = await startBroker({ topics: { orders: 2 } })
    t.after(() => broker.stop())
    const bench = benchOf(t, broker.bootstrapServers)
    await bench.produce('orders', 0, 10)
    const monitor = bench.monitor({ collectBy, sampleIntervalMs: 20, peek: false })
    const set = (offset: number, partition = 0) =>
      bench.admin.alterGroupOffsets('assigner', [[{ topic: 'orders', partition }, { offset }]])
    await set(1)
    await set(0, 1)
    monitor.start()
    await until(() => groupOf(monitor, 'assigner')?.totalLag === 9)
    for (const offset of [2, 2, 3]) await set(offset)
    await until(() => groupOf(monitor, 'assigner')!.totalLag === 7)
    const window = groupOf(monitor, 'assigner')!.pair('orders', 0)!.commits
    await until(() => window.last?.offset === 3)
    const commits = window.toArray()
    assert.deepEqual(
      commits.map(({ offset }) => offset),
      [1, 2, 2, 3],
    )
    assert.ok(commits.every(({ timestamp, observedAt }) => timestamp > 1_600_000_000_000 && observedAt >= timestamp))
    await bench.admin.deleteGroupOffsets('assigner', [{ topic: 'orders', partition: 0 }])
    await until(() => groupOf(monitor, 'assigner')?.partitions === 1)
    await bench.admin.deleteGroups(['assigner'])
    await until(() => !monitor.state.groups.has('assigner'))
    assert.deepEqual(monitor.missingRights, [])
  })
}

test('offsets-topic: members of a classic group, and what they are assigned', async (t) => {
  const broker = await startBroker({ topics: { orders: 2 } })
  t.after(() => broker.stop())
  const bench = benchOf(t, broker.bootstrapServers)
  await bench.produce('orders', 0, 3)
  const consumer = bench.consumer('readers', { 'client.id': 'shop' })
  consumer.subscribe(['orders'])
  await until(async () => (await consumer.poll(100)).count > 0)
  await consumer.commitSync()
  const monitor = bench.monitor({ collectBy: 'offsets-topic', sampleIntervalMs: 20, peek: false })
  monitor.start()
  await until(() => groupOf(monitor, 'readers')?.totalLag === 0)
  const owner = groupOf(monitor, 'readers')!.owner('orders', 0)
  assert.equal(typeof owner === 'object' && owner.clientId, 'shop')
})

test('complaint 5 (#649): a partition of the topic that stops being read is noticed, said and read anew', async (t) => {
  const broker = await startBroker({ topics: { orders: 1 } })
  t.after(() => broker.stop())
  const bench = benchOf(t, broker.bootstrapServers)
  const set = (offset: number) =>
    bench.admin.alterGroupOffsets('watched', [[{ topic: 'orders', partition: 0 }, { offset }]])
  await bench.produce('orders', 0, 10)
  await set(1)
  const monitor = bench.monitor({ collectBy: 'both', sampleIntervalMs: 20, peek: false })
  monitor.start()
  await until(() => groupOf(monitor, 'watched')?.pair('orders', 0)?.commits.length === 1)
  // Fetches are not answered.
  let isMute = true
  let held = 0
  const hold = broker.intercept('Fetch', async () => {
    held++
    await until(() => !isMute, { withinMs: 120_000 })
    return undefined
  })
  t.after(() => {
    isMute = false
    hold.remove()
  })
  // The fetch that was under way is over.
  await until(() => held > 0)
  await set(2)
  const said = new Set<string>()
  monitor.onSample(() => monitor.problems.forEach((problem) => said.add(problem)))
  await until(() => [...said].some((text) => text.includes(`${OFFSETS_TOPIC} says 1: it is read anew`)))
  assert.equal(groupOf(monitor, 'watched')!.totalLag, 8, 'the coordinator’s word holds')
  isMute = false
  hold.remove()
  await until(() => groupOf(monitor, 'watched')!.pair('orders', 0)!.commits.last?.offset === 2)
  await until(() => monitor.problems.length === 0)
})

test('complaint 5 (#649): read from the topic alone, a partition that stands still is said, and its groups are judged no more until it is read', async (t) => {
  const broker = await startBroker({ topics: { orders: 1 } })
  t.after(() => broker.stop())
  const bench = benchOf(t, broker.bootstrapServers)
  const set = (offset: number) =>
    bench.admin.alterGroupOffsets('watched', [[{ topic: 'orders', partition: 0 }, { offset }]])
  await set(1)
  const properties = { 'bootstrap.servers': broker.bootstrapServers }
  const settings = { wantsGroup: () => true, maxGroups: 10, stalledAfterMs: 200 }
  const topic = new OffsetsTopic(bench.admin, properties, systemSeams(), settings)
  bench.stop(() => topic.close())
  const read = async () => {
    const problems = new Problems()
    const options = { signal: new AbortController().signal, timeoutMs: 20_000 }
    const { groups } = await topic.read(options, problems, new MissingRights())
    return {
      offset: groups.get('watched')?.commits?.get('orders')?.get(0),
      problems: problems.toArray().join(),
    }
  }
  await until(async () => (await read()).offset === 1)
  let isMute = true
  let held = 0
  const hold = broker.intercept('Fetch', async () => {
    held++
    await until(() => !isMute, { withinMs: 120_000 })
    return undefined
  })
  t.after(() => {
    isMute = false
    hold.remove()
  })
  await until(() => held > 0)
  await set(2)
  await until(async () => /partition \d has stood at offset \d+ for .* it is read anew/.test((await read()).problems))
  assert.equal((await read()).offset, undefined)
  isMute = false
  hold.remove()
  await until(async () => (await read()).offset === 2)
})
