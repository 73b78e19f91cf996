/**
 * One partition's work, as the pipeline sees it: records are pushed in, and `durable` says up to where nothing of them is needed again. What is
 * done with them is a lane's own business: lane.ts stores them in a sink, handler-lane.ts hands them to a handler.
 */
import type { ProducerRecord } from '../client/producer/record.ts'
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import type { SinkEndedError, SinkFencedError, SinkRecordError } from '../sinks/sink.ts'

export type LaneState =
  | { readonly kind: 'running' }
  | { readonly kind: 'fenced'; readonly error: SinkFencedError }
  | { readonly kind: 'refused'; readonly error: SinkRecordError }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'ended'; readonly error: SinkEndedError }
  | { readonly kind: 'closed' }

/** How long a lane may take to close. */
export interface ClosingLimits {
  /** Everything ends. */
  readonly signal: AbortSignal
  /** Until then what was pushed may be worked off too; a handler that runs is told to come to its end. */
  readonly drain?: AbortSignal
  /** A handler that runs on is not waited for any more: what others have done is still to be committed. */
  readonly work?: AbortSignal
}

export interface Lane {
  readonly state: LaneState
  /** Everything below is stored or handled for good. */
  readonly durable: number | undefined
  /** Where reading begins again when the store does not say: nothing from here on is known to be done. */
  readonly restartAt: number | undefined
  /** Bytes of what was pushed and is not done with, and of what was made of it and waits for a commit. */
  readonly pendingBytes: number
  /** Records that are done with. */
  readonly storedRecords: number
  /** Nothing is under way, nothing waits to be. */
  readonly isIdle: boolean
  /** What is under way waits for a time to come: others need not wait for it. */
  readonly isWaiting: boolean
  /** Takes what a poll returned: records in offset order, and the position after them. */
  push(records: readonly ConsumerRecord[], next: number): void
  /** Takes nothing more, and finishes what is under way within the limits. `durable` does not move afterwards. */
  close(limits: ClosingLimits): Promise<void>
  /** Another member may own the partition: starts nothing more, aborts what is under way. */
  abort(): Promise<void>
}

/** Measured: a record's view, its place in a list, and its share of its batch's frame. */
const VIEW_BYTES = 96

/** What a record keeps in memory. */
export function sizeOf(record: ConsumerRecord): number {
  const { serializedKeySize, serializedValueSize, serializedHeadersSize } = record
  return Math.max(0, serializedKeySize) + Math.max(0, serializedValueSize) + serializedHeadersSize + VIEW_BYTES
}

/** What is sent, and waits for its transaction, keeps in memory. */
export function sizeOfOutputs(records: readonly ProducerRecord[]): number {
  let size = 0
  for (const { key, value, headers = [] } of records) {
    size += (key?.length ?? 0) + (value?.length ?? 0) + OUTPUT_BYTES
    for (const header of headers) size += header.key.length + (header.value?.length ?? 0) + OUTPUT_BYTES
  }
  return size
}

/** An object with a few fields, and a string or a buffer or two. */
const OUTPUT_BYTES = 160
