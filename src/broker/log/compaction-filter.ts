/**
 * Decides batch by batch what compaction keeps (Kafka's Cleaner and CleanedTransactionMetadata), and writes what is kept of a batch.
 *
 * - Of each key the record with the greatest offset stays. A record without a key goes.
 * - A record without a value (a tombstone) stays until its batch's delete horizon, so that whoever began to read before sees it (KIP-534): the
 *   first compaction that meets it sets the horizon to now plus `delete.retention.ms`, the first after that drops it.
 * - Records of aborted transactions go at once. A transaction's marker stays as long as records of it do, and then until a horizon as above.
 * - A producer's last batch stays even if none of its records does, with none in it: it tells the sequence number.
 *
 * Offsets never change: a batch keeps its first and last offset, and the records that are left their places in it. Their bytes are
 * taken over as they are, unless a horizon is set: it takes the place of the base timestamp, and all timestamp deltas are written anew.
 */
import { compress, decompress } from '../../protocol/records/compression.ts'
import { crc32c } from '../../protocol/records/crc32c.ts'
import { RECORD_BATCH_OVERHEAD, RecordBatch } from '../../protocol/records/record-batch.ts'
import { FrameWalker } from './batch-validation.ts'
import { type ProducerStates } from './producer-state.ts'
import { type AbortedEntry } from './transaction-index.ts'

const HORIZON_FLAG = 0x40
const MAX_DECOMPRESSED_BYTES = 512 * 1024 * 1024

export interface CompactionRules {
  /** The greatest offset of each key (as latin1) among what was not compacted yet. */
  readonly latest: ReadonlyMap<string, number>
  readonly aborted: AbortedTransactions
  readonly producers: ProducerStates
  readonly nowMs: number
  readonly deleteRetentionMs: number
}

/** Which data belong to aborted transactions. */
export class AbortedTransactions {
  readonly #byProducer = new Map<number, AbortedEntry[]>()

  constructor(entries: readonly AbortedEntry[]) {
    for (const entry of entries) {
      const known = this.#byProducer.get(entry.producerId)
      if (known) known.push(entry)
      else this.#byProducer.set(entry.producerId, [entry])
    }
  }

  holds(batch: RecordBatch): boolean {
    if (!batch.isTransactional || batch.isControl) return false
    const { baseOffset } = batch
    const entries = this.#byProducer.get(batch.producerId) ?? []
    return entries.some(({ firstOffset, lastOffset }) => firstOffset <= baseOffset && baseOffset <= lastOffset)
  }
}

/** The records' frames, unpacked. */
export function recordBytes(batch: RecordBatch): Buffer {
  const bytes = batch.buffer.subarray(batch.position + RECORD_BATCH_OVERHEAD, batch.position + batch.sizeInBytes)
  return batch.compression === 'none' ? bytes : decompress(batch.compression, bytes, MAX_DECOMPRESSED_BYTES)
}

export function keyOf(bytes: Buffer, frame: FrameWalker): string {
  return bytes.toString('latin1', frame.keyStart, frame.keyStart + frame.keyLength)
}

interface Kept {
  readonly start: number
  readonly end: number
  readonly bodyStart: number
  readonly timestamp: number
  readonly offsetDelta: number
  readonly attributes: number
}

/** Sees all batches of a log in order, from its start. */
export class CompactionFilter {
  readonly #rules: CompactionRules
  /** Producers with records of the transaction that is being passed through. */
  readonly #withData = new Set<number>()
  /** Offsets of abort markers that were dropped: nobody may be told of those transactions any more. */
  readonly droppedAborts: number[] = []

  constructor(rules: CompactionRules) {
    this.#rules = rules
  }

  /** The batch itself if all of it stays, what is left of it, or undefined. */
  keep(batch: RecordBatch): RecordBatch | undefined {
    if (batch.isControl) return this.#keepMarker(batch)
    const kept = this.#rules.aborted.holds(batch) ? this.#keepNone(batch) : this.#keepRecords(batch)
    if (kept && kept.count > 0 && batch.isTransactional) this.#withData.add(batch.producerId)
    return kept
  }

  #keepMarker(batch: RecordBatch): RecordBatch | undefined {
    const type = batch.controlType()
    if (type === 'unknown' || this.#withData.delete(batch.producerId)) return batch
    const { nowMs, deleteRetentionMs, producers } = this.#rules
    const horizon = horizonOf(batch)
    if (horizon === undefined) return this.#rewrite(batch, recordBytes(batch), allOf(batch), nowMs + deleteRetentionMs)
    if (nowMs < horizon) return batch
    const producer = producers.get(batch.producerId)
    // It alone still tells the producer's epoch.
    if (producer && producer.batches.length === 0 && producer.epoch === batch.producerEpoch) return batch
    if (type === 'abort') this.droppedAborts.push(batch.lastOffset)
    return undefined
  }

