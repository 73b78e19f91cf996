/** commitAsync in the loop, commitSync at its end. Chapter: docs/lab/async-then-sync.md. Run: node examples/async-then-sync.ts [servers] [topic] */
import { Consumer, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'async-then-sync-committers',
  'enable.auto.commit': false,
  'auto.offset.reset': 'earliest',
})
consumer.subscribe([topic])
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())

try {
  while (true) {
    const records = await consumer.poll(100)
    for (const record of records) console.log(`Offset: ${record.offset}, Value: ${record.valueText()}`)
    // Fast, and if one fails the next one mends it.
    if (!records.isEmpty) consumer.commitAsync()
  }
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
  // The last one has no next one: this tries until it is through.
  await consumer.commitSync()
  console.log('committed at the end')
} finally {
  await consumer.close()
}
