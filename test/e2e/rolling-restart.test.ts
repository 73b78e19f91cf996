/** One round, with the embedded broker; rolling-restart.compat.ts does more of them over Apache Kafka. */
import { test } from 'node:test'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { rollingRestartScenario } from './rolling-restart-scenario.ts'
import { spawnBroker } from './sluice-process.ts'

await test('run: three processes restarted one at a time under load, files and SQLite hold each record once', async (t) => {
  const properties = { 'group.initial.rebalance.delay.ms': 100 }
  const { bootstrapServers } = await spawnBroker(t, await temporaryDirectory(t), { properties })
  const run = { bootstrapServers, sessionTimeoutMs: 6000, rounds: 1, threads: false }
  const { records } = await rollingRestartScenario(t, run)
  t.diagnostic(`${records} records, 3 restarts`)
})
