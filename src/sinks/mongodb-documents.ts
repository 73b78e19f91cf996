/**
 * Records as documents of a collection: which `_id`, which fields, which BSON values. Pure; knows no connection.
 *
 * | JSON | BSON |
 * |---|---|
 * | whole numbers | int, or long beyond 32 bits; those of 64 bits keep all their digits |
 * | other numbers | double |
 * | strings, true, false, null, arrays, objects | the same |
 * | `$timestamp` | date |
 * | bytes | binary |
 *
 * What MongoDB would take for something else than a value is an error that names the record, never another document: a field that begins with `$` at the top, a NUL in a name, a
 * `_bsontype`, objects within each other more than a hundred deep.
 */
import type { Binary, Document, Long } from 'mongodb'
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { recordColumns, type RecordColumn } from './file-encoding.ts'
import { didYouMean } from './registry.ts'
import { type SinkBatch, SinkRecordError, type ValueType } from './sink.ts'
import { described, recordField } from './table-columns.ts'

/** What of the driver makes values. */
export interface BsonTypes {
  readonly Long: { fromNumber(value: number): Long; fromBigInt(value: bigint): Long }
  readonly Binary: new (bytes: Buffer) => Binary
  readonly calculateObjectSize: (document: Document) => number
}

/** `$record`: where the record stands in Kafka. `$key`: its key. Anything else: a field of the JSON value. A list: a document of these. */
export type IdSource = string | readonly string[]

export interface DocumentOptions {
  readonly id: IdSource
  /** undefined: the JSON value as it is; of another value, the record's own six. */
  readonly columns: readonly string[] | undefined
  readonly mode: 'append' | 'upsert'
  readonly valueType: ValueType
}

/** A record on its way. */
export interface Change {
  readonly record: ConsumerRecord
  readonly id: unknown
  /** undefined: the document is deleted. */
  readonly document: Document | undefined
}

/** What the server takes, without the head of a command. */
const MOST_DOCUMENT_BYTES = 16 * 1024 * 1024
/** A number in an array takes up to so many times its JSON. */
const GROWTH = 8
const MOST_DEPTH = 100
const INT32 = 2 ** 31

export class DocumentEncoder {
  readonly #options: DocumentOptions
  readonly #bson: BsonTypes
  readonly #columns: readonly { readonly name: string; readonly record: RecordColumn | undefined }[] | undefined

