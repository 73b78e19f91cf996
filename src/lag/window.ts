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

/** The newest `capacity` samples in one typed array: a hundred thousand windows must not be a million objects. */
export class SampleWindow {
  readonly capacity: number
  #values: Float64Array
  #first = 0
  #length = 0

  constructor(capacity: number) {
    this.capacity = capacity
    this.#values = new Float64Array(Math.min(4, capacity) * 3)
  }

  get length(): number {
    return this.#length
  }

  get bytes(): number {
    return this.#values.byteLength
  }

  push(at: number, committed: number, end: number): void {
    const room = this.#values.length / 3
    if (this.#length === room && room < this.capacity) this.#grow(Math.min(this.capacity, room * 2))
    const slots = this.#values.length / 3
    const slot = (this.#first + this.#length) % slots
    if (this.#length === slots) this.#first = (this.#first + 1) % slots
    else this.#length++
    this.#values.set([at, committed, end], slot * 3)
  }

  /** The sample `index` places after the oldest; negative counts from the newest (-1). */
  at(index: number): Sample | undefined {
    const place = index < 0 ? this.#length + index : index
    if (place < 0 || place >= this.#length) return undefined
    const slot = ((this.#first + place) % (this.#values.length / 3)) * 3
    return { at: this.#values[slot]!, committed: this.#values[slot + 1]!, end: this.#values[slot + 2]! }
  }

  /** Oldest first. */
  toArray(): Sample[] {
    return Array.from({ length: this.#length }, (_, index) => this.at(index)!)
  }

  clear(): void {
    this.#first = 0
    this.#length = 0
  }

  #grow(room: number): void {
    const before = this.toArray()
    this.#values = new Float64Array(room * 3)
    this.#first = 0
    this.#length = 0
    for (const { at, committed, end } of before) this.push(at, committed, end)
  }
}

/**
 * Burrow's ring of commits, by the rules of its storage/inmemory.go: a commit nearer to the one before than `minDistanceMs` takes that one's
 * place and keeps its timestamp.
 */
export class CommitWindow {
  readonly intervals: number
  readonly #minDistanceMs: number
  #commits: Commit[] = []

  constructor(intervals: number, minDistanceMs = 0) {
    this.intervals = intervals
    this.#minDistanceMs = minDistanceMs
  }

  get length(): number {
    return this.#commits.length
  }

  get last(): Commit | undefined {
    return this.#commits.at(-1)
  }

  push(commit: Commit): void {
    const last = this.#commits.at(-1)
    if (last && commit.timestamp - last.timestamp < this.#minDistanceMs) {
      this.#commits[this.#commits.length - 1] = { ...commit, timestamp: last.timestamp }
      return
    }
    if (this.#commits.length === this.intervals) this.#commits.shift()
    this.#commits.push(commit)
  }

  /** Oldest first. */
  toArray(): readonly Commit[] {
    return this.#commits
  }

  clear(): void {
    this.#commits = []
  }
}
