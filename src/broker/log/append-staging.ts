/**
 * Gives one append its offsets and lets the producers' states say whether it may be stored. What happens here is taken back by
 * `ProducerStates.rollBack` if the write that follows fails.
 */
import { controlBatch } from '../../protocol/records/batch-writer.ts'
import { RecordBatch } from '../../protocol/records/record-batch.ts'
import { type AppendOrigin, type AppendResult, type ControlAppend } from './partition-types.ts'
import { type CompletedTransaction, type ProducerStates } from './producer-state.ts'

/** A marker is always as long: 61 bytes of header, 17 of record. */
export const CONTROL_BATCH_BYTES = 78

/** Either `batches` or `control`. */
export interface PendingAppend {
  readonly batches: RecordBatch[] | undefined
  readonly control: ControlAppend | undefined
  readonly origin: AppendOrigin
  readonly sizeInBytes: number
}

export interface Staging {
  readonly producers: ProducerStates
  readonly leaderEpoch: number
  readonly logStartOffset: number
  readonly nowMs: number
  readonly usesLogAppendTime: boolean
}

/** `added` is what has to be written: nothing for a duplicate. Transactions that end are put into `completed`. Throws LogRefusal. */
export function stageAppend(
  { batches, control, origin }: PendingAppend,
  offset: number,
  completed: CompletedTransaction[],
  staging: Staging,
): { result: AppendResult; added: readonly RecordBatch[] } {
  const { producers, leaderEpoch, logStartOffset, nowMs } = staging
  if (control) {
    const ended = producers.endTransaction({ ...control, timestamp: nowMs }, offset)
    if (ended) completed.push(ended)
    const marker = new RecordBatch(controlBatch({ ...control, timestamp: nowMs, baseOffset: offset }))
    marker.setLeaderEpoch(leaderEpoch)
    const result = { baseOffset: offset, lastOffset: offset, logAppendTimeMs: -1, logStartOffset, duplicate: false }
    return { result, added: [marker] }
  }
  const logAppendTimeMs = staging.usesLogAppendTime ? nowMs : -1
  let nextOffset = offset
  for (const batch of batches!) {
    const duplicate = origin === 'client' && batch.producerId >= 0 ? producers.duplicateOf(batch) : undefined
    if (duplicate) {
      const { lastOffset, offsetDelta, timestamp } = duplicate
      const baseOffset = lastOffset - offsetDelta
      const stamp = staging.usesLogAppendTime ? timestamp : -1
      return { result: { baseOffset, lastOffset, logAppendTimeMs: stamp, logStartOffset, duplicate: true }, added: [] }
    }
    batch.setBaseOffset(nextOffset)
    batch.setLeaderEpoch(leaderEpoch)
    if (staging.usesLogAppendTime) batch.setLogAppendTime(nowMs)
    if (batch.producerId >= 0) producers.append(batch, origin)
    nextOffset = batch.nextOffset
  }
  const result = { baseOffset: offset, lastOffset: nextOffset - 1, logAppendTimeMs, logStartOffset, duplicate: false }
  return { result, added: batches! }
}
