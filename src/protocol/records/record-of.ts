/** Makes a consumer record out of its parts, for tests and for whoever has no batch to read from. Not for the hot path. */
import { RecordBatchWriter, type RecordInput } from './batch-writer.ts'
import { ConsumerRecord } from './consumer-record.ts'
import { RecordBatch } from './record-batch.ts'
import { RecordCursor } from './record-cursor.ts'

export interface RecordParts {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970. Default 0. */
  readonly timestamp?: number
  /** A string is taken as UTF-8. Default null. */
  readonly key?: string | Uint8Array | null
  /** A string is taken as UTF-8. Default null. */
  readonly value?: string | Uint8Array | null
  readonly headers?: RecordInput['headers']
  readonly leaderEpoch?: number
}

export function recordOf({
  topic,
  partition,
  offset,
  timestamp = 0,
  key,
  value,
  headers,
  leaderEpoch,
}: RecordParts): ConsumerRecord {
  const writer = new RecordBatchWriter()
  writer.append({ key: bytesOf(key), value: bytesOf(value), headers, timestamp })
  const batch = new RecordBatch(writer.build({ baseOffset: offset, partitionLeaderEpoch: leaderEpoch }))
  const records: ConsumerRecord[] = []
  new RecordCursor(batch, topic, partition).take(records, 1, offset)
  return records[0]!
}

function bytesOf(value: string | Uint8Array | null | undefined): Uint8Array | null {
  return typeof value === 'string' ? Buffer.from(value) : (value ?? null)
}
