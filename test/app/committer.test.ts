/** What commits count and remember. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Committer } from '../../src/app/committer.ts'
import type { PartitionOffset } from '../../src/app/consumer-port.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { VirtualClock } from './simulation/virtual-clock.ts'

const partitionOf = (partition: number) => ({ topic: 'orders', partition })
const offsetsOf = (partition: number, offset: number) => [{ topicPartition: partitionOf(partition), offset }]

function benchOf() {
  const sent: PartitionOffset[] = []
  const channel = {
    commitSync: async (offsets: readonly PartitionOffset[]) => void sent.push(...offsets),
    commitAsync: () => {},
  }
  const clock = new VirtualClock().of({ isDead: false })
  return { committer: new Committer(channel, clock, silentLogger, 'consumer-thread-0'), sent }
}

await test('committer: a partition’s first commit counts from where reading began', async () => {
  const { committer } = benchOf()
  committer.begin(partitionOf(0), undefined)
  committer.readsFrom(partitionOf(0), 100)
  committer.readsFrom(partitionOf(0), 150)
  await committer.now(offsetsOf(0, 180), {})
  assert.equal(committer.count, 80)
  committer.readsFrom(partitionOf(0), 180)
  await committer.now(offsetsOf(0, 200), {})
  assert.equal(committer.count, 100)
})

await test('committer: one that the group has a commit of counts from there', async () => {
  const { committer } = benchOf()
  committer.begin(partitionOf(0), 40)
  committer.readsFrom(partitionOf(0), 30)
  await committer.now(offsetsOf(0, 50), {})
  assert.equal(committer.count, 10)
})

await test('committer: where reading began is forgotten with the partition', async () => {
  const { committer } = benchOf()
  committer.begin(partitionOf(0), undefined)
  committer.readsFrom(partitionOf(0), 0)
  committer.forget(partitionOf(0))
  await committer.now(offsetsOf(0, 5), {})
  assert.equal(committer.count, 0)
  committer.begin(partitionOf(0), undefined)
  committer.readsFrom(partitionOf(0), 5)
  await committer.now(offsetsOf(0, 7), {})
  assert.equal(committer.count, 2)
})
