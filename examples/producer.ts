/** Three ways to send. Chapter: docs/lab/producer.md. Run: node examples/producer.ts [servers] [topic] */
import { Producer, type RecordMetadata } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)

const producer = new Producer({ 'bootstrap.servers': servers })

function print({ topic, partition, offset }: RecordMetadata): void {
  console.log(`Topic: ${topic}, Partition: ${partition}, Offset: ${offset}, Received`)
}

try {
  // Forget: whether it arrives is not looked at. It does only because close() below waits for it.
  for (let i = 0; i < 3; i++) producer.send({ topic, value: `forgotten ${i}` }).catch(() => {})

  // Wait for each: safe, and a round trip a record.
  for (let i = 0; i < 3; i++) print(await producer.send({ topic, value: `awaited ${i}` }))

  // Look at each outcome when it comes: safe and fast.
  const sends = []
  for (let i = 0; i < 3; i++) {
    const sent = producer.send({ topic, value: `looked at ${i}` })
    sends.push(sent.then(print, (error: Error) => console.error(`not sent: ${error.message}`)))
  }
  await Promise.all(sends)
} finally {
  await producer.close()
}
