/**
 * The `postgres` sink: rows and the offset they reach in one transaction.
 *
 *     sluice_offsets (application, cluster_id, topic_id, topic, partition, next)      one row a partition and application
 *
 *     BEGIN ─▶ compare-and-set on `next` ─▶ COPY ─▶ is the table as it was? ─▶ COMMIT
 *                     │ no row touched         │ (upsert: COPY into a temporary table, DELETE, INSERT … ON CONFLICT)
 *                     ▼                        ▼
 *                  fenced                 ROLLBACK; a line that is refused names its record
 *
 * Two owners alive at once: both would move `next` from 500. The second waits for the row that the first has locked, then finds 900 there,
 * touches no row, has written nothing, and is fenced. What a broken connection leaves open is settled the same way: stored-offset.ts.
 *
 * Lines are encoded when they are written, and held until they are committed. When there are many, they go to the server before the flush
 * (postgres-copy-ahead.ts): COPY first, then the compare-and-set, which is as good, as it is the commit that counts.
 */
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import { readAuthorities } from './authority-file.ts'
import { HeldPartitions } from './held-partitions.ts'
import { whenAvailable } from './open-retry.ts'
import { columnsOf, encodeRows } from './postgres-columns.ts'
import { loadPostgresDriver, type PostgresDriver, postgresTarget, Session } from './postgres-connection.ts'
import { CopyAhead } from './postgres-copy-ahead.ts'
import { isDataError, isServerRefusal, isShapeError, type PostgresError, postgresError } from './postgres-errors.ts'
import { checkOptions, options, type PostgresOptions } from './postgres-options.ts'
import {
  appendSql,
  BEGIN_SQL,
  copyLineOf,
  offsetsSql,
  qualified,
  type RowsSql,
  sessionSql,
  tableName,
  upsertSql,
} from './postgres-sql.ts'
import { prepareTables, shapeOf, type Tables } from './postgres-tables.ts'
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

/** Fewer lines than this wait for the flush: a quiet partition holds no transaction open. */
const AHEAD_BYTES = 65_536

type Partition = StoredPartition & {
  /** COPY's lines, one a record, and their offsets. */
  chunks: Buffer[]
  offsets: number[]
  bytes: number
  deletes: number
  ahead: CopyAhead | undefined
}

interface Opening extends Tables {
  readonly rowsSql: RowsSql
  readonly offsetsSql: ReturnType<typeof offsetsSql>
}

export interface PostgresParts {
  readonly loadDriver: () => Promise<PostgresDriver>
  readonly aheadBytes: number
}

export class PostgresSink implements Sink {
  readonly #options: PostgresOptions
  readonly #target: Target
  readonly #loadDriver: () => Promise<PostgresDriver>
  readonly #aheadBytes: number
  readonly #partitions = new HeldPartitions<Partition>()
  #context!: SinkContext
  #connections: SessionPool<Session> | undefined
  #tables!: Opening

  /** @param parts for tests: another driver; how many bytes of lines are sent before the flush */
  constructor(
    postgresOptions: PostgresOptions,
    { loadDriver = loadPostgresDriver, aheadBytes = AHEAD_BYTES }: Partial<PostgresParts> = {},
  ) {
    this.#options = postgresOptions
    this.#loadDriver = loadDriver
    this.#aheadBytes = aheadBytes
    this.#target = targetOf(postgresTarget, postgresOptions)
    checkOptions(postgresOptions)
  }

