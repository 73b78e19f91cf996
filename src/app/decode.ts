/** Turns a record's value into what the application's `value` says it is. Knows nothing of what becomes of it. */
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import type { ValueType } from '../sinks/sink.ts'
import { ValueDecodeError } from './errors.ts'

/** Throws `ValueDecodeError` for a value that is not what it should be. null (a tombstone) is null for every type. */
export type ValueDecoder = (record: ConsumerRecord) => unknown

const shownCharacters = 60

const decoders: Readonly<Record<ValueType, ValueDecoder>> = {
  string: (record) => record.valueText(),
  bytes: (record) => record.value,
  json: decodeJson,
}

export function valueDecoder(type: ValueType): ValueDecoder {
  return decoders[type]
}

function decodeJson(record: ConsumerRecord): unknown {
  const text = record.valueText()
  if (text === null) return null
  try {
    return JSON.parse(text)
  } catch (error) {
    const start = text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
    throw new ValueDecodeError(record, `the value is not JSON: ${JSON.stringify(start)}`, error)
  }
}
