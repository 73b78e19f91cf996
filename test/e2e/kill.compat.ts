/**
 * Fifty kills at random moments, over the embedded broker, over the embedded broker while that is killed and restarted too, and over
 * Apache Kafka. `SEED=n` repeats a run's draws, though not its timing.
 */
import { test } from 'node:test'
import { startKafka } from '../compat/kafka.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { killScenario } from './kill-scenario.ts'
import { spawnBroker } from './sluice-process.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e6))
const kills = Number(process.env['KILLS'] ?? 50)
const run = { kills, stops: 5, seed, sessionTimeoutMs: 2000 }
const properties = { 'group.min.session.timeout.ms': 500, 'group.initial.rebalance.delay.ms': 100 }

await test(`run: ${kills} kills over the embedded broker, each record once`, async (t) => {
  t.diagnostic(`SEED=${seed}`)
  const { bootstrapServers } = await spawnBroker(t, await temporaryDirectory(t), { properties })
  const { records } = await killScenario(t, { bootstrapServers, ...run })
  t.diagnostic(`${records} records`)
})

await test(`run: ${kills} kills while the embedded broker is killed too, no acknowledged record lost`, async (t) => {
  t.diagnostic(`SEED=${seed}`)
  const data = await temporaryDirectory(t)
  let broker = await spawnBroker(t, data, { properties })
  const { port, bootstrapServers } = broker
  const beforeKill = async (index: number) => {
    if (index % 5 !== 4) return
    broker.process.kill('SIGKILL')
    await broker.process.ended
    broker = await spawnBroker(t, data, { properties, port })
  }
  const { records } = await killScenario(t, { bootstrapServers, ...run, beforeKill })
  t.diagnostic(`${records} records`)
})

await test(`run: ${kills} kills over Apache Kafka, each record once`, async (t) => {
  t.diagnostic(`SEED=${seed}`)
  const kafka = await startKafka({ properties })
  t.after(() => kafka.stop())
  const { records } = await killScenario(t, { bootstrapServers: kafka.bootstrapServers, ...run })
  t.diagnostic(`${records} records`)
})

await test('run: kills over three nodes of Apache Kafka, one of which is killed and restarted, each record once', async (t) => {
  t.diagnostic(`SEED=${seed}`)
  const kafka = await startKafka({ nodes: 3, properties })
  t.after(() => kafka.stop())
  const last = kafka.nodes.at(-1)!
  const beforeKill = async (index: number) => {
    if (index % 5 === 2) await last.kill()
    if (index % 5 === 4) await last.start()
  }
  const { bootstrapServers } = kafka
  const { records } = await killScenario(t, {
    bootstrapServers,
    ...run,
    kills: 15,
    stops: 2,
    replicationFactor: 3,
    beforeKill,
  })
  t.diagnostic(`${records} records`)
})
