/** What a record becomes when nobody can do anything with it: the same key, value and headers in another topic, and why in more headers. */
import type { ProducerRecord } from '../client/producer/record.ts'
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { SluiceError } from '../error.ts'

export interface FailedRecord {
  readonly record: ConsumerRecord
  readonly error: Error
  /** How often it was tried. */
  readonly attempts: number
}

/** Longest message and stack in a header, in characters: a record that just fitted its topic should fit the other one. */
const MESSAGE_LENGTH = 1000
const STACK_LENGTH = 4000

export const deadLetterHeaders = {
  topic: 'sluice-original-topic',
  partition: 'sluice-original-partition',
  offset: 'sluice-original-offset',
  timestamp: 'sluice-original-timestamp',
  group: 'sluice-group',
  errorClass: 'sluice-error-class',
  errorMessage: 'sluice-error-message',
  errorStack: 'sluice-error-stack',
  attempts: 'sluice-attempts',
} as const

const own: ReadonlySet<string> = new Set(Object.values(deadLetterHeaders))

export function deadLetterTopicOf(topic: string, configured: string | undefined): string {
  return configured ?? `${topic}-dlt`
}

/** All header values are text. Headers of these names that an earlier round left are replaced. */
export function deadLetterRecord(
  { record, error, attempts }: FailedRecord,
  topic: string,
  group: string,
): ProducerRecord {
  const name = deadLetterHeaders
  const about: readonly (readonly [string, string])[] = [
    [name.topic, record.topic],
    [name.partition, String(record.partition)],
    [name.offset, String(record.offset)],
    [name.timestamp, String(record.timestamp)],
    [name.group, group],
    [name.errorClass, classOf(error)],
    [name.errorMessage, error.message.slice(0, MESSAGE_LENGTH)],
    [name.errorStack, (error.stack ?? '').slice(0, STACK_LENGTH)],
    [name.attempts, String(attempts)],
  ]
  const kept = record.headers.filter(({ key }) => !own.has(key))
  return {
    topic,
    key: record.key,
    value: record.value,
    timestamp: record.timestamp < 0 ? undefined : record.timestamp,
    headers: [
      ...kept.map(({ key, value }) => ({ key, value: value ?? '' })),
      ...about.map(([key, value]) => ({ key, value })),
    ],
  }
}

/** `SLUICE_…` for an error of Sluice's own; else its name, or its class where it was given no name of its own. */
export function classOf(error: Error): string {
  if (error instanceof SluiceError) return error.code
  return inherited.has(error.name) ? error.constructor.name : error.name
}

/** Names that a subclass has without having said so. */
const inherited: ReadonlySet<string> = new Set(['Error', 'FatalError', 'RetriableError', 'BatchFailedError'])
