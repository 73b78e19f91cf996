/** What the postgres sink does without a server: lines, options, SQL, errors. The server's part is test/compat/postgres-*.compat.ts. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { columnsOf, encodeRows, matchTable, type TableColumn } from '../../src/sinks/postgres-columns.ts'
import { loadPostgresDriver, postgresTarget } from '../../src/sinks/postgres-connection.ts'
import { shownTarget, targetOf } from '../../src/sinks/sql-target.ts'
import { isServerRefusal, postgresError } from '../../src/sinks/postgres-errors.ts'
import { appendSql, copyLineOf, qualified, tableName, upsertSql } from '../../src/sinks/postgres-sql.ts'
import { PostgresSink } from '../../src/sinks/postgres.ts'
import { sinks } from '../../src/sinks/index.ts'
import {
  SinkOptionsError,
  SinkRecordError,
  SinkRefusedError,
  SinkUnavailableError,
  type ValueType,
} from '../../src/sinks/sink.ts'
import { batchOf, contextOf, type Row } from './fixtures.ts'

const SECRET = 'ge:h/e@i%m-7F'
const base = { type: 'postgres', host: 'db', user: 'sluice', table: 'flights' }

/** declared, typname, typcategory */
const catalog: Readonly<Record<string, readonly [string, string]>> = {
  text: ['text', 'S'],
  smallint: ['int2', 'N'],
  integer: ['int4', 'N'],
  bigint: ['int8', 'N'],
  'double precision': ['float8', 'N'],
  numeric: ['numeric', 'N'],
  boolean: ['bool', 'B'],
  jsonb: ['jsonb', 'U'],
  json: ['json', 'U'],
  'timestamp with time zone': ['timestamptz', 'D'],
  'timestamp without time zone': ['timestamp', 'D'],
  date: ['date', 'D'],
  bytea: ['bytea', 'U'],
  uuid: ['uuid', 'U'],
  'text[]': ['_text', 'A'],
}

function found(name: string, declared: string, changes: Partial<TableColumn> = {}): TableColumn {
  const [type, category] = catalog[declared]!
  return { name, declared, type, category, notNull: false, hasDefault: false, isGenerated: false, ...changes }
}

function line(
  declared: string,
  row: Row,
  { source = 'v', valueType = 'json' as ValueType, notNull = false } = {},
): string {
  const wanted = columnsOf([{ name: 'v', field: source }], valueType)
  const columns = matchTable('the table t', wanted, [found('v', declared, { notNull })], valueType)
  return encodeRows({ columns, valueType, mode: 'append' }, batchOf([row], { first: 7, valueType })).lines
}

const cell = (declared: string, value: unknown) => line(declared, JSON.stringify({ v: value }))

function refusal(declared: string, row: Row, options: object = {}): string {
  try {
    line(declared, row, options)
  } catch (error) {
    assert.ok(error instanceof SinkRecordError)
    assert.deepEqual([error.topic, error.partition, error.offset], ['flights', 0, 7])
    return error.message.replace('topic flights, partition 0, offset 7: ', '')
  }
  return 'taken'
}

