/**
 * Connections to a PostgreSQL server: the driver when it is needed, where the server is, a small pool, and a limit on every wait.
 *
 * The server has its own limits (statement_timeout, lock_timeout), but a network that swallows packets knows none. So each answer has
 * a limit here too: past it the connection is dropped, and what it was doing is unknown or undone, never awaited for ever.
 *
 *     closed ──use()──▶ connecting ──▶ in use ──▶ idle ──use()──▶ in use
 *                           │             │          │
 *                           └─────────────┴──────────┴──▶ broken: dropped, never handed out again
 */
import type { Client, ClientConfig, QueryResult, QueryResultRow } from 'pg'
import type { Writable } from 'node:stream'
import { SluiceError } from '../error.ts'
import { isServerRefusal, postgresError } from './postgres-errors.ts'
import { type SinkContext, SinkOptionsError, SinkRefusedError, SinkUnavailableError } from './sink.ts'

/** The server's own limit comes first; this is for answers that never come. */
const ANSWER_SLACK_MS = 2_000
const CLOSE_MS = 2_000

type CopyStream = Writable & { readonly rowCount: number }

export interface PostgresDriver {
  readonly createClient: (config: ClientConfig) => Client
  readonly copyFrom: (text: string) => CopyStream
}

/** @throws SinkRefusedError when a package is missing, with the command that installs it */
export async function loadPostgresDriver(
  load: (name: string) => Promise<unknown> = (name) => import(name),
): Promise<PostgresDriver> {
  const found = async (name: string) => {
    try {
      return await load(name)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(`'${name}'`)) throw error
      throw new SinkRefusedError(
        `the postgres sink needs the package "${name}", which is not installed: run npm install pg pg-copy-streams`,
        error,
      )
    }
  }
  const pg = (await found('pg')) as { readonly Client: new (config: ClientConfig) => Client }
  const streams = (await found('pg-copy-streams')) as { readonly from: (text: string) => CopyStream }
  return { createClient: (config) => new pg.Client(config), copyFrom: (text) => streams.from(text) }
}

export type SslMode = 'disable' | 'require' | 'verify-full'

export interface Target {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string | undefined
  readonly ssl: SslMode
}

export interface TargetOptions {
  readonly url?: string
  readonly host?: string
  readonly port?: number
  readonly database?: string
  readonly user?: string
  readonly password?: string
  readonly ssl?: SslMode
}

/**
 * Where the server is, from `url` or from its parts; a part beside `url` replaces what the URL says.
 * @throws SinkOptionsError for a URL that is none. It is never shown, as it may hold the password.
 */
