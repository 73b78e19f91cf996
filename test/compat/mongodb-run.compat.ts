/** Ten kills of `sluice run` with the mongodb sink (store-run-scenario.ts): a document of each record, and no more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertEachOnce } from '../support/each-once.ts'
import { startKafka } from './kafka.ts'
import { startMongodb } from './mongodb.ts'
import { KILLS, properties, runScenario } from './store-run-scenario.ts'

test('mongodb: ten kills of `sluice run` over Apache Kafka, the store killed and silent: a document of each record', async (t) => {
  const cluster = await startKafka({ properties })
  t.after(() => cluster.stop())
  // Else a server that is killed may forget what it has confirmed.
  const server = await startMongodb(t, ['--sync-on-commit'])
  const flights = server.db('air').collection('flights')
  const count = () => flights.countDocuments()
  const sink = { type: 'mongodb', url: server.url, database: 'air', 'flush.ms': 300 }
  const { produced, said } = await runScenario(t, cluster.bootstrapServers, {
    server,
    sink: { ...sink, 'request.timeout.ms': 1000, 'connect.timeout.ms': 1000 },
    progress: count,
    stored: count,
  })
  const found = await flights.find({}, { projection: { id: 1 } }).toArray()
  assertEachOnce(
    found.map(({ id }) => Number(id)),
    produced,
  )
  const again = (said.match(/Trying again/g) ?? []).length
  assert.ok(again > 0, 'the store was away while it was wanted')
  t.diagnostic(`${produced} records, ${KILLS} kills, ${again} times tried again`)
})
