/**
 * Compacts the logs of topics with `cleanup.policy=compact`: rewrites closed segments with what `CompactionFilter` keeps, and puts them
 * in the place of the old ones (`segment-swap.ts`).
 *
 * Never touched: the active segment, what a transaction that is open has written and everything behind it, and what is younger than
 * `min.compaction.lag.ms`. The log is compacted when the part that was not compacted yet is `min.cleanable.dirty.ratio` of it, or has waited
 * for `max.compaction.lag.ms`. How far each log is compacted stands in Kafka's `cleaner-offset-checkpoint`.
 */
import { join } from 'node:path'
import { type RecordBatch } from '../../protocol/records/record-batch.ts'
import { type Clock } from '../../seams/clock.ts'
import { type Disk } from '../../seams/disk.ts'
import { type Logger } from '../../seams/logger.ts'
import { decodeCheckpoint, encodeCheckpoint, readText, writeAtomically } from './atomic-file.ts'
import { FrameWalker } from './batch-validation.ts'
import { AbortedTransactions, CompactionFilter, keyOf, recordBytes } from './compaction-filter.ts'
import { type PartitionLog } from './partition-log.ts'
import { LOG_SUFFIX, Segment, SegmentRetiredError } from './segment.ts'
import { CLEANED_SUFFIX, decideSwap, finishSwap } from './segment-swap.ts'

const CHECKPOINT_FILE = 'cleaner-offset-checkpoint'
/** With more keys than this a log is compacted in more than one run, so that memory stays bounded. */
const MOST_KEYS = 2_000_000
const GREATEST_RELATIVE_OFFSET = 0x7fffffff

interface Surroundings {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
}

interface Cleanable {
  readonly segments: readonly Segment[]
  /** Offset behind each of the segments. */
  readonly ends: readonly number[]
}

export class Compactor {
  readonly #surroundings: Surroundings
  readonly #mostKeys: number
  /** By `topic-partition`: everything below is compacted. */
  #cleanUpTo = new Map<string, { topic: string; partition: number; offset: number }>()
  #loaded = new Map<string, number>()
  #stored = ''

  constructor(surroundings: Surroundings, mostKeys: number = MOST_KEYS) {
    this.#surroundings = surroundings
    this.#mostKeys = mostKeys
  }

  async load(directory: string): Promise<void> {
    this.#loaded = decodeCheckpoint(await readText(this.#surroundings.disk, join(directory, CHECKPOINT_FILE)))
  }

