/** Transactions through raw requests against a broker that is killed at the worst moments. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { InternalTopic } from '../../../src/broker/groups/internal-topic.ts'
import { encodeTransaction } from '../../../src/broker/transactions/transaction-records.ts'
import { complete, prepareEnd } from '../../../src/broker/transactions/transaction-state.ts'
import { codeOf } from '../../../src/protocol/error-codes.ts'
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  endTxn,
  initProducerId,
  offsetFetch,
  produce,
  txnOffsetCommit,
} from '../../../src/protocol/messages/index.ts'
import { RecordBatchWriter } from '../../../src/protocol/records/batch-writer.ts'
import { recordBatches } from '../../../src/protocol/records/record-batch.ts'
import { systemClock } from '../../../src/seams/clock.ts'
import { startBroker, type TestBroker } from '../../../src/testing/start-broker.ts'
import { until } from '../../support/until.ts'
import { WireClient } from '../../support/wire-client.ts'

interface Given {
  producerId: number
  producerEpoch: number
}

async function setup(t: TestContext, properties = {}) {
  const broker = await startBroker({ topics: { clicks: 2 }, properties })
  t.after(() => broker.stop())
  return { broker, client: await WireClient.connect(broker.bootstrapServers, t) }
}

async function init(client: WireClient, transactionalId: string, transactionTimeoutMs = 60_000): Promise<Given> {
  let given: (Given & { errorCode: number }) | undefined
  await until(async () => {
    given = await client.request(initProducerId, 4, { transactionalId, transactionTimeoutMs })
    return given.errorCode !== codeOf('CONCURRENT_TRANSACTIONS')
  })
  assert.equal(given!.errorCode, 0)
  return given!
}

async function add(client: WireClient, transactionalId: string, given: Given, partition = 0): Promise<number> {
  const { resultsByTopicV3AndBelow } = await client.request(addPartitionsToTxn, 3, {
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: given.producerId,
    v3AndBelowProducerEpoch: given.producerEpoch,
    v3AndBelowTopics: [{ name: 'clicks', partitions: [partition] }],
  })
  return resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode
}

async function write(
  client: WireClient,
  transactionalId: string,
  given: Given,
  text: string,
  baseSequence = 0,
  version = 11,
): Promise<number> {
  const writer = new RecordBatchWriter()
  writer.append({ value: Buffer.from(text), timestamp: systemClock.now() })
  const records = writer.build({ ...given, baseSequence, isTransactional: true })
  const { responses } = await client.request(produce, version, {
    transactionalId,
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: 'clicks', partitionData: [{ index: 0, records }] }],
  })
  return responses[0]!.partitionResponses[0]!.errorCode
}

async function end(client: WireClient, transactionalId: string, given: Given, committed: boolean): Promise<number> {
  return (await client.request(endTxn, 3, { transactionalId, ...pick(given), committed })).errorCode
}

async function commitOffset(client: WireClient, transactionalId: string, given: Given, committedOffset: number) {
  const who = { transactionalId, ...pick(given), groupId: 'g' }
  assert.equal((await client.request(addOffsetsToTxn, 3, who)).errorCode, 0)
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
  const { topics } = await client.request(txnOffsetCommit, 3, { ...who, topics: [{ name: 'clicks', partitions }] })
  return topics[0]!.partitions[0]!.errorCode
}

async function committed(client: WireClient): Promise<number> {
  const topics = [{ name: 'clicks', partitionIndexes: [0] }]
  return (await client.request(offsetFetch, 7, { groupId: 'g', topics })).topics[0]!.partitions[0]!.committedOffset
}

const pick = ({ producerId, producerEpoch }: Given) => ({ producerId, producerEpoch })

/** The markers that stand in clicks-0. */
async function markers(broker: TestBroker): Promise<string[]> {
  const log = broker.broker.context.logs.partition('clicks', 0)!
  const { records } = await log.read(0, { maxBytes: 1_000_000, isolation: 'read_uncommitted', minOneBatch: true })
  const found: string[] = []
  for (const piece of records) {
    for (const batch of recordBatches(piece)) if (batch.isControl) found.push(batch.controlType())
  }
  return found
}

async function crash(broker: TestBroker, t: TestContext): Promise<WireClient> {
  await broker.kill()
  await broker.restart()
  return WireClient.connect(broker.bootstrapServers, t)
}

