/** Differential cases about records: produced, fetched, looked up by time, deleted. */
import {
  apiVersions,
  deleteRecords,
  fetch,
  findCoordinator,
  initProducerId,
  listOffsets,
  offsetForLeaderEpoch,
  produce,
} from '../../src/protocol/messages/index.ts'
import {
  batchOf,
  type BatchOptions,
  createTopic,
  type FetchFrom,
  fetchFrom,
  type FetchInput,
  offsetOf,
  produceOne,
  produceTo,
} from '../support/wire-requests.ts'
import { until } from '../support/until.ts'
import { type WireClient } from '../support/wire-client.ts'
import { defineCase, type DifferentialCase } from './differential-cases.ts'

const UNKNOWN_ID = 'CZWtt_OdRb2M5hd1q83cGw'

let nextTopic = 0
const topicOfCase = new Map<string, string>()
/** The same name on both brokers, another one for each case. */
function topicFor(what: string): string {
  const known = topicOfCase.get(what) ?? `diff-records-${nextTopic++}`
  topicOfCase.set(what, known)
  return known
}

interface ProduceCase {
  readonly version?: number
  readonly config?: Record<string, string>
  readonly over?: Parameters<typeof produceTo>[2]
}

/** Produces each of these to a new topic, and tells every answer. */
function producing(
  what: string,
  batches: () => (Buffer | null)[],
  { version = 9, config, over }: ProduceCase = {},
): DifferentialCase {
  return defineCase(`Produce: ${what}`, async ({ client }) => {
    const topic = topicFor(what)
    await createTopic(client, topic, 1, config)
    const answers: unknown[] = []
    for (const batch of batches()) answers.push(await produceOne(client, version, topic, batch, over))
    return { answers, end: await offsetOf(client, topic, -1) }
  })
}

function changed(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  change(batch)
  return batch
}

function idempotent(sequence: number, over: BatchOptions = {}): Buffer {
  return batchOf(['x', 'y'], { producerId: 5000, producerEpoch: 0, baseSequence: sequence, ...over })
}

const transactional: BatchOptions = { producerId: 5002, producerEpoch: 0, baseSequence: 0, isTransactional: true }
const abc = () => batchOf(['abcdef'])