test('postgres: values as COPY’s text format has them', () => {
  assert.equal(cell('text', 'ä€😀'), 'ä€😀\n')
  // postgresql.org/docs/15/sql-copy.html, "Text Format": backslash, newline, carriage return and the delimiter are escaped.
  assert.equal(cell('text', 'a\tb\nc\rd\\e\\N'), 'a\\tb\\nc\\rd\\\\e\\\\N\n')
  assert.equal(cell('text', ''), '\n')
  assert.equal(cell('text', null), '\\N\n')
  assert.equal(cell('text', { a: ['\n'] }), '{"a":["\\\\n"]}\n')
  assert.equal(cell('bigint', -9007199254740991), '-9007199254740991\n')
  assert.equal(cell('bigint', '9223372036854775807'), '9223372036854775807\n')
  assert.equal(cell('double precision', 1e21), '1e+21\n')
  assert.equal(cell('numeric', '0.10000000000000000000001'), '0.10000000000000000000001\n')
  assert.equal(cell('boolean', true), 't\n')
  assert.equal(cell('jsonb', { a: 'x"y' }), '{"a":"x\\\\"y"}\n')
  assert.equal(cell('jsonb', 'text'), '"text"\n')
  assert.equal(cell('timestamp with time zone', 1_700_000_000_007), '2023-11-14T22:13:20.007Z\n')
  assert.equal(cell('timestamp with time zone', '2024-02-29T12:00:00+02:00'), '2024-02-29T12:00:00+02:00\n')
  assert.equal(cell('date', -1), '1969-12-31\n')
  assert.equal(cell('bytea', 'aGk='), '\\\\x6869\n')
  assert.equal(cell('text[]', ['a', null, 'x"y\\', ['b']]), '{"a",NULL,"x\\\\"y\\\\\\\\",{"b"}}\n')
  assert.equal(cell('uuid', '6f1b…'), '6f1b…\n')
})

test('postgres: times are those of toISOString, wherever they fall in their minute', () => {
  for (const ms of [
    0, -1, 59_999, 60_000, -62_135_596_800_000, 253_402_300_799_999, 951_782_399_999, 1_700_000_000_000.7,
  ]) {
    assert.equal(cell('timestamp without time zone', ms), `${new Date(Math.floor(ms)).toISOString()}\n`)
  }
})

test('postgres: the record’s own parts', () => {
  const own = (declared: string, source: string, valueType: ValueType = 'json') =>
    line(declared, { key: 'k', value: '{ "a": 1.0 }' }, { source, valueType })
  assert.equal(own('text', '$topic'), 'flights\n')
  assert.equal(own('integer', '$partition'), '0\n')
  assert.equal(own('bigint', '$offset'), '7\n')
  assert.equal(own('timestamp with time zone', '$timestamp'), '1970-01-01T00:00:01.007Z\n')
  assert.equal(own('bigint', '$timestamp'), '1007\n')
  assert.equal(own('text', '$key'), 'k\n')
  assert.equal(own('jsonb', '$value'), '{ "a": 1.0 }\n', 'JSON as it came')
  assert.equal(own('text', '$value'), '{ "a": 1.0 }\n')
  assert.equal(
    own('jsonb', '$value', 'string'),
    '"{ \\\\"a\\\\": 1.0 }"\n',
    'text that was not read as JSON is a JSON string',
  )
  assert.equal(own('bytea', '$value', 'bytes'), `\\\\x${Buffer.from('{ "a": 1.0 }').toString('hex')}\n`)
})

test('postgres: a value that the column does not take is an error that names record, field, value and type', () => {
  const mistyped = (declared: string, value: unknown) => refusal(declared, JSON.stringify({ v: value }))
  assert.equal(mistyped('integer', 'late'), '"v" is the string "late", and the column v takes integer')
  for (const [declared, value] of [
    ['integer', 1.5],
    ['integer', 2 ** 31],
    ['smallint', -(2 ** 15) - 1],
    ['bigint', '1e3'],
    ['text', 5],
    ['text', true],
    ['boolean', 1],
    ['double precision', '5'],
    ['numeric', 'NaN'],
    ['timestamp with time zone', 'now'],
    ['timestamp with time zone', 1e16],
    ['timestamp with time zone', '2024-01-01T00:00\n2024-01-01T00:00'],
    ['bytea', 'no base64'],
    ['text[]', 'a'],
    ['uuid', true],
  ] as const) {
    assert.match(
      mistyped(declared, value),
      new RegExp(`and the column v takes ${declared.replaceAll(/[[\]]/g, '\\$&')}$`),
      declared,
    )
  }
  assert.match(mistyped('text', 'a\0b'), /with a NUL character, which PostgreSQL cannot hold/)
  assert.match(refusal('text', '{"v":"\\ud800"}'), /with half of a surrogate pair/)
  assert.equal(refusal('text', '{"v":null}', { notNull: true }), '"v" is null, and the column v takes text NOT NULL')
  assert.equal(refusal('text', '{"w":1}'), 'the value has no field "v" (did you mean "w"?), which the column v needs')
  assert.match(refusal('text', '[1]'), /the value is an array \[1\], and columns need a JSON object/)
  assert.match(refusal('text', null), /the value is null/)
  assert.match(refusal('text', '{"v":1}', { source: 'constructor' }), /no field "constructor"/)
})

