/** The rules of KIP-227, without sockets: what FetchSessionTest of Apache Kafka asks of its FetchManager. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type FetchContext,
  type FetchPartition,
  FetchSessionCache,
  type PartitionNews,
} from '../../src/broker/fetch-session.ts'
import { codeOf } from '../../src/protocol/error-codes.ts'
import { systemClock } from '../../src/seams/clock.ts'
import { seededRandom } from '../../src/seams/random.ts'

function cacheOf(slots = 10) {
  let now = 0
  const clock = { ...systemClock, monotonic: () => now }
  const cache = new FetchSessionCache({ slots, clock, random: seededRandom(1) })
  return { cache, pass: (ms: number) => void (now += ms) }
}

function partition(topic: string, index: number, fetchOffset = 0): FetchPartition {
  return {
    topic,
    topicId: 'AAAAAAAAAAAAAAAAAAAAAA',
    partition: index,
    currentLeaderEpoch: -1,
    fetchOffset,
    lastFetchedEpoch: -1,
    partitionMaxBytes: 100,
  }
}

function news(over: Partial<PartitionNews> = {}): PartitionNews {
  return { errorCode: 0, highWatermark: 10, logStartOffset: 0, hasRecords: false, diverges: false, ...over }
}

function fetchOf(cache: FetchSessionCache, sessionId: number, sessionEpoch: number, partitions: FetchPartition[] = []) {
  const request = { version: 12, sessionId, sessionEpoch, partitions, forgotten: [] }
  return cache.contextOf(request)
}

function finish(context: FetchContext, ...results: PartitionNews[]) {
  assert.equal(context.kind, 'fetch')
  assert.equal(context.partitions.length, results.length)
  return context.finish(results)
}

function errorOf(context: FetchContext): number {
  assert.equal(context.kind, 'error')
  return context.errorCode
}

function openSession(cache: FetchSessionCache, ...partitions: FetchPartition[]): number {
  return finish(fetchOf(cache, 0, 0, partitions), ...partitions.map(() => news())).sessionId
}

test('fetch session: a full request with epoch 0 opens one, with epoch -1 none', () => {
  const { cache } = cacheOf()
  assert.equal(finish(fetchOf(cache, 0, -1, [partition('a', 0)]), news()).sessionId, 0)
  assert.notEqual(openSession(cache, partition('a', 0)), 0)
  assert.equal(cache.size, 1)
})

test('fetch session: an incremental request fetches what the session holds, and is told only what is new', () => {
  const { cache } = cacheOf()
  const id = openSession(cache, partition('a', 0), partition('a', 1))
  assert.deepEqual(finish(fetchOf(cache, id, 1), news(), news()).included, [])
  assert.deepEqual(finish(fetchOf(cache, id, 2), news(), news({ highWatermark: 11 })).included, [1])
  assert.deepEqual(
    finish(fetchOf(cache, id, 3), news({ logStartOffset: 5 }), news({ highWatermark: 11 })).included,
    [0],
  )
})

test('fetch session: an error is told each time, and once more when it is over', () => {
  const { cache } = cacheOf()
  const id = openSession(cache, partition('a', 0))
  const failed = news({ errorCode: 3, highWatermark: -1, logStartOffset: -1 })
  assert.deepEqual(finish(fetchOf(cache, id, 1), failed).included, [0])
  assert.deepEqual(finish(fetchOf(cache, id, 2), failed).included, [0])
  assert.deepEqual(finish(fetchOf(cache, id, 3), news()).included, [0])
  assert.deepEqual(finish(fetchOf(cache, id, 4), news()).included, [])
})

test('fetch session: a partition that got records is served last the next time', () => {
  const { cache } = cacheOf()
  const id = openSession(cache, partition('a', 0), partition('a', 1))
  finish(fetchOf(cache, id, 1), news({ hasRecords: true }), news())
  const context = fetchOf(cache, id, 2)
  assert.equal(context.kind, 'fetch')
  assert.deepEqual(
    context.partitions.map((one) => one.partition),
    [1, 0],
  )
})

test('fetch session: named partitions are added or moved, forgotten ones left out, and none ends it', () => {
  const { cache } = cacheOf()
  const id = openSession(cache, partition('a', 0))
  const grown = fetchOf(cache, id, 1, [partition('a', 0, 7), partition('b', 0)])
  assert.equal(grown.kind, 'fetch')
  assert.deepEqual(
    grown.partitions.map((one) => [one.topic, one.fetchOffset]),
    [
      ['a', 7],
      ['b', 0],
    ],
  )
  const forgotten = [partition('a', 0), partition('b', 0)]
  const emptied = cache.contextOf({ version: 12, sessionId: id, sessionEpoch: 2, partitions: [], forgotten })
  assert.deepEqual(finish(emptied), { errorCode: 0, sessionId: 0, included: [] })
  assert.equal(cache.size, 0)
})

test('fetch session: an unknown id and a wrong epoch are errors', () => {
  const { cache } = cacheOf()
  const id = openSession(cache, partition('a', 0))
  assert.equal(errorOf(fetchOf(cache, id + 1, 1)), codeOf('FETCH_SESSION_ID_NOT_FOUND'))
  assert.equal(errorOf(fetchOf(cache, id, 2)), codeOf('INVALID_FETCH_SESSION_EPOCH'))
  finish(fetchOf(cache, id, 1), news())
  assert.equal(errorOf(fetchOf(cache, id, 1)), codeOf('INVALID_FETCH_SESSION_EPOCH'))
})

test('fetch session: topic names and topic ids do not mix in one session', () => {
  const { cache } = cacheOf()
  const id = openSession(cache, partition('a', 0))
  const mixed = cache.contextOf({ version: 13, sessionId: id, sessionEpoch: 1, partitions: [], forgotten: [] })
  assert.equal(errorOf(mixed), codeOf('FETCH_SESSION_TOPIC_ID_ERROR'))
})

test('fetch session: two requests of one session at once: the earlier is told that its epoch is over', () => {
  const { cache } = cacheOf()
  const id = openSession(cache, partition('a', 0))
  const first = fetchOf(cache, id, 1)
  const second = fetchOf(cache, id, 2)
  assert.equal(finish(first, news()).errorCode, codeOf('INVALID_FETCH_SESSION_EPOCH'))
  assert.equal(finish(second, news()).errorCode, 0)
})

test('fetch session: a full request that names a session closes it', () => {
  const { cache } = cacheOf()
  const id = openSession(cache, partition('a', 0))
  finish(fetchOf(cache, id, -1, [partition('a', 0)]), news())
  assert.equal(errorOf(fetchOf(cache, id, 1)), codeOf('FETCH_SESSION_ID_NOT_FOUND'))
})

test('fetch session: without a slot a client goes on without; one unused for two minutes makes room', () => {
  const { cache, pass } = cacheOf(1)
  const id = openSession(cache, partition('a', 0))
  assert.equal(openSession(cache, partition('b', 0)), 0)
  pass(120_001)
  assert.notEqual(openSession(cache, partition('b', 0)), 0)
  assert.equal(errorOf(fetchOf(cache, id, 1)), codeOf('FETCH_SESSION_ID_NOT_FOUND'))
})

test('fetch session: a larger one takes the place of a smaller that is old, though it is in use', () => {
  const { cache, pass } = cacheOf(1)
  const id = openSession(cache, partition('a', 0))
  pass(120_001)
  finish(fetchOf(cache, id, 1), news())
  assert.equal(openSession(cache, partition('b', 0)), 0)
  assert.notEqual(openSession(cache, partition('b', 0), partition('b', 1)), 0)
})
