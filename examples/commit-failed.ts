/** A handler slower than max.poll.interval.ms. Chapter: docs/lab/commit-failed.md. Run: node examples/commit-failed.ts [servers] [topic] */
import { setTimeout as sleep } from 'node:timers/promises'
import { CommitFailedError, Consumer, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)
const MAX_POLL_INTERVAL_MS = 500

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'slow-handlers',
  'enable.auto.commit': false,
  'auto.offset.reset': 'earliest',
  'max.poll.interval.ms': MAX_POLL_INTERVAL_MS,
})
consumer.subscribe([topic])
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())

let isSlow = true
try {
  while (true) {
    const records = await consumer.poll(100)
    if (records.isEmpty) continue
    // Slow once, as a store that recovers.
    if (isSlow) await sleep(4 * MAX_POLL_INTERVAL_MS)
    isSlow = false
    try {
      await consumer.commitSync()
      console.log(`committed ${records.count} records`)
    } catch (error) {
      if (!(error instanceof CommitFailedError)) throw error
      // The group has gone on without this member. The next poll joins again and gets the same records once more.
      console.log(`CommitFailedException: ${error.message}`)
    }
  }
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
} finally {
  await consumer.close()
}
