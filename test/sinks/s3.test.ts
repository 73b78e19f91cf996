/** The s3 sink's own ways: keys, options, what it refuses and how it says so. Each offset once is object-conformance.test.ts's matter. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { sinks } from '../../src/sinks/index.ts'
import { loadS3Driver } from '../../src/sinks/s3-store.ts'
import { s3Error } from '../../src/sinks/s3-errors.ts'
import {
  SinkFencedError,
  SinkOptionsError,
  SinkRefusedError,
  SinkSequenceError,
  SinkUnavailableError,
} from '../../src/sinks/sink.ts'
import { batchOf, contextOf, flights, opened, storeAll } from './fixtures.ts'
import { type S3Fault, type S3Request, startS3Server } from './s3-server.ts'
import { concatenatedIn, credentials, s3SinkAt } from './s3-store.ts'

const three = batchOf(['{"a":1}', '{"a":2}', '{"a":3}'])
const later = batchOf(['{"a":4}', '{"a":5}'], { first: 3 })
const { signal } = contextOf()
const first = 'out/flights/0/00000000000000000000.csv'
const headKey = 'out/flights/0/.sluice/head.json'

async function serverFor(t: TestContext, options: object = {}) {
  const server = await startS3Server(options)
  t.after(() => server.stop())
  return server
}

/** Opens, and closes when the test ends. */
async function sinkWith(t: TestContext, endpoint: string, options: object = {}, context = contextOf()) {
  const sink = s3SinkAt(endpoint, { columns: ['a'], ...options })
  t.after(() => sink.close())
  await opened(sink, context)
  return sink
}

const assign = { topicPartition: flights, committed: undefined, generation: 1 }

test('an object is named for the topic, the partition and its first offset, and says what it is', async (t) => {
  const server = await serverFor(t)
  await storeAll(s3SinkAt(server.endpoint, { columns: ['a'] }), contextOf(), three)
  assert.deepEqual(server.bucket.published, [first])
  assert.equal(concatenatedIn(server.bucket, flights), '1\n2\n3\n')
  const begun = server.requests.find(({ query, method }) => method === 'POST' && query.has('uploads'))!
  assert.equal(begun.headers['content-type'], 'text/csv; charset=utf-8')
  assert.equal(begun.headers['x-amz-meta-sluice-start'], '0')
  const head = JSON.parse(server.bucket.objects.get(headKey)!.bytes.toString()) as {
    last: Record<string, unknown>
  }
  const { last, ...rest } = head
  assert.deepEqual(rest, {
    version: 1,
    application: 'file-consumers',
    clusterId: 'cluster-1',
    topicId: 'id-of-flights',
    topic: 'flights',
    partition: 0,
    isPublished: true,
  })
  assert.deepEqual([last['start'], last['end'], last['key']], [0, 3, first])
})

test('prefix, format, compression and the store’s settings reach the objects', async (t) => {
  const server = await serverFor(t)
  const settings = { 'storage.class': 'STANDARD_IA', 'server.side.encryption': 'aws:kms', 'kms.key.id': 'key-1' }
  const sink = s3SinkAt(server.endpoint, { prefix: 'raw/2026/', format: 'jsonl', gzip: true, ...settings })
  await storeAll(sink, contextOf(), three)
  const key = 'raw/2026/flights/0/00000000000000000000.jsonl.gz'
  assert.deepEqual(server.bucket.published, [key])
  const lines = gunzipSync(server.bucket.objects.get(key)!.bytes).toString().trim().split('\n')
  assert.equal(lines.length, 3)
  assert.equal((JSON.parse(lines[0]!) as { offset: number }).offset, 0)
  const begun = server.requests.find(({ query, method }) => method === 'POST' && query.has('uploads'))!
  assert.equal(begun.headers['content-type'], 'application/gzip')
  assert.equal(begun.headers['x-amz-storage-class'], 'STANDARD_IA')
  assert.equal(begun.headers['x-amz-server-side-encryption'], 'aws:kms')
  assert.equal(begun.headers['x-amz-server-side-encryption-aws-kms-key-id'], 'key-1')
})

test('nothing is seen before the flush, and what was not flushed leaves no upload behind', async (t) => {
  const server = await serverFor(t)
  const sink = await sinkWith(t, server.endpoint)
  const megabyte = JSON.stringify({ a: 'x'.repeat(1024 * 1024) })
  for (let offset = 0; offset < 12; offset++) await sink.write(batchOf([megabyte], { first: offset }))
  assert.deepEqual(server.bucket.published, [])
  const [upload] = server.bucket.uploads.values()
  assert.ok(upload!.parts.size > 0, 'parts went up as they were full')
  for (const part of upload!.parts.values()) assert.ok(part.length >= 5 * 1024 * 1024, `a part of ${part.length} bytes`)
  await sink.close()
  assert.equal(server.bucket.uploads.size, 0)
})

