/**
 * Time that moves only when everything has come to rest: `run` fires the next timer, lets what follows from it settle, and so on.
 * A process of the simulation sees it through `of(process)`, so that a dead one neither wakes up nor goes on.
 */
import type { Clock } from '../../../src/seams/clock.ts'

interface Entry {
  readonly at: number
  readonly order: number
  readonly callback: () => void
  cancelled: boolean
}

export class VirtualClock {
  #now = 1_000_000
  #order = 0
  #entries: Entry[] = []

  get now(): number {
    return this.#now
  }

  at(delayMs: number, callback: () => void): { cancel(): void } {
    const entry = { at: this.#now + Math.max(0, delayMs), order: this.#order++, callback, cancelled: false }
    this.#entries.push(entry)
    return { cancel: () => void (entry.cancelled = true) }
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.at(delayMs, resolve))
  }

  /** Moves on until `isOver`. Throws when there is nothing left that could happen, or after `limitMs`. */
  async run(isOver: () => boolean, limitMs: number): Promise<void> {
    const end = this.#now + limitMs
    while (true) {
      await new Promise((resolve) => setImmediate(resolve))
      if (isOver()) return
      this.#entries = this.#entries.filter(({ cancelled }) => !cancelled)
      if (this.#entries.length === 0) throw new Error('nothing is left that could happen, and it is not over')
      this.#entries.sort((left, right) => left.at - right.at || left.order - right.order)
      const entry = this.#entries.shift()!
      this.#now = entry.at
      if (this.#now > end) throw new Error(`not over after ${limitMs} ms`)
      entry.callback()
    }
  }

  of(process: { readonly isDead: boolean }): Clock {
    const setTimer: Clock['setTimer'] = (delayMs, callback) =>
      this.at(delayMs, () => {
        if (!process.isDead) callback()
      })
    return {
      now: () => this.#now,
      monotonic: () => this.#now,
      setTimer,
      sleep: (delayMs, signal) => {
        if (signal?.aborted) return Promise.resolve()
        return new Promise((resolve) => {
          const timer = setTimer(delayMs, resolve)
          signal?.addEventListener('abort', () => {
            timer.cancel()
            resolve()
          })
        })
      },
      yield: () => Promise.resolve(),
    }
  }
}
