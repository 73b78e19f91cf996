/** Partitions grow, never shrink, and keys move. Chapter: docs/lab/partitions.md. Run: node examples/partitions.ts [servers] [topic to create] */
import { Admin, Producer } from 'sluice'

const [servers = 'localhost:9092', topic = 'growing-topic'] = process.argv.slice(2)

async function partitionsOf(keys: readonly string[]): Promise<string> {
  const producer = new Producer({ 'bootstrap.servers': servers })
  const sent = await producer.sendBatch(keys.map((key) => ({ topic, key, value: 'a value' })))
  await producer.close()
  return [...sent].map(({ partition }, index) => `${keys[index]} in ${partition}`).join(', ')
}

const admin = new Admin({ 'bootstrap.servers': servers })
const keys = ['a', 'b', 'c', 'd', 'e', 'f']

await admin.createTopics([{ name: topic, partitions: 2 }])
console.log(`2 partitions: ${await partitionsOf(keys)}`)

await admin.createPartitions({ [topic]: 4 })
console.log(`4 partitions: ${await partitionsOf(keys)}`)

try {
  await admin.createPartitions({ [topic]: 2 })
} catch (error) {
  console.log(`Refused: ${(error as Error).message}`)
}
await admin.close()
