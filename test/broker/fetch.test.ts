/** Fetch over the wire: waiting, sizes, transactions, deleted topics. Field-by-field equality with Kafka: test/compat/broker-differential. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startBroker, type StartBrokerOptions, type TestBroker } from '../../src/testing/index.ts'
import { codeOf } from '../../src/protocol/error-codes.ts'
import {
  addPartitionsToTxn,
  apiVersions,
  deleteTopics,
  endTxn,
  fetch,
  initProducerId,
} from '../../src/protocol/messages/index.ts'
import { recordBatches } from '../../src/protocol/records/record-batch.ts'
import { until } from '../support/until.ts'
import { WireClient } from '../support/wire-client.ts'
import { batchOf, type FetchFrom, fetchFrom, type FetchInput, offsetOf, produceOne } from '../support/wire-requests.ts'

interface Setup {
  readonly broker: TestBroker
  readonly client: WireClient
}

async function setUp(t: TestContext, options: StartBrokerOptions = { topics: { clicks: 2 } }): Promise<Setup> {
  const broker = await startBroker(options)
  t.after(() => broker.stop())
  return { broker, client: await WireClient.connect(broker.bootstrapServers, t) }
}

async function fetchOne(client: WireClient, from: FetchFrom, over: Partial<FetchInput> = {}) {
  const { responses } = await client.request(fetch, 12, fetchFrom([from], over))
  return responses[0]!.partitions[0]!
}

test('fetch: hands out the stored bytes, as the producer sent them but for offset and epoch', async (t) => {
  const { client } = await setUp(t)
  await produceOne(client, 9, 'clicks', batchOf(['a']))
  const sent = batchOf(['b', 'c'], { compression: 'zstd' })
  await produceOne(client, 9, 'clicks', sent)
  const { records } = await fetchOne(client, { topic: 'clicks', offset: 2 })
  const [batch] = recordBatches(records!)
  assert.equal(batch!.baseOffset, 1)
  assert.deepEqual(batch!.bytes().subarray(16), sent.subarray(16))
})

test('fetch: waits for min.bytes and is woken by the append that brings them', async (t) => {
  const { client, broker } = await setUp(t)
  const producer = await WireClient.connect(broker.bootstrapServers, t)
  const waiting = fetchOne(client, { topic: 'clicks' }, { maxWaitMs: 600_000, minBytes: 1 })
  await produceOne(producer, 9, 'clicks', batchOf(['a']))
  assert.equal((await waiting).highWatermark, 1)
})

test('fetch: answers with nothing when max.wait.ms is over', async (t) => {
  const { client } = await setUp(t)
  const { records, errorCode } = await fetchOne(client, { topic: 'clicks' }, { maxWaitMs: 20, minBytes: 1 })
  assert.deepEqual([records!.length, errorCode], [0, 0])
})

test('fetch: waits until all partitions together have min.bytes', async (t) => {
  const { client, broker } = await setUp(t)
  const producer = await WireClient.connect(broker.bootstrapServers, t)
  const large = batchOf(['x'.repeat(1000)])
  const asked = fetchFrom([{ topic: 'clicks' }, { topic: 'clicks', partition: 1 }], {
    maxWaitMs: 600_000,
    minBytes: 1500,
  })
  let answered = false
  const waiting = client.request(fetch, 12, asked).finally(() => (answered = true))
  await produceOne(producer, 9, 'clicks', Buffer.from(large))
  // The producer's next request is answered after whatever the append has woken.
  await producer.request(apiVersions, 0, {})
  assert.equal(answered, false)
  await produceOne(producer, 9, 'clicks', Buffer.from(large), { partition: 1 })
  const { responses } = await waiting
  assert.deepEqual(
    responses.flatMap(({ partitions }) => partitions.map(({ records }) => records!.length)),
    [large.length, large.length],
  )
})

test('fetch: a topic that is deleted wakes who waits for it', async (t) => {
  const { client, broker } = await setUp(t)
  const admin = await WireClient.connect(broker.bootstrapServers, t)
  const waiting = fetchOne(client, { topic: 'clicks' }, { maxWaitMs: 600_000 })
  await admin.request(deleteTopics, 5, { topicNames: ['clicks'], timeoutMs: 1000 })
  assert.equal((await waiting).errorCode, codeOf('UNKNOWN_TOPIC_OR_PARTITION'))
})

test('fetch: a client that goes away leaves nothing behind', async (t) => {
  const { client, broker } = await setUp(t)
  const left = await WireClient.connect(broker.bootstrapServers, t)
  left.request(fetch, 12, fetchFrom([{ topic: 'clicks' }], { maxWaitMs: 600_000 })).catch(() => {})
  await client.request(apiVersions, 0, {})
  left.close()
  await until(() => broker.broker.connectionCount === 1)
  await produceOne(client, 9, 'clicks', batchOf(['a']))
})

test('fetch: a first batch larger than every limit is given whole, so that a consumer moves on', async (t) => {
  const { client } = await setUp(t)
  await produceOne(client, 9, 'clicks', batchOf(['x'.repeat(5000)]))
  const { records } = await fetchOne(client, { topic: 'clicks', maxBytes: 10 }, { maxBytes: 10 })
  assert.ok(records!.length > 5000)
})

test('fetch: fetch.max.bytes limits what one answer holds', async (t) => {
  const { client } = await setUp(t, { topics: ['clicks'], properties: { 'fetch.max.bytes': 10_000 } })
  for (let count = 0; count < 10; count++) await produceOne(client, 9, 'clicks', batchOf(['x'.repeat(3000)]))
  const { records } = await fetchOne(client, { topic: 'clicks', maxBytes: 1_000_000 })
  assert.equal([...recordBatches(records!)].length, 3)
})

async function inTransaction(client: WireClient, transactionalId: string, topic: string, values: string[]) {
  const { producerId, producerEpoch } = await client.request(initProducerId, 4, {
    transactionalId,
    transactionTimeoutMs: 60_000,
  })
  const producer = {
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
  }
  await client.request(addPartitionsToTxn, 3, { ...producer, v3AndBelowTopics: [{ name: topic, partitions: [0] }] })
  const batch = batchOf(values, { producerId, producerEpoch, baseSequence: 0, isTransactional: true })
  assert.equal((await produceOne(client, 9, topic, batch, { transactionalId })).errorCode, 0)
  return (committed: boolean) => client.request(endTxn, 3, { transactionalId, producerId, producerEpoch, committed })
}

test('fetch: read_committed ends at the last stable offset, and names what was aborted', async (t) => {
  const { client, broker } = await setUp(t)
  const end = await inTransaction(client, 'tx', 'clicks', ['a', 'b'])
  await produceOne(client, 9, 'clicks', batchOf(['c']))
  const open = await fetchOne(client, { topic: 'clicks' }, { isolationLevel: 1 })
  assert.deepEqual([open.records!.length, open.highWatermark, open.lastStableOffset], [0, 3, 0])
  assert.equal((await offsetOf(client, 'clicks', -1, 1)).offset, 0)
  assert.equal((await offsetOf(client, 'clicks', -1)).offset, 3)

  const reader = await WireClient.connect(broker.bootstrapServers, t)
  const waiting = fetchOne(reader, { topic: 'clicks' }, { isolationLevel: 1, maxWaitMs: 600_000 })
  assert.equal((await end(false)).errorCode, 0)
  const closed = await waiting
  assert.equal(closed.lastStableOffset, 4)
  assert.deepEqual(
    closed.abortedTransactions!.map(({ firstOffset }) => firstOffset),
    [0],
  )
  assert.deepEqual((await fetchOne(client, { topic: 'clicks' })).abortedTransactions, null)
})

test('produce: a transactional batch is refused for a partition that is not in the transaction', async (t) => {
  const { client } = await setUp(t)
  const transactionalId = 'tx'
  const { producerId, producerEpoch } = await client.request(initProducerId, 4, {
    transactionalId,
    transactionTimeoutMs: 60_000,
  })
  const batch = () => batchOf(['a'], { producerId, producerEpoch, baseSequence: 0, isTransactional: true })
  const refused = await produceOne(client, 10, 'clicks', batch(), { transactionalId })
  assert.equal(refused.errorCode, codeOf('INVALID_TXN_STATE'))
  assert.equal(refused.errorMessage, 'Partition was not added to the transaction')
  const abortable = await produceOne(client, 11, 'clicks', batch(), { transactionalId })
  assert.equal(abortable.errorCode, codeOf('TRANSACTION_ABORTABLE'))
  assert.equal((await offsetOf(client, 'clicks', -1)).offset, 0)
})
