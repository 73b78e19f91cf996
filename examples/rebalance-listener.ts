/** Commits before partitions go to another member. Chapter: docs/lab/rebalance-listener.md. Run: node examples/rebalance-listener.ts [servers] [topic] */
import { Consumer, type OffsetAndMetadata, TopicPartitionMap, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'rebalance-listeners',
  'enable.auto.commit': false,
  'auto.offset.reset': 'earliest',
})
const currentOffsets = new TopicPartitionMap<OffsetAndMetadata>()

consumer.subscribe([topic], {
  async onPartitionsRevoked(partitions) {
    console.log(`Lost partitions in rebalance. Committing current offsets: ${JSON.stringify([...currentOffsets])}`)
    await consumer.commitSync(currentOffsets)
    for (const partition of partitions) currentOffsets.delete(partition)
  },
  onPartitionsLost(partitions) {
    // Another member may own them already: a commit would fail.
    for (const partition of partitions) currentOffsets.delete(partition)
  },
})
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())

try {
  while (true) {
    for (const { partition, offset } of await consumer.poll(100)) {
      console.log(`Partition: ${partition}, Offset: ${offset}`)
      currentOffsets.set({ topic, partition }, { offset: offset + 1 })
    }
    if (currentOffsets.size > 0) consumer.commitAsync([...currentOffsets])
  }
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
} finally {
  // Calls onPartitionsRevoked, which commits.
  await consumer.close()
}
