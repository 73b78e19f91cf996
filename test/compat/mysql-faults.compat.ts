/**
 * What a real MariaDB, and a real MySQL, do to the mysql sink: killed, slow, full, locked, deadlocked, read-only, their tables changed underneath.
 * Nothing may be lost or stored twice, each error says what to do, and no error or log line holds the password.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import {
  type Sink,
  SinkFencedError,
  SinkRecordError,
  SinkRefusedError,
  SinkUnavailableError,
} from '../../src/sinks/sink.ts'
import { batchOf, flights, opened } from '../sinks/fixtures.ts'
import { until } from '../support/until.ts'
import { type Message, MessageProxy, mysqlProtocol, type Verdict } from './message-proxy.ts'
import { makeSink } from './mysql-sink-child.ts'
import { distributions, mariadb, type MysqlServer, PASSWORD, startMysql } from './mysql.ts'
import { assertNotHeard, assignedAgain, context, failure, flushed, rows, signal, upTo } from './sink-faults.ts'

const columns = [
  { name: 'id', type: 'int' },
  { name: 'text', type: 'varchar(2000)' },
]

after(() => assertNotHeard(PASSWORD))

interface Store {
  readonly server: MysqlServer
  readonly database: string
  readonly sink: (options?: object) => Sink
  readonly sql: (text: string | readonly string[]) => Promise<Record<string, unknown>[]>
  readonly ids: () => Promise<number[]>
}

async function storeOf(t: TestContext, server: MysqlServer, port = server.port): Promise<Store> {
  const database = await server.database()
  const sql = (text: string | readonly string[]) => server.query(text, { database })
  return {
    server,
    database,
    sql,
    ids: async () => (await sql('SELECT id FROM flights ORDER BY id')).map(({ id }) => Number(id)),
    sink: (options = {}) => {
      const config = { type: 'mysql', ...server.options(database), port, table: 'flights', columns }
      const sink = makeSink(JSON.stringify({ ...config, ...options }))
      t.after(() => sink.close())
      return sink
    },
  }
}

const isInsert = ({ text }: Message) => text.startsWith('INSERT INTO `test_1`.`flights`')
const isCommit = ({ text }: Message) => text === 'COMMIT'

/** The answer of the COMMIT does not come. */
function loseTheCommit(proxy: MessageProxy, then: () => Promise<void> = async () => {}): void {
  let isCommitting = false
  proxy.onMessage = async (message) => {
    isCommitting ||= isCommit(message)
    if (!isCommitting || message.from !== 'server') return 'pass'
    isCommitting = false
    proxy.onMessage = () => 'pass'
    await then()
    return 'cut'
  }
}

