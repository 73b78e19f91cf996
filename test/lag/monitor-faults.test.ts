/** What must not end the monitor, nor make it say what is not so: clocks that jump, wide groups, odd names, clusters that come and go, crowds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Monitor } from '../../src/lag/monitor.ts'
import { startMonitorServer } from '../../src/lag/http/server.ts'
import { groupDetail } from '../../src/lag/views.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { INTERVAL, SimulatedCluster } from './simulated-cluster.ts'

for (const [way, jumpMs] of [
  ['forward by an hour', 3_600_000],
  ['back by an hour', -3_600_000],
] as const) {
  test(`clock: the system’s clock jumps ${way}, and nobody is called stopped for it`, async () => {
    const cluster = new SimulatedCluster()
    const [log] = cluster.topic('orders', [1000])
    const group = cluster.group('steady').assign('m', ['orders', 0])
    const watched = cluster.watch()
    const statuses = new Set<string>()
    const move = (index: number) => {
      log!.end = 1000 + index * 100
      // It commits every third sample, and always has something left.
      if (index % 3 === 0) group.commit('orders', 0, log!.end - 50)
    }
    for (let index = 0; index < 40; index++) {
      move(index)
      if (index === 20) cluster.clock.jump(jumpMs)
      await watched.tick()
      statuses.add(watched.group('steady').status)
    }
    assert.deepEqual([...statuses], ['OK'])
    const { lagSeconds } = watched.group('steady')
    assert.ok(lagSeconds !== null && lagSeconds >= 0 && lagSeconds < 60, String(lagSeconds))
  })
}

test('a group of ten thousand partitions is judged, and shown worst first', async () => {
  const cluster = new SimulatedCluster()
  const wide = Array.from({ length: 10_000 }, () => 100)
  cluster.topic('wide', wide)
  const group = cluster.group('wide').assign('m', ...wide.map((_, partition) => ['wide', partition] as const))
  for (const partition of wide.keys()) group.commit('wide', partition, partition === 7777 ? 40 : 100)
  const watched = cluster.watch()
  await watched.ticks(12)
  const detail = groupDetail(watched.monitor, watched.group('wide'))
  assert.deepEqual([detail.status, detail.partitions, detail.badPartitions, detail.totalLag], ['ERROR', 10_000, 1, 60])
  assert.equal(detail.partitionList[0]!.partition, 7777)
})

test('names with every character that Kafka allows, and groups with any, are found by the API', async (t) => {
  const cluster = new SimulatedCluster()
  const topic = 'A.z_0-9..__--'
  const groups = [
    '결제 그룹',
    'a/b?c=d&e#f',
    '100%',
    '"quoted"',
    "it's",
    '<b>',
    '..',
    'ü€𝄞',
    ' ',
    'a\\b',
    'constructor',
    '__proto__',
  ]
  cluster.topic(topic, [10])
  for (const name of groups) cluster.group(name).commit(topic, 0, 10)
  const watched = cluster.watch()
  await watched.tick()
  const monitor = new Monitor({
    clusters: [watched.monitor],
    version: '1',
    store: undefined,
    clock: cluster.clock,
    logger: silentLogger,
  })
  const server = await startMonitorServer(monitor, {
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger,
    token: undefined,
  })
  t.after(() => server.close())
  // Of "." and ".." a URL makes something else before it is sent: in a query they are safe.
  for (const name of groups.filter((one) => one !== '..')) {
    const path = `/api/v1/clusters/local/groups/${encodeURIComponent(name)}`
    const answer = await fetch(`${server.url}${path}`)
    assert.equal(answer.status, 200, path)
    assert.equal(((await answer.json()) as { group: string }).group, name)
    const burrow = await fetch(`${server.url}/v3/kafka/local/consumer/${encodeURIComponent(name)}/lag`)
    assert.equal(((await burrow.json()) as { status: { group: string } }).status.group, name)
  }
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  assert.ok(
    metrics.includes(String.raw`consumer_group="\"quoted\""`) && metrics.includes(String.raw`consumer_group="a\\b"`),
  )
})

test('half of the partitions without a leader: the other half is judged, these are held back', async () => {
  const cluster = new SimulatedCluster()
  const logs = cluster.topic('orders', [100, 100, 100, 100])
  const group = cluster.group('reader').assign('m', ...[0, 1, 2, 3].map((partition) => ['orders', partition] as const))
  for (const partition of [0, 1, 2, 3]) group.commit('orders', partition, 100)
  const watched = cluster.watch()
  await watched.ticks(3)
  for (const partition of [0, 1]) logs[partition]!.end = undefined
  await watched.ticks(12, (index) => (logs[2]!.end = 110 + index))
  assert.deepEqual(
    [0, 1, 2, 3].map((partition) => watched.pair('reader', 'orders', partition).samples.length),
    [3, 3, 10, 10],
  )
  assert.equal(watched.pair('reader', 'orders', 0).judgement!.status, 'OK')
  assert.equal(watched.pair('reader', 'orders', 2).judgement!.status, 'STALL')
})

test('a log that was really cut back begins anew, after it was told three times', async () => {
  const cluster = new SimulatedCluster()
  const [log] = cluster.topic('orders', [1000])
  const group = cluster.group('reader').assign('m', ['orders', 0]).commit('orders', 0, 1000)
  const watched = cluster.watch()
  await watched.ticks(5)
  log!.end = 400
  group.commit('orders', 0, 400)
  await watched.ticks(2)
  assert.equal(watched.pair('reader', 'orders').samples.at(-1)!.end, 1000, 'held back')
  await watched.ticks(2)
  assert.deepEqual([watched.group('reader').status, watched.group('reader').totalLag], ['OK', 0])
  assert.deepEqual(
    watched.group('reader').marks.map(({ kind }) => kind),
    ['log-end-regressed'],
  )
})

test('a sample that fails leaves what was known, and says so; the next one goes on', async () => {
  const cluster = new SimulatedCluster()
  cluster.topic('orders', [100])
  cluster.group('reader').assign('m', ['orders', 0]).commit('orders', 0, 60)
  const watched = cluster.watch()
  await watched.ticks(3)
  cluster.failure = new Error('no broker can be reached')
  await assert.rejects(watched.monitor.sample(), /no broker can be reached/)
  assert.equal(watched.group('reader').totalLag, 40)
  cluster.failure = undefined
  cluster.clock.advance(INTERVAL * 5)
  await watched.tick()
  assert.equal(watched.monitor.condition, 'ok')
})

test('a crowd: two thousand requests at once are all answered, and no sample waits for them', async (t) => {
  const cluster = new SimulatedCluster()
  cluster.topic('orders', [100])
  for (let index = 0; index < 200; index++) cluster.group(`g-${index}`).commit('orders', 0, index % 100)
  const watched = cluster.watch()
  await watched.tick()
  const monitor = new Monitor({
    clusters: [watched.monitor],
    version: '1',
    store: undefined,
    clock: cluster.clock,
    logger: silentLogger,
  })
  const server = await startMonitorServer(monitor, {
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger,
    token: undefined,
  })
  t.after(() => server.close())
  const paths = [
    '/api/v1/clusters/local/groups/g-1',
    '/v3/kafka/local/consumer/g-2/lag',
    '/api/v1/clusters/local',
    '/burrow/admin',
  ]
  const answers = Promise.all(
    Array.from(
      { length: 2000 },
      async (_, index) => (await fetch(`${server.url}${paths[index % paths.length]}`)).status,
    ),
  )
  for (let index = 0; index < 5; index++) await watched.tick()
  assert.ok((await answers).every((status) => status === 200))
})
