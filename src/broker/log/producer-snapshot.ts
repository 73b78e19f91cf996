/**
 * A partition's producers as bytes, for recovery: Kafka's `.snapshot` file, named by the offset up to which it speaks.
 *
 *     version:int16 = 1  crc:uint32  count:int32  entries      the CRC-32C covers everything behind itself
 *     entry  producer_id:int64  epoch:int16  last_sequence:int32  last_offset:int64  offset_delta:int32  timestamp:int64
 *            coordinator_epoch:int32  transaction_first_offset:int64
 *
 * Kafka keeps one batch a producer here, so that a restart turns the retry of an older one into an error. What follows Kafka's part, and
 * what its reader passes over, are the others of the last five, oldest first:
 *
 *     count:int32  earlier
 *     earlier  producer_id:int64  last_sequence:int32  last_offset:int64  offset_delta:int32  timestamp:int64
 */
import { crc32c } from '../../protocol/records/crc32c.ts'
import { type ProducerBatch, type ProducerEntry } from './producer-state.ts'

const VERSION = 1
const HEADER = 6
const ENTRY = 46
const EARLIER = 32

export function encodeProducers(entries: Iterable<ProducerEntry>): Buffer {
  const producers = [...entries]
  const earlier = producers.flatMap(({ producerId, batches }) =>
    batches.slice(0, -1).map((batch) => ({ producerId, batch })),
  )
  const bytes = Buffer.alloc(HEADER + 4 + producers.length * ENTRY + 4 + earlier.length * EARLIER)
  bytes.writeInt16BE(VERSION, 0)
  let at = bytes.writeInt32BE(producers.length, HEADER)
  for (const { producerId, epoch, batches, lastTimestamp, coordinatorEpoch, transactionFirstOffset } of producers) {
    const last = batches.at(-1)
    at = bytes.writeBigInt64BE(BigInt(producerId), at)
    at = bytes.writeInt16BE(epoch, at)
    at = writeBatch(bytes, at, last ?? { lastSequence: -1, lastOffset: -1, offsetDelta: 0, timestamp: lastTimestamp })
    at = bytes.writeInt32BE(coordinatorEpoch, at)
    at = bytes.writeBigInt64BE(BigInt(transactionFirstOffset), at)
  }
  at = bytes.writeInt32BE(earlier.length, at)
  for (const { producerId, batch } of earlier) {
    at = bytes.writeBigInt64BE(BigInt(producerId), at)
    at = writeBatch(bytes, at, batch)
  }
  bytes.writeUInt32BE(crc32c(bytes, HEADER, bytes.length), 2)
  return bytes
}

function writeBatch(
  bytes: Buffer,
  at: number,
  { lastSequence, lastOffset, offsetDelta, timestamp }: ProducerBatch,
): number {
  bytes.writeInt32BE(lastSequence, at)
  bytes.writeBigInt64BE(BigInt(lastOffset), at + 4)
  bytes.writeInt32BE(offsetDelta, at + 12)
  return bytes.writeBigInt64BE(BigInt(timestamp), at + 16)
}

function readBatch(bytes: Buffer, at: number): ProducerBatch {
  return {
    lastSequence: bytes.readInt32BE(at),
    lastOffset: Number(bytes.readBigInt64BE(at + 4)),
    offsetDelta: bytes.readInt32BE(at + 12),
    timestamp: Number(bytes.readBigInt64BE(at + 16)),
  }
}

/** undefined if the bytes are not a sound snapshot: then an older one or the log itself is read instead. */
export function decodeProducers(bytes: Buffer): ProducerEntry[] | undefined {
  if (bytes.length < HEADER + 4 || bytes.readInt16BE(0) !== VERSION) return undefined
  if (bytes.readUInt32BE(2) !== crc32c(bytes, HEADER, bytes.length)) return undefined
  const count = bytes.readInt32BE(HEADER)
  if (count < 0 || HEADER + 4 + count * ENTRY > bytes.length) return undefined
  const entries = new Map<number, ProducerEntry>()
  let at = HEADER + 4
  for (let number = 0; number < count; number++, at += ENTRY) {
    const last = readBatch(bytes, at + 10)
    const producerId = Number(bytes.readBigInt64BE(at))
    entries.set(producerId, {
      producerId,
      epoch: bytes.readInt16BE(at + 8),
      batches: last.lastSequence < 0 ? [] : [last],
      lastTimestamp: last.timestamp,
      coordinatorEpoch: bytes.readInt32BE(at + 34),
      transactionFirstOffset: Number(bytes.readBigInt64BE(at + 38)),
    })
  }
  readEarlier(bytes, at, entries)
  return [...entries.values()]
}

/** Kafka's own snapshots end before this. */
function readEarlier(bytes: Buffer, start: number, entries: ReadonlyMap<number, ProducerEntry>): void {
  if (start + 4 > bytes.length) return
  let at = start + 4
  for (let count = bytes.readInt32BE(start); count > 0 && at + EARLIER <= bytes.length; count--, at += EARLIER) {
    const batches = entries.get(Number(bytes.readBigInt64BE(at)))?.batches
    batches?.splice(batches.length - 1, 0, readBatch(bytes, at + 8))
  }
}
