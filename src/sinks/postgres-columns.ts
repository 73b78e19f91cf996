/**
 * How a record becomes a line of COPY's text format: which columns, from where, which values they take. Pure; knows no connection.
 *
 * A column's type is the table's own, read from the catalog. PostgreSQL would read `"5"` into an integer and `now` into a timestamp;
 * here a value that is not of the column's type is an error that names the record.
 *
 * | column | takes |
 * |---|---|
 * | text, varchar, char, citext | strings; nested JSON as JSON text |
 * | smallint, integer, bigint | whole numbers within the type; bigint also a string of digits, which keeps what JSON's numbers cannot |
 * | real, double precision | numbers |
 * | numeric | numbers and strings of digits |
 * | boolean | true and false |
 * | json, jsonb | anything, as JSON; `$value` as it came |
 * | timestamptz, timestamp, date | numbers: milliseconds since 1970, UTC. Strings: ISO 8601; UTC where they name no zone |
 * | bytea | bytes; a string is base64 |
 * | arrays | JSON arrays |
 * | others (uuid, inet, enum, interval …) | strings and numbers, as PostgreSQL reads them |
 *
 * A JSON null is NULL, unless the column is NOT NULL. A field that is missing is an error, unless the column is `optional`.
 * PostgreSQL has no NUL in text and no half of a surrogate pair: a string with one is an error too, never another string.
 *
 * A line: values with a tab between, `\N` for NULL, `\\ \n \r \t` escaped, LF at the end. So every LF ends a row.
 */
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { exactJsonText } from '../protocol/records/exact-json.ts'
import { recordColumns, type RecordColumn } from './file-encoding.ts'
import { didYouMean } from './registry.ts'
import { type SinkBatch, SinkRecordError, SinkRefusedError, type ValueType } from './sink.ts'

/** What the `type` of a column may say, as `format_type` spells it. */
export const columnTypes = [
  'text',
  'smallint',
  'integer',
  'bigint',
  'real',
  'double precision',
  'numeric',
  'boolean',
  'jsonb',
  'json',
  'timestamptz',
  'timestamp',
  'date',
  'bytea',
  'uuid',
] as const
export type ColumnType = (typeof columnTypes)[number]

const spelled: Partial<Record<ColumnType, string>> = {
  timestamptz: 'timestamp with time zone',
  timestamp: 'timestamp without time zone',
}

/** A column as the configuration has it. */
export type ColumnOption =
  | string
  | { readonly name: string; readonly type?: ColumnType; readonly field?: string; readonly optional?: boolean }

/** A column that is wanted, before the table was looked at. */
export interface WantedColumn {
  readonly name: string
  /** The JSON field, or the record's own part. */
  readonly field: string
  readonly record: RecordColumn | undefined
  readonly optional: boolean
  /** As the configuration says; undefined: whatever the table has. */
  readonly type: ColumnType | undefined
  /** For a table that must be made. */
  readonly createdAs: ColumnType
}

/** One column of the catalog. */
export interface TableColumn {
  readonly name: string
  /** As `format_type` prints it. */
  readonly declared: string
  /** `typname` of the type, or of the one that a domain is made of. */
  readonly type: string
  /** `typcategory`. */
  readonly category: string
  readonly notNull: boolean
  readonly hasDefault: boolean
  /** GENERATED ALWAYS: nobody may write it. */
  readonly isGenerated: boolean
}

export interface Column extends WantedColumn {
  readonly declared: string
  readonly notNull: boolean
  readonly isKey: boolean
  /** Every object has something of that name. */
  readonly isInherited: boolean
  /** The cell as COPY reads it, or undefined when the column does not take such a value. Never asked about null. */
  readonly encode: CellEncoder
}

type CellEncoder = (value: unknown) => string | undefined

