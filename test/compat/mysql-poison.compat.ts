/** docs/poison-records.md with a real MariaDB: poison-scenario.ts. */
import { type ResultSetHeader } from 'mysql2'
import { test } from 'node:test'
import { mariadb, startMysql } from './mysql.ts'
import { passPoison } from './poison-scenario.ts'

test('mysql: past a poison record', async (t) => {
  const server = await startMysql(t, mariadb)
  const database = await server.database()
  const columns = [{ name: 'id', type: 'bigint' }]
  const sink = { type: 'mysql', ...server.options(database), table: 'numbers', columns, 'flush.ms': 50 }
  const connection = await server.connection(database)
  t.after(() => connection.end())
  const ids = async () =>
    (await server.query('SELECT id FROM numbers ORDER BY id', { database })).map(({ id }) => Number(id))
  const update = async (sql: string) => (await connection.query<ResultSetHeader>(sql))[0].affectedRows
  await passPoison(t, { sink, ids, update }, 1)
})
