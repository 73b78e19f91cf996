/** Rolling restarts over Apache Kafka, three rounds of three processes. */
import { test } from 'node:test'
import { startKafka } from '../compat/kafka.ts'
import { rollingRestartScenario } from './rolling-restart-scenario.ts'

await test('run: nine restarts over Apache Kafka under load, files and SQLite hold each record once', async (t) => {
  const kafka = await startKafka({ properties: { 'group.initial.rebalance.delay.ms': 100 } })
  t.after(() => kafka.stop())
  const { bootstrapServers } = kafka
  const { records } = await rollingRestartScenario(t, { bootstrapServers, sessionTimeoutMs: 6000, rounds: 3 })
  t.diagnostic(`${records} records, 9 restarts`)
})
