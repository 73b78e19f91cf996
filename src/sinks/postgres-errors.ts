/**
 * PostgreSQL's and the network's errors, in the words and classes of the sink contract (SQLSTATE: postgresql.org/docs/15/errcodes-appendix.html).
 * No message holds the password, whatever the driver says.
 */
import { SluiceError } from '../error.ts'
import { type Attempt, isTlsError, masked, networkErrors, safeCause } from './server-errors.ts'
import { SinkRefusedError, SinkUnavailableError } from './sink.ts'

const CAUSE_FIELDS = ['code', 'detail', 'where']

/** What the driver throws: the server's answer (with `severity`), or the network's error. */
export interface PostgresError extends Error {
  readonly code?: string
  readonly severity?: string
  readonly detail?: string
  readonly where?: string
}

/** Can pass by itself. Whole SQLSTATEs before classes. */
const passing: Readonly<Record<string, string>> = {
  '53100': 'the disk of the server is full: free some space',
  '53200': 'the server is out of memory',
  '53300': 'the server has no connection left: raise max_connections, or lower "pool.size" or "consumer.no"',
  '53': 'the server lacks resources',
  '57P01': 'the server shuts down, or somebody ended the connection',
  '57P02': 'the server crashed and starts again',
  '57P03': 'the server is starting up, in recovery or shutting down',
  '57014':
    'the statement took longer than "statement.timeout.ms", or somebody cancelled it: is the server slow or overloaded?',
  '57': 'somebody intervened at the server',
  '55P03':
    'another session holds a lock: `SELECT pid, query FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids(…))` finds it',
  '40P01': 'another session and this one waited for each other',
  '40': 'the transaction collided with another one',
  '25006': 'the server is a standby or read-only: does "host" name the primary?',
  '25P03': 'the transaction stood still for longer than "statement.timeout.ms"',
  '58': 'the server cannot read or write its files: look at its log',
  '08': 'the connection broke',
  '08P01': 'the connection broke',
  ...networkErrors,
}

/** Stays until somebody changes something. */
const lasting: Readonly<Record<string, string>> = {
  '28P01': 'are "user" and "password" right?',
  '28': 'may this user connect from here (pg_hba.conf)?',
  '3D000': 'create the database, or correct "database"',
  '3F000': 'create the schema, or correct the name of the table',
  '42501': 'GRANT this user what is missing',
}

/** The record's own fault: a value that the column, a constraint or a trigger refuses. */
export function isDataError(error: unknown): error is PostgresError {
  const { code, severity } = error as PostgresError
  return severity !== undefined && /^(?:22...|23...|44000|54000|P0001)$/.test(code ?? '')
}

/** The table is not what it was when the lines were encoded. */
export function isShapeError(error: unknown): error is PostgresError {
  const { code, severity } = error as PostgresError
  return severity !== undefined && /^42(?:P01|703|804|P10|809|P07)$/.test(code ?? '')
}

/**
 * The server's own word that the statement failed and the connection goes on; without it, a COMMIT may have succeeded. Told by the code:
 * `severity` says FATAL for the ones left out here, but in the language of the server.
 */
export function isServerRefusal(error: unknown): boolean {
  const { code, severity } = error as PostgresError
  return severity !== undefined && !/^(?:08|28|3D|57P|25P03|53300|XX)/.test(code ?? 'XX')
}

/** An error of the contract, and one that is neither the server's nor the network's, stays as it is. */
export function postgresError(error: unknown, { doing, where, password }: Attempt): Error {
  if (error instanceof SluiceError) return error
  const { code = '', message } = error as PostgresError
  const said = masked(message, password)
  const isState = /^[0-9A-Z]{5}$/.test(code)
  const described = `cannot ${doing} at ${where}: ${said}${code && !said.includes(code) ? ` (${code})` : ''}`
  const transient = passing[code] ?? (isState ? passing[code.slice(0, 2)] : undefined)
  if (transient !== undefined) {
    return new SinkUnavailableError(`${described}; ${transient}`, safeCause(error, password, CAUSE_FIELDS))
  }
  // The driver's words for a connection that is gone have no code.
  if (
    /^Connection terminated|^timeout expired|Client (?:has encountered|was closed)|connection is closed|not queryable/i.test(
      message,
    )
  ) {
    return new SinkUnavailableError(
      `${described}; is the server, or the network, down?`,
      safeCause(error, password, CAUSE_FIELDS),
    )
  }
  const stays = lasting[code] ?? (isState ? lasting[code.slice(0, 2)] : undefined)
  if (isState || stays !== undefined || message.startsWith('SASL') || isTlsError(code, message)) {
    return new SinkRefusedError(
      `${described}${stays === undefined ? '' : `; ${stays}`}`,
      safeCause(error, password, CAUSE_FIELDS),
    )
  }
  return error as Error
}