  constructor(options: DocumentOptions, bson: BsonTypes) {
    this.#options = options
    this.#bson = bson
    const columns = options.columns ?? (options.valueType === 'json' ? undefined : recordColumns)
    this.#columns = columns?.map((column) => {
      const record = recordColumns.find((own) => own === column)
      return { name: record === undefined ? column : column.slice(1), record }
    })
  }

  /** Only an _id that a record has beside its value can say what one without a value is about. */
  get #isKeyed(): boolean {
    const { mode, id } = this.#options
    return mode === 'upsert' && [id].flat().every((part) => part.startsWith('$'))
  }

  /**
   * @param idPrefix of ids of `$record`: cluster and topic id, partition
   * @throws SinkRecordError when a value has no such document
   */
  encode({ records, values }: SinkBatch, idPrefix: string): Change[] {
    return records.map((record, index) => {
      const value = values[index]
      const id = this.#idOf(record, value, idPrefix)
      const isDelete = this.#isKeyed && record.value === null
      return { record, id, document: isDelete ? undefined : this.#document(record, value, id) }
    })
  }

  #idOf(record: ConsumerRecord, value: unknown, idPrefix: string): unknown {
    const { id } = this.#options
    if (id === '$record') return `${idPrefix}${record.offset}`
    if (typeof id === 'string') return this.#idPart(id, record, value)
    const document: Document = {}
    for (const part of id) {
      const name = part.startsWith('$') ? part.slice(1) : part
      set(document, name, this.#idPart(part, record, value))
    }
    return document
  }

  #idPart(part: string, record: ConsumerRecord, value: unknown): unknown {
    const own = recordColumns.find((one) => one === part)
    const found = own ? recordField(own, record, value, this.#options.valueType) : fieldOf(part, record, value)
    if (found === null || found === undefined || Array.isArray(found)) {
      throw new SinkRecordError(
        record,
        `"${part}" is ${described(found)}, and a document’s _id is no null and no array`,
      )
    }
    return this.#bsonOf(record, part, found, 1)
  }

  #document(record: ConsumerRecord, value: unknown, id: unknown): Document {
    const document: Document = { _id: id }
    if (this.#columns) {
      for (const { name, record: own } of this.#columns) {
        // It stands there already, as `id` says.
        if (name === '_id') continue
        if (own === undefined) this.#put(document, record, name, fieldOf(name, record, value))
        else document[name] = this.#ownOf(own, record, value)
      }
    } else {
      this.#takeAll(document, record, value)
    }
    this.#checkSize(record, document)
    return document
  }

  #takeAll(document: Document, record: ConsumerRecord, value: unknown): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new SinkRecordError(
        record,
        `the value is ${described(value)}, and documents need a JSON object, or "columns"`,
      )
    }
    for (const [name, found] of Object.entries(value)) {
      if (name === '_id' && this.#options.id !== '_id') {
        throw new SinkRecordError(
          record,
          'the value has a field "_id", and "id" takes another: set "id": "_id", or "columns" without it',
        )
      }
      if (name !== '_id') this.#put(document, record, name, found)
    }
  }

  #put(document: Document, record: ConsumerRecord, name: string, value: unknown): void {
    if (name.startsWith('$')) throw refused(record, name, 'it begins with $, as operators do')
    set(document, name, this.#bsonOf(record, name, value, 1))
  }

  #ownOf(name: RecordColumn, record: ConsumerRecord, value: unknown): unknown {
    const { valueType } = this.#options
    if (name === '$timestamp') return new Date(record.timestamp)
    if (name === '$value' && valueType === 'json') return this.#bsonOf(record, name, value, 1)
    return this.#bsonOf(record, name, recordField(name, record, value, valueType), 1)
  }

  #bsonOf(record: ConsumerRecord, name: string, value: unknown, depth: number): unknown {
    if (name.includes('\0')) throw refused(record, name, 'it has a NUL')
    if (name === '_bsontype') throw refused(record, name, 'the driver would take its object for a value of its own')
    if (typeof value === 'number') {
      const isLong = Number.isSafeInteger(value) && (value >= INT32 || value < -INT32)
      return isLong ? this.#bson.Long.fromNumber(value) : value
    }
    if (typeof value === 'bigint') {
      if (BigInt.asIntN(64, value) === value) return this.#bson.Long.fromBigInt(value)
      throw new SinkRecordError(record, `"${name}" is ${described(value)}, and whole numbers have 64 bits`)
    }
    if (typeof value === 'string' && !value.isWellFormed())
      throw new SinkRecordError(
        record,
        `"${name}" is ${described(value)}, with half of a surrogate pair, which UTF-8 cannot hold`,
      )
    if (typeof value !== 'object' || value === null) return value
    if (Buffer.isBuffer(value)) return new this.#bson.Binary(value)
    if (depth >= MOST_DEPTH) throw refused(record, name, `it is more than ${MOST_DEPTH} objects deep`)
    if (Array.isArray(value)) return value.map((one, index) => this.#bsonOf(record, String(index), one, depth + 1))
    const nested: Document = {}
    for (const [key, one] of Object.entries(value)) set(nested, key, this.#bsonOf(record, key, one, depth + 1))
    return nested
  }

  #checkSize(record: ConsumerRecord, document: Document): void {
    if ((record.value?.length ?? 0) * GROWTH < MOST_DOCUMENT_BYTES) return
    const bytes = this.#bson.calculateObjectSize(document)
    if (bytes <= MOST_DOCUMENT_BYTES) return
    throw new SinkRecordError(
      record,
      `its document takes ${bytes} bytes, and MongoDB’s have at most ${MOST_DOCUMENT_BYTES}`,
    )
  }
}

/** `__proto__` is a name like any other. */
function set(document: Document, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(document, name, { value, enumerable: true, configurable: true, writable: true })
  else document[name] = value
}

function fieldOf(name: string, record: ConsumerRecord, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SinkRecordError(record, `the value is ${described(value)}, and "${name}" is a field of a JSON object`)
  }
  if (Object.hasOwn(value, name)) return (value as Record<string, unknown>)[name]
  throw new SinkRecordError(record, `the value has no field "${name}"${didYouMean(name, Object.keys(value))}`)
}

function refused(record: ConsumerRecord, name: string, why: string): SinkRecordError {
  return new SinkRecordError(record, `MongoDB has no field ${JSON.stringify(name)}: ${why}`)
}