export function columnsOf(options: readonly ColumnOption[] | undefined, valueType: ValueType): readonly WantedColumn[] {
  const columns = (options ?? recordColumns).map((option) => {
    const { name, type, field, optional } = typeof option === 'string' ? { name: option } : option
    const source = field ?? name
    const record = recordColumns.find((own) => own === source)
    return {
      name: record !== undefined && name === source ? name.slice(1) : name,
      field: source,
      record,
      optional: optional ?? false,
      type,
      // Without a type, any JSON value: nothing is refused or bent that the configuration has not asked for.
      createdAs: type ?? (record === undefined ? 'jsonb' : recordColumnType(record, valueType)),
    }
  })
  const twice = columns.find(({ name }, index) => columns.findIndex((other) => other.name === name) !== index)
  if (twice) throw new SinkRefusedError(`"columns" has "${twice.name}" twice`)
  const field = columns.find(({ record }) => record === undefined)
  if (field && valueType !== 'json') {
    throw new SinkRefusedError(
      `the postgres sink has the column "${field.name}", and values are read as ${valueType}: set "value": "json"`,
    )
  }
  return columns
}

function recordColumnType(record: RecordColumn, valueType: ValueType): ColumnType {
  const whole: Record<ValueType, ColumnType> = { string: 'text', json: 'jsonb', bytes: 'bytea' }
  const types: Record<RecordColumn, ColumnType> = {
    $topic: 'text',
    $partition: 'integer',
    $offset: 'bigint',
    $timestamp: 'timestamptz',
    $key: valueType === 'bytes' ? 'bytea' : 'text',
    $value: whole[valueType],
  }
  return types[record]
}

/** @throws SinkRefusedError when the table cannot take such rows */
export function matchTable(
  table: string,
  wanted: readonly WantedColumn[],
  found: readonly TableColumn[],
  valueType: ValueType,
  keyColumns: readonly string[] = [],
): readonly Column[] {
  const byName = new Map(found.map((column) => [column.name, column]))
  const columns = wanted.map((column) => {
    const existing = byName.get(column.name)
    if (!existing) {
      const names = found.map(({ name }) => name)
      throw new SinkRefusedError(
        `${table} has no column "${column.name}"${didYouMean(column.name, names)}; it has ${names.join(', ')}`,
      )
    }
    const { declared, notNull } = existing
    const refused = (reason: string) =>
      new SinkRefusedError(`the column "${column.name}" of ${table} is ${declared}, and ${reason}`)
    if (existing.isGenerated) throw refused('always generated: leave it out of "columns"')
    if (column.type !== undefined && declared !== (spelled[column.type] ?? column.type)) {
      throw refused(`the configuration says ${column.type}`)
    }
    if (valueType === 'bytes' && /^\$(?:key|value)$/.test(column.field) && existing.type !== 'bytea') {
      throw refused(`${column.field} is bytes with "value": "bytes": make it bytea, or read values as text`)
    }
    const isKey = keyColumns.includes(column.name)
    const isInherited = column.field in Object.prototype
    return { ...column, declared, notNull, isKey, isInherited, encode: cellEncoder(column, existing) }
  })
  const filled = new Set(columns.map(({ name }) => name))
  const unfilled = found.find(
    ({ name, notNull, hasDefault, isGenerated }) => notNull && !hasDefault && !isGenerated && !filled.has(name),
  )
  if (unfilled) {
    throw new SinkRefusedError(
      `the column "${unfilled.name}" of ${table} is NOT NULL without a default, and "columns" does not fill it`,
    )
  }
  return columns
}

const integers: Readonly<Record<string, number>> = {
  int2: 2 ** 15,
  int4: 2 ** 31,
  int8: Number.MAX_SAFE_INTEGER + 1,
}
const instants = new Set(['timestamptz', 'timestamp', 'date'])

function cellEncoder({ record }: WantedColumn, { type, category }: TableColumn): CellEncoder {
  const limit = integers[type]
  if (limit !== undefined) return (value) => integerCell(value, limit, type === 'int8')
  if (type === 'json' || type === 'jsonb') return record === '$value' ? jsonTextCell : jsonCell
  if (type === 'bool') return (value) => (value === true ? 't' : value === false ? 'f' : undefined)
  if (type === 'bytea') return bytesCell
  if (instants.has(type)) return (value) => instantCell(value, type)
  if (type === 'float4' || type === 'float8') return (value) => (isNumber(value) ? String(value) : undefined)
  if (type === 'numeric') {
    return (value) =>
      isNumber(value) || (typeof value === 'string' && /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value))
        ? String(value)
        : undefined
  }
  if (category === 'A') return (value) => (Array.isArray(value) ? textCell(arrayLiteral(value)) : undefined)
  if (category === 'S') return stringCell
  return (value) => (typeof value === 'string' || isNumber(value) ? textCell(String(value)) : undefined)
}

