/**
 * Which segments a topic with `cleanup.policy=delete` has to let go, oldest first and whole ones only: `retention.ms` by the greatest
 * timestamp of a segment, `retention.bytes` as long as what is left is still that large. Kafka's UnifiedLog.deleteOldSegments.
 */
import { type PartitionLog } from './partition-log.ts'

export async function applyRetention(log: PartitionLog, nowMs: number): Promise<void> {
  if (!log.config.cleanupDelete) return
  await log.deleteOldest(await countExpired(log, nowMs))
  await log.deleteOldest(countExcess(log))
}

async function countExpired(log: PartitionLog, nowMs: number): Promise<number> {
  const { retentionMs } = log.config
  if (retentionMs < 0) return 0
  const { segments, lastStableOffset } = log
  for (const [at, segment] of segments.entries()) {
    const end = segments[at + 1]?.baseOffset ?? log.logEndOffset
    await segment.loadIndexes()
    // An open transaction still needs its records. Records without timestamps have no age.
    const isEmptyActive = segment.sizeInBytes === 0 && at === segments.length - 1
    if (isEmptyActive || end > lastStableOffset) return at
    // Compaction may have left nothing in it.
    if (segment.sizeInBytes === 0) continue
    if (segment.largestTimestamp < 0 || nowMs - segment.largestTimestamp <= retentionMs) return at
  }
  return segments.length
}

function countExcess(log: PartitionLog): number {
  const { retentionBytes } = log.config
  if (retentionBytes < 0) return 0
  const { segments, lastStableOffset } = log
  let excess = log.sizeInBytes - retentionBytes
  for (const [at, segment] of segments.entries()) {
    const end = segments[at + 1]?.baseOffset ?? log.logEndOffset
    const isEmptyActive = segment.sizeInBytes === 0 && at === segments.length - 1
    if (isEmptyActive || end > lastStableOffset || excess < segment.sizeInBytes) return at
    excess -= segment.sizeInBytes
  }
  return segments.length
}
