/**
 * What a Produce request's records must be before they are stored: Kafka's LogValidator and UnifiedLog.analyzeAndValidateRecords, with
 * their words. Looks only; the offsets are set by the partition.
 */
import { DecodeError } from '../../protocol/decode-error.ts'
import { decompress } from '../../protocol/records/compression.ts'
import { RECORD_BATCH_OVERHEAD, RecordBatch, UnsupportedMagicError } from '../../protocol/records/record-batch.ts'
import { type AppendOrigin } from './partition-types.ts'
import { refusal, type RecordRefusal } from './refusal.ts'
import { type TopicConfig } from './topic-config.ts'

/** A batch may not unpack to more than this; Kafka has no limit. */
const MAX_DECOMPRESSED_BYTES = 512 * 1024 * 1024
/** Kafka names only so many of the refused records. */
const REFUSALS_NAMED = 3

/** Opens and checks what was sent. Throws LogRefusal. */
export function validateRecords(
  records: Buffer,
  origin: AppendOrigin,
  partition: string,
  config: TopicConfig,
  nowMs: number,
): RecordBatch[] {
  const doing = `appending to ${partition}`
  const batches = open(records, doing)
  if (batches.length === 0 || (origin === 'client' && batches.length > 1)) {
    throw refusal(
      'INVALID_RECORD',
      doing,
      `Produce requests must contain exactly one record batch per partition, and this has ${batches.length}`,
    )
  }
  let size = 0
  for (const batch of batches) {
    if (batch.sizeInBytes > config.maxMessageBytes) {
      throw refusal(
        'MESSAGE_TOO_LARGE',
        doing,
        `The record batch size in the append to ${partition} is ${batch.sizeInBytes} bytes which exceeds the maximum configured value of ${config.maxMessageBytes}.`,
      )
    }
    size += batch.sizeInBytes
    validateBatch(batch, origin, partition, doing, config, nowMs)
  }
  if (size > config.segmentBytes) {
    throw refusal(
      'RECORD_LIST_TOO_LARGE',
      doing,
      `Message batch size is ${size} bytes in append to partition ${partition}, which exceeds the maximum configured segment size of ${config.segmentBytes}.`,
    )
  }
  return batches
}

function open(records: Buffer, doing: string): RecordBatch[] {
  const batches: RecordBatch[] = []
  try {
    for (let at = 0; at < records.length;) {
      const batch = new RecordBatch(records, at)
      batches.push(batch)
      at += batch.sizeInBytes
    }
  } catch (error) {
    if (error instanceof UnsupportedMagicError) throw refusal('UNSUPPORTED_FOR_MESSAGE_FORMAT', doing, error.message)
    if (error instanceof DecodeError) throw refusal('CORRUPT_MESSAGE', doing, error.message)
    throw error
  }
  return batches
}

function validateBatch(
  batch: RecordBatch,
  origin: AppendOrigin,
  partition: string,
  doing: string,
  config: TopicConfig,
  nowMs: number,
): void {
  try {
    batch.verifyCrc()
  } catch {
    throw refusal(
      'CORRUPT_MESSAGE',
      doing,
      `Record is corrupt (stored crc = ${batch.crc}) in topic partition ${partition}`,
    )
  }
  const { baseOffset, lastOffset, count } = batch
  if (count <= 0)
    throw refusal(
      'INVALID_RECORD',
      doing,
      `Invalid reported count for record batch: ${count} in topic partition ${partition}`,
    )
  if (lastOffset - baseOffset + 1 !== count) {
    throw refusal(
      'INVALID_RECORD',
      doing,
      `Inconsistent batch offset range [${baseOffset}, ${lastOffset}] and count of records ${count} in topic partition ${partition}`,
    )
  }
  if (origin === 'coordinator') return
  if (batch.isControl) {
    throw refusal(
      'INVALID_RECORD',
      doing,
      `Clients are not allowed to write control records in topic partition ${partition}`,
    )
  }
  if (batch.producerId >= 0 && batch.baseSequence < 0) {
    throw refusal(
      'INVALID_RECORD',
      doing,
      `Invalid sequence number ${batch.baseSequence} in record batch with producerId ${batch.producerId} in topic partition ${partition}`,
    )
  }
  validateEach(batch, partition, doing, config, nowMs)
}

