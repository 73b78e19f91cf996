/** The monitor's file: what survives a restart, what happens to a file that is full, broken or somebody else's, and history as it is read back. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import { groupHistory, worstPoint } from '../../src/lag/history.ts'
import { COARSE_MS, Store, storeDefaults, StoreInUseError, type StoreSettings } from '../../src/lag/store.ts'
import { StoreKeeper } from '../../src/lag/store-keeper.ts'
import { differences, sums } from '../../src/lag/window-store.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger, type Logger } from '../../src/seams/logger.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { INTERVAL, SimulatedCluster, START, type Watched } from './simulated-cluster.ts'

async function openStore(t: TestContext, over: Partial<StoreSettings> = {}, logger: Logger = silentLogger) {
  const path = over.path ?? join(await temporaryDirectory(t), 'lag.db')
  const store = await Store.open({ path, ...storeDefaults, ...over }, { disk: systemDisk, logger })
  let isOpen = true
  const close = () => {
    if (isOpen) store.close()
    isOpen = false
  }
  t.after(close)
  return { store, path, close }
}

function keep(store: Store, watched: Watched): StoreKeeper {
  const keeper = new StoreKeeper(store, watched.monitor, silentLogger)
  keeper.restore(watched.cluster.clock.now())
  return keeper
}

async function run(keeper: StoreKeeper, watched: Watched, count: number, change: (index: number) => void = () => {}) {
  for (let index = 0; index < count; index++) {
    change(index)
    keeper.sampled(await watched.tick())
  }
}

function stuckCluster() {
  const cluster = new SimulatedCluster()
  const [log] = cluster.topic('orders', [500, 500])
  cluster.group('조회').assign('m', ['orders', 0], ['orders', 1]).commit('orders', 0, 100).commit('orders', 1, 500)
  return { cluster, log: log! }
}

test('store: windows survive a restart, and a judgement goes on where it was', async (t) => {
  const { cluster, log } = stuckCluster()
  const first = cluster.watch()
  const opened = await openStore(t)
  const keeper = keep(opened.store, first)
  await run(keeper, first, 12, (index) => (log.end = 500 + index))
  assert.equal(first.group('조회').status, 'ERROR')
  keeper.saveAll(cluster.clock.now())
  opened.close()
  const { store } = await openStore(t, { path: opened.path })
  const second = cluster.watch()
  keep(store, second)
  const before = first.pair('조회', 'orders')
  const after = second.pair('조회', 'orders')
  assert.deepEqual(after.samples.toArray(), before.samples.toArray())
  assert.deepEqual(after.commits.toArray(), before.commits.toArray())
  assert.deepEqual(
    [after.committed, after.movedAt, after.lagSince],
    [before.committed, before.movedAt, before.lagSince],
  )
  assert.deepEqual(
    second.monitor.state.topics.get('orders')!.logs[0]!.ends.toArray(),
    first.monitor.state.topics.get('orders')!.logs[0]!.ends.toArray(),
  )
  assert.deepEqual([second.group('조회').status, second.group('조회').since], ['ERROR', first.group('조회').since])
  const { changes } = await second.tick()
  assert.deepEqual([second.group('조회').status, changes], ['ERROR', []], 'nobody is told anew what is not new')
})

test('store: after a crash at most a minute of the windows is missing', async (t) => {
  const { cluster } = stuckCluster()
  const watched = cluster.watch()
  const { store } = await openStore(t)
  await run(keep(store, watched), watched, 7)
  const kept = store.kept('group', 'local')
  assert.deepEqual(
    kept.map(({ name }) => name),
    ['조회'],
  )
  assert.ok(cluster.clock.now() - kept[0]!.at <= 60_000 + INTERVAL)
})

test('store: a topic that was created anew while the monitor was away begins anew', async (t) => {
  const { cluster } = stuckCluster()
  const first = cluster.watch()
  const { store } = await openStore(t)
  const keeper = keep(store, first)
  await run(keeper, first, 12)
  keeper.saveAll(cluster.clock.now())
  cluster.topic('orders', [5, 5], 'another')
  cluster.groups.get('조회')!.commit('orders', 0, 5).commit('orders', 1, 5)
  const second = cluster.watch()
  keep(store, second)
  await second.tick()
  assert.deepEqual([second.group('조회').status, second.group('조회').totalLag], ['OK', 0])
  assert.equal(second.pair('조회', 'orders').samples.length, 1)
})

test('store: groups that are gone are forgotten, and stored nonsense is left out', async (t) => {
  const { cluster } = stuckCluster()
  const watched = cluster.watch()
  const { store } = await openStore(t)
  const keeper = keep(store, watched)
  await run(keeper, watched, 7)
  cluster.groups.delete('조회')
  keeper.sampled(await watched.tick())
  assert.deepEqual(store.kept('group', 'local'), [])
  store.writing(() => store.keep('group', 'local', 'broken', cluster.clock.now(), '{"status":"FINE"}'))
  const again = cluster.watch()
  keep(store, again)
  assert.equal(again.monitor.state.pairs, 0)
})

test('store: a second monitor on the same file is refused, and may have it when the first is done', async (t) => {
  const { path, close } = await openStore(t)
  await assert.rejects(openStore(t, { path }), (error: Error) => {
    assert.ok(error instanceof StoreInUseError)
    assert.match(error.message, /in use by another monitor: stop that one/)
    return true
  })
  close()
  await openStore(t, { path })
})

test('store: a file that is no store, or a broken one, is set aside and said', async (t) => {
  const said: string[] = []
  const logger: Logger = { ...silentLogger, error: (_, message) => void said.push(message) }
  const path = join(await temporaryDirectory(t), 'lag.db')
  await writeFile(path, 'not a database, and long enough to be looked at as one '.repeat(100))
  const first = await openStore(t, { path }, logger)
  assert.equal(first.store.setAside, `${path}.corrupt-1`)
  assert.match(said[0]!, /cannot be read \(.*\): it is set aside as .*corrupt-1, and a new one begun/)
  first.store.writing(() => first.store.addPoint('c', 'g', 'raw', 1, '[]'))
  first.close()
  // The first page stays, what it points to does not.
  const file = await systemDisk.open(path, 'update')
  await file.write([Buffer.alloc((await file.size()) - 4096, 0x5a)], 4096)
  await file.close()
  const second = await openStore(t, { path }, logger)
  assert.equal(second.store.setAside, `${path}.corrupt-2`)
  assert.equal((await systemDisk.readFile(`${path}.corrupt-1`)).toString().slice(0, 14), 'not a database')
})

test('store: a file of before has its history, and marks without sentences', async (t) => {
  const { store, path, close } = await openStore(t)
  const sentences = [{ name: 'mark.rebalances', values: { state: 'PreparingRebalance' } }]
  const mark = { at: START, kind: 'rebalance', text: 'The group rebalances.', sentences: JSON.stringify(sentences) }
  store.writing(() => {
    store.addMark('local', 'g', mark)
    store.addPoint('local', 'g', 'raw', START, '[]')
  })
  close()
  const file = new DatabaseSync(path)
  file.exec('ALTER TABLE mark DROP COLUMN sentences; PRAGMA user_version = 1')
  file.close()
  const again = await openStore(t, { path })
  assert.equal(again.store.setAside, undefined)
  assert.equal(again.store.points('local', 'g', 'raw', 0, START).length, 1)
  again.store.writing(() => again.store.addMark('local', 'g', { ...mark, at: START + 1 }))
  const before = { at: START, kind: 'rebalance', text: mark.text }
  assert.deepEqual(groupHistory(again.store, 'local', 'g', START + 1, START + 1, START).marks, [
    { ...before, at: START + 1, sentences },
  ])
  assert.deepEqual({ ...again.store.marks('local', 'g', START, START)[0] }, { ...before, sentences: null })
})

test('store: a full file makes room by giving up its oldest points, and never grows', async (t) => {
  const maxBytes = 1024 * 1024
  const { store } = await openStore(t, { maxBytes })
  const data = 'x'.repeat(2000)
  for (let at = 0; at < 3000; at++)
    assert.ok(
      store.writing(() => store.addPoint('c', 'g', 'raw', at, data)),
      store.problem,
    )
  assert.ok(store.bytes <= maxBytes, `${store.bytes} bytes`)
  const points = store.points('c', 'g', 'raw', 0, 10_000)
  assert.equal(points.at(-1)!.at, 2999)
  assert.ok(points[0]!.at > 2000 && points.length > 100, `${points.length} points from ${points[0]!.at} on`)
})

test('store: a disk that cannot be written is said once, and history goes on when it can', async (t) => {
  const said: string[] = []
  const logger: Logger = { ...silentLogger, error: (_, message) => void said.push(message) }
  const { store } = await openStore(t, {}, logger)
  const fails = () => {
    throw Object.assign(new Error('disk I/O error'), { errcode: 10 })
  }
  assert.deepEqual([store.writing(fails), store.writing(fails)], [false, false])
  assert.match(store.problem!, /cannot be written: disk I\/O error/)
  assert.equal(said.length, 1)
  assert.ok(store.writing(() => store.addPoint('c', 'g', 'raw', 1, '[]')))
  assert.equal(store.problem, undefined)
})

test('history: half minutes as they were, then ten minutes a point with the worst of them', async (t) => {
  const { cluster, log } = stuckCluster()
  const watched = cluster.watch()
  const { store } = await openStore(t, { rawForMs: 1_800_000 })
  const keeper = keep(store, watched)
  const minutes = 60
  await run(keeper, watched, minutes * 6, (index) => {
    log.end = 500 + index
    // For one minute it has caught up.
    const isUp = index >= 60 && index < 66
    cluster.groups.get('조회')!.commit('orders', 0, isUp ? log.end : 100 + index)
  })
  const now = cluster.clock.now()
  const raw = groupHistory(store, 'local', '조회', now - 600_000, now, now)
  assert.equal(raw.stepMs, 30_000)
  assert.ok(raw.points.length >= 19 && raw.points.length <= 21, `${raw.points.length} points`)
  assert.deepEqual(raw.points.at(-1)!.totalLag, 400)
  assert.deepEqual(
    raw.partitions.map(({ topic, partition, lag }) => [topic, partition, lag.length]),
    [
      ['orders', 0, raw.points.length],
      ['orders', 1, raw.points.length],
    ],
  )
  const coarse = groupHistory(store, 'local', '조회', START, now, now)
  assert.equal(coarse.stepMs, COARSE_MS)
  assert.ok(coarse.points.length >= 6 && coarse.points.length <= 8, `${coarse.points.length} points`)
  assert.ok(
    coarse.points.every(({ totalLag }) => totalLag === 400),
    'the peak of each ten minutes',
  )
  assert.deepEqual(
    coarse.marks.map(({ kind, text }) => [kind, /^OK to ERROR|^ERROR to OK/.test(text)]),
    [
      ['status', true],
      ['status', true],
    ],
  )
  store.writing(() => store.expire(now + storeDefaults.coarseForMs * 2))
  assert.deepEqual(groupHistory(store, 'local', '조회', START, now, now).points, [])
})

test('history: a partition that came later has null before, and an unknown group nothing', async (t) => {
  const { store } = await openStore(t)
  const point = (partitions: unknown) => JSON.stringify([0, 1, 1, null, null, null, 1, partitions])
  store.writing(() => {
    store.addPoint('c', 'g', 'raw', 0, point([['t', [0], [1], '0']]))
    store.addPoint('c', 'g', 'raw', 30_000, point([['t', [0, 1], [1, 2], '01']]))
  })
  const { partitions } = groupHistory(store, 'c', 'g', 0, 60_000, 60_000)
  assert.deepEqual(partitions, [
    { topic: 't', partition: 0, lag: [1, 1], status: ['OK', 'OK'] },
    { topic: 't', partition: 1, lag: [null, 2], status: [null, 'WARN'] },
  ])
  assert.deepEqual(groupHistory(store, 'c', 'nobody', 0, 60_000, 60_000).points, [])
})

test('history: of several points the worst status and the most lag are kept, rates are means', () => {
  const points = [
    [0, 10, 6, 1, 4, 4, 1, [['t', [0, 1], [4, 6], '00']]],
    [2, 8, 8, null, 2, null, 2, [['t', [0], [8], '2']]],
  ].map((point) => JSON.stringify(point))
  assert.deepEqual(JSON.parse(worstPoint(points)!), [2, 10, 8, 1, 3, 4, 2, [['t', [0, 1], [8, 6], '20']]])
})

test('window store: numbers come back as they went in', () => {
  const rows = fc.array(fc.tuple(fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat()))
  fc.assert(
    fc.property(rows, (all) =>
      assert.deepEqual(
        sums(differences(all), 3),
        all.map((row) => [...row]),
      ),
    ),
  )
})
