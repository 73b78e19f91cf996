/** What the influxdb sink does without a real server: lines, options, requests, answers. InfluxDB’s part is test/compat/influxdb*.compat.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeOutcome } from '../../src/sinks/influxdb-answers.ts'
import { LineEncoder, type LinesOptions, pointColumn, type PointOption } from '../../src/sinks/influxdb-lines.ts'
import { options } from '../../src/sinks/influxdb-options.ts'
import { InfluxdbSink } from '../../src/sinks/influxdb.ts'
import { instantOf } from '../../src/sinks/instant.ts'
import { sinks } from '../../src/sinks/index.ts'
import { SinkOptionsError, SinkRecordError, SinkRefusedError, SinkUnavailableError } from '../../src/sinks/sink.ts'
import { batchOf, contextOf, flights, opened, type Row, storeAll } from './fixtures.ts'
import { InfluxSender, Measurements } from './influx-server.ts'

const SECRET = 'geheim-7F'

interface Given extends Partial<Omit<LinesOptions, 'tags' | 'fields'>> {
  readonly tags?: readonly PointOption[]
  readonly fields?: readonly PointOption[]
  readonly first?: number
}

/** The lines of these records, from offset 7 on. */
function lines(rows: readonly Row[], { tags = [], fields, first = 7, ...given }: Given = {}): string {
  const encoder = new LineEncoder({
    measurement: undefined,
    mode: 'upsert',
    timeField: undefined,
    valueType: 'json',
    ...given,
    tags: tags.map(pointColumn),
    fields: fields?.map(pointColumn),
  })
  const batch = batchOf(rows, { first, valueType: given.valueType ?? 'json' })
  return encoder
    .encode(batch)
    .map(({ line }) => line)
    .join('')
}

const line = (value: unknown, given: Given = {}) => lines([JSON.stringify(value)], given)

function refusal(row: Row, given: Given = {}): string {
  try {
    lines([row], given)
  } catch (error) {
    assert.ok(error instanceof SinkRecordError, String(error))
    assert.deepEqual([error.topic, error.partition, error.offset], ['flights', 0, 7])
    return error.message.replace('topic flights, partition 0, offset 7: ', '')
  }
  return 'taken'
}

test('influxdb: values as line protocol has them', () => {
  const field = (value: unknown) => line({ v: value }).slice('flights v='.length, -' 1007000000\n'.length)
  // docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol: floats as they are, strings in double quotes, with a backslash before those and itself.
  assert.equal(field(5), '5')
  assert.equal(field(-0.1), '-0.1')
  assert.equal(field(1e300), '1e+300')
  assert.equal(field(true), 'true')
  assert.equal(field('say "hi" \\ é'), '"say \\"hi\\" \\\\ é"')
  assert.equal(field('a\nb'), '"a\nb"')
  assert.equal(field(''), '""')
  assert.equal(field({ a: ['"'] }), '"{\\"a\\":[\\"\\\\\\"\\"]}"')
})

test('influxdb: measurement, tags and names are escaped', () => {
  const odd = 'a b,c=d"e'
  assert.equal(
    line({ [odd]: 'x, y=z "w"', v: 1 }, { tags: [odd], measurement: 'm, n=o' }),
    'm\\,\\ n=o,a\\ b\\,c\\=d"e=x\\,\\ y\\=z\\ "w" v=1 1007000000\n',
  )
  assert.equal(line({ [odd]: 1 }), 'flights a\\ b\\,c\\=d"e=1 1007000000\n')
})

test('influxdb: tags stand in the order of their names; null and empty ones are left out, as are null fields', () => {
  const tags = ['b', 'a', '$topic', 'none', 'empty']
  assert.equal(
    line({ a: 1, b: true, none: null, empty: '', v: 1, w: null }, { tags }),
    'flights,a=1,b=true,topic=flights v=1 1007000000\n',
  )
  assert.equal(refusal('{"v":null}'), 'every field is null, and a point needs one')
  assert.equal(refusal('{}'), 'every field is null, and a point needs one')
})

