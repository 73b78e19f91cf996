/**
 * Records as lines of text: csv, tsv, log and jsonl. Pure, and the hot path of the file sink: strings are built in chunks,
 * with no buffer and no closure a record. Compression and files are not its matter.
 *
 * | format | a line holds | null | escaping |
 * |---|---|---|---|
 * | csv | the columns, with `delimiter` between | nothing; `""` where it is the only column | RFC 4180: a field with the delimiter, a quote, CR or LF is quoted, a quote in it doubled; the empty text is `""` |
 * | tsv | the columns, with a tab between | `\N` | `\\`, `\t`, `\n`, `\r` for backslash, tab, LF, CR (as PostgreSQL's COPY reads it) |
 * | log | the value | `\N` | as tsv, but tabs stay; JSON stays as it came, with its line breaks (never inside a string) turned into blanks |
 * | jsonl | an object of the columns | `null` | JSON's own |
 *
 * Every line ends with LF. Nested JSON in a column is JSON text, bytes are base64. With `value: bytes`, key and value are base64.
 */
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { exactJsonText } from '../protocol/records/exact-json.ts'
import { type SinkBatch, SinkRecordError, type ValueType } from './sink.ts'

export type FileFormat = 'csv' | 'tsv' | 'log' | 'jsonl'

/** Columns that are the record's own and not a field of its JSON value. */
export const recordColumns = ['$topic', '$partition', '$offset', '$timestamp', '$key', '$value'] as const
export type RecordColumn = (typeof recordColumns)[number]

export interface EncodingOptions {
  readonly format: FileFormat
  /** Fields of the JSON value, or `$topic` and so on. undefined: the record's own six. */
  readonly columns: readonly string[] | undefined
  readonly delimiter: string
  readonly valueType: ValueType
}

export interface Encoder {
  /** The first line of a file with a header row; empty for formats that have none. */
  readonly header: string
  /**
   * The lines of all records.
   * @throws SinkRecordError when a value has no columns (it is not a JSON object)
   */
  encode(batch: SinkBatch): string
}

export function createEncoder(options: EncodingOptions): Encoder {
  if (options.format === 'log') return { header: '', encode: (batch) => encodeLog(batch, options.valueType) }
  const sources = (options.columns ?? recordColumns).map(columnSource)
  const names = sources.map(({ name }) => name)
  if (options.format === 'jsonl') {
    const labels = names.map((name) => `${JSON.stringify(name)}:`)
    return { header: '', encode: (batch) => encodeJsonLines(batch, sources, labels, options.valueType) }
  }
  const delimiter = options.format === 'tsv' ? '\t' : options.delimiter
  const field = options.format === 'tsv' ? tsvField : csvField(delimiter, names.length === 1)
  return {
    header: `${names.map(field).join(delimiter)}\n`,
    encode: (batch) => encodeRows(batch, sources, field, delimiter, options.valueType),
  }
}

interface ColumnSource {
  /** As it stands in a header or as a key. */
  readonly name: string
  readonly field: string
  readonly record: RecordColumn | undefined
}

function columnSource(column: string): ColumnSource {
  const record = recordColumns.find((name) => name === column)
  return { name: record === undefined ? column : column.slice(1), field: column, record }
}

function encodeRows(
  batch: SinkBatch,
  sources: readonly ColumnSource[],
  field: (value: unknown) => string,
  delimiter: string,
  valueType: ValueType,
): string {
  const { records, values } = batch
  const last = sources.length - 1
  let lines = ''
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    const value = values[index]
    for (let column = 0; column <= last; column++) {
      const source = sources[column]!
      const cell =
        source.record === undefined
          ? fieldOf(value, source.field, record)
          : recordField(record, value, source.record, valueType)
      lines += field(cell)
      lines += column === last ? '\n' : delimiter
    }
  }
  return lines
}

function encodeJsonLines(
  batch: SinkBatch,
  sources: readonly ColumnSource[],
  labels: readonly string[],
  valueType: ValueType,
): string {
  const { records, values } = batch
  let lines = ''
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    const value = values[index]
    for (let column = 0; column < sources.length; column++) {
      lines += column === 0 ? '{' : ','
      lines += labels[column]!
      const { record: own, field } = sources[column]!
      if (own === '$value' && valueType === 'json') lines += oneLine(record.valueText() ?? 'null')
      else if (own === undefined) lines += exactJsonText(fieldOf(value, field, record))
      else lines += JSON.stringify(recordField(record, value, own, valueType))
    }
    lines += '}\n'
  }
  return lines
}

function encodeLog({ records, values }: SinkBatch, valueType: ValueType): string {
  let lines = ''
  for (let index = 0; index < records.length; index++) {
    const text = recordField(records[index]!, values[index], '$value', valueType)
    if (text === null) lines += '\\N\n'
    else lines += `${valueType === 'json' ? oneLine(text as string) : escapeLine(text as string)}\n`
  }
  return lines
}

function fieldOf(value: unknown, field: string, record: ConsumerRecord): unknown {
  if (value === null || value === undefined) return null
  if (typeof value !== 'object' || Array.isArray(value)) {
    const found = Array.isArray(value) ? 'an array' : `a ${typeof value}`
    throw new SinkRecordError(record, `the value is ${found}, and columns need a JSON object`)
  }
  // A field that every object inherits (`constructor`) is no field of the value's.
  return Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : null
}

function recordField(
  record: ConsumerRecord,
  value: unknown,
  name: RecordColumn,
  valueType: ValueType,
): string | number | null {
  if (name === '$topic') return record.topic
  if (name === '$partition') return record.partition
  if (name === '$offset') return record.offset
  if (name === '$timestamp') return record.timestamp
  if (name === '$key') return valueType === 'bytes' ? (record.key?.toString('base64') ?? null) : record.keyText()
  if (valueType === 'bytes') return record.value?.toString('base64') ?? null
  return typeof value === 'string' && valueType === 'string' ? value : record.valueText()
}

function csvField(delimiter: string, onlyColumn: boolean): (value: unknown) => string {
  const special = new RegExp(`["\\r\\n${delimiter.replace(/[\\\]^-]/g, '\\$&')}]`)
  // A line of nothing would be skipped by most readers.
  const nothing = onlyColumn ? '""' : ''
  return (value) => {
    if (typeof value === 'number') return String(value)
    if (value === null || value === undefined) return nothing
    const text = textOf(value)
    if (text === '') return '""'
    return special.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
}

function tsvField(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (value === null || value === undefined) return '\\N'
  const text = escapeLine(textOf(value))
  return text.includes('\t') ? text.replaceAll('\t', '\\t') : text
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return Buffer.isBuffer(value) ? value.toString('base64') : exactJsonText(value)
}

const breaksLine = /[\\\r\n]/
const lineEscapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\r': '\\r', '\n': '\\n' }

function escapeLine(text: string): string {
  return breaksLine.test(text) ? text.replace(/[\\\r\n]/g, (found) => lineEscapes[found]!) : text
}

/** JSON text on one line: a line break stands between its tokens, never inside a string. */
function oneLine(json: string): string {
  return breaksLine.test(json) ? json.replace(/[\r\n]/g, ' ') : json
}
