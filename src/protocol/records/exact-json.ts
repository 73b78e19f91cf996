/**
 * JSON without rounding: a whole number of 64 bits that a JavaScript number cannot hold exactly is a bigint, in both directions. Everything else is as
 * `JSON.parse` and `JSON.stringify` have it; so are numbers beyond 64 bits and fractions, which are doubles to nearly everybody.
 */

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const SHOWN_CHARACTERS = 60
const wholeNumber = /^-?\d+$/
/** Signed or unsigned. */
const LEAST_LONG = -(2n ** 63n)
const MOST_LONG = 2n ** 64n - 1n

/** A number where that is exact, otherwise a bigint: an int64 is never rounded. */
export function exactInteger(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** What stands in a text for bytes that are no UTF-8; seldom because somebody wrote it. */
const REPLACEMENT = '\ufffd'

/** @throws Error saying what is no JSON */
export function exactJson(data: Buffer): unknown {
  const text = data.toString('utf8')
  if (text.includes(REPLACEMENT)) checkUtf8(data)
  return exactJsonOfText(text)
}

function checkUtf8(data: Buffer): void {
  try {
    strictUtf8.decode(data)
  } catch (error) {
    throw new Error('it is not JSON: its bytes are not UTF-8', { cause: error })
  }
}

function exactJsonOfText(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return holdsLargeNumber(value) ? JSON.parse(text, withLongs as (key: string, value: unknown) => unknown) : value
  } catch (error) {
    const start = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
    throw new Error(`it is not JSON: ${JSON.stringify(start)}`, { cause: error })
  }
}

/** A number of 2^53 or more may have been rounded. Looking for it afterwards costs less than looking at the text before. */
function holdsLargeNumber(value: unknown): boolean {
  if (typeof value === 'number') return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(holdsLargeNumber)
  for (const name in value) if (holdsLargeNumber((value as Readonly<Record<string, unknown>>)[name])) return true
  return false
}

function withLongs(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !source || !wholeNumber.test(source)) return value
  const exact = BigInt(source)
  return exact > MOST_LONG || exact < LEAST_LONG ? value : exact
}

/** JSON of a decoded value: bigints as their digits, bytes in base64. undefined is null. */
export function exactJsonText(value: unknown): string {
  if (value === undefined) return 'null'
  // A replacer costs several times what the rest does.
  return needsReplacer(value) ? JSON.stringify(value, replaced) : JSON.stringify(value)
}

function needsReplacer(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint'
  if (Array.isArray(value)) return value.some(needsReplacer)
  if (value instanceof Uint8Array) return true
  for (const name in value) if (needsReplacer((value as Readonly<Record<string, unknown>>)[name])) return true
  return false
}

/** A value that `JSON.stringify` writes as this text. Node has it since 21; TypeScript does not know it yet. */
const rawJson = (text: string) => (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text)

/** `this` holds the value as it was before `toJSON`, which a Buffer has. */
function replaced(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return rawJson(String(value))
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