test('influxdb: fields of a type take what it holds, to the last digit', () => {
  const field = (type: 'float' | 'integer' | 'boolean' | 'string', value: unknown) =>
    line({ v: value }, { fields: [{ name: 'f', field: 'v', type }] }).slice(
      'flights f='.length,
      -' 1007000000\n'.length,
    )
  assert.equal(field('integer', -5), '-5i')
  assert.equal(field('integer', '9223372036854775807'), '9223372036854775807i')
  assert.equal(field('integer', '-007'), '-7i')
  assert.equal(field('float', 5), '5')
  assert.equal(field('string', [1]), '"[1]"')
  assert.equal(field('boolean', false), 'false')
  for (const [type, value] of [
    ['integer', 1.5],
    ['integer', '9223372036854775808'],
    ['integer', 2 ** 53],
    ['integer', '1e3'],
    ['float', '5'],
    ['boolean', 1],
    ['string', 5],
  ] as const) {
    const said = refusal(JSON.stringify({ v: value }), { fields: [{ name: 'f', field: 'v', type }] })
    assert.match(said, new RegExp(`^"v" is .*, and the field f takes ${type}$`), `${type} ${value}`)
  }
})

test('influxdb: a whole number that a float cannot hold is refused, with what to do', () => {
  const encoder = new LineEncoder({
    measurement: 'm',
    mode: 'upsert',
    tags: [],
    fields: undefined,
    timeField: undefined,
    valueType: 'json',
  })
  const batch = batchOf(['{"v":1}'])
  assert.throws(
    () => encoder.encode({ ...batch, values: [{ v: 9007199254740993n }] }),
    /"v" is .*, and the field v takes numbers, .*: give it the type integer, as a float has 53 bits/,
  )
})

test('influxdb: what no point can hold is an error that names the record', () => {
  assert.match(refusal('[1]'), /the value is an array \[1\], and points need a JSON object, or "fields"/)
  assert.match(refusal(null), /the value is null/)
  assert.match(refusal('{"w":1}', { fields: ['v'] }), /the value has no field "v" \(did you mean "w"\?\)/)
  assert.match(refusal('{"t":"a\\nb","v":1}', { tags: ['t'] }), /"t" is .*, which no tag can hold: it has a line break/)
  assert.match(refusal('{"t":"a\\\\","v":1}', { tags: ['t'] }), /which no tag can hold: it ends with a backslash/)
  assert.match(refusal('{"t":[1],"v":1}', { tags: ['t'] }), /"t" is an array \[1\], and a tag takes strings, numbers/)
  assert.match(refusal('{"v":"\\ud800"}'), /"v" is the string .*, and the field v takes/)
  assert.match(
    refusal('{"time":1}'),
    /InfluxDB has no field "time": it is the name of its times\. Give it another name in "fields"/,
  )
  assert.match(refusal('{"a\\nb":1}'), /InfluxDB has no field "a\\nb": it has a line break/)
})

test('influxdb: in append mode the partition is a tag, and the offset stands below the millisecond', () => {
  const append = { mode: 'append' } as const
  assert.equal(line({ v: 1 }, append), 'flights,partition=0 v=1 1007000007\n')
  assert.equal(line({ v: 1 }, { ...append, first: 12_345_678 }), 'flights,partition=0 v=1 12346678345678\n')
  assert.equal(
    line({ v: 1, at: '2024-02-29T12:00:00.123456789Z' }, { ...append, timeField: 'at' }),
    'flights,partition=0 v=1 1709208000123000007\n',
  )
  assert.equal(line({ v: 1, at: -1 }, { ...append, timeField: 'at' }), 'flights,partition=0 v=1 -999993\n')
  assert.equal(
    line({ v: 1 }, { ...append, tags: [{ name: 'p', field: '$partition' }] }),
    'flights,p=0 v=1 1007000007\n',
  )
})

test('influxdb: times are those of the record or of a field, as fine as they come', () => {
  const at = (value: unknown) => line({ v: 1, at: value }, { timeField: 'at' }).slice('flights v=1 '.length, -1)
  assert.equal(at(1_700_000_000_007), '1700000000007000000')
  assert.equal(at('2024-02-29T12:00:00.123456789+02:00'), '1709200800123456789')
  assert.equal(at('1969-12-31T23:59:59.9999Z'), '-100000')
  assert.equal(at(0), '0')
  for (const value of ['now', null, '2263-01-01', '1677-01-01', true, '2024-02-30']) {
    const said = refusal(JSON.stringify({ v: 1, at: value }), { timeField: 'at' })
    assert.match(said, /^"at" is .*, and a time is milliseconds since 1970 or ISO 8601, from 1677-09-21 to 2262-04-11$/)
  }
  assert.match(refusal('{"v":1}', { timeField: 'at' }), /the value has no field "at"/)
})

