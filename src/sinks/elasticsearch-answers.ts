/** What a cluster's answers mean, for a bulk request and for each operation in it. Pure. Elasticsearch 7 to 9 and OpenSearch 2 answer alike. */
import type { HttpAnswer } from '../seams/http.ts'
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { SinkRecordError, SinkRefusedError, SinkUnavailableError } from './sink.ts'

interface ItemError {
  readonly type?: string
  readonly reason?: string
  readonly caused_by?: { readonly reason?: string }
}

interface ItemResult {
  readonly status: number
  readonly error?: ItemError
}

interface BulkBody {
  readonly errors?: boolean
  readonly items?: readonly Readonly<Record<string, ItemResult>>[]
}

/** What is to be done about one operation. */
export type Verdict =
  | { readonly kind: 'stored' }
  | { readonly kind: 'again'; readonly why: string }
  | { readonly kind: 'poison'; readonly why: string }
  | { readonly kind: 'refused'; readonly why: string }

const stored: Verdict = { kind: 'stored' }

export function verdictOf(operation: string, { status, error }: ItemResult): Verdict {
  if (status >= 200 && status < 300) return stored
  // There it is, by an earlier request of which the answer was lost, or by another owner; with a key, perhaps a later one.
  if (status === 409 && error?.type === 'version_conflict_engine_exception') return stored
  if (status === 404 && operation === 'delete' && !error) return stored
  const reasons = [error?.reason, error?.caused_by?.reason].filter((one) => one !== undefined)
  const why = `${reasons.join(': ') || 'no reason is given'} (${error?.type ?? 'error'}, ${status})`
  // A disk that is too full, or somebody who made the index read-only: it can be lifted.
  if (status === 429 || status >= 500 || error?.type === 'cluster_block_exception') return { kind: 'again', why }
  if (status === 401 || status === 403)
    return { kind: 'refused', why: `${why}: give this user the right to write there` }
  if (error?.type === 'index_not_found_exception') return { kind: 'refused', why: `${why}: create the index` }
  if (error?.type === 'invalid_index_name_exception') return { kind: 'refused', why: `${why}: correct "index"` }
  return { kind: 'poison', why }
}

/** One verdict an operation, or what the whole request came to. `split`: it must be sent in smaller pieces. */
export type BulkOutcome =
  | { readonly kind: 'items'; readonly verdicts: readonly Verdict[] }
  | { readonly kind: 'split'; readonly why: string }

/** @throws SinkUnavailableError or SinkRefusedError when the whole request failed for a reason that no piece of it has */
export function bulkOutcome(answer: HttpAnswer, count: number, place: string): BulkOutcome {
  const { status, body } = answer
  // Too large as a whole, or one operation that spoils it: an id that is too long, a broken line.
  if (status === 413 || status === 400) return { kind: 'split', why: whyOf(answer) }
  if (status !== 200) throw requestError(answer, place)
  const parsed = parse(body) as BulkBody | undefined
  if (parsed?.errors === false) return { kind: 'items', verdicts: Array.from({ length: count }, () => stored) }
  if (parsed?.items?.length !== count) {
    throw new SinkUnavailableError(
      `${place} answered a bulk request of ${count} operations with ${parsed?.items?.length ?? 'no'} results`,
    )
  }
  const verdicts = parsed.items.map((item) => {
    const [operation, result] = Object.entries(item)[0]!
    return verdictOf(operation, result)
  })
  return { kind: 'items', verdicts }
}

export function requestError(answer: HttpAnswer, place: string): SinkUnavailableError | SinkRefusedError {
  const { status } = answer
  const why = whyOf(answer)
  if (status === 429 || status >= 500) return new SinkUnavailableError(`${place} cannot take more now: ${why}`)
  const help: Readonly<Record<number, string>> = {
    401: 'are "user" and "password", or "api.key", right?',
    403: 'this user may not do that: give it the right to write into the index',
    404: 'is "url" the address of an Elasticsearch or OpenSearch?',
    405: 'is "url" the address of an Elasticsearch or OpenSearch?',
    406: 'is "url" the address of an Elasticsearch or OpenSearch?',
  }
  return new SinkRefusedError(`${place} refuses: ${help[status] ?? 'it does not say what would help'} ${why}`)
}

export function poisonError(record: ConsumerRecord, why: string): SinkRecordError {
  return new SinkRecordError(record, `the index does not take it: ${why}`)
}

function whyOf({ status, body }: HttpAnswer): string {
  const found = parse(body) as { error?: ItemError | string } | undefined
  const { error } = found ?? {}
  const said = typeof error === 'string' ? error : error && `${error.reason ?? ''} (${error.type ?? 'error'})`
  return said === undefined ? `HTTP ${status}` : `HTTP ${status}: ${said}`
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
