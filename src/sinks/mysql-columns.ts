/**
 * How a record becomes a row of an INSERT: which columns, from where, which values they take. Pure; knows no connection.
 *
 * A column's type is the table's own, read from `information_schema`. In its strict mode MySQL refuses most of what a column cannot hold, and still
 * bends some of it: it cuts blanks at the end of a varchar, takes '1' for the first value of an enum, rounds 23:59:59.7 to the next day. Here a value
 * that is not of the column's type is an error that names the record.
 *
 * | column | takes |
 * |---|---|
 * | char, varchar, text | strings that fit, blanks at the end included; nested JSON as JSON text |
 * | tinyint, smallint, mediumint, int, bigint, unsigned or not | whole numbers within the type; bigint also a string of digits, which keeps what JSON's numbers cannot; tinyint also true and false |
 * | float, double | numbers |
 * | decimal | numbers and strings of digits; the server rounds to the column's scale |
 * | bit | whole numbers that fit, true and false |
 * | json | anything, as JSON; `$value` as it came |
 * | datetime, timestamp, date | numbers: milliseconds since 1970, UTC. Strings: ISO 8601; UTC where they name no zone. Cut to the column's precision. From the year 1000 on |
 * | binary, varbinary, blob | bytes; a string is base64 |
 * | enum, set | strings, never a number of a value's place |
 * | year | whole numbers from 1901 to 2155 |
 * | others (time, inet6, uuid …) | strings and numbers, as the server reads them |
 *
 * A JSON null is NULL, unless the column is NOT NULL. A field that is missing is an error, unless the column is `optional`.
 * A string with half of a surrogate pair is an error too, never another string.
 */
import { exactJsonText } from '../protocol/records/exact-json.ts'
import type { RecordColumn } from './file-encoding.ts'
import { instantOf } from './instant.ts'
import { spelled } from './mysql-types.ts'
import { didYouMean } from './registry.ts'
import { type SinkBatch, SinkRefusedError, type ValueType } from './sink.ts'
import {
  bytesOf,
  canDelete,
  cellOf,
  type CellEncoder,
  type ColumnOption,
  isDecimal,
  isInherited,
  isNumber,
  jsonOf,
  type TableColumn,
  textOf,
  type WantedColumn,
  wantedColumns,
} from './table-columns.ts'

/** One row of `information_schema.columns`. */
export interface FoundColumn {
  readonly name: string
  /** `DATA_TYPE`: without lengths. */
  readonly type: string
  /** `COLUMN_TYPE`. */
  readonly declared: string
  readonly notNull: boolean
  readonly hasDefault: boolean
  readonly isGenerated: boolean
  /** A longtext that MariaDB checks to be JSON, as it has no type for it. */
  readonly isCheckedJson: boolean
  readonly maxCharacters: number | null
  readonly maxBytes: number | null
  readonly charset: string | null
  /** Digits of a second. */
  readonly precision: number | null
}

/** Its cell is a literal of SQL. */
export type Column = TableColumn

export interface ColumnsOptions {
  readonly columns: readonly ColumnOption[] | undefined
  readonly keyColumns: readonly string[]
  readonly valueType: ValueType
}

/** Longer than any index of InnoDB's, by its default, could hold twice. */
const KEY_TYPE = 'varchar(255)'

export function columnsOf({ columns, keyColumns, valueType }: ColumnsOptions): readonly WantedColumn[] {
  // Without a type, any JSON value: nothing is refused or bent that the configuration has not asked for.
  const typeOf = (record: RecordColumn | undefined, name: string) =>
    record === undefined ? 'json' : recordColumnType(record, valueType, keyColumns.includes(name))
  const wanted = wantedColumns(columns, { sink: 'mysql', valueType, typeOf })
  const lower = wanted.map(({ name }) => name.toLowerCase())
  const twice = wanted.find((_, index) => lower.indexOf(lower[index]!) !== index)
  if (twice)
    throw new SinkRefusedError(`"columns" has "${twice.name}" twice: MySQL takes names in any case for the same`)
  return wanted
}

function recordColumnType(record: RecordColumn, valueType: ValueType, isKey: boolean): string {
  const whole: Record<ValueType, string> = { string: 'longtext', json: 'json', bytes: 'longblob' }
  const key = valueType === 'bytes' ? ['longblob', 'varbinary(255)'] : ['longtext', KEY_TYPE]
  const types: Record<RecordColumn, string> = {
    $topic: 'varchar(249)',
    $partition: 'int',
    $offset: 'bigint',
    $timestamp: 'datetime(3)',
    $key: key[isKey ? 1 : 0]!,
    $value: whole[valueType],
  }
  return types[record]
}

