import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchProduce } from '../../../bench/produce.ts'
import { startBroker } from '../../../src/testing/index.ts'

test('bench/produce.ts: runs, and finds in the log what it sent', async (t) => {
  const broker = await startBroker()
  t.after(() => broker.stop())
  const { bootstrapServers } = broker
  const results = await benchProduce({
    bootstrapServers,
    records: 5000,
    size: 50,
    rounds: 1,
    withOthers: false,
    print: () => {},
  })
  assert.deepEqual(
    results.map(({ name }) => name),
    ['sluice', 'sluice, send'],
  )
})
