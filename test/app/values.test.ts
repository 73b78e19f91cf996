/** Applications whose records are more than text: what reaches a sink, and what becomes of a record that cannot be decoded. Over the embedded broker. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import { z } from 'zod'
import { checkConf } from '../../src/app/conf.ts'
import { Supervisor } from '../../src/app/supervisor.ts'
import { InProcessHost } from '../../src/app/worker-host.ts'
import { Admin } from '../../src/client/admin/admin.ts'
import { Consumer } from '../../src/client/consumer/consumer.ts'
import { Producer, type BytesLike } from '../../src/client/producer/index.ts'
import { systemSeams } from '../../src/client/seams.ts'
import type { ConsumerRecord } from '../../src/protocol/records/consumer-record.ts'
import { systemClock, type Clock } from '../../src/seams/clock.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import type { Logger } from '../../src/seams/logger.ts'
import { sinks as ownSinks } from '../../src/sinks/index.ts'
import { createSinkRegistry } from '../../src/sinks/registry.ts'
import type { Sink, SinkBatch, SinkDefinition, ValueType } from '../../src/sinks/sink.ts'
import { startBroker } from '../../src/testing/index.ts'
import { expectedValue, vectors } from '../formats/vectors.ts'
import { TestSchemaRegistry } from '../support/schema-registry.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

interface Taken {
  readonly key: string | null
  readonly text: string | null
  readonly value: unknown
}

/** A sink that keeps what it gets. */
class CollectingSink implements Sink {
  readonly taken: Taken[] = []
  valueType: ValueType | undefined

  open(context: { valueType: ValueType }) {
    this.valueType = context.valueType
    return Promise.resolve({ guarantee: 'at-least-once' as const })
  }
  assigned(partitions: readonly { topicPartition: { topic: string; partition: number } }[]) {
    return Promise.resolve(partitions.map(({ topicPartition }) => ({ topicPartition, next: undefined })))
  }
  write({ records, values }: SinkBatch) {
    records.forEach((record, index) => {
      this.taken.push({ key: record.keyText(), text: record.valueText(), value: values[index] })
    })
    return Promise.resolve({ flushDue: false })
  }
  flush(_: unknown, next: number) {
    return Promise.resolve({ durable: next })
  }
  revoked() {
    return Promise.resolve([])
  }
  close() {
    return Promise.resolve()
  }
}

/** Waits of seconds need not be waited for. */
const hastyClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms > 100 ? ms / 20 : ms, signal),
}

interface Sent {
  readonly key?: BytesLike
  readonly value: BytesLike
}

async function run(t: TestContext, conf: object, records: readonly Sent[]) {
  const broker = await startBroker({ topics: { orders: 1 }, properties: { 'group.min.session.timeout.ms': 300 } })
  const producer = new Producer({ 'bootstrap.servers': broker.bootstrapServers })
  await producer.sendBatch(records.map((record) => ({ topic: 'orders', ...record })))
  await producer.close()
  const sink = new CollectingSink()
  const collecting: SinkDefinition = {
    name: 'collecting',
    guarantee: 'at-least-once',
    summary: 'Keeps records.',
    options: z.strictObject({}),
    example: { type: 'collecting' },
    create: () => sink,
  }
  const sinks = createSinkRegistry([...ownSinks.definitions, collecting])
  const said: string[] = []
  const say = (_: object, message: string) => void said.push(message)
  const logger: Logger = { debug: say, info: say, warn: say, error: say }
  const application = {
    topic: 'orders',
    'group.id': 'readers',
    'bootstrap.servers': broker.bootstrapServers,
    'session.timeout.ms': 400,
    'heartbeat.interval.ms': 50,
    sink: { type: 'collecting' },
    ...conf,
  }
  const seams = systemSeams({ logger, clock: hastyClock })
  const supervisor = new Supervisor({
    applications: checkConf(application, 'consumer.conf', { sinks }),
    host: new InProcessHost({ seams, disk: systemDisk, sinks }),
    transport: seams.transport,
    clock: hastyClock,
    logger,
    onStatus: () => {},
  })
  const ended = supervisor.run()
  ended.catch(() => {})
  t.after(async () => {
    supervisor.stop()
    await ended.catch(() => {})
    await broker.stop()
  })
  /** The first `count` records of partition 0 of another topic. */
  const consume = async (topic: string, count: number) => {
    const consumer = new Consumer({
      'bootstrap.servers': broker.bootstrapServers,
      'auto.offset.reset': 'earliest',
    })
    t.after(() => consumer.close())
    consumer.assign([{ topic, partition: 0 }])
    const taken: ConsumerRecord[] = []
    await until(
      async () => {
        taken.push(...(await consumer.poll(500)))
        return taken.length >= count
      },
      { withinMs: 60_000, what: `${count} records of ${topic}` },
    )
    return taken
  }
  const members = async () => {
    const admin = new Admin({ 'bootstrap.servers': broker.bootstrapServers })
    try {
      const group = (await admin.describeGroups(['readers'])).get('readers')
      assert.ok(group && !(group instanceof Error))
      return group.members.map(({ memberId }) => memberId)
    } finally {
      await admin.close()
    }
  }
  return { sink, supervisor, ended, said, consume, members }
}

