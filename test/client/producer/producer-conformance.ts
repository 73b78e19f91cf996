/**
 * What a producer must do against any broker: run over the embedded one (producer-embedded.test.ts) and over Apache Kafka
 * (test/compat/producer.compat.ts). Everything is read back by a consumer of another implementation's making where a reader is given,
 * and by Sluice's own otherwise.
 */
import assert from 'node:assert/strict'
import { type TestContext } from 'node:test'
import { Consumer } from '../../../src/client/consumer/index.ts'
import { Admin } from '../../../src/client/admin/index.ts'
import {
  IllegalStateError,
  ProducerFencedError,
  RecordTooLargeError,
  TransactionAbortedError,
} from '../../../src/client/errors.ts'
import { type PropertyBag } from '../../../src/client/config.ts'
import { KafkaError } from '../../../src/protocol/error-codes.ts'
import { partitionOfKey, Producer, SendBatchError } from '../../../src/client/producer/index.ts'
import { type ConsumerRecord } from '../../../src/protocol/records/consumer-record.ts'
import { until } from '../../support/until.ts'
import { type Case, casesOf, type Target } from '../target.ts'

const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
let topicsMade = 0

async function topicOf(
  t: TestContext,
  { bootstrapServers }: Target,
  partitions = 1,
  configs: Record<string, string> = {},
) {
  const name = `producer-${process.pid}-${++topicsMade}`
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  t.after(() => admin.close())
  await admin.createTopics([{ name, partitions, configs }]).catch((error: unknown) => {
    // Nobody else makes it: the node that made it was gone before it could answer, and was asked again.
    if (!(error instanceof KafkaError) || error.error.name !== 'TOPIC_ALREADY_EXISTS') throw error
  })
  return name
}

function producerOf(t: TestContext, { bootstrapServers }: Target, properties: PropertyBag = {}): Producer {
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers, ...properties })
  t.after(() => producer.close({ timeoutMs: 5000 }))
  return producer
}

/** Everything in a topic, partition by partition, up to the end that a reader of this isolation sees. */
export async function readAll(
  t: TestContext,
  { bootstrapServers }: Target,
  topic: string,
  isolation: 'read_committed' | 'read_uncommitted' = 'read_uncommitted',
): Promise<ConsumerRecord[]> {
  const consumer = new Consumer({
    'bootstrap.servers': bootstrapServers,
    'isolation.level': isolation,
    'max.poll.records': 5000,
  })
  t.after(() => consumer.close())
  const partitions = (await consumer.partitionsFor(topic)).map(({ partition }) => ({ topic, partition }))
  consumer.assign(partitions)
  consumer.seekToBeginning(partitions)
  const ends = await consumer.endOffsets(partitions)
  const records: ConsumerRecord[] = []
  const deadline = performance.now() + 30_000
  for (;;) {
    let isAtEnd = true
    for (const [topicPartition, end] of ends) if ((await consumer.position(topicPartition)) < end) isAtEnd = false
    if (isAtEnd) break
    assert.ok(performance.now() < deadline, `only ${records.length} records within 30 s`)
    for (const record of await consumer.poll(1000)) records.push(record)
  }
  await consumer.close()
  return records.sort((left, right) => left.partition - right.partition || left.offset - right.offset)
}

