/**
 * Writes record batches (message format v2): `record-batch.ts` draws the header, `record-cursor.ts` reads what is written here.
 *
 *     record   length:varint  attributes:int8  timestamp_delta:varlong  offset_delta:varint
 *              key_length:varint key  value_length:varint value  header_count:varint headers
 *     header   key_length:varint key  value_length:varint value
 *
 * Records are copied when they are appended: the caller may change its bytes afterwards.
 */
import { EncodeError } from '../decode-error.ts'
import { Reader } from '../reader.ts'
import { type CompressionType, compress } from './compression.ts'
import { crc32c } from './crc32c.ts'
import { RECORD_BATCH_OVERHEAD } from './record-batch.ts'

export interface RecordInput {
  readonly key?: Uint8Array | null
  readonly value?: Uint8Array | null
  readonly headers?: readonly { readonly key: string; readonly value: Uint8Array | null }[]
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

export interface BuildOptions {
  /** Default 0: a broker sets it when it appends. */
  readonly baseOffset?: number
  /** Default -1: a broker sets it when it appends. */
  readonly partitionLeaderEpoch?: number
  /** Default -1: not idempotent. */
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
  /** Each record's distance from `baseOffset`, ascending, when it is not 0, 1, 2 …: what compaction leaves. */
  readonly offsetDeltas?: readonly number[]
  /** When compaction removed the batch's last records. Default: the last record's delta. */
  readonly lastOffsetDelta?: number
  /** Milliseconds: the records' timestamps are those of the append, and this one. */
  readonly logAppendTime?: number
}

const attributeOf: Readonly<Record<CompressionType, number>> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }
const FIRST_SIZE = 1024
const TWO_TO_32 = 0x1_0000_0000
/** Length, timestamp delta, offset delta, key length, value length, header count, attributes: as long as each can be. */
const RECORD_OVERHEAD_BOUND = 5 + 10 + 5 + 5 + 5 + 5 + 1

export class RecordBatchWriter {
  readonly #compression: CompressionType
  readonly #compressionLevel: number | undefined
  #buffer = Buffer.allocUnsafe(FIRST_SIZE)
  #position = RECORD_BATCH_OVERHEAD
  #count = 0
  #baseTimestamp = -1
  #maxTimestamp = -1

  constructor(options: { compression?: CompressionType; compressionLevel?: number } = {}) {
    this.#compression = options.compression ?? 'none'
    this.#compressionLevel = options.compressionLevel
  }

  /** Records appended so far. */
  get count(): number {
    return this.#count
  }

  /** Bytes so far, uncompressed, the batch's header included. */
  get sizeInBytes(): number {
    return this.#position
  }

  /** What `sizeInBytes` can grow by at most when this record is appended. */
  static sizeUpperBound({ key, value, headers }: RecordInput): number {
    let size = RECORD_OVERHEAD_BOUND + (key?.length ?? 0) + (value?.length ?? 0)
    if (headers) for (const header of headers) size += 10 + Buffer.byteLength(header.key) + (header.value?.length ?? 0)
    return size
  }