const bytesOf = (topic: string) => Buffer.from(vectors.values.find((one) => one.topic === topic)!.bytes, 'hex')
const registryConf = (registry: TestSchemaRegistry, value: string) => ({ value, 'schema.registry.url': registry.url })

test('value: numbers, as Java’s serializers write them; a sink gets the value and its text', async (t) => {
  const { sink } = await run(t, { value: 'long', key: 'integer' }, [
    { key: Buffer.from('0000002a', 'hex'), value: Buffer.from('0000000000000007', 'hex') },
    { key: null, value: Buffer.from('0020000000000001', 'hex') },
    { key: null, value: null },
  ])
  await until(() => sink.taken.length === 3)
  assert.deepEqual(sink.taken, [
    { key: '42', text: '7', value: 7 },
    { key: null, text: '9007199254740993', value: 9007199254740993n },
    { key: null, text: null, value: null },
  ])
  assert.equal(sink.valueType, 'json')
})

test('value: json keeps whole numbers of 64 bits, and the text as it came', async (t) => {
  const { sink } = await run(t, { value: 'json' }, [{ value: '{"id": 9007199254740993}' }, { value: '{"id":1e400}' }])
  await until(() => sink.taken.length === 2)
  assert.deepEqual(sink.taken[0], { key: null, text: '{"id": 9007199254740993}', value: { id: 9007199254740993n } })
})

