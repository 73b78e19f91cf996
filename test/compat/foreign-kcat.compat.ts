/** kcat 1.7.1 (librdkafka 2.0.2) against the embedded broker. What passes is what stands here; it may only grow. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { startBroker, type StartBrokerOptions, type TestBroker } from '../../src/testing/index.ts'
import { stableGroup } from '../support/stable-group.ts'
import { until } from '../support/until.ts'
import { runProgram } from './kafka.ts'

const lines = (count: number, from = 1) => Array.from({ length: count }, (_, index) => `${from + index}\n`).join('')

async function brokerFor(t: TestContext, options: StartBrokerOptions = {}): Promise<TestBroker> {
  const broker = await startBroker(options)
  t.after(() => broker.stop())
  return broker
}

async function kcat(broker: TestBroker, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await runProgram('kcat', ['-b', broker.bootstrapServers, ...args], { input })
  assert.equal(code, 0, stderr)
  return stdout
}

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  test(`kcat: produces with compression ${compression} and consumes all of it in order`, async (t) => {
    const broker = await brokerFor(t)
    await kcat(broker, ['-P', '-t', 'numbers', '-z', compression], lines(5000))
    assert.equal(await kcat(broker, ['-C', '-t', 'numbers', '-e', '-q']), lines(5000))
  })
}

test('kcat: produces as an idempotent producer', async (t) => {
  const broker = await brokerFor(t)
  await kcat(broker, ['-P', '-t', 'numbers', '-X', 'enable.idempotence=true'], lines(5000))
  assert.equal(await kcat(broker, ['-C', '-t', 'numbers', '-e', '-q']), lines(5000))
})

test('kcat: keys, headers and timestamps come back', async (t) => {
  const broker = await brokerFor(t)
  await kcat(broker, ['-P', '-t', 'keyed', '-K', ':', '-H', 'trace=7'], 'a:1\nb:2\n')
  assert.equal(
    await kcat(broker, ['-C', '-t', 'keyed', '-e', '-q', '-f', '%k=%s %h %o\n']),
    'a=1 trace=7 0\nb=2 trace=7 1\n',
  )
})

test('kcat: lists topics, partitions and offsets by time', async (t) => {
  const broker = await brokerFor(t, { topics: { clicks: 3 } })
  await kcat(broker, ['-P', '-t', 'clicks', '-p', '1'], lines(10))
  const listed = JSON.parse(await kcat(broker, ['-L', '-J'])) as { topics: { topic: string; partitions: object[] }[] }
  assert.deepEqual(
    listed.topics.map(({ topic, partitions }) => [topic, partitions.length]),
    [['clicks', 3]],
  )
  assert.match(await kcat(broker, ['-Q', '-t', 'clicks:1:-1']), /clicks \[1\] offset 10/)
  assert.match(await kcat(broker, ['-Q', '-t', 'clicks:1:-2']), /clicks \[1\] offset 0/)
})

test('kcat: consumes from an offset within a batch', async (t) => {
  const broker = await brokerFor(t)
  await kcat(broker, ['-P', '-t', 'numbers'], lines(1000))
  assert.equal(await kcat(broker, ['-C', '-t', 'numbers', '-e', '-q', '-o', '500']), lines(500, 501))
})

test('kcat: waits for records that come later', async (t) => {
  const broker = await brokerFor(t, { topics: ['later'] })
  const waiting = kcat(broker, ['-C', '-t', 'later', '-c', '3', '-q'])
  await until(() => broker.broker.connectionCount > 0)
  await kcat(broker, ['-P', '-t', 'later'], lines(3))
  assert.equal(await waiting, lines(3))
})

test('kcat: goes on after the broker was killed and started again, and finds what was acknowledged', async (t) => {
  const broker = await brokerFor(t)
  await kcat(broker, ['-P', '-t', 'numbers'], lines(1000))
  await broker.kill()
  await broker.restart()
  await kcat(broker, ['-P', '-t', 'numbers'], lines(1000, 1001))
  assert.equal(await kcat(broker, ['-C', '-t', 'numbers', '-e', '-q']), lines(2000))
})

interface Member {
  readonly process: ChildProcess
  readonly seen: string[]
}

function groupMember(t: TestContext, broker: TestBroker, topic: string): Member {
  const properties = ['auto.offset.reset=earliest', 'session.timeout.ms=6000', 'auto.commit.interval.ms=100']
  const args = [
    '-b',
    broker.bootstrapServers,
    '-q',
    '-u',
    ...properties.flatMap((one) => ['-X', one]),
    '-G',
    'g',
    topic,
  ]
  const child = spawn('kcat', args)
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

test('kcat: a group of three shares six partitions, and two take over from one that leaves', async (t) => {
  const broker = await brokerFor(t, { topics: { clicks: 6 } })
  const members = [1, 2, 3].map(() => groupMember(t, broker, 'clicks'))
  await stableGroup(broker.bootstrapServers, 'g', 3)
  const produce = async (from: number, count: number) => {
    for (let partition = 0; partition < 6; partition++) {
      await kcat(broker, ['-P', '-t', 'clicks', '-p', String(partition)], lines(count, from + partition * count))
    }
  }
  await produce(1, 100)
  const seen = () => members.flatMap((member) => member.seen)
  await until(() => new Set(seen()).size === 600)
  for (const { seen } of members) assert.equal(seen.length, 200, 'two partitions each')

  members[0]!.process.kill('SIGTERM')
  await once(members[0]!.process, 'exit')
  await stableGroup(broker.bootstrapServers, 'g', 2)
  await produce(1001, 100)
  await until(() => new Set(seen()).size === 1200)
  assert.equal(seen().length, 1200, 'nothing twice')
})
