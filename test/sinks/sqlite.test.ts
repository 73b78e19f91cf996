/** The sqlite sink's own ways: tables, types, errors, locks. Each offset once is conformance.test.ts's matter. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import { sinks } from '../../src/sinks/index.ts'
import {
  type Sink,
  SinkFencedError,
  SinkRecordError,
  SinkRefusedError,
  SinkUnavailableError,
} from '../../src/sinks/sink.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { batchOf, contextOf, flights, opened, type Row, storeAll } from './fixtures.ts'

const { signal } = contextOf()
const columns = ['time', 'delay']
const three = batchOf(['{"time":"a","delay":1}', '{"time":"b","delay":2,"more":[1]}', '{"time":null,"delay":3}'])

async function databaseIn(t: TestContext): Promise<string> {
  return join(await temporaryDirectory(t), 'deep', 'flights.db')
}

function sinkOf(database: string, options: object = {}): Sink {
  return sinks.configure({ type: 'sqlite', database, table: 'flights', columns, ...options }).create()
}

async function openSink(t: TestContext, database: string, options: object = {}): Promise<Sink> {
  const sink = sinkOf(database, options)
  t.after(() => sink.close())
  await opened(sink, contextOf())
  return sink
}

function query(database: string, sql: string): unknown[] {
  const reader = new DatabaseSync(database)
  try {
    return reader
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }))
  } finally {
    reader.close()
  }
}

function prepare(database: string, sql: string): void {
  const other = new DatabaseSync(database)
  other.exec(sql)
  other.close()
}

async function failureOf(t: TestContext, declared: string, row: Row, options: object = {}): Promise<string> {
  const database = join(await temporaryDirectory(t), 'flights.db')
  prepare(database, declared)
  const sink = await openSink(t, database, options)
  try {
    await sink.write(batchOf([row], { first: 7 }))
    await sink.flush(flights, 8, signal)
  } catch (error) {
    assert.ok(error instanceof SinkRecordError)
    assert.deepEqual([error.topic, error.partition, error.offset], ['flights', 0, 7])
    assert.match(error.message, /^topic flights, partition 0, offset 7: /)
    return error.message.replace('topic flights, partition 0, offset 7: ', '')
  }
  return 'stored'
}

test('table and folder are made when missing; rows and the offset they reach stand together', async (t) => {
  const database = await databaseIn(t)
  await storeAll(sinkOf(database), contextOf(), three)
  assert.deepEqual(query(database, 'SELECT *, typeof(delay) AS type FROM flights'), [
    { time: 'a', delay: 1, type: 'integer' },
    { time: 'b', delay: 2, type: 'integer' },
    { time: null, delay: 3, type: 'integer' },
  ])
  assert.deepEqual(query(database, 'SELECT * FROM sluice_offsets'), [
    {
      application: 'file-consumers',
      cluster_id: 'cluster-1',
      topic_id: 'id-of-flights',
      topic: 'flights',
      partition: 0,
      next: 3,
    },
  ])
  assert.deepEqual(query(database, 'PRAGMA journal_mode'), [{ journal_mode: 'wal' }])
})

test('another SQLite reads the same rows', async (t) => {
  if (!hasPython()) return t.skip('needs python3')
  const database = await databaseIn(t)
  await storeAll(
    sinkOf(database, { columns: [{ name: 'delay', type: 'integer' }, 'time', '$offset'] }),
    contextOf(),
    three,
  )
  const script =
    'import sqlite3,sys,json; print(json.dumps(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))'
  const read = (sql: string) => JSON.parse(execFileSync('python3', ['-c', script, database, sql]).toString()) as unknown
  assert.deepEqual(read('SELECT * FROM flights'), [
    [1, 'a', 0],
    [2, 'b', 1],
    [3, null, 2],
  ])
  assert.deepEqual(read('PRAGMA integrity_check'), [['ok']])
})

test('without columns, the record’s own six', async (t) => {
  const database = await databaseIn(t)
  const batch = batchOf([{ key: 'k', value: 'v' }, null], { valueType: 'string' })
  await storeAll(sinkOf(database, { columns: undefined }), contextOf({ valueType: 'string' }), batch)
  assert.deepEqual(query(database, 'SELECT * FROM flights'), [
    { topic: 'flights', partition: 0, offset: 0, timestamp: 1000, key: 'k', value: 'v' },
    { topic: 'flights', partition: 0, offset: 1, timestamp: 1001, key: null, value: null },
  ])
})

test('any JSON value reads back as it was from a column without a type; nested JSON as its text', async (t) => {
  const database = await databaseIn(t)
  const values = ['007', 7, 7.5, 9007199254740991, null, '', 'ä€😀', -1e300]
  await storeAll(
    sinkOf(database, { columns: ['v'] }),
    contextOf(),
    batchOf([...values, { a: [1] }, true].map((v) => JSON.stringify({ v }))),
  )
  const read = query(database, 'SELECT v FROM flights').map((row) => (row as { v: unknown }).v)
  assert.deepEqual(read, [...values, '{"a":[1]}', 1])
})

test('a value of the wrong type is an error that names record, field, value and type', async (t) => {
  const table = 'CREATE TABLE flights (time TEXT NOT NULL, delay INTEGER)'
  assert.equal(await failureOf(t, table, '{"time":"a","delay":null}'), 'stored')
  assert.equal(
    await failureOf(t, table, '{"time":"a","delay":"late"}'),
    '"delay" is the string "late", and the column delay takes integer',
  )
  assert.match(await failureOf(t, table, '{"time":"a","delay":1.5}'), /"delay" is the number 1\.5/)
  assert.match(
    await failureOf(t, table, '{"time":5,"delay":1}'),
    /"time" is the number 5, and the column time takes text NOT NULL/,
  )
  assert.match(
    await failureOf(t, table, '{"time":null,"delay":1}'),
    /"time" is null, and the column time takes text NOT NULL/,
  )
  assert.match(await failureOf(t, table, '{"time":"a","delay":[1]}'), /"delay" is an array \[1\]/)
  assert.match(await failureOf(t, table, '[]'), /the value is an array \[\], and columns need a JSON object/)
  assert.match(await failureOf(t, table, null), /the value is null/)
})

test('a missing field is an error that names the nearest, unless the column is optional', async (t) => {
  const table = 'CREATE TABLE flights (time TEXT, delay INTEGER)'
  assert.equal(
    await failureOf(t, table, '{"time":"a","dellay":1}'),
    'the value has no field "delay" (did you mean "dellay"?), which the column delay needs',
  )
  const optional = { columns: ['time', { name: 'delay', optional: true }] }
  assert.equal(await failureOf(t, table, '{"time":"a"}', optional), 'stored')
})

test('a row that the table refuses is named, nothing of the flush is stored, and the sink reads again', async (t) => {
  const database = join(await temporaryDirectory(t), 'flights.db')
  prepare(database, 'CREATE TABLE flights (time TEXT UNIQUE, delay INTEGER CHECK (delay < 3))')
  const sink = await openSink(t, database)
  await sink.write(three)
  await assert.rejects(sink.flush(flights, 3, signal), (error) => {
    assert.ok(error instanceof SinkRecordError)
    assert.equal(error.offset, 2)
    assert.match(error.message, /offset 2: the table flights refuses the row: CHECK constraint failed/)
    return true
  })
  assert.deepEqual(query(database, 'SELECT * FROM flights'), [])
  const [position] = await sink.assigned([{ topicPartition: flights, committed: 0, generation: 1 }])
  assert.equal(position?.next, undefined)
  await sink.write({ ...three, records: three.records.slice(0, 2), values: three.values.slice(0, 2) })
  assert.deepEqual(await sink.flush(flights, 3, signal), { durable: 3 })
  assert.equal(query(database, 'SELECT * FROM flights').length, 2)
})

test('a table that cannot take such rows is refused at open', async (t) => {
  const database = join(await temporaryDirectory(t), 'flights.db')
  prepare(database, 'CREATE TABLE flights (time TEXT, dellay INTEGER)')
  const refused = (options: object, message: RegExp) =>
    assert.rejects(sinkOf(database, options).open(contextOf()), (error) => {
      assert.ok(error instanceof SinkRefusedError)
      assert.match(error.message, message)
      return true
    })
  await refused(
    {},
    /table flights in .*flights\.db has no column "delay" \(did you mean "dellay"\?\); it has time, dellay/,
  )
  await refused(
    { columns: [{ name: 'time', type: 'integer' }] },
    /column time of the table .* is TEXT, and the configuration says integer/,
  )
  prepare(database, 'CREATE TABLE strict_ones (time TEXT, code TEXT NOT NULL)')
  await refused({ table: 'strict_ones', columns: ['time'] }, /column code .* is NOT NULL without a default/)
  await assert.rejects(sinkOf(database).open(contextOf({ valueType: 'string' })), /set "value": "json"/)
})

test('a file that is no database is refused at open', async (t) => {
  const directory = await temporaryDirectory(t)
  await assert.rejects(sinkOf(directory).open(contextOf()), (error) => {
    assert.ok(error instanceof SinkRefusedError)
    assert.match(error.message, /cannot open .*unable to open database file; does its folder exist/)
    return true
  })
})

test('names of tables and columns may be anything', async (t) => {
  const database = await databaseIn(t)
  const odd = 'a "b"; DROP TABLE x'
  await storeAll(sinkOf(database, { table: odd, columns: [{ name: odd, field: 'time' }] }), contextOf(), three)
  assert.equal(query(database, `SELECT * FROM "${odd.replaceAll('"', '""')}"`).length, 3)
})

test('locked by another process: tried again for busy.timeout.ms, said with path and bound, and nothing is lost', async (t) => {
  const database = await databaseIn(t)
  const sink = await openSink(t, database, { 'busy.timeout.ms': 30 })
  await sink.write(three)
  const other = new DatabaseSync(database)
  t.after(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  await assert.rejects(sink.flush(flights, 3, signal), (error) => {
    assert.ok(error instanceof SinkUnavailableError && error.retriable)
    assert.match(
      error.message,
      /flights\.db is locked by another process for \d+ ms \("busy\.timeout\.ms" is 30\); nothing was written/,
    )
    return true
  })
  other.exec('ROLLBACK')
  assert.deepEqual(await sink.flush(flights, 3, signal), { durable: 3 })
})

test('a lock that goes away in time is never heard of, and the event loop runs meanwhile', async (t) => {
  const database = await databaseIn(t)
  const sink = await openSink(t, database)
  await sink.write(three)
  const other = new DatabaseSync(database)
  t.after(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  let turns = 0
  const ticking = setInterval(() => (turns += 1), 1)
  t.after(() => clearInterval(ticking))
  const flushed = sink.flush(flights, 3, signal)
  await until(() => turns > 5)
  other.exec('COMMIT')
  assert.deepEqual(await flushed, { durable: 3 })
})

test('no wait outlives an abort', async (t) => {
  const database = await databaseIn(t)
  const sink = await openSink(t, database, { 'busy.timeout.ms': 3_600_000 })
  await sink.write(three)
  const other = new DatabaseSync(database)
  t.after(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  const controller = new AbortController()
  const flushed = sink.flush(flights, 3, controller.signal)
  controller.abort()
  await assert.rejects(flushed, /locked by another process and there is no time left to wait/)
})

test('a stale owner touches no row and is fenced', async (t) => {
  const database = await databaseIn(t)
  const [stale, owner] = [await openSink(t, database), await openSink(t, database)]
  await stale.write(three)
  await owner.write(three)
  await owner.flush(flights, 3, signal)
  await assert.rejects(stale.flush(flights, 3, signal), (error) => {
    assert.ok(error instanceof SinkFencedError)
    assert.match(
      error.message,
      /topic flights, partition 0 has another owner in .*flights\.db, which has stored what follows 0/,
    )
    return true
  })
  assert.equal(query(database, 'SELECT * FROM flights').length, 3)
})

test('applications, clusters and recreated topics have offsets of their own', async (t) => {
  const database = await databaseIn(t)
  await storeAll(sinkOf(database), contextOf(), three)
  for (const changes of [{ application: 'others' }, { clusterId: 'cluster-2' }, { topicId: () => 'new-id' }]) {
    const sink = sinkOf(database)
    t.after(() => sink.close())
    assert.equal(await opened(sink, contextOf(changes)), undefined)
  }
  const again = sinkOf(database)
  t.after(() => again.close())
  assert.equal(await opened(again, contextOf()), 3)
})

test('a process that uses the sink prints no experimental warning of SQLite’s, and keeps other warnings', () => {
  const module = new URL('../../src/seams/sqlite.ts', import.meta.url)
  const script = `const { loadSqlite } = await import(${JSON.stringify(module.href)}); loadSqlite(); process.emitWarning('kept', 'ExperimentalWarning')`
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.match(stderr, /ExperimentalWarning: kept/)
  assert.doesNotMatch(stderr, /SQLite/)
})

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import sqlite3'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
