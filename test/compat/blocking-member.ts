/** A member of a group whose handler blocks the event loop at the first batch. Arguments: client, servers, topic, milliseconds. Prints its outcome as JSON. */
import { Kafka, logLevel } from 'kafkajs'
import { Consumer } from '../../src/client/consumer/index.ts'
import { until } from '../support/until.ts'

const [client, bootstrapServers, topic, blockMs] = process.argv.slice(2) as [string, string, string, string]

function block(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(blockMs))
}

const offsets: number[] = []
let joins = 0
let commitError: string | null = null

async function sluice(): Promise<void> {
  const consumer = new Consumer({
    'bootstrap.servers': bootstrapServers,
    'group.id': `group-${topic}`,
    'session.timeout.ms': 6000,
    'auto.offset.reset': 'earliest',
    'enable.auto.commit': false,
    'max.poll.records': 10,
  })
  consumer.subscribe([topic], { onPartitionsAssigned: () => void joins++ })
  while (offsets.length < 20) {
    const records = await consumer.poll(1000)
    if (records.isEmpty) continue
    for (const { offset } of records) offsets.push(offset)
    if (offsets.length === 10) block()
    try {
      await consumer.commitSync()
    } catch (error) {
      commitError = (error as Error).message
    }
  }
  await consumer.close()
}

async function kafkajs(): Promise<void> {
  const kafka = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: `group-${topic}`, sessionTimeout: 6000 })
  consumer.on(consumer.events.GROUP_JOIN, () => void joins++)
  const { promise: done, resolve } = Promise.withResolvers<void>()
  let blocked = false
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    async eachBatch(payload) {
      const { batch } = payload
      for (const { offset } of batch.messages) offsets.push(Number(offset))
      if (!blocked) {
        blocked = true
        block()
      }
      const next = String(Number(batch.lastOffset()) + 1)
      try {
        await payload.heartbeat()
        await consumer.commitOffsets([{ topic, partition: batch.partition, offset: next }])
      } catch (error) {
        commitError = (error as Error).message
        throw error
      }
      if (joins > 1 || offsets.length >= 20) resolve()
    },
  })
  await done
  // Let it join again, if it was put out.
  await until(() => commitError === null || joins > 1)
  await consumer.disconnect()
}

await (client === 'sluice' ? sluice() : kafkajs())
process.stdout.write(`${JSON.stringify({ offsets, joins, commitError })}\n`)
process.exit(0)
