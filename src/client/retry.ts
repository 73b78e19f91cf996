/**
 * Waiting and trying again, as Java's clients do it: `retry.backoff.ms` doubling to `retry.backoff.max.ms`, with a fifth of
 * jitter, until an operation's time is over. Only errors that say `retriable` are tried again.
 */
import { SluiceError } from '../error.ts'
import { type Random } from '../seams/random.ts'
import { AbortedError, TimeoutError } from './errors.ts'
import { type ClientSeams } from './seams.ts'

export interface BackoffSettings {
  readonly 'retry.backoff.ms': number
  readonly 'retry.backoff.max.ms': number
}

/** Java's ExponentialBackoff: initial · 2^attempt, at most `maxMs`, then 20 % up or down. `attempt` counts from 0. */
export function backoffMs(attempt: number, initialMs: number, maxMs: number, random: Random): number {
  if (initialMs <= 0) return 0
  const plain = Math.min(initialMs * 2 ** Math.min(attempt, 30), Math.max(initialMs, maxMs))
  return Math.min(Math.max(initialMs, maxMs), plain * (0.8 + 0.4 * random.next()))
}

export interface RetryOptions {
  /** What is being done, for the messages: "describing the topics". */
  readonly doing: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** How often at most it is tried again. */
  readonly retries?: number
  /** Called before each wait: what to do about the error (forget a coordinator, refresh metadata). */
  readonly onRetry?: (error: Error) => void | Promise<void>
}

/**
 * Runs `attempt` until it succeeds. Its signal aborts at the deadline. Rejects with the error itself if that cannot be retried,
 * with TimeoutError (its cause what failed last) at the deadline, with AbortedError when the caller's signal aborts.
 */
export async function withRetries<T>(
  seams: ClientSeams,
  settings: BackoffSettings,
  options: RetryOptions,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { doing, timeoutMs, signal, retries = Number.POSITIVE_INFINITY } = options
  const { clock, random } = seams
  if (signal?.aborted) throw new AbortedError(doing, signal.reason)
  const controller = new AbortController()
  let timedOut = false
  const timer = clock.setTimer(timeoutMs, () => {
    timedOut = true
    controller.abort()
  })
  const abort = () => controller.abort()
  signal?.addEventListener('abort', abort, { once: true })
  let last: unknown
  try {
    for (let count = 0; ; count++) {
      try {
        return await attempt(controller.signal)
      } catch (error) {
        if (!controller.signal.aborted || !(error instanceof AbortedError)) last = error
        else last ??= error.waitedFor ?? error
        if (signal?.aborted) throw new AbortedError(doing, signal.reason)
        if (!timedOut && (!isRetriable(error) || count >= retries)) throw error
        if (!timedOut) await options.onRetry?.(error as Error)
      }
      if (!timedOut) {
        const delayMs = backoffMs(count, settings['retry.backoff.ms'], settings['retry.backoff.max.ms'], random)
        await clock.sleep(delayMs, controller.signal)
      }
      if (signal?.aborted) throw new AbortedError(doing, signal.reason)
      if (timedOut) throw new TimeoutError(`${doing} did not succeed within ${timeoutMs} ms.`, last)
    }
  } finally {
    timer.cancel()
    signal?.removeEventListener('abort', abort)
  }
}

export function isRetriable(error: unknown): boolean {
  return error instanceof SluiceError && error.retriable
}

/**
 * The promise's outcome, or an AbortedError as soon as `signal` aborts; the promise itself goes on. `waitingFor` says what has not come about: for whoever
 * tells a user why the time ran out.
 */
export function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  doing: string,
  waitingFor?: () => Error | undefined,
): Promise<T> {
  if (!signal) return promise
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(new AbortedError(doing, signal.reason, waitingFor?.()))
    if (signal.aborted) {
      promise.catch(() => {})
      return abort()
    }
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
