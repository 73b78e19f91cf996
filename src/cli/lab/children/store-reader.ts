/**
 * Stores records as rows of an SQLite file. Either each row by itself and the offset in Kafka, or rows and offset in one transaction of the
 * store, which then is asked where to go on. The second way is what Sluice's transactional sinks do.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Consumer } from '../../../client/consumer/consumer.ts'
import type { ConsumerRecords } from '../../../client/consumer/consumer-records.ts'
import { loadSqlite } from '../../../seams/sqlite.ts'
import type { ChildLink } from '../child-link.ts'
import { groupConsumer, type GroupOptions, isAtEnd } from './group-consumer.ts'

export interface StoreReaderOptions extends GroupOptions {
  readonly database: string
  readonly offsets: 'in Kafka' | 'in the store'
  readonly haltAt?: number
}

export async function storeReader(link: ChildLink, options: StoreReaderOptions): Promise<void> {
  const { DatabaseSync } = loadSqlite()
  const store = new DatabaseSync(options.database)
  // Safe against the death of the process, which is what the lab brings about; a power cut would need synchronous = FULL.
  store.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  store.exec('CREATE TABLE IF NOT EXISTS rows (partition INTEGER, position INTEGER, value TEXT)')
  store.exec('CREATE TABLE IF NOT EXISTS offsets (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL)')
  const isInStore = options.offsets === 'in the store'
  const consumer = groupConsumer(options)
  consumer.subscribe([options.topic], {
    onPartitionsAssigned(partitions) {
      if (isInStore) for (const tp of partitions) seekToStored(link, store, consumer, tp)
    },
  })
  let stored = 0
  do {
    const records = await consumer.poll(200)
    if (records.isEmpty) continue
    if (isInStore) store.exec('BEGIN IMMEDIATE')
    for (const { partition, offset, value } of records) {
      store.prepare('INSERT INTO rows VALUES (?, ?, ?)').run(partition, offset, value?.toString() ?? null)
      if (++stored === options.haltAt) await link.halt('halt')
    }
    if (isInStore) storeOffsets(store, records)
    else await consumer.commitSync()
    link.say(`${records.count} rows and their offset are stored`)
  } while (!(await isAtEnd(consumer)))
  // For tools that show the lag. Nobody here reads it.
  await consumer.commitSync()
  await consumer.close()
  store.close()
}

function seekToStored(
  link: ChildLink,
  store: DatabaseSync,
  consumer: Consumer,
  tp: { topic: string; partition: number },
) {
  const row = store.prepare('SELECT next FROM offsets WHERE partition = ?').get(tp.partition)
  const next = row && Number(row['next'])
  link.say(next === undefined ? 'the store knows nothing yet' : `the store says: go on at ${next}`)
  if (next !== undefined) consumer.seek(tp, next)
}

function storeOffsets(store: DatabaseSync, records: ConsumerRecords): void {
  const upsert = store.prepare('INSERT INTO offsets VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next')
  for (const [{ partition }, { offset }] of records.nextOffsets()) upsert.run(partition, offset)
  store.exec('COMMIT')
}
