/** The elasticsearch sink's own ways: ids, documents, requests, what it refuses and how it says so. Real clusters: test/compat/elasticsearch.compat.ts. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { ElasticsearchSink } from '../../src/sinks/elasticsearch.ts'
import { options } from '../../src/sinks/elasticsearch-options.ts'
import { sinks } from '../../src/sinks/index.ts'
import {
  SinkOptionsError,
  SinkRecordError,
  SinkRefusedError,
  SinkSequenceError,
  SinkUnavailableError,
  type SinkContext,
} from '../../src/sinks/sink.ts'
import { batchOf, contextOf, flights, opened } from './fixtures.ts'
import { answerOf, Index, SearchSender } from './search-cluster.ts'

const { signal } = contextOf()
const assign = { topicPartition: flights, committed: undefined, generation: 1 }

async function sinkOver(index: Index, given: object = {}, context: SinkContext = contextOf()) {
  const sink = new ElasticsearchSink(options.parse(given), new SearchSender(index))
  await opened(sink, context)
  return sink
}

const bulksOf = (index: Index) => index.requests.filter(({ path }) => path.startsWith('/_bulk'))

test('append: a document of each record, named for where it stands; the same again changes nothing', async () => {
  const index = new Index()
  const sink = await sinkOver(index)
  for (let round = 0; round < 2; round++) {
    await sink.write(batchOf(['{"a":1}', '{"a":2}'], { first: 7 }))
    assert.deepEqual(await sink.flush(flights, 9, signal), { durable: 9 })
    await sink.assigned([assign])
  }
  assert.deepEqual(
    [...index.documents].map(([id, { source }]) => [id, source]),
    [
      ['cluster-1.id-of-flights.0.7', { a: 1 }],
      ['cluster-1.id-of-flights.0.8', { a: 2 }],
    ],
  )
  const [first] = bulksOf(index)
  assert.match(first!.body, /^\{"create":\{"_index":"flights","_id":"cluster-1\.id-of-flights\.0\.7"\}\}\n\{"a":1\}\n/)
  assert.equal(first!.path, '/_bulk?filter_path=errors%2Citems.*.status%2Citems.*.error')
  assert.equal(first!.headers['content-type'], 'application/x-ndjson')
  assert.equal(first!.headers['content-encoding'], 'gzip')
})

test('upsert: the key is the id, the offset the version; a record without a value deletes', async () => {
  const index = new Index()
  const sink = await sinkOver(index, { mode: 'upsert' })
  const row = (key: string, value: string | null) => ({ key, value })
  await sink.write(batchOf([row('a', '{"v":1}'), row('b', '{"v":2}'), row('a', '{"v":3}'), row('b', null)]))
  await sink.flush(flights, 4, signal)
  assert.deepEqual([...index.documents], [['a', { source: { v: 3 }, version: 2 }]])
  assert.match(
    bulksOf(index)[0]!.body,
    /\{"delete":\{"_index":"flights","_id":"b","version":3,"version_type":"external"\}\}\n$/,
  )
  await assert.rejects(
    sink.write(batchOf([{ key: null, value: '{}' }], { first: 4 })),
    (error: Error) => error instanceof SinkRecordError && /it has no key/.test(error.message),
  )
  assert.deepEqual(index.meta, { sluice: { 'cluster-1/flights': 'id-of-flights' } })
})

test('documents: the text as it came, columns, other values, the timestamp', async () => {
  const sourcesOf = async (given: object, rows: (string | null)[], valueType: 'json' | 'string' = 'json') => {
    const index = new Index()
    const sink = await sinkOver(index, given, contextOf({ valueType }))
    await sink.write(batchOf(rows, { valueType }))
    await sink.flush(flights, rows.length, signal)
    return bulksOf(index)[0]!
      .body.split('\n')
      .filter((_, line) => line % 2 === 1)
  }
  assert.deepEqual(await sourcesOf({}, ['{"n": 9007199254740993,\r\n "s":"a\\nb"}']), [
    '{"n": 9007199254740993,   "s":"a\\nb"}',
  ])
  assert.deepEqual(await sourcesOf({ columns: ['a', '$offset'] }, ['{"a":[1],"b":2}']), ['{"a":[1],"offset":0}'])
  assert.deepEqual(await sourcesOf({}, ['text'], 'string'), [
    '{"topic":"flights","partition":0,"offset":0,"timestamp":1000,"key":null,"value":"text"}',
  ])
  assert.deepEqual(await sourcesOf({ 'timestamp.field': '@timestamp' }, ['{"a":1}', ' {} ', '{"@timestamp":5}']), [
    '{"@timestamp":1000,"a":1}',
    '{"@timestamp":1001} ',
    '{"@timestamp":5}',
  ])
})

test('the timestamp stands in a document once, whatever its columns are called', async () => {
  for (const [given, field] of [
    [{}, 'timestamp'],
    [{ columns: ['$timestamp'] }, 'timestamp'],
    [{ columns: ['at'] }, 'at'],
    [{ columns: ['at'] }, '@timestamp'],
  ] as const) {
    const index = new Index()
    const sink = await sinkOver(
      index,
      { ...given, 'timestamp.field': field },
      contextOf({ valueType: 'columns' in given ? 'json' : 'string' }),
    )
    await sink.write(batchOf(['{"at":5}']))
    await sink.flush(flights, 1, signal)
    const document = bulksOf(index)[0]!.body.split('\n')[1]!
    assert.equal(document.split(`"${field}":`).length, 2, document)
  }
})

test('a value that can be no document is named', async () => {
  for (const [value, why] of [
    ['[1]', /the value is an array/],
    ['5', /the value is a number/],
    ['null', /it has no value/],
    [null, /it has no value/],
  ] as const) {
    const sink = await sinkOver(new Index())
    await assert.rejects(sink.write(batchOf([value])), (error: Error) => {
      assert.ok(error instanceof SinkRecordError)
      assert.match(error.message, why)
      return true
    })
  }
})

test('requests are no larger than request.bytes, and begin anew where one failed', async () => {
  const index = new Index()
  const sink = await sinkOver(index, { 'request.bytes': 300, pipeline: 'geo' })
  await sink.write(batchOf(Array.from({ length: 10 }, (_, n) => JSON.stringify({ n }))))
  let bulks = 0
  index.answer = (_, path) => (path.startsWith('/_bulk') && ++bulks === 3 ? answerOf(503, {}) : undefined)
  await assert.rejects(sink.flush(flights, 10, signal), SinkUnavailableError)
  assert.deepEqual(await sink.flush(flights, 10, signal), { durable: 10 })
  assert.equal(index.documents.size, 10)
  for (const { body, path } of bulksOf(index)) {
    assert.ok(body.length <= 300, `${body.length} bytes`)
    assert.match(path, /pipeline=geo/)
  }
  const ids = bulksOf(index).flatMap(({ body }) => [...body.matchAll(/flights\.0\.(\d+)/g)].map(([, id]) => Number(id)))
  assert.equal(ids.filter((id) => id === 0).length, 1, 'what was stored is not sent again')
})

test('of a request only what the index had no room for is asked again', async () => {
  const index = new Index()
  const sink = await sinkOver(index)
  index.result = (_, id) =>
    id.endsWith('.1') ? { status: 429, error: { type: 'rejected_execution_exception', reason: 'full' } } : undefined
  await sink.write(batchOf(['{"n":0}', '{"n":1}', '{"n":2}']))
  await assert.rejects(sink.flush(flights, 3, signal), (error: Error) => {
    assert.ok(error instanceof SinkUnavailableError)
    assert.match(error.message, /did not take 1 of 3 operations now: full \(rejected_execution_exception, 429\)/)
    return true
  })
  index.result = () => undefined
  await sink.write(batchOf(['{"n":3}'], { first: 3 }))
  assert.deepEqual(await sink.flush(flights, 4, signal), { durable: 4 })
  assert.equal(index.documents.size, 4)
  assert.equal(bulksOf(index).at(-1)!.body.split('\n').length, 5, 'two operations')
})

test('a request that is refused as a whole is sent in pieces, down to the record that spoils it', async () => {
  const index = new Index()
  const sink = await sinkOver(index)
  index.answer = (_, path, body) =>
    path.startsWith('/_bulk') && body.includes('"bad"')
      ? answerOf(400, { error: { type: 'illegal_argument_exception', reason: 'malformed' } })
      : undefined
  await sink.write(batchOf(['{"n":0}', '{"n":1}', '{"n":2}', '{"n":"bad"}', '{"n":4}']))
  await assert.rejects(sink.flush(flights, 5, signal), (error: Error) => {
    assert.ok(error instanceof SinkRecordError)
    assert.equal(error.offset, 3)
    assert.match(error.message, /HTTP 400: malformed \(illegal_argument_exception\)/)
    return true
  })
})

test('answers: what is wrong is told apart from what may pass', async () => {
  const of = (status: number, type: string) => ({ status, error: { type, reason: 'because' } })
  for (const [result, type, message] of [
    [of(400, 'mapper_parsing_exception'), SinkRecordError, /the index does not take it: because/],
    [of(403, 'security_exception'), SinkRefusedError, /give this user the right to write there/],
    [of(404, 'index_not_found_exception'), SinkRefusedError, /create the index/],
    [of(403, 'cluster_block_exception'), SinkUnavailableError, /because \(cluster_block_exception, 403\)/],
    [of(503, 'unavailable_shards_exception'), SinkUnavailableError, /unavailable_shards/],
  ] as const) {
    const index = new Index()
    const sink = await sinkOver(index)
    index.result = () => result
    await sink.write(batchOf(['{"n":0}']))
    await assert.rejects(sink.flush(flights, 1, signal), (error: Error) => {
      assert.ok(error instanceof type, `${error.name}: ${error.message}`)
      assert.match(error.message, message)
      return true
    })
  }
  for (const [status, type, message] of [
    [401, SinkRefusedError, /are "user" and "password", or "api.key", right\?/],
    [403, SinkRefusedError, /give it the right to write into the index/],
    [405, SinkRefusedError, /is "url" the address of an Elasticsearch or OpenSearch\?/],
    [429, SinkUnavailableError, /cannot take more now: HTTP 429/],
    [502, SinkUnavailableError, /HTTP 502/],
  ] as const) {
    const index = new Index()
    index.answer = () => ({ status, body: '<html>' })
    await assert.rejects(sinkOver(index, { index: 'flights' }), (error: Error) => {
      assert.ok(error instanceof type, `${status}: ${error.name}`)
      assert.match(error.message, message)
      return true
    })
  }
})

test('a bulk answer that does not fit its request is no answer', async () => {
  const index = new Index()
  const sink = await sinkOver(index)
  await sink.write(batchOf(['{"n":0}']))
  for (const body of ['', 'garbage', '{"items":[]}']) {
    index.answer = () => ({ status: 200, body })
    await assert.rejects(sink.flush(flights, 1, signal), SinkUnavailableError)
  }
  index.answer = () => undefined
  assert.deepEqual(await sink.flush(flights, 1, signal), { durable: 1 })
})

test('nodes: another one is asked when one does not answer; without any, each is named', async (t) => {
  const server = createServer((_, response) => response.writeHead(404).end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const alive = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const dead = 'http://127.0.0.1:1'
  const over = (url: string[]) => sinks.configure({ type: 'elasticsearch', url }).create()
  assert.equal((await over([dead, alive]).open(contextOf())).guarantee, 'idempotent')
  await assert.rejects(over([dead, 'http://127.0.0.1:2']).open(contextOf()), (error: Error) => {
    assert.ok(error instanceof SinkUnavailableError)
    assert.match(
      error.message,
      /no node has answered: http:\/\/127\.0\.0\.1:1 refuses .*; http:\/\/127\.0\.0\.1:2 refuses/,
    )
    return true
  })
})

test('over HTTP: the body arrives, with the credentials, and no message holds them', async (t) => {
  const seen: { authorization: string | undefined; method: string | undefined; bytes: number }[] = []
  const server = createServer((request, response) => {
    let bytes = 0
    request.on('data', (chunk: Buffer) => (bytes += chunk.length))
    request.on('end', () => {
      seen.push({ authorization: request.headers.authorization, method: request.method, bytes })
      response.writeHead(request.method === 'HEAD' ? 200 : 401).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const given = { type: 'elasticsearch', url, user: 'sluice', password: 'se:cret-7F' }
  const sink = sinks.configure(given).create()
  await opened(sink, contextOf())
  await sink.write(batchOf(['{"n":0}']))
  await assert.rejects(sink.flush(flights, 1, signal), (error: Error) => {
    assert.ok(error instanceof SinkRefusedError)
    assert.doesNotMatch(error.message, /se:cret-7F/)
    return true
  })
  const authorization = `Basic ${Buffer.from('sluice:se:cret-7F').toString('base64')}`
  assert.deepEqual(
    seen.map((one) => [one.method, one.authorization]),
    [
      ['HEAD', authorization],
      ['POST', authorization],
    ],
  )
  assert.ok(seen[1]!.bytes > 0)
})

test('the runner’s mistakes, a topic that can be no index, and options that contradict each other', async () => {
  const sink = await sinkOver(new Index())
  await sink.write(batchOf(['{"n":0}']))
  await assert.rejects(sink.write(batchOf(['{"n":5}'], { first: 5 })), SinkSequenceError)
  await assert.rejects(sink.flush(flights, 9, signal), SinkSequenceError)
  await assert.rejects(
    sink.assigned([{ ...assign, topicPartition: { topic: '_internal', partition: 0 } }]),
    (error: Error) => {
      assert.ok(error instanceof SinkRefusedError)
      assert.match(
        error.message,
        /no index can have the name of the topic _internal: it begins with one of - _ \+\. Set "index"/,
      )
      return true
    },
  )
  const refusal = (given: object): string => {
    try {
      sinks.configure({ type: 'elasticsearch', ...given }).create()
    } catch (error) {
      assert.ok(error instanceof SinkOptionsError, String(error))
      return error.message
    }
    return assert.fail('it was taken')
  }
  assert.match(refusal({ index: 'Flights' }), /expected a name in lower case/)
  assert.match(refusal({ user: 'only' }), /are given together, or neither/)
  assert.match(refusal({ user: 'a', password: 'b', 'api.key': 'c' }), /give one of them/)
  assert.match(refusal({ url: 'http://a:b@localhost:9200' }), /use "user" and "password"/)
  assert.match(refusal({ url: 'localhost:9200' }), /expected http:\/\/host:port/)
  await assert.rejects(
    sinkOver(new Index(), { columns: ['a'] }, contextOf({ valueType: 'string' })),
    /the elasticsearch sink has the column "a", and values are read as string/,
  )
})
