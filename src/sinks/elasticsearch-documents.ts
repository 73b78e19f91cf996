/**
 * Records as operations of the bulk API: two lines each, what to do and the document. Pure.
 *
 * | mode | operation | id | again |
 * |---|---|---|---|
 * | append | create | cluster, topic id, partition, offset | 409: it is there |
 * | upsert | index, or delete for a record without a value; external version: the offset | the key | 409: this or a later one is there |
 *
 * A document is the JSON value with the text that it came in, so that no number is rounded, unless columns are named.
 */
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { createEncoder, type Encoder, recordColumns } from './file-encoding.ts'
import { type SinkBatch, SinkRecordError, type ValueType } from './sink.ts'

/** Elasticsearch's limit. */
const MOST_ID_BYTES = 512

export interface Operation {
  readonly record: ConsumerRecord
  /** Both lines, each with its line end. */
  readonly text: string
}

export interface DocumentOptions {
  readonly mode: 'append' | 'upsert'
  readonly columns: readonly string[] | undefined
  readonly timestampField: string | undefined
  readonly valueType: ValueType
}

/** Where a partition's documents go, and what begins their ids. */
export interface Destination {
  readonly index: string
  /** `<cluster id>.<topic id>.<partition>.` */
  readonly idPrefix: string
}

export class DocumentEncoder {
  readonly #options: DocumentOptions
  /** undefined: the value is the document. */
  readonly #encoder: Encoder | undefined
  /** As they stand in a document: the record's own without their sign. */
  readonly #columnNames: readonly string[]

  constructor(options: DocumentOptions) {
    this.#options = options
    const { columns, valueType } = options
    const own: readonly string[] = recordColumns
    this.#columnNames = (columns ?? own).map((column) => (own.includes(column) ? column.slice(1) : column))
    const isDocument = columns === undefined && valueType === 'json'
    this.#encoder = isDocument ? undefined : createEncoder({ format: 'jsonl', columns, delimiter: ',', valueType })
  }

  /** @throws SinkRecordError for a record that can be no document */
  encode(batch: SinkBatch, destination: Destination): Operation[] {
    const { records, values } = batch
    const kept = this.#options.mode === 'upsert' ? records.map(({ value }) => value !== null) : undefined
    const documents = this.#documentsOf(batch, kept)
    return records.map((record, index) => {
      const document = documents[index]
      const action = this.#actionOf(record, destination, document === undefined)
      const text =
        document === undefined ? `${action}\n` : `${action}\n${this.#stamped(document, record, values[index])}\n`
      return { record, text }
    })
  }

  /** @param kept which records have a document; undefined: all */
  #documentsOf({ topicPartition, first, next, records, values }: SinkBatch, kept: readonly boolean[] | undefined) {
    const documents = Array.from<string | undefined>({ length: records.length })
    for (const [index, record] of records.entries()) {
      if (kept && !kept[index]) continue
      const value = values[index]
      if (this.#encoder) {
        const one = { topicPartition, first, next, records: [record], values: [value] }
        documents[index] = this.#encoder.encode(one).slice(0, -1)
      } else documents[index] = documentOf(record, value)
    }
    return documents
  }

  #actionOf(record: ConsumerRecord, { index, idPrefix }: Destination, isDelete: boolean): string {
    const { offset } = record
    if (this.#options.mode === 'append') {
      return JSON.stringify({ create: { _index: index, _id: `${idPrefix}${offset}` } })
    }
    const id = record.keyText()
    if (id === null || id === '')
      throw new SinkRecordError(record, 'it has no key, and "mode": "upsert" makes the id of it')
    const bytes = Buffer.byteLength(id)
    if (bytes > MOST_ID_BYTES) {
      throw new SinkRecordError(record, `its key has ${bytes} bytes, and an id has at most ${MOST_ID_BYTES}`)
    }
    const target = { _index: index, _id: id, version: offset, version_type: 'external' }
    return JSON.stringify(isDelete ? { delete: target } : { index: target })
  }

  #stamped(document: string, record: ConsumerRecord, value: unknown): string {
    const { timestampField: field } = this.#options
    if (field === undefined) return document
    if (this.#encoder ? this.#columnNames.includes(field) : Object.hasOwn(value as object, field)) return document
    const rest = document.slice(document.indexOf('{') + 1)
    const isEmpty = rest.trim() === '}'
    return `{${JSON.stringify(field)}:${record.timestamp}${isEmpty ? '' : ','}${rest}`
  }
}

function documentOf(record: ConsumerRecord, value: unknown): string {
  if (value === null || value === undefined) {
    throw new SinkRecordError(record, 'it has no value, and a document is a JSON object')
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    const found = Array.isArray(value) ? 'an array' : `a ${typeof value}`
    throw new SinkRecordError(record, `the value is ${found}, and a document is a JSON object`)
  }
  // A line break stands between JSON's tokens, never inside a string; here it would end the document.
  return record.valueText()!.replace(/[\r\n]/g, ' ')
}
