/**
 * The aborted transactions of a partition, for consumers that read committed records only: in memory for the whole log, on disk one file a
 * segment in Kafka's format, for the markers that stand in that segment.
 *
 *     .txnindex   version:int16 = 0  producer_id:int64  first_offset:int64  last_offset:int64  last_stable_offset:int64
 */
import { type AbortedTransaction } from './partition-types.ts'
import { type CompletedTransaction } from './producer-state.ts'

const ENTRY = 34

export interface AbortedEntry extends AbortedTransaction {
  /** The marker's offset. */
  readonly lastOffset: number
  /** As it was when the marker had been written: no transaction that began before it is open any more. */
  readonly lastStableOffset: number
}

/**
 * The aborted ones of the transactions that ended in one group of appends, each with the last stable offset as it was behind its own marker:
 * those that ended later in the group were still open then. `firstOpenOffset` is as it is behind the group.
 */
export function abortedAmong(
  completed: readonly CompletedTransaction[],
  firstOpenOffset: number | undefined,
): AbortedEntry[] {
  const entries: AbortedEntry[] = []
  let firstOpen = firstOpenOffset ?? Number.POSITIVE_INFINITY
  for (const { producerId, firstOffset, lastOffset, aborted } of completed.toReversed()) {
    const lastStableOffset = Math.min(firstOpen, lastOffset + 1)
    if (aborted) entries.push({ producerId, firstOffset, lastOffset, lastStableOffset })
    firstOpen = Math.min(firstOpen, firstOffset)
  }
  return entries.toReversed()
}

export class TransactionIndex {
  /** Ascending by `lastOffset`. */
  #entries: AbortedEntry[] = []

  get size(): number {
    return this.#entries.length
  }

  append(entry: AbortedEntry): void {
    this.#entries.push(entry)
  }

  load(entries: readonly AbortedEntry[]): void {
    this.#entries = [...entries].sort((one, other) => one.lastOffset - other.lastOffset)
  }

  /** Those with records in [from, to), by their first offset. */
  between(from: number, to: number): AbortedTransaction[] {
    return this.view()(from, to)
  }

  /** `between` as it is now, for one who reads meanwhile: what compaction makes the index forget, older segments may still hold. */
  view(): (from: number, to: number) => AbortedTransaction[] {
    // Forgetting replaces the list; what is added later belongs to offsets behind those that the reader looks at.
    const entries = this.#entries
    return (from, to) => {
      const found: AbortedTransaction[] = []
      for (let at = firstEndingAt(entries, from); at < entries.length; at++) {
        const { producerId, firstOffset, lastStableOffset } = entries[at]!
        if (firstOffset < to) found.push({ producerId, firstOffset })
        // Everything that follows began at or behind this.
        if (lastStableOffset >= to) break
      }
      return found.sort((one, other) => one.firstOffset - other.firstOffset)
    }
  }

  /** Those whose markers stand in [from, to): one segment's. */
  within(from: number, to: number): AbortedEntry[] {
    return this.#entries.slice(firstEndingAt(this.#entries, from), firstEndingAt(this.#entries, to))
  }

  /** By the markers' offsets. */
  remove(lastOffsets: ReadonlySet<number>): void {
    this.#entries = this.#entries.filter(({ lastOffset }) => !lastOffsets.has(lastOffset))
  }

  removeBefore(offset: number): void {
    this.#entries = this.#entries.slice(firstEndingAt(this.#entries, offset))
  }

  removeFrom(offset: number): void {
    this.#entries = this.#entries.slice(0, firstEndingAt(this.#entries, offset))
  }
}

/** Number of the first entry whose marker stands at or behind this offset. */
function firstEndingAt(entries: readonly AbortedEntry[], offset: number): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (entries[middle]!.lastOffset < offset) low = middle + 1
    else high = middle
  }
  return low
}

export function encodeAborted(entries: readonly AbortedEntry[]): Buffer {
  const bytes = Buffer.alloc(entries.length * ENTRY)
  let at = 0
  for (const { producerId, firstOffset, lastOffset, lastStableOffset } of entries) {
    at = bytes.writeInt16BE(0, at)
    for (const value of [producerId, firstOffset, lastOffset, lastStableOffset])
      at = bytes.writeBigInt64BE(BigInt(value), at)
  }
  return bytes
}

export function decodeAborted(bytes: Buffer): AbortedEntry[] {
  const entries: AbortedEntry[] = []
  for (let at = 0; at + ENTRY <= bytes.length; at += ENTRY) {
    const value = (number: number) => Number(bytes.readBigInt64BE(at + 2 + number * 8))
    entries.push({ producerId: value(0), firstOffset: value(1), lastOffset: value(2), lastStableOffset: value(3) })
  }
  return entries
}