export function targetOf(options: TargetOptions): Target {
  const { url, ...parts } = options
  const fromUrl = url === undefined ? {} : partsOfUrl(url)
  const given = Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined))
  const {
    host = 'localhost',
    port = 5432,
    database,
    user,
    password,
    ssl = 'disable',
  } = { ...fromUrl, ...given } as TargetOptions
  if (user === undefined) throw new SinkOptionsError('sink.user is missing: the name of the user, here or in "url"')
  if (/[?#]/.test(host)) throw new SinkOptionsError('sink.host is no name of a host')
  return {
    host,
    port,
    database: database ?? user,
    user,
    password,
    ssl,
  }
}

const sslModes: readonly string[] = ['disable', 'require', 'verify-full'] satisfies SslMode[]

function partsOfUrl(text: string): TargetOptions {
  const url = URL.parse(text)
  if (!url || !/^postgres(?:ql)?:$/.test(url.protocol)) {
    throw new SinkOptionsError(
      'sink.url is no URL of the form postgres://user:password@host:port/database (it is not shown, as it may hold a password; ' +
        'characters such as @, : and / in a password are written as %40, %3A and %2F)',
    )
  }
  const { searchParams } = url
  for (const name of searchParams.keys()) {
    if (name !== 'sslmode')
      throw new SinkOptionsError(`sink.url has the parameter "${name}"; only "sslmode" may stand there`)
  }
  const ssl = searchParams.get('sslmode') ?? undefined
  if (ssl !== undefined && !sslModes.includes(ssl)) {
    throw new SinkOptionsError(`sink.url has sslmode=${ssl}; it may be ${sslModes.join(', ')}`)
  }
  const partOf = (part: string) => (part === '' ? undefined : decoded(part))
  return {
    host: partOf(url.hostname.replace(/^\[(.*)\]$/, '$1')),
    port: url.port === '' ? undefined : Number(url.port),
    database: partOf(url.pathname.slice(1)),
    user: partOf(url.username),
    password: partOf(url.password),
    ssl: ssl as SslMode | undefined,
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new SinkOptionsError(
      'sink.url has a % that is not followed by two hexadecimal digits (write %25 for % itself)',
    )
  }
}

/** Without the password: for messages and logs. */
export function shownTarget({ user, host, port, database }: Target): string {
  return `postgres://${user}@${host.includes(':') ? `[${host}]` : host}:${port}/${database}`
}

export interface ConnectionLimits {
  readonly poolSize: number
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
}

export interface ConnectionsOptions {
  readonly driver: PostgresDriver
  readonly target: Target
  /** Authorities that the server's certificate may come from; undefined: the system's. */
  readonly ca: string | undefined
  readonly limits: ConnectionLimits
  /** Run on each new connection. */
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
export class Session {
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

  constructor({ driver, context, limits, target, ca, sessionSql }: ConnectionsOptions) {
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
      connectionTimeoutMillis: limits.connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    })
    this.#copyFrom = driver.copyFrom
    this.#context = context
    this.#answerMs = limits.statementTimeoutMs + ANSWER_SLACK_MS
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

  /** Drops the connection without a word. The server rolls back when it notices. */
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

export class Connections {
  readonly #options: ConnectionsOptions
  readonly #where: string
  #idle: Session[] = []
  readonly #waiting = new Set<() => void>()
  #inUse = 0
  #isClosed = false

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#where = shownTarget(options.target)
  }

  /**
   * Hands a connection to `work`, waiting for one when all are in use. When `work` throws, an open transaction is rolled back.
   * When `signal` aborts, the connection is dropped, except in COMMIT.
   * @param taken what `take` gave, which goes back to the pool afterwards
   * @throws SinkUnavailableError, SinkRefusedError: see postgres-errors.ts. What `work` throws of the contract's stays as it is.
   */
  async use<T>(
    doing: string,
    signal: AbortSignal,
    work: (session: Session) => Promise<T>,
    taken?: Session,
  ): Promise<T> {
    if (!taken) await this.#turn(signal)
    const session = taken ?? this.#idleSession() ?? new Session(this.#options)
    const abort = () => {
      if (!session.isCommitting) session.drop('it was aborted, as no time is left')
    }
    signal.addEventListener('abort', abort)
    try {
      if (signal.aborted || this.#isClosed) session.dropped = 'it was aborted, as no time is left'
      else await session.connect()
      if (session.dropped !== undefined) throw new Error(session.dropped)
      return await work(session)
    } catch (error) {
      if (!session.isBroken && session.dropped === undefined)
        await session.query('ROLLBACK').catch(() => session.drop())
      if (error instanceof SluiceError) throw error
      if (session.dropped !== undefined) {
        throw new SinkUnavailableError(`cannot ${doing} at ${this.#where}: ${session.dropped}`, error)
      }
      throw postgresError(error, { doing, where: this.#where, password: this.#options.target.password })
    } finally {
      signal.removeEventListener('abort', abort)
      this.#release(session)
    }
  }

  /** A connection that stands idle, unless it is the last that is left: nobody is to wait for one that was taken. */
  take(): Session | undefined {
    const session = this.#inUse < this.#options.limits.poolSize - 1 && !this.#isClosed ? this.#idleSession() : undefined
    if (session) this.#inUse += 1
    return session
  }

  /** Ends a connection that was taken, whatever it is doing. */
  abandon(session: Session): void {
    session.drop()
    this.#release(session)
  }

  #idleSession(): Session | undefined {
    const session = this.#idle.findLast(({ isBroken }) => !isBroken)
    this.#idle = this.#idle.filter((idle) => idle !== session && !idle.isBroken)
    return session
  }

  /** Waits until fewer connections are in use than the pool has. */
  async #turn(signal: AbortSignal): Promise<void> {
    while (this.#inUse >= this.#options.limits.poolSize && !signal.aborted && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        this.#waiting.add(wake)
        signal.addEventListener('abort', wake)
      })
    }
    this.#inUse += 1
  }

  #release(session: Session): void {
    session.isCommitting = false
    this.#inUse -= 1
    if (session.isBroken || session.dropped !== undefined || this.#isClosed) session.drop()
    else this.#idle.push(session)
    const [next] = this.#waiting
    next?.()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const wake of this.#waiting) wake()
    const idle = this.#idle
    this.#idle = []
    await Promise.all(idle.map((session) => session.end()))
  }
}
