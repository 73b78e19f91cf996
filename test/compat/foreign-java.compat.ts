/** Apache Kafka 4.3.1's own tools and clients against the embedded broker. What passes is what stands here; it may only grow. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { test, type TestContext } from 'node:test'
import { startBroker, type StartBrokerOptions, type TestBroker } from '../../src/testing/index.ts'
import { stableGroup } from '../support/stable-group.ts'
import { until } from '../support/until.ts'
import { kafkaClassPath, kafkaTool, runProgram } from './kafka.ts'

const TOOLS = 'org.apache.kafka.tools'
const lines = (count: number, from = 1) => Array.from({ length: count }, (_, index) => `${from + index}\n`).join('')

async function brokerFor(t: TestContext, options: StartBrokerOptions = {}): Promise<TestBroker> {
  const broker = await startBroker(options)
  t.after(() => broker.stop())
  return broker
}

/** Runs a tool that must succeed, and returns what it printed. */
async function tool(broker: TestBroker, name: string, args: readonly string[], input?: string): Promise<string> {
  const address = ['--bootstrap-server', broker.bootstrapServers]
  const { code, stdout, stderr } = await kafkaTool(`${TOOLS}.${name}`, [...address, ...args], { input })
  assert.equal(code, 0, `${name}: ${stdout}\n${stderr}`)
  return stdout
}

function consumeAll(broker: TestBroker, topic: string, count: number, more: readonly string[] = []): Promise<string> {
  const args = ['--topic', topic, '--from-beginning', '--max-messages', String(count), '--timeout-ms', '30000', ...more]
  return tool(broker, 'consumer.ConsoleConsumer', args)
}

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  test(`Java: ConsoleProducer and ConsoleConsumer with compression ${compression}`, async (t) => {
    const broker = await brokerFor(t, { topics: ['numbers'] })
    const property = ['--command-property', `compression.type=${compression}`]
    await tool(broker, 'ConsoleProducer', ['--topic', 'numbers', ...property], lines(1000))
    assert.equal(await consumeAll(broker, 'numbers', 1000), lines(1000))
  })
}

test('Java: TopicCommand creates, lists, describes, grows and deletes, and is refused fewer partitions', async (t) => {
  const broker = await brokerFor(t)
  const topics = (...args: string[]) => tool(broker, 'TopicCommand', args)
  await topics('--create', '--topic', 'clicks', '--partitions', '3', '--config', 'retention.ms=5000')
  assert.equal(await topics('--list'), 'clicks\n')
  assert.match(
    await topics('--describe', '--topic', 'clicks'),
    /PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: retention.ms=5000/,
  )
  const lower = ['--bootstrap-server', broker.bootstrapServers, '--alter', '--topic', 'clicks', '--partitions', '2']
  const refused = await kafkaTool(`${TOOLS}.TopicCommand`, lower)
  assert.equal(refused.code, 1)
  assert.match(refused.stdout, /The topic clicks currently has 3 partition\(s\); 2 would not be an increase\./)
  await topics('--alter', '--topic', 'clicks', '--partitions', '5')
  assert.match(await topics('--describe', '--topic', 'clicks'), /PartitionCount: 5/)
  await topics('--delete', '--topic', 'clicks')
  assert.equal((await topics('--list')).trim(), '')
})

test('Java: ConfigCommand describes and alters a topic and describes the broker', async (t) => {
  const broker = await brokerFor(t, { topics: ['clicks'] })
  const configs = async (...args: string[]) => {
    const address = ['--bootstrap-server', broker.bootstrapServers]
    const { code, stdout, stderr } = await kafkaTool('kafka.admin.ConfigCommand', [...address, ...args])
    assert.equal(code, 0, stdout + stderr)
    return stdout
  }
  const topic = ['--entity-type', 'topics', '--entity-name', 'clicks']
  await configs('--alter', ...topic, '--add-config', 'retention.ms=5000,cleanup.policy=[compact,delete]')
  const described = await configs('--describe', ...topic)
  assert.match(described, /retention\.ms=5000 .*DYNAMIC_TOPIC_CONFIG:retention\.ms=5000/)
  assert.match(described, /cleanup\.policy=compact,delete/)
  await configs('--alter', ...topic, '--delete-config', 'retention.ms')
  assert.doesNotMatch(await configs('--describe', ...topic), /retention\.ms=5000/)
  const all = await configs('--describe', '--all', '--entity-type', 'brokers', '--entity-name', '1')
  assert.match(all, /offsets\.topic\.num\.partitions=4 .*STATIC_BROKER_CONFIG/)
})

test('Java: GetOffsetShell, ProducerPerformance and ConsumerPerformance', async (t) => {
  const broker = await brokerFor(t, { topics: { load: 3 } })
  const load = ['--topic', 'load', '--num-records', '30000', '--record-size', '100', '--throughput', '-1']
  const properties = ['--command-property', `bootstrap.servers=${broker.bootstrapServers}`]
  const produced = await kafkaTool(`${TOOLS}.ProducerPerformance`, [...load, ...properties])
  assert.equal(produced.code, 0, produced.stdout + produced.stderr)
  assert.match(produced.stdout, /30000 records sent/)
  const ends = (await tool(broker, 'GetOffsetShell', ['--topic', 'load'])).trim().split('\n')
  const total = ends.reduce((sum, line) => sum + Number(line.split(':')[2]), 0)
  assert.equal(total, 30_000)
  assert.match(await tool(broker, 'ConsumerPerformance', ['--topic', 'load', '--num-records', '30000']), /, 30000, /)
})

