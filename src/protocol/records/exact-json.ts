/**
 * JSON without rounding: a whole number of 64 bits that a JavaScript number cannot hold exactly is a bigint, in both directions. Everything else is as
 * `JSON.parse` and `JSON.stringify` have it; so are numbers beyond 64 bits and fractions, which are doubles to nearly everybody.
 */

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const SHOWN_CHARACTERS = 60
/** As many digits as a number must have to be beyond 2^53 - 1; not those behind a point. Text with such digits only costs time. */
const manyDigits = /(?<![\d.])\d{16}/
const wholeNumber = /^-?\d+$/
const LONG_MAX = 2n ** 63n - 1n

/** A number where that is exact, otherwise a bigint: an int64 is never rounded. */
export function exactInteger(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** @throws Error saying what is no JSON */
export function exactJson(data: Buffer): unknown {
  let text: string
  try {
    text = strictUtf8.decode(data)
  } catch (error) {
    throw new Error('it is not JSON: its bytes are not UTF-8', { cause: error })
  }
  return exactJsonOfText(text)
}

export function exactJsonOfText(text: string): unknown {
  try {
    return manyDigits.test(text)
      ? JSON.parse(text, withLongs as (key: string, value: unknown) => unknown)
      : JSON.parse(text)
  } catch (error) {
    const start = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
    throw new Error(`it is not JSON: ${JSON.stringify(start)}`, { cause: error })
  }
}

function withLongs(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !source || !wholeNumber.test(source)) return value
  const exact = BigInt(source)
  return exact > LONG_MAX || exact < -LONG_MAX - 1n ? value : exact
}

/** JSON of a decoded value: bigints as their digits, bytes in base64. undefined is null. */
export function exactJsonText(value: unknown): string {
  return JSON.stringify(value, replaced) ?? 'null'
}

const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }

/** `this` holds the value as it was before `toJSON`, which a Buffer has. */
function replaced(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return rawJSON(String(value))
  const own = this[key]
  return own instanceof Uint8Array ? Buffer.from(own).toString('base64') : value
}

/** The same value with numbers in place of bigints: for judging it, not for keeping it. */
export function jsonValues(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.some(holdsLong) ? value.map(jsonValues) : value
  if (typeof value !== 'object' || value === null || !holdsLong(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, jsonValues(one)]))
}

function holdsLong(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint'
  return Object.values(value).some(holdsLong)
}
