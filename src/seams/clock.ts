/**
 * Time, as everything else in Sluice sees it. Only this file reads the system's clock or starts a timer, so that a
 * simulation can hand in a clock of its own and move it as it likes.
 */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Milliseconds since 1970, for timestamps that others see. May jump. */
  now(): number
  /** Milliseconds since some fixed moment, for durations and deadlines. Never jumps. */
  monotonic(): number
  /** Calls `callback` once after `delayMs`. `background: true` does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void, options?: { background?: boolean }): Timer
  /** Resolves after `delayMs`, or at once when `signal` aborts (it never rejects). */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
  /** Resolves in the next turn of the event loop, after pending I/O had its chance. */
  yield(): Promise<void>
}

/** A timer of Node's holds at most this many milliseconds; a longer one would fire at once. */
const LONGEST_TIMER_MS = 0x7fffffff

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, callback, options) {
    const timer = setTimeout(callback, Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS))
    if (options?.background) timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  sleep(delayMs, signal) {
    if (signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel()
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = systemClock.setTimer(delayMs, done)
      signal?.addEventListener('abort', done, { once: true })
    })
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
}
