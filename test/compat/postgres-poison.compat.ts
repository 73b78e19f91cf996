/** docs/poison-records.md with a real PostgreSQL: poison-scenario.ts. */
import { test } from 'node:test'
import { passPoison } from './poison-scenario.ts'
import { query, startPostgres } from './postgres.ts'

test('postgres: past a poison record', async (t) => {
  const server = await startPostgres(t)
  const sink = {
    type: 'postgres',
    ...server.options(),
    table: 'numbers',
    columns: [{ name: 'id', type: 'bigint' }],
    'flush.ms': 50,
  }
  const ids = async () => (await query(server.url(), 'SELECT id FROM numbers ORDER BY id')).map(({ id }) => Number(id))
  const update = async (sql: string) => (await query(server.url(), `${sql} RETURNING next`)).length
  await passPoison(t, { sink, ids, update }, 0)
})
