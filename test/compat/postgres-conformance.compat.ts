/** The conformance suite over a real PostgreSQL 15: append and upsert, lines sent at the flush and before it, killed processes included. */
import { after } from 'node:test'
import { Client } from 'pg'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { makeSink } from './postgres-sink-child.ts'
import { query, startPostgres } from './postgres.ts'

const server = await startPostgres({ after })
const columns = [{ name: 'id', type: 'bigint' }, { name: 'text', type: 'text' }, '$partition']
const upsert = { mode: 'upsert', 'key.columns': ['partition', 'id'] }

for (const [name, options] of [
  ['append', {}],
  ['append, sent ahead', { aheadBytes: 1 }],
  ['upsert', upsert],
  ['upsert, sent ahead', { ...upsert, aheadBytes: 1 }],
] as const) {
  sinkConformance({
    name: `postgres ${name}`,
    guarantee: 'transactional',
    poison: '{"text":"no id"}',
    rounds: 8,
    async makeStore(t) {
      const database = await server.database()
      t.after(() => void query(server.url(), `DROP DATABASE ${database} WITH (FORCE)`).catch(() => {}))
      // The place of a row in the table is not its order: what a killed transaction had written is free for the next one.
      const key = 'mode' in options ? ', PRIMARY KEY (partition, id)' : ''
      const declared = `id bigint, text text, partition integer, sequence bigserial${key}`
      await query(server.url(database), `CREATE TABLE records (${declared})`)
      const sink = { type: 'postgres', ...server.options(database), table: 'records', columns, 'lock.timeout.ms': 200 }
      const argument = JSON.stringify({ ...sink, aheadBytes: 1e9, ...options })
      return {
        create: () => makeSink(argument),
        async readBack({ partition }) {
          const sql = 'SELECT id FROM records WHERE partition = $1 ORDER BY sequence'
          return (await query(server.url(database), sql, [partition])).map(({ id }) => Number(id))
        },
        async takeDown() {
          const other = new Client({ connectionString: server.url(database) })
          await other.connect()
          await other.query('BEGIN; LOCK TABLE sluice_offsets IN ACCESS EXCLUSIVE MODE')
          return { restore: () => other.end() }
        },
        child: { module: new URL('./postgres-sink-child.ts', import.meta.url), argument },
      }
    },
  })
}
