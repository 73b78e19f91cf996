/**
 * A connection to a PostgreSQL server: the driver when it is needed, and a limit on every wait.
 *
 * The server has its own limits (statement_timeout, lock_timeout), but a network that swallows packets knows none. So each answer has
 * a limit here too: past it the connection is dropped, and what it was doing is unknown or undone, never awaited for ever.
 */
import type { Client, ClientConfig, QueryResult, QueryResultRow } from 'pg'
import type { Writable } from 'node:stream'
import { type LoadPackage, loadDriver } from './driver-package.ts'
import { isServerRefusal } from './postgres-errors.ts'
import type { PooledSession } from './session-pool.ts'
import type { SinkContext } from './sink.ts'
import type { Target, TargetKind } from './sql-target.ts'

/** The server's own limit comes first; this is for answers that never come. */
const ANSWER_SLACK_MS = 2_000
const CLOSE_MS = 2_000

type CopyStream = Writable & { readonly rowCount: number }

export interface PostgresDriver {
  readonly createClient: (config: ClientConfig) => Client
  readonly copyFrom: (text: string) => CopyStream
}

/** @throws SinkRefusedError when a package is missing, with the command that installs it */
export async function loadPostgresDriver(load?: LoadPackage): Promise<PostgresDriver> {
  const packages = { sink: 'postgres', install: 'pg pg-copy-streams' }
  const pg = await loadDriver<{ readonly Client: new (config: ClientConfig) => Client }>(
    { name: 'pg', ...packages },
    load,
  )
  const streams = await loadDriver<{ readonly from: (text: string) => CopyStream }>(
    { name: 'pg-copy-streams', ...packages },
    load,
  )
  return { createClient: (config) => new pg.Client(config), copyFrom: (text) => streams.from(text) }
}

export const postgresTarget: TargetKind = { schemes: ['postgres', 'postgresql'], port: 5432, sslParameter: 'sslmode' }

export interface SessionOptions {
  readonly driver: PostgresDriver
  readonly target: Target
  /** Authorities that the server's certificate may come from; undefined: the system's. */
  readonly ca: string | undefined
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  /** Run when it has connected. */
  readonly sessionSql: string
  readonly context: SinkContext
}

/** A COPY … FROM STDIN that runs. */
export interface RunningCopy {
  send(chunk: Uint8Array): void
  /** Resolves when the server has taken everything; rejects with its error, whenever that came. */
  finish(): Promise<void>
}

/** One connection, in one caller's hands. */
export class Session implements PooledSession {
  readonly #client: Client
  readonly #copyFrom: PostgresDriver['copyFrom']
  readonly #context: SinkContext
  readonly #answerMs: number
  readonly #sessionSql: string
  /** What `once` has run. */
  readonly #done = new Set<string>()
  #isConnected = false
  /** Why the connection was dropped from this side. */
  dropped: string | undefined
  isBroken = false
  /** A COMMIT is on its way: to abort now would only hide how it ends. */
  isCommitting = false

  constructor({ driver, context, connectTimeoutMs, statementTimeoutMs, target, ca, sessionSql }: SessionOptions) {
    const { host, port, database, user, password } = target
    this.#client = driver.createClient({
      host,
      port,
      database,
      user,
      password: password ?? '',
      ssl: target.ssl !== 'disable' && {
        rejectUnauthorized: target.ssl === 'verify-full',
        ...(ca === undefined ? {} : { ca }),
      },
      application_name: `sluice ${context.application} ${context.consumer}`,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    })
    this.#copyFrom = driver.copyFrom
    this.#context = context
    this.#answerMs = statementTimeoutMs + ANSWER_SLACK_MS
    this.#sessionSql = sessionSql
    this.#client.on('error', () => (this.isBroken = true))
    this.#client.on('end', () => (this.isBroken = true))
  }

  async connect(): Promise<void> {
    if (this.#isConnected) return
    await this.#limited(() => this.#client.connect())
    await this.query(this.#sessionSql)
    this.#isConnected = true
  }

  query<Row extends QueryResultRow = QueryResultRow>(text: string, values?: unknown[]): Promise<QueryResult<Row>> {
    return this.#limited(() => this.#client.query<Row>(text, values))
  }

  /** Runs a statement the first time it is asked for on this connection. */
  async once(text: string): Promise<void> {
    if (this.#done.has(text)) return
    await this.query(text)
    this.#done.add(text)
  }

  /** Sends all of `chunks` to a COPY … FROM STDIN. They are in memory already, so nothing is gained by waiting between them. */
  copy(text: string, chunks: readonly Uint8Array[]): Promise<void> {
    const copy = this.startCopy(text)
    for (const chunk of chunks) copy.send(chunk)
    return copy.finish()
  }

  startCopy(text: string): RunningCopy {
    const stream = this.#copyFrom(text)
    const { promise: done, resolve, reject } = Promise.withResolvers<void>()
    // Heard of in `finish`.
    done.catch(() => {})
    stream.once('error', (error) => {
      // At once: else what is left of the chunks would be written to a connection that the stream has let go of.
      stream.destroy()
      reject(error)
    })
    stream.once('finish', resolve)
    this.#client.query(stream as never)
    return {
      send: (chunk) => {
        if (!stream.destroyed) stream.write(chunk)
      },
      finish: () =>
        this.#limited(() => {
          stream.end()
          return done
        }),
    }
  }

  async rollback(): Promise<void> {
    await this.query('ROLLBACK')
  }

  drop(why?: string): void {
    this.isBroken = true
    this.dropped ??= why
    const { connection } = this.#client as unknown as { connection: { stream: { destroy(): void } } }
    connection.stream.destroy()
  }

  async end(): Promise<void> {
    const timer = this.#context.clock.setTimer(CLOSE_MS, () => this.drop(), { background: true })
    await this.#client.end().catch(() => {})
    timer.cancel()
  }

  async #limited<T>(work: () => Promise<T>): Promise<T> {
    const drop = () =>
      this.drop(`the server has not answered within ${this.#answerMs} ms; is it, or the network, down?`)
    const timer = this.#context.clock.setTimer(this.#answerMs, drop)
    try {
      return await work()
    } catch (error) {
      // An error of the server's leaves the connection as it was; any other one ends it.
      if (!isServerRefusal(error)) this.isBroken = true
      throw error
    } finally {
      timer.cancel()
    }
  }
}