describe('a broker that is killed', () => {
  it('goes on with a transaction that was open', async (t) => {
    const { broker, client } = await setup(t)
    const given = await init(client, 't')
    await add(client, 't', given)
    assert.equal(await write(client, 't', given, 'one'), 0)
    assert.equal(await commitOffset(client, 't', given, 42), 0)
    const again = await crash(broker, t)
    assert.equal(await committed(again), -1)
    assert.equal(await write(again, 't', given, 'two', 1), 0)
    assert.equal(await end(again, 't', given, true), 0)
    await until(async () => (await committed(again)) === 42)
    const log = broker.broker.context.logs.partition('clicks', 0)!
    await until(() => log.lastStableOffset === log.logEndOffset)
    assert.deepEqual(await markers(broker), ['commit'])
  })

  for (const result of ['commit', 'abort'] as const) {
    it(`finishes what was decided: ${result}, with the markers not written yet`, async (t) => {
      const { broker, client } = await setup(t)
      const given = await init(client, 't')
      await add(client, 't', given)
      await write(client, 't', given, 'one')
      await commitOffset(client, 't', given, 42)
      // The decision reaches the disk, and nothing after it.
      const { logs, transactions, config } = broker.broker.context
      const step = prepareEnd(transactions.transaction('t')!, given, result, systemClock.now())
      assert.ok('next' in step)
      const topic = new InternalTopic({
        logs,
        clock: systemClock,
        name: '__transaction_state',
        partitionCount: config['transaction.state.log.num.partitions'],
        segmentBytes: config['transaction.state.log.segment.bytes'],
      })
      await topic.append(topic.partitionOf('t'), [encodeTransaction('t', step.next)])
      const again = await crash(broker, t)
      const { context } = broker.broker
      const expected = complete(step.next, 0).status
      await until(() => context.transactions.transaction('t')!.status === expected)
      assert.deepEqual(await markers(broker), [result])
      assert.equal(await committed(again), result === 'commit' ? 42 : -1)
      assert.equal(await end(again, 't', given, result === 'commit'), 0)
      // Another crash finds everything done: the markers do not multiply.
      const third = await crash(broker, t)
      assert.equal(await committed(third), result === 'commit' ? 42 : -1)
      assert.deepEqual(await markers(broker), [result])
    })
  }

  it('fences by the epochs that it gave before', async (t) => {
    const { broker, client } = await setup(t)
    const first = await init(client, 't')
    const second = await init(client, 't')
    assert.deepEqual([second.producerId, second.producerEpoch], [first.producerId, first.producerEpoch + 1])
    const again = await crash(broker, t)
    assert.equal(await add(again, 't', first), codeOf('PRODUCER_FENCED'))
    assert.equal(await add(again, 't', second), 0)
    const idempotent = await again.request(initProducerId, 4, { transactionalId: null, transactionTimeoutMs: 0 })
    assert.ok(idempotent.producerId > second.producerId)
  })
})

it('a client of EndTxn 5 writes and commits offsets without adding them first, over a crash', async (t) => {
  const { broker, client } = await setup(t)
  const given = await init(client, 't')
  assert.equal(await write(client, 't', given, 'one', 0, 12), 0)
  const partitions = [{ partitionIndex: 0, committedOffset: 42, committedMetadata: '' }]
  const topics = [{ name: 'clicks', partitions }]
  const commit = await client.request(txnOffsetCommit, 5, {
    transactionalId: 't',
    ...pick(given),
    groupId: 'g',
    topics,
  })
  assert.equal(commit.topics[0]!.partitions[0]!.errorCode, 0)
  const first = await client.request(endTxn, 5, { transactionalId: 't', ...pick(given), committed: true })
  assert.deepEqual([first.errorCode, first.producerEpoch], [0, given.producerEpoch + 1])
  assert.equal(await write(client, 't', given, 'late', 1, 12), codeOf('INVALID_PRODUCER_EPOCH'))
  assert.equal(await write(client, 't', first, 'two', 0, 12), 0)
  const again = await crash(broker, t)
  assert.equal(await committed(again), 42)
  const retried = await again.request(endTxn, 5, { transactionalId: 't', ...pick(first), committed: false })
  assert.deepEqual([retried.errorCode, retried.producerEpoch], [0, given.producerEpoch + 2])
  assert.deepEqual(await markers(broker), ['commit', 'abort'])
})

