/** The mongodb sink over a server with transactions (mongodb.ts): the conformance suite, what is read back, and each way in which it refuses. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { type Document, Long } from 'mongodb'
import {
  type Sink,
  SinkFencedError,
  SinkRecordError,
  SinkRefusedError,
  SinkUnavailableError,
} from '../../src/sinks/sink.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { batchOf, contextOf, flights, opened, type Row, storeAll } from '../sinks/fixtures.ts'
import { startMongodb } from './mongodb.ts'
import { makeSink } from './mongodb-sink-child.ts'
import { assignedAgain, context, failure, flushed, rows, signal, upTo } from './sink-faults.ts'

const server = await startMongodb({ after })
let databases = 0
const fresh = () => `test-${++databases}`
const sinkOver = (database: string, options: object = {}): Sink =>
  makeSink(JSON.stringify({ url: server.url, database, ...options }))

for (const [name, options] of [
  ['append', { columns: ['id', 'text', '$partition', '$offset'] }],
  ['upsert', { mode: 'upsert', columns: ['id', 'text', '$partition', '$offset'] }],
] as const) {
  sinkConformance({
    name: `mongodb ${name}`,
    guarantee: 'transactional',
    poison: '{"text":"no id"}',
    rounds: 4,
    async makeStore(t) {
      const database = fresh()
      t.after(
        () =>
          void server
            .db(database)
            .dropDatabase()
            .catch(() => {}),
      )
      const argument = JSON.stringify({ url: server.url, database, 'request.timeout.ms': 3000, ...options })
      return {
        create: () => makeSink(argument),
        async readBack({ topic, partition }) {
          const found = await server.db(database).collection(topic).find({ partition }).sort({ offset: 1 }).toArray()
          return found.map(({ id }) => Number(id))
        },
        async takeDown() {
          await server.pause()
          return { restore: async () => server.resume() }
        },
        child: { module: new URL('./mongodb-sink-child.ts', import.meta.url), argument },
      }
    },
  })
}

const documentsOf = (database: string, collection = 'flights'): Promise<Document[]> =>
  server.db(database).collection(collection).find({}, { promoteLongs: false }).sort({ _id: 1 }).toArray()

test('mongodb: each record is a document, its values as JSON has them', async () => {
  const database = fresh()
  const value = {
    text: 'ä€😀 "x" \\ \n',
    int: -5,
    long: 5_000_000_000,
    double: 0.1,
    large: 1e300,
    is: true,
    none: null,
    nested: { a: [1, { b: [] }], 'a.b': 1, $c: 2 },
  }
  const batch = batchOf([JSON.stringify(value)], { first: 7 })
  await storeAll(sinkOver(database), contextOf(), batch)
  assert.deepEqual(await documentsOf(database), [
    { _id: 'cluster-1.id-of-flights.0.7', ...value, long: Long.fromNumber(5_000_000_000) },
  ])
  const offsets = await documentsOf(database, 'sluice_offsets')
  const _id = { application: 'file-consumers', cluster: 'cluster-1', topicId: 'id-of-flights', partition: 0 }
  assert.deepEqual(offsets, [{ _id, topic: 'flights', next: 8 }])
})

test('mongodb: columns, the record’s own, bytes, and an _id of the value’s', async () => {
  const own = fresh()
  await storeAll(
    sinkOver(own),
    contextOf({ valueType: 'string' }),
    batchOf([{ key: 'k', value: 'v' }], { valueType: 'string' }),
  )
  assert.deepEqual(await documentsOf(own), [
    {
      _id: 'cluster-1.id-of-flights.0.0',
      topic: 'flights',
      partition: 0,
      offset: 0,
      timestamp: new Date(1000),
      key: 'k',
      value: 'v',
    },
  ])
  const bytes = fresh()
  const batch = batchOf([{ key: null, value: Buffer.from([0, 255]) }], { valueType: 'bytes' })
  await storeAll(sinkOver(bytes, { columns: ['$value'] }), contextOf({ valueType: 'bytes' }), batch)
  const [document] = await documentsOf(bytes)
  assert.deepEqual([...(document!['value'] as { buffer: Buffer }).buffer], [0, 255])
  const ids = fresh()
  await storeAll(sinkOver(ids, { id: '_id' }), contextOf(), batchOf(['{"_id":{"a":1},"v":1}', '{"_id":"x","v":2}']))
  assert.deepEqual(
    (await documentsOf(ids)).map(({ v }) => Number(v)).sort((left, right) => left - right),
    [1, 2],
  )
})

test('mongodb: upsert keeps the last of each key, within a flush and after it; a record without a value deletes', async (t) => {
  const database = fresh()
  const sink = sinkOver(database, { mode: 'upsert' })
  t.after(() => sink.close())
  await opened(sink, context)
  const put = async (first: number, ...pairs: [string, number | null][]) => {
    const given: Row[] = pairs.map(([key, v]) => ({ key, value: v === null ? null : JSON.stringify({ v }) }))
    const batch = batchOf(given, { first })
    await sink.write(batch)
    await sink.flush(flights, batch.next, signal)
  }
  const table = async () =>
    Object.fromEntries((await documentsOf(database)).map(({ _id, v }) => [String(_id), Number(v)]))
  await put(0, ['a', 1], ['b', 1], ['a', 2], ['c', 1], ['c', null], ['d', null], ['d', 4])
  assert.deepEqual(await table(), { a: 2, b: 1, d: 4 })
  await put(7, ['b', 5], ['a', null], ['d', null], ['d', 6], ['nobody', null])
  assert.deepEqual(await table(), { b: 5, d: 6 })
})

test('mongodb: the record of a document that is refused is named, and nothing of its flush is stored', async (t) => {
  const database = fresh()
  await server.db(database).collection<{ _id: number }>('flights').insertOne({ _id: 13 })
  const sink = sinkOver(database, { id: 'id' })
  t.after(() => sink.close())
  await opened(sink, context)
  const batch = rows(0, 20)
  await sink.write(batch)
  const error = await failure(sink.flush(flights, 20, signal), SinkRecordError)
  assert.equal(error.offset, 13)
  assert.match(error.message, /the collection flights refuses the document: E11000 duplicate key.* \(11000\)/)
  assert.equal((await documentsOf(database)).length, 1)
  assert.deepEqual(await documentsOf(database, 'sluice_offsets'), [])
  assert.equal(await assignedAgain(sink), undefined)
  const without = {
    ...batch,
    records: batch.records.filter(({ offset }) => offset !== 13),
    values: batch.values.filter((_, index) => index !== 13),
  }
  await sink.write(without)
  assert.equal(await flushed(sink, 20), 20)
  assert.equal((await documentsOf(database)).length, 20)
})

test('mongodb: a validator refuses a document', async (t) => {
  const database = fresh()
  await server.db(database).createCollection('flights', { validator: { id: { $ne: 3 } } })
  const sink = sinkOver(database)
  t.after(() => sink.close())
  await opened(sink, context)
  await sink.write(rows(0, 5))
  const error = await failure(sink.flush(flights, 5, signal), SinkRecordError)
  assert.equal(error.offset, 3)
  assert.match(error.message, /\(121\)/)
})

/** Fails the command once, as a server in trouble would. */
const failOnce = (commands: readonly string[], data: object) =>
  server
    .db('admin')
    .command({ configureFailPoint: 'failCommand', mode: { times: 1 }, data: { failCommands: commands, ...data } })

