/** How `sluice consume` prints one record: as kafka-console-consumer does by its properties, or as a line of JSON. */
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { exactJsonText } from '../protocol/records/exact-json.ts'
import { didYouMean } from '../sinks/registry.ts'
import { UsageError } from './exit.ts'

const defaults: Readonly<Record<string, string>> = {
  'print.timestamp': 'false',
  'print.partition': 'false',
  'print.offset': 'false',
  'print.headers': 'false',
  'print.key': 'false',
  'print.value': 'true',
  'key.separator': '\t',
  'line.separator': '\n',
  'headers.separator': ',',
  'null.literal': 'null',
}

export function recordFormatter(
  given: Readonly<Record<string, string>>,
  json: boolean,
): (record: ConsumerRecord) => string {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(defaults, name)) {
      const names = Object.keys(defaults)
      throw new UsageError(`--property ${name} is not known${didYouMean(name, names)}; known are ${names.join(', ')}`)
    }
  }
  if (json) return jsonLine
  const properties = { ...defaults, ...given }
  const isOn = (name: string) => properties[name]!.toLowerCase() === 'true'
  const nothing = properties['null.literal']!
  const parts: ((record: ConsumerRecord) => string)[] = []
  if (isOn('print.timestamp'))
    parts.push((record) => (record.timestamp < 0 ? 'NO_TIMESTAMP' : `${record.timestampType}:${record.timestamp}`))
  if (isOn('print.partition')) parts.push((record) => `Partition:${record.partition}`)
  if (isOn('print.offset')) parts.push((record) => `Offset:${record.offset}`)
  if (isOn('print.headers')) parts.push((record) => headersText(record, properties['headers.separator']!, nothing))
  if (isOn('print.key')) parts.push((record) => textOf(keyOf(record)) ?? nothing)
  if (isOn('print.value')) parts.push((record) => textOf(valueOf(record)) ?? nothing)
  return (record) => parts.map((part) => part(record)).join(properties['key.separator']) + properties['line.separator']
}

/** Text, or what the consumer's deserializer gave. */
function keyOf(record: ConsumerRecord): unknown {
  const key: unknown = record.key
  return Buffer.isBuffer(key) ? record.keyText() : key
}

function valueOf(record: ConsumerRecord): unknown {
  const value: unknown = record.value
  return Buffer.isBuffer(value) ? record.valueText() : value
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null
  return typeof value === 'string' ? value : exactJsonText(value)
}

function headersText({ headers }: ConsumerRecord, separator: string, nothing: string): string {
  if (headers.length === 0) return 'NO_HEADERS'
  return headers.map(({ key, value }) => `${key}:${value === null ? nothing : value.toString()}`).join(separator)
}

function jsonLine(record: ConsumerRecord): string {
  const { topic, partition, offset, timestamp, timestampType, headers } = record
  const fields = {
    topic,
    partition,
    offset,
    timestamp,
    timestampType,
    key: keyOf(record),
    value: valueOf(record),
  }
  const texts = headers.map(({ key, value }) => ({ key, value: value === null ? null : value.toString() }))
  return `${exactJsonText({ ...fields, headers: texts })}\n`
}
