/** The influxdb sink over a real InfluxDB 1.6: the conformance suite, what is read back, and each way in which it refuses. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Sink, SinkRecordError, SinkRefusedError, SinkUnavailableError } from '../../src/sinks/sink.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { batchOf, contextOf, flights, opened, type Row, storeAll } from '../sinks/fixtures.ts'
import { startInfluxDb } from './influxdb.ts'
import { makeSink } from './influxdb-sink-child.ts'

const server = await startInfluxDb({ after })
const { signal } = contextOf()
const inMemory = 'test/sinks/influxdb-conformance.test.ts, in memory'
let databases = 0
const fresh = () => `test-${++databases}`
const sinkOver = (database: string, options: object = {}): Sink =>
  makeSink(JSON.stringify({ type: 'influxdb', url: server.url, database, ...options }))

for (const [name, options] of [
  ['append', { fields: [{ name: 'id', type: 'integer' }, 'text'] }],
  ['upsert', { mode: 'upsert', tags: ['$partition'], fields: [{ name: 'id', type: 'integer' }, 'text'] }],
] as const) {
  sinkConformance({
    name: `influxdb ${name}`,
    guarantee: 'idempotent',
    poison: '[1]',
    rounds: 2,
    skip: {
      'the disk is full at any step, and is not lost on it': inMemory,
      'the disk stays full until the owner gives up': inMemory,
      'a flush that is aborted at any step can be repeated': inMemory,
      'a topic that was created again is not taken for the old one':
        'only times tell such points apart: docs/decisions/0018-points-of-influxdb.md',
    },
    async makeStore() {
      const database = fresh()
      const argument = JSON.stringify({
        type: 'influxdb',
        url: server.url,
        database,
        'request.timeout.ms': 2000,
        ...options,
      })
      return {
        create: () => makeSink(argument),
        readBack: async ({ topic, partition }) => {
          const found = await server.query(database, `SELECT id FROM "${topic}" WHERE partition = '${partition}'`)
          const ids = found.flatMap(({ rows }) => rows.map(({ id }) => Number(id)))
          return ids.sort((left, right) => left - right)
        },
        async takeDown() {
          await server.pause()
          return { restore: async () => server.resume() }
        },
        child: { module: new URL('./influxdb-sink-child.ts', import.meta.url), argument },
      }
    },
  })
}

/** The rows of the measurement `flights`, times in nanoseconds as text. */
async function rowsOf(database: string, columns = '*'): Promise<Readonly<Record<string, unknown>>[]> {
  const found = await server.query(database, `SELECT ${columns} FROM flights`, 'ns')
  return found.flatMap(({ rows }) => [...rows])
}

test('influxdb: each record is a point, with what is odd in names and values', async () => {
  const database = fresh()
  const odd = 'a b,c=d"e\\f é😀'
  const value = {
    [odd]: 'tag, with = and blank',
    note: 'say "hi"\\ and\na new line, é😀',
    ratio: 0.1,
    large: 1e300,
    small: -5e-324,
    is: true,
    nested: { a: [1, 'x'] },
    none: null,
  }
  await storeAll(sinkOver(database, { tags: [odd] }), contextOf(), batchOf([JSON.stringify(value)], { first: 7 }))
  const [row] = await rowsOf(database)
  const { time, ...fields } = row!
  assert.deepEqual(fields, {
    [odd]: 'tag, with = and blank',
    note: value.note,
    ratio: 0.1,
    large: 1e300,
    small: -5e-324,
    is: true,
    nested: '{"a":[1,"x"]}',
    partition: '0',
  })
  // A number of JavaScript's has no room for nanoseconds: exactly, in the next test.
  assert.equal(Math.floor(Number(time) / 1e6), 1007)
})

