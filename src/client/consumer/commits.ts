/**
 * When offsets are committed: by the user (sync and async) and by `enable.auto.commit`.
 *
 * Auto-commit commits positions, and a position says what earlier polls returned: so it is looked at where a poll begins, before anything new is handed out.
 * Whoever polls again has done with what was returned before.
 *
 *     poll 1 returns 0..9 │ the user works │ poll 2: interval over → commits 10, then returns 10..19
 *
 * Callbacks of asynchronous commits run inside later calls (poll, commitSync, close), in the order of the commits.
 */
import { type Cluster } from '../cluster.ts'
import { type ConsumerConfig } from '../config.ts'
import { isRetriable } from '../retry.ts'
import { RetriableCommitFailedError } from './consumer-errors.ts'
import { type CallLimits, type GroupOffsets, type OffsetEntry } from './group-offsets.ts'
import { type SubscriptionState } from './subscription-state.ts'
import { type WakeSignal } from './wake-signal.ts'

/** Called with the offsets, and the error if they were not committed. */
export type OffsetCommitCallback = (offsets: readonly OffsetEntry[], error: Error | undefined) => void

export interface CommitsParts {
  readonly cluster: Cluster
  readonly config: ConsumerConfig
  readonly groupOffsets: GroupOffsets
  readonly subscriptions: SubscriptionState
  readonly signal: WakeSignal
}

export class Commits {
  readonly #parts: CommitsParts
  readonly #isAutomatic: boolean
  readonly #pending = new Set<Promise<void>>()
  readonly #completed: (() => void)[] = []
  readonly #abort = new AbortController()
  #autoDueMs: number
  #autoUnderWay = false

  constructor(parts: CommitsParts) {
    this.#parts = parts
    this.#isAutomatic = parts.config['enable.auto.commit']
    this.#autoDueMs = this.#isAutomatic
      ? this.#nowMs() + parts.config['auto.commit.interval.ms']
      : Number.POSITIVE_INFINITY
  }

  get isAutomatic(): boolean {
    return this.#isAutomatic
  }

  get hasCallbacks(): boolean {
    return this.#completed.length > 0
  }

  close(): void {
    this.#abort.abort()
  }

  /** Where a poll begins: commits what the polls before returned, if it is time to. */
  autoCommitIfDue(nowMs: number): void {
    if (nowMs >= this.#autoDueMs && !this.#autoUnderWay) this.autoCommitNow()
  }

  autoCommitNow(): void {
    if (!this.#isAutomatic) return
    const { config, groupOffsets, cluster } = this.#parts
    this.#autoDueMs = this.#nowMs() + config['auto.commit.interval.ms']
    const offsets = this.#automatic()
    if (offsets.length === 0) return
    this.#autoUnderWay = true
    const commit = groupOffsets
      .commitOnce(offsets, this.#abort.signal)
      .catch((error: unknown) => {
        if (this.#abort.signal.aborted) return
        if (isRetriable(error)) this.#autoDueMs = this.#nowMs() + config['retry.backoff.ms']
        cluster.seams.logger.warn({ error: (error as Error).message }, 'offsets were not committed automatically')
      })
      .finally(() => (this.#autoUnderWay = false))
    this.#track(commit)
  }

  /** A new assignment begins with a whole interval. */
  assigned(): void {
    if (this.#isAutomatic) this.#autoDueMs = this.#nowMs() + this.#parts.config['auto.commit.interval.ms']
  }

  /** Before a rebalance, tried until the others would no longer wait. Never rejects: what was not committed is read again. */
  async beforeRebalance(timeoutMs = this.#parts.config['max.poll.interval.ms']): Promise<void> {
    const { groupOffsets, cluster } = this.#parts
    const offsets = this.#automatic()
    if (offsets.length === 0) return
    try {
      await this.#settlePending(timeoutMs, this.#abort.signal)
      await groupOffsets.commit(offsets, { timeoutMs, signal: this.#abort.signal })
    } catch (error) {
      cluster.seams.logger.warn({ error: (error as Error).message }, 'offsets were not committed before the rebalance')
    }
  }

  async sync(offsets: readonly OffsetEntry[], limits: CallLimits): Promise<void> {
    await this.#settlePending(limits.timeoutMs, limits.signal)
    this.runCallbacks()
    if (offsets.length === 0) return
    await this.#parts.groupOffsets.commit(offsets, limits)
    this.runCallbacks()
  }

  async(offsets: readonly OffsetEntry[], callback?: OffsetCommitCallback): void {
    const { groupOffsets, cluster } = this.#parts
    const settle = (error: Error | undefined) => {
      if (callback) this.#completed.push(() => callback(offsets, error))
      else if (error) cluster.seams.logger.error({ error: error.message }, 'an asynchronous commit failed')
    }
    this.#track(
      groupOffsets.commitOnce(offsets, this.#abort.signal).then(
        () => settle(undefined),
        (error: unknown) => settle(isRetriable(error) ? new RetriableCommitFailedError(error) : (error as Error)),
      ),
    )
  }

  /** Runs the callbacks of what is done by now. A throw of one is the caller's to see; the others run with the next call. */
  runCallbacks(): void {
    for (let callback = this.#completed.shift(); callback; callback = this.#completed.shift()) callback()
  }

  /** At the end: everything that is under way, and with auto-commit the last positions. */
  async finish(timeoutMs: number): Promise<void> {
    const startMs = this.#nowMs()
    await this.#settlePending(timeoutMs)
    this.runCallbacks()
    const offsets = this.#automatic()
    if (offsets.length === 0) return
    try {
      await this.#parts.groupOffsets.commit(offsets, { timeoutMs: Math.max(0, timeoutMs - (this.#nowMs() - startMs)) })
    } catch (error) {
      const { logger } = this.#parts.cluster.seams
      logger.warn({ error: (error as Error).message }, 'offsets were not committed while closing')
    }
  }

  /**
   * What auto-commit commits. Without topics that are gone: brokers before 4.0 refuse such a commit as one to be tried
   * again, and a rebalance that waits for it would take all of max.poll.interval.ms (KAFKA-13310).
   */
  #automatic(): readonly OffsetEntry[] {
    if (!this.#isAutomatic) return []
    const { topicErrors } = this.#parts.cluster.metadata
    const isGone = (topic: string) => topicErrors.get(topic)?.name === 'UNKNOWN_TOPIC_OR_PARTITION'
    return this.#parts.subscriptions.consumed().filter(([{ topic }]) => !isGone(topic))
  }

  #track(commit: Promise<void>): void {
    const tracked = commit.finally(() => {
      this.#pending.delete(tracked)
      this.#parts.signal.notify()
    })
    this.#pending.add(tracked)
  }

  /** Waits for all commits made before, so that an older one can never arrive after a newer. */
  async #settlePending(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (this.#pending.size === 0) return
    const { clock } = this.#parts.cluster.seams
    const timeUp = new AbortController()
    const all = Promise.all(this.#pending).finally(() => timeUp.abort())
    await Promise.race([all, clock.sleep(timeoutMs, signal ? AbortSignal.any([timeUp.signal, signal]) : timeUp.signal)])
  }

  #nowMs(): number {
    return this.#parts.cluster.seams.clock.monotonic()
  }
}
