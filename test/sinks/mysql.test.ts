/** What the mysql sink does without a server: literals, options, SQL, errors. The servers' part is test/compat/mysql-*.compat.ts. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import {
  columnsOf,
  encodeRows,
  type FoundColumn,
  literal,
  matchTable,
  type Row,
} from '../../src/sinks/mysql-columns.ts'
import { loadMysqlDriver, mysqlTarget } from '../../src/sinks/mysql-connection.ts'
import { isDataError, isRolledBack, isServerRefusal, isShapeError, mysqlError } from '../../src/sinks/mysql-errors.ts'
import {
  createTableSql,
  lastOfEachKey,
  probeSql,
  qualified,
  rowsSql,
  statementsOf,
  tableName,
} from '../../src/sinks/mysql-sql.ts'
import { columnType, spelled } from '../../src/sinks/mysql-types.ts'
import { MysqlSink } from '../../src/sinks/mysql.ts'
import { sinks } from '../../src/sinks/index.ts'
import {
  SinkOptionsError,
  SinkRecordError,
  SinkRefusedError,
  SinkUnavailableError,
  type ValueType,
} from '../../src/sinks/sink.ts'
import { shownTarget, targetOf } from '../../src/sinks/sql-target.ts'
import { batchOf, contextOf, type Row as Written } from './fixtures.ts'

const SECRET = 'ge:h/e@i%m-7F'
const base = { type: 'mysql', host: 'db', user: 'sluice', database: 'air', table: 'flights' }

/** As `information_schema.columns` has it. */
function found(name: string, declared: string, changes: Partial<FoundColumn> = {}): FoundColumn {
  const [, type, size] = /^(\w+)(?:\((\d+))?/.exec(declared)!
  const isCounted = /^(?:var)?char$/.test(type!)
  return {
    name,
    type: type!,
    declared,
    notNull: false,
    hasDefault: false,
    isGenerated: false,
    isCheckedJson: false,
    maxCharacters: isCounted ? Number(size) : null,
    maxBytes: isCounted ? 4 * Number(size) : type === 'tinytext' ? 255 : type === 'text' ? 65_535 : null,
    charset: /char|text/.test(type!) ? 'utf8mb4' : null,
    precision: /^(?:datetime|timestamp)$/.test(type!) ? Number(size ?? 0) : null,
    ...changes,
  }
}

function values(
  declared: string,
  row: Written,
  {
    source = 'v',
    valueType = 'json' as ValueType,
    ...changes
  }: { source?: string; valueType?: ValueType } & Partial<FoundColumn> = {},
): string {
  const wanted = columnsOf({ columns: [{ name: 'v', field: source }], keyColumns: [], valueType })
  const columns = matchTable('the table t', wanted, [found('v', declared, changes)], valueType)
  return encodeRows({ columns, valueType, mode: 'append' }, batchOf([row], { first: 7, valueType }))[0]!.values
}

const cell = (declared: string, value: unknown, changes: Partial<FoundColumn> = {}) =>
  values(declared, JSON.stringify({ v: value }), changes).slice(1, -1)

function refusal(declared: string, row: Written, options: Parameters<typeof values>[2] = {}): string {
  try {
    values(declared, row, options)
  } catch (error) {
    assert.ok(error instanceof SinkRecordError)
    assert.deepEqual([error.topic, error.partition, error.offset], ['flights', 0, 7])
    return error.message.replace('topic flights, partition 0, offset 7: ', '')
  }
  return 'taken'
}

test('mysql: values as literals', () => {
  assert.equal(cell('varchar(20)', 'ä€😀'), "'ä€😀'")
  // dev.mysql.com/doc/refman/8.4/en/string-literals.html: within single quotes, these have to be escaped; line breaks and tabs do not.
  assert.equal(cell('text', 'a\'b\\c\0d\n\t"%_?'), "'a\\'b\\\\c\\0d\n\t\"%_?'")
  assert.equal(cell('varchar(20)', ''), "''")
  assert.equal(cell('varchar(20)', null), 'NULL')
  assert.equal(cell('text', { a: ["it's"] }), '\'{"a":["it\\\'s"]}\'')
  assert.equal(cell('bigint', -9007199254740991), '-9007199254740991')
  assert.equal(cell('bigint(20)', '9223372036854775807'), '9223372036854775807')
  assert.equal(cell('bigint unsigned', '18446744073709551615'), '18446744073709551615')
  assert.equal(cell('tinyint(1)', true), '1')
  assert.equal(cell('tinyint(4)', false), '0')
  assert.equal(cell('double', 5e-324), '5e-324')
  assert.equal(cell('decimal(60,30)', '123456789012345678901234567890.5'), "'123456789012345678901234567890.5'")
  assert.equal(cell('decimal(60,30)', 1e21), "'1e+21'")
  assert.equal(cell('bit(3)', 7), '7')
  assert.equal(cell('bit(1)', true), '1')
  assert.equal(cell('json', { a: 'x"y' }), '\'{"a":"x\\\\"y"}\'')
  assert.equal(cell('json', 'text'), '\'"text"\'')
  assert.equal(cell('longtext', ['x'], { isCheckedJson: true }), '\'["x"]\'')
  assert.equal(cell('longtext', 'x', { isCheckedJson: true }), '\'"x"\'')
  assert.equal(cell('blob', 'aGk='), "x'6869'")
  assert.equal(cell('varbinary(4)', ''), "x''")
  assert.equal(cell("enum('a','it''s')", "it's"), "'it\\'s'")
  assert.equal(cell("enum('1','2')", '2'), "'2'")
  assert.equal(cell('year(4)', 2024), '2024')
  assert.equal(cell('time', '12:30'), "'12:30'")
})

test('mysql: times in UTC, cut to the digits that the column has', () => {
  const ms = Date.UTC(2023, 10, 14, 22, 13, 20, 7)
  assert.equal(cell('datetime(3)', ms), "'2023-11-14 22:13:20.007'")
  assert.equal(cell('datetime', ms + 992), "'2023-11-14 22:13:20'", 'not rounded to the next second')
  assert.equal(cell('datetime(6)', ms), "'2023-11-14 22:13:20.007000'")
  assert.equal(cell('datetime(3)', -1), "'1969-12-31 23:59:59.999'")
  assert.equal(cell('timestamp(6)', '2024-02-29T12:00:00.1234567+02:00'), "'2024-02-29 10:00:00.123456'")
  assert.equal(cell('datetime(2)', '2024-02-29T23:59:59.999Z'), "'2024-02-29 23:59:59.99'")
  assert.equal(cell('datetime', '2024-02-29 12:00'), "'2024-02-29 12:00:00'")
  assert.equal(cell('datetime', '2024-02-29T12:00-0330'), "'2024-02-29 15:30:00'")
  assert.equal(cell('datetime', '2024-02-29T12:00+05'), "'2024-02-29 07:00:00'")
  assert.equal(cell('date', ms), "'2023-11-14'")
  assert.equal(cell('date', '2024-02-29'), "'2024-02-29'")
  assert.equal(cell('date', '2024-01-01T00:30:00+01:00'), "'2023-12-31'")
  assert.equal(cell('datetime', Date.UTC(1000, 0, 1)), "'1000-01-01 00:00:00'")
  assert.equal(cell('datetime(3)', Date.UTC(10_000, 0, 1) - 1), "'9999-12-31 23:59:59.999'")
  for (const value of [
    'now',
    '2024-02-30',
    '2024-13-01',
    '2024-01-01T24:00',
    '2024-01-01T12:00:61',
    '0999-12-31',
    '99-12-31',
    '1000-01-01T00:00+01:00',
    '9999-12-31T23:00-02:00',
    "2024-01-01'",
    '2024-01-01T00:00\n',
    Date.UTC(1000, 0, 1) - 1,
    1e17,
    true,
  ]) {
    assert.match(refusal('datetime', JSON.stringify({ v: value })), /and the column v takes datetime$/, String(value))
  }
})

test('mysql: the record’s own parts', () => {
  const own = (declared: string, source: string, valueType: ValueType = 'json') =>
    values(declared, { key: 'k', value: '{ "a": 1.0 }' }, { source, valueType })
  assert.equal(own('varchar(249)', '$topic'), "('flights')")
  assert.equal(own('int', '$partition'), '(0)')
  assert.equal(own('bigint', '$offset'), '(7)')
  assert.equal(own('datetime(3)', '$timestamp'), "('1970-01-01 00:00:01.007')")
  assert.equal(own('bigint', '$timestamp'), '(1007)')
  assert.equal(own('longtext', '$key'), "('k')")
  assert.equal(own('json', '$value'), `('{ "a": 1.0 }')`, 'JSON as it came')
  assert.equal(own('longtext', '$value'), `('{ "a": 1.0 }')`)
  assert.equal(
    own('json', '$value', 'string'),
    `('"{ \\\\"a\\\\": 1.0 }"')`,
    'text that was not read as JSON is a JSON string',
  )
  assert.equal(own('longblob', '$value', 'bytes'), `(x'${Buffer.from('{ "a": 1.0 }').toString('hex')}')`)
})

test('mysql: a value that the column does not take is an error that names record, field, value and type', () => {
  const mistyped = (declared: string, value: unknown) => refusal(declared, JSON.stringify({ v: value }))
  assert.equal(mistyped('int(11)', 'late'), '"v" is the string "late", and the column v takes int')
  for (const [declared, value] of [
    ['int', 1.5],
    ['int', 2 ** 31],
    ['int unsigned', -1],
    ['int unsigned', 2 ** 32],
    ['tinyint', 128],
    ['smallint', -(2 ** 15) - 1],
    ['mediumint', 2 ** 23],
    ['bigint', '9223372036854775808'],
    ['bigint', '1e3'],
    ['int', true],
    ['int', '5'],
    ['varchar(20)', 5],
    // The server would cut the blanks off and say nothing.
    ['varchar(3)', 'abc '],
    ['char(3)', 'abcd'],
    ['tinytext', 'ä'.repeat(128)],
    ['bit(3)', 8],
    ['double', '5'],
    ['decimal(5,2)', 'NaN'],
    ['blob', 'no base64'],
    // The server would take it for the first of the values.
    ["enum('a','b')", '1'],
    ["set('a','b')", '3'],
    ["enum('a','b')", 1],
    ['year', 70],
    ['time', true],
  ] as const) {
    const takes = spelled(declared).replaceAll(/[()[\]]/g, '\\$&')
    assert.match(mistyped(declared, value), new RegExp(`and the column v takes ${takes}$`), `${declared} ${value}`)
  }
  assert.equal(cell('varchar(3)', '😀😀😀'), "'😀😀😀'", 'characters are counted, not halves of them')
  assert.equal(cell('tinytext', 'ä'.repeat(127)), `'${'ä'.repeat(127)}'`)
  assert.equal(
    cell('tinytext', 'x'.repeat(300), { charset: 'latin1' }),
    `'${'x'.repeat(300)}'`,
    'for the server to say',
  )
  assert.match(refusal('text', '{"v":"\\ud800"}'), /with half of a surrogate pair/)
  assert.match(mistyped('varchar(70)', 'x'.repeat(71)), /\(71 characters\), and the column v takes varchar\(70\)$/)
  assert.equal(refusal('text', '{"v":null}', { notNull: true }), '"v" is null, and the column v takes text NOT NULL')
  assert.equal(refusal('text', '{"w":1}'), 'the value has no field "v" (did you mean "w"?), which the column v needs')
  assert.match(refusal('text', '[1]'), /the value is an array \[1\], and columns need a JSON object/)
})

test('mysql: a table that cannot take such rows is refused', () => {
  const match =
    (columns: Parameters<typeof columnsOf>[0]['columns'], table: FoundColumn[], valueType: ValueType = 'json') =>
    () =>
      matchTable('the table t', columnsOf({ columns, keyColumns: [], valueType }), table, valueType)
  const table = [found('time', 'text'), found('dellay', 'int(11)')]
  assert.throws(
    match(['delay'], table),
    /the table t has no column "delay" \(did you mean "dellay"\?\); it has time, dellay/,
  )
  assert.throws(
    match([{ name: 'time', type: 'int' }], table),
    /column "time" of the table t is text, and the configuration says int/,
  )
  assert.doesNotThrow(match([{ name: 'DELLAY', type: 'INTEGER' }], table))
  assert.doesNotThrow(match([{ name: 'is', type: 'boolean' }], [found('is', 'tinyint(1)')]))
  assert.doesNotThrow(match([{ name: 'v', type: 'json' }], [found('v', 'longtext', { isCheckedJson: true })]))
  assert.throws(
    match(['time'], [...table, found('must', 'text', { notNull: true })]),
    /"must" of the table t is NOT NULL without a default/,
  )
  assert.doesNotThrow(match(['time'], [...table, found('must', 'text', { notNull: true, hasDefault: true })]))
  assert.throws(match(['time'], [found('time', 'text', { isGenerated: true })]), /always generated: leave it out/)
  assert.throws(match(['$value'], [found('value', 'text')], 'bytes'), /bytes with "value": "bytes": make it a blob/)
  assert.throws(match(['time'], table, 'string'), /set "value": "json"/)
  assert.throws(match(['time', 'time'], table), /"columns" has "time" twice/)
  assert.throws(match(['time', 'Time'], table), /"columns" has "Time" twice: MySQL takes names in any case/)
})

test('mysql: types in one spelling', () => {
  for (const [text, type] of [
    ['INTEGER', 'int'],
    ['bigint(20)  unsigned', 'bigint unsigned'],
    ['BIGINT( 20 )UNSIGNED', 'bigint unsigned'],
    ['boolean', 'tinyint(1)'],
    ['tinyint(4)', 'tinyint'],
    ['tinyint(1)', 'tinyint(1)'],
    ['numeric(5, 2)', 'decimal(5,2)'],
    ['decimal', 'decimal(10,0)'],
    ['dec(7)', 'decimal(7,0)'],
    ['double precision', 'double'],
    ['datetime(0)', 'datetime'],
    ['char', 'char(1)'],
    ['varchar(10)', 'varchar(10)'],
  ] as const) {
    assert.equal(columnType(text), type, text)
  }
  for (const text of ['varchar', 'int; DROP TABLE x', 'datetime(7)', 'text NOT NULL', 'jsonb', '', "enum('a')"])
    assert.equal(columnType(text), undefined, text)
})

const upsertColumns = (keyColumns: readonly string[]) => {
  const columns = ['$key', '$offset', { name: 'v', type: 'text' }]
  const wanted = columnsOf({ columns, keyColumns, valueType: 'json' })
  const table = [found('key', 'varchar(255)', { notNull: true }), found('offset', 'bigint'), found('v', 'text')]
  return matchTable('t', wanted, table, 'json', keyColumns)
}

const upserted = (keyColumns: readonly string[], rows: readonly Written[]): Row[] =>
  encodeRows({ columns: upsertColumns(keyColumns), valueType: 'json', mode: 'upsert' }, batchOf(rows, { first: 7 }))

test('mysql: in upsert mode a row without a value deletes, if its key is beside the value', () => {
  assert.deepEqual(upserted(['key'], [{ key: 'k', value: '{"v":"x"}' }]), [
    { offset: 7, values: "('k',7,'x')", key: ["'k'"], isDelete: false },
  ])
  assert.deepEqual(upserted(['key', 'offset'], [{ key: 'k', value: null }]), [
    { offset: 7, values: '', key: ["'k'", '7'], isDelete: true },
  ])
  assert.throws(() => upserted(['v'], [{ key: 'k', value: null }]), /the value is null, and columns need a JSON object/)
  assert.throws(
    () => upserted(['key'], ['{"v":"x"}']),
    /"\$key" is null, and the column key takes no null, as it is of the key/,
  )
})

test('mysql: names are taken as they are written', () => {
  const sql = (text: string) => {
    const name = tableName(text)
    return name && qualified(name)
  }
  assert.equal(sql('flights'), '`flights`')
  assert.equal(sql('Air.Flights'), '`Air`.`Flights`')
  assert.equal(sql('`a.b`.`c ``d```'), '`a.b`.`c ``d```')
  assert.equal(sql('x`; DROP TABLE y; --'), undefined)
  assert.equal(sql('x; DROP TABLE y; --'), '`x; DROP TABLE y; --`')
  assert.equal(sql('a.b.c'), undefined)
  assert.equal(sql(''), undefined)
})

test('mysql: the statements', () => {
  const append = rowsSql('`t`', upsertColumns([]), false)
  const row = (offset: number, isDelete = false, key = [`'${offset}'`]): Row => ({
    offset,
    values: isDelete ? '' : `(${offset})`,
    key,
    isDelete,
  })
  assert.deepEqual(
    [...statementsOf(append, [row(1), row(2), row(3)], 8)],
    [
      { sql: 'INSERT INTO `t` (`key`, `offset`, `v`) VALUES (1),(2)', from: 0, to: 2 },
      { sql: 'INSERT INTO `t` (`key`, `offset`, `v`) VALUES (3)', from: 2, to: 3 },
    ],
  )
  assert.equal([...statementsOf(append, [row(1), row(2)], 1)].length, 2, 'one row is always taken')
  const upsert = rowsSql('`t`', upsertColumns(['key']), true)
  const statements = [...statementsOf(upsert, [row(1), row(2, true), row(3, true), row(4)], 1000)]
  assert.deepEqual(
    statements.map(({ sql }) => sql),
    [
      'INSERT INTO `t` (`key`, `offset`, `v`) VALUES (1) ON DUPLICATE KEY UPDATE `offset` = VALUES(`offset`), `v` = VALUES(`v`)',
      "DELETE FROM `t` WHERE `key` IN ('2','3')",
      'INSERT INTO `t` (`key`, `offset`, `v`) VALUES (4) ON DUPLICATE KEY UPDATE `offset` = VALUES(`offset`), `v` = VALUES(`v`)',
    ],
  )
  const two = rowsSql('`t`', upsertColumns(['offset', 'key']), true)
  const [remove] = statementsOf(two, [row(1, true, ["'a'", '1']), row(2, true, ["'b'", '2'])], 1000)
  assert.equal(remove!.sql, "DELETE FROM `t` WHERE (`key` = 'a' AND `offset` = 1) OR (`key` = 'b' AND `offset` = 2)")
  const all = rowsSql('`t`', upsertColumns(['key', 'offset', 'v']), true)
  assert.match(all.onDuplicate, /ON DUPLICATE KEY UPDATE `key` = `key`$/)
  assert.equal(
    [
      ...statementsOf(
        upsert,
        Array.from({ length: 2500 }, (_, index) => row(index, true)),
        1e9,
      ),
    ].length,
    3,
  )
  assert.deepEqual(probeSql('`t`', upsertColumns(['key']), true), [
    'INSERT INTO `t` (`key`, `offset`, `v`) SELECT NULL, NULL, NULL FROM DUAL WHERE FALSE ON DUPLICATE KEY UPDATE `offset` = VALUES(`offset`), `v` = VALUES(`v`)',
    'DELETE FROM `t` WHERE FALSE',
  ])
  const wanted = columnsOf({ columns: ['$key', 'any'], keyColumns: ['key'], valueType: 'json' })
  assert.equal(
    createTableSql('`t`', wanted, { keyColumns: ['key'], collation: 'utf8mb4_bin' }),
    'CREATE TABLE IF NOT EXISTS `t` (`key` varchar(255) NOT NULL, `any` json NULL, PRIMARY KEY (`key`)) ENGINE = InnoDB, DEFAULT CHARSET = utf8mb4, COLLATE = utf8mb4_bin',
  )
})

test('mysql: of rows with the same key the last is kept, in its place', () => {
  const rows = upserted(
    ['key'],
    [
      { key: 'a', value: '{"v":"1"}' },
      { key: 'b', value: '{"v":"2"}' },
      { key: 'A', value: '{"v":"3"}' },
      { key: 'a', value: null },
    ],
  )
  assert.deepEqual(
    lastOfEachKey(rows).map(({ offset }) => offset),
    [8, 9, 10],
  )
})

test('mysql: no text ends its literal', () => {
  // Read back as the manual says: a backslash makes the next character stand for itself, \0 for NUL; a quote ends.
  const readBack = (sql: string) => {
    let text = ''
    let at = 1
    for (; sql[at] !== "'"; at++) {
      if (sql[at] === '\\') text += sql[++at] === '0' ? '\0' : sql[at]
      else text += sql[at]
    }
    assert.equal(at, sql.length - 1, sql)
    return text
  }
  const parts = ["'", '\\', '\0', '0', 'n', '"', '%', ';--', 'é', '😀', '\n']
  for (let one = 0; one < parts.length ** 3; one++) {
    const text = [one % 11, Math.floor(one / 11) % 11, Math.floor(one / 121)].map((index) => parts[index]).join('')
    assert.equal(readBack(literal(text)!), text)
  }
})

test('mysql: options are checked as a whole, and no message shows a password', () => {
  const problems: readonly [object, RegExp][] = [
    [{ mode: 'upsert' }, /sink\.key\.columns is missing/],
    [{ 'key.columns': ['key'] }, /sink\.key\.columns is for "mode": "upsert"/],
    [{ mode: 'upsert', 'key.columns': ['id'], columns: ['$key'] }, /has "id", which is not among the columns key/],
    [{ user: undefined }, /sink\.user is missing/],
    [{ database: undefined }, /sink\.database is missing: the name of the database, here or in "url"/],
    [{ table: 'sluice_offsets' }, /the same table/],
    [{ table: 'a.b.c' }, /sink\.table is "a\.b\.c": expected a name: table or database\.table/],
    [{ columns: [{ name: 'a', type: 'jsonb' }] }, /expected a type of MySQL’s, such as varchar\(100\)/],
    [{ url: `mysql://u:${SECRET}@h/d` }, /sink\.url is no URL of the form|sink\.url has/],
    [{ url: `postgres://u:${encodeURIComponent(SECRET)}@h/d` }, /sink\.url is no URL of the form mysql:/],
    [{ url: 'mysql://u@h/d?ssl-mode=prefer' }, /ssl-mode=prefer; it may be disable, require, verify-full/],
    [
      { ssl: 'verify-full', host: '10.0.0.1' },
      /sink\.host is the address 10\.0\.0\.1, and with "ssl": "verify-full" it has to be the name/,
    ],
    [{ ssl: 'verify-full', host: '::1' }, /sink\.host is the address ::1/],
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

test('mysql: a URL, and parts that replace its own', () => {
  const url = `mariadb://al%20ice:${encodeURIComponent(SECRET)}@[::1]:6543/my%2Fdb?ssl-mode=verify-full`
  const target = targetOf(mysqlTarget, { url })
  const parts = { scheme: 'mysql', host: '::1', port: 6543, database: 'my/db', user: 'al ice', password: SECRET }
  assert.deepEqual(target, { ...parts, ssl: 'verify-full' })
  assert.equal(shownTarget(target), 'mysql://al ice@[::1]:6543/my/db')
  assert.equal(targetOf(mysqlTarget, { user: 'u', database: 'd' }).port, 3306)
})

test('mysql: what the offsets could not be kept by is refused before anything is connected to', async () => {
  const loadDriver = () => assert.fail('it connects')
  const open = (application: string) =>
    new MysqlSink(sinks.configure(base).options as never, { loadDriver }).open(contextOf({ application }))
  await assert.rejects(
    open('g'.repeat(192)),
    /keeps offsets by "group\.id", of at most 191 characters; this one has 192/,
  )
  await assert.rejects(open('group '), /this one ends with a blank: remove it/)
})

test('mysql: a missing driver is an error that says what to install', async () => {
  const missing = Object.assign(new Error("Cannot find package 'mysql2' imported from x"), {
    code: 'ERR_MODULE_NOT_FOUND',
  })
  const loadDriver = () => loadMysqlDriver(() => Promise.reject(missing))
  const sink = new MysqlSink(sinks.configure(base).options as never, { loadDriver })
  await assert.rejects(sink.open(contextOf()), (error) => {
    assert.ok(error instanceof SinkRefusedError)
    assert.equal(
      error.message,
      'the mysql sink needs the package "mysql2", which is not installed: run npm install mysql2',
    )
    return true
  })
})

test('mysql: the driver is not loaded before a sink opens', () => {
  const index = new URL('../../src/sinks/index.ts', import.meta.url).href
  const script = `const { sinks } = await import(${JSON.stringify(index)}); sinks.configure(${JSON.stringify(base)}).create();
    const { createRequire } = await import('node:module');
    const loaded = () => Object.keys(createRequire(${JSON.stringify(index)}).cache).some((path) => path.includes('/node_modules/mysql2/'));
    const before = loaded(); await import(${JSON.stringify(import.meta.resolve('mysql2'))}); console.log(before, loaded())`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.equal(stdout, 'false true\n', stderr)
})

test('mysql: errors of the server and the network, in the classes of the contract', () => {
  const attempt = { doing: 'store into flights', where: 'mysql://sluice@db:3306/air', password: SECRET }
  const mapped = (fields: object, message = `said ${SECRET} and ${encodeURIComponent(SECRET)}`) =>
    mysqlError(Object.assign(new Error(message), fields), attempt)
  const ofServer = (errno: number, sqlState = 'HY000') => ({ errno, sqlState, code: `ER_${errno}` })
  for (const errno of [1021, 1040, 1053, 1114, 1205, 1213, 1290, 1317, 1836, 1927, 4031]) {
    const error = mapped(ofServer(errno))
    assert.ok(error instanceof SinkUnavailableError && error.retriable, String(errno))
    assert.match(
      error.message,
      /^cannot store into flights at mysql:\/\/sluice@db:3306\/air: said \*\*\* and \*\*\* \(\d+(?: ER_\d+)?\); \w/,
    )
    assert.ok(!JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause)).includes(SECRET))
  }
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'ETIMEDOUT', 'PROTOCOL_CONNECTION_LOST']) {
    assert.ok(mapped({ code }) instanceof SinkUnavailableError, code)
  }
  for (const errno of [1044, 1045, 1049, 1064, 1142, 1146, 1665])
    assert.ok(mapped(ofServer(errno, '42000')) instanceof SinkRefusedError, String(errno))
  for (const code of ['SELF_SIGNED_CERT_IN_CHAIN', 'HANDSHAKE_NO_SSL_SUPPORT', 'ERR_TLS_CERT_ALTNAME_INVALID'])
    assert.ok(mapped({ code }) instanceof SinkRefusedError, code)
  const bug = new TypeError('x is not a function')
  assert.equal(mysqlError(bug, attempt), bug, 'a mistake in the program stays what it is')
})

