/**
 * How a record becomes a row: which columns, from where, and which values they take. Pure; knows no connection.
 *
 * A column's type comes from the table when it exists, else from the option. SQLite itself would take nearly anything
 * anywhere; here a value that is not of the column's type is an error that names the record.
 *
 * | type | takes |
 * |---|---|
 * | `text` | strings; nested JSON as JSON text |
 * | `integer` | whole numbers of 64 bits; true and false as 1 and 0 |
 * | `real` | numbers |
 * | `numeric` (also DATE, DATETIME, BOOLEAN …) | numbers, strings, true and false as 1 and 0 |
 * | none, `blob` | anything, stored as it is |
 *
 * A JSON null is NULL, unless the column is NOT NULL. A field that is missing is an error, unless the column is `optional`.
 */
import type { SQLInputValue } from 'node:sqlite'
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { exactJsonText } from '../protocol/records/exact-json.ts'
import { recordColumns, type RecordColumn } from './file-encoding.ts'
import { didYouMean } from './registry.ts'
import { SinkRecordError, SinkRefusedError, type ValueType } from './sink.ts'
import { described, fieldOf, isInherited } from './table-columns.ts'

export const columnTypes = ['text', 'integer', 'real', 'numeric', 'blob'] as const
export type ColumnType = (typeof columnTypes)[number]

/** A column as the configuration has it. */
export type ColumnOption =
  | string
  | { readonly name: string; readonly type?: ColumnType; readonly field?: string; readonly optional?: boolean }

export interface Column {
  readonly name: string
  /** The JSON field, or the record's own part. */
  readonly field: string
  readonly record: RecordColumn | undefined
  readonly type: ColumnType | undefined
  readonly optional: boolean
  readonly notNull: boolean
  readonly isInherited: boolean
}

/** One row of `PRAGMA table_info`. */
export interface TableColumn {
  readonly name: string
  readonly type: string
  readonly notnull: number
  readonly dflt_value: unknown
  readonly pk: number
}

export function columnsOf(options: readonly ColumnOption[] | undefined, valueType: ValueType): readonly Column[] {
  return (options ?? recordColumns).map((option) => {
    const { name, type, field, optional } = typeof option === 'string' ? { name: option } : option
    const source = field ?? name
    const record = recordColumns.find((own) => own === source)
    return {
      name: record !== undefined && name === source ? name.slice(1) : name,
      field: source,
      record,
      type: type ?? (record === undefined ? undefined : recordColumnType(record, valueType)),
      optional: optional ?? false,
      notNull: false,
      isInherited: isInherited(source),
    }
  })
}

function recordColumnType(record: RecordColumn, valueType: ValueType): ColumnType {
  if (record === '$topic') return 'text'
  if (record === '$key' || record === '$value') return valueType === 'bytes' ? 'blob' : 'text'
  return 'integer'
}

/** @throws SinkRefusedError when the table cannot take such rows */
export function matchTable(table: string, wanted: readonly Column[], found: readonly TableColumn[]): readonly Column[] {
  const byName = new Map(found.map((column) => [column.name.toLowerCase(), column]))
  const columns = wanted.map((column) => {
    const existing = byName.get(column.name.toLowerCase())
    const names = found.map(({ name }) => name)
    if (!existing) {
      throw new SinkRefusedError(
        `the table ${table} has no column "${column.name}"${didYouMean(column.name, names)}; it has ${names.join(', ')}`,
      )
    }
    const type = typeOfDeclared(existing.type)
    if (column.type !== undefined && column.record === undefined && type !== undefined && type !== column.type) {
      throw new SinkRefusedError(
        `the column ${existing.name} of the table ${table} is ${existing.type}, and the configuration says ${column.type}`,
      )
    }
    return { ...column, type, notNull: existing.notnull !== 0 }
  })
  const filled = new Set(columns.map(({ name }) => name.toLowerCase()))
  const unfilled = found.find(
    (column) =>
      column.notnull !== 0 && column.dflt_value === null && column.pk === 0 && !filled.has(column.name.toLowerCase()),
  )
  if (unfilled) {
    throw new SinkRefusedError(
      `the column ${unfilled.name} of the table ${table} is NOT NULL without a default, and "columns" does not fill it`,
    )
  }
  return columns
}

