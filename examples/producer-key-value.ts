/** A key decides the partition. Chapter: docs/lab/producer-key-value.md. Run: node examples/producer-key-value.ts [servers] [topic] */
import { Producer } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)

const producer = new Producer({ 'bootstrap.servers': servers })

try {
  for (let i = 0; i < 8; i++) {
    const key = i % 2 === 0 ? 'even' : 'odd'
    const { partition, offset } = await producer.send({ topic, key, value: `${i} is ${key}` })
    console.log(`Key: ${key}, Partition: ${partition}, Offset: ${offset}`)
  }
} finally {
  await producer.close()
}