test('influxdb: integers keep all their digits, and times their nanoseconds', async () => {
  const database = fresh()
  const fields = [
    { name: 'n', type: 'integer' },
    { name: 'offset', field: '$offset', type: 'integer' },
  ]
  const options = { mode: 'upsert', fields, 'time.field': 'at' }
  const rows = ['{"n":"9223372036854775807","at":"2024-02-29T12:00:00.123456789+02:00"}', '{"n":-5,"at":-1}']
  await storeAll(sinkOver(database, options), contextOf(), batchOf(rows))
  const query = new URLSearchParams({ db: database, q: 'SELECT n, "offset" FROM flights', epoch: 'ns' })
  const text = await (await fetch(`${server.url}/query`, { method: 'POST', body: query })).text()
  assert.match(text, /\[\[-1000000,-5,1\],\[1709200800123456789,9223372036854775807,0\]\]/)
})

test('influxdb: append has a point for each record of one millisecond, and no more when they come again', async () => {
  const database = fresh()
  const batch = batchOf(Array.from({ length: 5000 }, (_, id) => `{"id":${id},"at":1700000000000}`))
  for (let round = 0; round < 2; round++) {
    await storeAll(sinkOver(database, { 'time.field': 'at', 'request.bytes': 20_000 }), contextOf(), batch)
    const ids = (await rowsOf(database, 'id')).map(({ id }) => Number(id))
    assert.deepEqual(
      ids,
      Array.from({ length: 5000 }, (_, id) => id),
    )
  }
})

test('influxdb: upsert has one point for the same tags and time, as the last record left it', async () => {
  const database = fresh()
  const rows: Row[] = [
    '{"place":"a","v":1,"at":1000}',
    '{"place":"b","v":2,"at":1000}',
    '{"place":"a","v":3,"at":1000}',
    '{"place":"a","v":4,"at":2000}',
  ]
  const options = { mode: 'upsert', tags: ['place'], 'time.field': 'at' }
  await storeAll(sinkOver(database, options), contextOf(), batchOf(rows))
  const found = (await rowsOf(database, 'v, place')).map(({ v, place }) => `${String(place)}=${String(v)}`)
  assert.deepEqual(found.sort(), ['a=3', 'a=4', 'b=2'])
})

test('influxdb: text and bytes without fields are the field value', async () => {
  const database = fresh()
  await storeAll(
    sinkOver(database),
    contextOf({ valueType: 'string' }),
    batchOf(['some "text"'], { valueType: 'string' }),
  )
  const bytes = batchOf([{ value: Buffer.from([0, 255]) }], { first: 1, valueType: 'bytes' })
  await storeAll(sinkOver(database), contextOf({ valueType: 'bytes' }), bytes)
  const values = (await rowsOf(database, 'value')).map(({ value }) => value)
  assert.deepEqual(values, ['some "text"', 'AP8='])
})

test('influxdb: the record of a point that is refused is named, and the others are stored', async (t) => {
  const database = fresh()
  await storeAll(sinkOver(database), contextOf(), batchOf(['{"v":1}']))
  const sink = sinkOver(database)
  t.after(() => sink.close())
  await opened(sink, contextOf())
  const batch = batchOf(
    Array.from({ length: 40 }, (_, index) => (index === 12 ? '{"v":"no number"}' : `{"v":${index + 1}}`)),
    { first: 1 },
  )
  await sink.write(batch)
  await assert.rejects(sink.flush(flights, 41, signal), (error) => {
    assert.ok(error instanceof SinkRecordError, String(error))
    assert.equal(error.offset, 13)
    assert.match(
      error.message,
      /refuses the point: partial write: field type conflict: input field "v" on measurement "flights" is type string, already exists as type float/,
    )
    return true
  })
  await sink.assigned([{ topicPartition: flights, committed: 0, generation: 1 }])
  const without = {
    ...batch,
    records: batch.records.filter(({ offset }) => offset !== 13),
    values: batch.values.filter((_, index) => index !== 12),
  }
  await sink.write(without)
  assert.deepEqual(await sink.flush(flights, 41, signal), { durable: 41 })
  assert.equal((await rowsOf(database, 'v')).length, 40)
})

test('influxdb: a point older than the retention is refused and named, not dropped without a word', async (t) => {
  const database = fresh()
  await server.query('', `CREATE DATABASE "${database}" WITH DURATION 1h`)
  const sink = sinkOver(database, { 'time.field': 'at' })
  t.after(() => sink.close())
  await opened(sink, contextOf())
  const now = Date.now()
  await sink.write(batchOf([`{"v":1,"at":${now}}`, `{"v":2,"at":${now - 86_400_000}}`, `{"v":3,"at":${now}}`]))
  await assert.rejects(sink.flush(flights, 3, signal), (error) => {
    assert.ok(error instanceof SinkRecordError, String(error))
    assert.equal(error.offset, 1)
    assert.match(error.message, /points beyond retention policy/)
    return true
  })
})