  #keepNone(batch: RecordBatch): RecordBatch | undefined {
    const isLast = this.#rules.producers.get(batch.producerId)?.batches.at(-1)?.lastOffset === batch.lastOffset
    if (!isLast) return undefined
    return batch.count === 0 ? batch : this.#rewrite(batch, Buffer.alloc(0), [], undefined)
  }

  #keepRecords(batch: RecordBatch): RecordBatch | undefined {
    const { latest, nowMs, deleteRetentionMs } = this.#rules
    const bytes = recordBytes(batch)
    const frame = new FrameWalker(bytes)
    const { baseOffset, count } = batch
    const horizon = horizonOf(batch)
    const kept: Kept[] = []
    let tombstones = 0
    for (let index = 0; index < count; index++) {
      if (!frame.next())
        throw new Error(`the batch at ${baseOffset} is damaged: record ${index} of ${count} is not whole`)
      if (frame.keyLength < 0) continue
      if ((latest.get(keyOf(bytes, frame)) ?? -1) > baseOffset + frame.offsetDelta) continue
      if (frame.valueLength < 0) {
        if (horizon !== undefined && nowMs >= horizon) continue
        tombstones++
      }
      kept.push(keptOf(batch, frame))
    }
    if (kept.length === 0) return this.#keepNone(batch)
    const newHorizon = tombstones > 0 && horizon === undefined ? nowMs + deleteRetentionMs : undefined
    if (kept.length === count && newHorizon === undefined) return batch
    return this.#rewrite(batch, bytes, kept, newHorizon)
  }

  #rewrite(batch: RecordBatch, bytes: Buffer, kept: readonly Kept[], newHorizon: number | undefined): RecordBatch {
    const records =
      newHorizon === undefined
        ? kept.map(({ start, end }) => bytes.subarray(start, end))
        : kept.map((record) => restamped(bytes, record, newHorizon))
    const plain = Buffer.concat(records)
    const packed = batch.compression === 'none' || kept.length === 0 ? plain : compress(batch.compression, plain)
    const written = Buffer.allocUnsafe(RECORD_BATCH_OVERHEAD + packed.length)
    batch.buffer.copy(written, 0, batch.position, batch.position + RECORD_BATCH_OVERHEAD)
    packed.copy(written, RECORD_BATCH_OVERHEAD)
    written.writeInt32BE(written.length - 12, 8)
    if (newHorizon !== undefined) {
      written.writeInt16BE(batch.attributes | HORIZON_FLAG, 21)
      written.writeBigInt64BE(BigInt(newHorizon), 27)
    }
    if (batch.timestampType === 'CreateTime' && kept.length > 0) {
      written.writeBigInt64BE(BigInt(Math.max(...kept.map(({ timestamp }) => timestamp))), 35)
    }
    written.writeInt32BE(kept.length, 57)
    written.writeUInt32BE(crc32c(written, 21, written.length), 17)
    return new RecordBatch(written)
  }
}

/** Until when this batch's tombstones or marker stay; undefined if no compaction has seen them yet. */
function horizonOf(batch: RecordBatch): number | undefined {
  return batch.attributes & HORIZON_FLAG ? batch.baseTimestamp : undefined
}

function allOf(batch: RecordBatch): Kept[] {
  const frame = new FrameWalker(recordBytes(batch))
  const all: Kept[] = []
  while (all.length < batch.count && frame.next()) all.push(keptOf(batch, frame))
  return all
}

function keptOf(batch: RecordBatch, frame: FrameWalker): Kept {
  const { start, end, bodyStart, offsetDelta, attributes } = frame
  return { start, end, bodyStart, offsetDelta, attributes, timestamp: batch.baseTimestamp + frame.timestampDelta }
}

/** The record with its timestamp told from another base. */
function restamped(bytes: Buffer, { end, bodyStart, timestamp, offsetDelta, attributes }: Kept, base: number): Buffer {
  const head = [attributes, ...varint(timestamp - base), ...varint(offsetDelta)]
  const body = bytes.subarray(bodyStart, end)
  return Buffer.concat([Buffer.from([...varint(head.length + body.length), ...head]), body])
}

/** Zigzag, seven bits a byte, the lowest first. */
function varint(value: number): number[] {
  const bytes: number[] = []
  let left = value >= 0 ? value * 2 : -value * 2 - 1
  while (left >= 0x80) {
    bytes.push((left % 0x80) | 0x80)
    left = Math.floor(left / 0x80)
  }
  bytes.push(left)
  return bytes
}
