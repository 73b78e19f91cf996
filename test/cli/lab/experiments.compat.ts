/** Experiments over Apache Kafka: the tables are those of the embedded broker. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { experiments } from '../../../src/cli/lab/experiments/index.ts'
import { startKafka } from '../../compat/kafka.ts'
import { type Row, runExperiment } from './run-experiment.ts'

const tables: Record<string, Row[]> = {
  producer: [
    [8, 8, 0, 0, undefined],
    [8, 8, 0, 0, undefined],
    [8, 0, 0, 8, undefined],
  ],
  'auto-commit': [
    [8, 16, 8, 0, 8],
    [8, 2, 0, 6, 8],
  ],
  'commit-failed': [
    [8, 16, 8, 0, 8],
    [8, 8, 0, 0, 8],
  ],
  'async-commit': [
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
  partitions: [[16, 16, 0, 0, undefined]],
  versions: [[1, 1, 0, 0, undefined]],
  'exactly-once': [
    [8, 10, 2, 0, 8],
    [8, 8, 0, 0, 8],
  ],
}

await test('lab: over Apache Kafka', async (t) => {
  const kafka = await startKafka({ properties: { 'group.initial.rebalance.delay.ms': 0 } })
  t.after(() => kafka.stop())
  for (const [name, table] of Object.entries(tables)) {
    await t.test(`lab: ${name}`, async () => {
      const experiment = experiments.find((one) => one.name === name)!
      const { rows, output } = await runExperiment(experiment, kafka.bootstrapServers, { records: 8 })
      assert.deepEqual(rows, table, output)
    })
  }
})
