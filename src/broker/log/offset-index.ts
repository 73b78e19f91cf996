/**
 * The two sparse indexes of a segment, in Kafka's own formats and held in memory as they stand in their files:
 *
 *     .index      relative_offset:int32  position:int32                where the batch that ends at the offset begins
 *     .timeindex  timestamp:int64        relative_offset:int32         the greatest timestamp up to the offset
 *
 * Offsets count from the segment's base offset. Both are ascending, so that they are searched by halving. They know nothing of
 * files: a segment loads and stores `bytes()`.
 */
const OFFSET_ENTRY = 8
const TIME_ENTRY = 12

/** Entries of a fixed width in one buffer that doubles. */
class Entries {
  readonly width: number
  #buffer: Buffer
  count: number

  constructor(width: number, bytes: Buffer) {
    this.width = width
    this.count = Math.floor(bytes.length / width)
    this.#buffer = bytes
  }

  get buffer(): Buffer {
    return this.#buffer
  }

  /** Position in the buffer of a new entry at the end. */
  grow(): number {
    const at = this.count * this.width
    if (at + this.width > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(32 * this.width, 2 * this.#buffer.length))
      this.#buffer.copy(larger, 0, 0, at)
      this.#buffer = larger
    }
    this.count++
    return at
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.count * this.width)
  }

  /** Number of the last entry that `isAtMost` holds for, or -1; it must hold for a beginning of the entries. */
  last(isAtMost: (at: number) => boolean): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isAtMost(middle * this.width)) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

export interface OffsetEntry {
  readonly relativeOffset: number
  readonly position: number
}

export class OffsetIndex {
  readonly #entries: Entries

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#entries = new Entries(OFFSET_ENTRY, bytes)
  }

  get count(): number {
    return this.#entries.count
  }

  entry(number: number): OffsetEntry {
    const { buffer } = this.#entries
    return { relativeOffset: buffer.readInt32BE(number * 8), position: buffer.readInt32BE(number * 8 + 4) }
  }

  append(relativeOffset: number, position: number): void {
    const at = this.#entries.grow()
    this.#entries.buffer.writeInt32BE(relativeOffset, at)
    this.#entries.buffer.writeInt32BE(position, at + 4)
  }

  /** Where to begin looking for the offset: no batch before this position holds it. */
  positionBefore(relativeOffset: number): number {
    const { buffer } = this.#entries
    const number = this.#entries.last((at) => buffer.readInt32BE(at) <= relativeOffset)
    return number < 0 ? 0 : buffer.readInt32BE(number * 8 + 4)
  }

  /** The first indexed position beyond this offset, if there is one. */
  positionAfter(relativeOffset: number): number | undefined {
    const { buffer } = this.#entries
    const number = this.#entries.last((at) => buffer.readInt32BE(at) <= relativeOffset) + 1
    return number < this.count ? buffer.readInt32BE(number * 8 + 4) : undefined
  }

  /** Keeps the entries whose batches lie below this position. */
  truncate(position: number): void {
    const { buffer } = this.#entries
    this.#entries.count = this.#entries.last((at) => buffer.readInt32BE(at + 4) < position) + 1
  }

  bytes(): Buffer {
    return this.#entries.bytes()
  }

  /** Whether a file can be this index of a segment of that size: whole entries, ascending, within the segment. */
  static isSane(bytes: Buffer, segmentSize: number): boolean {
    if (bytes.length % OFFSET_ENTRY !== 0) return false
    let offset = -1
    let position = -1
    for (let at = 0; at < bytes.length; at += OFFSET_ENTRY) {
      if (bytes.readInt32BE(at) <= offset || bytes.readInt32BE(at + 4) <= position) return false
      offset = bytes.readInt32BE(at)
      position = bytes.readInt32BE(at + 4)
    }
    return position < segmentSize
  }
}

export class TimeIndex {
  readonly #entries: Entries

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#entries = new Entries(TIME_ENTRY, bytes)
  }

  get count(): number {
    return this.#entries.count
  }

  entry(number: number): { timestamp: number; relativeOffset: number } {
    const { buffer } = this.#entries
    return {
      timestamp: Number(buffer.readBigInt64BE(number * 12)),
      relativeOffset: buffer.readInt32BE(number * 12 + 8),
    }
  }

  /** Adds an entry if the timestamp has grown since the last. */
  append(timestamp: number, relativeOffset: number): void {
    if (timestamp < 0) return
    const { count } = this
    if (count > 0) {
      const last = this.entry(count - 1)
      if (timestamp <= last.timestamp || relativeOffset <= last.relativeOffset) return
    }
    const at = this.#entries.grow()
    this.#entries.buffer.writeBigInt64BE(BigInt(timestamp), at)
    this.#entries.buffer.writeInt32BE(relativeOffset, at + 8)
  }

  /** No record up to this relative offset has the timestamp or a later one. */
  offsetBefore(timestamp: number): number {
    const { buffer } = this.#entries
    const number = this.#entries.last((at) => Number(buffer.readBigInt64BE(at)) < timestamp)
    return number < 0 ? 0 : buffer.readInt32BE(number * 12 + 8)
  }

  /** Keeps the entries up to this relative offset. */
  truncate(relativeOffset: number): void {
    const { buffer } = this.#entries
    this.#entries.count = this.#entries.last((at) => buffer.readInt32BE(at + 8) <= relativeOffset) + 1
  }

  bytes(): Buffer {
    return this.#entries.bytes()
  }

  static isSane(bytes: Buffer): boolean {
    if (bytes.length % TIME_ENTRY !== 0) return false
    let timestamp = -1n
    let offset = -1
    for (let at = 0; at < bytes.length; at += TIME_ENTRY) {
      if (bytes.readBigInt64BE(at) <= timestamp || bytes.readInt32BE(at + 8) <= offset) return false
      timestamp = bytes.readBigInt64BE(at)
      offset = bytes.readInt32BE(at + 8)
    }
    return true
  }
}