test('a large object goes up in parts, and reads as it was written', async (t) => {
  const server = await serverFor(t)
  const sink = await sinkWith(t, server.endpoint)
  const values = Array.from({ length: 13 }, (_, index) => String(index).repeat(1024 * 1024))
  for (const [offset, a] of values.entries()) await sink.write(batchOf([JSON.stringify({ a })], { first: offset }))
  await sink.flush(flights, 13, signal)
  assert.equal(concatenatedIn(server.bucket, flights), `${values.join('\n')}\n`)
  const parts = server.requests.filter(({ query }) => query.has('partNumber'))
  assert.ok(parts.length >= 2, `${parts.length} parts`)
  for (const { headers } of parts) assert.match(String(headers['x-amz-checksum-crc32']), /^[A-Za-z0-9+/]{6}==$/)
})

test('rotation: the sink says when an object is due, and asks the runner for the time', async (t) => {
  const server = await serverFor(t)
  const sink = s3SinkAt(server.endpoint, { columns: ['a'], 'rotate.records': 3, 'rotate.ms': 60_000 })
  t.after(() => sink.close())
  assert.deepEqual(await sink.open(contextOf()), {
    guarantee: 'create-once',
    flushHint: { records: 3, intervalMs: 60_000 },
  })
  await sink.assigned([assign])
  assert.deepEqual(await sink.write(three), { flushDue: true })
  assert.deepEqual(await sink.flush(flights, 3, signal), { durable: 3 })
  assert.deepEqual(await sink.write(later), { flushDue: false })
  await assert.rejects(sink.write(three), SinkSequenceError)
})

test('objects may be moved away: the head says where to go on', async (t) => {
  const server = await serverFor(t)
  await storeAll(s3SinkAt(server.endpoint, { columns: ['a'] }), contextOf(), three)
  server.bucket.objects.delete(first)
  const sink = s3SinkAt(server.endpoint, { columns: ['a'] })
  t.after(() => sink.close())
  assert.equal(await opened(sink, contextOf()), 3)
  await sink.write(later)
  assert.deepEqual(await sink.flush(flights, 5, signal), { durable: 5 })
  assert.deepEqual(server.bucket.published, ['out/flights/0/00000000000000000003.csv'])
})

test('the probe leaves nothing behind; a store that ignores conditions is found out, and said', async (t) => {
  const server = await serverFor(t)
  await sinkWith(t, server.endpoint)
  assert.equal(server.bucket.objects.size, 0)
  const ignorant = await serverFor(t, { honoursConditions: false })
  const warnings: string[] = []
  const logger = { ...contextOf().logger, warn: (_: object, text?: string) => void warnings.push(String(text)) }
  const sink = s3SinkAt(ignorant.endpoint, { columns: ['a'] })
  t.after(() => sink.close())
  const { guarantee } = await sink.open(contextOf({ logger: logger as never }))
  assert.equal(guarantee, 'at-least-once')
  assert.match(warnings.join(), /does not honour conditional writes/)
  await sink.assigned([assign])
  await sink.write(three)
  await sink.flush(flights, 3, signal)
  const [key] = ignorant.bucket.published
  assert.match(key!, /^out\/flights\/0\/0{20}\.[0-9a-f]{8}\.csv$/, 'no two owners ever take one key')
})

test('the probe is right about a store whose answers are lost', async (t) => {
  for (const lost of [1, 2, 3]) {
    const server = await serverFor(t)
    let puts = 0
    server.fault = ({ method }) => (method === 'PUT' && ++puts === lost ? 'drop-after' : undefined)
    const sink = s3SinkAt(server.endpoint, { columns: ['a'] })
    t.after(() => sink.close())
    assert.equal((await sink.open(contextOf())).guarantee, 'create-once', `the answer to write ${lost}`)
    assert.equal(server.bucket.objects.size, 0)
  }
})

test('an upload that somebody aborts while it is under way is begun anew from where it stood', async (t) => {
  const server = await serverFor(t)
  const sink = await sinkWith(t, server.endpoint)
  const megabyte = JSON.stringify({ a: 'x'.repeat(1024 * 1024) })
  for (let offset = 0; offset < 7; offset++) await sink.write(batchOf([megabyte], { first: offset }))
  server.bucket.uploads.clear()
  await assert.rejects(sink.flush(flights, 7, signal), (error: Error) => {
    assert.ok(error instanceof SinkFencedError)
    assert.match(error.message, /the upload was aborted while it was under way/)
    return true
  })
  assert.deepEqual(await sink.assigned([assign]), [{ topicPartition: flights, next: undefined }])
  await sink.write(three)
  assert.deepEqual(await sink.flush(flights, 3, signal), { durable: 3 })
  assert.equal(concatenatedIn(server.bucket, flights), '1\n2\n3\n')
})

