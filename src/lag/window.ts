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

/**
 * The newest rows of numbers, in one array of doubles: a hundred thousand windows must not be a million objects. A plain array holds them within the heap; a typed one of
 * this size would cost more than it holds.
 */
abstract class NumberRing {
  /** Rows. */
  readonly capacity: number
  readonly #width: number
  #values: number[] = []
  #first = 0
  length = 0

  constructor(capacity: number, width: number) {
    this.capacity = capacity
    this.#width = width
  }

  get bytes(): number {
    return this.#values.length * 8
  }

  /** The place of a new row's first number in `values`; the oldest row makes room for it. */
  protected add(): number {
    const slots = this.#values.length / this.#width
    if (this.length === slots && slots < this.capacity) this.#grow(Math.min(this.capacity, Math.max(4, slots * 2)))
    const room = this.#values.length / this.#width
    const slot = (this.#first + this.length) % room
    if (this.length === room) this.#first = (this.#first + 1) % room
    else this.length++
    return slot * this.#width
  }

  /** The place of a row's first number: the `index` places after the oldest; negative counts from the newest (-1). undefined if there is none. */
  protected place(index: number): number | undefined {
    const place = index < 0 ? this.length + index : index
    if (place < 0 || place >= this.length) return undefined
    return ((this.#first + place) % (this.#values.length / this.#width)) * this.#width
  }

  protected get values(): number[] {
    return this.#values
  }

  clear(): void {
    this.#first = 0
    this.length = 0
  }

  /**
   * Only ever called when all rows are taken and `first` has not moved yet. Made of numbers from the beginning, so that the engine keeps them as plain doubles; copied, for
   * an array that has grown has room to spare.
   */
  #grow(room: number): void {
    const grown = [...this.#values]
    while (grown.length < room * this.#width) grown.push(Number.NaN)
    this.#values = grown.slice()
  }
}

/** The newest `capacity` samples. */
export class SampleWindow extends NumberRing {
  constructor(capacity: number) {
    super(capacity, 3)
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
  readonly #minDistanceMs: number

  constructor(intervals: number, minDistanceMs = 0) {
    super(intervals, 4)
    this.#minDistanceMs = minDistanceMs
  }

  get intervals(): number {
    return this.capacity
  }

  get last(): Commit | undefined {
    return this.at(-1)
  }

  push({ offset, timestamp, observedAt, lag }: Commit): void {
    const last = this.last
    const isNear = last !== undefined && timestamp - last.timestamp < this.#minDistanceMs
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
