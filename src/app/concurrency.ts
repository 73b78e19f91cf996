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

  /** Whether there was room; then `release` must follow. Never passes those who wait: while they do there is none. */
  tryTake(): boolean {
    if (this.#free <= 0) return false
    this.#free--
    return true
  }

  /** True when there was room, false when `signal` aborted first: then nothing was taken. */
  take(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false)
    return new Promise((resolve) => {
      const giveUp = () => resolve(false)
      signal.addEventListener('abort', giveUp, { once: true })
      this.request(() => {
        signal.removeEventListener('abort', giveUp)
        if (signal.aborted) this.release()
        else resolve(true)
      })
    })
  }

  release(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free++
  }
}
