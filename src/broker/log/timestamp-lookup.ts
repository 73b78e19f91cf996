/** Finds records by their timestamps: the time index says where to begin, the records themselves say which it is. */
import { type ConsumerRecord } from '../../protocol/records/consumer-record.ts'
import { RecordCursor } from '../../protocol/records/record-cursor.ts'
import { RecordBatch } from '../../protocol/records/record-batch.ts'
import { type TimestampAndOffset } from './partition-types.ts'
import { type Segment } from './segment.ts'

interface Place {
  readonly topic: string
  readonly partition: number
}

/** The first record at or behind `logStartOffset` whose timestamp is `timestampMs` or later. */
export async function offsetForTimestampIn(
  segments: readonly Segment[],
  timestampMs: number,
  logStartOffset: number,
  place: Place,
): Promise<TimestampAndOffset | undefined> {
  for (const segment of segments) {
    await segment.loadIndexes()
    if (segment.largestTimestamp < timestampMs) continue
    let found: TimestampAndOffset | undefined
    await segment.scan(await segment.positionOfTime(timestampMs), (batch) => {
      if (batch.maxTimestamp < timestampMs || batch.lastOffset < logStartOffset || batch.isControl) return true
      found = firstInBatch(batch, place, logStartOffset, (record) => record.timestamp >= timestampMs)
      return found === undefined
    })
    if (found) return found
  }
  return undefined
}

/** The first of the records with the greatest timestamp. */
export async function maxTimestampIn(
  segments: readonly Segment[],
  logStartOffset: number,
  place: Place,
): Promise<TimestampAndOffset | undefined> {
  let latest: Segment | undefined
  for (const segment of segments) {
    await segment.loadIndexes()
    if (segment.largestTimestamp > (latest?.largestTimestamp ?? -1)) latest = segment
  }
  if (!latest) return undefined
  const timestamp = latest.largestTimestamp
  let found: TimestampAndOffset | undefined
  await latest.scan(await latest.positionOfTime(timestamp), (batch) => {
    if (batch.maxTimestamp !== timestamp || batch.lastOffset < logStartOffset) return true
    found = firstInBatch(batch, place, logStartOffset, (record) => record.timestamp === timestamp)
    return found === undefined
  })
  return found
}

function firstInBatch(
  batch: RecordBatch,
  { topic, partition }: Place,
  fromOffset: number,
  matches: (record: ConsumerRecord) => boolean,
): TimestampAndOffset | undefined {
  const records: ConsumerRecord[] = []
  new RecordCursor(batch, topic, partition).take(records, Number.MAX_SAFE_INTEGER, fromOffset)
  const record = records.find(matches)
  return record && { timestamp: record.timestamp, offset: record.offset, leaderEpoch: batch.partitionLeaderEpoch }
}
