/**
 * Runs the applications of a consumer.conf: one worker a consumer, all of them started and stopped together.
 *
 *     idle ─start─▶ reaching ─a broker accepts─▶ running ─stop()─────────▶ stopping ─last worker─▶ stopped
 *                      │  ▲                         └── a worker failed ──▶ stopping ─last worker─▶ failed
 *                      └──┘ no broker: said, tried again (or failed, with `failFast`)
 *
 * One consumer in it:
 *
 *     running ─stop()──────────────────────▶ stopped
 *        │ ▲ └─ what no restart can cure ──▶ failed     a poison record, a refused store, a setting
 *  crash │ └──── after a backoff ────┐         ▲
 *        └─────────────────▶ restarting ───────┘        more often than `restart.max` within `restart.window.ms`
 *
 * A worker that fails ends all: the others are stopped in good order first, so that what they took is stored and committed.
 */
import { SluiceError } from '../error.ts'
import type { Clock, Timer } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import { systemRandom, type Random } from '../seams/random.ts'
import type { Transport } from '../seams/transport.ts'
import type { ApplicationConf } from './conf.ts'
import { MissingTopicNotices } from './missing-topics.ts'
import { reachBroker, UnreachableError } from './reach.ts'
import { Restarts } from './restarts.ts'
import type { WorkerReport } from './worker-report.ts'
import type { WorkerHandle, WorkerHost } from './worker-host.ts'
import { noCounts, type WorkerCounts, type WorkerFailure, type WorkerMessage } from './worker.ts'

/** A consumer failed. The message names it and holds its cause. */
export class ConsumerFailedError extends SluiceError {
  /** False for what nobody foresaw; then `detail` holds its stack. */
  readonly isForeseen: boolean
  readonly detail: string | undefined

  constructor(application: string, consumer: string, failure: WorkerFailure) {
    super(failure.code ?? 'SLUICE_CONSUMER_FAILED', `${application} ${consumer}: ${failure.message}`)
    this.isForeseen = failure.code !== undefined
    this.detail = failure.stack
  }
}

/** Plain data: one consumer as it stands. */
export interface ConsumerStatus {
  readonly application: string
  readonly consumer: string
  readonly state: 'running' | 'restarting' | 'stopped' | 'failed'
  readonly partitions: readonly string[]
  readonly counts: WorkerCounts
  /** Restarts after crashes, since the start. */
  readonly restarts: number
  /** What it last crashed or failed with. */
  readonly lastError: string | undefined
  /** Where its application stands in the conf: `[1]`; empty when it is the only one. */
  readonly entry: string
  /** Topics of its subscription that do not exist. */
  readonly missingTopics: readonly string[]
  /** clock.monotonic() of its last answer, or of its start before the first. */
  readonly heardAtMs: number
  /** The last one; undefined until it is connected, and when it has crashed. */
  readonly report: WorkerReport | undefined
}

export interface SupervisorOptions {
  readonly applications: readonly ApplicationConf[]
  readonly host: WorkerHost
  readonly transport: Transport
  readonly clock: Clock
  readonly logger: Logger
  /** Spreads restarts. */
  readonly random?: Random
  /** Fails when no broker can be reached at the start, in place of trying again. */
  readonly failFast?: boolean
  /** How often `onStatus` is called; a consumer's own changes are reported at once. */
  readonly reportEveryMs?: number
  readonly onStatus?: (consumers: readonly ConsumerStatus[]) => void
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'reaching' }
  | { readonly kind: 'running' }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed' }

interface Slot {
  readonly application: ApplicationConf
  readonly restarts: Restarts
  status: ConsumerStatus
  handle: WorkerHandle | undefined
  /** Until a restart. */
  timer: Timer | undefined
  /** What workers counted that have crashed since: a new one begins at zero. */
  countsBefore: WorkerCounts
  /** It has been asked for a report and has not answered: a thread that is busy for long is not asked again and again. */
  isAsked: boolean
}

