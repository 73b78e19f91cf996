/**
 * Every experiment of the lab with small numbers over the embedded broker, its real processes and signals included: what its table
 * says is what its chapter promises. They share a broker, as `--bootstrap-server` lets them.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { experiments } from '../../../src/cli/lab/experiments/index.ts'
import { runLab } from '../../../src/cli/lab/run-lab.ts'
import { startBroker } from '../../../src/testing/index.ts'
import { runExperiment, type Row } from './run-experiment.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

/** produced, handled, repeated, lost, committed of each way. */
const tables: Record<string, Row[]> = {
  'simple-consumer': [[8, 8, 0, 0, 8]],
  producer: [
    [8, 8, 0, 0, undefined],
    [8, 8, 0, 0, undefined],
    [8, 0, 0, 8, undefined],
  ],
  'producer-key-value': [[8, 8, 0, 0, undefined]],
  'producer-exact-partition': [[8, 8, 0, 0, undefined]],
  console: [[3, 3, 0, 0, 3]],
  'auto-commit': [
    [8, 16, 8, 0, 8],
    [8, 2, 0, 6, 8],
  ],
  'sync-commit': [
    [8, 10, 2, 0, 8],
    [8, 6, 0, 2, 8],
  ],
  'sync-commit-record': [[8, 9, 1, 0, 8]],
  'commit-failed': [
    [8, 16, 8, 0, 8],
    [8, 8, 0, 0, 8],
  ],
  'async-commit': [
    [8, 12, 4, 0, 8],
    [8, 8, 0, 0, 8],
  ],
  'async-then-sync': [
    [8, 12, 4, 0, 8],
    [8, 8, 0, 0, 8],
  ],
  rebalance: [
    [16, 16, 0, 0, 16],
    [16, 16, 0, 0, 16],
    [16, 16, 0, 0, 16],
    [16, 16, 0, 0, 16],
  ],
  'rebalance-listener': [
    [8, 16, 8, 0, 0],
    [8, 8, 0, 0, 8],
  ],
  wakeup: [
    [8, 8, 0, 0, 8],
    [8, 10, 2, 0, 8],
  ],
  'multi-thread': [[8, 8, 0, 0, 8]],
  'save-metric': [[8, 8, 0, 0, 8]],
  lag: [[80, 90, 10, 0, 80]],
  partitions: [[16, 16, 0, 0, undefined]],
  versions: [[1, 1, 0, 0, undefined]],
  'exactly-once': [
    [8, 10, 2, 0, 8],
    [8, 8, 0, 0, 8],
  ],
}

/** What else must be read in what an experiment prints. */
const lines: Record<string, RegExp[]> = {
  'simple-consumer': [/Topic: simple-\w+, Partition: 0, Offset: 7, Key: null, Value: record 7/],
  'producer-key-value': [/^Key apple: partition \d, values in the order 0 4$/m],
  'producer-exact-partition': [/-0 ends at 0\.[^]*-1 ends at 8\.[^]*-2 ends at 0\./],
  console: [/>> typed 1 \(partition 0, offset 0\)[^]*>> typed 3/],
  'commit-failed': [/CommitFailedError: /],
  'async-commit': [/commitAsync\(8\) is acknowledged[^]*the held commit arrives: 4/],
  rebalance: [/^ +4 {2}range +\d+ +\d+ +4$/m, /^ +4 {2}cooperative-sticky +\d+ +\d+ +2$/m],
  'rebalance-listener': [/onPartitionsRevoked: 0, 1/],
  wakeup: [/6 records are handled; process \d+ gets SIGTERM\.[^]*WakeupError[^]*exit code 0/],
  'multi-thread': [
    /^consumer-thread-1 >> a\nconsumer-thread-2 >> b\nconsumer-thread-0 >> c\n(?:consumer-thread-\d >> \w\n){5}Bye\n(?:consumer-thread-\d trigger WakeupException\n){3}/m,
  ],
  lag: [/records-lag-max \d+[^]*all +- +- +30\n[^]*SIGKILL[^]*all +- +- +70\n[^]*all +- +- +0\n/],
  partitions: [/key-\d +\d +\d +moved/, /refused: .*INVALID_PARTITIONS/],
  versions: [/Fetch +4 to 18 +4 to 18 +18/],
  'exactly-once': [/the store says: go on at 4/],
}

await test('lab: the table of each experiment is what its chapter promises', { concurrency: 3 }, async (t) => {
  const broker = await startBroker()
  t.after(() => broker.stop())
  assert.deepEqual(
    experiments.map(({ name }) => name),
    Object.keys(tables),
  )
  const running = experiments.map((experiment) =>
    t.test(`lab: ${experiment.name}`, async () => {
      const records = experiment.name === 'lag' ? 40 : 8
      const { rows, output } = await runExperiment(experiment, broker.bootstrapServers, { records })
      assert.deepEqual(rows, tables[experiment.name], output)
      for (const line of lines[experiment.name] ?? []) assert.match(output, line)
    }),
  )
  await Promise.all(running)
})

await test('lab: with a broker of its own, which is gone afterwards; a .csv that was named stays', async (t) => {
  const csv = join(await temporaryDirectory(t), 'metrics.csv')
  const saveMetric = experiments.find(({ name }) => name === 'save-metric')!
  const printed: string[] = []
  const options = {
    records: 4,
    csv,
    input: (async function* () {})(),
    print: (line: string) => void printed.push(line),
  }
  const [outcome] = await runLab(saveMetric, options)
  assert.equal(outcome!.handled, 4)
  const [head, ...rows] = (await readFile(csv, 'utf8')).trimEnd().split('\n')
  assert.equal(head, 'time,measurement,host,field,value')
  // Two samples of three CPU fields and two of memory.
  assert.equal(rows.length, 10)
  for (const row of rows) assert.match(row, /^\d{4}-\d\d-\d\dT[\d:.]+Z,(?:cpu|mem),[^,]+,[a-z_0-9]+,\d+(?:\.\d+)?$/)
  const address = /started at (\S+), in (\S+)\.$/.exec(printed[0]!)!
  await assert.rejects(readFile(join(address[2]!, 'meta.properties')), { code: 'ENOENT' })
})

await test('lab: an interrupted experiment ends its processes and takes its topics away', async (t) => {
  const broker = await startBroker()
  t.after(() => broker.stop())
  const experiment = experiments.find(({ name }) => name === 'multi-thread')!
  const stop = new AbortController()
  const running = runLab(experiment, {
    bootstrapServers: broker.bootstrapServers,
    input: (async function* () {})(),
    signal: stop.signal,
    print: (line) => {
      if (/>> a/.test(line)) stop.abort(new Error('enough'))
    },
  })
  await assert.rejects(running, /enough/)
  const names = broker.broker.context.logs.topics().map(({ name }) => name)
  assert.deepEqual(names, ['__consumer_offsets'])
})
