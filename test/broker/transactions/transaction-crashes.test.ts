/**
 * Transactions over two partitions and a group's offset, in a broker that is killed again and again at random moments:
 * whatever happens, a transaction is there as a whole or not at all, and what was answered holds.
 */
import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import { codeOf } from '../../../src/protocol/error-codes.ts'
import { endTxn, initProducerId, offsetFetch, produce, txnOffsetCommit } from '../../../src/protocol/messages/index.ts'
import { RecordBatchWriter } from '../../../src/protocol/records/batch-writer.ts'
import { type ConsumerRecord } from '../../../src/protocol/records/consumer-record.ts'
import { recordBatches } from '../../../src/protocol/records/record-batch.ts'
import { RecordCursor } from '../../../src/protocol/records/record-cursor.ts'
import { seededRandom } from '../../../src/seams/random.ts'
import { systemClock } from '../../../src/seams/clock.ts'
import { startBroker, type TestBroker } from '../../../src/testing/start-broker.ts'
import { until } from '../../support/until.ts'
import { WireClient } from '../../support/wire-client.ts'

const CRASHES = 25
const transactionalId = 'crashing'

interface Outcome {
  /** undefined: the broker died before it answered. */
  answered: 'commit' | 'abort' | undefined
}

async function init(client: WireClient): Promise<{ producerId: number; producerEpoch: number }> {
  for (;;) {
    const answer = await client.request(initProducerId, 4, { transactionalId, transactionTimeoutMs: 60_000 })
    if (answer.errorCode === 0) return answer
    assert.equal(answer.errorCode, codeOf('CONCURRENT_TRANSACTIONS'))
  }
}

/** One transaction: `number` into both partitions and as the group's offset. Throws when the connection breaks. */
async function transact(client: WireClient, number: number, commits: boolean, outcome: Outcome): Promise<void> {
  const { producerId, producerEpoch } = await init(client)
  const partitionData = [0, 1].map((index) => {
    const writer = new RecordBatchWriter()
    writer.append({ value: Buffer.from(String(number)), timestamp: systemClock.now() })
    return { index, records: writer.build({ producerId, producerEpoch, baseSequence: 0, isTransactional: true }) }
  })
  const topicData = [{ name: 'clicks', partitionData }]
  const written = await client.request(produce, 12, { transactionalId, acks: -1, timeoutMs: 10_000, topicData })
  assert.ok(written.responses[0]!.partitionResponses.every(({ errorCode }) => errorCode === 0))
  const partitions = [{ partitionIndex: 0, committedOffset: number, committedMetadata: '' }]
  const topics = [{ name: 'clicks', partitions }]
  const commit = { transactionalId, producerId, producerEpoch, groupId: 'g', topics }
  const { topics: answered } = await client.request(txnOffsetCommit, 5, commit)
  assert.equal(answered[0]!.partitions[0]!.errorCode, 0)
  const end = await client.request(endTxn, 5, { transactionalId, producerId, producerEpoch, committed: commits })
  assert.equal(end.errorCode, 0)
  outcome.answered = commits ? 'commit' : 'abort'
}

/** The numbers that stand committed in a partition, in order, as the markers say. */
async function committedIn(broker: TestBroker, partition: number): Promise<number[]> {
  const log = broker.broker.context.logs.partition('clicks', partition)!
  const open = new Map<number, number[]>()
  const committed: number[] = []
  for (let offset = 0; offset < log.logEndOffset;) {
    const options = { maxBytes: 1_000_000, isolation: 'read_uncommitted', minOneBatch: true } as const
    for (const piece of (await log.read(offset, options)).records) {
      for (const batch of recordBatches(piece)) {
        offset = batch.nextOffset
        const { producerId } = batch
        if (batch.isControl) {
          if (batch.controlType() === 'commit') committed.push(...(open.get(producerId) ?? []))
          open.delete(producerId)
          continue
        }
        const records: ConsumerRecord[] = []
        new RecordCursor(batch, 'clicks', partition).take(records, batch.count, 0)
        open.set(producerId, [...(open.get(producerId) ?? []), ...records.map((record) => Number(record.valueText()))])
      }
    }
  }
  return committed
}

it(`a transaction is whole or not at all over ${CRASHES} crashes`, async (t: TestContext) => {
  const random = seededRandom(11)
  const broker = await startBroker({ topics: { clicks: 2 } })
  t.after(() => broker.stop())
  const outcomes: Outcome[] = []
  let midway = 0
  for (let crash = 0; crash < CRASHES; crash++) {
    const client = await WireClient.connect(broker.bootstrapServers, t)
    const work = (async () => {
      for (;;) {
        const outcome: Outcome = { answered: undefined }
        outcomes.push(outcome)
        await transact(client, outcomes.length, random.next() < 0.6, outcome)
      }
    })().catch((error: Error) => assert.match(error.message, /connection closed/))
    const goal = outcomes.length + Math.floor(random.next() * 4)
    await until(() => outcomes.length > goal, { everyMs: 1 })
    // Some turns of the event loop later: somewhere within a transaction.
    for (let turns = Math.floor(random.next() * 30); turns > 0; turns--) await systemClock.yield()
    await broker.kill()
    await work
    if (!outcomes.at(-1)!.answered) midway++
    await broker.restart()
    // A new producer ends what the old one left open.
    await init(await WireClient.connect(broker.bootstrapServers, t))
  }
  const [first, second] = [await committedIn(broker, 0), await committedIn(broker, 1)]
  assert.deepEqual(first, second, 'the partitions do not agree')
  assert.equal(new Set(first).size, first.length, 'a transaction is there twice')
  outcomes.forEach(({ answered }, index) => {
    const isThere = first.includes(index + 1)
    if (answered) assert.equal(isThere, answered === 'commit', `transaction ${index + 1} was answered with ${answered}`)
  })
  const client = await WireClient.connect(broker.bootstrapServers, t)
  const topics = [{ name: 'clicks', partitionIndexes: [0] }]
  const { topics: found } = await client.request(offsetFetch, 5, { groupId: 'g', topics })
  assert.equal(found[0]!.partitions[0]!.committedOffset, first.at(-1), 'the offset is not the last transaction’s')
  assert.ok(midway > CRASHES / 2, `only ${midway} crashes fell into a transaction`)
  for (const partition of [0, 1]) {
    const log = broker.broker.context.logs.partition('clicks', partition)!
    assert.equal(log.lastStableOffset, log.logEndOffset, 'a transaction hangs')
  }
})
