/**
 * Turns records into what the application's `key` and `value` say they are. Knows nothing of what becomes of them.
 *
 * Sinks ask a record for texts (`keyText`, `valueText`) and get values beside it. Where the record's own bytes are not such a text (a long, Avro …), they
 * get a view of the record that has the text of what was decoded; with `string`, `json` and `bytes` alone they get the record itself.
 */
import { type DeserializerName, deserializers } from '../client/serialization/deserializers.ts'
import { SluiceError } from '../error.ts'
import { FormatUnavailableError, SchemaRegistryRefusedError } from '../formats/errors.ts'
import { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import type { RecordPart } from '../protocol/records/deserialized-record.ts'
import { exactJsonText } from '../protocol/records/exact-json.ts'
import type { ValueType } from '../sinks/sink.ts'
import { ValueDecodeError } from './errors.ts'

/** What the bytes of one part are turned into; a promise when that has to be waited for. Never called for null. */
export type PartDecoder = (data: Buffer, record: ConsumerRecord, part: RecordPart) => unknown

/** Records that were decoded, and their values: index for index. */
export interface DecodedBatch {
  readonly records: ConsumerRecord[]
  readonly values: unknown[]
}

export interface RecordDecoder {
  /** What sinks take the values for. */
  readonly valueType: ValueType
  /**
   * Adds the record and its value. Whatever it throws, nothing was added.
   *
   * @throws ValueDecodeError: this record is no such value. A retriable error: it may be later. Any other: the application is at fault
   */
  decode(record: ConsumerRecord, into: DecodedBatch): void | Promise<void>
}

export interface DecodedParts {
  /** undefined leaves the key to the sink: text, or bytes where values are bytes. */
  readonly key?: PartDecoder | undefined
  readonly value: DeserializerName | PartDecoder
}

/** What sinks take a format's values for: text, bytes, or values with the text of their JSON. */
const valueTypes: Readonly<Partial<Record<DeserializerName, ValueType>>> = {
  string: 'string',
  uuid: 'string',
  bytes: 'bytes',
}

export function recordDecoder({ key, value }: DecodedParts): RecordDecoder {
  const valueType = typeof value === 'function' ? 'json' : (valueTypes[value] ?? 'json')
  if (!key && value === 'string') return { valueType, decode: addText }
  if (!key && value === 'bytes') return { valueType, decode: addBytes }
  if (!key && value === 'json') return { valueType, decode: addJson }
  const decodeValue = typeof value === 'function' ? value : deserializers[value]
  const hasOwnText = value === 'string' || value === 'json' || value === 'bytes'
  return {
    valueType,
    decode: (record, into) => {
      const add = (decodedKey: unknown, decodedValue: unknown) => {
        const parts = { key: key && decodedKey, value: hasOwnText ? undefined : decodedValue }
        into.records.push(record.viewedAs(DecodedRecord).withParts(parts))
        into.values.push(decodedValue)
      }
      const withKey = (decodedKey: unknown): void | Promise<void> => {
        const found = decodePart(decodeValue, record, 'value', record.value)
        return isPromise(found) ? found.then((decodedValue) => add(decodedKey, decodedValue)) : add(decodedKey, found)
      }
      const found = key === undefined ? undefined : decodePart(key, record, 'key', record.key)
      return isPromise(found) ? found.then(withKey) : withKey(found)
    },
  }
}

function addText(record: ConsumerRecord, { records, values }: DecodedBatch): void {
  records.push(record)
  values.push(record.valueText())
}

function addBytes(record: ConsumerRecord, { records, values }: DecodedBatch): void {
  records.push(record)
  values.push(record.value)
}

function addJson(record: ConsumerRecord, { records, values }: DecodedBatch): void {
  const value = decodePart(deserializers.json, record, 'value', record.value)
  records.push(record)
  values.push(value)
}

function decodePart(decode: PartDecoder, record: ConsumerRecord, part: RecordPart, data: Buffer | null): unknown {
  if (data === null) return null
  try {
    const found = decode(data, record, part)
    if (!isPromise(found)) return found
    return found.catch((error: unknown) => {
      throw failureOf(error, record, part)
    })
  } catch (error) {
    throw failureOf(error, record, part)
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise
}

/** Whose fault it is: what can pass by itself and what somebody has to repair is no record's. */
function failureOf(error: unknown, record: ConsumerRecord, part: RecordPart): unknown {
  if (error instanceof SluiceError && error.retriable) return error
  if (error instanceof SchemaRegistryRefusedError || error instanceof FormatUnavailableError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new ValueDecodeError(record, part, reason, error)
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null
  return typeof value === 'string' ? value : exactJsonText(value)
}

/** What `key` says that the key is: text, unless it says otherwise. */
export function decodedKey(record: ConsumerRecord): unknown {
  return record instanceof DecodedRecord ? record.decodedKey : record.keyText()
}

/** What was decoded; undefined leaves the record's own text. */
interface Parts {
  readonly key: unknown
  readonly value: unknown
}

/** A record whose texts are those of what its parts were decoded into. Its bytes are what they were. */
class DecodedRecord extends ConsumerRecord {
  #parts: Parts = { key: undefined, value: undefined }

  withParts(parts: Parts): this {
    this.#parts = parts
    return this
  }

  get decodedKey(): unknown {
    const { key } = this.#parts
    return key === undefined ? super.keyText() : key
  }

  override keyText(): string | null {
    const { key } = this.#parts
    return key === undefined ? super.keyText() : textOf(key)
  }

  override valueText(): string | null {
    const { value } = this.#parts
    return value === undefined || value === null ? super.valueText() : exactJsonText(value)
  }
}