test('postgres: a table that cannot take such rows is refused', () => {
  const match =
    (options: Parameters<typeof columnsOf>[0], table: TableColumn[], valueType: ValueType = 'json') =>
    () =>
      matchTable('the table t', columnsOf(options, valueType), table, valueType)
  const table = [found('time', 'text'), found('dellay', 'integer')]
  assert.throws(
    match(['delay'], table),
    /the table t has no column "delay" \(did you mean "dellay"\?\); it has time, dellay/,
  )
  assert.throws(
    match([{ name: 'time', type: 'integer' }], table),
    /column "time" of the table t is text, and the configuration says integer/,
  )
  assert.doesNotThrow(match([{ name: 'at', type: 'timestamptz' }], [found('at', 'timestamp with time zone')]))
  assert.throws(
    match(['time'], [...table, found('must', 'text', { notNull: true })]),
    /"must" of the table t is NOT NULL without a default/,
  )
  assert.doesNotThrow(match(['time'], [...table, found('must', 'text', { notNull: true, hasDefault: true })]))
  assert.throws(match(['time'], [found('time', 'text', { isGenerated: true })]), /always generated: leave it out/)
  assert.throws(match(['$value'], [found('value', 'text')], 'bytes'), /bytes with "value": "bytes": make it bytea/)
  assert.throws(match(['time'], table, 'string'), /set "value": "json"/)
  assert.throws(match(['time', 'time'], table), /"columns" has "time" twice/)
})

test('postgres: in upsert mode, lines have offset and deletion first; a tombstone needs a key beside the value', () => {
  const encode = (key: string, row: Row) => {
    const wanted = columnsOf(['$key', { name: 'v', type: 'text' }], 'json')
    const columns = matchTable(
      't',
      wanted,
      [found('key', 'text', { notNull: true }), found('v', 'text', { notNull: true })],
      'json',
      [key],
    )
    return encodeRows({ columns, valueType: 'json', mode: 'upsert' }, batchOf([row], { first: 7 }))
  }
  assert.deepEqual(encode('key', { key: 'k', value: '{"v":"x"}' }), { lines: '7\tf\tk\tx\n', deletes: 0 })
  assert.deepEqual(encode('key', { key: 'k', value: null }), { lines: '7\tt\tk\t\\N\n', deletes: 1 })
  assert.throws(() => encode('v', { key: 'k', value: null }), /the value is null, and columns need a JSON object/)
  assert.throws(
    () => encode('key', '{"v":"x"}'),
    /"\$key" is null, and the column key takes no null, as it is of the key/,
  )
})

test('postgres: names are taken as they are written', () => {
  const sql = (text: string) => {
    const name = tableName(text)
    return name && qualified(name)
  }
  assert.equal(sql('flights'), '"flights"')
  assert.equal(sql('Air.Flights'), '"Air"."Flights"')
  assert.equal(sql('"a.b"."c ""d"""'), '"a.b"."c ""d"""')
  assert.equal(sql('x"; DROP TABLE y; --'), undefined)
  assert.equal(sql('a.b.c'), undefined)
  assert.equal(sql(''), undefined)
})

