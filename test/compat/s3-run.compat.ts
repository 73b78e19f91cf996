/** Ten kills of `sluice run` with the s3 sink (store-run-scenario.ts): each record once, in offset order, as another driver and parser read it. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startBroker } from '../../src/testing/start-broker.ts'
import { PARTITIONS, TOPIC } from '../e2e/kill-scenario.ts'
import { assertInOrder } from '../support/each-once.ts'
import { startKafka } from './kafka.ts'
import { publishedKeys, rowsBelow } from './s3-reading.ts'
import { startMinio, startVersityGateway, type StoreServer } from './s3-servers.ts'
import { KILLS, properties, runScenario } from './store-run-scenario.ts'

test('s3: ten kills of `sluice run` over MinIO and Apache Kafka, the store killed and silent: each record once', async (t) => {
  const kafka = await startKafka({ properties })
  t.after(() => kafka.stop())
  await scenario(t, await startMinio(), kafka.bootstrapServers, { gzip: false })
})

test('s3: the same over versitygw and the embedded broker, compressed', async (t) => {
  const broker = await startBroker({ properties })
  t.after(() => broker.stop())
  await scenario(t, await startVersityGateway(), broker.bootstrapServers, { gzip: true })
})

async function scenario(
  t: TestContext,
  server: StoreServer,
  bootstrapServers: string,
  { gzip }: { gzip: boolean },
): Promise<void> {
  t.after(() => server.stop())
  const { client, endpoint, credentials } = server
  const { produced, said } = await runScenario(t, bootstrapServers, {
    server,
    sink: {
      type: 's3',
      bucket: 'test',
      prefix: 'flights',
      endpoint,
      ...credentials,
      columns: ['id', '$partition'],
      gzip,
      'rotate.ms': 400,
      'request.timeout.ms': 1000,
    },
    progress: async () => (await publishedKeys(client, 'flights/')).length,
    stored: async () => (await rowsBelow(client, 'flights/')).length,
  })
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const rows = await rowsBelow(client, `flights/${TOPIC}/${partition}/`)
    const count = Math.ceil((produced - partition) / PARTITIONS)
    const ids = rows.map(([id]) => Number(id))
    assertInOrder(ids, (index) => partition + index * PARTITIONS, count, `partition ${partition}`)
    assert.ok(rows.every((row) => row.length === 2 && row[1] === String(partition)))
  }
  assert.ok(!said.includes(credentials['secret.access.key']), 'no log line holds the secret')
  const objects = (await publishedKeys(client, 'flights/')).length
  const again = (said.match(/Trying again/g) ?? []).length
  t.diagnostic(`${produced} records in ${objects} objects, ${KILLS} kills, ${again} times tried again`)
}
