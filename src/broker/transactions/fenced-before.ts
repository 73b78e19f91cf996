/** PRODUCER_FENCED is an error that older clients do not know: they get INVALID_PRODUCER_EPOCH in its place. */
import { type ErrorName } from '../../protocol/error-codes.ts'

/** `since`: the version of the API from which on its clients know PRODUCER_FENCED. */
export function fencedBefore(since: number, version: number, error: ErrorName): ErrorName {
  return error === 'PRODUCER_FENCED' && version < since ? 'INVALID_PRODUCER_EPOCH' : error
}