const RETRY_MS = 3000

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #slots: Slot[] = []
  readonly #stopping = new AbortController()
  readonly #ended = Promise.withResolvers<void>()
  #state: State = { kind: 'idle' }
  readonly #missing: MissingTopicNotices
  #failure: Error | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#missing = new MissingTopicNotices(options.logger)
  }

  get state(): State['kind'] {
    return this.#state.kind
  }

  get consumers(): readonly ConsumerStatus[] {
    return this.#slots.map(({ status }) => status)
  }

  /** Runs until `stop` or a failure. Rejects with `ConsumerFailedError`, or with `UnreachableError` under `failFast`. */
  async run(): Promise<void> {
    if (this.#state.kind !== 'idle') throw new Error('a supervisor runs once')
    this.#state = { kind: 'reaching' }
    try {
      await this.#reach()
      if (!this.#stopping.signal.aborted) this.#launchAll()
    } catch (error) {
      this.#failure = error as Error
      this.stop()
    }
    this.#endIfOver()
    await this.#reportUntilEnded()
    this.#state = { kind: this.#failure ? 'failed' : 'stopped' }
    if (this.#failure) throw this.#failure
  }

  /** Every consumer stops fetching, flushes, commits and leaves its group. Again does nothing. */
  stop(): void {
    if (this.#stopping.signal.aborted) return
    this.#state = { kind: 'stopping' }
    this.#stopping.abort()
    for (const slot of this.#slots) {
      slot.timer?.cancel()
      if (slot.status.state === 'restarting') slot.status = { ...slot.status, state: 'stopped' }
      else slot.handle?.post({ type: 'stop' })
    }
    this.#endIfOver()
  }

  /** Waits until a broker of every cluster accepts connections. */
  async #reach(): Promise<void> {
    const { applications, transport, clock, logger, failFast } = this.#options
    const clusters = new Set(applications.map(({ properties }) => String(properties['bootstrap.servers'])))
    for (const servers of clusters) {
      for (let attempt = 1; !this.#stopping.signal.aborted; attempt++) {
        try {
          await reachBroker(servers.split(','), { transport, clock, signal: this.#stopping.signal })
          if (attempt > 1) logger.info({ servers }, `a broker answers at ${servers}`)
          break
        } catch (error) {
          if (this.#stopping.signal.aborted) return
          if (failFast || !(error instanceof UnreachableError)) throw error
          if (attempt === 1 || attempt % 10 === 0) {
            logger.error({ servers, attempt }, `${error.message}. Trying again every ${RETRY_MS / 1000} s`)
          }
          await clock.sleep(RETRY_MS, this.#stopping.signal)
        }
      }
    }
  }

  #launchAll(): void {
    this.#state = { kind: 'running' }
    for (const application of this.#options.applications) {
      for (let index = 0; index < application.consumers; index++) {
        // One that fails at once, inside `launch`, leaves nothing to be started.
        if (this.#stopping.signal.aborted) return
        this.#launch(application, `consumer-thread-${index}`)
      }
    }
  }

  #launch(application: ApplicationConf, consumer: string): void {
    const { clock, random = systemRandom } = this.#options
    const slot: Slot = {
      application,
      restarts: new Restarts(application.restart, clock, random),
      handle: undefined,
      timer: undefined,
      countsBefore: noCounts,
      isAsked: false,
      status: {
        application: application.groupId,
        consumer,
        state: 'running',
        partitions: [],
        counts: noCounts,
        restarts: 0,
        lastError: undefined,
        entry: application.path,
        missingTopics: [],
        heardAtMs: clock.monotonic(),
        report: undefined,
      },
    }
    this.#slots.push(slot)
    this.#start(slot)
  }

  #start(slot: Slot): void {
    const { application, status } = slot
    const { consumer } = status
    slot.isAsked = false
    slot.status = { ...status, heardAtMs: this.#options.clock.monotonic(), missingTopics: [] }
    slot.handle = this.#options.host.launch({ consumer, application }, (message) => this.#receive(slot, message))
  }

  #receive(slot: Slot, message: WorkerMessage): void {
    const { application, consumer } = slot.status
    slot.status = { ...slot.status, heardAtMs: this.#options.clock.monotonic() }
    switch (message.type) {
      case 'assigned': {
        slot.status = { ...slot.status, partitions: message.partitions }
        // Between two generations and at the end a consumer owns nothing, which is no news.
        if (message.partitions.length === 0) break
        const names = message.partitions.join(', ')
        this.#options.logger.info({ application, consumer }, `${application} ${consumer} owns ${names}`)
        break
      }
      case 'report':
        this.#count(slot, message.counts)
        slot.isAsked = false
        slot.status = { ...slot.status, report: message.report }
        break
      case 'missing':
        slot.status = { ...slot.status, missingTopics: message.topics }
        this.#missing.look(slot.application, this.#slots)
        break
      case 'stopped':
        this.#count(slot, message.counts)
        slot.status = { ...slot.status, state: 'stopped', partitions: [], report: undefined }
        // One that ends by itself has no reader any more (`| head`): the others have none either.
        if (!this.#stopping.signal.aborted) this.stop()
        break
      case 'failed':
        this.#count(slot, message.counts)
        if (message.failure.isRetriable) this.#crashed(slot, message.failure)
        else this.#end(slot, message.failure)
        break
      case 'crashed':
        this.#crashed(slot, message.failure)
        break
      default:
        message satisfies never
    }
    if (message.type !== 'report') this.#options.onStatus?.(this.consumers)
    this.#endIfOver()
  }

  #count(slot: Slot, since: WorkerCounts): void {
    const names = Object.keys(noCounts) as (keyof WorkerCounts)[]
    const sums = names.map((name) => [name, slot.countsBefore[name] + since[name]])
    slot.status = { ...slot.status, counts: Object.fromEntries(sums) as WorkerCounts }
  }

  /** Started again after a while, unless it is to stop anyway or has crashed too often. */
  #crashed(slot: Slot, failure: WorkerFailure): void {
    const { application, consumer } = slot.status
    slot.handle = undefined
    slot.countsBefore = slot.status.counts
    if (this.#stopping.signal.aborted) return this.#end(slot, failure)
    const { max, windowMs } = slot.application.restart
    const waitMs = slot.restarts.next()
    if (waitMs === undefined) {
      const often = max === 0 ? '' : ` (restarted ${max} times within ${windowMs / 1000} s)`
      return this.#end(slot, { ...failure, message: `${failure.message}${often}` })
    }
    slot.status = { ...slot.status, state: 'restarting', partitions: [], report: undefined, lastError: failure.message }
    this.#options.logger.error(
      { application, consumer, ...(failure.stack === undefined ? {} : { stack: failure.stack }) },
      `${application} ${consumer} crashed: ${failure.message}. Starting it again in ${(waitMs / 1000).toFixed(1)} s ` +
        `(${slot.restarts.count} of ${max} within ${windowMs / 1000} s); its partitions wait for it or for another member`,
    )
    slot.timer = this.#options.clock.setTimer(waitMs, () => {
      slot.status = { ...slot.status, state: 'running', restarts: slot.status.restarts + 1 }
      this.#start(slot)
      this.#options.onStatus?.(this.consumers)
    })
  }

  #end(slot: Slot, failure: WorkerFailure): void {
    const { application, consumer } = slot.status
    slot.status = { ...slot.status, state: 'failed', partitions: [], report: undefined, lastError: failure.message }
    this.#failed(new ConsumerFailedError(application, consumer, failure))
  }

  #failed(error: ConsumerFailedError): void {
    if (this.#failure) this.#options.logger.error({}, error.message)
    else {
      this.#failure = error
      const isAlone = this.#slots.length === 1
      if (!this.#stopping.signal.aborted && !isAlone) {
        this.#options.logger.error({}, `${error.message}. Stopping the others`)
      }
    }
    this.stop()
  }

  #endIfOver(): void {
    if (!this.#stopping.signal.aborted) return
    if (this.#slots.every(({ status: { state } }) => state === 'stopped' || state === 'failed')) this.#ended.resolve()
  }

  #ask(slot: Slot): void {
    if (slot.status.state !== 'running' || slot.isAsked) return
    slot.isAsked = true
    slot.handle?.post({ type: 'report' })
  }

  async #reportUntilEnded(): Promise<void> {
    const { clock, onStatus, reportEveryMs } = this.#options
    const over = new AbortController()
    const ended = this.#ended.promise.then(() => over.abort())
    if (onStatus && reportEveryMs !== undefined) {
      while (!over.signal.aborted) {
        await clock.sleep(reportEveryMs, over.signal)
        for (const slot of this.#slots) this.#ask(slot)
        onStatus(this.consumers)
      }
    }
    await ended
  }
}
