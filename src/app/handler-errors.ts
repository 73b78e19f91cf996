/** What a handler's error says, and where it came about. */
import { bytesOf, headersOf, type ProducerRecord } from '../client/producer/record.ts'
import { inspect } from 'node:util'
import type { Logger } from '../seams/logger.ts'
import type { HandlerContext, HandlerRecord } from './handler.ts'

/**
 * The user's module may have loaded another copy of Sluice than the one that runs it, whose classes are not ours: errors are told apart by what they
 * say, never by their class.
 */
export function isFatal(error: Error): boolean {
  const says = (one: unknown) => (one as { retriable?: unknown } | undefined)?.retriable === false
  return says(error) || (failedIndex(error) !== undefined && says(error.cause))
}

/** Which record of a batch an error is about, for a `BatchFailedError`. */
export function failedIndex(error: Error): number | undefined {
  const { name, index } = error as { name: string; index?: unknown }
  return name === 'BatchFailedError' && typeof index === 'number' && index >= 0 ? index : undefined
}

/** What failed, for a batch's record: its own error, where there is one. */
export function causeOf(error: Error): Error {
  return failedIndex(error) !== undefined && error.cause instanceof Error ? error.cause : error
}

/** What is thrown need not be an error. What it says of itself (`retriable`, `name`) holds all the same. */
export function errorOf(thrown: unknown): Error {
  if (thrown instanceof Error && typeof thrown.message === 'string') return thrown
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown && typeof thrown.message === 'string') {
    return Object.assign(new Error(thrown.message, { cause: thrown }), thrown)
  }
  return new Error(`the handler threw what is no error: ${inspect(thrown)}`, { cause: thrown })
}

export async function tooLate({ logger }: HandlerContext): Promise<void> {
  const error = new Error('the handler has resolved: await what is to be sent within it')
  logger.error({}, `not sent: ${error.message}`)
  throw error
}

/** What cannot be sent is found out now: in the transaction it would fail every other record's output too. */
export async function hold(record: ProducerRecord, outputs: ProducerRecord[]): Promise<void> {
  bytesOf(record.key, 'key')
  bytesOf(record.value, 'value')
  headersOf(record.headers)
  outputs.push(record)
}

/** Where in the user's own code it came about: from the call of the handler on, the rest is ours. */
export function stackOf({ stack }: Error): { stack?: string } {
  const lines = stack?.split('\n') ?? []
  const end = lines.findIndex((line) => line.includes('#attempt ('))
  return { stack: lines.slice(0, end < 0 ? lines.length : end).join('\n') }
}

export function placed(logger: Logger, { topic, partition, offset }: HandlerRecord): Logger {
  const at = (level: keyof Logger) => (fields: object, message: string) =>
    logger[level]({ topic, partition, offset, ...fields }, `${topic}-${partition} offset ${offset}: ${message}`)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
