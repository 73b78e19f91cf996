/** A disk that is really full under the monitor's store (a small tmpfs): judging goes on, history stops, says so, and goes on when there is room. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Store, storeDefaults } from '../../src/lag/store.ts'
import { StoreKeeper } from '../../src/lag/store-keeper.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { SimulatedCluster } from '../lag/simulated-cluster.ts'

test('store: a full disk stops history and nothing else, is said once, and history goes on when there is room', async (t) => {
  const mount = mkdtempSync(join(tmpdir(), 'sluice-lag-small-'))
  // Takes root, as fetching what other tests of this folder need does.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mount])
  const closing: (() => void)[] = []
  t.after(() => {
    for (const close of closing) close()
    execFileSync('umount', [mount])
    rmSync(mount, { recursive: true })
  })
  const said: string[] = []
  const logger = { ...silentLogger, error: (_: object, text: string) => void said.push(text) }
  const path = join(mount, 'lag.db')
  const settings = { path, ...storeDefaults, rawEveryMs: 1000 }
  const store = await Store.open(settings, { disk: systemDisk, logger })
  let isOpen = true
  closing.push(() => isOpen && store.close())
  const cluster = new SimulatedCluster()
  cluster.topic('orders', [500])
  for (let index = 0; index < 50; index++)
    cluster.group(`group-${index}`).assign('m', ['orders', 0]).commit('orders', 0, 100)
  const watched = cluster.watch()
  const keeper = new StoreKeeper(store, watched.monitor, logger)
  const run = async (count: number) => {
    for (let index = 0; index < count; index++) keeper.sampled(await watched.tick())
  }
  await run(3)
  assert.equal(store.problem, undefined)
  const filler = join(mount, 'filler')
  const { bavail, bsize } = statfsSync(mount)
  writeFileSync(filler, Buffer.alloc(bavail * bsize))
  for (let turn = 0; turn < 200 && store.problem === undefined; turn++) await run(10)
  assert.match(store.problem!, /the store .*lag\.db cannot be written: .*full/)
  assert.equal(said.length, 1)
  const { sampledAt } = watched.group('group-7')
  await run(3)
  assert.ok(watched.group('group-7').sampledAt! > sampledAt!, 'judging goes on')
  assert.equal(watched.group('group-7').status, 'ERROR')
  assert.equal(said.length, 1, 'said once')
  rmSync(filler)
  await run(2)
  assert.equal(store.problem, undefined)
  const now = cluster.clock.now()
  assert.ok(store.points('local', 'group-7', 'raw', now - 60_000, now).length > 0)
  store.close()
  isOpen = false
  const again = await Store.open(settings, { disk: systemDisk, logger })
  closing.push(() => again.close())
  assert.equal(again.setAside, undefined, 'the file is whole')
})