test('an upload that is aborted between its claim and its end stops the application, with what to do', async (t) => {
  const server = await serverFor(t)
  const sink = await sinkWith(t, server.endpoint)
  await sink.write(three)
  server.fault = ({ method, query }) =>
    method === 'POST' && query.has('uploadId') ? { status: 503, code: 'SlowDown' } : undefined
  await assert.rejects(sink.flush(flights, 3, signal), SinkUnavailableError)
  server.fault = () => undefined
  server.bucket.uploads.clear()
  const next = s3SinkAt(server.endpoint, { columns: ['a'] })
  t.after(() => next.close())
  await assert.rejects(opened(next, contextOf()), (error: Error) => {
    assert.ok(error instanceof SinkRefusedError)
    assert.match(error.message, /the records 0 to 2 for .* were uploaded but are not there/)
    return true
  })
  // As the message says: read again.
  const head = JSON.parse(server.bucket.objects.get(headKey)!.bytes.toString()) as object
  const last = { token: 'again', start: 0, end: 0, key: null, uploadId: null, parts: [] }
  server.bucket.set(headKey, Buffer.from(JSON.stringify({ ...head, last })))
  const third = s3SinkAt(server.endpoint, { columns: ['a'] })
  t.after(() => third.close())
  assert.equal(await opened(third, contextOf()), 0)
  await third.write(three)
  assert.deepEqual(await third.flush(flights, 3, signal), { durable: 3 })
  assert.equal(concatenatedIn(server.bucket, flights), '1\n2\n3\n')
})

test('an object of somebody else’s is not written over', async (t) => {
  const server = await serverFor(t)
  const sink = await sinkWith(t, server.endpoint)
  await sink.write(three)
  await sink.flush(flights, 3, signal)
  server.bucket.set('out/flights/0/00000000000000000003.csv', Buffer.from('mine\n'))
  await sink.write(later)
  await assert.rejects(sink.flush(flights, 5, signal), (error: Error) => {
    assert.ok(error instanceof SinkRefusedError)
    assert.match(error.message, /0{19}3\.csv exists, and Sluice did not put it there: move it away/)
    return true
  })
  server.bucket.objects.delete('out/flights/0/00000000000000000003.csv')
  const next = s3SinkAt(server.endpoint, { columns: ['a'] })
  t.after(() => next.close())
  assert.equal(await opened(next, contextOf()), 5, 'what was claimed is published by the next owner')
  assert.equal(concatenatedIn(server.bucket, flights), '1\n2\n3\n4\n5\n')
})

test('a prefix of another application, and objects without their head, are refused', async (t) => {
  const server = await serverFor(t)
  await storeAll(s3SinkAt(server.endpoint, { columns: ['a'] }), contextOf(), three)
  const other = s3SinkAt(server.endpoint, { columns: ['a'] })
  t.after(() => other.close())
  await assert.rejects(opened(other, contextOf({ application: 'others' })), {
    code: 'SLUICE_SINK_REFUSED',
    message: /holds the files of another application: application file-consumers/,
  })
  server.bucket.objects.delete(headKey)
  const sink = await sinkWith(t, server.endpoint)
  await sink.write(three)
  await assert.rejects(sink.flush(flights, 3, signal), {
    code: 'SLUICE_SINK_REFUSED',
    message: /exists, but the object that says how it came about/,
  })
  server.bucket.set(headKey, Buffer.from('{"version":1'))
  const broken = s3SinkAt(server.endpoint, { columns: ['a'] })
  t.after(() => broken.close())
  await assert.rejects(opened(broken, contextOf()), {
    code: 'SLUICE_SINK_REFUSED',
    message: /head\.json is not what Sluice wrote there/,
  })
})

test('answers that are lost, one kind after the other: each record once', async (t) => {
  const kinds: Record<string, (request: S3Request) => boolean> = {
    begin: ({ method, query }) => method === 'POST' && query.has('uploads'),
    part: ({ query }) => query.has('partNumber'),
    head: ({ method, key }) => method === 'PUT' && key === headKey,
    complete: ({ method, query }) => method === 'POST' && query.has('uploadId'),
  }
  for (const [kind, matches] of Object.entries(kinds)) {
    const server = await serverFor(t)
    const sink = await sinkWith(t, server.endpoint)
    let dropped = 0
    // More often than the driver tries again by itself.
    server.fault = (request) => (matches(request) && dropped++ < 4 ? 'drop-after' : undefined)
    await sink.write(three)
    await assert.rejects(sink.flush(flights, 3, signal), SinkUnavailableError, kind)
    assert.deepEqual(await sink.flush(flights, 3, signal), { durable: 3 }, kind)
    await sink.write(later)
    assert.deepEqual(await sink.flush(flights, 5, signal), { durable: 5 }, kind)
    assert.equal(concatenatedIn(server.bucket, flights), '1\n2\n3\n4\n5\n', kind)
  }
})

