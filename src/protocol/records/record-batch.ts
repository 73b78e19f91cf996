/**
 * A record batch (message format v2) as it stands in a buffer: a view that reads the header's fields and opens nothing.
 *
 *     base_offset:int64  batch_length:int32  partition_leader_epoch:int32  magic:int8  crc:uint32  attributes:int16
 *     0                  8                   12                            16          17          21
 *     last_offset_delta:int32  base_timestamp:int64  max_timestamp:int64  producer_id:int64  producer_epoch:int16
 *     23                       27                    35                   43                 51
 *     base_sequence:int32  count:int32  records
 *     53                   57           61
 *
 * The CRC covers everything from the attributes on, so that a broker may set base offset and leader epoch without
 * computing it anew. Attributes: bits 0-2 compression, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon.
 */
import { DecodeError, TruncatedError } from '../decode-error.ts'
import { type CompressionType } from './compression.ts'
import { type TimestampType } from './consumer-record.ts'
import { crc32c } from './crc32c.ts'

/** Bytes of a batch before its first record. */
export const RECORD_BATCH_OVERHEAD = 61
/** Bytes before those that `batch_length` counts. */
const LOG_OVERHEAD = 12
/** Up to the magic byte, which says how to read on. */
const MAGIC_END = 17
/** The shortest message of any format, as Kafka has it (LegacyRecord.RECORD_OVERHEAD_V0). */
const SHORTEST_LENGTH = 14
/** length, attributes, timestamp delta, offset delta, key length, value length, header count: one byte each at least. */
export const SHORTEST_RECORD = 7
const TWO_TO_32 = 0x1_0000_0000
const MAX_TIMESTAMP = 2 ** 52