test('influxdb: what it refuses altogether, and what it says', async (t) => {
  const strict = await startInfluxDb(t, { http: { 'auth-enabled': true } })
  const admin = new URLSearchParams({ q: `CREATE USER root WITH PASSWORD 'geheim-7F' WITH ALL PRIVILEGES` })
  await fetch(`${strict.url}/query`, { method: 'POST', body: admin })
  const over = (options: object) =>
    makeSink(JSON.stringify({ type: 'influxdb', url: strict.url, database: 'air', 'open.timeout.ms': 1, ...options }))
  const refused = (sink: Sink, message: RegExp) =>
    assert.rejects(sink.open(contextOf()), (error) => {
      assert.ok(error instanceof SinkRefusedError, String(error))
      assert.match(error.message, message)
      assert.ok(!error.message.includes('geheim'))
      return true
    })
  await refused(over({}), /answers 401: unable to parse authentication credentials; are "user" and "password"/)
  await refused(over({ user: 'root', password: 'geheim' }), /answers 401: authorization failed/)
  const root = { user: 'root', password: 'geheim-7F' }
  await storeAll(over(root), contextOf(), batchOf(['{"v":1}']))
  const authorization = `Basic ${Buffer.from('root:geheim-7F').toString('base64')}`
  const statement = async (q: string) =>
    fetch(`${strict.url}/query`, { method: 'POST', body: new URLSearchParams({ q }), headers: { authorization } })
  await statement(`CREATE USER writer WITH PASSWORD 'w'`)
  await statement('GRANT WRITE ON air TO writer')
  // Who may only write does that, and makes no database.
  const writer = { user: 'writer', password: 'w' }
  await storeAll(over(writer), contextOf(), batchOf(['{"v":2}'], { first: 1 }))
  const elsewhere = over({ ...writer, database: 'other' })
  await opened(elsewhere, contextOf())
  await elsewhere.write(batchOf(['{"v":3}']))
  await assert.rejects(elsewhere.flush(flights, 1, signal), (error) => {
    assert.ok(error instanceof SinkRefusedError, String(error))
    assert.match(error.message, /answers 40[34]: .*(?:not authorized|not found)/)
    return true
  })
  const noPolicy = over({ ...root, 'retention.policy': 'nowhere' })
  await opened(noPolicy, contextOf())
  await noPolicy.write(batchOf(['{"v":3}']))
  await assert.rejects(noPolicy.flush(flights, 1, signal), /retention policy not found/)
})

test('influxdb: a body that is too large is sent in parts; a server that is overloaded or away is waited for', async (t) => {
  const small = await startInfluxDb(t, { http: { 'max-body-size': 2000 } })
  const sink = makeSink(JSON.stringify({ type: 'influxdb', url: small.url, database: 'air', gzip: false }))
  t.after(() => sink.close())
  await opened(sink, contextOf())
  await sink.write(batchOf(Array.from({ length: 500 }, (_, id) => `{"id":${id},"text":"${'x'.repeat(50)}"}`)))
  assert.deepEqual(await sink.flush(flights, 500, signal), { durable: 500 })
  const counted = async () => (await small.query('air', 'SELECT count(id) AS n FROM flights'))[0]?.rows[0]?.['n']
  assert.equal(await counted(), 500)
  await sink.write(batchOf(['{"id":500}'], { first: 500 }))
  await small.kill()
  await assert.rejects(sink.flush(flights, 501, signal), (error) => {
    assert.ok(error instanceof SinkUnavailableError, String(error))
    assert.match(error.message, /refuses connections \(ECONNREFUSED\): is it running/)
    return true
  })
  await small.start()
  assert.deepEqual(await sink.flush(flights, 501, signal), { durable: 501 })
  assert.equal(await counted(), 501)
})
