/**
 * Walks through the records of one batch, a few at a time: the hot path of a consumer.
 *
 * Nothing is read before the first `take`: then the CRC is checked and the batch decompressed, once. A record costs one view and
 * no other allocation. All lengths of a record are checked here, so that its getters cannot fail later.
 */
import { DecodeError } from '../decode-error.ts'
import { Reader } from '../reader.ts'
import { decompress } from './compression.ts'
import { ConsumerRecord, type RecordParts, type RecordSource } from './consumer-record.ts'
import { DeserializedRecord, type Deserializers } from './deserialized-record.ts'
import { CorruptBatchError, RECORD_BATCH_OVERHEAD, type RecordBatch, SHORTEST_RECORD } from './record-batch.ts'

/** What one batch may be decompressed into unless told otherwise. */
export const MAX_DECOMPRESSED_BYTES = 256 * 1024 * 1024
/** Base and delta are held to this, so that their sum is exact. */
const MAX_TIMESTAMP_DELTA = 2 ** 52

export interface RecordCursorOptions {
  /** Whether the batch's CRC is checked before it is opened. Default: true. */
  readonly checkCrcs?: boolean
  /** A batch that decompresses into more is an error. Default: 256 MiB. */
  readonly maxDecompressedBytes?: number
  /** What keys and values are turned into. Default: views of their bytes. */
  readonly deserializers?: Deserializers | undefined
}

export class RecordCursor {
  readonly batch: RecordBatch
  readonly topic: string
  readonly partition: number
  readonly #checkCrcs: boolean
  readonly #maxDecompressedBytes: number
  readonly #deserializers: Deserializers | undefined
  #source: RecordSource | undefined
  #buffer: Buffer
  #position = 0
  /** Where the batch's records begin in the buffer. */
  #start = 0
  #end = 0
  /** Records not yet passed. */
  #left: number
  #previousDelta = -1
  readonly #lastDelta: number

  /** The records of a control batch are no application's: such a cursor is exhausted from the start. */
  constructor(batch: RecordBatch, topic: string, partition: number, options: RecordCursorOptions = {}) {
    this.batch = batch
    this.topic = topic
    this.partition = partition
    this.#checkCrcs = options.checkCrcs ?? true
    this.#maxDecompressedBytes = options.maxDecompressedBytes ?? MAX_DECOMPRESSED_BYTES
    this.#deserializers = options.deserializers
    this.#buffer = batch.buffer
    this.#lastDelta = batch.lastOffset - batch.baseOffset
    this.#left = batch.isControl ? 0 : batch.count
  }

  /** True when every record has been taken or passed over. */
  get exhausted(): boolean {
    return this.#left === 0
  }

  /** Bytes of the records that were passed, as they are when they are not compressed. */
  get passedBytes(): number {
    return this.#source === undefined ? 0 : this.#position - this.#start
  }

  /** Where to go on from: behind the last record taken, and behind the whole batch (with its gaps) when exhausted. */
  get nextOffset(): number {
    return this.#left === 0 ? this.batch.nextOffset : this.batch.baseOffset + this.#previousDelta + 1
  }