const produced: DifferentialCase[] = [
  ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((version) =>
    producing(`version ${version}`, () => [abc(), abc()], { version }),
  ),
  ...(['gzip', 'snappy', 'lz4', 'zstd'] as const).map((compression) =>
    producing(compression, () => [batchOf(['a', 'b'], { compression })]),
  ),
  producing('zstd before version 7', () => [batchOf(['a'], { compression: 'zstd' })], { version: 6 }),
  producing('acks 1', () => [abc()], { over: { acks: 1 } }),
  producing('acks 2', () => [abc()], { over: { acks: 2 } }),
  producing('an unknown partition', () => [abc()], { over: { partition: 7 } }),
  producing('no bytes', () => [Buffer.alloc(0)]),
  producing('two batches', () => [Buffer.concat([abc(), abc()])]),
  producing('a batch cut off', () => [abc().subarray(0, 65)]),
  producing('a header cut off', () => [abc().subarray(0, 20)]),
  producing('a wrong checksum', () => [changed(abc(), (batch) => (batch[batch.length - 2]! ^= 1))]),
  producing('the format of 2014', () => [changed(abc(), (batch) => (batch[16] = 1))]),
  producing('a control batch', () => [batchOf(['x'], { isControl: true })]),
  producing('no timestamp', () => [batchOf(['x'], { timestamp: -1 })]),
  producing('larger than the topic takes', () => [batchOf(['x'.repeat(300)])], {
    config: { 'max.message.bytes': '200' },
  }),
  producing('more replicas wanted in sync than there are', () => [abc()], { config: { 'min.insync.replicas': '2' } }),
  producing('without a key to a compacted topic', () => [batchOf(['a', 'b'])], {
    config: { 'cleanup.policy': 'compact' },
  }),
  producing('a tombstone to a compacted topic', () => [batchOf([{ key: Buffer.from('k'), value: null }])], {
    config: { 'cleanup.policy': 'compact' },
  }),
  producing('sequences', () => [idempotent(0), idempotent(2), idempotent(4)]),
  producing('a sequence left out', () => [idempotent(0), idempotent(5)]),
  producing('a sequence that begins in the middle', () => [idempotent(7)]),
  producing('an epoch that is over', () => [idempotent(0), idempotent(0, { producerEpoch: 1 }), idempotent(2)]),
  producing('a new epoch that does not begin at 0', () => [idempotent(0), idempotent(3, { producerEpoch: 1 })]),
  producing('a duplicate of long ago', () => [0, 2, 4, 6, 8, 10, 0].map((sequence) => idempotent(sequence))),
  producing('a transaction without an id', () => [batchOf(['x'], transactional)]),
  producing('an id and no transaction', () => [abc()], { over: { transactionalId: 'diff-transaction' } }),
  ...[9, 10, 11].map((version) =>
    defineCase(`Produce: a transaction without this partition, version ${version}`, async ({ client }) => {
      const topic = topicFor(`transaction ${version}`)
      await createTopic(client, topic)
      const transactionalId = `diff-transaction-${version}`
      const initialize = () => client.request(initProducerId, 4, { transactionalId, transactionTimeoutMs: 60_000 })
      await client.request(findCoordinator, 4, { keyType: 1, coordinatorKeys: [transactionalId] })
      await until(async () => (await initialize()).errorCode === 0)
      const { producerId, producerEpoch } = await initialize()
      const batch = batchOf(['x'], { ...transactional, producerId, producerEpoch })
      return produceOne(client, version, topic, batch, { transactionalId })
    }),
  ),
  defineCase('Produce: a transactional id that nobody has begun with', async ({ client }) => {
    const topic = topicFor('transaction unknown')
    await createTopic(client, topic)
    const batch = () => batchOf(['x'], transactional)
    const over = { transactionalId: 'diff-transaction-unknown' }
    return [await produceOne(client, 9, topic, batch(), over), await produceOne(client, 11, topic, batch(), over)]
  }),
  defineCase('Produce: an unknown topic', ({ client }) => produceOne(client, 9, 'diff-none', abc())),
  defineCase('Produce: an unknown topic id', ({ client }) =>
    produceOne(client, 13, '', abc(), { topicId: UNKNOWN_ID }),
  ),
  defineCase('Produce: an internal topic', async ({ client }) => {
    const find = () => client.request(findCoordinator, 4, { keyType: 0, coordinatorKeys: ['diff-group'] })
    await until(async () => (await find()).coordinators[0]!.errorCode === 0)
    return produceOne(client, 9, '__consumer_offsets', abc())
  }),
  defineCase('Produce: by topic id', async ({ client }) => {
    const topicId = await createTopic(client, topicFor('by topic id'))
    return [
      await produceOne(client, 13, '', abc(), { topicId }),
      await produceOne(client, 13, '', abc(), { topicId, partition: 9 }),
    ]
  }),
  defineCase('Produce: a duplicate', async ({ client }) => {
    const topic = topicFor('a duplicate')
    await createTopic(client, topic)
    const first = await produceOne(client, 9, topic, idempotent(0))
    const again = await produceOne(client, 9, topic, idempotent(0))
    // Kafka gives the duplicate the timestamp of its batch as that of the append, though the topic has none.
    return { first, again: { ...again, logAppendTimeMs: -1 } }
  }),
  defineCase('Produce: acks 0 gets no answer', async ({ client }) => {
    const topic = topicFor('acks 0')
    await createTopic(client, topic)
    client.send(produce, 9, produceTo(topic, abc(), { acks: 0 }))
    return [(await client.request(apiVersions, 0, {})).errorCode, await offsetOf(client, topic, -1)]
  }),
  defineCase('Produce: acks 0 that fails closes the connection', async ({ client }) => {
    client.send(produce, 9, produceTo('diff-none', abc(), { acks: 0 }))
    return client.request(apiVersions, 0, {})
  }),
]

/** Five batches, of 1, 2, 3, 4 and 5 records, with timestamps that rise by a second a batch. */
async function filled(client: WireClient, what: string): Promise<{ topic: string; topicId: string }> {
  const topic = topicFor(what)
  const topicId = await createTopic(client, topic, 2)
  for (let count = 1; count <= 5; count++) {
    const values = Array.from({ length: count }, (_, index) => `value ${index}`)
    await produceOne(client, 9, topic, batchOf(values, { timestamp: 1_700_000_000_000 + count * 1000 }))
  }
  return { topic, topicId }
}

