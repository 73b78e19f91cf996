/** What a handler module exports, what its function is called with, and the errors by which it says what is to become of a record. */
import type { Logger } from '../seams/logger.ts'
import type { ProducerRecord } from '../client/producer/record.ts'
import { decodedKey } from './decode.ts'
import type { ConsumerRecord, RecordHeader, TimestampType } from '../protocol/records/consumer-record.ts'

/** A record as a handler sees it: `key` and `value` are what the application's `key` and `value` say. */
export class HandlerRecord<V = unknown, K = string> {
  readonly #record: ConsumerRecord
  readonly value: V

  constructor(record: ConsumerRecord, value: V) {
    this.#record = record
    this.value = value
  }

  get topic(): string {
    return this.#record.topic
  }

  get partition(): number {
    return this.#record.partition
  }

  get offset(): number {
    return this.#record.offset
  }

  /** Milliseconds since 1970; -1 when the producer gave none. */
  get timestamp(): number {
    return this.#record.timestamp
  }

  get timestampType(): TimestampType {
    return this.#record.timestampType
  }

  /** The key as UTF-8, or what `key` says that it is; null when the record has none. */
  get key(): K | null {
    return decodedKey(this.#record) as K | null
  }

  get keyBytes(): Buffer | null {
    return this.#record.key
  }

  /** null is a tombstone. */
  get valueBytes(): Buffer | null {
    return this.#record.value
  }

  get headers(): readonly RecordHeader[] {
    return this.#record.headers
  }
}

/** Sends for the record that is being handled. The record counts as done only when all that was sent for it is acknowledged. */
export interface HandlerProducer {
  /**
   * Resolves when the brokers have acknowledged the record (`acks=all`). With `exactly.once` it resolves at once: the record is held, and goes
   * out in one transaction with the handled record's offset; what a failed attempt sent is dropped.
   */
  send(record: ProducerRecord): Promise<void>
}

export interface HandlerContext {
  /** Lines get the consumer's name and the record's place. */
  readonly logger: Logger
  /** Aborts when the result will not count any more: the partition is another member's, or the time for a clean stop is over. */
  readonly signal: AbortSignal
  /** From 1. */
  readonly attempt: number
  /** The `group.id`. */
  readonly application: string
  /** `consumer-thread-0` */
  readonly consumer: string
  readonly producer: HandlerProducer
}

/** `export default` or `export function handle`: called with one record. A throw or a rejection is a failed attempt. */
export type RecordHandler<V = unknown> = (record: HandlerRecord<V>, context: HandlerContext) => unknown

/** `export function handleBatch`: called with records of one partition, in offset order. */
export type BatchHandler<V = unknown> = (records: readonly HandlerRecord<V>[], context: HandlerContext) => unknown

/** The same again cannot succeed: no retry, `on.failure` decides at once. So does any error with `retriable: false`. */
export class FatalError extends Error {
  readonly retriable = false
  override readonly name = 'FatalError'
}

/** The same again can succeed. Any other error is taken for such, too; this one may say when. */
export class RetriableError extends Error {
  readonly retriable = true
  override readonly name = 'RetriableError'
  /** The least to wait before the next attempt; undefined leaves it to the backoff. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, { retryAfterMs, cause }: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, { cause })
    this.retryAfterMs = retryAfterMs
  }
}

/** Thrown by a batch handler: `records[index]` failed for `cause`, those before it are done and not handed out again. */
export class BatchFailedError extends Error {
  readonly index: number
  override readonly name = 'BatchFailedError'

  constructor(index: number, cause: unknown) {
    super(`record ${index} of the batch: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.index = index
  }
}