/** @param areNodesKilled while the cases run: what was written with acks=0 or 1 may then be lost, as Kafka says */
export function producerConformance(start: () => Promise<Target>, { areNodesKilled = false } = {}): void {
  const check = casesOf(start)
  for (const compression of compressions) {
    check(
      `producer, ${compression}: keys, values, headers and timestamps arrive as they were sent`,
      async (t, target) => {
        const topic = await topicOf(t, target)
        const producer = producerOf(t, target, { 'compression.type': compression })
        const sent = [
          { key: 'a key', value: 'a value', timestamp: 1_700_000_000_000 },
          { key: null, value: null, timestamp: 1_700_000_000_001 },
          {
            key: '',
            value: Buffer.from([0, 255, 128]),
            headers: [
              { key: 'h', value: 'v' },
              { key: 'none', value: null },
            ],
          },
          { value: 'ключ и значение'.repeat(1000), headers: [{ key: 'h', value: Buffer.alloc(300, 7) }] },
        ]
        await producer.sendBatch(sent.map((record) => ({ topic, ...record })))
        const [first, second, third, fourth] = await readAll(t, target, topic)
        assert.deepEqual(
          [first!.keyText(), first!.valueText(), first!.timestamp],
          ['a key', 'a value', 1_700_000_000_000],
        )
        assert.deepEqual([second!.key, second!.value, second!.timestamp], [null, null, 1_700_000_000_001])
        assert.deepEqual([third!.keyText(), [...third!.value!]], ['', [0, 255, 128]])
        assert.deepEqual(
          third!.headers.map(({ key, value }) => [key, value?.toString() ?? null]),
          [
            ['h', 'v'],
            ['none', null],
          ],
        )
        assert.equal(fourth!.valueText(), 'ключ и значение'.repeat(1000))
        assert.deepEqual(fourth!.headers[0]!.value, Buffer.alloc(300, 7))
      },
    )
  }

  check('producer: any number of records in one call, each where its metadata say', async (t, target) => {
    const topic = await topicOf(t, target, 3)
    const producer = producerOf(t, target, { 'batch.size': 20_000 })
    const records = Array.from({ length: 30_000 }, (_, index) => ({
      topic,
      key: `k${index % 100}`,
      value: `v${index}`,
    }))
    const sent = await producer.sendBatch(records)
    const read = await readAll(t, target, topic)
    assert.equal(read.length, records.length)
    const byPlace = new Map(read.map((record) => [`${record.partition}-${record.offset}`, record.valueText()]))
    for (const [index, { partition, offset }] of [...sent].entries()) {
      assert.equal(byPlace.get(`${partition}-${offset}`), `v${index}`)
      assert.equal(partition, partitionOfKey(Buffer.from(`k${index % 100}`), 3))
    }
    for (const partition of [0, 1, 2]) {
      const numbers = read.filter((one) => one.partition === partition).map((one) => Number(one.valueText()!.slice(1)))
      assert.deepEqual(
        numbers,
        numbers.toSorted((left, right) => left - right),
        'in the order in which they were sent',
      )
    }
  })

  check('producer: an exact partition wins over the key, and records without either are spread', async (t, target) => {
    const topic = await topicOf(t, target, 4)
    const producer = producerOf(t, target, { 'batch.size': 1000, 'linger.ms': 0 })
    assert.equal((await producer.send({ topic, partition: 3, key: 'x', value: 'exact' })).partition, 3)
    const sent = await producer.sendBatch(Array.from({ length: 2000 }, () => ({ topic, value: 'x'.repeat(50) })))
    const used = new Set([...sent].map(({ partition }) => partition))
    assert.deepEqual(used, new Set([0, 1, 2, 3]))
  })

  for (const acks of areNodesKilled ? ['all'] : ['0', '1', 'all']) {
    check(`producer, acks=${acks}: everything arrives`, async (t, target) => {
      const topic = await topicOf(t, target)
      const producer = producerOf(t, target, { acks })
      await producer.sendBatch(Array.from({ length: 500 }, (_, index) => ({ topic, value: String(index) })))
      await producer.close()
      let read: ConsumerRecord[] = []
      // With acks=0 the broker may still be at it.
      await until(async () => (read = await readAll(t, target, topic)).length >= 500)
      assert.deepEqual(
        read.map((one) => Number(one.valueText())),
        Array.from({ length: 500 }, (_, i) => i),
      )
    })
  }

  check('producer: a record larger than the topic takes fails alone', async (t, target) => {
    const topic = await topicOf(t, target, 1, { 'max.message.bytes': '2000' })
    const producer = producerOf(t, target)
    const records = Array.from({ length: 100 }, (_, index) => ({
      topic,
      value: index === 40 ? 'x'.repeat(3000) : `v${index}`,
    }))
    await assert.rejects(producer.sendBatch(records), (error: SendBatchError) => {
      assert.deepEqual(
        error.failures.map(({ index }) => index),
        [40],
      )
      assert.ok(error.failures[0]!.error instanceof RecordTooLargeError)
      return true
    })
    const read = await readAll(t, target, topic)
    assert.deepEqual(
      read.map((one) => one.valueText()),
      records.filter((_, index) => index !== 40).map(({ value }) => value),
    )
  })

  check('producer: LogAppendTime is told in the metadata', async (t, target) => {
    const topic = await topicOf(t, target, 1, { 'message.timestamp.type': 'LogAppendTime' })
    const producer = producerOf(t, target)
    const before = Date.now()
    const { timestamp } = await producer.send({ topic, value: 'x', timestamp: 1_600_000_000_000 })
    assert.ok(timestamp >= before - 1000, `${timestamp} is the broker's time`)
  })

  transactionConformance(check)
}

