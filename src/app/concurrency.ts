/** How many handlers of one consumer run at once; whoever asks first is served first. */
import { Fifo } from './fifo.ts'

export class Concurrency {
  #free: number
  readonly #waiting = new Fifo<() => void>()

  constructor(most: number) {
    this.#free = most
  }

  /** Calls `start` when there is room, at once if there is some now. `release` must follow. */
  request(start: () => void): void {
    if (this.#free <= 0) return this.#waiting.push(start)
    this.#free--
    start()
  }

  take(): Promise<void> {
    return new Promise((resolve) => this.request(resolve))
  }

  release(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free++
  }
}