const special = /[\\\n\r\t\0]/
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** undefined for text that PostgreSQL cannot hold. */
export function textCell(text: string): string | undefined {
  if (!text.isWellFormed()) return undefined
  if (!special.test(text)) return text
  return text.includes('\0') ? undefined : text.replaceAll(/[\\\n\r\t]/g, (character) => escapes[character]!)
}

function stringCell(value: unknown): string | undefined {
  if (typeof value === 'string') return textCell(value)
  if (value instanceof JsonText) return textCell(value.text)
  return typeof value === 'object' ? jsonCell(value) : undefined
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

function integerCell(value: unknown, limit: number, isBig: boolean): string | undefined {
  if (typeof value === 'number') {
    return Number.isInteger(value) && value < limit && value >= -limit ? String(value) : undefined
  }
  if (typeof value === 'bigint') return isBig && BigInt.asIntN(64, value) === value ? String(value) : undefined
  return isBig && typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? value : undefined
}

function jsonCell(value: unknown): string | undefined {
  return Buffer.isBuffer(value) ? undefined : textCell(exactJsonText(value))
}

/** `$value`: JSON as it came, where values are read as JSON; a JSON string, where they are text. */
function jsonTextCell(value: unknown): string | undefined {
  return value instanceof JsonText ? textCell(value.text) : jsonCell(value)
}

/** Text that has been parsed as JSON already. */
class JsonText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toJSON(): unknown {
    return JSON.parse(this.text)
  }
}

function bytesCell(value: unknown): string | undefined {
  if (Buffer.isBuffer(value)) return `\\\\x${value.toString('hex')}`
  if (
    typeof value !== 'string' ||
    !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(value)
  )
    return undefined
  return `\\\\x${Buffer.from(value, 'base64').toString('hex')}`
}

/** 0001-01-01 and the end of 9999: what ISO 8601 writes with four digits. */
const FIRST_MS = -62_135_596_800_000
const LAST_MS = 253_402_300_799_999

function instantCell(value: unknown, type: string): string | undefined {
  if (typeof value === 'number') {
    if (!(value >= FIRST_MS && value <= LAST_MS)) return undefined
    return type === 'date' ? new Date(value).toISOString().slice(0, 10) : isoText(Math.floor(value))
  }
  return typeof value === 'string' && /^\d{4,6}-\d\d-\d\d(?:[T ]\d\d:\d\d[^\\\n\r\t\0]*)?$/.test(value)
    ? value
    : undefined
}

const MINUTE_MS = 60_000
const lastMinute = { number: Number.NaN, text: '' }

/** `toISOString`, three times as fast for times that are near each other, as those of a partition are. */
function isoText(ms: number): string {
  const minute = Math.floor(ms / MINUTE_MS)
  if (minute !== lastMinute.number) {
    lastMinute.number = minute
    lastMinute.text = new Date(minute * MINUTE_MS).toISOString().slice(0, 17)
  }
  const rest = ms - minute * MINUTE_MS
  return `${lastMinute.text}${seconds[Math.floor(rest / 1000)]}.${milliseconds[rest % 1000]}Z`
}

const seconds = Array.from({ length: 60 }, (_, second) => String(second).padStart(2, '0'))
const milliseconds = Array.from({ length: 1000 }, (_, ms) => String(ms).padStart(3, '0'))

function arrayLiteral(values: readonly unknown[]): string {
  const elements = values.map((value) => {
    if (value === null) return 'NULL'
    if (Array.isArray(value)) return arrayLiteral(value)
    const text = typeof value === 'string' ? value : exactJsonText(value)
    return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
  })
  return `{${elements.join(',')}}`
}

