/** An orderly end by wakeup(). Chapter: docs/lab/wakeup.md. Run: node examples/wakeup.ts [servers] [topic], then kill <pid> */
import { Consumer, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic'] = process.argv.slice(2)

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'woken-consumers',
  'enable.auto.commit': false,
  'auto.offset.reset': 'earliest',
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    console.log('Starting exit...')
    // Makes the poll that waits, or else the next call that could wait, throw WakeupError.
    consumer.wakeup()
  })
}

try {
  consumer.subscribe([topic])
  while (true) {
    const records = await consumer.poll(10_000)
    for (const record of records) console.log(`Offset: ${record.offset}, Value: ${record.valueText()}`)
    if (!records.isEmpty) await consumer.commitSync()
  }
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
  // What poll returned is all handled here. If the wakeup came during commitSync above, this makes up for it.
  await consumer.commitSync()
} finally {
  await consumer.close()
  console.log('Closed consumer and we are done')
}
