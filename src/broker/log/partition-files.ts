/**
 * The files of one partition: its segments in order, and beside them the producer snapshots, the aborted transactions and the leader
 * epochs. Knows which file is when written and removed; what stands in them is told by the partition's log.
 *
 * `segments` is replaced, never changed, so that a reader may go on with the list it took. Everything that changes files is called by
 * one caller at a time; reads run beside that.
 */
import { join } from 'node:path'
import { type RecordBatch } from '../../protocol/records/record-batch.ts'
import { type Clock } from '../../seams/clock.ts'
import { type Disk } from '../../seams/disk.ts'
import { encodeEpochs, writeAtomically, writeReplaceable } from './atomic-file.ts'
import { type LeaderEpochs } from './leader-epochs.ts'
import { type ProducerStates } from './producer-state.ts'
import { encodeProducers } from './producer-snapshot.ts'
import { offsetName, Segment, SNAPSHOT_SUFFIX, TRANSACTION_INDEX_SUFFIX } from './segment.ts'
import { type TopicConfig } from './topic-config.ts'
import { encodeAborted, type TransactionIndex } from './transaction-index.ts'

export const EPOCHS_FILE = 'leader-epoch-checkpoint'
const GREATEST_RELATIVE_OFFSET = 0x7fffffff

/** What the log knows of its records, and recovery wants to find again. */
export interface LogKnowledge {
  readonly producers: ProducerStates
  readonly transactions: TransactionIndex
  readonly epochs: LeaderEpochs
}

/** What is about to be appended. */
export interface Upcoming {
  readonly sizeInBytes: number
  readonly lastOffset: number
  /** undefined: none of its own, so that the clock counts. */
  readonly maxTimestamp: number | undefined
}

export class PartitionFiles {
  readonly directory: string
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #config: () => TopicConfig
  readonly #knowledge: LogKnowledge
  #segments: readonly Segment[]
  #activeSinceMs: number
  #storedEpochs = ''

  constructor(
    directory: string,
    { disk, clock }: { disk: Disk; clock: Clock },
    config: () => TopicConfig,
    segments: readonly Segment[],
    knowledge: LogKnowledge,
  ) {
    this.directory = directory
    this.#disk = disk
    this.#clock = clock
    this.#config = config
    this.#segments = segments
    this.#knowledge = knowledge
    this.#activeSinceMs = clock.now()
  }

  /** Oldest first; the last is the one that is written to. */
  get segments(): readonly Segment[] {
    return this.#segments
  }

  get active(): Segment | undefined {
    return this.#segments.at(-1)
  }