export interface RowOptions {
  readonly columns: readonly Column[]
  readonly valueType: ValueType
  readonly mode: 'append' | 'upsert'
}

export interface EncodedRows {
  readonly lines: string
  /** How many of the lines delete (upsert only). */
  readonly deletes: number
}

/**
 * The lines of all records. In upsert mode each begins with the offset and whether the row is to be deleted.
 * @throws SinkRecordError when a value lacks a field or has one of the wrong type
 */
export function encodeRows(options: RowOptions, { records, values }: SinkBatch): EncodedRows {
  const { columns, valueType } = options
  const isUpsert = options.mode === 'upsert'
  // Only a key that the record has beside its value can say what a record without a value is about.
  const canDelete =
    isUpsert && columns.every(({ isKey, record }) => !isKey || (record !== undefined && record !== '$value'))
  let lines = ''
  let deletes = 0
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    const value = values[index]
    const deleted = canDelete && record.value === null
    if (isUpsert) lines += `${record.offset}\t${deleted ? 't' : 'f'}\t`
    if (deleted) deletes += 1
    for (let at = 0; at < columns.length; at++) {
      const column = columns[at]!
      if (at > 0) lines += '\t'
      if (deleted && !column.isKey) lines += '\\N'
      else lines += cellOf(column, record, value, valueType)
    }
    lines += '\n'
  }
  return { lines, deletes }
}

function cellOf(column: Column, record: ConsumerRecord, value: unknown, valueType: ValueType): string {
  const found =
    column.record === undefined ? fieldOf(column, record, value) : recordField(column.record, record, value, valueType)
  if (found === null || found === undefined) {
    if (column.notNull || column.isKey) throw mistyped(column, record, null)
    return '\\N'
  }
  const cell = column.encode(found)
  if (cell === undefined) throw mistyped(column, record, found)
  return cell
}

function fieldOf(column: Column, record: ConsumerRecord, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SinkRecordError(record, `the value is ${described(value)}, and columns need a JSON object`)
  }
  const found = (value as Record<string, unknown>)[column.field]
  // JSON has no undefined, but every object inherits a `constructor`.
  if (found !== undefined && (!column.isInherited || Object.hasOwn(value, column.field))) return found
  if (column.optional) return null
  const hint = didYouMean(column.field, Object.keys(value))
  throw new SinkRecordError(
    record,
    `the value has no field "${column.field}"${hint}, which the column ${column.name} needs`,
  )
}

function recordField(name: RecordColumn, record: ConsumerRecord, value: unknown, valueType: ValueType): unknown {
  if (name === '$topic') return record.topic
  if (name === '$partition') return record.partition
  if (name === '$offset') return record.offset
  if (name === '$timestamp') return record.timestamp
  if (name === '$key') return valueType === 'bytes' ? record.key : record.keyText()
  if (valueType === 'bytes') return record.value
  if (valueType === 'string') return typeof value === 'string' ? value : record.valueText()
  const text = record.valueText()
  return text === null ? null : new JsonText(text)
}

function mistyped(column: Column, record: ConsumerRecord, value: unknown): SinkRecordError {
  const isNullKey = column.isKey && value === null
  const takes = isNullKey ? 'no null, as it is of the key' : `${column.declared}${column.notNull ? ' NOT NULL' : ''}`
  const text = typeof value === 'string' ? value : ''
  const odd = text.includes('\0')
    ? ' with a NUL character, which PostgreSQL cannot hold'
    : text.isWellFormed()
      ? ''
      : ' with half of a surrogate pair, which UTF-8 cannot hold'
  return new SinkRecordError(
    record,
    `"${column.field}" is ${described(value)}${odd}, and the column ${column.name} takes ${takes}`,
  )
}

function described(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (Buffer.isBuffer(value)) return `${value.length} bytes`
  const text = exactJsonText(value)
  const kind = Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `the ${typeof value}`
  return `${kind} ${text.length > 60 ? `${text.slice(0, 57)}...` : text}`
}