type Ask = (named: { topic: string; topicId: string }) => [FetchFrom[], Partial<FetchInput>?]

function fetching(what: string, version: number, ask: Ask): DifferentialCase {
  return defineCase(`Fetch: ${what}, version ${version}`, async ({ client }) => {
    const [from, over] = ask(await filled(client, `${what} ${version}`))
    return client.request(fetch, version, fetchFrom(from, over))
  })
}

const versions = Array.from({ length: 15 }, (_, index) => index + 4)

const fetched: DifferentialCase[] = [
  ...versions.map((version) => fetching('from the start', version, (named) => [[byVersion(named, version)]])),
  ...[4, 12, 17].map((version) =>
    fetching('read committed', version, (named) => [[byVersion(named, version)], { isolationLevel: 1 }]),
  ),
  ...[4, 12, 17].map((version) =>
    fetching('from within a batch', version, (named) => [[byVersion(named, version, { offset: 4 })]]),
  ),
  fetching('at the end', 12, ({ topic }) => [[{ topic, offset: 15 }]]),
  fetching('at the end, after a wait', 12, ({ topic }) => [[{ topic, offset: 15 }], { maxWaitMs: 50 }]),
  fetching('beyond the end', 12, ({ topic }) => [[{ topic, offset: 16 }]]),
  fetching('before the start', 12, ({ topic }) => [[{ topic, offset: -1 }]]),
  fetching('an unknown topic', 12, () => [[{ topic: 'diff-none' }]]),
  fetching('an unknown topic id', 17, () => [[{ topicId: UNKNOWN_ID }]]),
  fetching('an unknown partition', 12, ({ topic }) => [[{ topic, partition: 9 }]]),
  fetching('an unknown partition', 17, ({ topicId }) => [[{ topicId, partition: 9 }]]),
  fetching('a leader epoch of the future', 12, ({ topic }) => [[{ topic, currentLeaderEpoch: 5 }]]),
  fetching('a leader epoch of the future', 17, ({ topicId }) => [[{ topicId, currentLeaderEpoch: 5 }]]),
  fetching('the last fetched epoch', 12, ({ topic }) => [[{ topic, lastFetchedEpoch: 0 }]]),
  fetching('an unknown last fetched epoch', 12, ({ topic }) => [[{ topic, lastFetchedEpoch: 3 }]]),
  fetching('one byte of a partition', 12, ({ topic }) => [[{ topic, maxBytes: 1 }]]),
  fetching('some batches of a partition', 12, ({ topic }) => [[{ topic, maxBytes: 200 }]]),
  fetching('some bytes in all', 12, ({ topic }) => [[{ topic }, { topic, partition: 1 }], { maxBytes: 200 }]),
  fetching('one byte in all', 12, ({ topic }) => [[{ topic }, { topic, partition: 1 }], { maxBytes: 1 }]),
  fetching('nothing', 12, () => [[], { maxWaitMs: 1000 }]),
  fetching('a session that is not known', 12, ({ topic }) => [[{ topic }], { sessionId: 99, sessionEpoch: 3 }]),
  defineCase('Fetch: a session over five requests', async ({ client }) => {
    const { topic } = await filled(client, 'a session')
    const first = await client.request(fetch, 12, fetchFrom([{ topic }, { topic, partition: 1 }], { sessionEpoch: 0 }))
    const next = (sessionEpoch: number, from: FetchFrom[] = [], forgotten: number[] = []) =>
      client.request(
        fetch,
        12,
        fetchFrom(from, {
          sessionId: first.sessionId,
          sessionEpoch,
          forgottenTopicsData: forgotten.map((partition) => ({ topic, partitions: [partition] })),
        }),
      )
    const moved = await next(1, [{ topic, offset: 15 }])
    await produceOne(client, 9, topic, abc(), { partition: 1 })
    const news = await next(2)
    const forgotten = await next(3, [], [1])
    const wrongEpoch = await next(3)
    const byId = await client.request(fetch, 13, fetchFrom([], { sessionId: first.sessionId, sessionEpoch: 4 }))
    const closed = await next(-1, [{ topic, offset: 15 }])
    const gone = await next(4)
    return { first, moved, news, forgotten, wrongEpoch, byId, closed, gone }
  }),
]