  get sizeInBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeInBytes, 0)
  }

  /** Number of the segment that holds this offset, if any does. */
  indexOf(segments: readonly Segment[], offset: number): number {
    let low = 0
    let high = segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (segments[middle]!.baseOffset <= offset) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }

  async read(
    offset: number,
    before: number,
    maxBytes: number,
    minOneBatch: boolean,
  ): Promise<{ pieces: Buffer[]; nextOffset: number } | undefined> {
    const segments = this.#segments
    for (let at = this.indexOf(segments, offset); at < segments.length; at++) {
      // Compaction may have left nothing behind this offset in one segment: then the next one goes on.
      const found = await segments[at]!.read(offset, before, maxBytes, minOneBatch)
      if (found) return found
    }
    return undefined
  }

  /** Bytes from about this offset on. */
  bytesFrom(offset: number): number {
    const segments = this.#segments
    const first = this.indexOf(segments, offset)
    const behind = segments.slice(first + 1).reduce((sum, segment) => sum + segment.sizeInBytes, 0)
    return behind + (segments[first]?.bytesFrom(offset) ?? 0)
  }

  append(batches: readonly RecordBatch[], sync: boolean): Promise<void> {
    return this.active!.append(batches, sync)
  }

  /** Whether what comes needs a new segment, with `stagedBytes` already on their way into the active one. */
  mustRoll({ sizeInBytes, lastOffset, maxTimestamp }: Upcoming, stagedBytes: number): boolean {
    const active = this.active
    if (!active) return true
    const size = active.sizeInBytes + stagedBytes
    if (size === 0) return false
    const { segmentBytes, segmentMs, segmentIndexBytes, cleanupCompact, maxCompactionLagMs } = this.#config()
    if (size + sizeInBytes > segmentBytes) return true
    if (lastOffset - active.baseOffset > GREATEST_RELATIVE_OFFSET) return true
    if (active.offsetIndexBytes + 8 > segmentIndexBytes) return true
    // As in Kafka: by the records' own time, or by the clock for records that have none.
    const longestMs = cleanupCompact ? Math.min(segmentMs, maxCompactionLagMs) : segmentMs
    const first = active.firstTimestamp ?? -1
    const now = this.#clock.now()
    return (first >= 0 ? (maxTimestamp ?? now) - first : now - this.#activeSinceMs) > longestMs
  }

  /** Closes the active segment and begins the next one at this offset, the log's end. */
  async roll(nextOffset: number): Promise<void> {
    const active = this.active
    if (active?.baseOffset === nextOffset) return
    if (active) {
      await this.#storeIndexes(active, nextOffset)
      await this.#storeSnapshot(nextOffset)
    }
    const next = await Segment.create({
      disk: this.#disk,
      directory: this.directory,
      baseOffset: nextOffset,
      indexIntervalBytes: () => this.#config().indexIntervalBytes,
    })
    // Otherwise the next checkpoint brings the name to the disk.
    if (this.#config().flushMessages !== Number.MAX_SAFE_INTEGER) await this.#disk.syncDirectory(this.directory)
    this.#segments = [...this.#segments, next]
    this.#activeSinceMs = this.#clock.now()
  }

  /** Removes the segments that end at or below this offset, never the last one. */
  async removeBelow(offset: number): Promise<void> {
    const { length } = this.#segments
    let count = 0
    while (count + 1 < length && this.#segments[count + 1]!.baseOffset <= offset) count++
    const removed = this.#segments.slice(0, count)
    this.#segments = this.#segments.slice(count)
    for (const segment of removed) {
      await segment.remove()
      await this.#disk.remove(this.#snapshotPath(segment.baseOffset))
    }
  }

  /** Puts what compaction wrote in the place of what it read; `swap` renames the files. */
  async replace(old: readonly Segment[], cleaned: Segment, swap: () => Promise<void>): Promise<void> {
    const first = this.#segments.indexOf(old[0]!)
    for (const segment of old) await segment.retire()
    await swap()
    this.#segments = [...this.#segments.slice(0, first), cleaned, ...this.#segments.slice(first + old.length)]
    for (const segment of old) await segment.close()
  }

  /** Stores what recovery needs to begin at `end`, and resolves with the segments that have to be synced for that to be true. */
  async storeKnowledge(end: number): Promise<readonly Segment[]> {
    if (this.active) await this.#storeIndexes(this.active, end)
    await this.#storeSnapshot(end)
    const epochs = encodeEpochs(this.#knowledge.epochs.starts)
    if (epochs !== this.#storedEpochs) {
      await writeReplaceable(this.#disk, join(this.directory, EPOCHS_FILE), epochs)
      this.#storedEpochs = epochs
    }
    return this.#segments.filter((segment) => segment.dirty)
  }

  /** The snapshot of an earlier checkpoint goes, unless a segment begins there. */
  async removeSnapshot(offset: number): Promise<void> {
    if (this.#segments.some(({ baseOffset }) => baseOffset === offset)) return
    await this.#disk.remove(this.#snapshotPath(offset))
  }

  syncNames(): Promise<void> {
    return this.#disk.syncDirectory(this.directory)
  }

  /** `retire`: the files are about to be removed. */
  async close(retire: boolean): Promise<void> {
    for (const segment of this.#segments) {
      if (retire) await segment.retire()
      await segment.close()
    }
  }

  async #storeIndexes(segment: Segment, end: number): Promise<void> {
    await segment.storeIndexes()
    const aborted = this.#knowledge.transactions.within(segment.baseOffset, end)
    if (aborted.length > 0)
      await writeAtomically(this.#disk, segment.path(TRANSACTION_INDEX_SUFFIX), encodeAborted(aborted))
  }

  /** Every segment's aborted transactions anew, after some were forgotten. */
  async storeAborted(end: number): Promise<void> {
    const segments = this.#segments
    for (const [at, segment] of segments.entries()) {
      const aborted = this.#knowledge.transactions.within(segment.baseOffset, segments[at + 1]?.baseOffset ?? end)
      const path = segment.path(TRANSACTION_INDEX_SUFFIX)
      if (aborted.length > 0) await writeAtomically(this.#disk, path, encodeAborted(aborted))
      else await this.#disk.remove(path)
    }
  }

  #storeSnapshot(offset: number): Promise<void> {
    return writeReplaceable(
      this.#disk,
      this.#snapshotPath(offset),
      encodeProducers(this.#knowledge.producers.entries()),
    )
  }

  #snapshotPath(offset: number): string {
    return join(this.directory, offsetName(offset) + SNAPSHOT_SUFFIX)
  }
}