/** Walks over the records' frames. `length attributes timestamp_delta offset_delta key_length key value_length value headers`. */
function validateEach(batch: RecordBatch, partition: string, doing: string, config: TopicConfig, nowMs: number): void {
  const createTime = config.timestampType === 'CreateTime'
  if (createTime && batch.timestampType === 'LogAppendTime') {
    throw refusal(
      'INVALID_TIMESTAMP',
      doing,
      `Invalid timestamp type in message: Producer should not set timestamp type to LogAppendTime in topic partition ${partition}`,
    )
  }
  const earliest = nowMs - config.timestampBeforeMaxMs
  const latest = nowMs + config.timestampAfterMaxMs
  const keyless: RecordRefusal[] = []
  const untimely: RecordRefusal[] = []
  walkRecords(batch, doing, (index, timestamp, hasKey) => {
    if (!hasKey && config.cleanupCompact) {
      keyless.push({
        batchIndex: index,
        message: `Compacted topic cannot accept message without key in topic partition ${partition}`,
      })
    }
    if (createTime && timestamp !== -1 && (timestamp < earliest || timestamp > latest)) {
      const message = `Timestamp ${timestamp} of message with offset ${index} is out of range. The timestamp should be within [${earliest}, ${latest}]`
      untimely.push({ batchIndex: index, message })
    }
  })
  const refused = untimely.length > 0 ? untimely : keyless
  if (refused.length === 0) return
  const named = refused.slice(0, REFUSALS_NAMED)
  const shown = named.map(({ batchIndex, message }) => `RecordError(batchIndex=${batchIndex}, message='${message}')`)
  throw refusal(
    untimely.length > 0 ? 'INVALID_TIMESTAMP' : 'INVALID_RECORD',
    doing,
    `One or more records have been rejected due to ${refused.length} record errors in total, and only showing the first three errors at most: [${shown.join(', ')}]`,
    refused,
  )
}

type Visit = (index: number, timestamp: number, hasKey: boolean) => void

function walkRecords(batch: RecordBatch, doing: string, visit: Visit): void {
  let bytes = batch.buffer.subarray(batch.position + RECORD_BATCH_OVERHEAD, batch.position + batch.sizeInBytes)
  if (batch.compression !== 'none') {
    try {
      bytes = decompress(batch.compression, bytes, MAX_DECOMPRESSED_BYTES)
    } catch (error) {
      throw refusal('CORRUPT_MESSAGE', doing, `The records cannot be unpacked: ${(error as Error).message}`)
    }
  }
  const { count, baseTimestamp } = batch
  const frames = new FrameWalker(bytes)
  for (let index = 0; index < count; index++) {
    if (!frames.next() || frames.offsetDelta !== index) {
      throw refusal(
        'INVALID_RECORD',
        doing,
        `Record ${index} of ${count} does not hold what its batch announces: offset delta ${frames.offsetDelta}, ${bytes.length - frames.end} bytes left`,
      )
    }
    visit(index, baseTimestamp + frames.timestampDelta, frames.keyLength >= 0)
  }
  if (frames.end !== bytes.length)
    throw refusal('INVALID_RECORD', doing, `${bytes.length - frames.end} bytes follow the ${count} records of a batch`)
}

/** Steps over record frames without opening key, value or headers. */
export class FrameWalker {
  readonly #bytes: Buffer
  #at = 0
  /** Where the record that was stepped over begins (with its length) and ends. */
  start = 0
  end = 0
  /** Behind the attributes and both deltas: key length, key, value length, value, headers. */
  bodyStart = 0
  attributes = 0
  timestampDelta = 0
  offsetDelta = 0
  keyStart = 0
  keyLength = 0
  valueLength = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** False if the next record is not whole. */
  next(): boolean {
    const bytes = this.#bytes
    this.start = this.end
    this.#at = this.end
    const length = this.#varint()
    const end = this.#at + length
    if (!(length > 0 && end <= bytes.length)) return false
    this.attributes = bytes[this.#at++]!
    this.timestampDelta = this.#varint()
    this.offsetDelta = this.#varint()
    this.bodyStart = this.#at
    this.keyLength = this.#varint()
    this.keyStart = this.#at
    if (this.keyLength > 0) this.#at += this.keyLength
    this.valueLength = this.#at < end ? this.#varint() : Number.NaN
    if (this.valueLength > 0) this.#at += this.valueLength
    if (!(this.#at < end && this.keyLength >= -1 && this.valueLength >= -1)) return false
    this.end = end
    return true
  }

  /** Zigzag, up to 64 bits; NaN when the bytes end or do not stop, which fails every comparison above. */
  #varint(): number {
    const bytes = this.#bytes
    let byte = bytes[this.#at++]
    if (byte === undefined) return Number.NaN
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 0x7f
    for (let factor = 128; factor < 2 ** 70; factor *= 128) {
      byte = bytes[this.#at++]
      if (byte === undefined) return Number.NaN
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
    return Number.NaN
  }
}
