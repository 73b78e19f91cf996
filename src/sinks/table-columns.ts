/**
 * What the columns of a table take out of a record, for stores with tables that have types: which columns, from which field, and what is said of a
 * value that a column does not take. How a value becomes a cell is the store's own. Pure; knows no connection.
 *
 * A JSON null is NULL, unless the column is NOT NULL or of the key. A field that is missing is an error, unless the column is `optional`.
 */
import { exactJsonText } from '../protocol/records/exact-json.ts'
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { recordColumns, type RecordColumn } from './file-encoding.ts'
import { didYouMean } from './registry.ts'
import { SinkRecordError, SinkRefusedError, type ValueType } from './sink.ts'

/** A column as the configuration has it. */
export type ColumnOption<Type extends string = string> =
  | string
  | {
      readonly name: string
      readonly type?: Type | undefined
      readonly field?: string | undefined
      readonly optional?: boolean | undefined
    }

/** A column that is wanted, before the table was looked at. */
export interface WantedColumn<Type extends string = string> {
  readonly name: string
  /** The JSON field, or the record's own part. */
  readonly field: string
  readonly record: RecordColumn | undefined
  readonly optional: boolean
  /** As the configuration says; undefined: whatever the table has. */
  readonly type: Type | undefined
  /** For a table that must be made. */
  readonly createdAs: Type
}

/** A column that the table has. */
export interface TableColumn<Type extends string = string> extends WantedColumn<Type> {
  /** Its type, as the table says it. */
  readonly declared: string
  readonly notNull: boolean
  readonly isKey: boolean
  /** Every object has something of that name. */
  readonly isInherited: boolean
  /** The cell, or undefined when the column does not take such a value. Never asked about null. */
  readonly encode: CellEncoder
}

export type CellEncoder = (value: unknown) => string | undefined

export const isInherited = (field: string): boolean => field in Object.prototype

export interface ColumnChoice<Type extends string> {
  /** The sink that is spoken of. */
  readonly sink: string
  readonly valueType: ValueType
  /** The type of a new column: of one of the record's own parts, or (undefined) of a field. */
  readonly typeOf: (record: RecordColumn | undefined, name: string) => Type
}

/**
 * Without options, the record's own six.
 * @throws SinkRefusedError for a name that is there twice, and for fields where values are no JSON
 */
export function wantedColumns<Type extends string>(
  options: readonly ColumnOption<Type>[] | undefined,
  { sink, valueType, typeOf }: ColumnChoice<Type>,
): readonly WantedColumn<Type>[] {
  const columns = (options ?? recordColumns).map((option): WantedColumn<Type> => {
    const { name, type, field, optional } =
      typeof option === 'string' ? { name: option, type: undefined, field: undefined, optional: undefined } : option
    const source = field ?? name
    const record = recordColumns.find((own) => own === source)
    const own = record !== undefined && name === source ? name.slice(1) : name
    return {
      name: own,
      field: source,
      record,
      optional: optional ?? false,
      type,
      createdAs: type ?? typeOf(record, own),
    }
  })
  const twice = columns.find(({ name }, index) => columns.findIndex((other) => other.name === name) !== index)
  if (twice) throw new SinkRefusedError(`"columns" has "${twice.name}" twice`)
  const field = columns.find(({ record }) => record === undefined)
  if (field && valueType !== 'json') {
    throw new SinkRefusedError(
      `the ${sink} sink has the column "${field.name}", and values are read as ${valueType}: set "value": "json"`,
    )
  }
  return columns
}

/** Whether a record without a value says which row it is about: only a key that it has beside its value can. */
export function canDelete(columns: readonly TableColumn[]): boolean {
  return columns.every(({ isKey, record }) => !isKey || (record !== undefined && record !== '$value'))
}

/**
 * undefined for NULL.
 * @param oddity what is wrong with a text that the column would else take, with a blank before it
 * @throws SinkRecordError when the value lacks the field, or the column does not take it
 */
export function cellOf(
  column: TableColumn,
  record: ConsumerRecord,
  value: unknown,
  valueType: ValueType,
  oddity: (text: string) => string,
): string | undefined {
  const found =
    column.record === undefined ? fieldOf(column, record, value) : recordField(column.record, record, value, valueType)
  if (found === null || found === undefined) {
    if (column.notNull || column.isKey) throw mistyped(column, record, null, '')
    return undefined
  }
  const cell = column.encode(found)
  if (cell === undefined) throw mistyped(column, record, found, typeof found === 'string' ? oddity(found) : '')
  return cell
}

/** null for a field that is missing and may be. @throws SinkRecordError */
export function fieldOf(
  column: Pick<TableColumn, 'name' | 'field' | 'optional' | 'isInherited'>,
  record: ConsumerRecord,
  value: unknown,
): unknown {
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

export function recordField(name: RecordColumn, record: ConsumerRecord, value: unknown, valueType: ValueType): unknown {
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

/** Text that has been parsed as JSON already: `$value`, as it came. */
export class JsonText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toJSON(): unknown {
    return JSON.parse(this.text)
  }
}

/** `$value`: JSON as it came, where values are read as JSON; a JSON string, where they are text. undefined for bytes. */
export function jsonOf(value: unknown): string | undefined {
  if (value instanceof JsonText) return value.text
  return Buffer.isBuffer(value) ? undefined : exactJsonText(value)
}

/** Strings as they are, nested JSON as JSON text. undefined for other values. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (value instanceof JsonText) return value.text
  return typeof value === 'object' && !Buffer.isBuffer(value) ? exactJsonText(value) : undefined
}

/** Bytes, or a string of base64. undefined for other values. */
export function bytesOf(value: unknown): Buffer | undefined {
  if (Buffer.isBuffer(value)) return value
  const isBase64 =
    typeof value === 'string' && /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(value)
  return isBase64 ? Buffer.from(value, 'base64') : undefined
}

export function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** A number, or a string that says one in digits. */
export function isDecimal(value: unknown): boolean {
  return isNumber(value) || (typeof value === 'string' && /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value))
}

function mistyped(column: TableColumn, record: ConsumerRecord, value: unknown, odd: string): SinkRecordError {
  const isNullKey = column.isKey && value === null
  const takes = isNullKey ? 'no null, as it is of the key' : `${column.declared}${column.notNull ? ' NOT NULL' : ''}`
  return new SinkRecordError(
    record,
    `"${column.field}" is ${described(value)}${odd}, and the column ${column.name} takes ${takes}`,
  )
}

/** A value in words, cut where it is long. */
export function described(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (Buffer.isBuffer(value)) return `${value.length} bytes`
  const text = exactJsonText(value)
  const kind = Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `the ${typeof value}`
  return `${kind} ${text.length > 60 ? `${text.slice(0, 57)}...` : text}`
}