function transactionConformance(check: Case): void {
  /** The coordinator answers a commit before its markers stand in the log: waits until there are as many as are expected. */
  const assertCommitted = async (t: TestContext, target: Target, topic: string, expected: readonly string[]) => {
    let read: (string | null)[] = []
    await until(async () => {
      read = (await readAll(t, target, topic, 'read_committed')).map((one) => one.valueText())
      return read.length >= expected.length
    })
    assert.deepEqual(read, expected)
  }

  check('transactions: what is committed is read, what is aborted is not', async (t, target) => {
    const topic = await topicOf(t, target, 2)
    const producer = producerOf(t, target, { 'transactional.id': `t-${topic}` })
    await producer.initTransactions()
    for (let round = 0; round < 6; round++) {
      producer.beginTransaction()
      await producer.sendBatch([0, 1].map((partition) => ({ topic, partition, value: `${round}-${partition}` })))
      void producer.send({ topic, partition: 0, value: `${round}-late` }).catch(() => {})
      if (round % 2 === 0) await producer.commitTransaction()
      else await producer.abortTransaction()
    }
    const expected = ['0-0', '0-late', '2-0', '2-late', '4-0', '4-late', '0-1', '2-1', '4-1']
    await assertCommitted(t, target, topic, expected)
    assert.ok((await readAll(t, target, topic)).length > expected.length, 'the aborted ones are in the log')
  })

  check('transactions: records that were not sent yet fail when the transaction is aborted', async (t, target) => {
    const topic = await topicOf(t, target)
    const producer = producerOf(t, target, {
      'transactional.id': `t-${topic}`,
      'linger.ms': 100_000,
      'delivery.timeout.ms': 200_000,
    })
    await producer.initTransactions()
    producer.beginTransaction()
    await producer.partitionsFor(topic)
    const unsent = assert.rejects(producer.send({ topic, value: 'never' }), TransactionAbortedError)
    await producer.abortTransaction()
    await unsent
    producer.beginTransaction()
    const sent = producer.send({ topic, value: 'kept' })
    await producer.commitTransaction()
    await sent
    await assertCommitted(t, target, topic, ['kept'])
  })

  check('transactions: offsets are committed with the records, and not with an abort', async (t, target) => {
    const topic = await topicOf(t, target)
    const producer = producerOf(t, target, { 'transactional.id': `t-${topic}` })
    const admin = new Admin({ 'bootstrap.servers': target.bootstrapServers })
    t.after(() => admin.close())
    const groupId = `g-${topic}`
    // Asked for by name: without, a broker leaves out what is still being written (the transaction's marker is on its way).
    const partitions = [{ topic, partition: 0 }]
    const offsetOf = async () =>
      (await admin.listGroupOffsets(groupId, { requireStable: true, partitions })).get(partitions[0]!)?.offset
    await producer.initTransactions()
    producer.beginTransaction()
    await producer.send({ topic, value: 'x' })
    await producer.sendOffsetsToTransaction(
      [
        [
          { topic, partition: 0 },
          { offset: 11, metadata: 'm' },
        ],
      ],
      { groupId },
    )
    await producer.commitTransaction()
    assert.equal(await offsetOf(), 11)
    producer.beginTransaction()
    await producer.sendOffsetsToTransaction([[{ topic, partition: 0 }, { offset: 99 }]], { groupId })
    await producer.abortTransaction()
    assert.equal(await offsetOf(), 11)
  })

  check('transactions: a newer producer with the same id fences the older one', async (t, target) => {
    const topic = await topicOf(t, target)
    const older = producerOf(t, target, { 'transactional.id': `t-${topic}` })
    await older.initTransactions()
    older.beginTransaction()
    await older.send({ topic, value: 'of the older one' })
    const newer = producerOf(t, target, { 'transactional.id': `t-${topic}` })
    await newer.initTransactions()
    await assert.rejects(older.commitTransaction(), ProducerFencedError)
    assert.throws(() => older.beginTransaction(), ProducerFencedError)
    newer.beginTransaction()
    const sent = newer.send({ topic, value: 'of the newer one' })
    await newer.commitTransaction()
    await sent
    await assertCommitted(t, target, topic, ['of the newer one'])
  })

  check(
    'transactions: a record that is refused makes the transaction abortable, and the next one works',
    async (t, target) => {
      const topic = await topicOf(t, target, 1, { 'max.message.bytes': '2000' })
      const producer = producerOf(t, target, { 'transactional.id': `t-${topic}` })
      await producer.initTransactions()
      producer.beginTransaction()
      await assert.rejects(producer.send({ topic, value: 'x'.repeat(3000) }), RecordTooLargeError)
      await assert.rejects(producer.commitTransaction(), { code: 'SLUICE_TRANSACTION_ABORTABLE' })
      await producer.abortTransaction()
      producer.beginTransaction()
      await producer.sendBatch([{ topic, value: 'good' }])
      await producer.commitTransaction()
      await assertCommitted(t, target, topic, ['good'])
    },
  )

  check('transactions: calls out of order are refused', async (t, target) => {
    const producer = producerOf(t, target, { 'transactional.id': `order-${++topicsMade}` })
    assert.throws(() => producer.beginTransaction(), IllegalStateError)
    await assert.rejects(producer.send({ topic: 'x', value: 'x' }), IllegalStateError)
    await producer.initTransactions()
    await assert.rejects(producer.initTransactions(), IllegalStateError)
    await assert.rejects(producer.commitTransaction(), IllegalStateError)
    await assert.rejects(producer.send({ topic: 'x', value: 'x' }), IllegalStateError)
    producer.beginTransaction()
    assert.throws(() => producer.beginTransaction(), IllegalStateError)
    await producer.commitTransaction()
    const plain = producerOf(t, target)
    assert.throws(() => plain.beginTransaction(), IllegalStateError)
  })
}
