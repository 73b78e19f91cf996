/**
 * A connection to an SQLite file by `node:sqlite`, and SQLite's errors in the words of the sink contract.
 *
 * `node:sqlite` is synchronous: while a statement runs, nothing else in this thread does. That is why SQLite's own busy timeout is off
 * (it would sleep in here, heartbeats and all) and waiting for another process's lock happens outside, with backoff.
 * It is also why several sinks of one process never meet a half-done transaction of each other's: each begins and
 * commits within one turn of the event loop.
 */
import type { DatabaseSync } from 'node:sqlite'
import { SluiceError } from '../error.ts'
import { loadSqlite } from '../seams/sqlite.ts'
import type { SinkContext } from './sink.ts'
import { SinkRefusedError, SinkUnavailableError } from './sink.ts'

const FIRST_BACKOFF_MS = 5
const LONGEST_BACKOFF_MS = 250

/** Result codes of SQLite (sqlite.org/rescode.html), without what their upper bits refine. */
export const sqliteCode = {
  busy: 5,
  locked: 6,
  ioError: 10,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
} as const

/** undefined when the error is none of SQLite's. */
export function sqliteCodeOf(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: unknown }
  return typeof errcode === 'number' ? errcode & 0xff : undefined
}

export function connect(path: string): DatabaseSync {
  const { DatabaseSync } = loadSqlite()
  const database = new DatabaseSync(path)
  database.exec('PRAGMA busy_timeout = 0')
  return database
}

/** `work` in a transaction that holds the write lock from the beginning. What it throws rolls back. */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    // Some errors (a full disk) have rolled back already.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

export interface BusyWait {
  readonly context: SinkContext
  readonly database: string
  readonly timeoutMs: number
  /** Aborts waiting, besides the context's own. */
  readonly signal?: AbortSignal
}

/**
 * Runs `work` until no other process holds a lock in its way.
 * @throws SinkUnavailableError after `timeoutMs`, or when a signal aborts; any other error of SQLite's in its class
 */
export async function whenNotBusy<T>({ context, database, timeoutMs, signal }: BusyWait, work: () => T): Promise<T> {
  const { clock, random } = context
  const began = clock.monotonic()
  for (let backoffMs = FIRST_BACKOFF_MS; ; backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS)) {
    try {
      return work()
    } catch (error) {
      const code = sqliteCodeOf(error)
      if (code !== sqliteCode.busy && code !== sqliteCode.locked) throw sqliteError(error, database)
      const waitedMs = Math.round(clock.monotonic() - began)
      const aborted = context.signal.aborted || signal?.aborted
      if (aborted || waitedMs >= timeoutMs) {
        const bound = aborted
          ? 'and there is no time left to wait'
          : `for ${waitedMs} ms ("busy.timeout.ms" is ${timeoutMs})`
        throw new SinkUnavailableError(
          `${database} is locked by another process ${bound}; nothing was written. \`fuser ${database}\` names the process`,
          error,
        )
      }
      await clock.sleep(backoffMs * (0.5 + random.next() / 2), signal ?? context.signal)
    }
  }
}

/** An error of the contract, or one that is not SQLite's, stays as it is. */
export function sqliteError(error: unknown, database: string): Error {
  const code = sqliteCodeOf(error)
  if (error instanceof SluiceError || code === undefined) return error as Error
  const { message } = error as Error
  if (code === sqliteCode.full) {
    return new SinkUnavailableError(`cannot write ${database}: the disk is full (${message}); free some space`, error)
  }
  if (code === sqliteCode.ioError)
    return new SinkUnavailableError(`cannot read or write ${database}: ${message}`, error)
  if (code === sqliteCode.cannotOpen) {
    const help = 'does its folder exist, and may this user write there?'
    return new SinkRefusedError(`cannot open ${database}: ${message}; ${help}`, error)
  }
  return new SinkRefusedError(`${database}: ${message}`, error)
}