const compressionTypes: readonly CompressionType[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** The bytes of a batch are not those that were written. */
export class CorruptBatchError extends DecodeError {}

/** A batch in a format that Kafka 4 does not write either (0.10.2 and older), or in one that is not known yet. */
export class UnsupportedMagicError extends DecodeError {
  readonly magic: number

  constructor(magic: number) {
    const known = 'only format 2 (Kafka 0.11 and later) is read'
    const hint = magic < 2 ? '; let a newer producer write these records again' : ''
    super(`A record batch has the message format ${magic}: ${known}${hint}`)
    this.magic = magic
  }
}

export class RecordBatch {
  readonly buffer: Buffer
  /** Where the batch begins in `buffer`. */
  readonly position: number
  /** Bytes of the whole batch, header included. */
  readonly sizeInBytes: number

  /**
   * @throws TruncatedError when the buffer ends before the batch does
   * @throws UnsupportedMagicError for message formats 0 and 1
   * @throws DecodeError when the header cannot be true
   */
  constructor(buffer: Buffer, position = 0) {
    const available = buffer.length - position
    if (available < MAGIC_END)
      throw new TruncatedError(`A record batch needs ${MAGIC_END} bytes and ${available} are left`)
    const length = buffer.readInt32BE(position + 8)
    if (length < SHORTEST_LENGTH) throw new CorruptBatchError(`A record batch has the length ${length}`)
    const magic = buffer.readInt8(position + 16)
    if (magic !== 2) throw new UnsupportedMagicError(magic)
    if (length < RECORD_BATCH_OVERHEAD - LOG_OVERHEAD) {
      throw new CorruptBatchError(`A record batch has the length ${length}, which is less than its header`)
    }
    if (length > available - LOG_OVERHEAD) {
      throw new TruncatedError(
        `A record batch of ${LOG_OVERHEAD + length} bytes is announced and ${available} are left`,
      )
    }
    this.buffer = buffer
    this.position = position
    this.sizeInBytes = LOG_OVERHEAD + length
    this.#checkHeader()
  }

  /** What the getters below rely on, so that they cannot fail. */
  #checkHeader(): void {
    const { baseOffset, count, compression } = this
    const lastOffsetDelta = this.lastOffset - baseOffset
    if (baseOffset < 0 || lastOffsetDelta < 0 || !Number.isSafeInteger(this.nextOffset)) {
      throw new CorruptBatchError(`A record batch has offsets from ${baseOffset} to ${this.lastOffset}`)
    }
    if (compression === undefined) {
      throw new CorruptBatchError(`A record batch has the unknown compression type ${this.attributes & 7}`)
    }
    const bytes = this.sizeInBytes - RECORD_BATCH_OVERHEAD
    if (count < 0 || count > lastOffsetDelta + 1 || (compression === 'none' && count * SHORTEST_RECORD > bytes)) {
      throw new CorruptBatchError(
        `A record batch of ${bytes} bytes and ${lastOffsetDelta + 1} offsets announces ${count} records`,
      )
    }
    const { baseTimestamp, maxTimestamp } = this
    if (Math.abs(baseTimestamp) > MAX_TIMESTAMP || Math.abs(maxTimestamp) > MAX_TIMESTAMP) {
      throw new CorruptBatchError(`A record batch has timestamps from ${baseTimestamp} to ${maxTimestamp}`)
    }
    readInt64(this.buffer, this.position + 43)
  }

  /** The offset of the first record, or where it was before compaction removed it. */
  get baseOffset(): number {
    return readInt64(this.buffer, this.position)
  }

  /** The offset of the last record, or where it was before compaction removed it. */
  get lastOffset(): number {
    return this.baseOffset + this.buffer.readInt32BE(this.position + 23)
  }

  /** Where the next batch may begin. */
  get nextOffset(): number {
    return this.lastOffset + 1
  }

  get partitionLeaderEpoch(): number {
    return this.buffer.readInt32BE(this.position + 12)
  }

  get crc(): number {
    return this.buffer.readUInt32BE(this.position + 17)
  }

  get attributes(): number {
    return this.buffer.readInt16BE(this.position + 21)
  }

  get compression(): CompressionType {
    return compressionTypes[this.attributes & 0x07]!
  }

  get timestampType(): TimestampType {
    return this.attributes & 0x08 ? 'LogAppendTime' : 'CreateTime'
  }

  get isTransactional(): boolean {
    return (this.attributes & 0x10) !== 0
  }

  /** True for transaction markers, which are never handed to an application. */
  get isControl(): boolean {
    return (this.attributes & 0x20) !== 0
  }

  /** Milliseconds; what the records' timestamps are counted from. With a delete horizon (compaction) it is that. */
  get baseTimestamp(): number {
    return readInt64(this.buffer, this.position + 27)
  }

  /** Milliseconds; -1 when the records have none. */
  get maxTimestamp(): number {
    return readInt64(this.buffer, this.position + 35)
  }

  /** -1 when the producer was not idempotent. */
  get producerId(): number {
    return readInt64(this.buffer, this.position + 43)
  }

  get producerEpoch(): number {
    return this.buffer.readInt16BE(this.position + 51)
  }

  /** -1 when the producer was not idempotent. */
  get baseSequence(): number {
    return this.buffer.readInt32BE(this.position + 53)
  }

  /** The sequence of the last record: it starts again at 0 after 2^31 - 1. */
  get lastSequence(): number {
    const { baseSequence } = this
    return baseSequence < 0 ? -1 : (baseSequence + this.buffer.readInt32BE(this.position + 23)) & 0x7fffffff
  }

  /** How many records the header announces. */
  get count(): number {
    return this.buffer.readInt32BE(this.position + 57)
  }

  /** The batch's bytes: a view, not a copy. */
  bytes(): Buffer {
    return this.buffer.subarray(this.position, this.position + this.sizeInBytes)
  }

  /** @throws CorruptBatchError when the bytes are not those that the checksum was computed of */
  verifyCrc(): void {
    const { buffer, position, crc } = this
    const computed = crc32c(buffer, position + 21, position + this.sizeInBytes)
    if (computed !== crc) {
      throw new CorruptBatchError(
        `The record batch with the base offset ${this.baseOffset} has the CRC ${hex(crc)}, and its bytes ${hex(computed)}`,
      )
    }
  }

  /** In place. The CRC does not cover it. */
  setBaseOffset(offset: number): void {
    writeInt64(this.buffer, this.position, offset)
  }

  /** In place. The CRC does not cover it. */
  setLeaderEpoch(epoch: number): void {
    this.buffer.writeInt32BE(epoch, this.position + 12)
  }

  /** In place: all records have this timestamp from now on. Computes the CRC anew. */
  setLogAppendTime(timestampMs: number): void {
    this.buffer.writeInt16BE(this.attributes | 0x08, this.position + 21)
    writeInt64(this.buffer, this.position + 35, timestampMs)
    this.#writeCrc()
  }

  /** In place, for a producer whose epoch was raised before the batch was sent. Computes the CRC anew. */
  setProducer(producerId: number, producerEpoch: number, baseSequence: number): void {
    writeInt64(this.buffer, this.position + 43, producerId)
    this.buffer.writeInt16BE(producerEpoch, this.position + 51)
    this.buffer.writeInt32BE(baseSequence, this.position + 53)
    this.#writeCrc()
  }

  #writeCrc(): void {
    const { buffer, position, sizeInBytes } = this
    buffer.writeUInt32BE(crc32c(buffer, position + 21, position + sizeInBytes), position + 17)
  }

  /**
   * What a control batch says of its transaction. Types that came later are `unknown`, and are passed over.
   *
   * It holds one record, `length attributes timestamp_delta offset_delta key_length key value_length value headers`, whose key is
   * `version:int16 type:int16`. The timestamp delta is long where compaction has set a delete horizon (KIP-534).
   */
  controlType(): 'abort' | 'commit' | 'unknown' {
    const key = this.#controlKey()
    if (key === undefined || this.buffer.readInt16BE(key) < 0) return 'unknown'
    const type = this.buffer.readInt16BE(key + 2)
    return type === 0 ? 'abort' : type === 1 ? 'commit' : 'unknown'
  }

  /** Of a transaction marker: the epoch of the coordinator that wrote it; -1 if it says none. Its value is `version:int16 coordinator_epoch:int32`. */
  get coordinatorEpoch(): number {
    const key = this.#controlKey()
    const value = key === undefined ? Number.POSITIVE_INFINITY : key + 5
    return value + 6 <= this.position + this.sizeInBytes ? this.buffer.readInt32BE(value + 2) : -1
  }

  /** Where the key of a control batch's record begins. */
  #controlKey(): number | undefined {
    const end = this.position + this.sizeInBytes
    if (!this.isControl || this.count !== 1 || this.compression !== 'none') return undefined
    let at = this.position + RECORD_BATCH_OVERHEAD
    const skipVarint = () => {
      while (at < end && this.buffer[at]! >= 0x80) at++
      at++
    }
    skipVarint()
    at++
    skipVarint()
    skipVarint()
    return at < end && this.buffer[at] === 8 && at + 5 <= end ? at + 1 : undefined
  }
}