test('mysql: whose fault an error is, and whether it is known not to have happened', () => {
  const error = (errno: number, sqlState: string) => Object.assign(new Error('x'), { errno, sqlState })
  for (const [errno, state] of [
    [1062, '23000'],
    [1264, '22003'],
    [1265, '01000'],
    [1366, 'HY000'],
    [1406, '22001'],
    [1452, '23000'],
    [1644, '45000'],
    [3819, 'HY000'],
    [4025, '23000'],
  ] as const) {
    assert.ok(isDataError(error(errno, state)), String(errno))
    assert.ok(isRolledBack(error(errno, state)))
  }
  assert.ok(!isDataError(error(1213, '40001')))
  assert.ok(
    !isDataError(Object.assign(new Error('x'), { errno: -111, code: 'ECONNREFUSED' })),
    'the network has numbers too',
  )
  for (const errno of [1054, 1136, 1146, 1364]) assert.ok(isShapeError(error(errno, '42S02')), String(errno))
  assert.ok(isServerRefusal(error(1213, '40001')))
  for (const errno of [1053, 1927, 4031, 1153]) assert.ok(!isServerRefusal(error(errno, '08S01')), String(errno))
  assert.ok(!isServerRefusal(Object.assign(new Error('x'), { code: 'ECONNRESET', errno: -104 })))
  assert.ok(isRolledBack(error(1213, '40001')))
  for (const errno of [1180, 1205, 1317]) assert.ok(!isRolledBack(error(errno, 'HY000')), `${errno}: who knows`)
})
