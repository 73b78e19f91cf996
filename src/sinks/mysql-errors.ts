/**
 * Errors of MySQL, MariaDB and the network, in the words and classes of the sink contract. The numbers: dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
 * and mariadb.com/kb/en/mariadb-error-codes. No message holds the password, whatever the driver says.
 */
import { SluiceError } from '../error.ts'
import { type Attempt, isTlsError, masked, networkErrors, safeCause } from './server-errors.ts'
import { SinkRefusedError, SinkUnavailableError } from './sink.ts'

/** What the driver throws: the server's answer (with `errno` and `sqlState`), or the network's error. */
export interface MysqlError extends Error {
  /** `ER_DUP_ENTRY`, or the network's. */
  readonly code?: string
  readonly errno?: number
  readonly sqlState?: string
}

const CAUSE_FIELDS = ['code', 'errno', 'sqlState']

const FULL = 'the disk of the server, or the tablespace, is full: free some space'
const READ_ONLY = 'the server is a replica or read-only: does "host" name the primary?'
const SHUTS_DOWN = 'the server shuts down, or somebody ended the connection'
const BROKE = 'the connection broke'
const TOO_MANY = 'the server has no connection left: raise max_connections, or lower "pool.size" or "consumer.no"'

/** Can pass by itself. */
const passing: Readonly<Record<number, string>> = {
  1015: 'another session holds a lock',
  1020: 'the row was changed by another session',
  1021: FULL,
  1030: 'the storage engine failed: is the disk full? Look at the log of the server',
  1037: 'the server is out of memory',
  1038: 'the server is out of memory for sorting',
  1040: TOO_MANY,
  1041: 'the server is out of memory',
  1047: 'the server does not take commands at the moment; in a cluster, the node may not be in sync',
  1053: SHUTS_DOWN,
  1077: SHUTS_DOWN,
  1079: SHUTS_DOWN,
  1114: FULL,
  1129: 'the server blocks this host after too many broken connections: run FLUSH HOSTS there, or wait for its restart',
  1152: BROKE,
  1158: BROKE,
  1159: BROKE,
  1160: BROKE,
  1161: BROKE,
  1180: 'the server failed at the commit: is its disk full? Look at its log',
  1203: 'this user has no connection left: raise max_user_connections, or lower "pool.size" or "consumer.no"',
  1205: 'another session holds a lock for longer than "lock.timeout.ms": `SHOW ENGINE INNODB STATUS` says which',
  1206: 'the table of locks is full: raise innodb_buffer_pool_size, or lower "flush.records"',
  1213: 'another session and this one waited for each other',
  1226: 'this user is at one of its limits (MAX_QUERIES_PER_HOUR …)',
  1290: READ_ONLY,
  1317: 'somebody cancelled the statement',
  1412: 'the table was changed by somebody else at this moment',
  1615: 'the table was changed by somebody else at this moment',
  1792: READ_ONLY,
  1836: READ_ONLY,
  1927: SHUTS_DOWN,
  1969: 'the statement took longer than the server allows (max_statement_time): is it slow or overloaded?',
  3024: 'the statement took longer than the server allows (max_execution_time): is it slow or overloaded?',
  3169: SHUTS_DOWN,
  4031: 'the server ended a connection that stood idle',
}

/** Stays until somebody changes something. */
const lasting: Readonly<Record<number, string>> = {
  1044: 'GRANT this user the rights on the database',
  1045: 'are "user" and "password" right?',
  1049: 'create the database, or correct "database"',
  1130: 'may this user connect from here?',
  1142: 'GRANT this user what is missing',
  1143: 'GRANT this user what is missing',
  1153: 'raise max_allowed_packet on the server',
  1227: 'GRANT this user what is missing',
  1251: 'does the server know how this user’s password is to be checked?',
  1665: 'set binlog_format to ROW or MIXED on the server',
  1698: 'are "user" and "password" right? This user may only come by the socket of the machine itself',
  3118: 'the account of this user is locked',
}

