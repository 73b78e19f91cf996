/**
 * What a poll sleeps on: something happened (a response, an answer of the coordinator), time is over, or somebody calls `wakeup`.
 *
 * A wakeup is sticky: it stays until a call that can be woken takes it. `notify` is not: whoever waits looks at the state itself again.
 * A notification between the last look and the wait is not lost, as `wait` begins in the same turn of the event loop as the look.
 */
import { type Clock } from '../../seams/clock.ts'

export class WakeSignal {
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()
  #wakeup = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Ends every wait. */
  notify(): void {
    for (const end of Array.from(this.#waiting)) end()
  }

  wakeup(): void {
    this.#wakeup = true
    this.notify()
  }

  get isWokenUp(): boolean {
    return this.#wakeup
  }

  /** Takes the wakeup: true once for each time that it was asked for. */
  takeWakeup(): boolean {
    const woken = this.#wakeup
    this.#wakeup = false
    return woken
  }

  /** Resolves at the next notification, wakeup or abort, and after `ms` at the latest. */
  wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.#wakeup || signal?.aborted || ms <= 0) return this.#clock.yield()
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel()
        this.#waiting.delete(end)
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const timer = this.#clock.setTimer(ms, end)
      this.#waiting.add(end)
      signal?.addEventListener('abort', end, { once: true })
    })
  }
}
