/** Rows and offset in one transaction of the store. Chapter: docs/lab/exactly-once.md. Run: node examples/exactly-once.ts [servers] [topic] [database] */
import { DatabaseSync } from 'node:sqlite'
import { Consumer, type ConsumerRecords, type TopicPartition, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic', path = 'store.db'] = process.argv.slice(2)

const store = new DatabaseSync(path)
store.exec('CREATE TABLE IF NOT EXISTS rows (partition INTEGER, position INTEGER, value TEXT)')
store.exec('CREATE TABLE IF NOT EXISTS offsets (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL)')

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'exactly-once-consumers',
  'enable.auto.commit': false,
  'auto.offset.reset': 'earliest',
})
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())

/** Not Kafka but the store knows what is done. */
function seekToStored(partitions: readonly TopicPartition[]): void {
  for (const tp of partitions) {
    const row = store.prepare('SELECT next FROM offsets WHERE partition = ?').get(tp.partition)
    if (row) consumer.seek(tp, Number(row['next']))
  }
}

/** All or nothing, whenever the process dies. */
function storeAll(records: ConsumerRecords): void {
  const insert = store.prepare('INSERT INTO rows VALUES (?, ?, ?)')
  const upsert = store.prepare('INSERT INTO offsets VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next')
  store.exec('BEGIN IMMEDIATE')
  for (const record of records) insert.run(record.partition, record.offset, record.valueText())
  for (const [{ partition }, { offset }] of records.nextOffsets()) upsert.run(partition, offset)
  store.exec('COMMIT')
}

consumer.subscribe([topic], { onPartitionsAssigned: seekToStored })
try {
  while (true) {
    const records = await consumer.poll(100)
    if (records.isEmpty) continue
    storeAll(records)
    console.log(`stored ${records.count} rows`)
  }
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
} finally {
  await consumer.close()
  store.close()
}
