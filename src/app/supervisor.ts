/**
 * Runs the applications of a consumer.conf: one worker a consumer, all of them started and stopped together.
 *
 *     idle ─start─▶ reaching ─a broker accepts─▶ running ─stop()─────────▶ stopping ─last worker─▶ stopped
 *                      │  ▲                         └── a worker failed ──▶ stopping ─last worker─▶ failed
 *                      └──┘ no broker: said, tried again (or failed, with `failFast`)
 *
 * A worker that fails ends all: the others are stopped in good order first, so that what they took is stored and committed.
 */
import { SluiceError } from '../error.ts'
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import type { Transport } from '../seams/transport.ts'
import type { ApplicationConf } from './conf.ts'
import { reachBroker, UnreachableError } from './reach.ts'
import type { WorkerHandle, WorkerHost } from './worker-host.ts'
import type { WorkerCounts, WorkerFailure, WorkerMessage } from './worker.ts'

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
  readonly state: 'running' | 'stopped' | 'failed'
  readonly partitions: readonly string[]
  readonly counts: WorkerCounts
}

export interface SupervisorOptions {
  readonly applications: readonly ApplicationConf[]
  readonly host: WorkerHost
  readonly transport: Transport
  readonly clock: Clock
  readonly logger: Logger
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
  status: ConsumerStatus
  handle: WorkerHandle | undefined
}

const RETRY_MS = 3000

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #slots: Slot[] = []
  readonly #stopping = new AbortController()
  readonly #ended = Promise.withResolvers<void>()
  #state: State = { kind: 'idle' }
  #failure: Error | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
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
    for (const { handle } of this.#slots) handle?.post({ type: 'stop' })
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
    const slot: Slot = {
      handle: undefined,
      status: {
        application: application.groupId,
        consumer,
        state: 'running',
        partitions: [],
        counts: { polled: 0, stored: 0, committed: 0 },
      },
    }
    this.#slots.push(slot)
    slot.handle = this.#options.host.launch({ consumer, application }, (message) => this.#receive(slot, message))
  }

  #receive(slot: Slot, message: WorkerMessage): void {
    const { application, consumer } = slot.status
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
        slot.status = { ...slot.status, counts: message.counts }
        break
      case 'stopped':
        slot.status = { ...slot.status, state: 'stopped', partitions: [], counts: message.counts }
        // One that ends by itself has no reader any more (`| head`): the others have none either.
        if (!this.#stopping.signal.aborted) this.stop()
        break
      case 'failed':
        slot.status = { ...slot.status, state: 'failed', partitions: [], counts: message.counts }
        this.#failed(new ConsumerFailedError(application, consumer, message.failure))
        break
    }
    if (message.type !== 'report') this.#options.onStatus?.(this.consumers)
    this.#endIfOver()
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
    if (this.#slots.every(({ status }) => status.state !== 'running')) this.#ended.resolve()
  }

  async #reportUntilEnded(): Promise<void> {
    const { clock, onStatus, reportEveryMs } = this.#options
    const over = new AbortController()
    const ended = this.#ended.promise.then(() => over.abort())
    if (onStatus && reportEveryMs !== undefined) {
      while (!over.signal.aborted) {
        await clock.sleep(reportEveryMs, over.signal)
        for (const { handle, status } of this.#slots) if (status.state === 'running') handle?.post({ type: 'report' })
        onStatus(this.consumers)
      }
    }
    await ended
  }
}
