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
 * touches no row, has written nothing, and is fenced. The same settles what a broken connection leaves open:
 *
 *     1. COMMIT is sent, the connection breaks: it may or may not have happened. `isUncertain`.
 *     2. The flush is called again, with the same rows. Its compare-and-set waits for the old transaction, if that one still runs.
 *     3. It touches the row: there was no commit, and the rows go in now. Or not: `next` is where this flush would have moved it, so it
 *        is done; or elsewhere, so another owner has gone on.
 *
 * Lines are encoded when they are written and held until the flush, which is one COPY: records are small in that form, and the transaction is
 * open for no longer than the server needs. A recreated topic, or another cluster's of the same name, has an id and so a row of its own.
 */
import { z } from 'zod'
import { type TopicPartition, TopicPartitionMap } from '../protocol/records/topic-partition.ts'
import { diskError } from './disk-error.ts'
import { recordColumns } from './file-encoding.ts'
import { columnsOf, columnTypes, encodeRows } from './postgres-columns.ts'
import {
  Connections,
  loadPostgresDriver,
  type PostgresDriver,
  type Session,
  shownTarget,
  type Target,
  targetOf,
} from './postgres-connection.ts'
import { isDataError, isServerRefusal, isShapeError, masked, type PostgresError } from './postgres-errors.ts'
import {
  appendSql,
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
import {
  type AssignedPartition,
  type DurablePosition,
  type Opened,
  type Sink,
  type SinkBatch,
  type SinkContext,
  SinkFencedError,
  SinkOptionsError,
  type SinkPosition,
  SinkRecordError,
  SinkRefusedError,
  SinkSequenceError,
  SinkUnavailableError,
} from './sink.ts'

const FIRST_BACKOFF_MS = 100
const LONGEST_BACKOFF_MS = 2_000

const column = z.strictObject({
  name: z.string().min(1).describe('Name of the column.'),
  type: z
    .enum(columnTypes)
    .optional()
    .describe('Type of the column; one that exists must have it. Without it, a new column is jsonb.'),
  field: z.string().min(1).optional().describe('Field of the JSON value, if its name is not the column’s.'),
  optional: z.boolean().optional().describe('Stores NULL when the field is missing, which is an error otherwise.'),
})

const table = z.string().refine((name) => tableName(name) !== undefined, 'expected a name: table or schema.table')

const options = z.strictObject({
  url: z
    .string()
    .optional()
    .describe(
      'postgres://user:password@host:port/database, with ?sslmode= if need be. The options below replace its parts.',
    ),
  host: z
    .string()
    .min(1)
    .optional()
    .describe('Name or address of the server, or the folder of its socket. Without it and url: localhost.'),
  port: z.int().min(1).max(65_535).optional().describe('Port of the server. Without it and url: 5432.'),
  database: z.string().min(1).optional().describe('Name of the database. Without it and url: that of the user.'),
  user: z.string().min(1).optional().describe('Name of the user; required here or in url.'),
  password: z.union([z.string(), z.number()]).optional().describe('Password of the user. Never shown.'),
  ssl: z
    .enum(['disable', 'require', 'verify-full'])
    .optional()
    .describe(
      'TLS: none (without this option), encrypted without a look at the certificate, or with certificate and host name checked.',
    ),
  'ssl.ca': z
    .string()
    .min(1)
    .optional()
    .describe('File of the authorities (PEM) that the certificate may come from. Without it: the system’s.'),
  table: table.describe(
    'Table for the rows, table or schema.table, as it is written; created when missing, with the columns below.',
  ),
  columns: z
    .array(z.union([z.string().min(1), column]))
    .min(1)
    .optional()
    .describe(
      'Columns, each the name of a field of the JSON value or { name, type, field, optional }; ' +
        `${recordColumns.join(', ')} are the record's own. Without it: topic, partition, offset, timestamp, key, value.`,
    ),
  mode: z
    .enum(['append', 'upsert'])
    .default('append')
    .describe(
      'append: a row a record. upsert: a row a key, as the last record left it; when "key.columns" are the record’s own ' +
        '($key), a record without a value deletes its row.',
    ),
  'key.columns': z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('upsert: names of the columns that tell rows apart. The table needs a unique index on them.'),
  'offsets.table': table
    .default('sluice_offsets')
    .describe('Table for the offsets, in the same database; created when missing.'),
  'pool.size': z
    .int()
    .positive()
    .default(2)
    .describe('Connections of one consumer: so many partitions are stored at a time.'),
  'connect.timeout.ms': z.int().positive().default(10_000).describe('How long to wait for a connection.'),
  'open.timeout.ms': z
    .int()
    .nonnegative()
    .default(60_000)
    .describe('How long the start waits for a server that is down, starting up, in recovery or full.'),
  'statement.timeout.ms': z
    .int()
    .positive()
    .default(30_000)
    .describe('How long one statement may take, and a transaction stand still, before the server gives it up.'),
  'lock.timeout.ms': z
    .int()
    .positive()
    .default(10_000)
    .describe('How long a statement waits for another session’s lock.'),
  'flush.records': z.int().positive().default(20_000).describe('Commits after this many records of a partition.'),
  'flush.bytes': z
    .int()
    .positive()
    .default(16_777_216)
    .describe('Commits when the rows of a partition that are not committed hold this many bytes.'),
  'flush.ms': z
    .int()
    .positive()
    .default(1_000)
    .describe('Commits this long after the first record that is not committed.'),
})

type PostgresOptions = z.infer<typeof options>

interface Partition {
  readonly topicPartition: TopicPartition
  /** application, cluster id, topic id, partition. */
  readonly key: readonly [string, string, string, number]
  /** undefined: the store has no row yet. */
  durable: number | undefined
  /** Where what is taken and not durable begins. */
  start: number | undefined
  position: number | undefined
  /** COPY's lines, one a record, and their offsets. */
  chunks: Buffer[]
  offsets: number[]
  bytes: number
  deletes: number
  /** A COMMIT was sent and not answered. `position` as it was then. */
  uncertainAt: number | undefined
}

interface Opening extends Tables {
  readonly rowsSql: RowsSql
  readonly offsetsSql: ReturnType<typeof offsetsSql>
}

export class PostgresSink implements Sink {
  readonly #options: PostgresOptions
  readonly #target: Target
  readonly #loadDriver: () => Promise<PostgresDriver>
  readonly #partitions = new TopicPartitionMap<Partition>()
  #context!: SinkContext
  #connections: Connections | undefined
  #tables!: Opening

  constructor(postgresOptions: PostgresOptions, loadDriver: () => Promise<PostgresDriver> = loadPostgresDriver) {
    this.#options = postgresOptions
    this.#loadDriver = loadDriver
    this.#target = targetOf(postgresOptions)
    checkKeyOptions(postgresOptions)
  }

  async open(context: SinkContext): Promise<Opened> {
    this.#context = context
    const wanted = columnsOf(this.#options.columns, context.valueType)
    const driver = await this.#loadDriver()
    this.#connections ??= new Connections({
      driver,
      target: this.#target,
      ca: await this.#authorities(),
      limits: {
        poolSize: this.#options['pool.size'],
        connectTimeoutMs: this.#options['connect.timeout.ms'],
        statementTimeoutMs: this.#options['statement.timeout.ms'],
      },
      sessionSql: sessionSql(this.#options['statement.timeout.ms'], this.#options['lock.timeout.ms']),
      context,
    })
    const keyColumns = this.#keyColumns
    const named = {
      table: qualified(tableName(this.#options.table)!),
      offsets: qualified(tableName(this.#options['offsets.table'])!),
    }
    const tables = await this.#whenAvailable(() =>
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

  async #authorities(): Promise<string | undefined> {
    const path = this.#options['ssl.ca']
    if (path === undefined) return undefined
    try {
      return (await this.#context.disk.readFile(path)).toString()
    } catch (error) {
      throw diskError(error, 'cannot read the authorities in', path)
    }
  }

  /** A server may start with, or after, the application. */
  async #whenAvailable<T>(work: () => Promise<T>): Promise<T> {
    const { clock, random, logger, signal } = this.#context
    const timeoutMs = this.#options['open.timeout.ms']
    const began = clock.monotonic()
    for (let backoffMs = FIRST_BACKOFF_MS; ; backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS)) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof SinkUnavailableError) || signal.aborted) throw error
        if (clock.monotonic() - began >= timeoutMs) {
          throw new SinkUnavailableError(`${error.message}. Gave up after "open.timeout.ms", ${timeoutMs} ms`, error)
        }
        logger.warn({}, `${error.message}. Trying again`)
        await clock.sleep(backoffMs * (0.5 + random.next() / 2), signal)
      }
    }
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]> {
    const { application, clusterId, topicId, signal } = this.#context
    return this.#connections!.use(`read the offsets in ${this.#options['offsets.table']}`, signal, async (session) => {
      const positions: SinkPosition[] = []
      for (const { topicPartition } of partitions) {
        const { topic, partition } = topicPartition
        const key = [application, clusterId, topicId(topic), partition] as const
        const next = await this.#storedNext(session, key)
        this.#partitions.set(topicPartition, {
          topicPartition,
          key,
          durable: next,
          start: next,
          position: next,
          chunks: [],
          offsets: [],
          bytes: 0,
          deletes: 0,
          uncertainAt: undefined,
        })
        positions.push({ topicPartition, next })
      }
      return positions
    })
  }

  async #storedNext(session: Session, key: Partition['key']): Promise<number | undefined> {
    const { rows } = await session.query<{ next: string }>(this.#tables.offsetsSql.read, [...key])
    return rows[0] === undefined ? undefined : Number(rows[0].next)
  }

  async write(batch: SinkBatch): Promise<{ flushDue: boolean }> {
    const partition = this.#held(batch.topicPartition)
    if (partition.position !== undefined && batch.first !== partition.position) {
      throw new SinkSequenceError(
        batch.topicPartition,
        `a batch begins at ${batch.first}, and ${partition.position} comes next`,
      )
    }
    const { columns } = this.#tables
    const { lines, deletes } = encodeRows(
      { columns, valueType: this.#context.valueType, keyColumns: this.#keyColumns },
      batch,
    )
    partition.start ??= batch.first
    partition.position = batch.next
    if (batch.records.length > 0) partition.chunks.push(Buffer.from(lines))
    for (const { offset } of batch.records) partition.offsets.push(offset)
    partition.bytes += partition.chunks.at(-1)?.length ?? 0
    partition.deletes += deletes
    const { 'flush.records': flushRecords, 'flush.bytes': flushBytes } = this.#options
    return { flushDue: partition.offsets.length >= flushRecords || partition.bytes >= flushBytes }
  }

  async flush(topicPartition: TopicPartition, next: number, signal: AbortSignal): Promise<{ durable: number }> {
    const partition = this.#held(topicPartition)
    if (partition.position !== undefined && next > partition.position) {
      throw new SinkSequenceError(
        topicPartition,
        `a flush to ${next} goes beyond ${partition.position}, which was written last`,
      )
    }
    if (partition.position === undefined || partition.position === partition.durable) return { durable: next }
    try {
      await this.#connections!.use(`store into ${this.#options.table}`, signal, (session) =>
        this.#store(session, partition, signal),
      )
    } catch (error) {
      if (error instanceof SinkFencedError || error instanceof SinkRecordError) this.#partitions.delete(topicPartition)
      throw error
    }
    partition.durable = partition.position
    partition.start = partition.position
    partition.chunks = []
    partition.offsets = []
    partition.bytes = 0
    partition.deletes = 0
    partition.uncertainAt = undefined
    return { durable: partition.durable }
  }

  async #store(session: Session, partition: Partition, signal: AbortSignal): Promise<void> {
    const { rowsSql, table, columns, shape } = this.#tables
    try {
      if (rowsSql.prepare !== undefined) await session.once(rowsSql.prepare)
      await session.query('BEGIN ISOLATION LEVEL READ COMMITTED')
      // The offset first: a stale owner is to find out before it has written anything.
      if (!(await this.#moveOffset(session, partition))) {
        await session.query('ROLLBACK')
        return await this.#settle(session, partition)
      }
      if (partition.offsets.length > 0) {
        await this.#copy(session, partition.chunks, partition.deletes > 0)
        if ((await shapeOf(session, table, columns)) !== shape) throw await this.#changed(session)
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
    const { copy, remove, merge } = this.#tables.rowsSql
    await session.copy(copy, chunks)
    if (deletes && remove !== undefined) await session.query(remove)
    if (merge !== undefined) await session.query(merge)
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
  async #settle(
    session: Session,
    { topicPartition, key, durable, start, uncertainAt, position }: Partition,
  ): Promise<void> {
    const stored = await this.#storedNext(session, key)
    if (uncertainAt !== undefined && stored === uncertainAt && uncertainAt === position) return
    const { topic, partition } = topicPartition
    throw new SinkFencedError(
      topicPartition,
      uncertainAt !== undefined && stored === uncertainAt
        ? `topic ${topic}, partition ${partition}: the commit that broke off has stored everything below ${stored}; what follows is read again`
        : `topic ${topic}, partition ${partition} has another owner at ${shownTarget(this.#target)}, ` +
            `which has stored what follows ${durable ?? start}`,
    )
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
      await session.query('BEGIN ISOLATION LEVEL READ COMMITTED; SET CONSTRAINTS ALL IMMEDIATE')
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
    const store = async (topicPartition: TopicPartition): Promise<DurablePosition> => {
      const partition = this.#partitions.get(topicPartition)
      if (partition?.position !== undefined && why === 'revoked') {
        await this.flush(topicPartition, partition.position, this.#context.signal).catch((error: unknown) => {
          const found = { err: error, ...topicPartition }
          this.#context.logger.warn(found, 'not stored before revocation; the next owner reads it again')
        })
      }
      this.#partitions.delete(topicPartition)
      return { topicPartition, durable: partition?.durable }
    }
    return Promise.all(topicPartitions.map(store))
  }

  async close(): Promise<void> {
    this.#partitions.clear()
    await this.#connections?.close()
    this.#connections = undefined
  }

  #held(topicPartition: TopicPartition): Partition {
    const partition = this.#partitions.get(topicPartition)
    if (!partition) throw new SinkSequenceError(topicPartition, 'it is not assigned')
    return partition
  }
}

function checkKeyOptions({
  mode,
  columns,
  'key.columns': keyColumns,
  table,
  'offsets.table': offsets,
}: PostgresOptions): void {
  if (table === offsets) throw new SinkOptionsError('sink.table and sink.offsets.table are the same table')
  if (mode === 'append') {
    if (keyColumns) throw new SinkOptionsError('sink.key.columns is for "mode": "upsert", and the mode is append')
    return
  }
  if (!keyColumns)
    throw new SinkOptionsError('sink.key.columns is missing: "mode": "upsert" needs the columns that tell rows apart')
  const names: readonly string[] = columnsOf(columns, 'json').map(({ name }) => name)
  const unknown = keyColumns.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw new SinkOptionsError(`sink.key.columns has "${unknown}", which is not among the columns ${names.join(', ')}`)
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