test('instantOf: ISO 8601 and milliseconds, and nothing that is near them', () => {
  assert.deepEqual(instantOf('2024-02-29 12:00'), { ms: Date.UTC(2024, 1, 29, 12), nanoseconds: '000000000' })
  assert.deepEqual(instantOf('2024-02-29T12:00:01,5-0330'), {
    ms: Date.UTC(2024, 1, 29, 15, 30, 1, 500),
    nanoseconds: '500000000',
  })
  assert.deepEqual(instantOf(-1), { ms: -1, nanoseconds: '999000000' })
  assert.deepEqual(instantOf(1.9), { ms: 1, nanoseconds: '001000000' })
  assert.deepEqual(instantOf('0001-01-01'), { ms: Date.parse('0001-01-01T00:00:00Z'), nanoseconds: '000000000' })
  for (const value of [
    '2023-02-29',
    '2024-1-1',
    '2024-01-01T24:00',
    '2024-01-01T12',
    '',
    'x2024-01-01',
    Number.NaN,
    {},
  ])
    assert.equal(instantOf(value), undefined, JSON.stringify(value))
})

test('influxdb: values that are no JSON are the field value', () => {
  assert.equal(lines(['some "text"'], { valueType: 'string' }), 'flights value="some \\"text\\"" 1007000000\n')
  const bytes = [{ value: Buffer.from([0, 255]) }]
  assert.equal(lines(bytes, { valueType: 'bytes' }), 'flights value="AP8=" 1007000000\n')
  assert.equal(lines(bytes, { valueType: 'bytes', fields: ['$offset'] }), 'flights offset=7 1007000000\n')
})

const made = (given: object, measurements = new Measurements()) =>
  new InfluxdbSink(options.parse(given), new InfluxSender(measurements))

test('influxdb: requests of versions 1 and 2', async () => {
  const one = new Measurements()
  const given = { database: 'a "b"', 'retention.policy': 'short', user: 'u', password: SECRET, gzip: false }
  await storeAll(made(given, one), contextOf(), batchOf(['{"v":1}']))
  assert.deepEqual(
    one.requests.map(({ method, path }) => `${method} ${path}`),
    ['GET /ping', 'POST /query', 'POST /write?db=a+%22b%22&rp=short&precision=ns'],
  )
  assert.equal(decodeURIComponent(one.requests[1]!.body), 'q=CREATE DATABASE "a \\"b\\""')
  const basic = `Basic ${Buffer.from(`u:${SECRET}`).toString('base64')}`
  for (const { headers } of one.requests) assert.equal(headers['authorization'], basic)
  assert.equal(one.requests[2]!.headers['content-encoding'], undefined)

  const two = new Measurements()
  const bucket = { bucket: 'b', org: 'o', token: SECRET, url: 'http://influx:8086/base/' }
  await storeAll(made(bucket, two), contextOf(), batchOf(['{"v":1}']))
  assert.deepEqual(
    two.requests.map(({ method, path }) => `${method} ${path}`),
    ['GET /base/ping', 'POST /base/api/v2/write?bucket=b&org=o&precision=ns'],
  )
  assert.equal(two.requests[1]!.headers['authorization'], `Token ${SECRET}`)
  assert.equal(two.requests[1]!.headers['content-encoding'], 'gzip')
  assert.equal(two.requests[1]!.body, 'flights,partition=0 v=1 1000000000\n')
})

test('influxdb: requests are cut by their bytes', async () => {
  const measurements = new Measurements()
  const sink = made({ database: 'a', 'request.bytes': 100 }, measurements)
  await storeAll(sink, contextOf(), batchOf(Array.from({ length: 10 }, (_, id) => `{"id":${id}}`)))
  const writes = measurements.requests.filter(({ path }) => path.startsWith('/write'))
  assert.deepEqual(
    writes.map(({ body }) => body.split('\n').length - 1),
    [2, 2, 2, 2, 2],
  )
  assert.equal(measurements.points.size, 10)
})

test('influxdb: answers, and what they mean', () => {
  const answer = (status: number, body: object | string = '') =>
    writeOutcome({ status, body: typeof body === 'string' ? body : JSON.stringify(body) }, 'http://influx')
  assert.deepEqual(answer(204), { kind: 'stored' })
  assert.deepEqual(answer(400, { error: 'partial write: x dropped=1' }), {
    kind: 'split',
    why: 'partial write: x dropped=1',
  })
  assert.deepEqual(answer(422, { code: 'unprocessable entity', message: 'too old' }), { kind: 'split', why: 'too old' })
  assert.deepEqual(answer(413), { kind: 'split', why: 'status 413 without a reason' })
  for (const status of [429, 500, 503]) assert.throws(() => answer(status, 'busy'), SinkUnavailableError)
  for (const status of [401, 403, 404, 405]) assert.throws(() => answer(status, { message: 'no' }), SinkRefusedError)
  assert.throws(
    () => answer(401, { code: 'unauthorized', message: 'unauthorized access' }),
    /answers 401: unauthorized access; are "user" and "password", or "token", right/,
  )
  assert.throws(
    () => answer(404, { message: 'bucket "b" not found' }),
    /create it, or correct "database", "bucket" or "org"/,
  )
})

