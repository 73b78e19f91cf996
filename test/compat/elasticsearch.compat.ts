/** The elasticsearch sink over OpenSearch and Elasticsearch themselves: the conformance suite, and each way in which they refuse. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Sink } from '../../src/sinks/sink.ts'
import { SinkRecordError, SinkRefusedError, SinkUnavailableError } from '../../src/sinks/sink.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { batchOf, contextOf, flights, opened } from '../sinks/fixtures.ts'
import { until } from '../support/until.ts'
import { makeSink } from './elasticsearch-sink-child.ts'
import { countOf, documentsOf, put } from './search-reading.ts'
import { type SearchServer, startElasticsearch, startOpenSearch } from './search-servers.ts'

const { signal } = contextOf()
const inMemory = 'test/sinks/elasticsearch-conformance.test.ts, in memory'

for (const [name, start] of [
  ['OpenSearch', startOpenSearch],
  ['Elasticsearch', startElasticsearch],
] as const) {
  describe(name, () => {
    // One server for all cases, as each takes an index of its own.
    let server: SearchServer
    let indexes = 0
    before(async () => {
      server = await start()
      // A node that starts makes these tests wait for a first flush of its own; a replica has no place to be.
      await put(server.url, '/_template/all', { index_patterns: ['*'], settings: { number_of_replicas: 0 } })
    })
    after(() => server?.stop())
    const fresh = () => `test-${++indexes}`

    for (const mode of ['append', 'upsert'] as const) {
      sinkConformance({
        name: `elasticsearch over ${name}, ${mode}`,
        guarantee: 'idempotent',
        poison: '[1]',
        rounds: 2,
        skip: {
          'the disk is full at any step, and is not lost on it': inMemory,
          'the disk stays full until the owner gives up': inMemory,
          'a flush that is aborted at any step can be repeated': inMemory,
          ...(mode === 'append' && {
            'a topic that was created again is not taken for the old one': 'its ids are others',
          }),
        },
        async makeStore() {
          const index = fresh()
          const argument = JSON.stringify({ url: server.url, index, mode, 'request.timeout.ms': 2000 })
          return {
            create: () => makeSink(argument),
            readBack: async ({ topic, partition }) => {
              if (topic !== 'conformance') return []
              const found = (await documentsOf(server.url, index)).map(({ _source }) => _source)
              const own = found.filter((one) => one['partition'] === partition)
              return own.map(({ id }) => Number(id)).sort((left, right) => left - right)
            },
            async takeDown() {
              await server.pause()
              return { restore: async () => server.resume() }
            },
            child: { module: new URL('./elasticsearch-sink-child.ts', import.meta.url), argument },
          }
        },
      })
    }

    const sinkOver = async (index: string, options: object = {}): Promise<Sink> => {
      const sink = makeSink(JSON.stringify({ url: server.url, index, ...options }))
      await opened(sink, contextOf())
      return sink
    }

    test(`elasticsearch over ${name}: upsert keeps the last of each key, deletes, and takes nothing older`, async (t) => {
      const index = fresh()
      const sink = await sinkOver(index, { mode: 'upsert' })
      t.after(() => sink.close())
      const row = (key: string, value: string | null) => ({ key, value })
      const batch = batchOf([row('a', '{"v":1}'), row('b', '{"v":2}'), row('a', '{"v":3}'), row('b', null)])
      await sink.write(batch)
      await sink.flush(flights, 4, signal)
      const expected = [{ _id: 'a', _source: { v: 3 } }]
      const found = async () => (await documentsOf(server.url, index)).map(({ _id, _source }) => ({ _id, _source }))
      assert.deepEqual(await found(), expected)
      await sink.assigned([{ topicPartition: flights, committed: undefined, generation: 1 }])
      await sink.write(batch)
      await sink.flush(flights, 4, signal)
      assert.deepEqual(await found(), expected, 'again')
    })

    test(`elasticsearch over ${name}: numbers keep all their digits, and a document its timestamp`, async (t) => {
      const index = fresh()
      const sink = await sinkOver(index, { 'timestamp.field': 'at' })
      t.after(() => sink.close())
      const text = '{"big": 9007199254740993,\n "nested": {"a": [1, 2]}}'
      await sink.write(batchOf([text, '{}', '{"at": 5}']))
      await sink.flush(flights, 3, signal)
      await fetch(`${server.url}/${index}/_refresh`, { method: 'POST' })
      const raw = await (await fetch(`${server.url}/${index}/_search?q=nested.a:2`)).text()
      assert.match(raw, /9007199254740993/)
      const found = (await documentsOf(server.url, index)).map(({ _source }) => Number(_source['at']))
      assert.deepEqual(new Set(found), new Set([1000, 1001, 5]))
    })

    test(`elasticsearch over ${name}: a record that the mapping refuses is named, the others are there`, async (t) => {
      const index = fresh()
      await put(server.url, `/${index}`, { mappings: { dynamic: 'strict', properties: { n: { type: 'integer' } } } })
      const sink = await sinkOver(index)
      t.after(() => sink.close())
      await sink.write(batchOf(['{"n":1}', '{"n":"many"}', '{"n":3}', '{"m":4}']))
      await assert.rejects(sink.flush(flights, 4, signal), (error: Error) => {
        assert.ok(error instanceof SinkRecordError, String(error))
        assert.equal(error.offset, 1)
        assert.match(error.message, /the index does not take it: .*(?:mapper|document)_parsing_exception/)
        return true
      })
      assert.equal(await countOf(server.url, index), 2)
    })

    test(`elasticsearch over ${name}: a key of 512 bytes is an id, a longer one is refused before it spoils a request`, async (t) => {
      const index = fresh()
      const sink = await sinkOver(index, { mode: 'upsert' })
      t.after(() => sink.close())
      const rows = Array.from({ length: 5 }, (_, at) => ({ key: `k${at}`, value: '{"n":1}' }))
      await assert.rejects(sink.write(batchOf([...rows, { key: '😀'.repeat(129), value: '{"n":1}' }])), SinkRecordError)
      const longest = { key: '😀'.repeat(128), value: '{"n":1}' }
      await sink.write(batchOf([...rows, longest]))
      await sink.flush(flights, 6, signal)
      assert.equal(await countOf(server.url, index), 6)
    })

    test(`elasticsearch over ${name}: a read-only index is waited for`, async (t) => {
      const index = fresh()
      await put(server.url, `/${index}`, {})
      await put(server.url, `/${index}/_settings`, { 'index.blocks.write': true })
      const sink = await sinkOver(index)
      t.after(() => sink.close())
      await sink.write(batchOf(['{"n":1}']))
      await assert.rejects(sink.flush(flights, 1, signal), (error: Error) => {
        assert.ok(error instanceof SinkUnavailableError, String(error))
        assert.match(error.message, /cluster_block_exception/)
        return true
      })
      await put(server.url, `/${index}/_settings`, { 'index.blocks.write': false })
      assert.deepEqual(await sink.flush(flights, 1, signal), { durable: 1 })
      assert.equal(await countOf(server.url, index), 1)
    })

    test(`elasticsearch over ${name}: a data stream`, async (t) => {
      const index = fresh()
      const template = { index_patterns: [`${index}*`], data_stream: {}, priority: 500 }
      await put(server.url, `/_index_template/${index}`, template)
      const sink = await sinkOver(index, { 'timestamp.field': '@timestamp' })
      t.after(() => sink.close())
      for (const round of [1, 2]) {
        await sink.write(batchOf(['{"n":1}', '{"n":2}']))
        await sink.flush(flights, 2, signal)
        await until(async () => (await countOf(server.url, index)) === 2, { what: `two documents, round ${round}` })
        await sink.assigned([{ topicPartition: flights, committed: undefined, generation: 1 }])
      }
    })

    test(`elasticsearch over ${name}: a topic that was created again is refused for upserts`, async (t) => {
      const index = fresh()
      const first = await sinkOver(index, { mode: 'upsert' })
      t.after(() => first.close())
      const again = makeSink(JSON.stringify({ url: server.url, index, mode: 'upsert' }))
      t.after(() => again.close())
      await assert.rejects(opened(again, contextOf({ topicId: () => 'another' })), (error: Error) => {
        assert.ok(error instanceof SinkRefusedError)
        assert.match(error.message, /deleted and created again/)
        return true
      })
      const same = await sinkOver(index, { mode: 'upsert' })
      await same.close()
    })
  })
}

describe('OpenSearch with a queue of one and little room for a request', () => {
  let server: SearchServer
  before(async () => {
    server = await startOpenSearch([
      'thread_pool.write.size=1',
      'thread_pool.write.queue_size=1',
      'http.max_content_length=20kb',
    ])
  })
  after(() => server?.stop())

  test('elasticsearch: a request that is too large goes in pieces, and a record that is too large is named', async () => {
    const sink = makeSink(JSON.stringify({ url: server.url, index: 'large', gzip: false }))
    await opened(sink, contextOf())
    const row = (length: number) => JSON.stringify({ text: 'x'.repeat(length) })
    await sink.write(batchOf([row(9000), row(9000), row(9000), row(30_000), row(9000)]))
    await assert.rejects(sink.flush(flights, 5, signal), (error: Error) => {
      assert.ok(error instanceof SinkRecordError, String(error))
      assert.equal(error.offset, 3)
      return true
    })
    await sink.assigned([{ topicPartition: flights, committed: undefined, generation: 1 }])
    await sink.write(batchOf([row(9000), row(9000), row(9000)]))
    await sink.flush(flights, 3, signal)
    assert.equal(await countOf(server.url, 'large'), 3)
    await sink.close()
  })

  test('elasticsearch: what is refused for want of room is asked again until all is there, once', async () => {
    await put(server.url, '/busy', { settings: { number_of_shards: 5, number_of_replicas: 0 } })
    const partitions = Array.from({ length: 8 }, (_, partition) => ({ topic: 'busy', partition }))
    const sink = makeSink(JSON.stringify({ url: server.url }))
    await sink.open(contextOf())
    await sink.assigned(partitions.map((topicPartition) => ({ topicPartition, committed: undefined, generation: 1 })))
    let refusals = 0
    const store = async (topicPartition: (typeof partitions)[number]) => {
      const rows = Array.from({ length: 400 }, (_, n) => JSON.stringify({ n, partition: topicPartition.partition }))
      await sink.write(batchOf(rows, { topicPartition }))
      await until(
        async () => {
          try {
            return (await sink.flush(topicPartition, 400, signal)).durable === 400
          } catch (error) {
            if (!(error instanceof SinkUnavailableError)) throw error
            refusals++
            return false
          }
        },
        { everyMs: 50, withinMs: 60_000 },
      )
    }
    await Promise.all(partitions.map(store))
    assert.equal(await countOf(server.url, 'busy'), 3200)
    assert.ok(refusals > 0, 'some were refused')
    await sink.close()
  })
})
