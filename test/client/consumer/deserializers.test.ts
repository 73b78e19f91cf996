/** A consumer with deserializers: what records hold, and a record that cannot be deserialized (KIP-334, KIP-1036), over the embedded broker. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Consumer, type ConsumerOptions, deserializers, type ProducerOptions } from '../../../src/index.ts'
import { Producer, type PropertyBag, RecordDeserializationError } from '../../../src/index.ts'
import { startBroker } from '../../../src/testing/index.ts'

async function clients<K, V, PK = string, PV = string>(
  t: TestContext,
  consuming: { properties?: PropertyBag; options?: ConsumerOptions<K, V> },
  producing: { properties?: PropertyBag; options?: ProducerOptions<PK, PV> } = {},
): Promise<{ consumer: Consumer<K, V>; producer: Producer<PK, PV> }> {
  const broker = await startBroker({ topics: { orders: 1 } })
  const common = { 'bootstrap.servers': broker.bootstrapServers }
  const producer = new Producer<PK, PV>({ ...common, ...producing.properties }, producing.options)
  const consumer = new Consumer<K, V>(
    { ...common, 'group.id': 'readers', 'auto.offset.reset': 'earliest', ...consuming.properties },
    consuming.options,
  )
  t.after(async () => {
    await Promise.all([consumer.close(), producer.close()])
    await broker.stop()
  })
  consumer.assign([{ topic: 'orders', partition: 0 }])
  return { consumer, producer }
}

const orders = { topic: 'orders', partition: 0 }

/** Records until `count` have come, or what a poll throws. */
async function take<K, V>(consumer: Consumer<K, V>, count: number) {
  const taken = []
  while (taken.length < count) for (const record of await consumer.poll(1000)) taken.push(record)
  return taken
}

test('deserializers: by name in the properties, serializers likewise', async (t) => {
  const { consumer, producer } = await clients<string, number | bigint, string, number | bigint>(
    t,
    { properties: { 'key.deserializer': 'string', 'value.deserializer': 'long' } },
    { properties: { 'value.serializer': 'org.apache.kafka.common.serialization.LongSerializer' } },
  )
  await producer.send({ topic: 'orders', key: 'a', value: 7 })
  await producer.send({ topic: 'orders', key: null, value: 2n ** 62n })
  await producer.send({ topic: 'orders', key: 'c', value: null })
  const records = await take(consumer, 3)
  assert.deepEqual(
    records.map(({ key, value }) => [key, value]),
    [
      ['a', 7],
      [null, 2n ** 62n],
      ['c', null],
    ],
  )
  assert.deepEqual(records[0]!.keyBytes, Buffer.from('a'))
  assert.deepEqual(records[0]!.valueBytes, Buffer.from('0000000000000007', 'hex'))
  assert.equal(records[0]!.serializedValueSize, 8)
})

test('deserializers: functions of one’s own, each called once a record', async (t) => {
  let calls = 0
  const { consumer, producer } = await clients(
    t,
    {
      options: {
        valueDeserializer: (data: Buffer, { topic, offset }, part) => {
          calls++
          return { text: data.toString(), at: `${topic}@${offset}`, part }
        },
      },
    },
    { options: { valueSerializer: (value: string[], topic, part) => Buffer.from([topic, part, ...value].join(' ')) } },
  )
  await producer.send({ topic: 'orders', key: 'k', value: ['x', 'y'] })
  const [record] = await take(consumer, 1)
  assert.deepEqual(record!.value, { text: 'orders value x y', at: 'orders@0', part: 'value' })
  assert.equal(record!.value, record!.value)
  assert.deepEqual(record!.key, Buffer.from('k'))
  assert.equal(calls, 1)
})

test('RecordDeserializationError: what stands before is handed out, the position is the record, and a seek goes past it', async (t) => {
  const { consumer, producer } = await clients(t, { options: { valueDeserializer: deserializers.json } })
  const texts = ['1', '2', 'no json', '4', '{', '6']
  await producer.sendBatch(
    texts.map((value, index) => ({ topic: 'orders', key: `k${index}`, value, headers: [{ key: 'h', value: 'v' }] })),
  )
  assert.deepEqual(
    (await take(consumer, 2)).map(({ value }) => value),
    [1, 2],
  )
  for (let again = 0; again < 2; again++) {
    await assert.rejects(consumer.poll(1000), (error) => {
      assert.ok(error instanceof RecordDeserializationError)
      assert.equal(error.code, 'SLUICE_RECORD_DESERIALIZATION')
      assert.equal(error.retriable, false)
      assert.equal(error.part, 'value')
      assert.deepEqual(error.topicPartition, orders)
      assert.equal(error.offset, 2)
      assert.equal(error.record.keyText(), 'k2')
      assert.equal(error.record.value?.toString(), 'no json')
      assert.equal(error.record.headers[0]?.key, 'h')
      assert.match(
        error.message,
        /topic orders, partition 0, offset 2: the value cannot be deserialized: it is not JSON.*seek to 3/,
      )
      return true
    })
    assert.equal(await consumer.position(orders), 2)
  }
  consumer.seek(orders, 3)
  assert.deepEqual(
    (await take(consumer, 1)).map(({ value }) => value),
    [4],
  )
  const failure = await consumer.poll(1000).then(
    () => assert.fail('the fifth is no JSON'),
    (error: unknown) => error as RecordDeserializationError,
  )
  consumer.seek(failure.topicPartition, failure.offset + 1)
  assert.deepEqual(
    (await take(consumer, 1)).map(({ value }) => value),
    [6],
  )
})

test('RecordDeserializationError: nothing behind the last good record is committed', async (t) => {
  const { consumer, producer } = await clients(t, { properties: { 'key.deserializer': 'integer' } })
  await producer.send({ topic: 'orders', key: '1234', value: 'good' })
  await producer.send({ topic: 'orders', key: 'bad', value: 'bad' })
  assert.equal((await take(consumer, 1))[0]!.key, 0x31323334)
  await assert.rejects(consumer.poll(1000), { part: 'key', offset: 1 })
  await consumer.commitSync()
  assert.equal((await consumer.committed([orders])).get(orders)?.offset, 1)
})

test('RecordDeserializationError: a serializer that throws fails its record alone', async (t) => {
  const { consumer, producer } = await clients<Buffer, number, string, number>(
    t,
    { properties: { 'value.deserializer': 'integer' } },
    { properties: { 'value.serializer': 'integer' } },
  )
  const sent = producer.sendBatch([1, 2 ** 40, 3].map((value) => ({ topic: 'orders', value })))
  await assert.rejects(sent, { code: 'SLUICE_SEND_BATCH', message: /1 of 3 records.*number 1/ })
  assert.deepEqual(
    (await take(consumer, 2)).map(({ value }) => value),
    [1, 3],
  )
})