/**
 * The batches of a fetch response, a produce request or a log segment. A last one that is cut off is passed over in silence: a broker cuts
 * its answer where the client's limit is.
 *
 * @throws UnsupportedMagicError, DecodeError as the constructor does
 */
export function* recordBatches(buffer: Buffer): Generator<RecordBatch> {
  for (let position = 0; ;) {
    const batch = batchAt(buffer, position)
    if (!batch) return
    // Taken before the batch is handed out, as its header can be changed there.
    position += batch.sizeInBytes
    yield batch
  }
}

function batchAt(buffer: Buffer, position: number): RecordBatch | undefined {
  if (buffer.length - position < MAGIC_END) return undefined
  try {
    return new RecordBatch(buffer, position)
  } catch (error) {
    if (error instanceof TruncatedError) return undefined
    throw error
  }
}

function readInt64(buffer: Buffer, at: number): number {
  const value = buffer.readInt32BE(at) * TWO_TO_32 + buffer.readUInt32BE(at + 4)
  if (Number.isSafeInteger(value)) return value
  throw new CorruptBatchError(
    `The 64-bit number ${buffer.readBigInt64BE(at)} is beyond 2^53 - 1 and cannot be held exactly`,
  )
}

function writeInt64(buffer: Buffer, at: number, value: number): void {
  buffer.writeInt32BE(Math.floor(value / TWO_TO_32), at)
  buffer.writeUInt32BE(value >>> 0, at + 4)
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}
