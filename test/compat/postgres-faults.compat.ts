/**
 * What a real PostgreSQL 15 does to the postgres sink: killed, slow, full, locked, deadlocked, in recovery, its tables changed underneath.
 * Nothing may be lost or stored twice, each error says what to do, and no error or log line holds the password.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { Client } from 'pg'
import {
  type Sink,
  SinkFencedError,
  SinkRecordError,
  SinkRefusedError,
  SinkUnavailableError,
} from '../../src/sinks/sink.ts'
import { batchOf, flights, opened } from '../sinks/fixtures.ts'
import { until } from '../support/until.ts'
import { type Message, MessageProxy, postgresProtocol, type Verdict } from './message-proxy.ts'
import { makeSink } from './postgres-sink-child.ts'
import { PASSWORD, type PostgresServer, query, startPostgres } from './postgres.ts'
import { assertNotHeard, assignedAgain, context, failure, flushed, rows, signal, upTo } from './sink-faults.ts'

const shared = await startPostgres({ after }, { settings: { deadlock_timeout: '50ms' } })
const columns = [
  { name: 'id', type: 'integer' },
  { name: 'text', type: 'text' },
]

after(() => assertNotHeard(PASSWORD))

interface Store {
  readonly server: PostgresServer
  readonly database: string
  readonly sink: (options?: object) => Sink
  readonly sql: (text: string) => Promise<Record<string, unknown>[]>
  readonly ids: () => Promise<number[]>
}

async function storeOf(t: TestContext, server = shared, port = server.port): Promise<Store> {
  const database = await server.database()
  const sql = (text: string) => query(server.url(database), text)
  return {
    server,
    database,
    sql,
    ids: async () => (await sql('SELECT id FROM flights ORDER BY id')).map(({ id }) => Number(id)),
    sink: (options = {}) => {
      const config = { type: 'postgres', ...server.options(database), port, table: 'flights', columns, aheadBytes: 1e9 }
      const sink = makeSink(JSON.stringify({ ...config, ...options }))
      t.after(() => sink.close())
      return sink
    },
  }
}

for (const [when, isThen] of [
  ['in mid-COPY', ({ from, type }: Message) => from === 'client' && type === 'd'],
  ['between COPY and COMMIT', ({ text }: Message) => text === 'COMMIT'],
] as const) {
  for (const aheadBytes of [1, 1e9]) {
    test(`postgres: the server is killed ${when} (${aheadBytes === 1 ? 'sent ahead' : 'at the flush'})`, async (t) => {
      const server = await startPostgres(t)
      const proxy = await MessageProxy.start(t, server.port, postgresProtocol)
      const store = await storeOf(t, server, proxy.port)
      const sink = store.sink({ aheadBytes })
      await opened(sink, context)
      await sink.write(rows(0, 10))
      assert.equal(await flushed(sink, 10), 10)
      let kills = 0
      proxy.onMessage = async (message): Promise<Verdict> => {
        if (kills > 0 || !isThen(message)) return 'pass'
        kills += 1
        await server.kill()
        return 'pass'
      }
      await sink.write(rows(10, 2000))
      const failing = failure(sink.flush(flights, 2010, signal), SinkUnavailableError)
      const error = await failing
      assert.match(
        error.message,
        /cannot store into flights at postgres:\/\/postgres@127\.0\.0\.1:\d+\/test_1: .*(?:is the server|connection broke|network down|the server shuts down)/,
      )
      assert.equal(kills, 1)
      await server.start()
      assert.equal(await flushed(sink, 2010), 2010)
      assert.deepEqual(await store.ids(), upTo(2010))
    })
  }
}

test('postgres: the server is killed after the commit, before it has said so', async (t) => {
  const server = await startPostgres(t)
  const proxy = await MessageProxy.start(t, server.port, postgresProtocol)
  const store = await storeOf(t, server, proxy.port)
  const sink = store.sink()
  await opened(sink, context)
  await sink.write(rows(0, 10))
  let isCommitting = false
  let kills = 0
  proxy.onMessage = async ({ from, type, text }) => {
    isCommitting ||= text === 'COMMIT'
    if (!isCommitting || from !== 'server' || type !== 'C' || kills > 0) return 'pass'
    kills += 1
    await server.kill()
    return 'cut'
  }
  await failure(sink.flush(flights, 10, signal), SinkUnavailableError)
  await server.start()
  assert.deepEqual(await store.ids(), upTo(10), 'it was committed')
  assert.deepEqual(await sink.flush(flights, 10, signal), { durable: 10 }, 'and the same flush finds that out')
  await sink.write(rows(10, 5))
  assert.equal(await flushed(sink, 15), 15)
  assert.deepEqual(await store.ids(), upTo(15))
})

test('postgres: after a commit that nobody heard of, with more rows written since: where the store stands', async (t) => {
  const proxy = await MessageProxy.start(t, shared.port, postgresProtocol)
  const store = await storeOf(t, shared, proxy.port)
  const sink = store.sink()
  await opened(sink, context)
  await sink.write(rows(0, 10))
  let isCommitting = false
  proxy.onMessage = ({ from, type, text }) => {
    isCommitting ||= text === 'COMMIT'
    return isCommitting && from === 'server' && type === 'C' ? 'cut' : 'pass'
  }
  await failure(sink.flush(flights, 10, signal), SinkUnavailableError)
  proxy.onMessage = () => 'pass'
  await sink.write(rows(10, 5))
  const fenced = await failure(sink.flush(flights, 15, signal), SinkFencedError)
  assert.match(fenced.message, /the commit that broke off has stored everything below 10; what follows is read again/)
  assert.equal(await assignedAgain(sink), 10)
  await sink.write(rows(10, 5))
  assert.equal(await flushed(sink, 15), 15)
  assert.deepEqual(await store.ids(), upTo(15))
})

for (const aheadBytes of [1, 1e9]) {
  test(`postgres: a network that swallows everything is given up, and frees its locks (ahead: ${aheadBytes === 1})`, async (t) => {
    const proxy = await MessageProxy.start(t, shared.port, postgresProtocol)
    const store = await storeOf(t, shared, proxy.port)
    const sink = store.sink({ 'statement.timeout.ms': 300, 'connect.timeout.ms': 500, aheadBytes })
    await opened(sink, context)
    await sink.write(rows(0, 10))
    proxy.onMessage = ({ text }) => (text === 'COMMIT' ? 'stall' : 'pass')
    const error = await failure(sink.flush(flights, 10, signal), SinkUnavailableError)
    assert.match(error.message, /the server has not answered within 2300 ms; is it, or the network, down\?/)
    const again = await failure(sink.flush(flights, 10, signal), SinkUnavailableError)
    assert.match(again.message, /timeout expired|has not answered/)
    // Another owner, by a way that works: the transaction that stands still is given up by the server.
    const other = makeSink(
      JSON.stringify({ type: 'postgres', ...shared.options(store.database), table: 'flights', columns, aheadBytes }),
    )
    t.after(() => other.close())
    await opened(other, context)
    await other.write(rows(0, 10))
    assert.equal(await flushed(other, 10), 10)
    proxy.onMessage = () => 'pass'
    proxy.resume()
    assert.equal(await flushed(sink, 10), 10)
    assert.deepEqual(await store.ids(), upTo(10))
  })
}

test('postgres: an abort ends a wait at once, and the flush can be repeated', async (t) => {
  const proxy = await MessageProxy.start(t, shared.port, postgresProtocol)
  const store = await storeOf(t, shared, proxy.port)
  const sink = store.sink()
  await opened(sink, context)
  await sink.write(rows(0, 10))
  const stalled = Promise.withResolvers<void>()
  proxy.onMessage = ({ text }) => {
    if (!text.startsWith('COPY')) return 'pass'
    stalled.resolve()
    return 'stall'
  }
  const controller = new AbortController()
  const failing = failure(sink.flush(flights, 10, controller.signal), SinkUnavailableError)
  await stalled.promise
  controller.abort()
  assert.match((await failing).message, /it was aborted, as no time is left/)
  proxy.onMessage = () => 'pass'
  proxy.resume()
  assert.equal(await flushed(sink, 10), 10)
  assert.deepEqual(await store.ids(), upTo(10))
})

test('postgres: the server has no connection left', async (t) => {
  const settings = { max_connections: 3, superuser_reserved_connections: 0, max_wal_senders: 0, autovacuum: 'off' }
  const server = await startPostgres(t, { settings })
  const store = await storeOf(t, server)
  const sink = store.sink({ 'pool.size': 1, 'open.timeout.ms': 1 })
  const others = [0, 1, 2].map(() => new Client({ connectionString: server.url() }))
  for (const other of others) await other.connect()
  const error = await failure(sink.open(context), SinkUnavailableError)
  assert.match(
    error.message,
    /too many clients already \(53300\); the server has no connection left: raise max_connections/,
  )
  await others.pop()!.end()
  const patient = store.sink({ 'pool.size': 1 })
  await opened(patient, context)
  await patient.write(rows(0, 10))
  assert.equal(await flushed(patient, 10), 10)
  for (const other of others) await other.end()
  assert.deepEqual(await store.ids(), upTo(10))
})

test('postgres: another session holds a lock, and two sessions wait for each other', async (t) => {
  const store = await storeOf(t)
  await store.sql('CREATE TABLE flights (id integer PRIMARY KEY, text text)')
  const upsert = { mode: 'upsert', 'key.columns': ['id'], 'lock.timeout.ms': 300 }
  const sink = store.sink(upsert)
  await opened(sink, context)
  await sink.write(rows(0, 10))
  assert.equal(await flushed(sink, 10), 10)
  const other = new Client({ connectionString: shared.url(store.database) })
  await other.connect()
  t.after(() => other.end())
  await other.query('BEGIN; LOCK TABLE flights')
  await sink.write(batchOf(['{"id":1,"text":"new"}', '{"id":2,"text":"new"}'], { first: 10 }))
  const locked = await failure(sink.flush(flights, 12, signal), SinkUnavailableError)
  assert.match(locked.message, /canceling statement due to lock timeout \(55P03\); another session holds a lock/)
  await other.query('ROLLBACK')
  // The other one has 2 and wants 1; the sink takes 1 and wants 2. It is the sink that looks for deadlocks first.
  await other.query("SET deadlock_timeout TO '20s'; BEGIN; UPDATE flights SET text = 'other' WHERE id = 2")
  await sink.close()
  const patient = store.sink({ ...upsert, 'lock.timeout.ms': 10_000 })
  await opened(patient, context)
  await patient.write(batchOf(['{"id":1,"text":"new"}', '{"id":2,"text":"new"}'], { first: 10 }))
  const failing = failure(patient.flush(flights, 12, signal), SinkUnavailableError)
  const waits = async () => Number((await store.sql('SELECT count(*) FROM pg_locks WHERE NOT granted'))[0]!['count'])
  // The sink's attempt and the deadlock's check race with this; the wait of the other one is what closes the circle.
  await until(async () => (await waits()) > 0)
  const otherWaits = other.query("UPDATE flights SET text = 'other' WHERE id = 1")
  const error = await failing
  await otherWaits
  assert.match(error.message, /deadlock detected \(40P01\); another session and this one waited for each other/)
  await other.query('COMMIT')
  assert.equal(await flushed(patient, 12), 12)
  assert.deepEqual(await store.sql('SELECT text FROM flights WHERE id IN (1, 2)'), [{ text: 'new' }, { text: 'new' }])
})

test('postgres: a server that is starting up, in recovery or a standby is waited for', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-postgres-'))
  const server = await startPostgres(t, { directory })
  const store = await storeOf(t, server)
  const signalFile = join(directory, 'data', 'standby.signal')
  await server.stop()
  writeFileSync(signalFile, '')
  server.launch(['-c', 'hot_standby=off'])
  const closed = await failure(store.sink({ 'open.timeout.ms': 300 }).open(context), SinkUnavailableError)
  assert.match(closed.message, /not accepting connections|starting up|in recovery|ECONNREFUSED/)
  await until(() =>
    query(server.url(), 'SELECT 1').then(
      () => false,
      (error: { code?: string }) => error.code === '57P03',
    ),
  )
  const refusing = await failure(store.sink({ 'open.timeout.ms': 1 }).open(context), SinkUnavailableError)
  assert.match(refusing.message, /\(57P03\); the server is starting up, in recovery or shutting down/)
  await server.stop()
  server.launch(['-c', 'hot_standby=on'])
  await until(() => query(server.url(), 'SELECT 1').then(Boolean, () => false))
  const readOnly = await failure(store.sink({ 'open.timeout.ms': 1 }).open(context), SinkUnavailableError)
  assert.match(readOnly.message, /standby/)
  const waiting = store.sink()
  const opening = opened(waiting, context)
  await server.stop()
  rmSync(signalFile)
  await server.start()
  await opening
  await waiting.write(rows(0, 10))
  assert.equal(await flushed(waiting, 10), 10)
  assert.deepEqual(await store.ids(), upTo(10))
})

const changes: readonly [string, string, RegExp][] = [
  ['the table is dropped', 'DROP TABLE flights', /flights was changed while the application ran: it is gone/],
  [
    'a column is dropped',
    'ALTER TABLE flights DROP COLUMN text',
    /had the columns id integer, text text and now has id integer\./,
  ],
  [
    'a column is renamed',
    'ALTER TABLE flights RENAME text TO note',
    /now has id integer\. Nothing of this flush was written/,
  ],
  [
    'a type is changed, and the lines no longer fit',
    'ALTER TABLE flights ALTER id TYPE uuid USING gen_random_uuid()',
    /now has id uuid, text text/,
  ],
  [
    'a type is changed, and the lines would fit',
    'ALTER TABLE flights ALTER id TYPE text',
    /now has id text, text text/,
  ],
  [
    'a column that must be filled is added',
    'TRUNCATE flights; ALTER TABLE flights ADD must integer NOT NULL',
    /now has id integer, must integer, text text/,
  ],
  [
    'the offsets are dropped',
    'DROP TABLE sluice_offsets',
    /relation "public\.sluice_offsets" does not exist \(42P01\)/,
  ],
]
for (const [what, ddl, message] of changes) {
  for (const aheadBytes of [1, 1e9]) {
    test(`postgres: ${what} under the application: it stops and says so (ahead: ${aheadBytes === 1})`, async (t) => {
      const store = await storeOf(t)
      const sink = store.sink({ aheadBytes })
      await opened(sink, context)
      await sink.write(rows(0, 10))
      assert.equal(await flushed(sink, 10), 10)
      await store.sql(ddl)
      await sink.write(rows(10, 10))
      const error = await failure(sink.flush(flights, 20, signal), SinkRefusedError)
      assert.match(error.message, message)
      if (what === 'the offsets are dropped') assert.deepEqual(await store.ids(), upTo(10))
      else assert.deepEqual(await store.sql('SELECT next::int FROM sluice_offsets'), [{ next: 10 }])
    })
  }
}

test('postgres: a table that was made again as it was, or has an optional column more, is gone on with', async (t) => {
  const store = await storeOf(t)
  const sink = store.sink()
  await opened(sink, context)
  await sink.write(rows(0, 10))
  assert.equal(await flushed(sink, 10), 10)
  await store.sql('DROP TABLE flights; CREATE TABLE flights (more integer, text text, id integer)')
  await sink.write(rows(10, 10))
  assert.equal(await flushed(sink, 20), 20)
  assert.deepEqual(await store.ids(), upTo(20).slice(10))
})

test('postgres: eight creators of the same tables at once', async (t) => {
  const store = await storeOf(t)
  const sinks = upTo(8).map(() => store.sink())
  await Promise.all(sinks.map((sink) => sink.open(context)))
  assert.deepEqual(await store.ids(), [])
})

test('postgres: what is sent ahead is seen by nobody, holds up nobody, and is gone when the owner is', async (t) => {
  const store = await storeOf(t)
  const stalled = store.sink({ aheadBytes: 1 })
  await opened(stalled, context)
  await stalled.write(rows(0, 1000))
  const copies = () => store.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'")
  await until(async () => (await copies()).length === 1)
  const other = store.sink({ aheadBytes: 1 })
  await opened(other, context)
  await other.write(rows(0, 10))
  assert.equal(await flushed(other, 10), 10)
  await failure(stalled.flush(flights, 1000, signal), SinkFencedError)
  await assignedAgain(stalled)
  await stalled.write(rows(10, 1000))
  await until(async () => (await copies()).length === 1)
  await stalled.revoked([flights], 'lost')
  await until(async () => (await copies()).length === 0)
  assert.deepEqual(await store.ids(), upTo(10))
})

test('postgres: a wrong password, database or user is refused at the start, without a word of the password', async (t) => {
  const store = await storeOf(t)
  const wrong = await failure(store.sink({ password: `${PASSWORD}x` }).open(context), SinkRefusedError)
  assert.match(
    wrong.message,
    /password authentication failed for user "postgres" \(28P01\); are "user" and "password" right\?/,
  )
  const nowhere = await failure(store.sink({ database: 'nowhere' }).open(context), SinkRefusedError)
  assert.match(nowhere.message, /database "nowhere" does not exist \(3D000\); create the database/)
  const none = await failure(store.sink({ password: undefined }).open(context), SinkRefusedError)
  assert.match(none.message, /SASL|password/)
  await store.sql("CREATE ROLE reader LOGIN PASSWORD 'x'; CREATE TABLE flights (id integer, text text)")
  const reader = { user: 'reader', password: 'x', 'offsets.table': 'sluice_offsets' }
  const poor = await failure(store.sink(reader).open(context), SinkRefusedError)
  assert.match(poor.message, /permission denied for schema public \(42501\); GRANT this user what is missing/)
})

test('postgres: the disk of the server is full, and has room again', async (t) => {
  const mount = mkdtempSync(join(tmpdir(), 'sluice-postgres-small-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', mount], { stdio: 'ignore' })
  } catch {
    return t.skip('mounting needs rights that this user lacks')
  }
  const settings = { min_wal_size: '32MB', max_wal_size: '32MB', wal_recycle: 'off' }
  const server = await startPostgres(t, { directory: join(mount, 'pg'), settings })
  // After the server's own teardown, which was registered first.
  t.after(() => {
    execFileSync('umount', [mount])
    rmSync(mount, { recursive: true })
  })
  const store = await storeOf(t, server)
  const sink = store.sink()
  await opened(sink, context)
  await sink.write(rows(0, 10))
  assert.equal(await flushed(sink, 10), 10)
  const { bavail, bsize } = statfsSync(mount)
  const filler = join(mount, 'filler')
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - 3_000_000)))
  const wide = batchOf(
    upTo(2000).map((index) => JSON.stringify({ id: 10 + index, text: 'x'.repeat(1900) })),
    { first: 10 },
  )
  await sink.write(wide)
  const error = await failure(sink.flush(flights, 2010, signal), SinkUnavailableError)
  t.diagnostic(error.message)
  rmSync(filler)
  // Without room for its log PostgreSQL ends itself; it begins again by itself too.
  assert.equal(await flushed(sink, 2010), 2010)
  assert.deepEqual(await store.ids(), upTo(2010))
})

test('postgres: a row that the server refuses is named, whichever way it refuses', async (t) => {
  const cases: readonly [string, string, object, RegExp][] = [
    [
      'a check',
      'CREATE TABLE flights (id integer CHECK (id <> 13), text text)',
      {},
      /violates check constraint.*\(23514\)/,
    ],
    ['a length', 'CREATE TABLE flights (id integer, text varchar(8))', {}, /value too long.*\(22001\)/],
    [
      'a trigger',
      `CREATE TABLE flights (id integer, text text); CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 13 THEN RAISE 'unlucky'; END IF; RETURN NEW; END $$; CREATE TRIGGER no BEFORE INSERT ON flights FOR EACH ROW EXECUTE FUNCTION no()`,
      {},
      /unlucky \(P0001\)/,
    ],
    [
      'a foreign key',
      'CREATE TABLE ids AS SELECT generate_series(0, 12) AS id; ALTER TABLE ids ADD PRIMARY KEY (id); INSERT INTO ids SELECT generate_series(14, 30); CREATE TABLE flights (id integer REFERENCES ids, text text)',
      {},
      /violates foreign key.*\(23503\)/,
    ],
    [
      'a deferred constraint',
      'CREATE TABLE ids AS SELECT generate_series(0, 12) AS id; ALTER TABLE ids ADD PRIMARY KEY (id); INSERT INTO ids SELECT generate_series(14, 30); CREATE TABLE flights (id integer REFERENCES ids DEFERRABLE INITIALLY DEFERRED, text text)',
      {},
      /violates foreign key.*\(23503\)/,
    ],
    [
      'an upsert',
      'CREATE TABLE flights (id integer PRIMARY KEY CHECK (id <> 13), text text)',
      { mode: 'upsert', 'key.columns': ['id'] },
      /violates check constraint.*\(23514\)/,
    ],
    [
      'an upsert against a deferred constraint',
      'CREATE TABLE ids AS SELECT generate_series(0, 12) AS id; ALTER TABLE ids ADD PRIMARY KEY (id); INSERT INTO ids SELECT generate_series(14, 30); CREATE TABLE flights (id integer PRIMARY KEY REFERENCES ids DEFERRABLE INITIALLY DEFERRED, text text)',
      { mode: 'upsert', 'key.columns': ['id'] },
      /violates foreign key.*\(23503\)/,
    ],
    [
      'a unique index',
      'CREATE TABLE flights (id integer UNIQUE, text text); INSERT INTO flights VALUES (13)',
      {},
      /duplicate key.*\(23505\)/,
    ],
  ]
  for (const [what, ddl, options, message] of cases) {
    for (const aheadBytes of [1, 1e9]) {
      const store = await storeOf(t)
      await store.sql(ddl)
      const sink = store.sink({ columns: ['id', 'text'], ...options, aheadBytes })
      await opened(sink, context)
      const batch = rows(0, 20)
      const poisoned =
        what === 'a length'
          ? batchOf(upTo(20).map((id) => JSON.stringify({ id, text: id === 13 ? 'too long a text' : 'ok' })))
          : batch
      await sink.write(poisoned)
      const error = await failure(sink.flush(flights, 20, signal), SinkRecordError)
      assert.deepEqual([error.topic, error.partition, error.offset], ['flights', 0, 13], what)
      assert.match(error.message, message)
      await assignedAgain(sink)
      const without = {
        ...poisoned,
        records: poisoned.records.filter(({ offset }) => offset !== 13),
        values: poisoned.values.filter((_, index) => index !== 13),
      }
      await sink.write(without)
      assert.equal(await flushed(sink, 20), 20, what)
      assert.equal((await store.ids()).length, what === 'a unique index' ? 20 : 19)
    }
  }
})
