/**
 * Sends the heartbeats of one generation on a timer of its own, as long as the event loop that it lives on turns: the consumer's own, or the heartbeat
 * thread's. It knows neither the membership nor the consumer, only what to send and whom to tell.
 *
 * One heartbeat at a time. The next is due `heartbeat.interval.ms` after the last was sent, or after `retry.backoff.ms` when it had no answer. An answer
 * that comes after `stop` or for another generation is dropped.
 */
import { type Clock, type Timer } from '../../seams/clock.ts'

export interface HeartbeatTarget {
  readonly generationId: number
  readonly memberId: string
}

export interface HeartbeatOptions {
  readonly clock: Clock
  readonly intervalMs: number
  readonly sessionTimeoutMs: number
  readonly retryBackoffMs: number
  /** Resolves with the error code of the answer, rejects when there was none. */
  readonly send: (target: HeartbeatTarget) => Promise<number>
  readonly onAnswer: (target: HeartbeatTarget, errorCode: number, latencyMs: number) => void
  /** No answer; `sessionExpired` when there has been none for the whole session timeout. */
  readonly onFailure: (target: HeartbeatTarget, error: unknown, sessionExpired: boolean) => void
}

export class HeartbeatSender {
  readonly #options: HeartbeatOptions
  #target: HeartbeatTarget | undefined
  #timer: Timer | undefined
  #answeredMs = 0

  constructor(options: HeartbeatOptions) {
    this.#options = options
  }

  get isRunning(): boolean {
    return this.#target !== undefined
  }

  start(target: HeartbeatTarget): void {
    this.stop()
    this.#target = target
    this.#answeredMs = this.#options.clock.monotonic()
    this.#schedule(target, this.#options.intervalMs)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#target = undefined
  }

  #schedule(target: HeartbeatTarget, delayMs: number): void {
    this.#timer = this.#options.clock.setTimer(delayMs, () => void this.#beat(target), { background: true })
  }

  async #beat(target: HeartbeatTarget): Promise<void> {
    const { clock, send, onAnswer, onFailure, intervalMs, retryBackoffMs, sessionTimeoutMs } = this.#options
    const sentMs = clock.monotonic()
    try {
      const errorCode = await send(target)
      if (this.#target !== target) return
      this.#answeredMs = clock.monotonic()
      this.#schedule(target, Math.max(0, sentMs + intervalMs - this.#answeredMs))
      onAnswer(target, errorCode, this.#answeredMs - sentMs)
    } catch (error) {
      if (this.#target !== target) return
      this.#schedule(target, retryBackoffMs)
      onFailure(target, error, clock.monotonic() - this.#answeredMs >= sessionTimeoutMs)
    }
  }
}
