/**
 * Watches one cluster: takes a sample on its own clock, however often anybody commits, judges, and tells whoever listens. What fails leaves the
 * last judgement standing, marked stale; it never ends the monitor, and never touches another cluster's.
 *
 *     starting ── first sample ──► ok ◄──── a sample ──── stale
 *                                   └── a sample failed ──►┘
 */
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import type { GroupChanges } from './group-changes.ts'
import type { ClusterSample, Collector } from './cluster-sample.ts'
import { ClusterState, type ClusterStateSettings } from './cluster-state.ts'
import { judging, type JudgeSettings, type StatusChange } from './judge.ts'
import { inSlices } from './slices.ts'

export interface ClusterMonitorSettings
  extends JudgeSettings, Omit<ClusterStateSettings, 'longestSpanMs' | 'allowedLag' | 'readsCommitted'> {
  readonly name: string
  /** As it was configured, for those who look. */
  readonly servers: string
}

export interface ClusterMonitorSeams {
  readonly clock: Clock
  readonly logger: Logger
  /** How many requests were sent until now. */
  readonly requests?: (() => number) | undefined
  /** Who changes groups of this cluster; undefined: nobody can. */
  readonly changes?: GroupChanges | undefined
}

export interface Sampled {
  readonly at: number
  readonly gone: readonly string[]
  readonly changes: readonly StatusChange[]
}

/** Called after each judgement, one after the other; what they throw is logged. They may not take long: the next sample waits. */
export type SampleListener = (sampled: Sampled) => void

/** A sample may take this long however short the interval is. */
const LEAST_SPAN_MS = 5000
/** A wall clock that is this far from where the monotonic one says it should be, has jumped. */
const CLOCK_JUMP_MS = 5000

export class ClusterMonitor {
  readonly settings: ClusterMonitorSettings
  readonly state: ClusterState
  readonly changes: GroupChanges | undefined
  readonly #collector: Collector
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #requests: (() => number) | undefined
  readonly #listeners = new Set<SampleListener>()
  readonly #stopping = new AbortController()
  #loop: Promise<void> | undefined
  #wall: { now: number; monotonic: number } | undefined
  #problem: string | undefined
  #problems: readonly string[] = []
  #missingRights: readonly string[] = []
  sampleMs: number | undefined
  /** Requests of the last sample; undefined if nobody counts them. */
  requestsPerSample: number | undefined
  /** Samples that were taken in. */
  samples = 0

  constructor(settings: ClusterMonitorSettings, collector: Collector, seams: ClusterMonitorSeams) {
    this.settings = settings
    this.#collector = collector
    this.#clock = seams.clock
    this.#logger = seams.logger
    this.#requests = seams.requests
    this.changes = seams.changes
    this.state = new ClusterState({ ...settings, longestSpanMs: Math.max(settings.sampleIntervalMs, LEAST_SPAN_MS) })
  }

  get name(): string {
    return this.settings.name
  }

  get condition(): 'starting' | 'ok' | 'stale' {
    if (this.#problem !== undefined) return 'stale'
    return this.samples === 0 ? 'starting' : 'ok'
  }

  /** Why the last sample failed, or what it lacked; undefined if it is whole. */
  get problem(): string | undefined {
    return this.#problem ?? this.#problems[0]
  }

  get problems(): readonly string[] {
    return this.#problem === undefined ? this.#problems : [this.#problem, ...this.#problems]
  }

  get missingRights(): readonly string[] {
    return this.#missingRights
  }

  /** @returns what ends it */
  onSample(listener: SampleListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Begins to sample, at once and then at each interval. */
  start(): void {
    this.#loop ??= this.#run()
  }

  /** Ends it and closes what the collector has open. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
    await this.#collector
      .close()
      .catch((error: Error) => this.#logger.debug({ error: error.message }, 'closing the collector'))
  }

  /** Takes one sample and judges by it. Rejects when nothing of the cluster could be had. */
  async sample(): Promise<Sampled> {
    const began = this.#clock.monotonic()
    const requestsBefore = this.#requests?.() ?? 0
    const sample = await this.#collector.sample(this.#stopping.signal)
    this.#minding(sample)
    const { gone, heldBack, changes } = await inSlices(judging(this.state, sample, this.settings), this.#clock)
    this.#problem = undefined
    this.#problems = heldBack === undefined ? sample.problems : [heldBack, ...sample.problems]
    this.#sayRights(sample.missingRights)
    this.sampleMs = this.#clock.monotonic() - began
    this.requestsPerSample = this.#requests && this.#requests() - requestsBefore
    this.samples++
    return { at: sample.at, gone, changes }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    let next = this.#clock.monotonic()
    while (!signal.aborted) {
      await this.#once()
      // Times that passed while a sample took too long are left out, not caught up.
      next += this.settings.sampleIntervalMs
      const now = this.#clock.monotonic()
      if (next < now) next = now
      await this.#clock.sleep(next - now, signal)
    }
  }

  async #once(): Promise<void> {
    const wasStale = this.#problem !== undefined
    try {
      const sampled = await this.sample()
      if (wasStale) this.#logger.info({ cluster: this.name }, `the cluster ${this.name} answers again`)
      this.publish(sampled)
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      const { message } = error as Error
      if (this.#problem !== message) {
        this.#logger.warn({ cluster: this.name, error: message }, `no sample of the cluster ${this.name}: ${message}`)
      }
      this.#problem = message
      this.publish({ at: this.#clock.now(), gone: [], changes: [] })
    }
  }

  /** Tells whoever listens of a sample that was taken by `sample()`. */
  publish(sampled: Sampled): void {
    for (const listener of this.#listeners) {
      try {
        listener(sampled)
      } catch (error) {
        this.#logger.error({ cluster: this.name, error: (error as Error).message }, 'a listener of the monitor failed')
      }
    }
  }

  /** Durations are differences of wall clock times: when that clock is set, those of before are void. */
  #minding({ at }: ClusterSample): void {
    const now = this.#clock.now()
    const monotonic = this.#clock.monotonic()
    const before = this.#wall
    this.#wall = { now, monotonic }
    if (!before) return
    const jumpMs = now - before.now - (monotonic - before.monotonic)
    const isBack = this.state.sampledAt !== undefined && at <= this.state.sampledAt
    if (Math.abs(jumpMs) < CLOCK_JUMP_MS && !isBack) return
    this.#logger.warn(
      { cluster: this.name, jumpMs },
      `the system's clock jumped by ${Math.round(jumpMs)} ms: windows begin anew`,
    )
    this.state.forgetTimes()
  }

  #sayRights(rights: readonly string[]): void {
    const isNews = rights.length > 0 && rights.join() !== this.#missingRights.join()
    this.#missingRights = rights
    if (isNews) {
      this.#logger.warn(
        { cluster: this.name, rights },
        `rights are missing on the cluster ${this.name}: ${rights.join('; ')}`,
      )
    }
  }
}