  append(record: RecordInput): void {
    const { timestamp } = record
    if (!Number.isSafeInteger(timestamp))
      throw new EncodeError(`The timestamp ${timestamp} is not a whole number of milliseconds`)
    if (this.#count === 0) this.#baseTimestamp = timestamp
    const timestampDelta = timestamp - this.#baseTimestamp
    const { key = null, value = null, headers } = record
    let length = 1 + varlongSize(timestampDelta) + varintSize(this.#count) + bytesSize(key) + bytesSize(value)
    length += varintSize(headers?.length ?? 0)
    if (headers) {
      for (const header of headers) {
        const keyLength = Buffer.byteLength(header.key)
        length += varintSize(keyLength) + keyLength + bytesSize(header.value)
      }
    }
    this.#reserve(length + 5)
    this.#varint(length)
    this.#buffer[this.#position++] = 0
    this.#varlong(timestampDelta)
    this.#varint(this.#count)
    this.#bytes(key)
    this.#bytes(value)
    this.#varint(headers?.length ?? 0)
    if (headers) {
      for (const header of headers) {
        this.#varint(Buffer.byteLength(header.key))
        this.#position += this.#buffer.write(header.key, this.#position, 'utf8')
        this.#bytes(header.value)
      }
    }
    this.#count++
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
  }

  /**
   * The batch. Call it once: uncompressed it is the writer's own buffer, whose header a second call would change
   * (`RecordBatch.setProducer` is for a batch that is sent again under another epoch).
   */
  build(options: BuildOptions = {}): Buffer {
    if (options.offsetDeltas) this.#renumber(options.offsetDeltas)
    let buffer = this.#buffer
    let size = this.#position
    if (this.#compression !== 'none') {
      const records = buffer.subarray(RECORD_BATCH_OVERHEAD, size)
      const compressed = compress(this.#compression, records, this.#compressionLevel)
      size = RECORD_BATCH_OVERHEAD + compressed.length
      buffer = Buffer.allocUnsafe(size)
      compressed.copy(buffer, RECORD_BATCH_OVERHEAD)
    }
    this.#writeHeader(buffer, size, options)
    return buffer.subarray(0, size)
  }

  #writeHeader(buffer: Buffer, size: number, options: BuildOptions): void {
    const { logAppendTime, producerId = -1, offsetDeltas } = options
    const attributes =
      attributeOf[this.#compression] |
      (logAppendTime === undefined ? 0 : 0x08) |
      (options.isTransactional ? 0x10 : 0) |
      (options.isControl ? 0x20 : 0)
    const lastOffsetDelta = options.lastOffsetDelta ?? offsetDeltas?.at(-1) ?? Math.max(0, this.#count - 1)
    writeInt64(buffer, 0, options.baseOffset ?? 0)
    buffer.writeInt32BE(size - 12, 8)
    buffer.writeInt32BE(options.partitionLeaderEpoch ?? -1, 12)
    buffer[16] = 2
    buffer.writeInt16BE(attributes, 21)
    buffer.writeInt32BE(lastOffsetDelta, 23)
    writeInt64(buffer, 27, this.#baseTimestamp)
    writeInt64(buffer, 35, logAppendTime ?? this.#maxTimestamp)
    writeInt64(buffer, 43, producerId)
    buffer.writeInt16BE(options.producerEpoch ?? -1, 51)
    buffer.writeInt32BE(options.baseSequence ?? -1, 53)
    buffer.writeInt32BE(this.#count, 57)
    buffer.writeUInt32BE(crc32c(buffer, 21, size), 17)
  }

  /** Writes the records anew with other offset deltas: what stands before and behind a delta stays, the length may change. */
  #renumber(offsetDeltas: readonly number[]): void {
    if (offsetDeltas.length !== this.#count) {
      throw new EncodeError(`${offsetDeltas.length} offset deltas are given for ${this.#count} records`)
    }
    const reader = new Reader(this.#buffer, RECORD_BATCH_OVERHEAD, this.#position)
    this.#buffer = Buffer.allocUnsafe(this.#position + 10 * this.#count)
    this.#position = RECORD_BATCH_OVERHEAD
    let previous = -1
    for (const delta of offsetDeltas) {
      if (!Number.isInteger(delta) || delta <= previous || delta > 0x7fffffff) {
        throw new EncodeError(`The offset delta ${delta} stands after ${previous}`)
      }
      previous = delta
      const length = reader.varint()
      const start = reader.position
      reader.skip(1)
      const timestampDelta = reader.varlong()
      const oldSize = varintSize(reader.varint())
      const rest = reader.slice(start + length - reader.position)
      this.#varint(length - oldSize + varintSize(delta))
      this.#buffer[this.#position++] = 0
      this.#varlong(timestampDelta)
      this.#varint(delta)
      this.#buffer.set(rest, this.#position)
      this.#position += rest.length
    }
  }

  #reserve(length: number): void {
    const needed = this.#position + length
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length))
    larger.set(this.#buffer.subarray(0, this.#position))
    this.#buffer = larger
  }

  #bytes(value: Uint8Array | null): void {
    if (value === null) {
      this.#buffer[this.#position++] = 1
      return
    }
    this.#varint(value.length)
    this.#buffer.set(value, this.#position)
    this.#position += value.length
  }

  #varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0
    while (rest >= 0x80) {
      this.#buffer[this.#position++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[this.#position++] = rest
  }

  #varlong(value: number): void {
    if (value >= -0x40000000 && value < 0x40000000) return this.#varint(value)
    let rest = zigzag(value)
    for (; rest >= 0x80n; rest >>= 7n) this.#buffer[this.#position++] = Number(rest & 0x7fn) | 0x80
    this.#buffer[this.#position++] = Number(rest)
  }
}

/** The marker that ends a transaction, as a batch of one control record. */
export function controlBatch(options: {
  type: 'commit' | 'abort'
  producerId: number
  producerEpoch: number
  coordinatorEpoch: number
  /** Milliseconds since 1970. */
  timestamp: number
  baseOffset?: number
}): Buffer {
  const { type, producerId, producerEpoch, coordinatorEpoch, timestamp, baseOffset } = options
  const key = Buffer.alloc(4)
  key.writeInt16BE(type === 'commit' ? 1 : 0, 2)
  const value = Buffer.alloc(6)
  value.writeInt32BE(coordinatorEpoch, 2)
  const writer = new RecordBatchWriter()
  writer.append({ key, value, timestamp })
  return writer.build({ baseOffset, producerId, producerEpoch, isTransactional: true, isControl: true })
}

function zigzag(value: number): bigint {
  return value < 0 ? (BigInt(-(value + 1)) << 1n) | 1n : BigInt(value) << 1n
}

function varintSize(value: number): number {
  const rest = ((value << 1) ^ (value >> 31)) >>> 0
  return rest < 0x80 ? 1 : rest < 0x4000 ? 2 : rest < 0x200000 ? 3 : rest < 0x10000000 ? 4 : 5
}

function varlongSize(value: number): number {
  if (value >= -0x40000000 && value < 0x40000000) return varintSize(value)
  let size = 1
  for (let rest = zigzag(value); rest >= 0x80n; rest >>= 7n) size++
  return size
}

function bytesSize(value: Uint8Array | null): number {
  return value === null ? 1 : varintSize(value.length) + value.length
}

function writeInt64(buffer: Buffer, at: number, value: number): void {
  if (!Number.isSafeInteger(value)) throw new EncodeError(`${value} is not a whole number within 2^53 - 1`)
  buffer.writeInt32BE(Math.floor(value / TWO_TO_32), at)
  buffer.writeUInt32BE(value >>> 0, at + 4)
}
