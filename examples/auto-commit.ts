/**
 * Commits by itself, every 60 s: kill -9 it before, start it again, and everything comes again.
 * Chapter: docs/lab/auto-commit.md. Run: node examples/auto-commit.ts [servers] [topic]
 */
import { Consumer, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'auto-committers',
  'enable.auto.commit': true,
  'auto.commit.interval.ms': 60_000,
  'auto.offset.reset': 'earliest',
})
consumer.subscribe([topic])
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())

try {
  while (true) {
    // The next poll takes these records for done: a loop that only puts them into a queue loses what waits there.
    for (const record of await consumer.poll(100)) {
      console.log(`Partition: ${record.partition}, Offset: ${record.offset}, Value: ${record.valueText()}`)
    }
  }
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
} finally {
  // Commits once more: an orderly end repeats nothing.
  await consumer.close()
}