/** SQLite's rules of column affinity (sqlite.org/datatype3.html, 3.1). */
function typeOfDeclared(declared: string): ColumnType | undefined {
  if (/INT/i.test(declared)) return 'integer'
  if (/CHAR|CLOB|TEXT/i.test(declared)) return 'text'
  if (declared === '' || /BLOB|ANY/i.test(declared)) return undefined
  if (/REAL|FLOA|DOUB/i.test(declared)) return 'real'
  return 'numeric'
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function createTableSql(table: string, columns: readonly Column[]): string {
  const declared = columns.map(
    ({ name, type }) => `${quoted(name)}${type === undefined ? '' : ` ${type.toUpperCase()}`}`,
  )
  return `CREATE TABLE ${quoted(table)} (${declared.join(', ')})`
}

export function insertSql(table: string, columns: readonly Column[]): string {
  const names = columns.map(({ name }) => quoted(name)).join(', ')
  return `INSERT INTO ${quoted(table)} (${names}) VALUES (${columns.map(() => '?').join(', ')})`
}

/** @throws SinkRecordError when the value is missing a field or has one of the wrong type */
export function rowOf(
  columns: readonly Column[],
  record: ConsumerRecord,
  value: unknown,
  valueType: ValueType,
): SQLInputValue[] {
  const row: SQLInputValue[] = []
  for (const column of columns) {
    const cell =
      column.record === undefined
        ? fieldOf(column, record, value)
        : recordField(column.record, record, value, valueType)
    row.push(cellOf(column, record, cell))
  }
  return row
}

function recordField(name: RecordColumn, record: ConsumerRecord, value: unknown, valueType: ValueType): unknown {
  if (name === '$topic') return record.topic
  if (name === '$partition') return record.partition
  if (name === '$offset') return record.offset
  if (name === '$timestamp') return record.timestamp
  if (name === '$key') return valueType === 'bytes' ? record.key : record.keyText()
  if (valueType === 'bytes') return record.value
  return typeof value === 'string' && valueType === 'string' ? value : record.valueText()
}

function cellOf(column: Column, record: ConsumerRecord, value: unknown): SQLInputValue {
  const { type } = column
  if (value === null || value === undefined) {
    if (column.notNull) throw mistyped(column, record, value)
    return null
  }
  if (typeof value === 'string') {
    if (type !== 'integer' && type !== 'real') return value
  } else if (typeof value === 'number') {
    // Without an affinity SQLite would keep the double that a number is bound as: 5 would read back as 5.0.
    if (type === undefined || type === 'blob') return Number.isSafeInteger(value) ? BigInt(value) : value
    if (type === 'real' || type === 'numeric' || (type === 'integer' && Number.isSafeInteger(value))) return value
  } else if (typeof value === 'bigint') {
    if (type === 'real') return Number(value)
    if (type !== 'text' && BigInt.asIntN(64, value) === value) return value
  } else if (typeof value === 'boolean') {
    if (type !== 'text' && type !== 'real') return value ? 1n : 0n
  } else if (Buffer.isBuffer(value)) {
    return value
  } else if (type === undefined || type === 'blob' || type === 'text') {
    return exactJsonText(value)
  }
  throw mistyped(column, record, value)
}

function mistyped(column: Column, record: ConsumerRecord, value: unknown): SinkRecordError {
  const takes = column.notNull ? `${column.type ?? 'anything'} NOT NULL` : (column.type ?? 'anything')
  return new SinkRecordError(
    record,
    `"${column.field}" is ${described(value)}, and the column ${column.name} takes ${takes}`,
  )
}
