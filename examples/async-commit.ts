/**
 * commitAsync with a sequence number, so that no older commit is sent again after a newer one.
 * Chapter: docs/lab/async-commit.md. Run: node examples/async-commit.ts [servers] [topic]
 */
import { Consumer, type OffsetsToCommit, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'async-committers',
  'enable.auto.commit': false,
  'auto.offset.reset': 'earliest',
})
consumer.subscribe([topic])
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())

let sequence = 0
function commit(offsets: OffsetsToCommit, own = ++sequence): void {
  consumer.commitAsync(offsets, (_, error) => {
    if (!error) console.log(`commit ${own} is acknowledged`)
    // The consumer does not send it again by itself, as it cannot know that nothing newer is on its way. This can.
    else if (own === sequence) commit(offsets, own)
    else console.log(`commit ${own} failed, and ${sequence} came after it`)
  })
}

try {
  while (true) {
    const records = await consumer.poll(100)
    for (const record of records) console.log(`Offset: ${record.offset}, Value: ${record.valueText()}`)
    if (!records.isEmpty) commit([...records.nextOffsets()])
  }
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
} finally {
  await consumer.close()
}
