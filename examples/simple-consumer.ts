/** The smallest consumer. Chapter: docs/lab/simple-consumer.md. Run: node examples/simple-consumer.ts [servers] [topic] */
import { Consumer, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'simple-consumers',
  'enable.auto.commit': true,
  'auto.offset.reset': 'earliest',
})
consumer.subscribe([topic])
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())

try {
  while (true) {
    const records = await consumer.poll(100)
    for (const record of records) {
      console.log(
        `Topic: ${record.topic}, Partition: ${record.partition}, Offset: ${record.offset}, ` +
          `Key: ${record.keyText()}, Value: ${record.valueText()}`,
      )
    }
  }
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
} finally {
  await consumer.close()
}
