/**
 * Errors of MongoDB, its driver and the network, in the words and classes of the sink contract. The numbers: github.com/mongodb/mongo, src/mongo/base/error_codes.yml.
 * No message holds the password, whatever the driver says.
 */
import { SluiceError } from '../error.ts'
import { type Attempt, isTlsError, masked, networkErrors, safeCause } from './server-errors.ts'
import { SinkRefusedError, SinkUnavailableError } from './sink.ts'

/** What the driver throws. */
export interface MongoError extends Error {
  /** The server's number, or the network's name. */
  readonly code?: number | string
  readonly codeName?: string
  readonly errorLabels?: readonly string[]
  /** Of a bulk: the operations that were refused. */
  readonly writeErrors?: readonly { readonly index: number; readonly code: number; readonly errmsg?: string }[]
}

const CAUSE_FIELDS = ['code', 'codeName']

const NOT_PRIMARY = 'there is no primary at the moment, or this is not it'
const SHUTS_DOWN = 'the server shuts down, or somebody ended what it was doing'

/** Can pass by itself. */
const passing: Readonly<Record<number, string>> = {
  6: 'the network does not reach the server',
  7: 'the network does not reach the server',
  24: 'another transaction holds a lock',
  50: 'the server took longer than it may',
  64: 'not enough members have confirmed the write: are most of them up?',
  89: 'the network does not reach the server',
  91: SHUTS_DOWN,
  112: 'another transaction has written the same document',
  133: 'the cluster does not find a server that it may ask',
  189: NOT_PRIMARY,
  202: 'a limit of the server was exceeded',
  246: 'the server cannot give that snapshot any more',
  251: 'the server has given the transaction up (transactionLifetimeLimitSeconds): is it slow or overloaded?',
  262: 'the server took longer than it may',
  290: 'the server has given the transaction up (transactionLifetimeLimitSeconds): is it slow or overloaded?',
  358: SHUTS_DOWN,
  10107: NOT_PRIMARY,
  11600: SHUTS_DOWN,
  11601: SHUTS_DOWN,
  11602: SHUTS_DOWN,
  13435: NOT_PRIMARY,
  13436: NOT_PRIMARY,
  14031: 'the disk of the server is full: free some space',
}

/** Stays until somebody changes something. */
const lasting: Readonly<Record<number, string>> = {
  8: 'are "user" and "password" right?',
  13: 'give this user the role readWrite on the database',
  18: 'are "user" and "password" right?',
  20: 'transactions need a replica set: start the server with --replSet and run rs.initiate() once, one member is enough',
  263: 'transactions need plain collections: no capped one, no view, no time series',
}

/**
 * What a document can be refused for: a key that is taken, a validator, a name or a value that no document, index or shard can have. Anything else is no fault of
 * the record's, which would else be skipped where the application says so.
 */
const ofTheRecord = new Set([
  2, 9, 14, 15, 52, 53, 54, 55, 56, 57, 61, 66, 121, 10_334, 11_000, 11_001, 12_582, 16_755, 16_756, 17_280, 17_419,
  17_420,
])

/** The record's own fault: the operation of this index. */
export function refusedIndex(error: unknown): number | undefined {
  const { writeErrors, errorLabels = [] } = error as MongoError
  const [first] = writeErrors ?? []
  return first && errorLabels.length === 0 && ofTheRecord.has(first.code) ? first.index : undefined
}

/** Whether a commit that failed may have happened all the same: only a transient error says that it has not. */
export function isUncertain(error: unknown): boolean {
  return !(error as MongoError).errorLabels?.includes('TransientTransactionError')
}

export const isDuplicate = (error: unknown): boolean => (error as MongoError).code === 11_000

/** Somebody has made the collection meanwhile. */
export const isThereAlready = (error: unknown): boolean => (error as MongoError).code === 48

/** An error of the contract, and one that is neither the server's nor the network's, stays as it is. */
export function mongodbError(error: unknown, { doing, where, password }: Attempt): Error {
  if (error instanceof SluiceError) return error
  const { code, name, codeName = '', message, errorLabels = [] } = error as MongoError
  const said = masked(message, password)
  const shownCode = typeof code === 'number' ? `${code} ${codeName}`.trim() : (code ?? '')
  const described = `cannot ${doing} at ${where}: ${said}${shownCode && !said.includes(shownCode) ? ` (${shownCode})` : ''}`
  const cause = safeCause(error, password, CAUSE_FIELDS)
  const transient = typeof code === 'number' ? passing[code] : networkErrors[code ?? '']
  if (transient !== undefined) return new SinkUnavailableError(`${described}; ${transient}`, cause)
  const stays = typeof code === 'number' ? lasting[code] : undefined
  if (stays !== undefined || name === 'MongoMissingCredentialsError')
    return new SinkRefusedError(`${described}${stays === undefined ? '' : `; ${stays}`}`, cause)
  if (isTlsError(String(code ?? ''), message)) return new SinkRefusedError(described, cause)
  const isOfNetwork = /^Mongo(?:Network|ServerSelection|Pool|ServerClosed|TopologyClosed|NotConnected)/.test(name)
  if (isOfNetwork || errorLabels.length > 0)
    return new SinkUnavailableError(`${described}; is the server, or the network, down?`, cause)
  return typeof code === 'number' ? new SinkRefusedError(described, cause) : (error as Error)
}
