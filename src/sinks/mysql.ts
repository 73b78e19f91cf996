/**
 * The `mysql` sink, for MySQL and MariaDB: rows and the offset they reach in one transaction.
 *
 *     sluice_offsets (application, cluster_id, topic_id, topic, partition, next)      one row a partition and application
 *
 *     START TRANSACTION ─▶ compare-and-set on `next` ─▶ INSERT … (many rows a statement) ─▶ is the table as it was? ─▶ COMMIT
 *                                  │ no row touched         │ (upsert: ON DUPLICATE KEY UPDATE, and DELETE, in the order of the records)
 *                                  ▼                        ▼
 *                               fenced                 ROLLBACK; the row that is refused is searched for, and names its record
 *
 * Two owners alive at once: both would move `next` from 500. The second waits for the row that the first has locked, then finds 900 there,
 * touches no row, has written nothing, and is fenced. What a broken connection leaves open is settled the same way: stored-offset.ts.
 *
 * Rows are encoded when they are written, and held until they are committed. Plain INSERT, and not LOAD DATA: that one needs a setting of the server's that is
 * off by default, and turns what it cannot store into something else with a warning.
 */
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import { readAuthorities } from './authority-file.ts'
import { HeldPartitions } from './held-partitions.ts'
import { columnsOf, encodeRows, type Row } from './mysql-columns.ts'
import { checkVerifiable, loadMysqlDriver, type MysqlDriver, MysqlSession, mysqlTarget } from './mysql-connection.ts'
import {
  isDataError,
  isDuplicate,
  isRolledBack,
  isServerRefusal,
  isShapeError,
  type MysqlError,
  mysqlError,
  shownErrno,
} from './mysql-errors.ts'
import { checkOptions, type MysqlOptions, options } from './mysql-options.ts'
import {
  APPLICATION_CHARACTERS,
  BEGIN_SQL,
  lastOfEachKey,
  type OffsetsSql,
  offsetsSql,
  type RowsSql,
  rowsSql,
  type RowsStatement,
  statementsOf,
  tableName,
} from './mysql-sql.ts'
import { prepareTables, shapeOf, type Tables } from './mysql-tables.ts'
import { whenAvailable } from './open-retry.ts'
import { defineSink } from './registry.ts'
import { masked } from './server-errors.ts'
import { SessionPool } from './session-pool.ts'
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
import { shownTarget, type Target, targetOf } from './sql-target.ts'
import {
  assertDoneBefore,
  markStored,
  offsetKey,
  type OffsetKey,
  type StoredPartition,
  storedPartition,
} from './stored-offset.ts'

/** Characters of rows in one statement: more gains nothing, and takes memory here and there. */
const STATEMENT_CHARACTERS = 262_144
/** Of a packet, for what is not rows. */
const PACKET_SLACK_BYTES = 16_384
/** UTF-8 takes at most so many for one of a string's units. */
const BYTES_PER_UNIT = 3

type Partition = StoredPartition & {
  rows: Row[]
  characters: number
}

interface Opening extends Tables {
  readonly rowsSql: RowsSql
  readonly offsetsSql: OffsetsSql
}

export interface MysqlParts {
  readonly loadDriver: () => Promise<MysqlDriver>
  readonly statementCharacters: number
}

export class MysqlSink implements Sink {
  readonly #options: MysqlOptions
  readonly #target: Target
  readonly #loadDriver: () => Promise<MysqlDriver>
  readonly #statementCharacters: number
  readonly #partitions = new HeldPartitions<Partition>()
  #context!: SinkContext
  #sessions: SessionPool<MysqlSession> | undefined
  #tables!: Opening