for (const [value, topic] of [
  ['avro', 'avro-visit'],
  ['protobuf', 'protobuf-purchase'],
  ['json-schema', 'json-person'],
] as const) {
  test(`value: ${value} by the schema registry`, async (t) => {
    const registry = await TestSchemaRegistry.start(t, vectors)
    const { sink } = await run(t, registryConf(registry, value), [{ key: 'k', value: bytesOf(topic) }, { value: null }])
    await until(() => sink.taken.length === 2)
    const expected = expectedValue(vectors.values.find((one) => one.topic === topic)!.expected)
    assert.deepEqual(structuredClone(sink.taken[0]!.value), structuredClone(expected))
    assert.equal(sink.taken[0]!.key, 'k')
    assert.match(sink.taken[0]!.text!, /^\{"/)
    assert.equal(sink.taken[1]!.text, null)
  })
}

test('value: avro into a table, exact beyond 2^53', async (t) => {
  const registry = await TestSchemaRegistry.start(t, vectors)
  const directory = await temporaryDirectory(t)
  const database = join(directory, 'orders.db')
  const columns = ['big', 'least', 'amount', 'millis', 'counts', 'raw', 'note', 'status', 'paid', '$value']
  const sink = { type: 'sqlite', database, table: 'orders', columns }
  const { supervisor, ended } = await run(t, { ...registryConf(registry, 'avro'), sink }, [
    { value: bytesOf('avro-order') },
  ])
  const rows = () => {
    try {
      const db = new DatabaseSync(database, { readOnly: true })
      try {
        const query = db.prepare('SELECT * FROM orders')
        query.setReadBigInts(true)
        return query.all()
      } finally {
        db.close()
      }
    } catch {
      return []
    }
  }
  await until(() => rows().length === 1)
  supervisor.stop()
  await ended
  const row = rows()[0]!
  assert.equal(row['big'], 9007199254740993n)
  assert.equal(row['least'], -(2n ** 63n))
  assert.equal(row['amount'], '123456789012345678.90')
  assert.equal(row['millis'], '2026-01-02T03:04:05.678Z')
  assert.equal(row['counts'], `{"x":1,"__proto__":${2n ** 60n}}`)
  assert.deepEqual(Buffer.from(row['raw'] as Uint8Array), Buffer.from('00ff', 'hex'))
  assert.equal(row['status'], 'DONE')
  assert.equal(row['paid'], 1n)
  assert.match(String(row['value']), /"big":9007199254740993,.*"raw":"AP8="/)
})

test('schema registry: while it is down records wait, and the membership is kept; then they are stored', async (t) => {
  const registry = await TestSchemaRegistry.start(t, vectors)
  registry.behaves = 'unavailable'
  const value = bytesOf('avro-text')
  const { sink, supervisor, said, members } = await run(t, registryConf(registry, 'avro'), [{ value }, { value }])
  await until(() => registry.asked.length > 0)
  const atFirst = await members()
  assert.equal(atFirst.length, 1)
  const since = systemClock.monotonic()
  // Several times as long as a member without heartbeats would be one (session.timeout.ms: 400).
  await until(() => systemClock.monotonic() - since > 2000 && registry.asked.length >= 15, { withinMs: 60_000 })
  assert.deepEqual(await members(), atFirst)
  assert.equal(sink.taken.length, 0)
  assert.ok(
    said.some((line) => /orders-0: records cannot be decoded: the schema registry .* answers .* with 503/.test(line)),
    said.join('\n'),
  )
  assert.ok(said.some((line) => /nothing is lost or committed meanwhile/.test(line)))
  const [before] = supervisor.consumers
  registry.behaves = 'well'
  await until(() => sink.taken.length === 2)
  assert.deepEqual(
    sink.taken.map(({ value: text }) => text),
    ['just text', 'just text'],
  )
  assert.equal(supervisor.consumers[0]!.restarts, before!.restarts)
  assert.deepEqual(await members(), atFirst)
})

test('schema registry: an application that waits for it can be stopped', async (t) => {
  const registry = await TestSchemaRegistry.start(t, vectors)
  registry.behaves = 'hangs'
  const conf = { ...registryConf(registry, 'avro'), 'shutdown.timeout.ms': 1000 }
  const { supervisor, ended } = await run(t, conf, [{ value: bytesOf('avro-text') }])
  await until(() => registry.asked.length > 0)
  supervisor.stop()
  await ended
})

test('schema registry: credentials that it does not take stop the application, and no record is blamed', async (t) => {
  const registry = await TestSchemaRegistry.start(t, vectors)
  registry.behaves = 'forbids'
  const conf = { ...registryConf(registry, 'avro'), 'basic.auth.user.info': 'me:pass-word-9' }
  const { ended, said } = await run(t, conf, [{ value: bytesOf('avro-text') }])
  await assert.rejects(ended, (error: Error) => {
    assert.match(error.message, /refuses .* with 401: set "basic.auth.user.info"/)
    assert.doesNotMatch(error.message + said.join('\n'), /pass-word-9|offset 0/)
    return true
  })
})

test('a record that cannot be decoded: everything before it is stored, and the application stops with where it is', async (t) => {
  const registry = await TestSchemaRegistry.start(t, vectors)
  const good = bytesOf('avro-text')
  for (const [bad, says] of [
    [Buffer.from('{"id":1}'), 'the value cannot be decoded: it begins with the byte 0x7b'],
    [
      Buffer.from('00000003e700', 'hex'),
      'the value cannot be decoded: the schema registry knows no schema with the id 999',
    ],
    [good.subarray(0, 8), 'the value cannot be decoded: it is not what the Avro schema'],
  ] as const) {
    const { sink, ended } = await run(t, registryConf(registry, 'avro'), [
      { value: good },
      { value: bad },
      { value: good },
    ])
    await assert.rejects(ended, (error: Error) => {
      assert.ok(error.message.includes(`topic orders, partition 0, offset 1: ${says}`), error.message)
      assert.match(error.message, /Every record before it is stored, nothing from it on is committed/)
      return true
    })
    assert.equal(sink.taken.length, 1)
  }
})

test('value: a function of one’s own, from a module beside the conf', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(
    join(directory, 'decode.ts'),
    `export default async (data: Buffer, record: { offset: number }, part: string) => {
       if (data.length === 0) throw new Error('nothing in it')
       return { text: data.toString('latin1'), offset: record.offset, part }
     }`,
  )
  const value = join(directory, 'decode.ts')
  const { sink, ended } = await run(t, { value }, [{ value: 'a' }, { value: null }, { value: 'c' }, { value: '' }])
  await assert.rejects(ended, /topic orders, partition 0, offset 3: the value cannot be decoded: nothing in it/)
  assert.deepEqual(
    sink.taken.map(({ value: found }) => found),
    [{ text: 'a', offset: 0, part: 'value' }, null, { text: 'c', offset: 2, part: 'value' }],
  )
  assert.equal(sink.taken[0]!.text, '{"text":"a","offset":0,"part":"value"}')
})

test('value: a module that cannot be used stops the application before it reads', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'none.ts'), 'export const decode = 1')
  await writeFile(join(directory, 'broken.ts'), 'throw new Error("at loading")')
  for (const [name, says] of [
    ['none.ts', /no function as its default export/],
    ['broken.ts', /cannot be loaded: at loading/],
  ] as const) {
    const { ended } = await run(t, { value: join(directory, name) }, [{ value: 'a' }])
    await assert.rejects(ended, says)
  }
})

