/** Ten kills of `sluice run` with the influxdb sink (store-run-scenario.ts): a point of each record, and no more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertEachOnce } from '../support/each-once.ts'
import { startInfluxDb } from './influxdb.ts'
import { startKafka } from './kafka.ts'
import { KILLS, properties, runScenario } from './store-run-scenario.ts'

test('influxdb: ten kills of `sluice run` over Apache Kafka, the store killed and silent: a point of each record', async (t) => {
  const cluster = await startKafka({ properties })
  t.after(() => cluster.stop())
  const server = await startInfluxDb(t)
  await server.query('', 'CREATE DATABASE air')
  const count = async () =>
    Number((await server.query('air', 'SELECT count(id) AS n FROM flights'))[0]?.rows[0]?.['n'] ?? 0)
  const fields = [{ name: 'id', type: 'integer' }, 'text', { name: 'offset', field: '$offset', type: 'integer' }]
  const { produced, said } = await runScenario(t, cluster.bootstrapServers, {
    server,
    sink: { type: 'influxdb', url: server.url, database: 'air', fields, 'flush.ms': 300, 'request.timeout.ms': 1000 },
    progress: count,
    stored: count,
  })
  const found = await server.query('air', 'SELECT id FROM flights')
  assertEachOnce(
    found.flatMap(({ rows }) => rows.map(({ id }) => Number(id))),
    produced,
  )
  const again = (said.match(/Trying again/g) ?? []).length
  assert.ok(again > 0, 'the store was away while it was wanted')
  t.diagnostic(`${produced} records, ${KILLS} kills, ${again} times tried again`)
})