/** @throws SinkRefusedError when the table cannot take such rows */
export function matchTable(
  table: string,
  wanted: readonly WantedColumn[],
  found: readonly FoundColumn[],
  valueType: ValueType,
  keyColumns: readonly string[] = [],
): readonly Column[] {
  // Names of columns are the same in any case.
  const byName = new Map(found.map((column) => [column.name.toLowerCase(), column]))
  const columns = wanted.map((column) => {
    const existing = byName.get(column.name.toLowerCase())
    if (!existing) {
      const names = found.map(({ name }) => name)
      throw new SinkRefusedError(
        `${table} has no column "${column.name}"${didYouMean(column.name, names)}; it has ${names.join(', ')}`,
      )
    }
    const { notNull } = existing
    const declared = existing.isCheckedJson ? 'json' : spelled(existing.declared)
    const refused = (reason: string) =>
      new SinkRefusedError(`the column "${column.name}" of ${table} is ${declared}, and ${reason}`)
    if (existing.isGenerated) throw refused('always generated: leave it out of "columns"')
    if (column.type !== undefined && declared !== spelled(column.type)) {
      throw refused(`the configuration says ${column.type}`)
    }
    if (valueType === 'bytes' && /^\$(?:key|value)$/.test(column.field) && !/binary|blob/.test(existing.type)) {
      throw refused(`${column.field} is bytes with "value": "bytes": make it a blob, or read values as text`)
    }
    const isKey = keyColumns.includes(column.name)
    const encode = cellEncoder(column, existing)
    return { ...column, declared, notNull, isKey, isInherited: isInherited(column.field), encode }
  })
  const filled = new Set(columns.map(({ name }) => name.toLowerCase()))
  const unfilled = found.find((column) => isUnfilled(column) && !filled.has(column.name.toLowerCase()))
  if (unfilled) {
    throw new SinkRefusedError(
      `the column "${unfilled.name}" of ${table} is NOT NULL without a default, and "columns" does not fill it`,
    )
  }
  return columns
}

/** Somebody has to give it a value. */
export function isUnfilled({ notNull, hasDefault, isGenerated }: FoundColumn): boolean {
  return notNull && !hasDefault && !isGenerated
}

const integerBits: Readonly<Record<string, number>> = { tinyint: 8, smallint: 16, mediumint: 24, int: 32, bigint: 64 }

function cellEncoder({ record }: WantedColumn, column: FoundColumn): CellEncoder {
  const { type, declared, isCheckedJson } = column
  const bits = integerBits[type]
  if (bits !== undefined) return integerCell(bits, declared.includes('unsigned'))
  if (type === 'json' || isCheckedJson) return record === '$value' ? (value) => literal(jsonOf(value)) : jsonCell
  switch (type) {
    case 'char':
    case 'varchar':
    case 'tinytext':
    case 'text':
    case 'mediumtext':
    case 'longtext':
      return textCell(column)
    case 'enum':
    case 'set':
      return namedCell(membersOf(declared))
    case 'float':
    case 'double':
      return (value) => (isNumber(value) ? String(value) : undefined)
    case 'decimal':
      // A number with an exponent would be read as a double.
      return (value) => (isDecimal(value) ? `'${String(value)}'` : undefined)
    case 'bit':
      return bitCell(Number(/\((\d+)\)/.exec(declared)?.[1] ?? 1))
    case 'datetime':
    case 'timestamp':
      return (value) => instantCell(value, column.precision ?? 0)
    case 'date':
      return (value) => instantCell(value, 'date')
    case 'year':
      return (value) =>
        Number.isInteger(value) && Number(value) >= 1901 && Number(value) <= 2155 ? String(value) : undefined
    case 'binary':
    case 'varbinary':
    case 'tinyblob':
    case 'blob':
    case 'mediumblob':
    case 'longblob':
      return bytesCell
    default:
      return (value) => (typeof value === 'string' || isNumber(value) ? literal(String(value)) : undefined)
  }
}

/**
 * Text between single quotes, with a backslash before what MySQL would read otherwise (its sql_mode is set without NO_BACKSLASH_ESCAPES).
 * undefined for text that UTF-8 cannot hold.
 */
