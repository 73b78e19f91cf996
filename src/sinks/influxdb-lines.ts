/**
 * Records as points in InfluxDB's line protocol (docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol). Pure; knows no connection.
 *
 *     flights,origin=SFO,partition=0 delay=12i,note="on time" 1700000000000000042
 *     ─────── ───────────────────── ──────────────────────── ───────────────────
 *     measurement     tags                  fields            nanoseconds since 1970
 *
 * A point is what it is by measurement, tags and time: what is written again with the same ones replaces its fields. In append mode each record is to be a
 * point of its own. So the tags have the partition, and the six digits of the time below the millisecond are those of the offset: the same for whoever
 * stores the record, and others for the 999,999 records around it. In upsert mode tags and time are the record's alone.
 *
 * | field | takes |
 * |---|---|
 * | without a type | what comes: numbers as float, true and false, strings; nested JSON as JSON text |
 * | float | numbers |
 * | integer | whole numbers of 64 bits, also as a string of digits, which keeps what JSON's numbers cannot |
 * | boolean | true and false |
 * | string | strings; nested JSON as JSON text |
 *
 * A field that is null is left out, and so is a tag that is null or empty: InfluxDB has neither. A point without any field is an error.
 */
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { recordColumns, type RecordColumn } from './file-encoding.ts'
import { instantOf } from './instant.ts'
import { type SinkBatch, SinkRecordError, type ValueType } from './sink.ts'
import { described, fieldOf, isInherited, recordField, textOf } from './table-columns.ts'

export const fieldTypes = ['float', 'integer', 'boolean', 'string'] as const
export type FieldType = (typeof fieldTypes)[number]

/** A tag or a field as the configuration has it. */
export type PointOption =
  | string
  | {
      readonly name: string
      readonly type?: FieldType | undefined
      readonly field?: string | undefined
      readonly optional?: boolean | undefined
    }

/** A tag or a field of a point. */
export interface PointColumn {
  readonly name: string
  /** The JSON field, or the record's own part. */
  readonly field: string
  readonly record: RecordColumn | undefined
  readonly optional: boolean
  readonly isInherited: boolean
  readonly type: FieldType | undefined
}

export interface LinesOptions {
  /** undefined: the topic's name. */
  readonly measurement: string | undefined
  readonly mode: 'append' | 'upsert'
  readonly tags: readonly PointColumn[]
  /** undefined: every field of the JSON value that is no tag and not the time; of another value, itself as `value`. */
  readonly fields: readonly PointColumn[] | undefined
  /** Field of the JSON value with the time; undefined: the record's timestamp. */
  readonly timeField: string | undefined
  readonly valueType: ValueType
}

/** A record on its way. */
export interface Point {
  readonly record: ConsumerRecord
  /** With its line break. */
  readonly line: string
}

export function pointColumn(option: PointOption): PointColumn {
  const { name, type, field, optional } =
    typeof option === 'string' ? { name: option, type: undefined, field: undefined, optional: undefined } : option
  const source = field ?? name
  const record = recordColumns.find((own) => own === source)
  return {
    name: record !== undefined && name === source ? name.slice(1) : name,
    field: source,
    record,
    optional: optional ?? false,
    isInherited: isInherited(source),
    type,
  }
}

/** Why InfluxDB has no tag, field or measurement of this name; undefined if it has. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'it is empty'
  if (/[\n\r]/.test(name)) return 'it has a line break'
  if (name.endsWith('\\')) return 'it ends with a backslash'
  if (!name.isWellFormed()) return 'it has half of a surrogate pair'
  return undefined
}

const MOST_NANOSECONDS = 2n ** 63n - 1n
const LEAST_NANOSECONDS = -(2n ** 63n) + 2n
const NANOSECONDS = 1_000_000
/** An integer of InfluxDB's. */
const isInt64 = (value: bigint): boolean => BigInt.asIntN(64, value) === value

export class LineEncoder {
  readonly #options: LinesOptions
  readonly #tags: readonly PointColumn[]
  /** Fields of the JSON value that are no fields of the point. */
  readonly #taken: ReadonlySet<string>
  readonly #measurements = new Map<string, string>()

  constructor(options: LinesOptions) {
    this.#options = options
    const { tags, mode, timeField } = options
    const hasPartition = tags.some(({ record }) => record === '$partition')
    const all = mode === 'append' && !hasPartition ? [...tags, pointColumn('$partition')] : tags
    // In the order of their names, as InfluxDB keeps them.
    this.#tags = all.toSorted((left, right) => (left.name < right.name ? -1 : 1))
    this.#taken = new Set([...tags.map(({ field }) => field), ...(timeField === undefined ? [] : [timeField])])
  }

