/**
 * Says what each rebalance takes away, and for how long: start several. Chapter: docs/lab/rebalance.md.
 * Run: node examples/rebalance.ts [servers] [topic] [range | roundrobin | sticky | cooperative-sticky]
 */
import { Consumer, type TopicPartition, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic', assignor = 'cooperative-sticky'] = process.argv.slice(2)

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': `rebalancers-${assignor}`,
  'partition.assignment.strategy': assignor,
  'auto.offset.reset': 'earliest',
})

const numbers = (partitions: readonly TopicPartition[]) =>
  partitions.map(({ partition }) => partition).join(', ') || '-'
let revokedAt: number | undefined
consumer.subscribe([topic], {
  onPartitionsRevoked(partitions) {
    revokedAt = performance.now()
    console.log(`Revoked: ${numbers(partitions)}`)
  },
  onPartitionsAssigned(partitions) {
    console.log(`Assigned: ${numbers(partitions)}, owned: ${numbers(consumer.assignment())}`)
    if (revokedAt !== undefined) console.log(`Nothing was read for ${Math.round(performance.now() - revokedAt)} ms`)
    revokedAt = undefined
  },
})
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())

try {
  while (true) await consumer.poll(100)
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
} finally {
  await consumer.close()
}
