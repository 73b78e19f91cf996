/** What the mongodb sink does without a server: documents, options, errors. The server's part is test/compat/mongodb*.compat.ts. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { Binary, BSON, Long } from 'mongodb'
import { type DocumentOptions, DocumentEncoder } from '../../src/sinks/mongodb-documents.ts'
import { isUncertain, mongodbError, refusedIndex } from '../../src/sinks/mongodb-errors.ts'
import { options, targetOf } from '../../src/sinks/mongodb-options.ts'
import { loadMongodbDriver, MongodbSink } from '../../src/sinks/mongodb.ts'
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
const bson = { Long, Binary, calculateObjectSize: BSON.calculateObjectSize }

function changes(rows: readonly Row[], given: Partial<DocumentOptions> = {}) {
  const valueType: ValueType = given.valueType ?? 'json'
  const encoder = new DocumentEncoder({ id: '$record', columns: undefined, mode: 'append', valueType, ...given }, bson)
  return encoder.encode(batchOf(rows, { first: 7, valueType }), 'prefix.')
}

const document = (row: Row, given: Partial<DocumentOptions> = {}) => changes([row], given)[0]!.document

function refusal(row: Row, given: Partial<DocumentOptions> = {}): string {
  try {
    changes([row], given)
  } catch (error) {
    assert.ok(error instanceof SinkRecordError, String(error))
    assert.deepEqual([error.topic, error.partition, error.offset], ['flights', 0, 7])
    return error.message.replace('topic flights, partition 0, offset 7: ', '')
  }
  return 'taken'
}

test('mongodb: JSON as BSON', () => {
  assert.deepEqual(document('{"a":1,"b":-0.5,"c":"é😀","d":[true,null,{"e":{}}]}'), {
    _id: 'prefix.7',
    a: 1,
    b: -0.5,
    c: 'é😀',
    d: [true, null, { e: {} }],
  })
  const long = document('{"in":2147483647,"out":2147483648,"low":-2147483649,"far":9007199254740992}')!
  assert.equal(long['in'], 2147483647)
  assert.deepEqual(long['out'], Long.fromNumber(2147483648))
  assert.deepEqual(long['low'], Long.fromNumber(-2147483649))
  assert.equal(long['far'], 9007199254740992, 'a double, as it came')
  const proto = document('{"__proto__":{"x":1},"a.b":1,"nested":{"$c":1}}')!
  assert.deepEqual(Object.keys(proto), ['_id', '__proto__', 'a.b', 'nested'])
  assert.equal(Object.getPrototypeOf(proto), Object.prototype)
})

test('mongodb: whole numbers of 64 bits keep their digits', () => {
  const batch = batchOf(['{"v":1}'])
  const encoder = new DocumentEncoder({ id: '$record', columns: undefined, mode: 'append', valueType: 'json' }, bson)
  const encoded = (value: bigint) => encoder.encode({ ...batch, values: [{ v: value }] }, '')[0]!.document!['v'] as Long
  assert.equal(encoded(9223372036854775807n).toString(), '9223372036854775807')
  assert.equal(encoded(-9007199254740993n).toString(), '-9007199254740993')
  assert.throws(() => encoded(9223372036854775808n), /"v" is .*, and whole numbers have 64 bits/)
})

test('mongodb: columns and the record’s own', () => {
  const row = { key: 'k', value: '{"a":1,"b":2}' }
  const columns = ['b', '$topic', '$partition', '$offset', '$timestamp', '$key', '$value']
  assert.deepEqual(document(row, { columns }), {
    _id: 'prefix.7',
    b: 2,
    topic: 'flights',
    partition: 0,
    offset: 7,
    timestamp: new Date(1007),
    key: 'k',
    value: { a: 1, b: 2 },
  })
  assert.deepEqual(document({ key: null, value: 'text' }, { valueType: 'string', columns: ['$key', '$value'] }), {
    _id: 'prefix.7',
    key: null,
    value: 'text',
  })
  const bytes = document({ value: Buffer.from([0, 255]) }, { valueType: 'bytes', columns: ['$value'] })
  assert.deepEqual(bytes!['value'], new Binary(Buffer.from([0, 255])))
})

test('mongodb: what is the _id, and when a record without a value deletes', () => {
  const one = (row: Row, given: Partial<DocumentOptions>) => {
    const { id, document: made } = changes([row], given)[0]!
    return [id, made]
  }
  const upsert = { mode: 'upsert', id: '$key' } as const
  assert.deepEqual(one({ key: 'k', value: '{"a":1}' }, upsert), ['k', { _id: 'k', a: 1 }])
  assert.deepEqual(one({ key: 'k', value: null }, upsert), ['k', undefined])
  assert.deepEqual(one('{"n":5,"a":1}', { id: 'n' }), [5, { _id: 5, n: 5, a: 1 }])
  assert.deepEqual(one('{"_id":{"x":1},"a":1}', { id: '_id' }), [{ x: 1 }, { _id: { x: 1 }, a: 1 }])
  assert.deepEqual(one('{"_id":3,"a":1}', { id: '_id', columns: ['_id', 'a'] }), [3, { _id: 3, a: 1 }])
  const several = { mode: 'upsert', id: ['$topic', '$key', 'n'] } as const
  const _id = { topic: 'flights', key: 'k', n: 1 }
  assert.deepEqual(one({ key: 'k', value: '{"n":1}' }, several), [_id, { _id, n: 1 }])
  assert.match(refusal({ key: 'k', value: null }, several), /the value is null, and "n" is a field of a JSON object/)
  assert.match(refusal('{"a":1}', upsert), /"\$key" is null, and a document’s _id is no null and no array/)
  assert.match(refusal('{"n":[1]}', { id: 'n' }), /"n" is an array \[1\]/)
  assert.match(refusal('{"m":1}', { id: 'n' }), /the value has no field "n" \(did you mean "m"\?\)/)
  assert.match(
    refusal('{"_id":1}'),
    /the value has a field "_id", and "id" takes another: set "id": "_id", or "columns"/,
  )
})

test('mongodb: what MongoDB would take for something else is an error that names the record', () => {
  assert.match(refusal('[1]'), /the value is an array \[1\], and documents need a JSON object, or "columns"/)
  assert.match(refusal(null), /the value is null/)
  assert.match(refusal('{"$set":{"a":1}}'), /MongoDB has no field "\$set": it begins with \$, as operators do/)
  assert.match(refusal('{"a\\u0000b":1}'), /MongoDB has no field "a\\u0000b": it has a NUL/)
  assert.match(refusal('{"a":{"b\\u0000":1}}'), /it has a NUL/)
  assert.match(refusal('{"a":{"_bsontype":"ObjectId"}}'), /the driver would take its object for a value of its own/)
  assert.match(refusal('{"a":"\\ud800"}'), /with half of a surrogate pair/)
  assert.match(refusal(`{"a":${'['.repeat(100)}${']'.repeat(100)}}`), /it is more than 100 objects deep/)
  assert.doesNotThrow(() => changes([`{"a":${'['.repeat(99)}${']'.repeat(99)}}`]))
})

test('mongodb: a document that is larger than the server takes is an error', () => {
  const most = 16 * 1024 * 1024
  assert.match(
    refusal(JSON.stringify({ a: 'x'.repeat(most) })),
    /its document takes 167\d+ bytes, and MongoDB’s have at most 16777216/,
  )
  // Two characters of JSON are eleven bytes of BSON.
  assert.match(refusal(`{"a":[${'1,'.repeat(2_100_000)}1]}`), /its document takes \d{8} bytes/)
  assert.doesNotThrow(() => changes([JSON.stringify({ a: 'x'.repeat(most - 100) })]))
})

test('mongodb: URLs as MongoDB has them, shown without user and password', () => {
  const target = (url: string, more: object = {}) => targetOf(options.parse({ url, ...more }))
  const secret = encodeURIComponent(SECRET)
  const several = target(`mongodb://al:${secret}@a:1,b:2/air?replicaSet=rs0`)
  assert.equal(several.shown, 'mongodb://a:1,b:2/air')
  assert.equal(several.database, 'air')
  assert.equal(several.password, SECRET)
  assert.equal(target('mongodb://[::1]:7/air').shown, 'mongodb://[::1]:7/air')
  assert.equal(target('mongodb+srv://cluster.example/air').shown, 'mongodb://cluster.example/air')
  assert.equal(target('mongodb://a/my%20db').database, 'my db')
  assert.equal(target('mongodb://a/?tls=true', { database: 'air' }).database, 'air')
  assert.equal(target('mongodb://a', { database: 'air', user: 'u', password: SECRET }).password, SECRET)
})

test('mongodb: options are checked as a whole, and no message shows a password', () => {
  const problems: readonly [object, RegExp][] = [
    [{ database: undefined }, /sink\.database is missing: the name of the database, here or in "url"/],
    [{ url: `postgres://u:${SECRET}@h/d` }, /sink\.url is no URL of the form mongodb:/],
    [{ url: `mongodb://u:${SECRET}@h/d` }, /sink\.url is no URL of the form mongodb:/],
    [{ user: 'u' }, /sink\.user and sink\.password are given together/],
    [{ collection: 'system.x' }, /sink\.collection is "system\.x": expected a name without \$/],
    [{ collection: 'sluice_offsets' }, /are the same/],
    [{ mode: 'upsert', id: '$record' }, /sink\.id is "\$record", which no two records have in common/],
    [{ columns: ['_id', 'v'] }, /sink\.columns has "_id", and sink\.id takes another/],
    [{ columns: ['$partition', 'partition'] }, /sink\.columns has "partition" twice/],
    [{ id: '$offset' }, /sink\.id has "\$offset": expected \$key, \$record, or names of fields/],
    [{ id: ['$record'] }, /sink\.id has "\$record": expected \$key, \$topic, \$partition, or names of fields/],
    [{ password: 12345678 }, /sink\.password is not shown/],
    [{ pasword: SECRET }, /sink\.pasword is no option \(did you mean "password"\?\)/],
  ]
  for (const [changed, message] of problems) {
    assert.throws(
      () => sinks.configure({ type: 'mongodb', database: 'air', ...changed }).create(),
      (error) => {
        assert.ok(error instanceof SinkOptionsError, String(error))
        assert.match(error.message, message)
        assert.ok(!error.message.includes(SECRET) && !error.message.includes('12345678'))
        return true
      },
    )
  }
})

test('mongodb: a missing driver, and fields of values that are no JSON, are said before anything is connected to', async () => {
  const given = options.parse({ database: 'air' })
  const missing = Object.assign(new Error("Cannot find package 'mongodb' imported from x"), {
    code: 'ERR_MODULE_NOT_FOUND',
  })
  const sink = new MongodbSink(given, () => loadMongodbDriver(() => Promise.reject(missing)))
  await assert.rejects(sink.open(contextOf()), (error) => {
    assert.ok(error instanceof SinkRefusedError)
    const said = 'the mongodb sink needs the package "mongodb", which is not installed: run npm install mongodb'
    assert.equal(error.message, said)
    return true
  })
  const never = () => assert.fail('it connects')
  for (const changed of [{ columns: ['a'] }, { id: 'a' }, { id: ['$key', 'a'] }]) {
    await assert.rejects(
      new MongodbSink({ ...given, ...changed }, never).open(contextOf({ valueType: 'string' })),
      /takes "a" out of the value, and values are read as string: set "value": "json"/,
    )
  }
})

test('mongodb: the driver is not loaded before a sink opens', () => {
  const index = new URL('../../src/sinks/index.ts', import.meta.url).href
  const script = `const { sinks } = await import(${JSON.stringify(index)}); sinks.configure({ type: 'mongodb', database: 'air' }).create();
    const { createRequire } = await import('node:module');
    const loaded = () => Object.keys(createRequire(${JSON.stringify(index)}).cache).some((path) => path.includes('/node_modules/mongodb/'));
    const before = loaded(); await import(${JSON.stringify(import.meta.resolve('mongodb'))}); console.log(before, loaded())`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.equal(stdout, 'false true\n', stderr)
})

test('mongodb: errors of the server, the driver and the network, in the classes of the contract', () => {
  const attempt = { doing: 'store into flights', where: 'mongodb://db:27017/air', password: SECRET }
  const mapped = (fields: object, message = `said ${SECRET} and ${encodeURIComponent(SECRET)}`) =>
    mongodbError(Object.assign(new Error(message), fields), attempt)
  for (const code of [64, 91, 112, 189, 251, 10107, 11600, 13435, 14031]) {
    const error = mapped({ code, codeName: 'X' })
    assert.ok(error instanceof SinkUnavailableError && error.retriable, String(code))
    assert.match(
      error.message,
      /^cannot store into flights at mongodb:\/\/db:27017\/air: said \*\*\* and \*\*\* \(\d+ X\); \w/,
    )
    assert.ok(!JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause)).includes(SECRET))
  }
  for (const name of [
    'MongoNetworkError',
    'MongoNetworkTimeoutError',
    'MongoServerSelectionError',
    'MongoPoolClearedError',
  ])
    assert.ok(mapped({ name }) instanceof SinkUnavailableError, name)
  assert.ok(mapped({ code: 999, errorLabels: ['TransientTransactionError'] }) instanceof SinkUnavailableError)
  for (const code of [8, 13, 18, 20, 263, 72]) assert.ok(mapped({ code }) instanceof SinkRefusedError, String(code))
  assert.match(mapped({ code: 20 }).message, /transactions need a replica set: start the server with --replSet/)
  assert.ok(mapped({ name: 'MongoServerSelectionError' }, 'self-signed certificate') instanceof SinkRefusedError)
  const bug = new TypeError('x is not a function')
  assert.equal(mongodbError(bug, attempt), bug, 'a mistake in the program stays what it is')
})

test('mongodb: which record was refused, and whether a commit may have happened', () => {
  const bulk = (code: number, fields: object = {}) =>
    Object.assign(new Error('x'), { code, writeErrors: [{ index: 3, code }], ...fields })
  assert.equal(refusedIndex(bulk(11_000)), 3)
  assert.equal(refusedIndex(bulk(121)), 3)
  assert.equal(refusedIndex(bulk(112)), undefined)
  assert.equal(refusedIndex(bulk(13)), undefined)
  assert.equal(refusedIndex(bulk(11_000, { errorLabels: ['TransientTransactionError'] })), undefined)
  assert.equal(refusedIndex(bulk(8000)), undefined, 'what is not known is nobody’s fault')
  assert.equal(refusedIndex(new Error('x')), undefined)
  assert.ok(isUncertain(Object.assign(new Error('x'), { code: 64, errorLabels: ['UnknownTransactionCommitResult'] })))
  assert.ok(isUncertain(new Error('the connection broke')))
  assert.ok(isUncertain(Object.assign(new Error('x'), { code: 79 })), 'committed, and not confirmed')
  assert.ok(!isUncertain(Object.assign(new Error('x'), { code: 251, errorLabels: ['TransientTransactionError'] })))
})
