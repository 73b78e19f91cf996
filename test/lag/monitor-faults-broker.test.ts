/** What happens to a monitor over a broker: one that dies in the midst of a sample, and another monitor beside it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Monitor } from '../../src/lag/monitor.ts'
import { Store, storeDefaults } from '../../src/lag/store.ts'
import { systemClock } from '../../src/seams/clock.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { startBroker } from '../../src/testing/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { type Bench, benchOf } from './embedded.ts'

for (const api of ['ListGroups', 'OffsetFetch', 'Metadata', 'ListOffsets']) {
  test(`a broker that dies at ${api}, in the midst of a sample, and comes back: what was known stands, and nothing else is ever said`, async (t) => {
    const broker = await startBroker({ topics: { orders: 4 } })
    t.after(() => broker.stop())
    const bench = benchOf(t, broker.bootstrapServers)
    const partitions = [0, 1, 2, 3]
    for (const partition of partitions) await bench.produce('orders', partition, 10)
    const offsets = partitions.map((partition) => [{ topic: 'orders', partition }, { offset: 7 }] as const)
    await bench.admin.alterGroupOffsets('reader', offsets)
    const monitor = bench.monitor({ sampleIntervalMs: 100, peek: false, topicsEveryMs: 1 })
    const said = new Set<string>()
    monitor.onSample(() => {
      const group = monitor.state.groups.get('reader')
      said.add(`${group?.totalLag} ${group?.partitions}`)
    })
    monitor.start()
    await until(() => monitor.condition === 'ok' && monitor.samples > 2)
    let isDead: Promise<void> | undefined
    const rule = broker.intercept(api, () => {
      isDead ??= broker.kill()
    })
    await until(() => monitor.condition === 'stale')
    rule.remove()
    await isDead
    await broker.restart()
    await until(() => monitor.condition === 'ok' && monitor.problems.length === 0)
    const { samples } = monitor
    await until(() => monitor.samples > samples + 5)
    assert.deepEqual([...said], ['12 4'])
  })
}

async function withStore(t: TestContext, bench: Bench, sampleIntervalMs: number): Promise<Monitor> {
  const path = join(await temporaryDirectory(t), 'lag.db')
  const store = await Store.open({ path, ...storeDefaults }, { disk: systemDisk, logger: silentLogger })
  const cluster = bench.monitor({ sampleIntervalMs, peek: false })
  const seams = { clock: systemClock, logger: silentLogger }
  const monitor = new Monitor({ clusters: [cluster], version: '1', store, ...seams })
  bench.stop(() => monitor.stop())
  monitor.start()
  return monitor
}

test('two monitors with two stores, out of step with each other, agree on every group', async (t) => {
  const broker = await startBroker({ topics: { orders: 2 } })
  t.after(() => broker.stop())
  const bench = benchOf(t, broker.bootstrapServers)
  const commit = (group: string, offset: number) =>
    bench.admin.alterGroupOffsets(group, [[{ topic: 'orders', partition: 0 }, { offset }]])
  await bench.produce('orders', 0, 20)
  for (const [group, offset] of [
    ['done', 20],
    ['stopped', 5],
    ['rewound', 20],
  ] as const)
    await commit(group, offset)
  const monitors = [await withStore(t, bench, 100), await withStore(t, bench, 130)]
  const saidBy = (monitor: Monitor) =>
    Object.fromEntries(
      monitor
        .overview()
        .groups.map(({ group, status, totalLag, rule }) => [group, [status, totalLag, rule].join(' ')] as const)
        .sort(([left], [right]) => (left < right ? -1 : 1)),
    )
  const both = async (wanted: Record<string, string>) => {
    await until(() => monitors.every((one) => JSON.stringify(saidBy(one)) === JSON.stringify(wanted)), {
      what: 'both say the same',
    }).catch(() => {})
    for (const monitor of monitors) assert.deepEqual(saidBy(monitor), wanted)
  }
  await until(() => monitors.every(({ clusters }) => clusters.get('local')!.samples > 3))
  await commit('rewound', 10)
  await both({
    done: 'OK 0 within-allowed-lag',
    rewound: 'ERROR 10 rewound',
    stopped: 'ERROR 15 stopped',
  })
  for (const group of ['stopped', 'rewound']) await commit(group, 20)
  await both({
    done: 'OK 0 within-allowed-lag',
    rewound: 'OK 0 within-allowed-lag',
    stopped: 'OK 0 within-allowed-lag',
  })
})
