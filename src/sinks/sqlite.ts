/**
 * The `sqlite` sink: rows and the offset they reach in one transaction.
 *
 *     sluice_offsets (application, cluster_id, topic_id, topic, partition, next)      one row a partition and application
 *
 * A flush begins with a compare-and-set on `next`. Two owners alive at once: both would move it from 500; SQLite lets
 * one transaction write at a time, the second finds 900 there, touches no row, writes nothing, and is fenced. A commit whose
 * outcome is not known (the disk failed) is settled the same way: the next try either finds 500 or is fenced and reads on at 900.
 * A recreated topic, or another cluster's topic of the same name, has an id of its own and so a row of its own.
 *
 * One flush is one transaction is one turn of the event loop (see sqlite-database.ts): `flush.records` bounds how long
 * that is. 5,000 narrow rows take a few milliseconds and one fsync. WAL and synchronous=FULL: what is committed survives
 * a power cut, and readers never block the writer.
 */
import { dirname } from 'node:path'
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { z } from 'zod'
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import { diskError } from './disk-error.ts'
import { recordColumns } from './file-encoding.ts'
import { HeldPartitions } from './held-partitions.ts'
import { defineSink } from './registry.ts'
import {
  type AssignedPartition,
  type DurablePosition,
  type Opened,
  type Sink,
  type SinkBatch,
  type SinkContext,
  SinkFencedError,
  type SinkPosition,
  SinkRecordError,
  SinkRefusedError,
} from './sink.ts'
import {
  type Column,
  columnsOf,
  columnTypes,
  createTableSql,
  insertSql,
  matchTable,
  quoted,
  rowOf,
  type TableColumn,
} from './sqlite-columns.ts'
import { connect, sqliteCode, sqliteCodeOf, transaction, whenNotBusy } from './sqlite-database.ts'

const OFFSETS_SQL = `CREATE TABLE IF NOT EXISTS sluice_offsets (
  application TEXT NOT NULL, cluster_id TEXT NOT NULL, topic_id TEXT NOT NULL, topic TEXT NOT NULL,
  partition INTEGER NOT NULL, next INTEGER NOT NULL,
  PRIMARY KEY (application, cluster_id, topic_id, partition))`
const THIS_ROW = 'application = ? AND cluster_id = ? AND topic_id = ? AND partition = ?'

const column = z.strictObject({
  name: z.string().min(1).describe('Name of the column.'),
  type: z
    .enum(columnTypes)
    .optional()
    .describe('Type of the column, when the table is created. Without it, any value.'),
  field: z.string().min(1).optional().describe('Field of the JSON value, if its name is not the column’s.'),
  optional: z.boolean().optional().describe('Stores NULL when the field is missing, which is an error otherwise.'),
})

const options = z.strictObject({
  database: z.string().min(1).describe('Path of the SQLite file; created when missing.'),
  table: z
    .string()
    .min(1)
    .refine((name) => !/^sqlite_|^sluice_offsets$/i.test(name), 'expected a name that is not reserved')
    .describe('Table for the rows; created when missing, with the columns below.'),
  columns: z
    .array(z.union([z.string().min(1), column]))
    .min(1)
    .optional()
    .describe(
      'Columns, each the name of a field of the JSON value or { name, type, field, optional }; ' +
        `${recordColumns.join(', ')} are the record's own. Without it: topic, partition, offset, timestamp, key, value.`,
    ),
  'busy.timeout.ms': z
    .int()
    .nonnegative()
    .default(10_000)
    .describe('How long to try again when another process holds the write lock, before the runner hears of it.'),
  'flush.records': z.int().positive().default(5_000).describe('Commits after this many records of a partition.'),
  'flush.ms': z
    .int()
    .positive()
    .default(1_000)
    .describe('Commits this long after the first record that is not committed.'),
})

type SqliteOptions = z.infer<typeof options>

interface Partition {
  readonly topicPartition: TopicPartition
  /** application, cluster id, topic id, partition. */
  readonly key: readonly [string, string, string, number]
  /** undefined: the store has no row yet. */
  durable: number | undefined
  /** Where what is taken and not durable begins. */
  start: number | undefined
  position: number | undefined
  rows: SQLInputValue[][]
  offsets: number[]
}

interface Statements {
  readonly insert: StatementSync
  readonly read: StatementSync
  readonly move: StatementSync
  readonly begin: StatementSync
}

class SqliteSink implements Sink {
  readonly #options: SqliteOptions
  readonly #partitions = new HeldPartitions<Partition>()
  #context!: SinkContext
  #database: DatabaseSync | undefined
  #columns: readonly Column[] = []
  #statements!: Statements

  constructor(sqliteOptions: SqliteOptions) {
    this.#options = sqliteOptions
  }

