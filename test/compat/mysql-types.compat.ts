/** What a real MariaDB and a real MySQL read out of the literals of the mysql sink, type by type; and upserts, tombstones and made tables. */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { SinkRefusedError } from '../../src/sinks/sink.ts'
import { batchOf, contextOf, flights, opened, type Row, storeAll } from '../sinks/fixtures.ts'
import { makeSink } from './mysql-sink-child.ts'
import { distributions, startMysql } from './mysql.ts'

for (const distribution of distributions) {
  const server = await startMysql({ after }, distribution)
  const hasJson = distribution.name.startsWith('MariaDB')
  const called = (name: string, body: (t: TestContext) => Promise<void>) =>
    void test(`mysql, ${distribution.name}: ${name}`, body)

  const storeIn = async (ddl: readonly string[]) => {
    const database = await server.database()
    if (ddl.length > 0) await server.query(ddl, { database })
    const config = { type: 'mysql', ...server.options(database), table: 'flights' }
    return {
      sink: (options: object) => makeSink(JSON.stringify({ ...config, ...options })),
      rows: (sql: string | readonly string[]) => server.query(sql, { database }),
    }
  }

  called('each type reads back as what was written', async () => {
    const json: (readonly [string, unknown, string | null])[] = [
      ['json', { b: 1, a: ['x"\\\t€', null] }, '{"b":1,"a":["x\\"\\\\\\t€",null]}'],
      ['json', 'text', '"text"'],
    ]
    const cases: readonly (readonly [type: string, value: unknown, text: string | null])[] = [
      ['text', 'tab\tback\\slash\nline\r\'"` %_ \0 ä€😀', 'tab\tback\\slash\nline\r\'"` %_ \0 ä€😀'],
      ['varchar(20)', '', ''],
      ['varchar(20)', null, null],
      ['varchar(20)', 'blanks  ', 'blanks  '],
      ['varchar(3)', '😀😀😀', '😀😀😀'],
      ['longtext', { a: [1, '\n'] }, '{"a":[1,"\\n"]}'],
      ['varchar(20) character set latin1', 'é', 'é'],
      ['tinyint', -128, '-128'],
      ['tinyint(1)', true, '1'],
      ['smallint unsigned', 65535, '65535'],
      ['mediumint', -8388608, '-8388608'],
      ['int', 2147483647, '2147483647'],
      ['bigint', '9223372036854775807', '9223372036854775807'],
      ['bigint unsigned', '18446744073709551615', '18446744073709551615'],
      ['bigint', 9007199254740991, '9007199254740991'],
      ['double', 5e-324, '5e-324'],
      ['double', 1.7976931348623157e308, '1.7976931348623157e308'],
      ['double', 0.1, '0.1'],
      ['decimal(40,10)', '123456789012345678901234567890.1234567891', '123456789012345678901234567890.1234567891'],
      ['decimal(10,2)', 1.005, '1.01'],
      ['decimal(30,0)', 1e21, '1000000000000000000000'],
      ['datetime(3)', 1_700_000_000_007, '2023-11-14 22:13:20.007'],
      ['datetime', 1_700_000_000_999, '2023-11-14 22:13:20'],
      ['timestamp(6) NULL', '2024-02-29T12:00:00.123456+02:00', '2024-02-29 10:00:00.123456'],
      ['timestamp NULL', '2024-02-29 12:00', '2024-02-29 12:00:00'],
      ['datetime', '1000-01-01', '1000-01-01 00:00:00'],
      ['date', 1_700_000_000_007, '2023-11-14'],
      ['date', '2024-02-29', '2024-02-29'],
      ['time', '12:30:15', '12:30:15'],
      ['year', 2024, '2024'],
      ['blob', Buffer.from([0, 10, 39, 92, 255]).toString('base64'), '000A275CFF'],
      ['varbinary(4)', '', ''],
      ['bit(9)', 257, '101'],
      ["enum('b','a','it''s')", "it's", "it's"],
      ["set('a','b')", 'a,b', 'a,b'],
      ...(hasJson ? json : []),
    ]
    const binary = /^(?:blob|varbinary|bit)/
    const columns = cases.map((_, index) => `c${index}`)
    const declared = cases.map(([type], index) => `c${index} ${type}`).join(', ')
    const store = await storeIn([`CREATE TABLE flights (${declared}) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4`])
    const value = Object.fromEntries(cases.map(([, one], index) => [`c${index}`, one]))
    await storeAll(store.sink({ columns }), contextOf(), batchOf([JSON.stringify(value)]))
    const texts = cases.map(([type], index) => (binary.test(type) ? `hex(c${index})` : `concat(c${index}, '')`))
    const [row] = await store.rows(
      `SELECT ${texts.map((text, index) => `${text} AS c${index}`).join(', ')} FROM flights`,
    )
    for (const [index, [type, , text]] of cases.entries()) {
      const found = row![`c${index}`]
      if (type === 'double') assert.equal(Number(found), Number(text), `${type} in c${index}`)
      else assert.equal(found, text, `${type} in c${index}`)
    }
  })

  called('what only its own mode would bend is refused, whatever the server’s mode', async () => {
    const columns = ['id', 'v']
    for (const [type, value] of [
      ['timestamp NULL', '1970-01-01T00:00:00Z'],
      ['varchar(5) character set latin1', '€😀'],
      ["enum('a','b')", 'c'],
      ['decimal(3,1)', 1000],
      ['float', 1e300],
    ] as const) {
      const store = await storeIn([`CREATE TABLE flights (id int, v ${type}) ENGINE = InnoDB`])
      const sink = store.sink({ columns })
      const context = contextOf()
      await opened(sink, context)
      const batch = batchOf(
        [
          { id: 0, v: null },
          { id: 1, v: value },
        ].map((row) => JSON.stringify(row)),
      )
      await sink.write(batch)
      await assert.rejects(
        sink.flush(flights, batch.next, context.signal),
        { code: 'SLUICE_SINK_RECORD', offset: 1 },
        type,
      )
      await sink.close()
      assert.deepEqual(await store.rows('SELECT * FROM flights'), [], type)
    }
  })

  called('zero in a column with AUTO_INCREMENT stays zero', async () => {
    const store = await storeIn([
      'CREATE TABLE flights (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, v int) ENGINE = InnoDB',
    ])
    await storeAll(store.sink({ columns: ['id', 'v'] }), contextOf(), batchOf(['{"id":0,"v":1}']))
    assert.deepEqual(await store.rows('SELECT id, v FROM flights'), [{ id: 0, v: 1 }])
  })

  called('tables are made with the types that the columns say', async () => {
    const columns = [
      '$key',
      { name: 'at', field: '$timestamp' },
      { name: 'delay', type: 'INTEGER' },
      { name: 'is', type: 'boolean' },
      { name: 'price', type: 'numeric(10,2)' },
      { name: 'none', type: 'varchar(10)', optional: true },
    ]
    const store = await storeIn([])
    const batch = batchOf([{ key: 'k', value: '{"delay":5,"is":true,"price":"1.50"}' }])
    await storeAll(store.sink({ columns }), contextOf(), batch)
    // Opened once more, the table is found to be as the configuration says.
    await storeAll(store.sink({ columns }), contextOf({ application: 'others' }), batch)
    const types = await store.rows(
      "SELECT column_name AS name, column_type AS type FROM information_schema.columns WHERE table_schema = database() AND table_name = 'flights' ORDER BY ordinal_position",
    )
    assert.deepEqual(
      types.map(({ name, type }) => `${String(name)} ${String(type).replace('int(11)', 'int')}`),
      ['key longtext', 'at datetime(3)', 'delay int', 'is tinyint(1)', 'price decimal(10,2)', 'none varchar(10)'],
    )
    const row = { key: 'k', at: '1970-01-01 00:00:01.000', delay: 5, is: 1, price: '1.50', none: null }
    assert.deepEqual(await store.rows('SELECT * FROM flights'), [row, row])
  })

  called('without columns, the record’s own six; and bytes', async () => {
    if (hasJson) {
      const store = await storeIn([])
      await storeAll(store.sink({}), contextOf(), batchOf([{ key: 'k', value: '{"a": 1}' }, null]))
      // As text: the driver would read the JSON.
      const columns = "topic, `partition`, `offset`, timestamp, `key`, concat(value, '') AS value"
      assert.deepEqual(await store.rows(`SELECT ${columns} FROM flights ORDER BY \`offset\``), [
        {
          topic: 'flights',
          partition: 0,
          offset: 0,
          timestamp: '1970-01-01 00:00:01.000',
          key: 'k',
          value: '{"a": 1}',
        },
        { topic: 'flights', partition: 0, offset: 1, timestamp: '1970-01-01 00:00:01.001', key: null, value: null },
      ])
    } else {
      const store = await storeIn([])
      await assert.rejects(store.sink({}).open(contextOf()), (error) => {
        assert.ok(error instanceof SinkRefusedError)
        assert.match(error.message, /this server, 5\.6\.24, has no type json: give "value" a type in "columns"/)
        return true
      })
    }
    const store = await storeIn([])
    const bytes = batchOf([{ key: Buffer.from([0, 255]), value: Buffer.from([92, 10]) }], { valueType: 'bytes' })
    await storeAll(store.sink({}), contextOf({ valueType: 'bytes' }), bytes)
    assert.deepEqual(await store.rows('SELECT hex(`key`) AS k, hex(value) AS v FROM flights'), [
      { k: '00FF', v: '5C0A' },
    ])
  })

  called('odd names, and tables in another database', async () => {
    const odd = 'a `b`; DROP TABLE x'
    const other = await server.database()
    const store = await storeIn([])
    const options = {
      table: `${other}.\`Odd.Table\``,
      'offsets.table': `${other}.my_offsets`,
      columns: [{ name: odd, type: 'varchar(10)' }],
    }
    await storeAll(store.sink(options), contextOf(), batchOf([JSON.stringify({ [odd]: 'x' })]))
    assert.deepEqual(await store.rows(`SELECT \`a \`\`b\`\`; DROP TABLE x\` AS odd FROM ${other}.\`Odd.Table\``), [
      { odd: 'x' },
    ])
    assert.deepEqual(await store.rows(`SELECT next FROM ${other}.my_offsets`), [{ next: 1 }])
  })

  for (const statementCharacters of [1, 262_144]) {
    called(
      `upsert keeps the last of each key, and a tombstone deletes (${statementCharacters} a statement)`,
      async (t) => {
        const store = await storeIn([])
        const sink = store.sink({
          statementCharacters,
          mode: 'upsert',
          'key.columns': ['key'],
          columns: [
            { name: 'key', field: '$key', type: 'varchar(20)' },
            { name: 'v', type: 'int' },
          ],
        })
        t.after(() => sink.close())
        const context = contextOf()
        await opened(sink, context)
        const table = () => store.rows('SELECT `key`, v FROM flights ORDER BY `key`')
        const put = async (first: number, ...pairs: [string, number | null][]) => {
          const rows: Row[] = pairs.map(([key, v]) => ({ key, value: v === null ? null : JSON.stringify({ v }) }))
          const batch = batchOf(rows, { first })
          await sink.write(batch)
          await sink.flush(flights, batch.next, context.signal)
        }
        await put(0, ['a', 1], ['b', 1], ['a', 2], ['c', 1], ['c', null], ['d', null], ['d', 4], ['A', 9])
        assert.deepEqual(await table(), [
          { key: 'A', v: 9 },
          { key: 'a', v: 2 },
          { key: 'b', v: 1 },
          { key: 'd', v: 4 },
        ])
        await put(8, ['b', 5], ['a', null], ['d', null], ['d', 6], ['nobody', null], ['A', null])
        assert.deepEqual(await table(), [
          { key: 'b', v: 5 },
          { key: 'd', v: 6 },
        ])
      },
    )
  }

  called('keys that the table’s collation takes for one are one, in the order of the records', async () => {
    const store = await storeIn([
      'CREATE TABLE flights (`key` varchar(20) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, v int) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4',
    ])
    const options = { mode: 'upsert', 'key.columns': ['key'], columns: ['$key', 'v'] }
    const rows: Row[] = [
      { key: 'a', value: '{"v":1}' },
      { key: 'A', value: null },
      { key: 'b', value: '{"v":1}' },
      { key: 'B', value: '{"v":2}' },
      { key: 'C', value: null },
      { key: 'c', value: '{"v":3}' },
    ]
    await storeAll(store.sink(options), contextOf(), batchOf(rows))
    assert.deepEqual(await store.rows('SELECT `key`, v FROM flights ORDER BY `key`'), [
      { key: 'b', v: 2 },
      { key: 'c', v: 3 },
    ])
  })

  called('a key of two columns', async () => {
    const store = await storeIn([])
    const columns = [{ name: 'key', field: '$key', type: 'varchar(20)' }, '$partition', { name: 'v', type: 'int' }]
    const options = { mode: 'upsert', 'key.columns': ['partition', 'key'], columns }
    const rows: Row[] = ['a', 'b', 'c'].map((key, v) => ({ key, value: JSON.stringify({ v }) }))
    await storeAll(
      store.sink(options),
      contextOf(),
      batchOf([...rows, { key: 'a', value: null }, { key: 'b', value: null }]),
    )
    assert.deepEqual(await store.rows('SELECT * FROM flights'), [{ key: 'c', partition: 0, v: 2 }])
  })

  called('a table that an upsert could not be sure of is refused, with what to do', async () => {
    const options = { columns: ['id', 'other'], mode: 'upsert', 'key.columns': ['id'] }
    const refused = async (declared: string, message: RegExp) => {
      const store = await storeIn([`CREATE TABLE flights (${declared}) ENGINE = InnoDB`])
      await assert.rejects(store.sink(options).open(contextOf()), (error) => {
        assert.ok(error instanceof SinkRefusedError, String(error))
        assert.match(error.message, message)
        return true
      })
    }
    const none = /no unique index on `id`, the "key\.columns": ALTER TABLE `test_\d+`\.`flights` ADD UNIQUE \(`id`\)/
    await refused('id int, other int', none)
    await refused('id int, other int, UNIQUE (id, other)', none)
    await refused('id varchar(20), other int, UNIQUE (id(5))', none)
    await refused(
      'id int PRIMARY KEY, other int, UNIQUE both_of (other)',
      /has the unique index both_of \(other\) beside the one on "key\.columns": an upsert would change the row that it finds there, whatever its key\. DROP INDEX `both_of`/,
    )
    for (const declared of [
      'id int PRIMARY KEY, other int, UNIQUE (id, other)',
      'id int UNIQUE, other int, sequence int NOT NULL AUTO_INCREMENT PRIMARY KEY',
    ]) {
      const store = await storeIn([`CREATE TABLE flights (${declared}) ENGINE = InnoDB`])
      await storeAll(store.sink(options), contextOf(), batchOf(['{"id":1,"other":2}', '{"id":1,"other":3}']))
      assert.deepEqual(await store.rows('SELECT id, other FROM flights'), [{ id: 1, other: 3 }])
    }
    const store = await storeIn([])
    await assert.rejects(
      store.sink({ ...options, table: 'missing' }).open(contextOf()),
      /is missing and cannot be made: "id" of "key\.columns" needs a type in "columns", such as \{ "name": "id", "type": "bigint" \}/,
    )
  })

  called('a table without transactions, and a view, are refused', async () => {
    const store = await storeIn([
      'CREATE TABLE old (id int) ENGINE = MyISAM',
      'CREATE VIEW seen AS SELECT id FROM old',
      'CREATE TABLE poor_offsets (application varchar(10)) ENGINE = InnoDB',
      'CREATE TABLE loose_offsets (application varchar(10), cluster_id varchar(10), topic_id varchar(10), topic varchar(10), `partition` int, next bigint) ENGINE = InnoDB',
    ])
    for (const [options, message] of [
      [
        { table: 'old' },
        /has the engine MyISAM, which has no transactions: ALTER TABLE `test_\d+`\.`old` ENGINE = InnoDB/,
      ],
      [{ table: 'seen' }, /the table test_\d+\.seen is no table that rows can be stored in/],
      [{ 'offsets.table': 'old' }, /has the engine MyISAM/],
      [{ 'offsets.table': 'poor_offsets' }, /is not one of offsets: it has no column "cluster_id"/],
      [{ 'offsets.table': 'loose_offsets' }, /has no unique index on application, cluster_id, topic_id, partition/],
    ] as const) {
      await assert.rejects(store.sink({ columns: ['id'], ...options }).open(contextOf()), (error) => {
        assert.ok(error instanceof SinkRefusedError, String(error))
        assert.match(error.message, message)
        return true
      })
    }
  })
}