test('postgres: the statements', () => {
  const columns = matchTable(
    't',
    columnsOf(['$key', '$offset'], 'json'),
    [found('key', 'text'), found('offset', 'bigint')],
    'json',
  )
  assert.equal(appendSql('"s"."t"', 't', columns).copy, 'COPY "s"."t" ("key", "offset") FROM STDIN')
  const upsert = upsertSql('"s"."t"', columns, ['key'])
  assert.equal(
    upsert.merge,
    'INSERT INTO "s"."t" ("key", "offset") SELECT c0, c1 FROM (SELECT DISTINCT ON (c0) * FROM pg_temp.sluice_batch ' +
      'ORDER BY c0, sluice_offset DESC) AS batch WHERE NOT sluice_deleted ON CONFLICT ("key") DO UPDATE SET "offset" = EXCLUDED."offset"',
  )
  assert.match(upsertSql('"t"', columns, ['key', 'offset']).merge!, /ON CONFLICT \("key", "offset"\) DO NOTHING$/)
})

test('postgres: the line of an error’s context', () => {
  // Contexts as PostgreSQL 15 gave them, the German one from its message catalog.
  assert.equal(copyLineOf('COPY flights, line 3, column delay: "x"', 'flights'), 3)
  assert.equal(copyLineOf('PL/pgSQL function no() line 9 at RAISE\nCOPY flights, line 12: "13\ttext"', 'flights'), 12)
  assert.equal(copyLineOf('COPY a.b (c), Zeile 4', 'a.b (c)'), 4)
  assert.equal(copyLineOf('COPY other, line 3', 'flights'), undefined)
  assert.equal(copyLineOf('SQL statement "SELECT 1 FROM ONLY ids x"', 'flights'), undefined)
  assert.equal(copyLineOf(undefined, 'flights'), undefined)
})

test('postgres: options are checked as a whole, and no message shows a password', () => {
  const problems: readonly [object, RegExp][] = [
    [{ mode: 'upsert' }, /sink\.key\.columns is missing/],
    [{ 'key.columns': ['key'] }, /sink\.key\.columns is for "mode": "upsert"/],
    [{ mode: 'upsert', 'key.columns': ['id'], columns: ['$key'] }, /has "id", which is not among the columns key/],
    [{ user: undefined }, /sink\.user is missing/],
    [{ table: 'sluice_offsets' }, /the same table/],
    [{ table: 'a.b.c' }, /sink\.table is "a\.b\.c": expected a name: table or schema\.table/],
    [{ url: `postgres://u:${SECRET}@h/d` }, /sink\.url is no URL of the form|sink\.url has/],
    [{ url: `mysql://u:${encodeURIComponent(SECRET)}@h/d` }, /sink\.url is no URL of the form postgres:/],
    [{ url: 'postgres://u@h/d?sslmode=prefer' }, /sslmode=prefer; it may be disable, require, verify-full/],
    [{ url: 'postgres://u@h/d?options=x' }, /the parameter "options"/],
    [{ url: { user: SECRET } }, /sink\.url is not shown/],
    [{ password: 12345678 }, /sink\.password is not shown/],
    [{ pasword: SECRET }, /sink\.pasword is no option \(did you mean "password"\?\)/],
  ]
  for (const [changes, message] of problems) {
    assert.throws(
      () => sinks.configure({ ...base, ...changes }).create(),
      (error) => {
        assert.ok(error instanceof SinkOptionsError, String(error))
        assert.match(error.message, message)
        assert.ok(!error.message.includes(SECRET) && !error.message.includes('12345678'))
        return true
      },
    )
  }
})

test('postgres: a URL, and parts that replace its own', () => {
  const url = `postgres://al%20ice:${encodeURIComponent(SECRET)}@[::1]:6543/my%2Fdb?sslmode=verify-full`
  const target = targetOf(postgresTarget, { url })
  assert.deepEqual(target, {
    scheme: 'postgres',
    host: '::1',
    port: 6543,
    database: 'my/db',
    user: 'al ice',
    password: SECRET,
    ssl: 'verify-full',
  })
  assert.equal(shownTarget(target), 'postgres://al ice@[::1]:6543/my/db')
  assert.deepEqual(targetOf(postgresTarget, { url, host: 'other', password: 'p', ssl: 'disable' }), {
    ...target,
    host: 'other',
    password: 'p',
    ssl: 'disable',
  })
  assert.deepEqual(targetOf(postgresTarget, { user: 'u' }), {
    scheme: 'postgres',
    host: 'localhost',
    port: 5432,
    database: 'u',
    user: 'u',
    password: undefined,
    ssl: 'disable',
  })
})

