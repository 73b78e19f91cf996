/** Runs the consumer's benchmarks with tiny numbers, so that they do not rot. They measure nothing here. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchCommit } from '../../../bench/commit.ts'
import { benchConsume } from '../../../bench/consume.ts'
import { benchRebalance } from '../../../bench/rebalance.ts'
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

test('bench/commit: each way to commit', async (t) => {
  const broker = await startBroker()
  t.after(() => broker.stop())
  const lines: string[] = []
  const rates = await benchCommit({
    bootstrapServers: broker.bootstrapServers,
    records: 400,
    rounds: 1,
    print: (line) => void lines.push(line),
  })
  assert.deepEqual(
    rates.map(({ strategy }) => strategy),
    ['record', 'poll', 'async'],
  )
  assert.equal(lines.length, 3)
})

test('bench/rebalance: join and leave with each assignor', async (t) => {
  const broker = await startBroker({ properties: { 'group.initial.rebalance.delay.ms': 0 } })
  t.after(() => broker.stop())
  const lines: string[] = []
  const results = await benchRebalance({
    bootstrapServers: broker.bootstrapServers,
    members: 3,
    partitions: 7,
    rounds: 1,
    print: (line) => void lines.push(line),
  })
  assert.deepEqual(
    results.map(({ assignor }) => assignor),
    ['range', 'cooperative'],
  )
  assert.equal(lines.length, 2)
})
