/** Every experiment over Apache Kafka: its table, and what else it shows, are those of the embedded broker. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { experiments } from '../../../src/cli/lab/experiments/index.ts'
import { startKafka } from '../../compat/kafka.ts'
import { lines, tables } from './promises.ts'
import { recordsOf, runExperiment } from './run-experiment.ts'

await test('lab: over Apache Kafka', async (t) => {
  const kafka = await startKafka({ properties: { 'group.initial.rebalance.delay.ms': 0 } })
  t.after(() => kafka.stop())
  for (const experiment of experiments) {
    await t.test(`lab: ${experiment.name}`, async () => {
      const { rows, output } = await runExperiment(experiment, kafka.bootstrapServers, recordsOf(experiment))
      assert.deepEqual(rows, tables[experiment.name], output)
      for (const line of lines[experiment.name] ?? []) assert.match(output, line)
    })
  }
})
