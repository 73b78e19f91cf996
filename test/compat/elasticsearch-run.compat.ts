/** Ten kills of `sluice run` with the elasticsearch sink (store-run-scenario.ts): a document of each record, and no more. */
import { test } from 'node:test'
import { startBroker } from '../../src/testing/start-broker.ts'
import { assertEachOnce } from '../support/each-once.ts'
import { startKafka } from './kafka.ts'
import { countOf, documentsOf, put } from './search-reading.ts'
import { type SearchServer, startElasticsearch, startOpenSearch } from './search-servers.ts'
import { KILLS, properties, runScenario } from './store-run-scenario.ts'

for (const [name, start, startCluster] of [
  ['Elasticsearch and Apache Kafka', startElasticsearch, () => startKafka({ properties })],
  ['OpenSearch and the embedded broker', startOpenSearch, () => startBroker({ properties })],
] as const) {
  test(`elasticsearch: ten kills of \`sluice run\` over ${name}, the store killed and silent: a document of each record`, async (t) => {
    const cluster = await startCluster()
    t.after(() => cluster.stop())
    const server: SearchServer = await start()
    t.after(() => server.stop())
    const { url } = server
    await put(url, '/flights', { settings: { number_of_replicas: 0 } })
    const count = () => countOf(url, 'flights')
    const { produced, said } = await runScenario(t, cluster.bootstrapServers, {
      server,
      sink: { type: 'elasticsearch', url, 'flush.ms': 300, 'request.timeout.ms': 1000 },
      progress: count,
      stored: count,
    })
    const ids = (await documentsOf(url, 'flights')).map(({ _source }) => Number(_source['id']))
    assertEachOnce(ids, produced)
    const again = (said.match(/Trying again/g) ?? []).length
    t.diagnostic(`${produced} records, ${KILLS} kills, ${again} times tried again`)
  })
}
