/**
 * Members of other makes in one group with ours, over Apache Kafka: Java's consumer (as VerifiableConsumer) and librdkafka's (as kcat). Both as the
 * first member, which leads the group and assigns, and as the second.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { after, before, test, type TestContext } from 'node:test'
import { type Consumer } from '../../src/client/consumer/index.ts'
import { until } from '../support/until.ts'
import { awaitAssignment, Fixture, named, uniqueName } from '../client/consumer/suite/environment.ts'
import { kafkaClassPath, type KafkaCluster, startKafka } from './kafka.ts'

let kafka: KafkaCluster
before(async () => {
  kafka = await startKafka()
})
after(() => kafka?.stop())

/** What a foreign member owns and has read, as far as its output says. */
interface ForeignMember {
  readonly partitions: () => string[]
  readonly records: () => number
  stop(): Promise<void>
}

function foreign(t: TestContext, child: ChildProcess, read: (line: string) => void): () => Promise<void> {
  let rest = ''
  const take = (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop()!
    lines.forEach(read)
  }
  child.stdout!.on('data', take)
  child.stderr!.on('data', take)
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = () => {
    child.kill('SIGTERM')
    return gone
  }
  t.after(stop)
  return stop
}

async function javaMember(t: TestContext, topic: string, group: string, assignor: string): Promise<ForeignMember> {
  let partitions: string[] = []
  let records = 0
  const args = [
    '-Xmx128m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-cp',
    await kafkaClassPath(),
    'org.apache.kafka.tools.VerifiableConsumer',
  ]
  const child = spawn('java', [
    ...args,
    '--bootstrap-server',
    kafka.bootstrapServers,
    '--topic',
    topic,
    '--group-id',
    group,
    '--reset-policy',
    'earliest',
    '--assignment-strategy',
    `org.apache.kafka.clients.consumer.${assignor}`,
  ])
  const stop = foreign(t, child, (line) => {
    if (!line.startsWith('{')) return
    const event = JSON.parse(line) as {
      name: string
      count?: number
      partitions?: { topic: string; partition: number }[]
    }
    const some = event.partitions ? named(event.partitions) : []
    if (event.name === 'partitions_assigned') partitions = [...new Set([...partitions, ...some])].sort()
    if (event.name === 'partitions_revoked') partitions = partitions.filter((one) => !some.includes(one))
    if (event.name === 'records_consumed') records += event.count!
  })
  return { partitions: () => partitions, records: () => records, stop }
}

function kcatMember(t: TestContext, topic: string, group: string, strategy: string): Promise<ForeignMember> {
  let partitions: string[] = []
  let records = 0
  const settings = [
    '-X',
    'auto.offset.reset=earliest',
    '-X',
    `partition.assignment.strategy=${strategy}`,
    '-X',
    'heartbeat.interval.ms=200',
  ]
  const child = spawn('kcat', [
    '-b',
    kafka.bootstrapServers,
    ...settings,
    '-u',
    '-f',
    'record %o\n',
    '-G',
    group,
    topic,
  ])
  const stop = foreign(t, child, (line) => {
    if (line.startsWith('record ')) records++
    const rebalance = /rebalanced \(memberid .*\): (assigned|revoked|incrementally \w+)?:? ?(.*)$/.exec(line)
    if (!rebalance) return
    const some = [...rebalance[2]!.matchAll(/(\S+) \[(\d+)\]/g)]
      .map(([, name, partition]) => `${name}-${partition}`)
      .sort()
    partitions = rebalance[1] === 'assigned' ? some : []
  })
  return Promise.resolve({ partitions: () => partitions, records: () => records, stop })
}

/** Two of four partitions each, no record read twice or left out, and all four for the one that stays. */
async function shareGroup(
  t: TestContext,
  oursFirst: boolean,
  strategy: string,
  start: (topic: string, group: string) => Promise<ForeignMember>,
) {
  const f = new Fixture(t, { bootstrapServers: () => kafka.bootstrapServers })
  const topic = await f.topic(4)
  const group = uniqueName('mixed')
  const consumer = f.consumer({
    'group.id': group,
    'partition.assignment.strategy': strategy,
    'heartbeat.interval.ms': 100,
    'enable.auto.commit': true,
  })
  const join = async () => {
    consumer.subscribe([topic])
    if (oursFirst) await awaitAssignment(consumer, 4)
  }
  if (oursFirst) await join()
  const other = await start(topic, group)
  if (!oursFirst) {
    await until(() => other.partitions().length === 4, { what: 'the foreign member has everything' })
    await join()
  }
  await polling(consumer, () => consumer.assignment().length === 2 && other.partitions().length === 2)
  assert.deepEqual(
    [...named(consumer.assignment()), ...other.partitions()].sort(),
    [0, 1, 2, 3].map((one) => `${topic}-${one}`),
  )
  for (let partition = 0; partition < 4; partition++) await f.produce(topic, 50, { partition })
  let ours = 0
  await polling(consumer, (count) => (ours += count) + other.records() >= 200)
  assert.deepEqual([ours, other.records()], [100, 100])
  await other.stop()
  await polling(consumer, () => consumer.assignment().length === 4)
}

async function polling(consumer: Consumer, condition: (count: number) => boolean): Promise<void> {
  await until(async () => condition((await consumer.poll(50)).count), {
    withinMs: 60_000,
    everyMs: 0,
    what: condition.toString(),
  })
}

const java = {
  range: 'RangeAssignor',
  roundrobin: 'RoundRobinAssignor',
  sticky: 'StickyAssignor',
  'cooperative-sticky': 'CooperativeStickyAssignor',
}
for (const [strategy, assignor] of Object.entries(java)) {
  for (const oursFirst of [true, false]) {
    test(`${strategy}: one group with Java's consumer, ${oursFirst ? 'ours leads' : 'Java leads'}`, (t) =>
      shareGroup(t, oursFirst, strategy, (topic, group) => javaMember(t, topic, group, assignor)))
  }
}
for (const strategy of ['range', 'roundrobin']) {
  for (const oursFirst of [true, false]) {
    test(`${strategy}: one group with kcat, ${oursFirst ? 'ours leads' : 'kcat leads'}`, (t) =>
      shareGroup(t, oursFirst, strategy, (topic, group) => kcatMember(t, topic, group, strategy)))
  }
}
