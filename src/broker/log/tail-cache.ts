/**
 * The newest batches of all partitions, held in memory, so that consumers who keep up are served without touching a file. One
 * budget for all: what was appended longest ago, wherever, goes first. Never the truth: whatever is missing here is read from the segment.
 */
interface TailEntry {
  readonly tail: PartitionTail
  readonly baseOffset: number
  readonly nextOffset: number
  readonly bytes: Buffer
}

export const TAIL_MEMORY_BYTES = 64 * 1024 * 1024
/** Beyond this many pieces one copy costs less than handing each to the socket. */
const MOST_PIECES = 16

export class TailMemory {
  readonly #maxBytes: number
  #queue: TailEntry[] = []
  #first = 0
  #sizeInBytes = 0

  constructor(maxBytes: number = TAIL_MEMORY_BYTES) {
    this.#maxBytes = maxBytes
  }

  get sizeInBytes(): number {
    return this.#sizeInBytes
  }

  add(entry: TailEntry): void {
    this.#queue.push(entry)
    this.#sizeInBytes += entry.bytes.length
    while (this.#sizeInBytes > this.#maxBytes && this.#first < this.#queue.length) {
      const oldest = this.#queue[this.#first]!
      this.#queue[this.#first++] = undefined as never
      this.#sizeInBytes -= oldest.bytes.length
      oldest.tail.forget(oldest)
    }
    if (this.#first > 1024 && this.#first * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first)
      this.#first = 0
    }
  }

  /** All of one partition's entries. */
  drop(tail: PartitionTail): void {
    this.#queue = this.#queue.slice(this.#first).filter((entry) => entry.tail !== tail)
    this.#first = 0
    this.#sizeInBytes = this.#queue.reduce((sum, entry) => sum + entry.bytes.length, 0)
  }
}

export class PartitionTail {
  readonly #memory: TailMemory
  #entries: TailEntry[] = []
  #first = 0

  constructor(memory: TailMemory) {
    this.#memory = memory
  }

  append(baseOffset: number, nextOffset: number, batch: Buffer): void {
    // A small view of a large network buffer would keep all of that alive.
    const bytes = batch.buffer.byteLength > 2 * batch.length ? Buffer.from(batch) : batch
    const entry = { tail: this, baseOffset, nextOffset, bytes }
    this.#entries.push(entry)
    this.#memory.add(entry)
  }

  /** Called by the memory, oldest entry first. */
  forget(entry: TailEntry): void {
    if (this.#entries[this.#first] !== entry) return
    this.#entries[this.#first++] = undefined as never
    if (this.#first > 64 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first)
      this.#first = 0
    }
  }

  clear(): void {
    if (this.#entries.length === 0) return
    this.#entries = []
    this.#first = 0
    this.#memory.drop(this)
  }

  /** First offset that is held, or undefined when nothing is. */
  get baseOffset(): number | undefined {
    return this.#entries[this.#first]?.baseOffset
  }

  /** Whole batches from the one that holds `offset` on, those that begin below `before`; undefined if the offset is not held. */
  read(
    offset: number,
    before: number,
    maxBytes: number,
    minOneBatch: boolean,
  ): { pieces: Buffer[]; nextOffset: number } | undefined {
    const base = this.baseOffset
    if (base === undefined || offset < base) return undefined
    const entries = this.#entries
    let low = this.#first
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (entries[middle]!.nextOffset <= offset) low = middle + 1
      else high = middle
    }
    const pieces: Buffer[] = []
    let size = 0
    let nextOffset = offset
    for (let at = low; at < entries.length; at++) {
      const { bytes, baseOffset, nextOffset: next } = entries[at]!
      if (baseOffset >= before) break
      if (size + bytes.length > maxBytes && !(minOneBatch && pieces.length === 0)) break
      pieces.push(bytes)
      size += bytes.length
      nextOffset = next
    }
    return { pieces: pieces.length > MOST_PIECES ? [Buffer.concat(pieces, size)] : pieces, nextOffset }
  }

  /** Bytes held from this offset up to `before`; undefined if the offset is not held. */
  bytesFrom(offset: number, before: number): number | undefined {
    const base = this.baseOffset
    if (base === undefined || offset < base) return undefined
    let size = 0
    for (let at = this.#entries.length - 1; at >= this.#first; at--) {
      const entry = this.#entries[at]!
      if (entry.nextOffset <= offset) break
      if (entry.baseOffset < before) size += entry.bytes.length
    }
    return size
  }
}
