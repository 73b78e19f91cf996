/**
 * What is remembered of one partition of one group: samples on the monitor's own clock (Sluice's rules), and the commits that were seen
 * (Burrow's rules). Values only; who fills them is the collector's side, who reads them the evaluator.
 */

/** One look at a partition: the commit was read before the log end, so that the lag is never less than nothing. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number
  /** Next offset that the group reads. */
  readonly committed: number
  /** Next offset to be written: high watermark, or last stable offset where the group reads committed records only. */
  readonly end: number
}

/** A commit, as Burrow stores it: the lag is the one at that moment and is never changed. */
export interface Commit {
  readonly offset: number
  /** When it was committed, milliseconds since 1970; when it was first seen, if the admin API is all there is. */
  readonly timestamp: number
  readonly observedAt: number
  /** null if no log end was known yet. */
  readonly lag: number | null
}

export function lagOf({ committed, end }: { committed: number; end: number }): number {
  return Math.max(0, end - committed)
}

/** Where the numbers of one partition are: `doubles` of them, from `start` on. */
export interface WindowPlace {
  readonly block: Float64Array
  readonly start: number
}

/** Places of a block at most. */
const MOST_PLACES = 256

/**
 * Places for the windows of a group's partitions, all of one size, in blocks outside the heap. A hundred thousand windows are then neither a million objects nor a part of
 * what the garbage collector looks through, nor of what it lets the heap grow by.
 */
export class WindowSpace {
  readonly #doubles: number
  readonly #free: WindowPlace[] = []
  #places = 0

  /** @param doubles numbers of a place */
  constructor(doubles: number) {
    this.#doubles = doubles
  }

  get bytes(): number {
    return this.#places * this.#doubles * Float64Array.BYTES_PER_ELEMENT
  }

  /** @param expected how many will be taken, as far as is known: they come to lie in one block */
  take(expected = 1): WindowPlace {
    if (this.#free.length === 0) this.#addBlock(Math.min(MOST_PLACES, Math.max(expected, this.#places >> 1)))
    return this.#free.pop()!
  }

  giveBack(place: WindowPlace): void {
    this.#free.push(place)
  }

  #addBlock(places: number): void {
    const block = new Float64Array(places * this.#doubles)
    for (let index = places - 1; index >= 0; index--) this.#free.push({ block, start: index * this.#doubles })
    this.#places += places
  }
}

/** The newest rows of numbers: a ring of `capacity` rows from a place on. There are two for each partition, so each field counts. */
abstract class NumberRing {
  /** Rows. */
  readonly capacity: number
  protected readonly values: Float64Array
  readonly #start: number
  #first = 0
  length = 0

  constructor(capacity: number, block: Float64Array, start: number) {
    this.capacity = capacity
    this.values = block
    this.#start = start
  }

  /** Numbers of a row. */
  protected abstract get width(): number

  /** The place of a new row's first number in `values`; the oldest row makes room for it. */
  protected add(): number {
    const row = (this.#first + this.length) % this.capacity
    if (this.length === this.capacity) this.#first = (this.#first + 1) % this.capacity
    else this.length++
    return this.#start + row * this.width
  }

  /** The place of a row's first number: the `index` places after the oldest; negative counts from the newest (-1). undefined if there is none. */
  protected place(index: number): number | undefined {
    const place = index < 0 ? this.length + index : index
    if (place < 0 || place >= this.length) return undefined
    return this.#start + ((this.#first + place) % this.capacity) * this.width
  }

  clear(): void {
    this.#first = 0
    this.length = 0
  }
}

const SAMPLE_WIDTH = 3
const COMMIT_WIDTH = 4

/** The newest `capacity` samples. */
export class SampleWindow extends NumberRing {
  /** Numbers that it takes. */
  static doubles(capacity: number): number {
    return capacity * SAMPLE_WIDTH
  }

  protected get width(): number {
    return SAMPLE_WIDTH
  }

  push(at: number, committed: number, end: number): void {
    const place = this.add()
    const { values } = this
    values[place] = at
    values[place + 1] = committed
    values[place + 2] = end
  }

  /** The sample `index` places after the oldest; negative counts from the newest (-1). */
  at(index: number): Sample | undefined {
    const place = this.place(index)
    if (place === undefined) return undefined
    const { values } = this
    return { at: values[place]!, committed: values[place + 1]!, end: values[place + 2]! }
  }

  /** Oldest first. */
  toArray(): Sample[] {
    return Array.from({ length: this.length }, (_, index) => this.at(index)!)
  }
}

/**
 * Burrow's ring of commits, by the rules of its storage/inmemory.go: a commit nearer to the one before than `minDistanceMs` takes that one's
 * place and keeps its timestamp.
 */
export class CommitWindow extends NumberRing {
  static doubles(intervals: number): number {
    return intervals * COMMIT_WIDTH
  }

  protected get width(): number {
    return COMMIT_WIDTH
  }

  get intervals(): number {
    return this.capacity
  }

  get last(): Commit | undefined {
    return this.at(-1)
  }

  push({ offset, timestamp, observedAt, lag }: Commit, minDistanceMs = 0): void {
    const last = this.last
    const isNear = last !== undefined && timestamp - last.timestamp < minDistanceMs
    const place = isNear ? this.place(-1)! : this.add()
    const { values } = this
    values[place] = offset
    values[place + 1] = isNear ? last.timestamp : timestamp
    values[place + 2] = observedAt
    values[place + 3] = lag ?? Number.NaN
  }

  at(index: number): Commit | undefined {
    const place = this.place(index)
    if (place === undefined) return undefined
    const { values } = this
    const lag = values[place + 3]!
    return {
      offset: values[place]!,
      timestamp: values[place + 1]!,
      observedAt: values[place + 2]!,
      lag: Number.isNaN(lag) ? null : lag,
    }
  }

  /** Oldest first. */
  toArray(): readonly Commit[] {
    return Array.from({ length: this.length }, (_, index) => this.at(index)!)
  }
}
