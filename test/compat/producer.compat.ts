/** The producer's conformance suite over Apache Kafka, and what it writes read back by kcat and by Kafka's own console consumer. */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { Admin } from '../../src/client/admin/index.ts'
import { type PropertyBag } from '../../src/client/config.ts'
import { Producer } from '../../src/client/producer/index.ts'
import { producerConformance } from '../client/producer/producer-conformance.ts'
import { kafkaTool, runProgram, startKafka } from './kafka.ts'

const kafka = startKafka()
after(async () => (await kafka).stop())
producerConformance(() => kafka)

let topicsMade = 0

async function topicOf(t: TestContext, partitions = 1): Promise<string> {
  const admin = new Admin({ 'bootstrap.servers': (await kafka).bootstrapServers })
  t.after(() => admin.close())
  const name = `foreign-${++topicsMade}`
  await admin.createTopics([{ name, partitions }])
  return name
}

async function producerOf(t: TestContext, properties: PropertyBag = {}): Promise<Producer> {
  const producer = new Producer({ 'bootstrap.servers': (await kafka).bootstrapServers, ...properties })
  t.after(() => producer.close({ timeoutMs: 5000 }))
  return producer
}

async function kcat(...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await runProgram('kcat', ['-b', (await kafka).bootstrapServers, '-q', ...args])
  assert.equal(code, 0, stderr)
  return stdout.split('\n').slice(0, -1)
}

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  test(`kcat reads what was produced with ${compression}, record by record`, async (t) => {
    const topic = await topicOf(t)
    const producer = await producerOf(t, { 'compression.type': compression })
    const records = Array.from({ length: 20_000 }, (_, index) => ({
      topic,
      key: `key-${index}`,
      value: `value ${index} ${'x'.repeat(index % 200)}`,
      headers: [{ key: 'n', value: String(index) }],
    }))
    await producer.sendBatch(records)
    const lines = await kcat('-C', '-t', topic, '-e', '-X', 'check.crcs=true', '-f', '%k|%s|%h\\n')
    assert.equal(lines.length, records.length)
    for (const [index, line] of lines.entries()) {
      const { key, value } = records[index]!
      assert.equal(line, `${key}|${value}|n=${index}`)
    }
  })
}

test('every key goes to the partition to which librdkafka and Java send it', async (t) => {
  const topic = await topicOf(t, 7)
  const byJava = await topicOf(t, 7)
  const byKcat = await topicOf(t, 7)
  const producer = await producerOf(t)
  const keys = Array.from({ length: 300 }, (_, index) => `${'k'.repeat(index % 13)}${index}`)
  await producer.sendBatch(keys.map((key) => ({ topic, key, value: 'v' })))
  const input = keys.map((key) => `${key}:v\n`).join('')
  const { bootstrapServers } = await kafka
  const java = ['--bootstrap-server', bootstrapServers, '--topic', byJava]
  const keyed = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:']
  const written = await kafkaTool('org.apache.kafka.tools.ConsoleProducer', [...java, ...keyed], { input })
  assert.equal(written.code, 0, written.stderr)
  const murmur = ['-P', '-t', byKcat, '-K:', '-X', 'topic.partitioner=murmur2_random']
  const { code, stderr } = await runProgram('kcat', ['-b', bootstrapServers, ...murmur], { input })
  assert.equal(code, 0, stderr)
  const placed = async (name: string) => (await kcat('-C', '-t', name, '-e', '-f', '%k %p\\n')).sort()
  const ours = await placed(topic)
  assert.equal(ours.length, keys.length)
  assert.deepEqual(ours, await placed(byJava))
  assert.deepEqual(ours, await placed(byKcat))
})

test("Kafka's console consumer reads headers and only committed transactions", async (t) => {
  const topic = await topicOf(t)
  const producer = await producerOf(t, { 'transactional.id': 'foreign', 'compression.type': 'lz4' })
  await producer.initTransactions()
  for (const value of ['one', 'two', 'three', 'four']) {
    producer.beginTransaction()
    await producer.send({
      topic,
      key: 'k',
      value,
      headers: [
        { key: 'trace', value: 'abc' },
        { key: 'other', value: '1' },
      ],
    })
    if (value === 'two') await producer.abortTransaction()
    else await producer.commitTransaction()
  }
  const { bootstrapServers } = await kafka
  const read = await kafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    '--bootstrap-server',
    bootstrapServers,
    '--topic',
    topic,
    '--from-beginning',
    '--max-messages=3',
    '--isolation-level=read_committed',
    '--timeout-ms=30000',
    '--formatter-property=print.headers=true',
    '--formatter-property=print.key=true',
  ])
  assert.equal(
    read.stdout,
    ['one', 'three', 'four'].map((value) => `trace:abc,other:1\tk\t${value}\n`).join(''),
    read.stderr,
  )
})

test('three nodes: nothing is lost, repeated or reordered while each broker is restarted', async (t) => {
  const cluster = await startKafka({ nodes: 3, properties: { 'min.insync.replicas': 2 } })
  t.after(() => cluster.stop())
  const admin = new Admin({ 'bootstrap.servers': cluster.bootstrapServers })
  t.after(() => admin.close())
  await admin.createTopics([{ name: 'moving', partitions: 3, replicationFactor: 3 }])
  const producer = new Producer({ 'bootstrap.servers': cluster.bootstrapServers, 'batch.size': 2000 })
  t.after(() => producer.close({ timeoutMs: 5000 }))
  const done = new AbortController()
  let next = 0
  const producing = (async () => {
    while (!done.signal.aborted) {
      const from = next
      next += 300
      await producer.sendBatch(
        Array.from({ length: 300 }, (_, index) => ({
          topic: 'moving',
          partition: index % 3,
          value: String(from + index),
        })),
      )
    }
  })()
  producing.catch(() => {})
  // The first node is the only controller: it stays.
  for (const node of [cluster.nodes[1]!, cluster.nodes[2]!]) {
    await node.kill()
    await node.start()
  }
  done.abort()
  await producing
  const reading = ['-b', cluster.bootstrapServers, '-q', '-C', '-t', 'moving', '-e', '-f', '%p %s\\n']
  const { code, stdout, stderr } = await runProgram('kcat', reading)
  assert.equal(code, 0, stderr)
  const read = stdout.trimEnd().split('\n')
  assert.equal(read.length, next, 'none lost, none repeated')
  for (const partition of [0, 1, 2]) {
    const numbers = read.filter((line) => line.startsWith(`${partition} `)).map((line) => Number(line.slice(2)))
    const expected = Array.from({ length: next / 3 }, (_, index) => index * 3 + partition)
    assert.deepEqual(numbers, expected, `partition ${partition} in order`)
  }
  t.diagnostic(`${next} records while two brokers were killed and restarted`)
})