it('one request that writes to many partitions adds all of them', async (t) => {
  const broker = await startBroker({ topics: { clicks: 20 } })
  t.after(() => broker.stop())
  const client = await WireClient.connect(broker.bootstrapServers, t)
  const given = await init(client, 't')
  const partitionData = Array.from({ length: 20 }, (_, index) => {
    const writer = new RecordBatchWriter()
    writer.append({ value: Buffer.from('x'), timestamp: systemClock.now() })
    return { index, records: writer.build({ ...pick(given), baseSequence: 0, isTransactional: true }) }
  })
  const topicData = [{ name: 'clicks', partitionData }]
  const { responses } = await client.request(produce, 12, {
    transactionalId: 't',
    acks: -1,
    timeoutMs: 10_000,
    topicData,
  })
  assert.ok(responses[0]!.partitionResponses.every(({ errorCode }) => errorCode === 0))
  assert.equal(broker.broker.context.transactions.transaction('t')!.partitions.size, 20)
  assert.equal(await end(client, 't', given, true), 0)
})

it('a transaction that takes longer than its timeout is aborted, and its producer fenced', async (t) => {
  const { broker, client } = await setup(t, { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 20 })
  const given = await init(client, 't', 1)
  await add(client, 't', given)
  // It may be over before the write arrives: then the write is refused, and there is nothing to abort in the log.
  await until(() => broker.broker.context.transactions.transaction('t')!.status === 'CompleteAbort')
  assert.equal(await end(client, 't', given, true), codeOf('PRODUCER_FENCED'))
  assert.equal(await write(client, 't', given, 'late'), codeOf('INVALID_PRODUCER_EPOCH'))
  const next = await init(client, 't')
  assert.equal(next.producerEpoch, given.producerEpoch + 2)
})

it('a transactional write to a partition that is not in the transaction is refused, whatever its version', async (t) => {
  const { client } = await setup(t)
  const given = await init(client, 't')
  assert.equal(await write(client, 't', given, 'never added'), codeOf('TRANSACTION_ABORTABLE'))
  assert.equal(await write(client, 't', given, 'never added', 0, 9), codeOf('INVALID_TXN_STATE'))
})

it('a commit for a group that the transaction does not hold is refused', async (t) => {
  const { client } = await setup(t)
  const given = await init(client, 't')
  await add(client, 't', given)
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }]
  const body = { transactionalId: 't', ...pick(given), groupId: 'g', topics: [{ name: 'clicks', partitions }] }
  const error = async (version: number) =>
    (await client.request(txnOffsetCommit, version, body)).topics[0]!.partitions[0]!.errorCode
  assert.equal(await error(3), codeOf('INVALID_TXN_STATE'))
  assert.equal(await error(4), codeOf('TRANSACTION_ABORTABLE'))
})

it('of two transactional commits and a plain one, the one that stands last in the log counts', async (t) => {
  const { broker, client } = await setup(t)
  const given = await init(client, 't')
  assert.equal(await commitOffset(client, 't', given, 5), 0)
  const { groups } = broker.broker.context
  const commits = [
    { topic: 'clicks', topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partition: 0, offset: 9, leaderEpoch: -1, metadata: '' },
  ]
  const nobody = { groupId: 'g', memberId: '', groupInstanceId: null, generationId: -1 }
  assert.deepEqual(await groups.commit(nobody, commits, { version: 8, retentionMs: -1 }), ['NONE'])
  assert.equal(await end(client, 't', given, true), 0)
  assert.equal(await committed(client), 9)
  assert.equal(await committed(await crash(broker, t)), 9)
})

it('a transactional id that was not used for long is forgotten, on disk too', async (t) => {
  const { broker, client } = await setup(t, { 'transactional.id.expiration.ms': 1 })
  const { producerId } = await init(client, 't')
  await until(async () => {
    await broker.broker.context.transactions.removeExpired()
    return broker.broker.context.transactions.transaction('t') === undefined
  })
  const again = await crash(broker, t)
  assert.equal(broker.broker.context.transactions.transaction('t'), undefined)
  assert.notEqual((await init(again, 't')).producerId, producerId)
})