for (const distribution of distributions) {
  const shared = await startMysql({ after }, distribution)
  const called = (name: string, body: (t: TestContext) => Promise<void>) =>
    void test(`mysql, ${distribution.name}: ${name}`, body)

  for (const [when, isThen] of [
    ['in the midst of the rows', isInsert],
    ['between the rows and COMMIT', isCommit],
  ] as const) {
    called(`the server is killed ${when}`, async (t) => {
      const server = await startMysql(t, distribution)
      const proxy = await MessageProxy.start(t, server.port, mysqlProtocol)
      const store = await storeOf(t, server, proxy.port)
      const sink = store.sink({ statementCharacters: 5000 })
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
      const error = await failure(sink.flush(flights, 2010, signal), SinkUnavailableError)
      assert.match(
        error.message,
        /cannot store into flights at mysql:\/\/root@127\.0\.0\.1:\d+\/test_1: .*(?:is the server|connection broke|network, down)/,
      )
      assert.equal(kills, 1)
      await server.start()
      assert.equal(await flushed(sink, 2010), 2010)
      assert.deepEqual(await store.ids(), upTo(2010))
    })
  }

  called('the server is killed after the commit, before it has said so', async (t) => {
    // It has to be on the disk: a killed server keeps what it has given to the machine, whatever the setting.
    const server = await startMysql(t, distribution, { 'innodb-flush-log-at-trx-commit': 1 })
    const proxy = await MessageProxy.start(t, server.port, mysqlProtocol)
    const store = await storeOf(t, server, proxy.port)
    const sink = store.sink()
    await opened(sink, context)
    await sink.write(rows(0, 10))
    loseTheCommit(proxy, () => server.kill())
    await failure(sink.flush(flights, 10, signal), SinkUnavailableError)
    await server.start()
    assert.deepEqual(await store.ids(), upTo(10), 'it was committed')
    assert.deepEqual(await sink.flush(flights, 10, signal), { durable: 10 }, 'and the same flush finds that out')
    await sink.write(rows(10, 5))
    assert.equal(await flushed(sink, 15), 15)
    assert.deepEqual(await store.ids(), upTo(15))
  })

  called('after a commit that nobody heard of, with more rows written since: where the store stands', async (t) => {
    const proxy = await MessageProxy.start(t, shared.port, mysqlProtocol)
    const store = await storeOf(t, shared, proxy.port)
    const sink = store.sink()
    await opened(sink, context)
    await sink.write(rows(0, 10))
    loseTheCommit(proxy)
    await failure(sink.flush(flights, 10, signal), SinkUnavailableError)
    await sink.write(rows(10, 5))
    const fenced = await failure(sink.flush(flights, 15, signal), SinkFencedError)
    assert.match(fenced.message, /the commit that broke off has stored everything below 10; what follows is read again/)
    assert.equal(await assignedAgain(sink), 10)
    await sink.write(rows(10, 5))
    assert.equal(await flushed(sink, 15), 15)
    assert.deepEqual(await store.ids(), upTo(15))
  })

  called('a network that swallows everything is given up, and frees its locks', async (t) => {
    const proxy = await MessageProxy.start(t, shared.port, mysqlProtocol)
    const store = await storeOf(t, shared, proxy.port)
    const sink = store.sink({ 'statement.timeout.ms': 1000, 'connect.timeout.ms': 500 })
    await opened(sink, context)
    await sink.write(rows(0, 10))
    proxy.onMessage = (message) => (isCommit(message) ? 'stall' : 'pass')
    const error = await failure(sink.flush(flights, 10, signal), SinkUnavailableError)
    assert.match(error.message, /the server has not answered within 3000 ms; is it, or the network, down\?/)
    const again = await failure(sink.flush(flights, 10, signal), SinkUnavailableError)
    assert.match(again.message, /ETIMEDOUT|has not answered/)
    // Another owner, by a way that works: the transaction that stands still is given up by the server.
    const other = store.sink({ port: shared.port })
    await opened(other, context)
    await other.write(rows(0, 10))
    assert.equal(await flushed(other, 10), 10)
    proxy.onMessage = () => 'pass'
    proxy.resume()
    assert.equal(await flushed(sink, 10), 10)
    assert.deepEqual(await store.ids(), upTo(10))
  })

  called('an abort ends a wait at once, and the flush can be repeated', async (t) => {
    const proxy = await MessageProxy.start(t, shared.port, mysqlProtocol)
    const store = await storeOf(t, shared, proxy.port)
    const sink = store.sink()
    await opened(sink, context)
    await sink.write(rows(0, 10))
    const stalled = Promise.withResolvers<void>()
    proxy.onMessage = ({ text }) => {
      if (!text.startsWith(`INSERT INTO \`${store.database}\`.\`flights\``)) return 'pass'
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

  called('a connection that stood idle for too long is replaced by another one', async (t) => {
    const store = await storeOf(t, shared)
    const sink = store.sink({ 'statement.timeout.ms': 1000 })
    await opened(sink, context)
    await sink.write(rows(0, 10))
    assert.equal(await flushed(sink, 10), 10)
    const ours = () =>
      store.sql(`SELECT 1 FROM information_schema.processlist WHERE db = '${store.database}' AND command = 'Sleep'`)
    await until(async () => (await ours()).length === 0)
    await sink.write(rows(10, 10))
    assert.equal(await flushed(sink, 20), 20)
    assert.deepEqual(await store.ids(), upTo(20))
  })

  called('the server has no connection left', async (t) => {
    const store = await storeOf(t, shared)
    // Of the administrator there is always one more.
    await store.sql([
      `CREATE USER 'few'@'127.0.0.1' IDENTIFIED BY 'x'`,
      `GRANT ALL ON *.* TO 'few'@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1`,
    ])
    t.after(() => store.sql(`DROP USER 'few'@'127.0.0.1'`).then(() => {}))
    const few = { user: 'few', password: 'x', 'pool.size': 1 }
    const holder = store.sink(few)
    await opened(holder, context)
    const error = await failure(store.sink({ ...few, 'open.timeout.ms': 1 }).open(context), SinkUnavailableError)
    assert.match(error.message, /\((?:1203|1226) \w+\); this user .*(?:no connection left|limits)/)
    const patient = store.sink(few)
    const opening = opened(patient, context)
    await holder.close()
    await opening
    await patient.write(rows(0, 10))
    assert.equal(await flushed(patient, 10), 10)
  })

  called('another session holds a lock, and two sessions wait for each other', async (t) => {
    const store = await storeOf(t, shared)
    await store.sql('CREATE TABLE flights (id int PRIMARY KEY, text varchar(2000)) ENGINE = InnoDB')
    const upsert = { mode: 'upsert', 'key.columns': ['id'], 'lock.timeout.ms': 1000 }
    const sink = store.sink(upsert)
    await opened(sink, context)
    await sink.write(rows(0, 10))
    assert.equal(await flushed(sink, 10), 10)
    const other = await shared.connection(store.database)
    t.after(() => other.end())
    await other.query('START TRANSACTION')
    await other.query("UPDATE flights SET text = 'other' WHERE id = 2")
    const news = batchOf(['{"id":1,"text":"new"}', '{"id":2,"text":"new"}'], { first: 10 })
    await sink.write(news)
    const locked = await failure(sink.flush(flights, 12, signal), SinkUnavailableError)
    assert.match(
      locked.message,
      /Lock wait timeout exceeded.* \(1205 ER_LOCK_WAIT_TIMEOUT\); another session holds a lock for longer/,
    )
    await sink.close()
    const patient = store.sink({ ...upsert, 'lock.timeout.ms': 20_000 })
    await opened(patient, context)
    await patient.write(news)
    // The other one has 2 and wants 1; the sink takes 1 and wants 2. Whom the server chooses to end is its own matter.
    const flushing = flushed(patient, 12)
    const waits = async () =>
      Number(
        (await store.sql("SELECT count(*) AS n FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"))[0]![
          'n'
        ],
      )
    // The server looks anew only when nobody has asked for a tenth of a second.
    await until(async () => (await waits()) > 0, { everyMs: 300 })
    const ended = await other.query("UPDATE flights SET text = 'other' WHERE id = 1").then(
      () => other.query('COMMIT'),
      () => other.query('ROLLBACK'),
    )
    assert.ok(ended)
    assert.equal(await flushing, 12)
    assert.deepEqual(await store.sql('SELECT text FROM flights WHERE id IN (1, 2)'), [{ text: 'new' }, { text: 'new' }])
  })

  called('a server that is read-only is waited for', async (t) => {
    const store = await storeOf(t, shared)
    // Somebody without the right to write all the same.
    await store.sql([
      `CREATE USER 'writer'@'127.0.0.1' IDENTIFIED BY 'x'`,
      `GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON *.* TO 'writer'@'127.0.0.1'`,
    ])
    t.after(() => store.sql(['SET GLOBAL read_only = 0', `DROP USER 'writer'@'127.0.0.1'`]).then(() => {}))
    await store.sql('SET GLOBAL read_only = 1')
    const writer = { user: 'writer', password: 'x' }
    const error = await failure(store.sink({ ...writer, 'open.timeout.ms': 1 }).open(context), SinkUnavailableError)
    assert.match(
      error.message,
      /read-only option.* \(1290 \w+\); the server is a replica or read-only: does "host" name the primary\?/,
    )
    const waiting = store.sink(writer)
    const opening = opened(waiting, context)
    await store.sql('SET GLOBAL read_only = 0')
    await opening
    await waiting.write(rows(0, 10))
    assert.equal(await flushed(waiting, 10), 10)
    await store.sql('SET GLOBAL read_only = 1')
    await waiting.write(rows(10, 10))
    await failure(waiting.flush(flights, 20, signal), SinkUnavailableError)
    await store.sql('SET GLOBAL read_only = 0')
    assert.equal(await flushed(waiting, 20), 20)
    assert.deepEqual(await store.ids(), upTo(20))
  })

  const changes: readonly [string, readonly string[], RegExp][] = [
    ['the table is dropped', ['DROP TABLE flights'], /flights was changed while the application ran: it is gone/],
    [
      'a column is dropped',
      ['ALTER TABLE flights DROP COLUMN text'],
      /had the columns id int, text varchar\(2000\) and now has id int\. Nothing of this flush was written/,
    ],
    [
      'a type is changed, and the rows would fit',
      ['ALTER TABLE flights MODIFY id varchar(20)'],
      /now has id varchar\(20\), text/,
    ],
    ['a column is made shorter', ['ALTER TABLE flights MODIFY text varchar(7)'], /now has id int, text varchar\(7\)/],
    [
      'a column that must be filled is added',
      ['TRUNCATE flights', 'ALTER TABLE flights ADD must int NOT NULL'],
      /now has id int, must int NOT NULL, text/,
    ],
    [
      'the offsets are dropped',
      ['DROP TABLE sluice_offsets'],
      /sluice_offsets' doesn't exist \(1146 ER_NO_SUCH_TABLE\)/,
    ],
  ]
  for (const [what, ddl, message] of changes) {
    called(`${what} under the application: it stops and says so`, async (t) => {
      const store = await storeOf(t, shared)
      const sink = store.sink()
      await opened(sink, context)
      await sink.write(rows(0, 10))
      assert.equal(await flushed(sink, 10), 10)
      await store.sql(ddl)
      await sink.write(rows(10, 10))
      const error = await failure(sink.flush(flights, 20, signal), SinkRefusedError)
      assert.match(error.message, message)
      if (what === 'the offsets are dropped') assert.deepEqual(await store.ids(), upTo(10))
      else assert.deepEqual(await store.sql('SELECT next FROM sluice_offsets'), [{ next: 10 }])
    })
  }

  called('a table that was made again as it was, or has an optional column more, is gone on with', async (t) => {
    const store = await storeOf(t, shared)
    const sink = store.sink()
    await opened(sink, context)
    await sink.write(rows(0, 10))
    assert.equal(await flushed(sink, 10), 10)
    await store.sql([
      'DROP TABLE flights',
      'CREATE TABLE flights (more int, text varchar(2000), id int) ENGINE = InnoDB',
    ])
    await sink.write(rows(10, 10))
    assert.equal(await flushed(sink, 20), 20)
    assert.deepEqual(await store.ids(), upTo(20).slice(10))
  })

  called('eight creators of the same tables at once', async (t) => {
    const store = await storeOf(t, shared)
    const sinks = upTo(8).map(() => store.sink())
    await Promise.all(sinks.map((sink) => sink.open(context)))
    assert.deepEqual(await store.ids(), [])
  })

  called('a wrong password, database or right is refused at the start, without a word of the password', async (t) => {
    const store = await storeOf(t, shared)
    const wrong = await failure(store.sink({ password: `${PASSWORD}x` }).open(context), SinkRefusedError)
    assert.match(
      wrong.message,
      /Access denied for user 'root'@.* \(1045 ER_ACCESS_DENIED_ERROR\); are "user" and "password" right\?/,
    )
    const nowhere = await failure(store.sink({ database: 'nowhere' }).open(context), SinkRefusedError)
    assert.match(nowhere.message, /Unknown database 'nowhere' \(1049 ER_BAD_DB_ERROR\); create the database/)
    const named = `'reader'@'127.0.0.1'`
    await store.sql([
      'CREATE TABLE flights (id int, text varchar(2000)) ENGINE = InnoDB',
      `CREATE USER ${named} IDENTIFIED BY 'x'`,
      `GRANT SELECT ON ${store.database}.* TO ${named}`,
    ])
    t.after(() => store.sql(`DROP USER ${named}`).then(() => {}))
    const reader = { user: 'reader', password: 'x' }
    const noCreate = await failure(store.sink(reader).open(context), SinkRefusedError)
    assert.match(
      noCreate.message,
      /CREATE command denied to user 'reader'.*\(1142 ER_TABLEACCESS_DENIED_ERROR\); GRANT this user/,
    )
    await store.sink().open(context)
    const noInsert = await failure(store.sink(reader).open(context), SinkRefusedError)
    assert.match(noInsert.message, /INSERT command denied to user 'reader'.*sluice_offsets/)
    await store.sql(`GRANT SELECT, INSERT, UPDATE ON ${store.database}.sluice_offsets TO ${named}`)
    const noRows = await failure(store.sink(reader).open(context), SinkRefusedError)
    assert.match(noRows.message, /INSERT command denied to user 'reader'.*flights/)
    await store.sql(`GRANT INSERT ON ${store.database}.flights TO ${named}`)
    const enough = store.sink(reader)
    await opened(enough, context)
    await enough.write(rows(0, 10))
    assert.equal(await flushed(enough, 10), 10)
  })

  called('a row that the server refuses is named, whichever way it refuses', async (t) => {
    const ids = [
      'CREATE TABLE ids (id int PRIMARY KEY) ENGINE = InnoDB',
      `INSERT INTO ids VALUES ${upTo(20)
        .filter((id) => id !== 13)
        .map((id) => `(${id})`)
        .join(',')}`,
    ]
    const trigger = `CREATE TRIGGER no BEFORE INSERT ON flights FOR EACH ROW BEGIN IF NEW.id = 13 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'unlucky'; END IF; END`
    const make = (declared: string) => `CREATE TABLE flights (${declared}) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4`
    const upsert = { mode: 'upsert', 'key.columns': ['id'] }
    const cases: [string, readonly string[], object, RegExp][] = [
      ['a trigger', [make('id int, text varchar(99)'), trigger], {}, /unlucky \(1644 ER_SIGNAL_EXCEPTION\)/],
      [
        'a foreign key',
        [...ids, make('id int, text varchar(99), FOREIGN KEY (id) REFERENCES ids (id)')],
        {},
        /foreign key constraint fails.* \(1452 /,
      ],
      [
        'an upsert',
        [...ids, make('id int PRIMARY KEY, text varchar(99), FOREIGN KEY (id) REFERENCES ids (id)')],
        upsert,
        /\(1452 /,
      ],
      [
        'a unique index',
        [make('id int UNIQUE, text varchar(99)'), 'INSERT INTO flights (id) VALUES (13)'],
        {},
        /Duplicate entry '13'.* \(1062 ER_DUP_ENTRY\)/,
      ],
    ]
    if (distribution === mariadb) {
      const check = make('id int CHECK (id <> 13), text varchar(99)')
      cases.push(['a check', [check], {}, /CONSTRAINT .* failed .*\(4025\)/])
    }
    for (const [what, ddl, options, message] of cases) {
      for (const statementCharacters of [1, 100, 100_000]) {
        const store = await storeOf(t, shared)
        await store.sql(ddl)
        const sink = store.sink({ columns: ['id', 'text'], ...options, statementCharacters })
        await opened(sink, context)
        const batch = rows(0, 20)
        await sink.write(batch)
        const error = await failure(sink.flush(flights, 20, signal), SinkRecordError)
        assert.deepEqual([error.topic, error.partition, error.offset], ['flights', 0, 13], what)
        assert.match(error.message, message)
        await assignedAgain(sink)
        const without = {
          ...batch,
          records: batch.records.filter(({ offset }) => offset !== 13),
          values: batch.values.filter((_, index) => index !== 13),
        }
        await sink.write(without)
        assert.equal(await flushed(sink, 20), 20, what)
        assert.equal((await store.ids()).length, what === 'a unique index' ? 20 : 19)
      }
    }
  })

  called(
    'a row that is larger than the server takes is named; smaller ones go in as many statements as it needs',
    async (t) => {
      const server = await startMysql(t, distribution, { 'max-allowed-packet': 262_144 })
      const store = await storeOf(t, server)
      const sink = store.sink({
        columns: [
          { name: 'id', type: 'int' },
          { name: 'text', type: 'longtext' },
        ],
      })
      await opened(sink, context)
      const wide = (first: number, count: number, size: number) =>
        batchOf(
          upTo(count).map((index) => JSON.stringify({ id: first + index, text: 'é'.repeat(size) })),
          { first },
        )
      await sink.write(wide(0, 40, 40_000))
      assert.equal(await flushed(sink, 40), 40)
      const error = await failure(sink.write(wide(40, 1, 130_000)), SinkRecordError)
      assert.equal(error.offset, 40)
      assert.match(
        error.message,
        /its row takes 2600\d\d bytes, and the server takes statements of 262144 bytes \(max_allowed_packet\)/,
      )
      assert.deepEqual(await store.ids(), upTo(40))
    },
  )

  called('the tablespace is full, and has room again', async (t) => {
    const settings = { 'innodb-file-per-table': 0, 'innodb-data-file-path': 'ibdata1:12M:autoextend:max:28M' }
    const server = await startMysql(t, distribution, settings)
    const store = await storeOf(t, server)
    const sink = store.sink()
    await opened(sink, context)
    await sink.write(rows(0, 10))
    assert.equal(await flushed(sink, 10), 10)
    await store.sql('CREATE TABLE filler (bytes longblob) ENGINE = InnoDB')
    const fill = () =>
      store.sql("INSERT INTO filler VALUES (repeat('x', 500000))").then(
        () => false,
        (error: { errno: number }) => error.errno === 1114,
      )
    await until(fill)
    const wide = batchOf(
      upTo(2000).map((index) => JSON.stringify({ id: 10 + index, text: 'x'.repeat(1900) })),
      { first: 10 },
    )
    await sink.write(wide)
    const error = await failure(sink.flush(flights, 2010, signal), SinkUnavailableError)
    assert.match(
      error.message,
      /is full \(1114 ER_RECORD_FILE_FULL\); the disk of the server, or the tablespace, is full: free some space/,
    )
    assert.deepEqual(await store.ids(), upTo(10))
    await server.stop()
    await server.start(PASSWORD, ['--innodb-data-file-path=ibdata1:12M:autoextend'])
    assert.equal(await flushed(sink, 2010), 2010)
    assert.deepEqual(await store.ids(), upTo(2010))
  })

  called('the disk of the server is full, and has room again', async (t) => {
    const mount = mkdtempSync(join(tmpdir(), 'sluice-mysql-small-'))
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300m', 'tmpfs', mount], { stdio: 'ignore' })
    } catch {
      return t.skip('mounting needs rights that this user lacks')
    }
    const server = await startMysql(t, distribution, {}, join(mount, 'home'))
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
    writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - 1_000_000)))
    const wide = batchOf(
      upTo(4000).map((index) => JSON.stringify({ id: 10 + index, text: 'x'.repeat(1900) })),
      { first: 10 },
    )
    await sink.write(wide)
    const error = await failure(sink.flush(flights, 4010, signal), SinkUnavailableError)
    t.diagnostic(error.message)
    rmSync(filler)
    // Without room InnoDB ends its server; what it had said to be stored is there when it is started again.
    await server.kill()
    await server.start()
    assert.equal(await flushed(sink, 4010), 4010)
    assert.deepEqual(await store.ids(), upTo(4010))
  })
}