/** The record's own fault, beside those of the classes 22, 23 and 45: a value that the column, a constraint or a trigger refuses. */
const ofTheRecord = new Set([1118, 1265, 1300, 1366, 1367, 1411, 1416, 3819, 4025])

/** The table is not what it was when the rows were encoded. */
const ofTheShape = new Set([1054, 1136, 1146, 1364, 1906, 3105])

const isOfTheServer = ({ errno, sqlState }: MysqlError): boolean => errno !== undefined && sqlState !== undefined

export function isDataError(error: unknown): error is MysqlError {
  const { errno = 0, sqlState = '' } = error as MysqlError
  return isOfTheServer(error as MysqlError) && (/^(?:22|23|45)/.test(sqlState) || ofTheRecord.has(errno))
}

export function isShapeError(error: unknown): error is MysqlError {
  return isOfTheServer(error as MysqlError) && ofTheShape.has((error as MysqlError).errno!)
}

export const isDuplicate = (error: unknown): boolean => (error as MysqlError).errno === 1062

/** With these the server takes its leave. */
const farewells = new Set([1040, 1043, 1044, 1045, 1049, 1053, 1077, 1079, 1129, 1130, 1152, 1153, 1158, 1159, 1160])
for (const errno of [1161, 1203, 1251, 1698, 1927, 3118, 3169, 4031]) farewells.add(errno)

/** The server's own word that the statement failed and the connection goes on; without it, a COMMIT may have succeeded. */
export function isServerRefusal(error: unknown): boolean {
  return isOfTheServer(error as MysqlError) && !farewells.has((error as MysqlError).errno!)
}

/** A refusal of COMMIT itself after which the transaction is rolled back for certain: of the others, nobody knows. */
export function isRolledBack(error: unknown): boolean {
  const { errno = 0 } = error as MysqlError
  return isOfTheServer(error as MysqlError) && (errno === 1213 || isDataError(error))
}

/** From 1900 on, MySQL and MariaDB mean different things by the same number, and the driver knows MySQL's names only. */
export function shownErrno({ errno = 0, code = '' }: MysqlError): string {
  return errno < 1900 ? `${errno} ${code}`.trim() : String(errno)
}

/** An error of the contract, and one that is neither the server's nor the network's, stays as it is. */
export function mysqlError(error: unknown, { doing, where, password }: Attempt): Error {
  if (error instanceof SluiceError) return error
  const { code = '', message, errno = 0 } = error as MysqlError
  const said = masked(message, password)
  const shownCode = isOfTheServer(error as MysqlError) ? shownErrno(error as MysqlError) : code
  const described = `cannot ${doing} at ${where}: ${said}${shownCode && !said.includes(shownCode) ? ` (${shownCode})` : ''}`
  const cause = safeCause(error, password, CAUSE_FIELDS)
  if (!isOfTheServer(error as MysqlError)) return networkError(error as MysqlError, described, cause)
  const transient = passing[errno]
  if (transient !== undefined) return new SinkUnavailableError(`${described}; ${transient}`, cause)
  const stays = lasting[errno]
  return new SinkRefusedError(`${described}${stays === undefined ? '' : `; ${stays}`}`, cause)
}

function networkError(error: MysqlError, described: string, cause: unknown): Error {
  const { code = '', message } = error
  const transient = networkErrors[code]
  if (transient !== undefined) return new SinkUnavailableError(`${described}; ${transient}`, cause)
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') {
    return new SinkRefusedError(`${described}; set up TLS on the server, or "ssl": "disable"`, cause)
  }
  if (isTlsError(code, message) || code.startsWith('AUTH_SWITCH_PLUGIN')) return new SinkRefusedError(described, cause)
  // The driver's words for a connection that is gone, or that does not speak the protocol any more.
  if (/^(?:PROTOCOL_|HANDSHAKE_)/.test(code) || /closed state|closed connection|Connection lost/i.test(message)) {
    return new SinkUnavailableError(`${described}; is the server, or the network, down?`, cause)
  }
  return error
}