for (const [what, commands, data] of [
  ['the primary steps down before the commit', ['commitTransaction'], { errorCode: 10107 }],
  ['the connection breaks at the commit', ['commitTransaction'], { closeConnection: true }],
  ['the connection breaks at the documents', ['insert'], { closeConnection: true }],
  ['the documents meet a conflict', ['insert'], { errorCode: 112, errorLabels: ['TransientTransactionError'] }],
  ['most members do not confirm', ['commitTransaction'], { writeConcernError: { code: 64, errmsg: 'waiting' } }],
] as const) {
  test(`mongodb: ${what}: each document is there once`, async (t) => {
    const database = fresh()
    const sink = sinkOver(database, { 'request.timeout.ms': 2000 })
    t.after(() => sink.close())
    await opened(sink, context)
    await sink.write(rows(0, 10))
    assert.equal(await flushed(sink, 10), 10)
    await sink.write(rows(10, 10))
    await failOnce(commands, data)
    assert.equal(await flushed(sink, 20), 20)
    const ids = (await documentsOf(database)).map(({ id }) => Number(id)).sort((left, right) => left - right)
    assert.deepEqual(ids, upTo(20))
    const [offsets] = await documentsOf(database, 'sluice_offsets')
    assert.equal(Number(offsets!['next']), 20)
  })
}

test('mongodb: two owners at once: one is fenced, has written nothing, and reads on where the other one stands', async (t) => {
  const database = fresh()
  const [one, other] = [sinkOver(database), sinkOver(database)]
  t.after(() => Promise.all([one.close(), other.close()]).then(() => {}))
  await opened(one, context)
  await opened(other, context)
  await one.write(rows(0, 10))
  await other.write(rows(0, 4))
  assert.equal(await flushed(one, 10), 10)
  const error = await failure(other.flush(flights, 4, signal), SinkFencedError)
  assert.match(
    error.message,
    /topic flights, partition 0 has another owner at mongodb:\/\/127\.0\.0\.1:\d+\/test-\d+, which has stored what follows 0/,
  )
  assert.equal(await assignedAgain(other), 10)
  await other.write(rows(10, 5))
  assert.equal(await flushed(other, 15), 15)
  assert.equal((await documentsOf(database)).length, 15)
})