  async store(directory: string): Promise<void> {
    const text = encodeCheckpoint([...this.#cleanUpTo.values()])
    if (text === this.#stored || this.#cleanUpTo.size === 0) return
    await writeAtomically(this.#surroundings.disk, join(directory, CHECKPOINT_FILE), text)
    this.#stored = text
  }

  forget(logs: readonly PartitionLog[]): void {
    for (const { topic, partition } of logs) {
      this.#cleanUpTo.delete(`${topic}-${partition}`)
      this.#loaded.delete(`${topic}-${partition}`)
    }
  }

  /** `force`: whether or not there is enough to be gained. */
  async compact(log: PartitionLog, force: boolean): Promise<void> {
    const now = this.#surroundings.clock.now()
    const cleanable = await cleanableOf(log, now)
    if (cleanable.segments.length === 0) return
    const cleanUpTo = this.#cleanUpToOf(log)
    if (!force && !(await isWorthwhile(log, cleanable, cleanUpTo, now))) return
    try {
      const aborted = new AbortedTransactions(log.transactions.within(0, Number.MAX_SAFE_INTEGER))
      const { latest, count } = await this.#latestOffsets(cleanable, cleanUpTo, aborted)
      const rules = {
        latest,
        aborted,
        producers: log.producerStates,
        nowMs: now,
        deleteRetentionMs: log.config.deleteRetentionMs,
      }
      const filter = new CompactionFilter(rules)
      for (const group of groupsOf(log, { segments: cleanable.segments.slice(0, count), ends: cleanable.ends })) {
        await this.#rewrite(log, group, filter)
      }
      const { topic, partition } = log
      this.#cleanUpTo.set(`${topic}-${partition}`, { topic, partition, offset: cleanable.ends[count - 1]! })
    } catch (error) {
      // Retention was faster: the next run sees what is left.
      if (!(error instanceof SegmentRetiredError)) throw error
    }
  }

  #cleanUpToOf(log: PartitionLog): number {
    const name = `${log.topic}-${log.partition}`
    const offset = this.#cleanUpTo.get(name)?.offset ?? this.#loaded.get(name) ?? 0
    // Behind the end after records were lost: then nothing is known.
    return offset > log.logEndOffset ? 0 : offset
  }

  /** The greatest offset of each key in what was not compacted yet, and how many segments that goes for. */
  async #latestOffsets(
    { segments, ends }: Cleanable,
    cleanUpTo: number,
    aborted: AbortedTransactions,
  ): Promise<{ latest: Map<string, number>; count: number }> {
    const latest = new Map<string, number>()
    for (const [at, segment] of segments.entries()) {
      if (ends[at]! <= cleanUpTo) continue
      await segment.scan(0, (batch) => {
        if (!batch.isControl && batch.lastOffset >= cleanUpTo && !aborted.holds(batch)) noteKeys(batch, latest)
      })
      if (latest.size > this.#mostKeys) return { latest, count: at + 1 }
    }
    return { latest, count: segments.length }
  }

  /** Writes what is kept of some segments into one, and puts it in their place. */
  async #rewrite(log: PartitionLog, group: readonly Segment[], filter: CompactionFilter): Promise<void> {
    const { disk } = this.#surroundings
    const { baseOffset } = group[0]!
    const indexIntervalBytes = () => log.config.indexIntervalBytes
    const place = { disk, directory: log.directory, baseOffset, indexIntervalBytes }
    const cleaned = await Segment.create({ ...place, suffix: CLEANED_SUFFIX })
    try {
      let changed = group.length > 1
      let waiting: RecordBatch[] = []
      const write = async () => {
        if (waiting.length > 0) await cleaned.append(waiting, false)
        waiting = []
      }
      const alreadyDropped = filter.droppedAborts.length
      for (const segment of group) {
        const { problem } = await segment.scan(
          0,
          (batch) => {
            const kept = filter.keep(batch)
            changed ||= kept !== batch
            if (kept) waiting.push(kept)
          },
          { afterChunk: write },
        )
        if (problem)
          throw new Error(`the segment ${segment.path(LOG_SUFFIX)} is damaged and cannot be compacted: ${problem}`)
      }
      if (changed) {
        await cleaned.sync()
        await log.forgetAborted(filter.droppedAborts.slice(alreadyDropped))
        await log.replaceSegments(group, cleaned, {
          decide: () => decideSwap(disk, log.directory, baseOffset),
          finish: async () => {
            const bases = group.map((segment) => segment.baseOffset)
            await finishSwap(disk, log.directory, bases)
            cleaned.renamed()
            await cleaned.storeIndexes()
          },
        })
        this.#tell(log, group, cleaned)
        return
      }
    } catch (error) {
      await cleaned.remove()
      throw error
    }
    await cleaned.remove()
  }

  #tell({ topic, partition }: PartitionLog, group: readonly Segment[], cleaned: Segment): void {
    const before = group.reduce((sum, segment) => sum + segment.sizeInBytes, 0)
    this.#surroundings.logger.debug(
      {
        partition: `${topic}-${partition}`,
        baseOffset: cleaned.baseOffset,
        segments: group.length,
        before,
        after: cleaned.sizeInBytes,
      },
      'compacted',
    )
  }
}

function noteKeys(batch: RecordBatch, latest: Map<string, number>): void {
  const bytes = recordBytes(batch)
  const frame = new FrameWalker(bytes)
  const { baseOffset, count } = batch
  for (let index = 0; index < count && frame.next(); index++) {
    if (frame.keyLength >= 0) latest.set(keyOf(bytes, frame), baseOffset + frame.offsetDelta)
  }
}

async function cleanableOf(log: PartitionLog, now: number): Promise<Cleanable> {
  const { segments, lastStableOffset, config } = log
  const closed: Segment[] = []
  const ends: number[] = []
  for (const [at, segment] of segments.entries()) {
    const end = segments[at + 1]?.baseOffset
    if (end === undefined || end > lastStableOffset) break
    if (config.minCompactionLagMs > 0) {
      await segment.loadIndexes()
      if (segment.largestTimestamp > now - config.minCompactionLagMs) break
    }
    closed.push(segment)
    ends.push(end)
  }
  return { segments: closed, ends }
}

async function isWorthwhile(
  log: PartitionLog,
  { segments, ends }: Cleanable,
  cleanUpTo: number,
  now: number,
): Promise<boolean> {
  const dirty = segments.filter((_, at) => ends[at]! > cleanUpTo)
  if (dirty.length === 0) return false
  const sizeOf = (some: readonly Segment[]) => some.reduce((sum, segment) => sum + segment.sizeInBytes, 0)
  if (sizeOf(dirty) >= log.config.minCleanableDirtyRatio * sizeOf(segments)) return true
  await dirty[0]!.loadIndexes()
  const since = dirty[0]!.firstTimestamp ?? -1
  return since >= 0 && now - since > log.config.maxCompactionLagMs
}

/** Segments that fit into one, in order. */
function groupsOf(log: PartitionLog, { segments, ends }: Cleanable): Segment[][] {
  const groups: Segment[][] = []
  let size = 0
  for (const [at, segment] of segments.entries()) {
    const group = groups.at(-1)
    const fits =
      group !== undefined &&
      size + segment.sizeInBytes <= log.config.segmentBytes &&
      ends[at]! - group[0]!.baseOffset <= GREATEST_RELATIVE_OFFSET
    if (fits) group.push(segment)
    else groups.push([segment])
    size = (fits ? size : 0) + segment.sizeInBytes
  }
  return groups
}