test('handler: gets the decoded key and value; what cannot be decoded is a dead letter, and a registry that is down is waited for', async (t) => {
  const registry = await TestSchemaRegistry.start(t, vectors)
  registry.behaves = 'unavailable'
  const directory = await temporaryDirectory(t)
  const handler = join(directory, 'handle.ts')
  const file = join(directory, 'handled')
  await writeFile(
    handler,
    `import { appendFileSync } from 'node:fs'
     export default ({ key, value, offset }) => appendFileSync(${JSON.stringify(file)}, JSON.stringify([offset, key, value]) + '\\n')`,
  )
  const key = Buffer.from('0000002a', 'hex')
  const conf = {
    ...registryConf(registry, 'avro'),
    key: 'integer',
    handler,
    sink: undefined,
    'on.failure': 'dead-letter',
  }
  const { said, consume } = await run(t, conf, [
    { key, value: bytesOf('avro-text') },
    { key, value: 'no avro' },
    { key: 'not an integer', value: bytesOf('avro-text') },
    { key: null, value: bytesOf('avro-visit') },
  ])
  await until(() => registry.asked.length >= 6, { withinMs: 60_000, what: 'six requests' })
  const handled = () => {
    try {
      return readFileSync(file, 'utf8').split('\n').filter(Boolean)
    } catch {
      return []
    }
  }
  assert.deepEqual(handled(), [])
  assert.ok(said.some((line) => /orders-0 offset 0: records cannot be decoded: the schema registry/.test(line)))
  registry.behaves = 'well'
  await until(() => handled().length === 2, { withinMs: 60_000, what: 'two records are handled' })
  assert.deepEqual(
    handled().map((line) => JSON.parse(line) as unknown),
    [
      [0, 42, 'just text'],
      [3, null, { who: { name: 'Ada' }, before: null }],
    ],
  )
  const letters = await consume('orders-dlt', 2)
  const header = (index: number, name: string) =>
    letters[index]!.headers.find((one) => one.key === `sluice-${name}`)?.value?.toString()
  assert.equal(letters[0]!.valueText(), 'no avro')
  assert.equal(header(0, 'original-offset'), '1')
  assert.match(header(0, 'error-message')!, /offset 1: the value cannot be decoded: it begins with the byte 0x6e/)
  assert.equal(letters[1]!.keyText(), 'not an integer')
  assert.match(header(1, 'error-message')!, /offset 2: the key cannot be decoded: an integer takes 4 bytes/)
})

