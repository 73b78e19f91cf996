/**
 * Whether and when a consumer that crashed is started again: after waits that double, and only so often within a window. What crashes steadily for a reason that
 * stays would otherwise be restarted for ever, and nobody told.
 */
import type { Clock } from '../seams/clock.ts'
import type { Random } from '../seams/random.ts'
import { backoffMs } from './backoff.ts'

export interface RestartBound {
  /** Restarts within the window; 0 for none at all. */
  readonly max: number
  readonly windowMs: number
}

export class Restarts {
  readonly #bound: RestartBound
  readonly #clock: Clock
  readonly #random: Random
  /** clock.monotonic() of each crash within the window. */
  #crashes: number[] = []

  constructor(bound: RestartBound, clock: Clock, random: Random) {
    this.#bound = bound
    this.#clock = clock
    this.#random = random
  }

  /** Restarts within the window, the one that `next` last granted included. */
  get count(): number {
    return this.#crashes.length
  }

  /** After a crash: milliseconds until the restart, or undefined when there has been enough of it. */
  next(): number | undefined {
    const now = this.#clock.monotonic()
    this.#crashes = this.#crashes.filter((at) => now - at < this.#bound.windowMs)
    if (this.#crashes.length >= this.#bound.max) return undefined
    this.#crashes.push(now)
    return backoffMs(this.#crashes.length, this.#random)
  }
}
