/** Type lines, see them arrive. Chapter: docs/lab/console.md. Run: node examples/console.ts [servers] [topic] */
import { createInterface } from 'node:readline'
import { Consumer, Producer, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)

async function printWhatArrives(consumer: Consumer): Promise<void> {
  consumer.subscribe([topic])
  try {
    while (true) for (const record of await consumer.poll(1000)) console.log(`>> ${record.valueText()}`)
  } catch (error) {
    if (!(error instanceof WakeupError)) throw error
  } finally {
    await consumer.close()
  }
}

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'console-consumers',
  'auto.offset.reset': 'earliest',
})
const producer = new Producer({ 'bootstrap.servers': servers, 'linger.ms': 0 })

const printing = printWhatArrives(consumer)
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())
void (async () => {
  for await (const value of createInterface({ input: process.stdin })) await producer.send({ topic, value })
})()

await printing
await producer.close()
process.stdin.destroy()