  /** @param parts for tests: another driver; how many characters of rows go into one statement */
  constructor(
    mysqlOptions: MysqlOptions,
    { loadDriver = loadMysqlDriver, statementCharacters = STATEMENT_CHARACTERS }: Partial<MysqlParts> = {},
  ) {
    this.#options = mysqlOptions
    this.#loadDriver = loadDriver
    this.#statementCharacters = statementCharacters
    this.#target = targetOf(mysqlTarget, mysqlOptions)
    checkVerifiable(this.#target)
    checkOptions(mysqlOptions)
  }

  async open(context: SinkContext): Promise<Opened> {
    this.#context = context
    const { columns, table, 'offsets.table': offsets, 'open.timeout.ms': openTimeoutMs } = this.#options
    const keyColumns = this.#keyColumns
    const { valueType } = context
    // What is wrong with them is said before anything is connected to.
    columnsOf({ columns, keyColumns: keyColumns ?? [], valueType })
    checkApplication(context.application)
    this.#sessions ??= this.#pool(
      await this.#loadDriver(),
      await readAuthorities(context.disk, this.#options['ssl.ca']),
    )
    const wanted = {
      database: this.#target.database,
      table: tableName(table)!,
      offsets: tableName(offsets)!,
      columns,
      keyColumns,
      valueType,
    }
    const tables = await whenAvailable(context, openTimeoutMs, () =>
      this.#sessions!.use(`prepare the table ${table}`, context.signal, (session) => prepareTables(session, wanted)),
    )
    this.#tables = {
      ...tables,
      rowsSql: rowsSql(tables.table, tables.columns, keyColumns !== undefined),
      offsetsSql: offsetsSql(tables.offsets),
    }
    return {
      guarantee: 'transactional',
      flushHint: { records: this.#options['flush.records'], intervalMs: this.#options['flush.ms'] },
    }
  }

  #pool(driver: MysqlDriver, ca: string | undefined): SessionPool<MysqlSession> {
    const { password } = this.#target
    const where = shownTarget(this.#target)
    const session = {
      driver,
      target: this.#target,
      ca,
      connectTimeoutMs: this.#options['connect.timeout.ms'],
      statementTimeoutMs: this.#options['statement.timeout.ms'],
      lockTimeoutMs: this.#options['lock.timeout.ms'],
      context: this.#context,
    }
    return new SessionPool({
      size: this.#options['pool.size'],
      create: () => new MysqlSession(session),
      where,
      explained: (error, doing) => mysqlError(error, { doing, where, password }),
    })
  }

  get #keyColumns(): readonly string[] | undefined {
    return this.#options.mode === 'upsert' ? this.#options['key.columns'] : undefined
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]> {
    const { signal } = this.#context
    const doing = `read the offsets in ${this.#options['offsets.table']}`
    return this.#sessions!.use(doing, signal, async (session) => {
      const positions: SinkPosition[] = []
      for (const { topicPartition } of partitions) {
        const key = offsetKey(this.#context, topicPartition)
        const next = await this.#storedNext(session, key)
        this.#partitions.set(topicPartition, { ...storedPartition(topicPartition, key, next), rows: [], characters: 0 })
        positions.push({ topicPartition, next })
      }
      return positions
    })
  }

  async #storedNext(session: MysqlSession, key: OffsetKey): Promise<number | undefined> {
    const [row] = await session.rows<{ next: number }>(this.#tables.offsetsSql.read, key)
    return row?.next
  }

  async write(batch: SinkBatch): Promise<{ flushDue: boolean }> {
    const partition = this.#partitions.toWrite(batch)
    const { columns } = this.#tables
    const rows = encodeRows({ columns, valueType: this.#context.valueType, mode: this.#options.mode }, batch)
    let characters = 0
    for (const row of rows) {
      this.#checkSize(batch.topicPartition, row)
      characters += row.values.length
    }
    partition.start ??= batch.first
    partition.position = batch.next
    partition.characters += characters
    for (const row of rows) partition.rows.push(row)
    const { 'flush.records': flushRecords, 'flush.bytes': flushBytes } = this.#options
    return { flushDue: partition.rows.length >= flushRecords || partition.characters >= flushBytes }
  }

  #checkSize(topicPartition: TopicPartition, { offset, values }: Row): void {
    const most = this.#tables.packetBytes - PACKET_SLACK_BYTES
    if (values.length * BYTES_PER_UNIT <= most) return
    const bytes = Buffer.byteLength(values)
    if (bytes <= most) return
    const reason = `its row takes ${bytes} bytes, and the server takes statements of ${this.#tables.packetBytes} bytes (max_allowed_packet)`
    throw new SinkRecordError({ ...topicPartition, offset }, reason)
  }

  async flush(topicPartition: TopicPartition, next: number, signal: AbortSignal): Promise<{ durable: number }> {
    const partition = this.#partitions.toFlush(topicPartition, next)
    if (partition.position === undefined || partition.position === partition.durable) return { durable: next }
    try {
      await this.#sessions!.use(`store into ${this.#options.table}`, signal, (session) =>
        this.#store(session, partition, signal),
      )
    } catch (error) {
      if (error instanceof SinkFencedError || error instanceof SinkRecordError) this.#partitions.delete(topicPartition)
      throw error
    }
    partition.rows = []
    partition.characters = 0
    return { durable: markStored(partition)! }
  }

  async #store(session: MysqlSession, partition: Partition, signal: AbortSignal): Promise<void> {
    await session.run(BEGIN_SQL)
    // The offset first: a stale owner is to find out before it has written anything.
    if (!(await this.#moveOffset(session, partition))) {
      await session.rollback()
      const stored = await this.#storedNext(session, partition.key)
      return assertDoneBefore(partition, stored, shownTarget(this.#target))
    }
    if (partition.rows.length > 0) {
      await this.#storeRows(session, partition)
      if ((await this.#shape(session)) !== this.#tables.shape) throw await this.#changed(session)
    }
    await this.#commit(session, partition, signal)
  }

  async #moveOffset(session: MysqlSession, { topicPartition, key, durable, position }: Partition): Promise<boolean> {
    const { begin, move } = this.#tables.offsetsSql
    if (durable !== undefined) return (await session.run(move, [position, ...key, durable])).affectedRows === 1
    try {
      return (await session.run(begin, [...key, topicPartition.topic, position])).affectedRows === 1
    } catch (error) {
      if (isDuplicate(error)) return false
      throw error
    }
  }

  async #storeRows(session: MysqlSession, partition: Partition): Promise<void> {
    const rows = this.#keyColumns ? lastOfEachKey(partition.rows) : partition.rows
    for (const statement of this.#statements(rows)) {
      try {
        await session.run(statement.sql)
      } catch (error) {
        if (!isServerRefusal(error)) throw error
        throw await this.#explained(session, { partition, rows, statement }, error as MysqlError)
      }
    }
  }

  #statements(rows: readonly Row[], range?: readonly [number, number]): Generator<RowsStatement> {
    const { packetBytes, rowsSql: sql } = this.#tables
    const most = Math.min(this.#statementCharacters, Math.floor((packetBytes - PACKET_SLACK_BYTES) / BYTES_PER_UNIT))
    return statementsOf(sql, rows, most, range)
  }

  async #commit(session: MysqlSession, partition: Partition, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    session.isCommitting = true
    partition.uncertainAt = partition.position
    try {
      await session.run('COMMIT')
    } catch (error) {
      if (isRolledBack(error)) partition.uncertainAt = undefined
      throw error
    } finally {
      session.isCommitting = false
    }
  }

  #shape(session: MysqlSession): Promise<string> {
    return shapeOf(session, this.#tables.place, this.#tables.columns)
  }

  /** Of a statement that was refused: whether it is the table that changed, or a record, and which. */
  async #explained(
    session: MysqlSession,
    { partition, rows, statement }: { partition: Partition; rows: readonly Row[]; statement: RowsStatement },
    error: MysqlError,
  ): Promise<unknown> {
    if (!isDataError(error) && !isShapeError(error)) return error
    if ((await this.#shape(session)) !== this.#tables.shape) return this.#changed(session, error)
    if (!isDataError(error)) return error
    const row = rows[await this.#refusedRow(session, rows, statement)]
    if (row === undefined) return error
    const reason = `the table ${this.#options.table} refuses the row: ${masked(error.message, this.#target.password)} (${shownErrno(error)})`
    return new SinkRecordError({ ...partition.topicPartition, offset: row.offset }, reason, error)
  }

  /**
   * The first row that makes the statement fail: those before `low` pass, those before `high` fail, until there is one between. What the transaction has
   * stored before the statement stays; each try is undone.
   */
  async #refusedRow(session: MysqlSession, rows: readonly Row[], { from, to }: RowsStatement): Promise<number> {
    let [low, high] = [from, to]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (await this.#fails(session, rows, [from, middle])) high = middle
      else low = middle
    }
    return low
  }

  async #fails(session: MysqlSession, rows: readonly Row[], range: readonly [number, number]): Promise<boolean> {
    const undo = () => session.run('ROLLBACK TO SAVEPOINT sluice_try')
    await session.run('SAVEPOINT sluice_try')
    try {
      for (const { sql } of this.#statements(rows, range)) await session.run(sql)
    } catch (error) {
      // Of the others, a deadlock has ended the transaction, and its savepoints.
      if (!isDataError(error)) throw error
      await undo()
      return true
    }
    await undo()
    return false
  }

  async #changed(session: MysqlSession, cause?: unknown): Promise<SinkRefusedError> {
    const now = await this.#shape(session)
    const what =
      now === '' ? 'is gone, or has none of its columns' : `had the columns ${this.#tables.shape} and now has ${now}`
    return new SinkRefusedError(
      `the table ${this.#options.table} was changed while the application ran: it ${what}. Nothing of this flush was written; ` +
        `put the table right, or "columns", and start again`,
      cause,
    )
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
    await this.#sessions?.close()
    this.#sessions = undefined
  }
}

/** The offsets are kept by it, and MySQL compares texts without the blanks at their end. */
function checkApplication(application: string): void {
  if (application.length > APPLICATION_CHARACTERS) {
    throw new SinkRefusedError(
      `the mysql sink keeps offsets by "group.id", of at most ${APPLICATION_CHARACTERS} characters; this one has ${application.length}`,
    )
  }
  if (application.endsWith(' ')) {
    throw new SinkRefusedError('the mysql sink keeps offsets by "group.id", and this one ends with a blank: remove it')
  }
}

export const mysqlSink = defineSink({
  name: 'mysql',
  guarantee: 'transactional',
  summary: 'Rows of a MySQL or MariaDB table, stored in one transaction with the offset they reach.',
  options,
  example: {
    type: 'mysql',
    host: 'localhost',
    database: 'flights',
    user: 'sluice',
    table: 'flights',
    columns: ['$key', { name: 'time', type: 'datetime(3)' }, { name: 'delay', type: 'int' }],
    mode: 'upsert',
    'key.columns': ['key'],
  },
  create: (mysqlOptions) => new MysqlSink(mysqlOptions),
})
