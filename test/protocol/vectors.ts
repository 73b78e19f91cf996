/** The golden vectors in `vectors/`: bytes that other implementations wrote, with the values that they were given. */
import { readdirSync, readFileSync } from 'node:fs'

const folder = new URL('./vectors/', import.meta.url)

export interface MessageVector {
  readonly file: string
  readonly version: number
  readonly direction: 'request' | 'response' | 'stored'
  readonly variant: string
  readonly bytes: Buffer
  /** What the other implementation was given, byte values in hex. */
  readonly value: unknown
}

/** The cases of one file, for example `12-heartbeat.json`. */
export function messageVectors(file: string): MessageVector[] {
  const { cases } = JSON.parse(readFileSync(new URL(file, folder), 'utf8'))
  return cases.map(({ hex, ...rest }: { hex: string }) => ({ file, ...rest, bytes: Buffer.from(hex, 'hex') }))
}

/** The files of API messages, whose names begin with the API's key. */
export function messageFiles(): string[] {
  return readdirSync(folder).filter((name) => /^\d\d-.*\.json$/.test(name))
}

export interface BatchVector {
  readonly name: string
  readonly bytes: Buffer
  /** What the other implementation says of the batch. */
  readonly header: Readonly<Record<string, unknown>>
  readonly records: readonly {
    offset: number
    timestamp: number
    key: string | null
    value: string | null
    headers: [string, string | null][]
  }[]
}

interface BatchCase {
  name: string
  base64: string
  header: Record<string, unknown>
  records: string | BatchVector['records']
  timestamps?: number[]
}

/**
 * Record batches by file, for example `java.json`. Records that an earlier case has too are said by its name, with timestamps of their
 * own where they differ.
 */
export function batchVectors(file: string): BatchVector[] {
  const { cases } = JSON.parse(readFileSync(new URL(`record-batches/${file}`, folder), 'utf8'))
  const byName = new Map<string, BatchVector['records']>()
  return cases.map(({ name, base64, header, records, timestamps }: BatchCase) => {
    const said = typeof records === 'string' ? byName.get(records)! : records
    byName.set(name, said)
    const own = timestamps ? said.map((record, index) => ({ ...record, timestamp: timestamps[index]! })) : said
    return { name, header, records: own, bytes: Buffer.from(base64, 'base64') }
  })
}

export function batchFiles(): string[] {
  return readdirSync(new URL('record-batches/', folder)).filter((name) => name.endsWith('.json'))
}

/** A decoded value with its byte values in hex, so that it can be compared with a vector's. */
export function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, comparable(one)]))
}
