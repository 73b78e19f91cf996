/**
 * How the log says no: a `KafkaError` that also carries the words for the client, apart from what was being done here. Handlers
 * put `error.code` into the answer's `errorCode` and `reason` into its `errorMessage`.
 */
import { codeOf, errorOf, KafkaError, type ErrorName } from '../../protocol/error-codes.ts'

/** A record of a batch that was refused: its place in the batch, and why. Produce answers carry these from version 8 on. */
export interface RecordRefusal {
  readonly batchIndex: number
  readonly message: string
}

export class LogRefusal extends KafkaError {
  /** For the client's eyes: `errorMessage` of an answer. */
  readonly reason: string
  readonly recordRefusals: readonly RecordRefusal[]

  constructor(name: ErrorName, doing: string, reason: string, recordRefusals: readonly RecordRefusal[] = []) {
    super(codeOf(name), doing, reason)
    this.reason = reason
    this.recordRefusals = recordRefusals
  }
}

/** A refusal in Kafka's own words, unless better ones are given. */
export function refusal(
  name: ErrorName,
  doing: string,
  reason: string = errorOf(codeOf(name)).message,
  recordRefusals: readonly RecordRefusal[] = [],
): LogRefusal {
  return new LogRefusal(name, doing, reason, recordRefusals)
}

export function outOfRange(partition: string, offset: number, start: number, end: number): LogRefusal {
  return refusal(
    'OFFSET_OUT_OF_RANGE',
    `reading ${partition}`,
    `Received request for offset ${offset} for partition ${partition}, but we only have log segments from offset ${start} up to ${end}.`,
  )
}

export function beyondHighWatermark(partition: string, offset: number, highWatermark: number): string {
  return `Cannot increment the log start offset to ${offset} of partition ${partition} since it is larger than the high watermark ${highWatermark}`
}

export function storageRefusal(doing: string, directory: string, cause: unknown): LogRefusal {
  const why = cause instanceof Error ? cause.message : String(cause)
  return refusal('KAFKA_STORAGE_ERROR', doing, `Disk error in ${directory}: ${why}`)
}
