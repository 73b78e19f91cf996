/** commitSync after each poll's work. Chapter: docs/lab/sync-commit.md. Run: node examples/sync-commit.ts [servers] [topic] */
import { Consumer, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'sync-committers',
  'enable.auto.commit': false,
  'auto.offset.reset': 'earliest',
})
consumer.subscribe([topic])
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())

try {
  while (true) {
    const records = await consumer.poll(100)
    for (const record of records) {
      console.log(`Partition: ${record.partition}, Offset: ${record.offset}, Value: ${record.valueText()}`)
    }
    if (records.isEmpty) continue
    // After the work: a death before this line repeats the poll. Before the work, it would lose it.
    await consumer.commitSync()
    console.log(`committed ${records.count} records`)
  }
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
} finally {
  await consumer.close()
}
