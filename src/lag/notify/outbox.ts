/**
 * Messages on their way to one place: in order, one at a time, each tried again for a while. Whoever puts one in never waits. When the place is down
 * for long the oldest are given up, and counted: judging goes on whatever happens here.
 */
import type { Clock } from '../../seams/clock.ts'
import type { Logger } from '../../seams/logger.ts'

export interface OutboxSettings {
  readonly name: string
  /** Messages that wait at most. */
  readonly most: number
  /** For one attempt. */
  readonly timeoutMs: number
  readonly attempts: number
  readonly backoffMs: number
}

export interface OutboxSeams {
  readonly clock: Clock
  readonly logger: Logger
}

export class Outbox<T> {
  readonly #send: (message: T, signal: AbortSignal) => Promise<void>
  readonly #settings: OutboxSettings
  readonly #seams: OutboxSeams
  readonly #closing = new AbortController()
  readonly #waiting: T[] = []
  readonly #onLost: (message: T) => void
  #sending: Promise<void> | undefined
  #problem: string | undefined
  sent = 0
  /** Given up: too many waited, or every attempt failed. */
  lost = 0

  /** @param onLost told of each message that is given up, those that still wait at the end among them */
  constructor(
    send: (message: T, signal: AbortSignal) => Promise<void>,
    settings: OutboxSettings,
    seams: OutboxSeams,
    onLost: (message: T) => void = () => {},
  ) {
    this.#onLost = onLost
    this.#send = send
    this.#settings = settings
    this.#seams = seams
  }

  /** Why the last attempt failed; undefined if it did not. */
  get problem(): string | undefined {
    return this.#problem
  }

  put(message: T): void {
    if (this.#closing.signal.aborted) return
    if (this.#waiting.length >= this.#settings.most) {
      this.#lose(this.#waiting.shift()!)
    }
    this.#waiting.push(message)
    this.#sending ??= this.#drain().finally(() => (this.#sending = undefined))
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.#sending) await this.#sending
  }

  /** Ends what is under way; what waits is lost, and said to be. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#sending
    for (const message of this.#waiting.splice(0)) this.#lose(message)
  }

  #lose(message: T): void {
    this.lost++
    this.#onLost(message)
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#closing.signal.aborted) {
      const message = this.#waiting.shift()!
      await this.#deliver(message)
    }
  }

  async #deliver(message: T): Promise<void> {
    const { name, attempts, backoffMs, timeoutMs } = this.#settings
    const { clock, logger } = this.#seams
    for (let attempt = 0; attempt < attempts; attempt++) {
      try {
        await this.#once(message, timeoutMs)
        if (this.#problem !== undefined) logger.info({ notifier: name }, `the notifier ${name} delivers again`)
        this.#problem = undefined
        this.sent++
        return
      } catch (error) {
        if (this.#closing.signal.aborted) break
        const text = messageOf(error)
        if (this.#problem === undefined)
          logger.warn({ notifier: name, error: text }, `the notifier ${name} cannot deliver: ${text}`)
        this.#problem = text
        if (attempt + 1 < attempts) await clock.sleep(backoffMs * 2 ** attempt, this.#closing.signal)
      }
      if (this.#closing.signal.aborted) break
    }
    this.#lose(message)
  }

  async #once(message: T, timeoutMs: number): Promise<void> {
    const limit = new AbortController()
    const timer = this.#seams.clock.setTimer(timeoutMs, () =>
      limit.abort(new Error(`no answer within ${timeoutMs} ms`)),
    )
    const signal = AbortSignal.any([limit.signal, this.#closing.signal])
    try {
      // A sender that minds no signal is left to itself.
      await Promise.race([this.#send(message, signal), aborted(signal)])
    } finally {
      timer.cancel()
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

/** `fetch failed` says nothing: its cause does. */
function messageOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message}: ${cause.message || (cause as NodeJS.ErrnoException).code}` : message
}
