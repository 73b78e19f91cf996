/** A short run of kill-scenario.ts, with the embedded broker; kill.compat.ts is the long one, over both brokers. */
import { test } from 'node:test'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { killScenario } from './kill-scenario.ts'
import { spawnBroker } from './sluice-process.ts'

await test('run: killed and stopped at random, two processes, files and SQLite hold each record once', async (t) => {
  const properties = { 'group.min.session.timeout.ms': 500, 'group.initial.rebalance.delay.ms': 100 }
  const { bootstrapServers } = await spawnBroker(t, await temporaryDirectory(t), { properties })
  const { records } = await killScenario(t, { bootstrapServers, kills: 4, stops: 1, seed: 7, sessionTimeoutMs: 1500 })
  t.diagnostic(`${records} records, 4 kills`)
})
