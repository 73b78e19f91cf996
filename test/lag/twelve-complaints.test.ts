/**
 * What Burrow's users complain of, each as a test that shows it gone. The numbers are those of linkedin/Burrow's issues. Where it can be shown, the
 * rule set `burrow` on the same cluster shows the complaint.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeByBurrow } from '../../src/lag/burrow-rules.ts'
import { SimulatedCluster, START } from './simulated-cluster.ts'

test('complaint 1 (#303): a group that commits much faster than it is sampled is judged by samples, not by commits', async () => {
  const cluster = new SimulatedCluster()
  const [log] = cluster.topic('orders', [1000])
  const group = cluster.group('fast').assign('m', ['orders', 0])
  const watched = cluster.watch()
  await watched.ticks(20, (index) => {
    log!.end = 1000 + index * 500
    group.commit('orders', 0, log!.end - 20)
  })
  assert.equal(watched.group('fast').status, 'OK')
  // Ten commits within one second, all against the same polled log end: the lag "never fell", so Burrow warns.
  const commits = Array.from({ length: 10 }, (_, index) => {
    const timestamp = START + index * 100
    return { offset: 100 + index, timestamp, observedAt: timestamp, lag: 20 + index }
  })
  const burrow = judgeByBurrow(
    { intervals: 10, commits, ends: [200], currentLag: 91 },
    { now: START + 3000, allowedLag: 0, minimumComplete: 0 },
  )
  assert.equal(burrow.status, 'STOP', 'two seconds without a commit, and Burrow says it stopped')
})

test('complaint 2 (#461, #570): a transaction marker that is never consumed is no lag', async () => {
  const cluster = new SimulatedCluster()
  cluster.topic('payments', [101])
  cluster.group('exact').assign('m', ['payments', 0]).commit('payments', 0, 100)
  const watched = cluster.watch()
  await watched.ticks(2)
  // What a look at the log from the commit on has found: no record.
  watched.pair('exact', 'payments').peeked = { committed: 100, end: 101, timestamp: null, records: 0 }
  await watched.ticks(20)
  const { status, totalLag, worst } = watched.group('exact')
  assert.deepEqual([status, totalLag, worst!.rule], ['OK', 0, 'only-markers'])
})

test('complaint 2: nor is what an open transaction holds back, for a group that reads committed records', async () => {
  const cluster = new SimulatedCluster()
  const [log] = cluster.topic('payments', [120])
  log!.lastStable = 100
  cluster.group('exact').assign('m', ['payments', 0]).commit('payments', 0, 100)
  const watched = cluster.watch({ readsCommitted: () => true })
  await watched.ticks(20)
  assert.deepEqual([watched.group('exact').status, watched.group('exact').totalLag], ['OK', 0])
})

test('complaint 2: and a group may be allowed some lag', async () => {
  const cluster = new SimulatedCluster()
  cluster.topic('orders', [105])
  for (const name of ['lax', 'strict']) cluster.group(name).assign('m', ['orders', 0]).commit('orders', 0, 100)
  const watched = cluster.watch({ allowedLag: (groupId) => (groupId === 'lax' ? 5 : 0) })
  await watched.ticks(20)
  assert.deepEqual([watched.group('lax').status, watched.group('strict').status], ['OK', 'ERROR'])
})

test('complaint 3 (#287): the lag goes on growing when commits stop', async () => {
  const cluster = new SimulatedCluster()
  const [log] = cluster.topic('orders', [100])
  cluster.group('silent').assign('m', ['orders', 0]).commit('orders', 0, 100)
  const watched = cluster.watch()
  const lags: (number | null)[] = []
  for (let index = 0; index < 4; index++) {
    log!.end = 100 + index * 50
    await watched.tick()
    lags.push(watched.group('silent').totalLag)
  }
  assert.deepEqual(lags, [0, 50, 100, 150])
})

test('complaint 4 (#740): a broker that is behind after a restart, or does not answer, makes no spike', async () => {
  const cluster = new SimulatedCluster()
  const [log] = cluster.topic('orders', [1000])
  const group = cluster.group('steady').assign('m', ['orders', 0])
  const watched = cluster.watch()
  const seen: (number | null)[] = []
  const ends = [1000, 1100, 1200, 40, undefined, 1300, 1400, 1500]
  for (const [index, end] of ends.entries()) {
    log!.end = end
    group.commit('orders', 0, 990 + Math.max(0, index - (index > 3 ? 2 : 0)) * 100)
    await watched.tick()
    seen.push(watched.group('steady').totalLag)
  }
  assert.ok(
    seen.every((lag) => lag !== null && lag <= 210),
    `no spike among ${seen.join(', ')}`,
  )
  assert.equal(watched.group('steady').status, 'OK')
  assert.deepEqual(watched.group('steady').marks, [])
})

test('complaint 4: a sample that took too long judges nobody', async () => {
  const cluster = new SimulatedCluster()
  const [log] = cluster.topic('orders', [1000])
  cluster.group('steady').assign('m', ['orders', 0]).commit('orders', 0, 1000)
  const watched = cluster.watch()
  await watched.ticks(3)
  cluster.spanMs = 60_000
  log!.end = 900_000
  await watched.tick()
  assert.deepEqual([watched.group('steady').status, watched.group('steady').totalLag], ['OK', 0])
  assert.match(watched.monitor.problem!, /took 60000 ms .* nobody is judged by it/)
})

test('complaint 6 (#682): what is remembered is bounded, and what left the cluster is forgotten', async () => {
  const cluster = new SimulatedCluster()
  const ends = Array.from({ length: 50 }, () => 100)
  cluster.topic('wide', ends)
  for (let index = 0; index < 10; index++) {
    const group = cluster.group(`g-${index}`)
    for (const partition of ends.keys()) group.commit('wide', partition, 50)
  }
  const watched = cluster.watch({ maxPairs: 300 })
  await watched.ticks(50)
  assert.equal(watched.monitor.state.pairs, 300)
  assert.ok(watched.monitor.state.pairsLeftOut > 0, 'what is left out is counted')
  const full = watched.monitor.state.windowBytes
  await watched.ticks(50)
  assert.equal(watched.monitor.state.windowBytes, full, 'full windows do not grow')
  cluster.groups.clear()
  cluster.topics.clear()
  const { gone } = await watched.tick()
  assert.equal(gone.length, 10)
  assert.deepEqual([watched.monitor.state.pairs, watched.monitor.state.groups.size], [0, 0])
})

test('complaint 7 (#818): a group whose offsets were deleted alarms no more', async () => {
  const cluster = new SimulatedCluster()
  cluster.topic('orders', [500, 500])
  const group = cluster.group('assigner').leave().commit('orders', 0, 100).commit('orders', 1, 500)
  const watched = cluster.watch()
  await watched.ticks(12)
  assert.equal(watched.group('assigner').status, 'ERROR')
  group.commits!.get('orders')!.delete(0)
  await watched.tick()
  assert.equal(watched.group('assigner').status, 'OK')
  assert.deepEqual(
    [...watched.group('assigner').pairs()].map(({ partition }) => partition),
    [1],
  )
  cluster.groups.delete('assigner')
  assert.deepEqual((await watched.tick()).gone, ['assigner'])
})

test('complaint 7: groups of a broker that does not answer are not taken for deleted', async () => {
  const cluster = new SimulatedCluster()
  cluster.topic('orders', [500])
  cluster.group('there').assign('m', ['orders', 0]).commit('orders', 0, 500)
  const watched = cluster.watch()
  await watched.tick()
  cluster.groups.delete('there')
  cluster.isWhole = false
  assert.deepEqual((await watched.tick()).gone, [])
  assert.equal(watched.group('there').status, 'OK')
})

test('complaint 8 (#854): a topic that the members unsubscribed from is not STOP for ever', async () => {
  const cluster = new SimulatedCluster()
  const [old] = cluster.topic('old', [500])
  const [fresh] = cluster.topic('new', [500])
  const group = cluster.group('moved').assign('m', ['new', 0]).commit('old', 0, 100)
  const watched = cluster.watch()
  await watched.ticks(20, (index) => {
    old!.end = 500 + index * 10
    fresh!.end = 500 + index * 10
    group.commit('new', 0, fresh!.end)
  })
  assert.equal(watched.group('moved').status, 'OK')
  assert.deepEqual([...watched.group('moved').topics.keys()], ['new'])
  // Nor when the whole group ends afterwards.
  group.leave()
  fresh!.end = 1000
  await watched.ticks(2)
  assert.deepEqual([...watched.group('moved').topics.keys()], ['new'])
})

test('complaint 8: a topic that is read by assign beside a subscription is watched as soon as its commits move', async () => {
  const cluster = new SimulatedCluster()
  const [side] = cluster.topic('side', [500])
  cluster.topic('main', [500])
  const group = cluster.group('both').assign('m', ['main', 0]).commit('main', 0, 500).commit('side', 0, 100)
  const watched = cluster.watch()
  await watched.ticks(2)
  group.commit('side', 0, 110)
  side!.end = 600
  await watched.ticks(15)
  assert.equal(watched.group('both').status, 'ERROR', 'it stands still again, and is still watched')
  assert.equal(watched.pair('both', 'side').judgement!.status, 'STOP')
})

test('complaint 9 (#864): a topic that is created anew under its old name begins anew', async () => {
  const cluster = new SimulatedCluster()
  cluster.topic('orders', [90_000, 90_000], 'first')
  const group = cluster.group('reader').assign('m', ['orders', 0], ['orders', 1])
  group.commit('orders', 0, 90_000).commit('orders', 1, 90_000)
  const watched = cluster.watch()
  await watched.ticks(12)
  cluster.topic('orders', [5], 'second')
  group.commits!.set('orders', new Map([[0, 5]]))
  await watched.ticks(12)
  const { status, totalLag, partitions, marks } = watched.group('reader')
  assert.deepEqual([status, totalLag, partitions], ['OK', 0, 1])
  assert.deepEqual(
    marks.map(({ kind }) => kind),
    ['topic-recreated'],
  )
})

test('complaint 11 (#459): the first sample knows every group, also those that have not committed for days', async () => {
  const cluster = new SimulatedCluster()
  cluster.topic('orders', [500])
  cluster.group('asleep').leave().commit('orders', 0, 100)
  const watched = cluster.watch()
  await watched.tick()
  assert.deepEqual([watched.group('asleep').totalLag, watched.group('asleep').worst!.rule], [400, 'window-too-short'])
  await watched.ticks(11)
  assert.equal(watched.group('asleep').status, 'ERROR')
})

test('complaint 12 (#452): lag in seconds, and null where it is not known', async () => {
  const cluster = new SimulatedCluster()
  const [log] = cluster.topic('orders', [1000])
  const group = cluster.group('reader').assign('m', ['orders', 0]).commit('orders', 0, 400)
  const watched = cluster.watch()
  const seconds: (number | null)[] = []
  for (let index = 0; index < 4; index++) {
    log!.end = 1000 + index * 100
    if (index === 2) group.commit('orders', 0, 1050)
    await watched.tick()
    seconds.push(watched.group('reader').lagSeconds)
  }
  // 400 was written before anybody looked. 1050 was written five seconds after the first look: 15 and 25 s ago.
  assert.deepEqual(seconds, [null, null, 15, 25])
  group.commit('orders', 0, log!.end!)
  await watched.tick()
  assert.equal(watched.group('reader').lagSeconds, 0)
})

test('also (#155): WARN comes although the lag fell once', async () => {
  const cluster = new SimulatedCluster()
  const [log] = cluster.topic('orders', [1000])
  const group = cluster.group('slow').assign('m', ['orders', 0])
  const watched = cluster.watch()
  await watched.ticks(20, (index) => {
    log!.end = 1000 + index * 100
    // It reads half of what is written, and once a lot.
    group.commit('orders', 0, 500 + index * 50 + (index === 14 ? 120 : 0) - (index > 14 ? 0 : 0))
    if (index > 14) group.commit('orders', 0, 500 + index * 50 + 120)
  })
  assert.equal(watched.group('slow').status, 'WARNING', watched.group('slow').worst?.evidence)
  const pair = watched.pair('slow', 'orders')
  const window = { intervals: 10, commits: pair.commits.toArray(), ends: [log!.end!], currentLag: pair.lag! }
  const burrow = judgeByBurrow(window, { now: cluster.clock.now(), allowedLag: 0, minimumComplete: 0 })
  assert.equal(burrow.status, 'OK', 'the same commits are OK to Burrow')
})
