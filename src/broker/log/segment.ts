/**
 * One segment of a partition's log: a `.log` file of record batches, one after the other, named by its first offset in twenty
 * digits, with the indexes beside it (`offset-index.ts`).
 *
 *     00000000000000000000.log  .index  .timeindex  .txnindex
 *
 * A segment knows its bytes and where which offset stands. It does not know producers, transactions, or who may read how far.
 * One caller at a time appends, truncates or recovers; reads run concurrently with that, as bytes below `sizeInBytes` never change.
 */
import { join } from 'node:path'
import { DecodeError, TruncatedError } from '../../protocol/decode-error.ts'
import { RECORD_BATCH_OVERHEAD, RecordBatch } from '../../protocol/records/record-batch.ts'
import { type Disk, type DiskFile } from '../../seams/disk.ts'
import { writeReplaceable } from './atomic-file.ts'
import { OffsetIndex, TimeIndex } from './offset-index.ts'
import { refusal } from './refusal.ts'

export const LOG_SUFFIX = '.log'
export const INDEX_SUFFIX = '.index'
export const TIME_INDEX_SUFFIX = '.timeindex'
export const TRANSACTION_INDEX_SUFFIX = '.txnindex'
export const SNAPSHOT_SUFFIX = '.snapshot'

const SCAN_BYTES = 1024 * 1024
/** How many readers' next positions are remembered. */
const HINTS_KEPT = 64

export function offsetName(offset: number): string {
  return String(offset).padStart(20, '0')
}

export interface SegmentPlace {
  readonly disk: Disk
  /** The partition's folder. */
  readonly directory: string
  readonly baseOffset: number
  readonly indexIntervalBytes: () => number
  /** Put behind the names of the files, for a segment that is being written by compaction: `.cleaned`. */
  readonly suffix?: string
}

export interface Scan {
  /** Position behind the last whole, sound batch that was visited. */
  readonly end: number
  /** Why the scan ended before the file did; undefined if it did not, or if the visitor had enough. */
  readonly problem: string | undefined
}

/** Return false to have enough. */
export type BatchVisitor = (batch: RecordBatch, position: number) => boolean | void

/** The segment was deleted or replaced by compaction while somebody was about to read it: look for the offset again. */
export class SegmentRetiredError extends Error {
  constructor(path: string) {
    super(`${path} is gone`)
  }
}

export class Segment {
  readonly baseOffset: number
  readonly #place: SegmentPlace
  #suffix: string
  #file: Promise<DiskFile> | undefined
  #users = 0
  #closing = false
  #retired = false
  #indexes: Promise<void> | undefined
  #offsetIndex = new OffsetIndex()
  #timeIndex = new TimeIndex()
  #bytesSinceIndexed = 0
  /** Bytes of a failed write may stand behind `sizeInBytes`, and must go before anything else is written there. */
  #torn = false
  #hints = new Map<number, number>()
  /** Written since the last sync. */
  dirty = false
  sizeInBytes = 0
  largestTimestamp = -1
  offsetOfLargestTimestamp = -1
  /** Timestamp of the first batch, from which `segment.ms` counts; undefined in an empty segment. */
  firstTimestamp: number | undefined

  private constructor(place: SegmentPlace) {
    this.#place = place
    this.#suffix = place.suffix ?? ''
    this.baseOffset = place.baseOffset
  }

  /** Makes the file. Its name is not synced to disk yet. */
  static async create(place: SegmentPlace): Promise<Segment> {
    const segment = new Segment(place)
    segment.#file = place.disk.open(segment.path(LOG_SUFFIX), 'replace')
    segment.#indexes = Promise.resolve()
    await segment.#file
    return segment
  }

  /** A segment whose file is there. Its indexes are loaded when they are needed. */
  static load(place: SegmentPlace, sizeInBytes: number): Segment {
    const segment = new Segment(place)
    segment.sizeInBytes = sizeInBytes
    return segment
  }

  path(suffix: string): string {
    return join(this.#place.directory, `${offsetName(this.baseOffset)}${suffix}${this.#suffix}`)
  }

  /** The file has its final name now. */
  renamed(): void {
    this.#suffix = ''
  }

  get offsetIndexBytes(): number {
    return this.#offsetIndex.count * 8
  }

  /** Writes the batches with as few system calls as it takes, and syncs if told to. On an error nothing of them is in the segment. */
  async append(batches: readonly RecordBatch[], sync: boolean): Promise<void> {
    await this.loadIndexes()
    if (this.#torn) await this.#cut()
    const position = this.sizeInBytes
    await this.#using(async (file) => {
      try {
        await file.write(
          batches.map((batch) => batch.bytes()),
          position,
        )
        if (sync) await file.sync()
      } catch (error) {
        this.#torn = true
        // The disk may refuse this too; then the next append tries again first.
        await this.#cut().catch(() => {})
        throw error
      }
    })
    if (!sync) this.dirty = true
    for (const batch of batches) this.#took(batch)
  }