  async open(context: SinkContext): Promise<Opened> {
    this.#context = context
    const path = this.#options.database
    const columns = columnsOf(this.#options.columns, context.valueType)
    const field = columns.find(({ record }) => record === undefined)
    if (field && context.valueType !== 'json') {
      throw new SinkRefusedError(
        `the sqlite sink has the column "${field.name}", and values are read as ${context.valueType}: set "value": "json"`,
      )
    }
    try {
      if (path !== ':memory:') await context.disk.makeDirectory(dirname(path))
    } catch (error) {
      throw diskError(error, 'cannot make the folder of', path)
    }
    await this.#whenNotBusy(() => {
      this.#database ??= connect(path)
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      transaction(this.#database, () => this.#prepareTables(this.#database!, columns))
    })
    return {
      guarantee: 'transactional',
      flushHint: { records: this.#options['flush.records'], intervalMs: this.#options['flush.ms'] },
    }
  }

  #prepareTables(database: DatabaseSync, wanted: readonly Column[]): void {
    const { table } = this.#options
    const tableInfo = () => database.prepare(`PRAGMA table_info(${quoted(table)})`).all() as unknown as TableColumn[]
    if (tableInfo().length === 0) database.exec(createTableSql(table, wanted))
    this.#columns = matchTable(`${table} in ${this.#options.database}`, wanted, tableInfo())
    database.exec(OFFSETS_SQL)
    this.#statements = {
      insert: database.prepare(insertSql(table, this.#columns)),
      read: database.prepare(`SELECT next FROM sluice_offsets WHERE ${THIS_ROW}`),
      move: database.prepare(`UPDATE sluice_offsets SET next = ? WHERE ${THIS_ROW} AND next = ?`),
      begin: database.prepare(
        'INSERT INTO sluice_offsets (application, cluster_id, topic_id, partition, topic, next) VALUES (?, ?, ?, ?, ?, ?) ' +
          'ON CONFLICT DO NOTHING',
      ),
    }
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]> {
    const { application, clusterId, topicId } = this.#context
    const positions: SinkPosition[] = []
    for (const { topicPartition } of partitions) {
      const { topic, partition } = topicPartition
      const key = [application, clusterId, topicId(topic), partition] as const
      const row = await this.#whenNotBusy(() => this.#statements.read.get(...key))
      const next = row === undefined ? undefined : Number(row['next'])
      const state = { topicPartition, key, durable: next, start: next, position: next, rows: [], offsets: [] }
      this.#partitions.set(topicPartition, state)
      positions.push({ topicPartition, next })
    }
    return positions
  }

  async write(batch: SinkBatch): Promise<{ flushDue: boolean }> {
    const partition = this.#partitions.toWrite(batch)
    const { valueType } = this.#context
    const rows = batch.records.map((record, index) => rowOf(this.#columns, record, batch.values[index], valueType))
    partition.start ??= batch.first
    partition.position = batch.next
    for (const row of rows) partition.rows.push(row)
    for (const { offset } of batch.records) partition.offsets.push(offset)
    return { flushDue: partition.rows.length >= this.#options['flush.records'] }
  }

  async flush(topicPartition: TopicPartition, next: number, signal: AbortSignal): Promise<{ durable: number }> {
    const partition = this.#partitions.toFlush(topicPartition, next)
    if (partition.position === undefined || partition.position === partition.durable) return { durable: next }
    try {
      await this.#whenNotBusy(() => transaction(this.#database!, () => this.#store(partition)), signal)
    } catch (error) {
      if (error instanceof SinkFencedError || error instanceof SinkRecordError) this.#partitions.delete(topicPartition)
      throw error
    }
    partition.durable = partition.position
    partition.start = partition.position
    partition.rows = []
    partition.offsets = []
    return { durable: partition.durable }
  }

  /** Inside a transaction. The offset first: a stale owner is to find out before it has written anything. */
  #store(partition: Partition): void {
    const { topicPartition, key, durable, position, start, rows, offsets } = partition
    const { changes } =
      durable === undefined
        ? this.#statements.begin.run(...key, topicPartition.topic, position!)
        : this.#statements.move.run(position!, ...key, durable)
    if (Number(changes) !== 1) {
      throw new SinkFencedError(
        topicPartition,
        `topic ${topicPartition.topic}, partition ${topicPartition.partition} has another owner in ${this.#options.database}, ` +
          `which has stored what follows ${durable ?? start}`,
      )
    }
    for (let index = 0; index < rows.length; index++) {
      try {
        this.#statements.insert.run(...rows[index]!)
      } catch (error) {
        const code = sqliteCodeOf(error)
        if (code !== sqliteCode.constraint && code !== sqliteCode.mismatch && code !== sqliteCode.tooBig) throw error
        const reason = `the table ${this.#options.table} refuses the row: ${(error as Error).message}`
        throw new SinkRecordError({ ...topicPartition, offset: offsets[index]! }, reason, error)
      }
    }
  }

  async revoked(
    topicPartitions: readonly TopicPartition[],
    why: 'revoked' | 'lost',
  ): Promise<readonly DurablePosition[]> {
    return this.#partitions.release(topicPartitions, why, {
      flush: (topicPartition, next) => this.flush(topicPartition, next, this.#context.signal),
      forget: (topicPartition) => void this.#partitions.delete(topicPartition),
      logger: this.#context.logger,
    })
  }

  async close(): Promise<void> {
    this.#partitions.clear()
    this.#database?.close()
    this.#database = undefined
  }

  #whenNotBusy<T>(work: () => T, signal?: AbortSignal): Promise<T> {
    const { database, 'busy.timeout.ms': timeoutMs } = this.#options
    return whenNotBusy({ context: this.#context, database, timeoutMs, ...(signal ? { signal } : {}) }, work)
  }
}

export const sqliteSink = defineSink({
  name: 'sqlite',
  guarantee: 'transactional',
  summary: 'Rows of an SQLite table, stored in one transaction with the offset they reach.',
  options,
  example: { type: 'sqlite', database: 'flights.db', table: 'flights', columns: ['time', 'delay', 'distance'] },
  create: (sqliteOptions) => new SqliteSink(sqliteOptions),
})
