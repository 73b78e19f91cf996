/**
 * A connection to a MySQL or MariaDB server: the driver when it is needed, and a limit on every wait.
 *
 * Of the server's limits only those on locks hold for every statement, and a network that swallows packets knows none. So each answer has
 * a limit here: past it the connection is dropped, and what it was doing is unknown or undone, never awaited for ever.
 */
import type { Connection, ConnectionOptions } from 'mysql2'
import { type LoadPackage, loadDriver } from './driver-package.ts'
import { isServerRefusal } from './mysql-errors.ts'
import { sessionSql } from './mysql-sql.ts'
import type { PooledSession } from './session-pool.ts'
import { type SinkContext, SinkOptionsError } from './sink.ts'
import type { Target, TargetKind } from './sql-target.ts'

/** For the way to the server and back. */
const ANSWER_SLACK_MS = 2_000
const CLOSE_MS = 2_000
const KEEP_ALIVE_MS = 10_000

export interface MysqlDriver {
  readonly createConnection: (config: ConnectionOptions) => Connection
}

/** @throws SinkRefusedError when the package is missing, with the command that installs it */
export const loadMysqlDriver = async (load?: LoadPackage): Promise<MysqlDriver> => {
  const loaded = await loadDriver<MysqlDriver & { readonly default?: MysqlDriver }>(
    { name: 'mysql2', sink: 'mysql' },
    load,
  )
  return loaded.default ?? loaded
}

export const mysqlTarget: TargetKind = {
  schemes: ['mysql', 'mariadb'],
  port: 3306,
  sslParameter: 'ssl-mode',
  isDatabaseRequired: true,
}

/**
 * Of a server that is named by its address the driver checks whether its certificate is one of `localhost`.
 * @throws SinkOptionsError for an address where names are to be checked
 */
export function checkVerifiable({ ssl, host }: Target): void {
  if (ssl !== 'verify-full' || !/^[\d.]+$|:/.test(host)) return
  throw new SinkOptionsError(
    `sink.host is the address ${host}, and with "ssl": "verify-full" it has to be the name that stands in the server’s certificate`,
  )
}

export interface SessionOptions {
  readonly driver: MysqlDriver
  readonly target: Target
  /** Authorities that the server's certificate may come from; undefined: the system's. */
  readonly ca: string | undefined
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly lockTimeoutMs: number
  readonly context: SinkContext
}

export interface Changed {
  /** Rows that the condition found, whether or not they were as they should be already. */
  readonly affectedRows: number
}

export class MysqlSession implements PooledSession {
  readonly #options: SessionOptions
  readonly #answerMs: number
  #connection: Connection | undefined
  #isConnected = false
  dropped: string | undefined
  isBroken = false
  isCommitting = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.#answerMs = options.statementTimeoutMs + ANSWER_SLACK_MS
  }

  async connect(): Promise<void> {
    if (this.#isConnected) return
    const { driver, connectTimeoutMs, statementTimeoutMs, lockTimeoutMs } = this.#options
    const connection = driver.createConnection(this.#config())
    this.#connection = connection
    connection.on('error', () => (this.isBroken = true))
    connection.on('end', () => (this.isBroken = true))
    await this.#limited(
      () =>
        new Promise<void>((resolve, reject) => {
          connection.connect((error) => (error ? reject(error) : resolve()))
        }),
      connectTimeoutMs,
    )
    for (const sql of sessionSql(statementTimeoutMs, lockTimeoutMs)) await this.run(sql)
    this.#isConnected = true
  }

  #config(): ConnectionOptions {
    const { target, ca, connectTimeoutMs, context } = this.#options
    const { host, port, database, user, password, ssl } = target
    return {
      ...(host.startsWith('/') ? { socketPath: host } : { host, port }),
      database,
      user,
      password: password ?? '',
      ...(ssl !== 'disable' && {
        ssl: {
          rejectUnauthorized: ssl === 'verify-full',
          verifyIdentity: ssl === 'verify-full',
          ...(ca !== undefined && { ca }),
        },
      }),
      charset: 'utf8mb4',
      connectTimeout: connectTimeoutMs,
      enableKeepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      // No server is to ask for a file of this machine.
      flags: ['-LOCAL_FILES'],
      connectAttributes: { program_name: `sluice ${context.application} ${context.consumer}` },
    } as ConnectionOptions
  }

  /** Values stand for the question marks, escaped. Without values, none is looked for. */
  run(sql: string, values?: readonly unknown[]): Promise<Changed> {
    return this.#query<Changed>(sql, values)
  }

  rows<Row>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]> {
    return this.#query<readonly Row[]>(sql, values)
  }

  async #query<Result>(sql: string, values: readonly unknown[] | undefined): Promise<Result> {
    return this.#limited(
      () =>
        new Promise<Result>((resolve, reject) => {
          const done = (error: Error | null, result: unknown) => (error ? reject(error) : resolve(result as Result))
          if (values === undefined) this.#connection!.query(sql, done)
          else this.#connection!.query(sql, [...values] as string[], done)
        }),
      this.#answerMs,
    )
  }

  async rollback(): Promise<void> {
    await this.run('ROLLBACK')
  }

  drop(why?: string): void {
    this.isBroken = true
    this.dropped ??= why
    // The driver's own `destroy` says goodbye first, and tells those who wait nothing.
    ;(this.#connection as { readonly stream?: { destroy(): void } } | undefined)?.stream?.destroy()
  }

  async end(): Promise<void> {
    const timer = this.#options.context.clock.setTimer(CLOSE_MS, () => this.drop(), { background: true })
    await new Promise<void>((resolve) => {
      if (!this.#connection || this.isBroken) return resolve()
      this.#connection.once('end', resolve)
      this.#connection.once('error', resolve)
      this.#connection.end(() => resolve())
    })
    timer.cancel()
  }

  async #limited<T>(work: () => Promise<T>, limitMs: number): Promise<T> {
    const drop = () => this.drop(`the server has not answered within ${limitMs} ms; is it, or the network, down?`)
    const timer = this.#options.context.clock.setTimer(limitMs, drop)
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