  async open(context: SinkContext): Promise<Opened> {
    this.#context = context
    const wanted = columnsOf(this.#options.columns, context.valueType)
    const driver = await this.#loadDriver()
    const options = this.#options
    const session = {
      driver,
      target: this.#target,
      ca: await readAuthorities(context.disk, options['ssl.ca']),
      connectTimeoutMs: options['connect.timeout.ms'],
      statementTimeoutMs: options['statement.timeout.ms'],
      sessionSql: sessionSql(options['statement.timeout.ms'], options['lock.timeout.ms']),
      context,
    }
    const where = shownTarget(this.#target)
    this.#connections ??= new SessionPool({
      size: options['pool.size'],
      create: () => new Session(session),
      where,
      explained: (error, doing) => postgresError(error, { doing, where, password: this.#target.password }),
    })
    const keyColumns = this.#keyColumns
    const named = {
      table: qualified(tableName(this.#options.table)!),
      offsets: qualified(tableName(this.#options['offsets.table'])!),
    }
    const tables = await whenAvailable(context, options['open.timeout.ms'], () =>
      this.#connections!.use(`prepare the table ${this.#options.table}`, context.signal, (session) =>
        prepareTables(session, { ...named, wanted, keyColumns, valueType: context.valueType }),
      ),
    )
    this.#tables = {
      ...tables,
      rowsSql: keyColumns
        ? upsertSql(tables.table, tables.columns, keyColumns)
        : appendSql(tables.table, tables.relation, tables.columns),
      offsetsSql: offsetsSql(tables.offsets),
    }
    return {
      guarantee: 'transactional',
      flushHint: { records: this.#options['flush.records'], intervalMs: this.#options['flush.ms'] },
    }
  }

  get #keyColumns(): readonly string[] | undefined {
    return this.#options.mode === 'upsert' ? this.#options['key.columns'] : undefined
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]> {
    const doing = `read the offsets in ${this.#options['offsets.table']}`
    return this.#connections!.use(doing, this.#context.signal, async (session) => {
      const positions: SinkPosition[] = []
      for (const { topicPartition } of partitions) {
        const key = offsetKey(this.#context, topicPartition)
        const next = await this.#storedNext(session, key)
        this.#forget(topicPartition)
        const nothing = { chunks: [], offsets: [], bytes: 0, deletes: 0, ahead: undefined }
        this.#partitions.set(topicPartition, { ...storedPartition(topicPartition, key, next), ...nothing })
        positions.push({ topicPartition, next })
      }
      return positions
    })
  }

  async #storedNext(session: Session, key: OffsetKey): Promise<number | undefined> {
    const { rows } = await session.query<{ next: string }>(this.#tables.offsetsSql.read, [...key])
    return rows[0] === undefined ? undefined : Number(rows[0].next)
  }

  async write(batch: SinkBatch): Promise<{ flushDue: boolean }> {
    const partition = this.#partitions.toWrite(batch)
    const { columns } = this.#tables
    const { lines, deletes } = encodeRows(
      { columns, valueType: this.#context.valueType, mode: this.#options.mode },
      batch,
    )
    partition.start ??= batch.first
    partition.position = batch.next
    for (const { offset } of batch.records) partition.offsets.push(offset)
    if (lines !== '') {
      const chunk = Buffer.from(lines)
      partition.chunks.push(chunk)
      partition.bytes += chunk.length
      partition.deletes += deletes
      await this.#sendAhead(partition)
    }
    const { 'flush.records': flushRecords, 'flush.bytes': flushBytes } = this.#options
    return { flushDue: partition.offsets.length >= flushRecords || partition.bytes >= flushBytes }
  }

  async #sendAhead(partition: Partition): Promise<void> {
    if (!partition.ahead) {
      if (partition.bytes < this.#aheadBytes || !this.#tables.mayCopyAhead || partition.uncertainAt !== undefined)
        return
      const session = this.#connections!.take()
      if (!session) return
      partition.ahead = new CopyAhead(session, this.#tables.rowsSql, partition.chunks)
    }
    partition.ahead.pump()
    // The lines leave, and the server's answers are read, only when the event loop turns.
    await this.#context.clock.yield()
  }

  async flush(topicPartition: TopicPartition, next: number, signal: AbortSignal): Promise<{ durable: number }> {
    const partition = this.#partitions.toFlush(topicPartition, next)
    if (partition.position === undefined || partition.position === partition.durable) return { durable: next }
    const { ahead } = partition
    partition.ahead = undefined
    const doing = `store into ${this.#options.table}`
    const connections = this.#connections!
    try {
      const isStored =
        ahead !== undefined &&
        (await connections.use(doing, signal, () => this.#storeAhead(ahead, partition, signal), ahead.session))
      if (!isStored) await connections.use(doing, signal, (session) => this.#store(session, partition, signal))
    } catch (error) {
      if (error instanceof SinkFencedError || error instanceof SinkRecordError) this.#partitions.delete(topicPartition)
      throw error
    }
    partition.chunks = []
    partition.offsets = []
    partition.bytes = 0
    partition.deletes = 0
    return { durable: markStored(partition)! }
  }

  /** false: it came to nothing, and the flush is to be done from the beginning. That also finds out what is wrong. */
  async #storeAhead(ahead: CopyAhead, partition: Partition, signal: AbortSignal): Promise<boolean> {
    const { session } = ahead
    try {
      await ahead.finish()
      await this.#merge(session, partition.deletes > 0)
      await this.#checkShape(session)
    } catch {
      if (!session.isBroken) await session.query('ROLLBACK')
      return false
    }
    if (!(await this.#moveOffset(session, partition))) {
      await this.#settle(session, partition)
      return true
    }
    try {
      await this.#commit(session, partition, signal)
      return true
    } catch (error) {
      // A deferred constraint: which record it is about is found out by the other way.
      if (isDataError(error)) return false
      throw error
    }
  }

  async #store(session: Session, partition: Partition, signal: AbortSignal): Promise<void> {
    const { rowsSql } = this.#tables
    try {
      if (rowsSql.prepare !== undefined) await session.once(rowsSql.prepare)
      await session.query(rowsSql.begin)
      // The offset first: a stale owner is to find out before it has written anything.
      if (!(await this.#moveOffset(session, partition))) return await this.#settle(session, partition)
      if (partition.offsets.length > 0) {
        await this.#copy(session, partition.chunks, partition.deletes > 0)
        await this.#checkShape(session)
      }
      await this.#commit(session, partition, signal)
    } catch (error) {
      if (!isServerRefusal(error)) throw error
      await session.query('ROLLBACK')
      throw await this.#explained(session, partition, error as PostgresError)
    }
  }

  async #moveOffset(session: Session, { topicPartition, key, durable, position }: Partition): Promise<boolean> {
    const { begin, move } = this.#tables.offsetsSql
    const { rowCount } =
      durable === undefined
        ? await session.query(begin, [...key, topicPartition.topic, position])
        : await session.query(move, [...key, position, durable])
    return rowCount === 1
  }

  async #copy(session: Session, chunks: readonly Uint8Array[], deletes: boolean): Promise<void> {
    await session.copy(this.#tables.rowsSql.copy, chunks)
    await this.#merge(session, deletes)
  }

  async #merge(session: Session, deletes: boolean): Promise<void> {
    const { remove, merge } = this.#tables.rowsSql
    if (deletes && remove !== undefined) await session.query(remove)
    if (merge !== undefined) await session.query(merge)
  }

  async #checkShape(session: Session): Promise<void> {
    const { table, columns, shape } = this.#tables
    if ((await shapeOf(session, table, columns)) !== shape) throw await this.#changed(session)
  }

  async #commit(session: Session, partition: Partition, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    session.isCommitting = true
    partition.uncertainAt = partition.position
    try {
      await session.query('COMMIT')
    } catch (error) {
      // A deferred constraint, say: the server's own word that nothing happened.
      if (isServerRefusal(error)) partition.uncertainAt = undefined
      throw error
    } finally {
      session.isCommitting = false
    }
  }

  /** The compare-and-set touched no row: an earlier commit of this flush, which nobody heard of, or another owner. */
  async #settle(session: Session, partition: Partition): Promise<void> {
    await session.rollback()
    assertDoneBefore(partition, await this.#storedNext(session, partition.key), shownTarget(this.#target))
  }

  /** After a rollback: whether it is the table that changed, or a record that is refused, and which. */
  async #explained(session: Session, partition: Partition, error: PostgresError): Promise<unknown> {
    const { table, columns, shape, rowsSql } = this.#tables
    if (isShapeError(error) || isDataError(error)) {
      if ((await shapeOf(session, table, columns)) !== shape) return this.#changed(session, error)
    }
    if (!isDataError(error)) return error
    const line = copyLineOf(error.where, rowsSql.copied) ?? (await this.#refusedLine(session, partition))
    const offset = line === undefined ? undefined : partition.offsets[line - 1]
    if (offset === undefined) return error
    const said = [error.message, error.detail].filter((part) => part !== undefined).join('; ')
    const reason = `the table ${this.#options.table} refuses the row: ${masked(said, this.#target.password)} (${error.code})`
    return new SinkRecordError({ ...partition.topicPartition, offset }, reason, error)
  }

  /**
   * The first line that makes the statement fail, 1-based, for errors that name none (a foreign key, a deferred constraint, INSERT … SELECT):
   * the first `low` lines pass, the first `high` fail, until there is one between. Each try is rolled back.
   */
  async #refusedLine(session: Session, partition: Partition): Promise<number | undefined> {
    const all = Buffer.concat(partition.chunks)
    const ends: number[] = [0]
    for (let at = all.indexOf(10); at >= 0; at = all.indexOf(10, at + 1)) ends.push(at + 1)
    const fails = async (lines: number) => {
      await session.query(`${BEGIN_SQL}; SET CONSTRAINTS ALL IMMEDIATE`)
      try {
        await this.#copy(session, [all.subarray(0, ends[lines])], partition.deletes > 0)
        return false
      } catch (error) {
        if (!isDataError(error)) throw error
        return true
      } finally {
        if (!session.isBroken) await session.query('ROLLBACK')
      }
    }
    let [low, high] = [0, partition.offsets.length]
    if (!(await fails(high))) return undefined
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (await fails(middle)) high = middle
      else low = middle
    }
    return high
  }

  async #changed(session: Session, cause?: unknown): Promise<SinkRefusedError> {
    const { table, columns, shape } = this.#tables
    const now = await shapeOf(session, table, columns)
    const what = now === null ? 'is gone, or has none of its columns' : `had the columns ${shape} and now has ${now}`
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
      forget: (topicPartition) => this.#forget(topicPartition),
      logger: this.#context.logger,
    })
  }

  async close(): Promise<void> {
    for (const [topicPartition] of this.#partitions.entries()) this.#forget(topicPartition)
    await this.#connections?.close()
    this.#connections = undefined
  }

  #forget(topicPartition: TopicPartition): void {
    const ahead = this.#partitions.get(topicPartition)?.ahead
    if (ahead) this.#connections!.abandon(ahead.session)
    this.#partitions.delete(topicPartition)
  }
}

export const postgresSink = defineSink({
  name: 'postgres',
  guarantee: 'transactional',
  summary: 'Rows of a PostgreSQL table, stored in one transaction with the offset they reach.',
  options,
  example: {
    type: 'postgres',
    host: 'localhost',
    database: 'flights',
    user: 'sluice',
    table: 'flights',
    columns: ['$key', { name: 'time', type: 'timestamptz' }, { name: 'delay', type: 'integer' }],
    mode: 'upsert',
    'key.columns': ['key'],
  },
  create: (postgresOptions) => new PostgresSink(postgresOptions),
})