  /**
   * Appends at most `max` records with offsets from `fromOffset` on to `into` and returns how many. A broken record is thrown
   * only by a take that comes upon it first, with nothing taken: what stands before it is handed out.
   *
   * @throws RecordDeserializationError; CorruptBatchError, DecodeError naming topic, partition and offset; the same again at the next call
   */
  take(into: ConsumerRecord[], max: number, fromOffset: number): number {
    if (this.#left === 0) return 0
    const source = (this.#source ??= this.#open())
    const firstDelta = fromOffset - source.baseOffset
    let taken = 0
    while (taken < max && this.#left > 0) {
      const start = this.#position
      let record: ConsumerRecord | undefined
      try {
        record = this.#next(source, firstDelta)
      } catch (error) {
        this.#position = start
        if (taken > 0) return taken
        throw this.#located(error)
      }
      if (record === undefined) continue
      into.push(record)
      taken++
    }
    return taken
  }

  /** The next record, or undefined when it stands before `firstDelta`. State moves on only when all of it is right. */
  #next(source: RecordSource, firstDelta: number): ConsumerRecord | undefined {
    const length = this.#varint()
    const end = this.#position + length
    if (length < SHORTEST_RECORD - 1 || end > this.#end)
      throw new CorruptBatchError(`a record has the length ${length}`)
    this.#position++ // Attributes, of which none is in use.
    const timestampDelta = this.#timestampDelta()
    const offsetDelta = this.#varint()
    if (offsetDelta <= this.#previousDelta || offsetDelta > this.#lastDelta) {
      const bounds = `${this.#previousDelta} and up to ${this.#lastDelta}`
      throw new CorruptBatchError(`a record has the offset delta ${offsetDelta} after ${bounds}`)
    }
    let record: ConsumerRecord | undefined
    if (offsetDelta >= firstDelta) {
      const keyLength = this.#varint()
      const keyStart = this.#position
      if (keyLength > 0) this.#position += keyLength
      const valueLength = this.#position <= end ? this.#varint() : -2
      const valueStart = this.#position
      if (valueLength > 0) this.#position += valueLength
      if (keyLength < -1 || valueLength < -1 || this.#position >= end) {
        throw new CorruptBatchError(
          `a record has a key of ${keyLength} and a value of ${valueLength} bytes in ${length}`,
        )
      }
      if (this.#buffer[this.#position] === 0) this.#position++
      else this.#checkHeaders(end)
      if (this.#position !== end) throw new CorruptBatchError(`a record of ${length} bytes ends elsewhere`)
      record =
        this.#deserializers === undefined
          ? new ConsumerRecord(source, offsetDelta, timestampDelta, keyStart, keyLength, valueStart, valueLength)
          : this.#deserialized(source, offsetDelta, timestampDelta, keyStart, keyLength, valueStart, valueLength)
    } else if (this.#position > end) {
      throw new CorruptBatchError(`a record of ${length} bytes ends within its offset`)
    }
    this.#position = end
    if (this.#left === 1 && end !== this.#end) {
      throw new CorruptBatchError(`${this.#end - end} bytes stand behind the last record`)
    }
    this.#left--
    this.#previousDelta = offsetDelta
    return record
  }

  #deserialized(...parts: RecordParts): ConsumerRecord {
    return new DeserializedRecord(this.#deserializers!, ...parts) as ConsumerRecord<never, never>
  }

  #open(): RecordSource {
    const { batch, topic, partition } = this
    try {
      if (this.#checkCrcs) batch.verifyCrc()
      this.#position = batch.position + RECORD_BATCH_OVERHEAD
      this.#end = batch.position + batch.sizeInBytes
      if (batch.compression !== 'none') {
        const compressed = batch.buffer.subarray(this.#position, this.#end)
        this.#buffer = decompress(batch.compression, compressed, this.#maxDecompressedBytes)
        this.#position = 0
        this.#end = this.#buffer.length
      }
      if (batch.count * SHORTEST_RECORD > this.#end - this.#position) {
        throw new CorruptBatchError(`${batch.count} records are announced in ${this.#end - this.#position} bytes`)
      }
    } catch (error) {
      throw this.#located(error)
    }
    this.#start = this.#position
    const { baseOffset, baseTimestamp, maxTimestamp, timestampType, partitionLeaderEpoch: leaderEpoch } = batch
    const buffer = this.#buffer
    return { topic, partition, buffer, baseOffset, baseTimestamp, maxTimestamp, timestampType, leaderEpoch }
  }

  /** A zigzag number of at most 32 bits: one and two bytes here, as nearly all are. May read behind the record, never behind the buffer. */
  #varint(): number {
    const buffer = this.#buffer
    const at = this.#position
    const first = buffer[at]!
    if (first < 0x80) {
      this.#position = at + 1
      return (first >>> 1) ^ -(first & 1)
    }
    const second = buffer[at + 1]!
    if (second < 0x80) {
      this.#position = at + 2
      return ((second << 6) | ((first & 0x7e) >>> 1)) ^ -(first & 1)
    }
    const reader = new Reader(buffer, at, this.#end)
    const value = reader.varint()
    this.#position = reader.position
    return value
  }

  #timestampDelta(): number {
    const buffer = this.#buffer
    const at = this.#position
    const first = buffer[at]!
    if (first < 0x80) {
      this.#position = at + 1
      return (first >>> 1) ^ -(first & 1)
    }
    const second = buffer[at + 1]!
    if (second < 0x80) {
      this.#position = at + 2
      return ((second << 6) | ((first & 0x7e) >>> 1)) ^ -(first & 1)
    }
    const reader = new Reader(buffer, at, this.#end)
    const value = reader.varlong()
    if (Math.abs(value) > MAX_TIMESTAMP_DELTA) throw new CorruptBatchError(`a record has the timestamp delta ${value}`)
    this.#position = reader.position
    return value
  }

  /** Passes over the headers and makes sure that they can be read when somebody asks for them. */
  #checkHeaders(end: number): void {
    const reader = new Reader(this.#buffer, this.#position, end)
    const count = reader.varint()
    if (count < 0 || count * 2 > reader.remaining) throw new CorruptBatchError(`a record has ${count} headers`)
    for (let index = 0; index < count; index++) {
      reader.skip(reader.varint())
      const valueLength = reader.varint()
      if (valueLength !== -1) reader.skip(valueLength)
    }
    this.#position = reader.position
  }

  #located(error: unknown): unknown {
    if (!(error instanceof DecodeError)) return error
    const offset = this.#left === this.batch.count ? this.batch.baseOffset : this.nextOffset
    const where = `${this.topic}-${this.partition}, batch at offset ${this.batch.baseOffset}, from offset ${offset}`
    return new CorruptBatchError(`${where}: ${error.message}`, { cause: error })
  }
}