test('Java: VerifiableProducer and VerifiableConsumer', async (t) => {
  const broker = await brokerFor(t, { topics: { clicks: 3 } })
  const produced = await tool(broker, 'VerifiableProducer', ['--topic', 'clicks', '--max-messages', '3000'])
  assert.match(produced, /"sent":3000,"acked":3000/)
  const args = ['--topic', 'clicks', '--group-id', 'g', '--max-messages', '3000', '--reset-policy', 'earliest']
  const consumed = await tool(broker, 'VerifiableConsumer', args)
  const events = consumed
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; count?: number })
  const records = events.filter(({ name }) => name === 'records_consumed').reduce((sum, { count }) => sum + count!, 0)
  assert.equal(records, 3000)
  assert.ok(events.some(({ name }) => name === 'offsets_committed'))
})

test('Java: ConsumerGroupCommand lists, describes, resets and deletes', async (t) => {
  const broker = await brokerFor(t, { topics: ['numbers'] })
  await tool(broker, 'ConsoleProducer', ['--topic', 'numbers'], lines(100))
  await consumeAll(broker, 'numbers', 40, ['--group', 'g'])
  const groups = (...args: string[]) => tool(broker, 'consumer.group.ConsumerGroupCommand', args)
  assert.equal((await groups('--list')).trim(), 'g')
  assert.match(await groups('--describe', '--group', 'g'), /g\s+numbers\s+0\s+40\s+100\s+60/)
  assert.match(await groups('--describe', '--group', 'g', '--state'), /g\s+127\.0\.0\.1:\d+\s+\(1\)\s+-?\s+Empty\s+0/)
  const reset = ['--reset-offsets', '--topic', 'numbers', '--to-offset', '7', '--execute', '--group', 'g']
  assert.match(await groups(...reset), /g\s+numbers\s+0\s+7/)
  assert.match(await groups('--describe', '--group', 'g'), /g\s+numbers\s+0\s+7\s+100\s+93/)
  assert.match(await groups('--delete', '--group', 'g'), /Deletion of requested consumer groups \('g'\) was successful/)
  assert.equal((await groups('--list')).trim(), '')
})

interface Member {
  readonly process: ChildProcess
  readonly seen: string[]
}

async function groupMember(t: TestContext, broker: TestBroker, strategy: string): Promise<Member> {
  const java = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', await kafkaClassPath()]
  const properties = [
    `partition.assignment.strategy=org.apache.kafka.clients.consumer.${strategy}`,
    'auto.commit.interval.ms=100',
    'heartbeat.interval.ms=300',
  ].flatMap((property) => ['--command-property', property])
  const args = ['--bootstrap-server', broker.bootstrapServers, '--topic', 'clicks', '--group', 'g', '--from-beginning']
  const child = spawn('java', [...java, `${TOOLS}.consumer.ConsoleConsumer`, ...args, ...properties])
  const member: Member = { process: child, seen: [] }
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n')
    rest = parts.pop()!
    member.seen.push(...parts)
  })
  t.after(() => child.kill('SIGKILL'))
  return member
}

for (const strategy of ['RangeAssignor', 'CooperativeStickyAssignor']) {
  test(`Java: a group of three with ${strategy}, and two that take over from one that leaves`, async (t) => {
    const broker = await brokerFor(t, { topics: { clicks: 6 } })
    const members = await Promise.all([1, 2, 3].map(() => groupMember(t, broker, strategy)))
    await stableGroup(broker.bootstrapServers, 'g', 3)
    const seen = () => members.flatMap((member) => member.seen)
    await tool(broker, 'ConsoleProducer', ['--topic', 'clicks', '--command-property', 'batch.size=50'], lines(600))
    await until(() => new Set(seen()).size === 600, { withinMs: 60_000 })
    members[0]!.process.kill('SIGTERM')
    await once(members[0]!.process, 'exit')
    await stableGroup(broker.bootstrapServers, 'g', 2)
    await tool(broker, 'ConsoleProducer', ['--topic', 'clicks', '--command-property', 'batch.size=50'], lines(600, 601))
    await until(() => new Set(seen()).size === 1200, { withinMs: 60_000 })
  })
}

test('Java: transactions that commit, abort, take offsets along and fence', async (t) => {
  const broker = await brokerFor(t, { topics: ['from', 'to'] })
  await tool(broker, 'ConsoleProducer', ['--topic', 'from'], lines(100))
  const source = fileURLToPath(new URL('java/TransactionalProducer.java', import.meta.url))
  const args = ['-cp', await kafkaClassPath(), source, broker.bootstrapServers, 'from', 'to', 'mover']
  const { code, stdout, stderr } = await runProgram('java', args, { timeoutMs: 90_000 })
  assert.equal(code, 0, stdout + stderr)
  assert.deepEqual(stdout.trim().split('\n'), ['moved 100', 'committed 100', 'fenced'])
  const committed = await consumeAll(broker, 'to', 100, ['--command-property', 'isolation.level=read_committed'])
  assert.equal(committed, lines(100).replaceAll(/^(?=\d)/gm, 'moved '))
  const all = await consumeAll(broker, 'to', 200)
  assert.match(all, /^aborted 0\naborted 1\n/)
})
