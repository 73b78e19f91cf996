/** The conformance suite over a real PostgreSQL 15: append and upsert, killed child processes included. */
import { after } from 'node:test'
import pg from 'pg'
import { sinks } from '../../src/sinks/index.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { query, startPostgres } from './postgres.ts'

const server = await startPostgres({ after })
const columns = [{ name: 'id', type: 'bigint' }, { name: 'text', type: 'text' }, '$partition', '$offset']

for (const mode of [
  { mode: 'append' },
  { mode: 'upsert', 'key.columns': ['partition', 'id'] },
] as const) {
  sinkConformance({
    name: `postgres ${mode.mode}`,
    guarantee: 'transactional',
    poison: '{"text":"no id"}',
    rounds: 10,
    async makeStore(t) {
      const database = await server.database()
      t.after(() => void query(server.url(), `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`).catch(() => {}))
      const config = { type: 'postgres', ...server.options(database), table: 'records', columns, 'lock.timeout.ms': 200, ...mode }
      return {
        create: () => sinks.configure(config).create(),
        async readBack({ partition }) {
          const rows = await query(server.url(database), 'SELECT id FROM records WHERE partition = $1 ORDER BY ctid', [partition])
          return rows.map(({ id }) => Number(id))
        },
        async takeDown() {
          const other = new pg.Client({ connectionString: server.url(database) })
          await other.connect()
          await other.query('BEGIN; LOCK TABLE sluice_offsets IN ACCESS EXCLUSIVE MODE')
          return { restore: () => other.end() }
        },
        child: { module: new URL('./postgres-sink-child.ts', import.meta.url), argument: JSON.stringify(config) },
      }
    },
  })
}
