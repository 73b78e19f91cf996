/** An offset map after each record. Chapter: docs/lab/sync-commit-record.md. Run: node examples/sync-commit-record.ts [servers] [topic] */
import { Consumer, type OffsetAndMetadata, TopicPartitionMap, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'record-committers',
  'enable.auto.commit': false,
  'auto.offset.reset': 'earliest',
})
const currentOffsets = new TopicPartitionMap<OffsetAndMetadata>()
consumer.subscribe([topic])
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())

try {
  while (true) {
    for (const record of await consumer.poll(100)) {
      const { partition, offset } = record
      console.log(`Partition: ${partition}, Offset: ${offset}, Value: ${record.valueText()}`)
      // What is committed is the offset to go on at, not the one that is done.
      currentOffsets.set({ topic, partition }, { offset: offset + 1 })
      await consumer.commitSync(currentOffsets)
    }
  }
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
} finally {
  await consumer.close()
}
