/**
 * Which calls of a consumer may run at the same time, and what ends one that waits.
 *
 * - One exclusive call at a time (poll, subscribe, commits of the positions …); a second is a ConcurrentUseError. What a rebalance callback
 *   calls is part of the call that runs it.
 * - Calls that wait for brokers end with a wakeup, with the caller's own signal, and when the consumer is closed.
 */
import { AbortedError, ClosedError } from '../errors.ts'
import { ConcurrentUseError, WakeupError } from './consumer-errors.ts'
import { type ListenerCalls } from './rebalance-listener.ts'
import { type WakeSignal } from './wake-signal.ts'

export interface ConsumerCallOptions {
  /** Milliseconds instead of `default.api.timeout.ms`. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export class CallGuard {
  readonly #signal: WakeSignal
  readonly #callbacks: ListenerCalls
  readonly #defaultTimeoutMs: number
  /** The calls that wait for brokers, the latest last. */
  readonly #waiting = new Set<AbortController>()
  #running: string | undefined
  #becameIdle: (() => void) | undefined
  #ended = false

  constructor(signal: WakeSignal, callbacks: ListenerCalls, defaultTimeoutMs: number) {
    this.#signal = signal
    this.#callbacks = callbacks
    this.#defaultTimeoutMs = defaultTimeoutMs
  }

  /** Begins an exclusive call. */
  enter(name: string): void {
    this.mustBeIdle(name)
    this.#running = name
  }

  leave(): void {
    this.#running = undefined
    this.#becameIdle?.()
  }

  mustBeOpen(): void {
    if (this.#ended && !this.#callbacks.isInside) throw new ClosedError('The consumer')
  }

  mustBeIdle(name: string): void {
    this.mustBeOpen()
    if (this.#running === undefined || (this.#callbacks.isInside && name !== 'poll')) return
    throw new ConcurrentUseError(name, this.#running)
  }

  async exclusively<T>(name: string, run: () => Promise<T>): Promise<T> {
    // Inside a callback the poll that runs it waits for this very call.
    if (this.#callbacks.isInside) return run()
    this.enter(name)
    try {
      return await run()
    } finally {
      this.leave()
    }
  }

  /** Runs a call that waits for brokers. */
  async blocking<T>(
    name: string,
    { timeoutMs = this.#defaultTimeoutMs, signal }: ConsumerCallOptions,
    run: (limits: { timeoutMs: number; signal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    this.mustBeOpen()
    if (!this.#ended && this.#signal.takeWakeup()) throw new WakeupError()
    const controller = new AbortController()
    this.#waiting.add(controller)
    const abort = () => controller.abort()
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    try {
      return await run({ timeoutMs, signal: controller.signal })
    } catch (error) {
      if (!(error instanceof AbortedError) || !controller.signal.aborted) throw error
      if (signal?.aborted) throw new AbortedError(name, signal.reason)
      if (this.#ended) throw new ClosedError('The consumer')
      throw this.#signal.takeWakeup() ? new WakeupError() : error
    } finally {
      signal?.removeEventListener('abort', abort)
      this.#waiting.delete(controller)
    }
  }

  /** Ends the call that began to wait last. */
  abortLatest(): void {
    ;[...this.#waiting].at(-1)?.abort()
  }

  /** From here on only callbacks may call. Ends what waits; resolves when nothing runs any more. */
  async end(): Promise<void> {
    this.#ended = true
    for (const controller of this.#waiting) controller.abort()
    if (this.#running !== undefined) await new Promise<void>((resolve) => (this.#becameIdle = resolve))
  }
}