function byVersion(
  { topic, topicId }: { topic: string; topicId: string },
  version: number,
  over: FetchFrom = {},
): FetchFrom {
  return version >= 13 ? { topicId, ...over } : { topic, ...over }
}

async function list(client: WireClient, version: number, topic: string, timestamp: number, over: object = {}) {
  const partitions = [{ partitionIndex: 0, timestamp, ...over }]
  return client.request(listOffsets, version, { replicaId: -1, topics: [{ name: topic, partitions }], timeoutMs: 5000 })
}

const listed: DifferentialCase[] = [
  ...([1, 2, 4, 6, 7, 8, 9, 10, 11] as const).map((version) =>
    defineCase(`ListOffsets: every question, version ${version}`, async ({ client }) => {
      const { topic } = await filled(client, `list ${version}`)
      const asked = [-1, -2, -3, -4, -5, -6, -7, 0, 1_700_000_002_999, 1_700_000_003_000, 1_700_000_099_000]
      const answers: unknown[] = []
      for (const timestamp of asked) answers.push([timestamp, await list(client, version, topic, timestamp)])
      return answers
    }),
  ),
  defineCase('ListOffsets: an unknown topic', ({ client }) => list(client, 7, 'diff-none', -1)),
  defineCase('ListOffsets: an invalid topic', ({ client }) => list(client, 7, 'a/b', -1)),
  defineCase('ListOffsets: an empty partition', async ({ client }) => {
    await createTopic(client, topicFor('list empty'))
    return Promise.all([-1, -2, -3, 0].map((timestamp) => list(client, 7, topicFor('list empty'), timestamp)))
  }),
  defineCase('ListOffsets: a leader epoch of the future', async ({ client }) => {
    const { topic } = await filled(client, 'list epoch')
    return list(client, 7, topic, -1, { currentLeaderEpoch: 5 })
  }),
  defineCase('ListOffsets: a partition twice', async ({ client }) => {
    const { topic } = await filled(client, 'list twice')
    const ask = (partitionIndex: number, timestamp: number) => ({ partitionIndex, timestamp })
    const topics = [{ name: topic, partitions: [ask(0, -1), ask(0, -2), ask(1, -1)] }]
    return client.request(listOffsets, 7, { replicaId: -1, topics })
  }),
]

function epochs(what: string, asked: { leaderEpoch: number; currentLeaderEpoch?: number }): DifferentialCase {
  return defineCase(`OffsetForLeaderEpoch: ${what}`, async ({ client }) => {
    const { topic } = await filled(client, `epochs ${what}`)
    const topics = [{ topic, partitions: [{ partition: 0, ...asked }] }]
    return client.request(offsetForLeaderEpoch, 4, { replicaId: -1, topics })
  })
}

const others: DifferentialCase[] = [
  epochs('the current', { leaderEpoch: 0 }),
  epochs('one of the future', { leaderEpoch: 5 }),
  epochs('none', { leaderEpoch: -1 }),
  epochs('a fence of the future', { leaderEpoch: 0, currentLeaderEpoch: 3 }),
  ...[0, 3, 15, -1, 16, -2].map((offset) =>
    defineCase(`DeleteRecords: before ${offset}`, async ({ client }) => {
      const { topic } = await filled(client, `delete ${offset}`)
      const topics = [{ name: topic, partitions: [{ partitionIndex: 0, offset }] }]
      const deleted = await client.request(deleteRecords, 2, { topics, timeoutMs: 5000 })
      const below = await client.request(fetch, 12, fetchFrom([{ topic, offset: 0 }]))
      return { deleted, start: await offsetOf(client, topic, -2), below }
    }),
  ),
  defineCase('DeleteRecords: what is not there', async ({ client }) => {
    const { topic } = await filled(client, 'delete unknown')
    const topics = [
      { name: 'diff-none', partitions: [{ partitionIndex: 0, offset: 0 }] },
      { name: topic, partitions: [{ partitionIndex: 9, offset: 0 }] },
    ]
    const { topics: answered } = await client.request(deleteRecords, 2, { topics, timeoutMs: 5000 })
    return answered.toSorted((left, right) => (left.name < right.name ? -1 : 1))
  }),
]

export const recordCases: readonly DifferentialCase[] = [...produced, ...fetched, ...listed, ...others]
