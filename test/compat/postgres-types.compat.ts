/** What a real PostgreSQL 15 reads out of the lines of the postgres sink, type by type; and upserts, tombstones and made tables. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { SinkBatch } from '../../src/sinks/sink.ts'
import { batchOf, contextOf, flights, opened, storeAll } from '../sinks/fixtures.ts'
import { makeSink } from './postgres-sink-child.ts'
import { query, startPostgres } from './postgres.ts'

const server = await startPostgres({ after })

async function stored(options: object, batch: SinkBatch, sql: string, { ddl = '', valueType = 'json' as const } = {}) {
  const database = await server.database()
  if (ddl) await query(server.url(database), ddl)
  const sink = makeSink(
    JSON.stringify({ type: 'postgres', ...server.options(database), table: 'flights', aheadBytes: 1e9, ...options }),
  )
  await storeAll(sink, contextOf({ valueType }), batch)
  return query(server.url(database), sql)
}

test('postgres: each type reads back as what was written', async () => {
  const cases: readonly [type: string, value: unknown, text: string | null][] = [
    ['text', 'tab\tback\\slash\nline\r\\N \\. ä€😀', 'tab\tback\\slash\nline\r\\N \\. ä€😀'],
    ['text', '\\.', '\\.'],
    ['text', '', ''],
    ['text', null, null],
    ['varchar(20)', 'x', 'x'],
    ['text', { a: [1, '\n'] }, '{"a":[1,"\\n"]}'],
    ['smallint', -32768, '-32768'],
    ['integer', 2147483647, '2147483647'],
    ['bigint', '9223372036854775807', '9223372036854775807'],
    ['bigint', 9007199254740991, '9007199254740991'],
    ['real', 0.1, '0.1'],
    ['double precision', 5e-324, '5e-324'],
    ['double precision', 1.7976931348623157e308, '1.7976931348623157e+308'],
    ['numeric', '123456789012345678901234567890.123456789', '123456789012345678901234567890.123456789'],
    ['numeric(10,2)', 1.005, '1.01'],
    ['boolean', true, 'true'],
    ['boolean', false, 'false'],
    ['jsonb', { b: 1, a: 'x"\\\t€' }, '{"a": "x\\"\\\\\\t€", "b": 1}'],
    ['json', { b: 1, a: [null] }, '{"b":1,"a":[null]}'],
    ['timestamptz', 1_700_000_000_007, '2023-11-14 22:13:20.007+00'],
    ['timestamptz', '2024-02-29T12:00:00.123456+02:00', '2024-02-29 10:00:00.123456+00'],
    ['timestamptz', '2024-02-29 12:00', '2024-02-29 12:00:00+00'],
    ['timestamptz', -62_135_596_800_000, '0001-01-01 00:00:00+00'],
    ['timestamp', 1_700_000_000_007, '2023-11-14 22:13:20.007'],
    ['date', 1_700_000_000_007, '2023-11-14'],
    ['date', '2024-02-29', '2024-02-29'],
    ['bytea', Buffer.from([0, 10, 92, 255]).toString('base64'), '\\x000a5cff'],
    ['text[]', ['a', null, 'x"y\\z', '', 'NULL', '{,}'], '{a,NULL,"x\\"y\\\\z","","NULL","{,}"}'],
    [
      'integer[]',
      [
        [1, 2],
        [3, 4],
      ],
      '{{1,2},{3,4}}',
    ],
    ['uuid', '6f1ed002-ab59-5be2-9e4c-0f1f2a3b4c5d', '6f1ed002-ab59-5be2-9e4c-0f1f2a3b4c5d'],
    ['inet', '10.0.0.1/8', '10.0.0.1/8'],
    ['interval', '2 days 3 hours', '2 days 03:00:00'],
    ['mood', 'fine', 'fine'],
    ['positive', 5, '5'],
  ]
  const ddl = `CREATE TYPE mood AS ENUM ('fine'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
    CREATE TABLE flights (${cases.map(([type], index) => `c${index} ${type}`).join(', ')})`
  const columns = cases.map((_, index) => `c${index}`)
  const value = Object.fromEntries(cases.map(([, one], index) => [`c${index}`, one]))
  const sql = `SELECT ${columns.map((name) => `${name}::text`).join(', ')} FROM flights`
  const [row] = await stored({ columns }, batchOf([JSON.stringify(value)]), sql, { ddl })
  for (const [index, [type, , text]] of cases.entries()) assert.equal(row![`c${index}`], text, `${type} in c${index}`)
})

test('postgres: tables are made with the types that the columns say; without one, any JSON', async () => {
  const columns = [
    '$key',
    { name: 'at', field: '$timestamp' },
    'any',
    { name: 'delay', type: 'integer' },
    { name: 'none', optional: true },
  ]
  const types = await stored(
    { columns },
    batchOf([{ key: 'k', value: '{"any":{"a":[1]},"delay":5}' }]),
    "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS types FROM pg_attribute WHERE attrelid = 'flights'::regclass AND attnum > 0",
  )
  assert.deepEqual(types, [{ types: 'key text, at timestamp with time zone, any jsonb, delay integer, none jsonb' }])
})

test('postgres: without columns, the record’s own six; and bytes', async () => {
  const rows = [{ key: 'k', value: '{"a": 1}' }, null]
  const read = 'SELECT *, pg_typeof(value)::text AS type FROM flights'
  const [json, nothing] = await stored({}, batchOf(rows), read)
  assert.deepEqual(json, {
    topic: 'flights',
    partition: 0,
    offset: '0',
    timestamp: new Date(1000),
    key: 'k',
    value: { a: 1 },
    type: 'jsonb',
  })
  assert.equal(nothing!['value'], null)
  const bytes = batchOf([{ key: Buffer.from([0, 255]), value: Buffer.from([92, 10]) }], { valueType: 'bytes' })
  const [row] = await stored({}, bytes, read, { valueType: 'bytes' as never })
  assert.deepEqual([row!['key'], row!['value'], row!['type']], [Buffer.from([0, 255]), Buffer.from([92, 10]), 'bytea'])
})

test('postgres: odd names, and a table in another schema', async () => {
  const odd = 'a "b"; DROP TABLE x'
  const sql = `SELECT "a ""b""; DROP TABLE x" AS odd FROM "My Schema"."Odd.Table"`
  const options = { table: '"My Schema"."Odd.Table"', columns: [{ name: odd, type: 'text' }] }
  const batch = batchOf([JSON.stringify({ [odd]: 'x' })])
  assert.deepEqual(await stored(options, batch, sql, { ddl: 'CREATE SCHEMA "My Schema"' }), [{ odd: 'x' }])
  const upsert = { ...options, mode: 'upsert', 'key.columns': [odd] }
  assert.deepEqual(await stored(upsert, batch, sql, { ddl: 'CREATE SCHEMA "My Schema"' }), [{ odd: 'x' }])
})

for (const aheadBytes of [1, 1e9]) {
  test(`postgres: upsert keeps the last of each key, within a flush and after it; a tombstone deletes (ahead: ${aheadBytes === 1})`, async (t) => {
    const database = await server.database()
    const config = {
      type: 'postgres',
      ...server.options(database),
      table: 'flights',
      aheadBytes,
      mode: 'upsert',
      'key.columns': ['key'],
      columns: ['$key', { name: 'v', type: 'integer' }],
    }
    const sink = makeSink(JSON.stringify(config))
    t.after(() => sink.close())
    const context = contextOf()
    await opened(sink, context)
    const table = async () => query(server.url(database), 'SELECT key, v FROM flights ORDER BY key')
    const put = async (first: number, ...pairs: [string, number | null][]) => {
      const rows = pairs.map(([key, v]) => ({ key, value: v === null ? null : JSON.stringify({ v }) }))
      const batch = batchOf(rows, { first })
      await sink.write(batch)
      await sink.flush(flights, batch.next, context.signal)
    }
    await put(0, ['a', 1], ['b', 1], ['a', 2], ['c', 1], ['c', null], ['d', null], ['d', 4])
    assert.deepEqual(await table(), [
      { key: 'a', v: 2 },
      { key: 'b', v: 1 },
      { key: 'd', v: 4 },
    ])
    await put(7, ['b', 5], ['a', null], ['d', null], ['d', 6], ['nobody', null])
    assert.deepEqual(await table(), [
      { key: 'b', v: 5 },
      { key: 'd', v: 6 },
    ])
  })
}

test('postgres: an upsert into a table without a unique index on the key is refused, with the index to make', async () => {
  const options = { columns: [{ name: 'id', type: 'integer' }], mode: 'upsert', 'key.columns': ['id'] }
  for (const index of [
    '',
    'CREATE UNIQUE INDEX ON flights (id) WHERE id > 0',
    'CREATE UNIQUE INDEX ON flights (id, other)',
  ]) {
    await assert.rejects(
      stored(options, batchOf([]), 'SELECT', { ddl: `CREATE TABLE flights (id integer, other integer); ${index}` }),
      /no unique index on "id", the "key\.columns": CREATE UNIQUE INDEX ON "public"\."flights" \("id"\)/,
    )
  }
})
