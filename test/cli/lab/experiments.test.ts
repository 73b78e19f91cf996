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
import { lines, tables } from './promises.ts'
import { recordsOf, runExperiment } from './run-experiment.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

await test('lab: the table of each experiment is what its chapter promises', { concurrency: 3 }, async (t) => {
  const broker = await startBroker()
  t.after(() => broker.stop())
  assert.deepEqual(
    experiments.map(({ name }) => name),
    Object.keys(tables),
  )
  const running = experiments.map((experiment) =>
    t.test(`lab: ${experiment.name}`, async () => {
      const { rows, output } = await runExperiment(experiment, broker.bootstrapServers, recordsOf(experiment))
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
