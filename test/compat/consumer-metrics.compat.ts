/** `consumer.metrics()` beside Java's, on the same topic of the same Apache Kafka: the same names, and the same figures where chance has no part. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Fixture, uniqueName } from '../client/consumer/suite/environment.ts'
import { kafkaClassPath, type KafkaCluster, runProgram, startKafka } from './kafka.ts'

let kafka: KafkaCluster
before(async () => {
  kafka = await startKafka()
})
after(() => kafka?.stop())

const GROUPS = ['consumer-fetch-manager-metrics', 'consumer-coordinator-metrics', 'consumer-metrics']
/** What only Java tells: times of its I/O thread, and sizes of single requests. */
const JAVA_ALONE =
  /^(?:io-.*|iotime-.*|network-io-.*|select-.*|request-.*|response-.*|successful-.*|failed-(?:re)?authentication.*|reauthentication.*|metadata-.*)$/

type Figures = Map<string, number>

async function javaFigures(topic: string, count: number): Promise<Figures> {
  const program = fileURLToPath(new URL('java/ConsumerMetricsPrinter.java', import.meta.url))
  const args = [kafka.bootstrapServers, uniqueName('java'), topic, String(count), '500']
  const result = await runProgram('java', ['-Xmx256m', '-cp', await kafkaClassPath(), program, ...args])
  assert.equal(result.code, 0, result.stderr)
  const figures: Figures = new Map()
  for (const line of result.stdout.split('\n')) {
    const [group, name, ofTopic, partition, value] = line.split('\t')
    if (!GROUPS.includes(group!)) continue
    figures.set(keyOf(group!, name!, ofTopic!, partition!), Number(value))
  }
  return figures
}

const keyOf = (group: string, name: string, topic = '', partition = '') =>
  `${group}:${name}${topic && `:topic`}${partition && `-${partition}`}`

async function ourFigures(t: Fixture, topic: string, count: number): Promise<Figures> {
  const consumer = t.consumer({ 'max.poll.records': 500, 'heartbeat.interval.ms': 100 })
  consumer.subscribe([topic])
  for (let found = 0; found < count;) found += (await consumer.poll(100)).count
  await consumer.commitSync()
  await consumer.commitSync()
  for (let round = 0; round < 10; round++) await consumer.poll(50)
  return new Map(
    [...consumer.metrics().values()].map(({ group, name, tags, value }) => [
      keyOf(group, name, tags['topic'], tags['partition']),
      value,
    ]),
  )
}

test('metrics: names and figures are those of the Java consumer', async (t) => {
  const f = new Fixture(t, { bootstrapServers: () => kafka.bootstrapServers })
  const topic = await f.topic(2)
  await f.produce(topic, 3000)
  await f.produce(topic, 1500, { partition: 1 })
  const [java, ours] = [await javaFigures(topic, 4500), await ourFigures(f, topic, 4500)]
  const missing = [...java.keys()].filter((key) => !ours.has(key) && !JAVA_ALONE.test(key.split(':')[1]!))
  assert.deepEqual(missing, [], 'Java has these')
  const ownNames = [...ours.keys()].filter((key) => !java.has(key))
  assert.deepEqual(ownNames, [], 'Java does not have these')
  const same = [
    'consumer-fetch-manager-metrics:records-consumed-total',
    'consumer-fetch-manager-metrics:bytes-consumed-total',
    'consumer-fetch-manager-metrics:records-consumed-total:topic',
    'consumer-fetch-manager-metrics:bytes-consumed-total:topic',
    'consumer-fetch-manager-metrics:records-lag:topic-0',
    'consumer-fetch-manager-metrics:records-lag:topic-1',
    'consumer-fetch-manager-metrics:records-lag-max',
    'consumer-fetch-manager-metrics:records-lag-max:topic-0',
    'consumer-fetch-manager-metrics:records-lead:topic-0',
    'consumer-fetch-manager-metrics:records-lead-min',
    'consumer-fetch-manager-metrics:preferred-read-replica:topic-0',
    'consumer-fetch-manager-metrics:fetch-throttle-time-max',
    'consumer-coordinator-metrics:commit-total',
    'consumer-coordinator-metrics:assigned-partitions',
    'consumer-coordinator-metrics:rebalance-total',
    'consumer-coordinator-metrics:sync-total',
    'consumer-coordinator-metrics:last-heartbeat-seconds-ago',
    'consumer-metrics:last-poll-seconds-ago',
  ]
  const pick = (figures: Figures) => Object.fromEntries(same.map((key) => [key, figures.get(key)]))
  assert.deepEqual(pick(ours), pick(java))
  // Chance and speed have a part in these: the same order of magnitude.
  for (const key of [
    'consumer-fetch-manager-metrics:records-consumed-rate',
    'consumer-fetch-manager-metrics:bytes-consumed-rate',
    'consumer-coordinator-metrics:commit-rate',
    'consumer-metrics:time-between-poll-avg',
  ]) {
    const [mine, theirs] = [ours.get(key)!, java.get(key)!]
    assert.ok(mine > theirs / 5 && mine < theirs * 5, `${key}: ${mine} here, ${theirs} in Java`)
  }
  const [idle, javaIdle] = [ours, java].map((figures) => figures.get('consumer-metrics:poll-idle-ratio-avg')!)
  assert.ok(idle! > 0 && idle! <= 1, `idle for ${idle}`)
  // Java divides nothing by nothing when a poll begins and ends within one millisecond, and the average of that is NaN.
  if (!Number.isNaN(javaIdle)) assert.ok(idle! > javaIdle! / 5 && idle! < javaIdle! * 5, `${idle}, ${javaIdle} in Java`)
})
