/** Points in time as JSON has them: milliseconds since 1970, or a text of ISO 8601. Pure. */

export interface Instant {
  /** Since 1970, UTC; whole milliseconds. */
  readonly ms: number
  /** Nine digits: where in its second it is. The first three are those of `ms`. */
  readonly nanoseconds: string
}

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?(Z|[+-]\d\d(?::?\d\d)?))?)?$/i
/** What ISO 8601 writes with four digits. */
const FIRST_MS = -62_167_219_200_000
const LAST_MS = 253_402_300_799_999

/** A text without a zone is UTC. undefined for what is no point in time: also 30 February. */
export function instantOf(value: unknown): Instant | undefined {
  if (typeof value === 'number') {
    const ms = Math.floor(value)
    if (!(ms >= FIRST_MS && ms <= LAST_MS)) return undefined
    return { ms, nanoseconds: `${String(ms - Math.floor(ms / 1000) * 1000).padStart(3, '0')}000000` }
  }
  const match = typeof value === 'string' ? ISO.exec(value) : null
  if (!match) return undefined
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match
  const seconds = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`)
  // 30 February is read as 1 March, and 24:00 as the next day.
  const isReal =
    !Number.isNaN(seconds) &&
    new Date(seconds).toISOString().startsWith(`${year}-${month}-${day}T${hour}:${minute}:${second}`)
  if (!isReal) return undefined
  const nanoseconds = fraction.padEnd(9, '0')
  return { ms: seconds - offsetMs(zone) + Number(nanoseconds.slice(0, 3)), nanoseconds }
}

function offsetMs(zone: string): number {
  if (/^z$/i.test(zone)) return 0
  const digits = zone.slice(1).replace(':', '')
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || 0)
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000
}
