/** Runs the consumer's benchmark with tiny numbers, so that it does not rot. It measures nothing here. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchConsume } from '../../../bench/consume.ts'
import { startBroker } from '../../../src/testing/index.ts'

test('bench/consume: drains, polls and looks at values', async (t) => {
  const broker = await startBroker()
  t.after(() => broker.stop())
  const lines: string[] = []
  const rounds = await benchConsume({
    bootstrapServers: broker.bootstrapServers,
    records: 2000,
    size: 100,
    rounds: 1,
    withKcat: false,
    print: (line) => void lines.push(line),
  })
  assert.deepEqual(
    rounds.map(({ name }) => name),
    ['raw drain', 'poll', 'values'],
  )
  assert.equal(lines.length, 4)
})