test('influxdb: the point that spoils a request is found, and what was stored with it is stored once', async () => {
  const measurements = new Measurements()
  measurements.answer = (_, path, body) => {
    if (!path.startsWith('/write') || !body.includes('id=6,')) return undefined
    // As InfluxDB does: the others of the request are stored.
    measurements.write(
      body
        .split('\n')
        .filter((one) => !one.includes('id=6,'))
        .join('\n'),
    )
    return { status: 400, body: '{"error":"partial write: conflict dropped=1"}' }
  }
  const sink = made({ database: 'a' }, measurements)
  const context = contextOf()
  await opened(sink, context)
  await sink.write(batchOf(Array.from({ length: 10 }, (_, id) => `{"id":${id},"v":1}`)))
  await assert.rejects(sink.flush(flights, 10, context.signal), (error) => {
    assert.ok(error instanceof SinkRecordError)
    assert.equal(error.offset, 6)
    assert.match(error.message, /http:\/\/localhost:8086 refuses the point: partial write: conflict dropped=1/)
    return true
  })
  assert.equal(measurements.points.size, 9)
})

test('influxdb: a server that is not there yet is waited for; one that wants a password is not', async () => {
  const measurements = new Measurements()
  measurements.isDown = true
  await assert.rejects(
    made({ database: 'a', 'open.timeout.ms': 0 }, measurements).open(contextOf()),
    /no node has answered: .*ECONNREFUSED.*Gave up after "open\.timeout\.ms", 0 ms/,
  )
  const opening = made({ database: 'a' }, measurements).open(contextOf())
  measurements.isDown = false
  assert.equal((await opening).guarantee, 'idempotent')
  measurements.answer = (_, path) => (path === '/query' ? { status: 401, body: '{"error":"no"}' } : undefined)
  await assert.rejects(
    made({ database: 'a' }, measurements).open(contextOf()),
    /answers 401: no; are "user" and "password"/,
  )
  // Who may not make a database may still write.
  measurements.answer = (_, path) => (path === '/query' ? { status: 403, body: '{"error":"no"}' } : undefined)
  await made({ database: 'a' }, measurements).open(contextOf())
  await assert.rejects(
    made({ database: 'a', tags: ['x'] }).open(contextOf({ valueType: 'string' })),
    /takes "x" out of the value, and values are read as string: set "value": "json"/,
  )
})

test('influxdb: options are checked as a whole, and no message shows a secret', () => {
  const problems: readonly [object, RegExp][] = [
    [{ database: undefined }, /sink\.database \(InfluxDB 1 and 3\) or sink\.bucket \(InfluxDB 2\) is missing/],
    [{ bucket: 'b' }, /sink\.database .* or sink\.bucket .* is missing: give one of the two/],
    [{ org: 'o' }, /sink\.org goes with sink\.bucket/],
    [{ database: undefined, bucket: 'b', 'retention.policy': 'p' }, /sink\.retention\.policy goes with sink\.database/],
    [{ user: 'u' }, /sink\.user and sink\.password are given together/],
    [{ user: 'u', password: SECRET, token: SECRET }, /sink\.token stands in place of/],
    [{ url: `http://u:${SECRET}@h` }, /sink\.url holds a user or password/],
    [{ url: 'http://h/write?db=x' }, /sink\.url has a query/],
    [{ url: 'influx:8086' }, /sink\.url is not shown: expected http/],
    [{ measurement: '#m' }, /expected a name that does not begin with #/],
    [{ tags: ['a'], fields: ['a'] }, /have "a" twice/],
    [{ fields: ['time'] }, /have "time", the name of InfluxDB’s own times/],
    [{ tags: ['partition'] }, /have "partition", the tag of the record’s own partition/],
    [{ tags: [{ name: 'a', type: 'float' }] }, /type/],
    [{ tokn: SECRET }, /sink\.tokn is no option \(did you mean "token"\?\)/],
  ]
  for (const [changes, message] of problems) {
    assert.throws(
      () => sinks.configure({ type: 'influxdb', database: 'a', ...changes }).create(),
      (error) => {
        assert.ok(error instanceof SinkOptionsError, String(error))
        assert.match(error.message, message)
        assert.ok(!error.message.includes(SECRET))
        return true
      },
    )
  }
  sinks.configure({ type: 'influxdb', database: 'a', mode: 'upsert', tags: ['partition'] }).create()
})
