/** What InfluxDB answers to a write, and what it means. Pure. Of versions 1, 2 and 3, whose bodies differ and whose statuses mostly agree. */
import type { HttpAnswer } from '../seams/http.ts'
import { SinkRefusedError, SinkUnavailableError } from './sink.ts'

/** `split`: a part of the lines, or all, were not taken; which ones is found out by asking for fewer. */
export type WriteOutcome = { readonly kind: 'stored' } | { readonly kind: 'split'; readonly why: string }

/** @throws SinkUnavailableError for what can pass by itself, SinkRefusedError for what somebody has to change */
export function writeOutcome(answer: HttpAnswer, place: string): WriteOutcome {
  const { status } = answer
  if (status >= 200 && status < 300) return { kind: 'stored' }
  const why = reasonOf(answer)
  // 400: lines that cannot be parsed, or of which some were not taken ("partial write"). 413: too much at once. 422: beyond the retention.
  if (status === 400 || status === 413 || status === 422) return { kind: 'split', why }
  const said = `${place} answers ${status}: ${why}`
  if (status === 401 || status === 403) {
    throw new SinkRefusedError(`${said}; are "user" and "password", or "token", right, and may they write there?`)
  }
  if (status === 404) throw new SinkRefusedError(`${said}; create it, or correct "database", "bucket" or "org"`)
  if (status === 429 || status >= 500) throw new SinkUnavailableError(said)
  throw new SinkRefusedError(said)
}

/** `{"error":"…"}` (1 and 3), `{"code":"…","message":"…"}` (2), or whatever a proxy says. */
export function reasonOf({ status, body }: HttpAnswer): string {
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown }
    if (typeof message === 'string') return message
    if (typeof error === 'string') return error
  } catch {
    // No JSON: said as it is.
  }
  const text = body.trim()
  return text === '' ? `status ${status} without a reason` : text.slice(0, 500)
}