  async #cut(): Promise<void> {
    await this.#using((file) => file.truncate(this.sizeInBytes))
    this.#torn = false
  }

  #took(batch: RecordBatch): void {
    const { lastOffset, maxTimestamp } = batch
    // A batch that compaction left empty has no record of that time.
    if (maxTimestamp > this.largestTimestamp && batch.count > 0) {
      this.largestTimestamp = maxTimestamp
      this.offsetOfLargestTimestamp = lastOffset
    }
    if (this.firstTimestamp === undefined) this.firstTimestamp = maxTimestamp
    if (this.#bytesSinceIndexed > this.#place.indexIntervalBytes()) {
      this.#offsetIndex.append(lastOffset - this.baseOffset, this.sizeInBytes)
      this.#timeIndex.append(this.largestTimestamp, this.offsetOfLargestTimestamp - this.baseOffset)
      this.#bytesSinceIndexed = 0
    }
    this.#bytesSinceIndexed += batch.sizeInBytes
    this.sizeInBytes += batch.sizeInBytes
  }

  /**
   * Whole batches from the one that holds `offset` (or the next behind it) on, those that begin below `before`.
   * undefined if no batch at or behind `offset` is here.
   */
  async read(
    offset: number,
    before: number,
    maxBytes: number,
    minOneBatch: boolean,
  ): Promise<{ pieces: Buffer[]; nextOffset: number } | undefined> {
    await this.loadIndexes()
    const size = this.sizeInBytes
    const hint = this.#hints.get(offset)
    const relative = offset - this.baseOffset
    let position = hint ?? this.#offsetIndex.positionBefore(relative)
    const latest = hint ?? this.#offsetIndex.positionAfter(relative) ?? size
    let wanted = latest - position + Math.max(maxBytes, RECORD_BATCH_OVERHEAD)
    while (size - position >= RECORD_BATCH_OVERHEAD) {
      const chunk = await this.readBytes(position, Math.min(wanted, size - position))
      if (chunk.length < RECORD_BATCH_OVERHEAD) throw this.#damaged(position, 'the file is shorter than it was')
      const at = firstAtOrBehind(chunk, offset)
      if (at < 0) throw this.#damaged(position, 'a batch announces an impossible length')
      if (chunk.length - at >= RECORD_BATCH_OVERHEAD) {
        const { end, nextOffset, needed } = wholeBatches(chunk, at, before, maxBytes, minOneBatch)
        if (needed <= chunk.length - at) {
          this.#remember(nextOffset, position + end)
          return { pieces: end > at ? [chunk.subarray(at, end)] : [], nextOffset: end > at ? nextOffset : offset }
        }
        if (needed > size - position - at) throw this.#damaged(position + at, `a batch announces ${needed} bytes`)
        wanted = needed
      } else {
        wanted = Math.max(maxBytes, RECORD_BATCH_OVERHEAD)
      }
      position += at
    }
    return undefined
  }

  #damaged(position: number, what: string): Error {
    return refusal(
      'CORRUPT_MESSAGE',
      `reading ${this.path(LOG_SUFFIX)} at ${position}`,
      `The stored segment is damaged: ${what}`,
    )
  }

  #remember(nextOffset: number, position: number): void {
    this.#hints.delete(nextOffset)
    this.#hints.set(nextOffset, position)
    if (this.#hints.size > HINTS_KEPT) this.#hints.delete(this.#hints.keys().next().value!)
  }

  /** Where to begin looking for this offset. */
  async positionOf(offset: number): Promise<number> {
    await this.loadIndexes()
    return this.#offsetIndex.positionBefore(offset - this.baseOffset)
  }

  /** Bytes from about this offset on, within one index interval. */
  bytesFrom(offset: number): number {
    return this.sizeInBytes - this.#offsetIndex.positionBefore(offset - this.baseOffset)
  }

  /** Where to begin looking for a record of this time or later. */
  async positionOfTime(timestamp: number): Promise<number> {
    await this.loadIndexes()
    return this.#offsetIndex.positionBefore(this.#timeIndex.offsetBefore(timestamp))
  }

  readBytes(position: number, length: number): Promise<Buffer> {
    return this.#using((file) => file.read(position, length))
  }

  /** Visits the batches from a position on, in order. `verify` checks each one's CRC and that offsets ascend. */
  async scan(
    from: number,
    visit: BatchVisitor,
    options: { verify?: boolean; size?: number; afterChunk?: () => Promise<void> } = {},
  ): Promise<Scan> {
    const size = options.size ?? this.sizeInBytes
    let position = from
    let wanted = SCAN_BYTES
    let lastOffset = this.baseOffset - 1
    while (position < size) {
      const chunk = await this.readBytes(position, Math.min(wanted, size - position))
      if (chunk.length === 0) return { end: position, problem: 'the file ends' }
      let at = 0
      wanted = SCAN_BYTES
      while (at < chunk.length) {
        let batch: RecordBatch
        try {
          batch = new RecordBatch(chunk, at)
          if (options.verify) batch.verifyCrc()
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error
          if (!(error instanceof TruncatedError)) return { end: position + at, problem: error.message }
          const announced = chunk.length - at >= 12 ? 12 + chunk.readInt32BE(at + 8) : RECORD_BATCH_OVERHEAD
          if (position + at + announced > size) return { end: position + at, problem: error.message }
          wanted = Math.max(SCAN_BYTES, announced)
          break
        }
        if (options.verify && batch.baseOffset <= lastOffset) {
          return { end: position + at, problem: `the offset ${batch.baseOffset} follows ${lastOffset}` }
        }
        lastOffset = batch.lastOffset
        if (visit(batch, position + at) === false) return { end: position + at + batch.sizeInBytes, problem: undefined }
        at += batch.sizeInBytes
      }
      position += at
      await options.afterChunk?.()
    }
    return { end: position, problem: undefined }
  }

  /** Reads the indexes, or makes them anew where they are missing or cannot be those of this segment. */
  loadIndexes(): Promise<void> {
    this.#indexes ??= this.#readIndexes().catch((error: unknown) => {
      this.#indexes = undefined
      throw error
    })
    return this.#indexes
  }

  async #readIndexes(): Promise<void> {
    const [offsets, times] = await Promise.all([this.#readIfThere(INDEX_SUFFIX), this.#readIfThere(TIME_INDEX_SUFFIX)])
    if (!offsets || !times || !OffsetIndex.isSane(offsets, this.sizeInBytes) || !TimeIndex.isSane(times)) {
      const size = this.sizeInBytes
      await this.#rebuild(0, () => {}, { size })
      // Bytes that cannot be read as batches stay: who comes to them is told, instead of being led past them.
      this.sizeInBytes = size
      return
    }
    this.#offsetIndex = new OffsetIndex(offsets)
    this.#timeIndex = new TimeIndex(times)
    this.#restoreLargestTimestamp()
    const first = await this.readBytes(0, Math.min(RECORD_BATCH_OVERHEAD, this.sizeInBytes))
    if (first.length === RECORD_BATCH_OVERHEAD) this.firstTimestamp = Number(first.readBigInt64BE(35))
  }

  #restoreLargestTimestamp(): void {
    const last = this.#timeIndex.count > 0 ? this.#timeIndex.entry(this.#timeIndex.count - 1) : undefined
    this.largestTimestamp = last?.timestamp ?? -1
    this.offsetOfLargestTimestamp = last ? this.baseOffset + last.relativeOffset : -1
  }

  async #readIfThere(suffix: string): Promise<Buffer | undefined> {
    const path = this.path(suffix)
    return (await this.#place.disk.stat(path)) ? this.#place.disk.readFile(path) : undefined
  }

  /**
   * Checks the batches from the one that holds `offset` on (or from a little before), makes their index entries anew and cuts the file
   * behind the last sound one. `visit` sees each sound batch.
   */
  async recover(offset: number, visit: BatchVisitor): Promise<Scan & { cutBytes: number }> {
    const found = await this.#using((file) => file.size())
    this.sizeInBytes = found
    const from = offset > this.baseOffset ? await this.positionOf(offset) : 0
    const scan = await this.#rebuild(from, visit, { verify: true, size: found })
    const cutBytes = found - scan.end
    if (cutBytes > 0) {
      await this.#cut()
      await this.#using((file) => file.sync())
    }
    return { ...scan, cutBytes }
  }

  async #rebuild(upTo: number, visit: BatchVisitor, options: { verify?: boolean; size: number }): Promise<Scan> {
    let from = 0
    if (upTo > 0) {
      await this.loadIndexes()
      this.#offsetIndex.truncate(upTo)
      const { count } = this.#offsetIndex
      // One entry earlier: what lies between two entries has left no trace in the time index yet.
      if (count > 0) from = this.#offsetIndex.entry(count - 1).position
    }
    if (from === 0) {
      this.#offsetIndex = new OffsetIndex()
      this.#timeIndex = new TimeIndex()
      this.largestTimestamp = -1
      this.offsetOfLargestTimestamp = -1
      this.firstTimestamp = undefined
    } else {
      this.#timeIndex.truncate(this.#offsetIndex.entry(this.#offsetIndex.count - 1).relativeOffset)
      this.#restoreLargestTimestamp()
    }
    this.#indexes = Promise.resolve()
    this.#hints.clear()
    this.#bytesSinceIndexed = 0
    this.sizeInBytes = from
    return this.scan(
      from,
      (batch, position) => {
        this.#took(batch)
        return visit(batch, position)
      },
      options,
    )
  }

  /** Stores the indexes, for a segment that is closed or about to be synced. */
  async storeIndexes(): Promise<void> {
    await this.loadIndexes()
    if (this.largestTimestamp >= 0) {
      // As Kafka does when a segment is closed: the last entry names the segment's greatest timestamp.
      this.#timeIndex.append(this.largestTimestamp, this.offsetOfLargestTimestamp - this.baseOffset)
    }
    await writeReplaceable(this.#place.disk, this.path(INDEX_SUFFIX), this.#offsetIndex.bytes())
    await writeReplaceable(this.#place.disk, this.path(TIME_INDEX_SUFFIX), this.#timeIndex.bytes())
  }

  async sync(): Promise<void> {
    this.dirty = false
    try {
      await this.#using((file) => file.sync())
    } catch (error) {
      // Deleted meanwhile: nobody needs it on the disk any more.
      if (error instanceof SegmentRetiredError) return
      this.dirty = true
      throw error
    }
  }

  /** Closes the file once those who use it are done. It opens again for whoever needs it afterwards. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#closeIfUnused()
  }

  /** The files are about to be removed or replaced: whoever has the log open reads on, and nobody opens it again. */
  async retire(): Promise<void> {
    this.#retired = true
    await this.#file
  }

  /** Removes the files, the log first: an index without a log is swept away at the next start. */
  async remove(): Promise<void> {
    const { disk } = this.#place
    await this.retire()
    try {
      for (const suffix of [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX]) {
        await disk.remove(this.path(suffix))
      }
    } finally {
      await this.close()
    }
  }

  async #using<T>(use: (file: DiskFile) => Promise<T>): Promise<T> {
    this.#users++
    try {
      if (!this.#file && this.#retired) throw new SegmentRetiredError(this.path(LOG_SUFFIX))
      this.#file ??= this.#place.disk.open(this.path(LOG_SUFFIX), 'update')
      let file: DiskFile
      try {
        file = await this.#file
      } catch (error) {
        this.#file = undefined
        throw error
      }
      return await use(file)
    } finally {
      this.#users--
      if (this.#closing) await this.#closeIfUnused()
    }
  }

  async #closeIfUnused(): Promise<void> {
    if (this.#users > 0) return
    this.#closing = false
    const file = this.#file
    this.#file = undefined
    await file?.then((open) => open.close())
  }
}

/** Position of the first batch that ends at or behind the offset; beyond the chunk if that is not in it, -1 if the way there is broken. */
function firstAtOrBehind(chunk: Buffer, offset: number): number {
  let at = 0
  while (chunk.length - at >= RECORD_BATCH_OVERHEAD) {
    const lastOffset = Number(chunk.readBigInt64BE(at)) + chunk.readInt32BE(at + 23)
    if (lastOffset >= offset) return at
    const length = chunk.readInt32BE(at + 8)
    if (length < RECORD_BATCH_OVERHEAD - 12) return -1
    at += 12 + length
  }
  return at
}

/** How far whole batches go within the limits. `needed` is more than the chunk holds if the first must be handed out and is not all there. */
function wholeBatches(
  chunk: Buffer,
  start: number,
  before: number,
  maxBytes: number,
  minOneBatch: boolean,
): { end: number; nextOffset: number; needed: number } {
  let at = start
  let nextOffset = -1
  while (chunk.length - at >= RECORD_BATCH_OVERHEAD) {
    const baseOffset = Number(chunk.readBigInt64BE(at))
    if (baseOffset >= before) break
    const size = 12 + chunk.readInt32BE(at + 8)
    const isFirst = at === start
    if (size < RECORD_BATCH_OVERHEAD) {
      if (isFirst) return { end: start, nextOffset, needed: Number.POSITIVE_INFINITY }
      break
    }
    if (at + size - start > maxBytes && !(isFirst && minOneBatch)) break
    if (at + size > chunk.length) {
      if (isFirst) return { end: start, nextOffset, needed: size }
      break
    }
    nextOffset = baseOffset + chunk.readInt32BE(at + 23) + 1
    at += size
  }
  return { end: at, nextOffset, needed: 0 }
}
