/** The sender names the partition. Chapter: docs/lab/producer-exact-partition.md. Run: node examples/producer-exact-partition.ts [servers] [topic] */
import { Producer } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic', partition = '1'] = process.argv.slice(2)

const producer = new Producer({ 'bootstrap.servers': servers })

try {
  for (let i = 0; i < 4; i++) {
    const sent = await producer.send({ topic, partition: Number(partition), key: `key ${i}`, value: `value ${i}` })
    console.log(`Key: key ${i}, Partition: ${sent.partition}, Offset: ${sent.offset}`)
  }
} finally {
  await producer.close()
}
