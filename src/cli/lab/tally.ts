/** Counts one way of doing it: which records were handled, and how often. The row of the table that every experiment ends with. */
export interface Outcome {
  readonly way: string
  readonly produced: number
  readonly handled: number
  /** Handled once more than once. */
  readonly repeated: number
  /** Produced and never handled. */
  readonly lost: number
  /** What the group has committed, over all partitions. */
  readonly committed: number | undefined
}

export class Tally {
  readonly #seen = new Set<string>()
  readonly #listeners = new Set<() => void>()
  handled = 0

  add({ partition, offset }: { readonly partition: number; readonly offset: number }): void {
    this.#seen.add(`${partition}-${offset}`)
    this.handled++
    for (const listener of this.#listeners) listener()
  }

  /** Resolves when `count` records have been handled, repetitions included. */
  reaches(count: number): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.handled < count) return
        this.#listeners.delete(look)
        resolve()
      }
      this.#listeners.add(look)
      look()
    })
  }

  outcome(way: string, produced: number, committed: number | undefined): Outcome {
    const distinct = this.#seen.size
    return {
      way,
      produced,
      handled: this.handled,
      repeated: this.handled - distinct,
      lost: produced - distinct,
      committed,
    }
  }
}
