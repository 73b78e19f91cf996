/** Ten kills of `sluice run` with the mysql sink (store-run-scenario.ts): a row of each record, and no more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBroker } from '../../src/testing/start-broker.ts'
import { assertEachOnce } from '../support/each-once.ts'
import { startKafka } from './kafka.ts'
import { mariadb, mysql56, PASSWORD, startMysql } from './mysql.ts'
import { KILLS, properties, runScenario } from './store-run-scenario.ts'

for (const [name, distribution, startCluster] of [
  ['MariaDB and Apache Kafka', mariadb, () => startKafka({ properties })],
  ['MySQL and the embedded broker', mysql56, () => startBroker({ properties })],
] as const) {
  test(`mysql: ten kills of \`sluice run\` over ${name}, the store killed and silent: a row of each record`, async (t) => {
    const cluster = await startCluster()
    t.after(() => cluster.stop())
    const server = await startMysql(t, distribution)
    const database = await server.database()
    const count = async () =>
      Number((await server.query('SELECT count(*) AS n FROM flights', { database }).catch(() => []))[0]?.['n'] ?? 0)
    const { produced, said } = await runScenario(t, cluster.bootstrapServers, {
      server: {
        kill: () => server.kill(),
        start: () => server.start(),
        pause: () => server.pause(),
        resume: () => server.resume(),
      },
      sink: {
        type: 'mysql',
        ...server.options(database),
        table: 'flights',
        columns: [{ name: 'id', type: 'bigint' }, { name: 'text', type: 'varchar(100)' }, '$partition', '$offset'],
        'flush.ms': 300,
        'connect.timeout.ms': 1000,
        'statement.timeout.ms': 1000,
        'lock.timeout.ms': 1000,
      },
      progress: count,
      stored: count,
    })
    const rows = await server.query('SELECT id FROM flights', { database })
    assertEachOnce(
      rows.map(({ id }) => Number(id)),
      produced,
    )
    const places = await server.query('SELECT count(DISTINCT `partition`, `offset`) AS n FROM flights', { database })
    assert.deepEqual(places, [{ n: produced }])
    assert.ok(!said.includes(PASSWORD), 'no log line holds the password')
    const again = (said.match(/Trying again/g) ?? []).length
    t.diagnostic(`${produced} records, ${KILLS} kills, ${again} times tried again`)
  })
}
