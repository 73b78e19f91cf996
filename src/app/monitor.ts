/**
 * What a running process tells about itself: `/status` (JSON), `/metrics` (Prometheus), and whether it is alive and ready. It reads what consumers last
 * reported and never waits for one, so that a consumer whose event loop is busy holds up no answer; and it works answers out only so often, however many ask.
 */
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import { type ProcessFigures, renderMetrics } from './prometheus.ts'
import { Rates } from './rates.ts'
import { type Redact, withoutSecrets } from './secrets.ts'
import type { ConsumerStatus, Supervisor } from './supervisor.ts'
import { lagOf, Watchdog } from './watchdog.ts'
import type { PartitionReport } from './worker-report.ts'

export interface MonitorOptions {
  /** For how long a consumer may have work and not move. */
  readonly stalledAfterMs: number
  readonly clock: Clock
  readonly logger: Logger
  readonly redact: Redact
  readonly version: string
  readonly figures: () => ProcessFigures
}

export interface Verdict {
  readonly ok: boolean
  readonly problems: readonly string[]
}

/** An answer is used again for so long. */
const KEPT_MS = 250

export class Monitor {
  readonly #options: MonitorOptions
  readonly #watchdog: Watchdog
  readonly #rates = new Rates()
  #supervisor: Pick<Supervisor, 'state' | 'consumers'> | undefined
  readonly #status: () => Promise<string>
  readonly #metrics: () => Promise<string>

  constructor(options: MonitorOptions) {
    this.#options = options
    const { clock, logger } = options
    this.#watchdog = new Watchdog(options.stalledAfterMs, clock, logger)
    this.#status = kept(clock, async () => JSON.stringify(this.#describe()))
    this.#metrics = kept(clock, () => this.#render())
  }

  watch(supervisor: Pick<Supervisor, 'state' | 'consumers'>): void {
    this.#supervisor = supervisor
  }

  /** Called again and again: what is judged by time is judged here. */
  look(consumers: readonly ConsumerStatus[]): void {
    this.#watchdog.look(consumers)
    this.#rates.look(consumers, this.#options.clock.monotonic())
  }

  status(): Promise<string> {
    return this.#status()
  }

  metrics(): Promise<string> {
    return this.#metrics()
  }

  /** False only for what a new start of the process may cure. */
  get alive(): Verdict {
    const problems = this.#watchdog.stalls.map(
      ({ application, consumer, reason, seconds }) => `${application} ${consumer}: ${reason} for ${seconds} s`,
    )
    return { ok: problems.length === 0, problems }
  }

  /** Every consumer is a member of its group. */
  get ready(): Verdict {
    const state = this.#supervisor?.state ?? 'idle'
    if (state === 'idle') return { ok: false, problems: ['nothing is started yet'] }
    if (state === 'reaching') return { ok: false, problems: ['no broker has answered yet'] }
    if (state !== 'running') return { ok: false, problems: [`the process is ${state}`] }
    const problems = this.#consumers.flatMap((one) => {
      const name = `${one.application} ${one.consumer}`
      if (one.state !== 'running') return [`${name} is ${one.state}`]
      return (one.report?.generation ?? -1) < 0 ? [`${name} is no member of its group yet`] : []
    })
    return { ok: problems.length === 0, problems }
  }

  get #consumers(): readonly ConsumerStatus[] {
    return this.#supervisor?.consumers ?? []
  }

  #render(): Promise<string> {
    const { clock, figures, redact } = this.#options
    const moment = { monotonicMs: clock.monotonic(), stalls: this.#watchdog.stalls }
    return renderMetrics(this.#consumers, moment, figures(), redact)
  }

  #describe(): unknown {
    const { clock, figures, redact, version } = this.#options
    const { startSeconds, residentBytes } = figures()
    const status = {
      version,
      state: this.#supervisor?.state ?? 'idle',
      startedAt: new Date(startSeconds * 1000).toISOString(),
      residentBytes,
      alive: this.alive,
      ready: this.ready,
      consumers: this.#consumers.map((one) => this.#describeConsumer(one, clock.monotonic())),
    }
    return withoutSecrets(status, redact)
  }

  #describeConsumer(consumer: ConsumerStatus, nowMs: number): unknown {
    const { application, entry, consumer: name, state, counts, restarts, report, heardAtMs } = consumer
    const assignment = (report?.partitions ?? []).map(describePartition)
    const lags = assignment.flatMap(({ lag }) => lag ?? [])
    return {
      application,
      ...(entry === '' ? {} : { entry }),
      consumer: name,
      state,
      generation: report?.generation ?? null,
      memberId: report?.memberId ?? null,
      assignment,
      lag: lags.length === assignment.length ? lags.reduce((sum, lag) => sum + lag, 0) : null,
      recordsPerSecond: this.#rates.of(consumer) ?? null,
      lastCommitAt: report?.lastCommitAtMs === undefined ? null : new Date(report.lastCommitAtMs).toISOString(),
      counts,
      rebalances: report?.rebalances ?? null,
      restarts,
      missingTopics: consumer.missingTopics,
      lastError: consumer.lastError ?? null,
      /** How old all this is. */
      ageMs: Math.round(nowMs - heardAtMs),
    }
  }
}

function describePartition(one: PartitionReport) {
  const { topic, partition, position = null, done = null, committed = null, end = null, isBusy } = one
  return { topic, partition, position, done, committed, end, lag: lagOf(one) ?? null, isBusy }
}

/** Works a text out at most every so often, and once for all who ask meanwhile. */
function kept(clock: Clock, work: () => Promise<string>): () => Promise<string> {
  let last: { readonly text: Promise<string>; readonly atMs: number } | undefined
  return () => {
    const nowMs = clock.monotonic()
    if (!last || nowMs - last.atMs >= KEPT_MS) last = { text: work(), atMs: nowMs }
    return last.text
  }
}