test('errors: what may pass is unavailable, what stays is refused, and no message holds the secret', async (t) => {
  const cases: [S3Fault, typeof SinkUnavailableError | typeof SinkRefusedError, RegExp][] = [
    [{ status: 503, code: 'SlowDown' }, SinkUnavailableError, /asks for fewer requests.*\(SlowDown, HTTP 503\)/],
    [{ status: 500, code: 'InternalError', message: 'oh' }, SinkUnavailableError, /oh \(InternalError, HTTP 500\)/],
    [{ status: 507, code: 'XMinioStorageFull' }, SinkUnavailableError, /free some space/],
    ['drop', SinkUnavailableError, /cannot look into s3:\/\/test/],
    ['hang', SinkUnavailableError, /"request.timeout.ms"/],
    [{ status: 404, code: 'NoSuchBucket' }, SinkRefusedError, /create the bucket, or correct "bucket"/],
    [{ status: 403, code: 'AccessDenied' }, SinkRefusedError, /allow s3:GetObject, s3:PutObject/],
    [{ status: 403, code: 'SignatureDoesNotMatch' }, SinkRefusedError, /"secret.access.key" is not the one/],
    [{ status: 403, code: 'RequestTimeTooSkewed' }, SinkRefusedError, /clock/],
    [{ status: 400, code: 'Odd', message: 'an odd thing' }, SinkRefusedError, /an odd thing \(Odd, HTTP 400\)/],
  ]
  for (const [fault, type, message] of cases) {
    const server = await serverFor(t)
    server.fault = () => fault
    const sink = s3SinkAt(server.endpoint, { 'request.timeout.ms': 200 })
    await assert.rejects(opened(sink, contextOf()), (error: Error) => {
      assert.ok(error instanceof type, `${JSON.stringify(fault)}: ${error.name}`)
      assert.match(error.message, message)
      assert.ok(!error.message.includes(credentials['secret.access.key']))
      return true
    })
    await sink.close()
  }
  const mistake = new TypeError('a mistake of ours')
  assert.equal(s3Error(mistake, 'doing'), mistake)
})

test('options that cannot be are refused before anything is asked', () => {
  const refusal = (options: object): string => {
    try {
      sinks.configure({ type: 's3', bucket: 'test', ...options }).create()
    } catch (error) {
      assert.ok(error instanceof SinkOptionsError, String(error))
      return error.message
    }
    return assert.fail('it was taken')
  }
  assert.match(refusal({ prefix: '/raw' }), /sink\.prefix is "\/raw": expected no slash at the beginning/)
  assert.match(refusal({ endpoint: 'localhost:9000' }), /sink\.endpoint is .*: expected http:\/\/host:port/)
  assert.match(refusal({ bucket: 'ab' }), /sink\.bucket/)
  assert.match(refusal({ 'access.key.id': 'only' }), /are given together, or neither/)
  assert.match(refusal({ 'kms.key.id': 'key-1' }), /needs "server.side.encryption": "aws:kms"/)
  const secret = refusal({ 'secret.access.key': 17 })
  assert.match(secret, /sink\.secret\.access\.key is not shown/)
  assert.match(refusal({ buckt: 'x' }), /did you mean "bucket"\?/)
})

test('a file of authorities that is not there, a column without JSON, and a missing driver are said', async () => {
  const context = contextOf()
  const sink = s3SinkAt('https://127.0.0.1:1', { 'ssl.ca': '/nowhere/ca.pem' })
  await assert.rejects(sink.open(context), /sink\.ssl\.ca names \/nowhere\/ca\.pem, which cannot be read/)
  await assert.rejects(
    s3SinkAt('http://127.0.0.1:1', { columns: ['a'] }).open(contextOf({ valueType: 'string' })),
    /the s3 sink has the column "a", and values are read as string/,
  )
  const missing = Object.assign(new Error("Cannot find package '@aws-sdk/client-s3'"), { code: 'ERR_MODULE_NOT_FOUND' })
  await assert.rejects(
    loadS3Driver(() => Promise.reject(missing)),
    {
      code: 'SLUICE_SINK_REFUSED',
      message: /run npm install @aws-sdk\/client-s3/,
    },
  )
})