export function literal(text: string | undefined): string | undefined {
  if (text === undefined || !text.isWellFormed()) return undefined
  return /['\\\0]/.test(text) ? `'${text.replaceAll(/['\\\0]/g, escaped)}'` : `'${text}'`
}

const escaped = (character: string): string => (character === '\0' ? '\\0' : `\\${character}`)

function jsonCell(value: unknown): string | undefined {
  return Buffer.isBuffer(value) ? undefined : literal(exactJsonText(value))
}

function textCell({ type, maxCharacters, maxBytes, charset }: FoundColumn): CellEncoder {
  const isCounted = type === 'char' || type === 'varchar'
  // What the text takes in another character set is for the server to say.
  const limit = isCounted ? maxCharacters : charset?.startsWith('utf8') ? maxBytes : null
  const fits = (text: string) => {
    if (limit === null || text.length * (isCounted ? 1 : 3) <= limit) return true
    return (isCounted ? codePointsOf(text) : Buffer.byteLength(text)) <= limit
  }
  return (value) => {
    const text = textOf(value)
    return text !== undefined && fits(text) ? literal(text) : undefined
  }
}

function codePointsOf(text: string): number {
  let count = 0
  for (const _ of text) count += 1
  return count
}

/** `enum('a','it''s')` → a, it's */
function membersOf(declared: string): ReadonlySet<string> {
  return new Set(Array.from(declared.matchAll(/'((?:[^']|'')*)'/g), ([, member]) => member!.replaceAll("''", "'")))
}

/** A string of digits that is none of the names would be taken for the place of one. */
function namedCell(members: ReadonlySet<string>): CellEncoder {
  return (value) =>
    typeof value === 'string' && (members.has(value) || !/^\s*\d+\s*$/.test(value)) ? literal(value) : undefined
}

function integerCell(bits: number, isUnsigned: boolean): CellEncoder {
  const least = isUnsigned ? 0n : -(2n ** BigInt(bits - 1))
  const most = 2n ** BigInt(isUnsigned ? bits : bits - 1) - 1n
  const [leastNumber, mostNumber] = [Math.max(Number(least), -(2 ** 53) + 1), Math.min(Number(most), 2 ** 53 - 1)]
  const isBig = bits === 64
  const within = (value: bigint) => value >= least && value <= most
  return (value) => {
    if (typeof value === 'number') {
      return Number.isInteger(value) && value >= leastNumber && value <= mostNumber ? String(value) : undefined
    }
    if (typeof value === 'boolean') return bits === 8 ? (value ? '1' : '0') : undefined
    if (!isBig) return undefined
    if (typeof value === 'bigint') return within(value) ? String(value) : undefined
    return typeof value === 'string' && /^-?\d{1,20}$/.test(value) && within(BigInt(value)) ? value : undefined
  }
}

function bitCell(bits: number): CellEncoder {
  const inner = integerCell(bits, true)
  return (value) => (typeof value === 'boolean' ? (value ? '1' : '0') : inner(value))
}

function bytesCell(value: unknown): string | undefined {
  const bytes = bytesOf(value)
  return bytes === undefined ? undefined : `x'${bytes.toString('hex')}'`
}

const FIRST_MS = Date.UTC(1000, 0, 1)
const LAST_MS = Date.UTC(10_000, 0, 1) - 1

/** As `YYYY-MM-DD hh:mm:ss.ffffff`, in UTC, with `precision` digits of a second. */
function instantCell(value: unknown, precision: number | 'date'): string | undefined {
  const instant = instantOf(value)
  if (!instant || !(instant.ms >= FIRST_MS && instant.ms <= LAST_MS)) return undefined
  const iso = new Date(instant.ms).toISOString()
  if (precision === 'date') return `'${iso.slice(0, 10)}'`
  const digits = instant.nanoseconds.slice(0, precision)
  return `'${iso.slice(0, 10)} ${iso.slice(11, 19)}${digits === '' ? '' : `.${digits}`}'`
}

export interface RowOptions {
  readonly columns: readonly Column[]
  readonly valueType: ValueType
  readonly mode: 'append' | 'upsert'
}

/** A record on its way. */
export interface Row {
  readonly offset: number
  /** `(1,'text',NULL)`. */
  readonly values: string
  /** upsert: the literals of the key, in the order of the columns. */
  readonly key: readonly string[]
  readonly isDelete: boolean
}

/** @throws SinkRecordError when a value lacks a field or has one of the wrong type */
export function encodeRows({ columns, valueType, mode }: RowOptions, { records, values }: SinkBatch): Row[] {
  const isUpsert = mode === 'upsert'
  const mayDelete = isUpsert && canDelete(columns)
  const rows: Row[] = []
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    const isDelete = mayDelete && record.value === null
    const key: string[] = []
    let text = '('
    for (let at = 0; at < columns.length; at++) {
      const column = columns[at]!
      if (isDelete && !column.isKey) continue
      const cell = cellOf(column, record, values[index], valueType, oddity) ?? 'NULL'
      if (column.isKey && isUpsert) key.push(cell)
      text += at === 0 ? cell : `,${cell}`
    }
    rows.push({ offset: record.offset, values: isDelete ? '' : `${text})`, key, isDelete })
  }
  return rows
}

function oddity(text: string): string {
  if (!text.isWellFormed()) return ' with half of a surrogate pair, which UTF-8 cannot hold'
  return text.length > 60 ? ` (${codePointsOf(text)} characters)` : ''
}