  /** @throws SinkRecordError when a value lacks a field or has one that no point can hold */
  encode({ records, values }: SinkBatch): Point[] {
    return records.map((record, index) => ({ record, line: this.#line(record, values[index]) }))
  }

  #line(record: ConsumerRecord, value: unknown): string {
    const { measurement, fields } = this.#options
    let line = this.#measurement(measurement ?? record.topic)
    for (const tag of this.#tags) line += this.#tag(tag, record, value)
    const written = fields ? this.#fields(fields, record, value) : this.#allFields(record, value)
    if (written === '') {
      throw new SinkRecordError(record, 'every field is null, and a point needs one')
    }
    return `${line} ${written} ${this.#time(record, value)}\n`
  }

  #measurement(name: string): string {
    let escaped = this.#measurements.get(name)
    if (escaped === undefined) {
      escaped = name.replaceAll(/[, ]/g, '\\$&')
      this.#measurements.set(name, escaped)
    }
    return escaped
  }

  #valueOf(column: PointColumn, record: ConsumerRecord, value: unknown): unknown {
    return column.record === undefined
      ? fieldOf(column, record, value)
      : recordField(column.record, record, value, this.#options.valueType)
  }

  #tag(tag: PointColumn, record: ConsumerRecord, value: unknown): string {
    const found = this.#valueOf(tag, record, value)
    if (found === null || found === undefined || found === '') return ''
    const isPlain = typeof found === 'number' || typeof found === 'bigint' || typeof found === 'boolean'
    const text = isPlain ? String(found) : typeof found === 'string' ? found : undefined
    if (text === undefined) {
      throw new SinkRecordError(
        record,
        `"${tag.field}" is ${described(found)}, and a tag takes strings, numbers, true and false`,
      )
    }
    const problem = nameProblem(text)
    if (problem !== undefined)
      throw new SinkRecordError(record, `"${tag.field}" is ${described(found)}, which no tag can hold: ${problem}`)
    return `,${escapedKey(tag.name)}=${escapedKey(text)}`
  }

  #fields(fields: readonly PointColumn[], record: ConsumerRecord, value: unknown): string {
    let written = ''
    for (const field of fields) {
      const found = this.#valueOf(field, record, value)
      if (found === null || found === undefined) continue
      written += `${written === '' ? '' : ','}${escapedKey(field.name)}=${fieldText(field, record, found)}`
    }
    return written
  }

  #allFields(record: ConsumerRecord, value: unknown): string {
    const { valueType } = this.#options
    if (valueType !== 'json') {
      const found = recordField('$value', record, value, valueType)
      return found === null || found === undefined ? '' : `value=${fieldText(wholeValue, record, found)}`
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new SinkRecordError(record, `the value is ${described(value)}, and points need a JSON object, or "fields"`)
    }
    let written = ''
    for (const [name, found] of Object.entries(value)) {
      if (found === null || this.#taken.has(name)) continue
      const problem = name === 'time' ? 'it is the name of its times' : nameProblem(name)
      if (problem !== undefined) {
        throw new SinkRecordError(
          record,
          `InfluxDB has no field ${JSON.stringify(name)}: ${problem}. Give it another name in "fields"`,
        )
      }
      const column = { name, field: name, type: undefined }
      written += `${written === '' ? '' : ','}${escapedKey(name)}=${fieldText(column, record, found)}`
    }
    return written
  }

  #time(record: ConsumerRecord, value: unknown): string {
    const { timeField, mode } = this.#options
    const found = timeField === undefined ? record.timestamp : fieldOf(timeColumn(timeField), record, value)
    const instant = instantOf(found)
    const below = mode === 'append' ? record.offset % NANOSECONDS : Number(instant?.nanoseconds.slice(3) ?? 0)
    const ms = instant?.ms ?? Number.NaN
    if (ms > 0 && ms < 9_000_000_000_000) return `${ms}${String(below).padStart(6, '0')}`
    const nanoseconds = instant && BigInt(ms) * BigInt(NANOSECONDS) + BigInt(below)
    if (nanoseconds !== undefined && nanoseconds >= LEAST_NANOSECONDS && nanoseconds <= MOST_NANOSECONDS)
      return String(nanoseconds)
    const name = timeField === undefined ? 'the timestamp' : `"${timeField}"`
    throw new SinkRecordError(
      record,
      `${name} is ${described(found)}, and a time is milliseconds since 1970 or ISO 8601, from 1677-09-21 to 2262-04-11`,
    )
  }
}

const wholeValue = { name: 'value', field: '$value', type: undefined }

const timeColumn = (name: string) => ({ name, field: name, optional: false, isInherited: isInherited(name) })

/** Of a tag's key and value, and of a field's key. */
function escapedKey(text: string): string {
  return /[,= ]/.test(text) ? text.replaceAll(/[,= ]/g, '\\$&') : text
}

function fieldText(
  { name, field, type }: Pick<PointColumn, 'name' | 'field' | 'type'>,
  record: ConsumerRecord,
  value: unknown,
): string {
  const text = type === undefined ? untyped(value) : typed[type](value)
  if (text !== undefined) return text
  const takes = type === undefined ? 'numbers, true, false, strings and nested JSON' : type
  const hint =
    typeof value === 'bigint' && type === undefined ? ': give it the type integer, as a float has 53 bits' : ''
  throw new SinkRecordError(record, `"${field}" is ${described(value)}, and the field ${name} takes ${takes}${hint}`)
}

function untyped(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  return Buffer.isBuffer(value) ? quoted(value.toString('base64')) : quoted(textOf(value))
}

const typed: Readonly<Record<FieldType, (value: unknown) => string | undefined>> = {
  float: (value) => (typeof value === 'number' ? String(value) : undefined),
  integer: integerText,
  boolean: (value) => (typeof value === 'boolean' ? String(value) : undefined),
  string: (value) => quoted(Buffer.isBuffer(value) ? value.toString('base64') : textOf(value)),
}

function integerText(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? `${value}i` : undefined
  if (typeof value === 'bigint') return isInt64(value) ? `${value}i` : undefined
  return typeof value === 'string' && /^-?\d{1,19}$/.test(value) && isInt64(BigInt(value))
    ? `${BigInt(value)}i`
    : undefined
}

/** undefined for what UTF-8 cannot hold. */
function quoted(text: string | undefined): string | undefined {
  if (text === undefined || !text.isWellFormed()) return undefined
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