test('postgres: a missing driver is an error that says what to install', async () => {
  for (const missing of ['pg', 'pg-copy-streams']) {
    const load = async (name: string) => {
      if (name !== missing) return {}
      throw Object.assign(new Error(`Cannot find package '${name}' imported from x`), { code: 'ERR_MODULE_NOT_FOUND' })
    }
    const sink = new PostgresSink(sinks.configure(base).options as never, {
      loadDriver: () => loadPostgresDriver(load),
    })
    await assert.rejects(sink.open(contextOf()), (error) => {
      assert.ok(error instanceof SinkRefusedError)
      const said = `the postgres sink needs the package "${missing}", which is not installed: run npm install pg pg-copy-streams`
      assert.equal(error.message, said)
      return true
    })
  }
})

test('postgres: the driver is not loaded before a sink opens', () => {
  const index = new URL('../../src/sinks/index.ts', import.meta.url).href
  const script = `const { sinks } = await import(${JSON.stringify(index)}); sinks.configure(${JSON.stringify(base)}).create();
    const { createRequire } = await import('node:module');
    const loaded = () => Object.keys(createRequire(${JSON.stringify(index)}).cache).some((path) => path.includes('/node_modules/pg/'));
    const before = loaded(); await import(${JSON.stringify(import.meta.resolve('pg'))}); console.log(before, loaded())`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.equal(stdout, 'false true\n', stderr)
})

test('postgres: errors of the server and the network, in the classes of the contract', () => {
  const attempt = { doing: 'store into flights', where: 'postgres://sluice@db:5432/air', password: SECRET }
  const mapped = (fields: object, message = `said ${SECRET} and ${encodeURIComponent(SECRET)}`) =>
    postgresError(Object.assign(new Error(message), fields), attempt)
  for (const code of [
    '57P01',
    '57P03',
    '53300',
    '53100',
    '40P01',
    '40001',
    '55P03',
    '57014',
    '25006',
    '08006',
    '58030',
    'ECONNREFUSED',
    'ECONNRESET',
    'ENOTFOUND',
  ]) {
    const error = mapped({ code, severity: 'ERROR' })
    assert.ok(error instanceof SinkUnavailableError && error.retriable, code)
    assert.match(
      error.message,
      /^cannot store into flights at postgres:\/\/sluice@db:5432\/air: said \*\*\* and \*\*\* \(\w+\); \w/,
    )
    assert.ok(!JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause)).includes(SECRET))
  }
  for (const code of ['28P01', '28000', '3D000', '3F000', '42501', '42P01', 'XX000', 'SELF_SIGNED_CERT_IN_CHAIN']) {
    assert.ok(mapped({ code, severity: 'ERROR' }) instanceof SinkRefusedError, code)
  }
  assert.ok(mapped({}, 'Connection terminated unexpectedly') instanceof SinkUnavailableError)
  const bug = new TypeError('x is not a function')
  assert.equal(postgresError(bug, attempt), bug, 'a mistake in the program stays what it is')
})

test('postgres: only what the server refused, and lived on, is known not to have happened', () => {
  const refusal = (code: string | undefined, severity: string | undefined) =>
    isServerRefusal(Object.assign(new Error('x'), { code, severity }))
  assert.ok(refusal('23505', 'ERROR'))
  assert.ok(refusal('23505', 'FEHLER'), 'severity comes in the language of the server')
  for (const code of ['57P01', '57P02', '25P03', '08006']) assert.ok(!refusal(code, 'FATAL'), code)
  assert.ok(!refusal('ECONNRESET', undefined))
  assert.ok(!refusal(undefined, undefined))
})
