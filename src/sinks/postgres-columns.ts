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
import { exactJsonText } from '../protocol/records/exact-json.ts'
import type { RecordColumn } from './file-encoding.ts'
import { didYouMean } from './registry.ts'
import { type SinkBatch, SinkRefusedError, type ValueType } from './sink.ts'
import {
  bytesOf,
  canDelete,
  cellOf,
  type CellEncoder,
  type ColumnOption as OptionOf,
  isDecimal,
  isInherited,
  isNumber,
  jsonOf,
  type TableColumn as ColumnOf,
  textOf,
  type WantedColumn as WantedOf,
  wantedColumns,
} from './table-columns.ts'

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

export type ColumnOption = OptionOf<ColumnType>
export type WantedColumn = WantedOf<ColumnType>
/** Its cell is as COPY reads it. */
export type Column = ColumnOf<ColumnType>

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

export function columnsOf(options: readonly ColumnOption[] | undefined, valueType: ValueType): readonly WantedColumn[] {
  // Without a type, any JSON value: nothing is refused or bent that the configuration has not asked for.
  const typeOf = (record: RecordColumn | undefined) =>
    record === undefined ? 'jsonb' : recordColumnType(record, valueType)
  return wantedColumns(options, { sink: 'postgres', valueType, typeOf })
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
    const inherited = isInherited(column.field)
    return { ...column, declared, notNull, isKey, isInherited: inherited, encode: cellEncoder(column, existing) }
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
  if (type === 'numeric') return (value) => (isDecimal(value) ? String(value) : undefined)
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
  const text = textOf(value)
  return text === undefined ? undefined : textCell(text)
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

function jsonTextCell(value: unknown): string | undefined {
  const text = jsonOf(value)
  return text === undefined ? undefined : textCell(text)
}

function bytesCell(value: unknown): string | undefined {
  const bytes = bytesOf(value)
  return bytes === undefined ? undefined : `\\\\x${bytes.toString('hex')}`
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
  const mayDelete = isUpsert && canDelete(columns)
  let lines = ''
  let deletes = 0
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    const value = values[index]
    const deleted = mayDelete && record.value === null
    if (isUpsert) lines += `${record.offset}\t${deleted ? 't' : 'f'}\t`
    if (deleted) deletes += 1
    for (let at = 0; at < columns.length; at++) {
      const column = columns[at]!
      if (at > 0) lines += '\t'
      if (deleted && !column.isKey) lines += '\\N'
      else lines += cellOf(column, record, value, valueType, oddity) ?? '\\N'
    }
    lines += '\n'
  }
  return { lines, deletes }
}

function oddity(text: string): string {
  if (text.includes('\0')) return ' with a NUL character, which PostgreSQL cannot hold'
  return text.isWellFormed() ? '' : ' with half of a surrogate pair, which UTF-8 cannot hold'
}
