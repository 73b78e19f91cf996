/**
 * Every example as it stands, in a process of its own over the embedded broker: it prints what it says it does, and SIGTERM ends it
 * in order. And everything that the lab lists has its example and its chapter.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { experiments } from '../src/cli/lab/experiments/index.ts'
import { Producer } from '../src/client/producer/index.ts'
import { startBroker, type TestBroker } from '../src/testing/index.ts'
import { temporaryDirectory } from './support/temporary-directory.ts'
import { until } from './support/until.ts'

const root = dirname(import.meta.dirname)
const LINES = 60

interface Expected {
  /** What is printed before SIGTERM, for those that run until then. Without it the example ends by itself. */
  readonly running?: RegExp
  /** What has been printed in the end. */
  readonly ended?: RegExp
  /** Beside servers and topic. */
  readonly args?: readonly string[]
  readonly values?: readonly string[]
  readonly input?: string
}

const lastOffset = /Offset: 3/
/** What Node 22 says of `node:sqlite` by itself, and Node 24 does not. */
const sqliteIsNew = /^\(node:\d+\) ExperimentalWarning: SQLite is .*\n\(Use `node --trace-warnings .*\n/
const examples: Record<string, Expected> = {
  'simple-consumer': { running: /^Topic: simple-consumer, Partition: 0, Offset: 3, Key: null, Value: value 3$/m },
  producer: { ended: /^(?:Topic: producer, Partition: \d, Offset: \d+, Received\n){6}$/ },
  'producer-key-value': { ended: /(?:Key: (?:even|odd), Partition: \d, Offset: \d\n){8}/ },
  'producer-exact-partition': { args: ['2'], ended: /Key: key 3, Partition: 2, Offset: 3/ },
  console: { values: [], input: 'one\ntwo\n', running: />> one[^]*>> two/ },
  'auto-commit': { running: lastOffset },
  'sync-commit': { running: /committed 4 records/ },
  'sync-commit-record': { running: lastOffset },
  'commit-failed': { running: /CommitFailedException: [^]*committed 4 records/ },
  'async-commit': { running: /commit 1 is acknowledged/ },
  'async-then-sync': { running: lastOffset, ended: /committed at the end/ },
  rebalance: { running: /Assigned: 0, 1, 2, owned: 0, 1, 2/, ended: /Revoked: 0, 1, 2/ },
  'rebalance-listener': { running: lastOffset, ended: /Lost partitions in rebalance.*"offset":4/ },
  wakeup: { running: lastOffset, ended: /Starting exit\.\.\.\nClosed consumer and we are done\n$/ },
  'multi-thread': {
    running: />> value 3/,
    ended: /Bye\n(?:consumer-thread-\d trigger WakeupException\n){3}$/,
  },
  'save-metric': { values: ['mem,host=a total=16i,free=2i 1700000000000000000'], running: /saved 1 lines/ },
  lag: { ended: /^readers-0: committed 1, end 4, lag 3\n[^]*lag: lag 3, 0 members$/m },
  partitions: { ended: /^2 partitions: a in \d[^]*^4 partitions: a in \d[^]*^Refused: .*INVALID_PARTITIONS/m },
  versions: { ended: /^Fetch: client 4 to \d+, broker 4 to \d+, used \d+$/m },
  'exactly-once': { running: /stored 4 rows/ },
}

async function produce(broker: TestBroker, topic: string, values: readonly string[]): Promise<void> {
  const producer = new Producer({ 'bootstrap.servers': broker.bootstrapServers })
  try {
    await producer.sendBatch(values.map((value) => ({ topic, partition: 0, value })))
  } finally {
    await producer.close()
  }
}

async function run(t: TestContext, name: string, args: readonly string[], { running, ended, input }: Expected) {
  const child = spawn(process.execPath, ['--conditions=sluice-source', join(root, 'examples', `${name}.ts`), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  t.after(() => void child.kill('SIGKILL'))
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const closed = once(child, 'close') as Promise<[number | null, string | null]>
  if (input === undefined) child.stdin.end()
  else child.stdin.write(input)
  if (running) {
    await until(() => running.test(output) || child.exitCode !== null, { withinMs: 60_000 })
    child.kill('SIGTERM')
  }
  assert.deepEqual(await closed, [0, null], `${output}${errors}`)
  if (running) assert.match(output, running)
  if (ended) assert.match(output, ended)
  assert.equal(errors.replace(sqliteIsNew, ''), '')
}

await test('examples: each runs, and SIGTERM ends it in order', { concurrency: 3 }, async (t) => {
  const topics = Object.fromEntries(Object.keys(examples).map((name) => [name, 3]))
  delete topics['partitions']
  const broker = await startBroker({ topics: { ...topics, readers: 1 } })
  t.after(() => broker.stop())
  const directory = await temporaryDirectory(t)
  const paths: Record<string, string> = {
    'save-metric': join(directory, 'metrics.csv'),
    'exactly-once': join(directory, 'store.db'),
  }
  const { Admin } = await import('../src/client/admin/index.ts')
  const admin = new Admin({ 'bootstrap.servers': broker.bootstrapServers })
  t.after(() => admin.close())
  await admin.alterGroupOffsets('lag', [[{ topic: 'readers', partition: 0 }, { offset: 1 }]])
  await produce(broker, 'readers', ['0', '1', '2', '3'])
  const all = Object.entries(examples).map(([name, expected]) =>
    t.test(`examples: ${name}`, async (t) => {
      const values = expected.values ?? ['value 0', 'value 1', 'value 2', 'value 3']
      if (expected.running && values.length > 0) await produce(broker, name, values)
      const path = paths[name]
      const args = [broker.bootstrapServers, name, ...(path ? [path] : []), ...(expected.args ?? [])]
      await run(t, name, args, expected)
    }),
  )
  await Promise.all(all)
  const series = 'mem;host=a'
  assert.equal(
    await readFile(paths['save-metric']!, 'utf8'),
    `${series},total,16i,1700000000000000000\n${series},free,2i,1700000000000000000\n`,
  )
})

await test('examples: every experiment has an example that fits on a screen, and a chapter', () => {
  const names = experiments.map(({ name }) => name).sort()
  assert.deepEqual(
    readdirSync(join(root, 'examples'))
      .map((file) => file.replace(/\.ts$/, ''))
      .sort(),
    names,
  )
  assert.deepEqual(Object.keys(examples).sort(), names)
  const index = readFileSync(join(root, 'docs', 'lab', 'README.md'), 'utf8')
  for (const name of names) {
    const source = readFileSync(join(root, 'examples', `${name}.ts`), 'utf8')
    assert.ok(source.split('\n').length <= LINES, `examples/${name}.ts is longer than ${LINES} lines`)
    assert.match(source, /from 'sluice'/)
    assert.ok(existsSync(join(root, 'docs', 'lab', `${name}.md`)), `docs/lab/${name}.md`)
    assert.ok(index.includes(`(${name}.md)`), `docs/lab/README.md links ${name}.md`)
  }
})