test('sink: what cannot be decoded is skipped or a dead letter, as "on.failure" says', async (t) => {
  const registry = await TestSchemaRegistry.start(t, vectors)
  const good = { value: bytesOf('avro-text') }
  const records = [good, { value: 'no avro' }, good, { value: Buffer.from('00000003e7', 'hex') }, good]
  const skipping = await run(t, { ...registryConf(registry, 'avro'), 'on.failure': 'skip' }, records)
  await until(() => skipping.sink.taken.length === 3)
  assert.equal(skipping.said.filter((line) => /offset [13]: skipped/.test(line)).length, 2)
  const writing = await run(t, { ...registryConf(registry, 'avro'), 'on.failure': 'dead-letter' }, records)
  await until(() => writing.sink.taken.length === 3)
  const letters = await writing.consume('orders-dlt', 2)
  assert.deepEqual(
    letters.map(({ value }) => value),
    [Buffer.from('no avro'), Buffer.from('00000003e7', 'hex')],
  )
})

test('conf: what is wrong with key, value and the registry, each with its place', () => {
  const problems = (conf: object, readText?: (path: string) => string) => {
    try {
      checkConf({ topic: 'a', 'group.id': 'g', ...conf }, '/etc/app/consumer.conf', {
        sinks: ownSinks,
        references: { env: {}, readText: readText ?? ((path) => readFileSync(path, 'utf8')) },
      })
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }
  const cases: readonly [object, RegExp][] = [
    [{ value: 'avor' }, /value: is "avor", .*did you mean "avro"/],
    [{ key: 7 }, /key: is 7, and must be one of string/],
    [{ value: 'avro' }, /\["schema.registry.url"\]: is missing, and "avro" needs it/],
    [
      { value: 'avro', 'schema.registry.url': 'registry:8081' },
      /\["schema.registry.url"\]: holds something that is no URL/,
    ],
    [
      { value: './decode.ts' },
      /value: is "\.\/decode\.ts", and \/etc\/app\/decode\.ts cannot be read: there is no such file/,
    ],
    [{ 'basic.auth.user.info': 'nobody' }, /must have the form user:password/],
    [{ 'basic.auth.credentials.source': 'SASL_INHERIT' }, /must be URL or USER_INFO/],
    [{ 'basic.auth.credentials.source': 'USER_INFO' }, /"basic.auth.user.info" is missing/],
    [
      { 'value.deserializer': 'com.acme.OwnDeserializer' },
      /\["value.deserializer"\]: is "com.acme.OwnDeserializer", which is not known/,
    ],
    [
      { value: 'json', 'value.deserializer': 'org.apache.kafka.common.serialization.LongDeserializer' },
      /\["value.deserializer"\]: is .* and "value" is "json": leave one of them out/,
    ],
  ]
  for (const [conf, message] of cases) assert.match(problems(conf), message)
  assert.equal(
    problems({ value: './decode.ts' }, () => ''),
    '',
  )
})

test('conf: Java’s classes of deserializers say the same', () => {
  const [application] = checkConf(
    {
      topic: 'a',
      'group.id': 'g',
      'key.deserializer': 'org.apache.kafka.common.serialization.LongDeserializer',
      'value.deserializer': 'io.confluent.kafka.serializers.KafkaAvroDeserializer',
      'schema.registry.url': 'http://127.0.0.1:8081',
    },
    'consumer.conf',
    { sinks: ownSinks },
  )
  assert.equal(application!.key, 'long')
  assert.equal(application!.value, 'avro')
})