test('mongodb: an abort ends a wait at once, and the flush can be repeated', async (t) => {
  const own = await startMongodb(t)
  const sink = makeSink(JSON.stringify({ url: own.url, database: 'air', 'request.timeout.ms': 60_000 }))
  t.after(() => sink.close())
  await opened(sink, context)
  await sink.write(rows(0, 10))
  await own.pause()
  const controller = new AbortController()
  const failing = failure(sink.flush(flights, 10, controller.signal), SinkUnavailableError)
  controller.abort()
  assert.match((await failing).message, /was aborted, as no time is left/)
  own.resume()
  assert.equal(await flushed(sink, 10), 10)
  assert.equal(await own.db('air').collection('flights').countDocuments(), 10)
})

test('mongodb: the server is killed, and started again', async (t) => {
  const own = await startMongodb(t, ['--sync-on-commit'])
  const sink = makeSink(JSON.stringify({ url: own.url, database: 'air', 'connect.timeout.ms': 1000 }))
  t.after(() => sink.close())
  await opened(sink, context)
  await sink.write(rows(0, 10))
  assert.equal(await flushed(sink, 10), 10)
  await sink.write(rows(10, 10))
  await own.kill()
  const error = await failure(sink.flush(flights, 20, signal), SinkUnavailableError)
  assert.match(
    error.message,
    /cannot store into flights at mongodb:\/\/127\.0\.0\.1:\d+\/air: .*; is the server, or the network, down\?/,
  )
  const early = makeSink(
    JSON.stringify({ url: own.url, database: 'air', 'connect.timeout.ms': 200, 'open.timeout.ms': 1 }),
  )
  t.after(() => early.close())
  const refused = await failure(early.open(context), SinkUnavailableError)
  assert.match(refused.message, /cannot connect at .*Gave up after "open\.timeout\.ms", 1 ms/)
  await own.start()
  assert.equal(await flushed(sink, 20), 20)
  assert.equal(await own.db('air').collection('flights').countDocuments(), 20)
})

test('mongodb: a collection without transactions is refused at the start', async (t) => {
  const database = fresh()
  await server.db(database).collection('base').insertOne({ a: 1 })
  await server.db(database).createCollection('seen', { viewOn: 'base', pipeline: [] })
  const sink = sinkOver(database, { collection: 'seen' })
  t.after(() => sink.close())
  const error = await failure(sink.open(context), SinkRefusedError)
  assert.match(error.message, /seen in mongodb:.* is a view one, and transactions need a plain collection/)
  await server.db(database).createCollection('ring', { capped: true, size: 4096 })
  const capped = sinkOver(database, { collection: 'ring' })
  t.after(() => capped.close())
  assert.match((await failure(capped.open(context), SinkRefusedError)).message, /ring in .* is a capped one/)
})

test('mongodb: the statement of docs/poison-records.md moves an application past a record', async () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'poison-records.md'), 'utf8')
  const [, statement] = /```js\n(db\..*?)\n```/s.exec(page)!
  const database = fresh()
  const numbers = { topic: 'numbers', partition: 0 }
  const batch = batchOf(
    Array.from({ length: 7 }, (_, id) => `{"id":${id}}`),
    { topicPartition: numbers },
  )
  const readers = contextOf({ application: 'readers' })
  await storeAll(sinkOver(database), readers, batch)
  const db = { sluice_offsets: server.db(database).collection('sluice_offsets') }
  const update = () => runInNewContext(statement!, { db }) as Promise<{ modifiedCount: number }>
  assert.equal((await update()).modifiedCount, 1)
  assert.equal((await update()).modifiedCount, 0, 'once')
  const sink = sinkOver(database)
  assert.equal(await opened(sink, readers, numbers), 8)
  await sink.close()
})

test('mongodb: a server by itself, without transactions, is refused with what to do', async (t) => {
  const alone = await startMongodb(t, ['--standalone'])
  const sink = makeSink(JSON.stringify({ url: alone.url, database: 'air' }))
  t.after(() => sink.close())
  const error = await failure(sink.open(context), SinkRefusedError)
  assert.match(
    error.message,
    /is a server by itself, which has no transactions: start it with --replSet and run rs\.initiate\(\) once/,
  )
})
