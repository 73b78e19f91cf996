/**
 * A monitor in a thread of its own: its sampling takes no time from whatever else the process does, its heap has the limits that suit it, and whatever ends it (a fault, a
 * full heap) ends nothing else: it is started again, at the same address. The thread's program is monitor-program.ts.
 *
 *     startMonitorThread ─▶ starting ──started──▶ running ──stop()──▶ over
 *                              │  ▲                  └──exit──▶ waiting ──stop()──▶ over
 *                   the first: │  └──── after a while ────────────┘
 *                              └──failed, exit──▶ an error
 */
import { Worker as Thread } from 'node:worker_threads'
import { SluiceError } from '../error.ts'
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import type { LoggedInThread, ThreadLogLevel } from '../seams/thread-logger.ts'
import { unlessStopped } from '../seams/unless-stopped.ts'
import type { MonitorConf } from './monitor-conf.ts'

/** `workerData` of the thread. */
export interface MonitorThreadStart {
  readonly conf: MonitorConf
  readonly version: string
  /** Lines below it are not sent. */
  readonly logLevel: ThreadLogLevel
}

export type FromMonitorThread =
  | { readonly type: 'started'; readonly url: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | LoggedInThread

export interface MonitorThreadOptions {
  readonly logger: Logger
  readonly clock: Clock
  readonly version: string
  /** Default `info`. */
  readonly logLevel?: ThreadLogLevel | undefined
  /** Of the thread's heap; what is over it ends the thread, and not the process. Default: what Node gives to a process. */
  readonly memoryMb?: number | undefined
  /** How long it may take to end in order, windows stored; then it is ended. Default 3 seconds: something else waits for it. */
  readonly stopWithinMs?: number | undefined
}

export interface MonitorThread {
  readonly url: string
  /** Ends it: in order, or by force when that takes too long. Never rejects. */
  stop(): Promise<void>
}

/** The running module's own extension says whether this is the source or what was compiled from it. */
const program = import.meta.url.endsWith('.ts')
  ? new URL('./monitor-program.ts', import.meta.url)
  : new URL('./monitor-program.js', import.meta.url)

/** For the heap of a monitor that runs beside something else. */
export const MEMORY_BESIDE_MB = 512
/**
 * The young generation: three halves of 8 MB. V8, left to itself, gives it 134 MB when a sample brings a hundred thousand partitions, and 3 of them are in use. What one
 * collection moves out of it must fit into the 16 MB that Node adds to a full heap for the way out, or the process ends with the thread.
 */
const YOUNG_MB = 24
const STOP_WITHIN_MS = 3000
const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 60_000
/** One that ran for this long is started again as if for the first time. */
const STEADY_MS = 600_000

/** Resolves when it answers. @throws SluiceError with the code that `startMonitor` has: SLUICE_STORE_IN_USE, SLUICE_MONITOR_ADDRESS, SLUICE_CONFIG … */
export async function startMonitorThread(conf: MonitorConf, options: MonitorThreadOptions): Promise<MonitorThread> {
  const first = await startThread(conf, options)
  // A port that the system chose is kept.
  const port = conf.port === 0 ? Number(new URL(first.url).port) : conf.port
  const keeper = new MonitorKeeper(first, { ...conf, port }, options)
  return { url: first.url, stop: () => keeper.stop() }
}

/** Starts the monitor again whenever its thread has ended. */
class MonitorKeeper {
  readonly #conf: MonitorConf
  readonly #options: MonitorThreadOptions
  readonly #stopping = new AbortController()
  readonly #keeping: Promise<void>

  constructor(first: RunningThread, conf: MonitorConf, options: MonitorThreadOptions) {
    this.#conf = conf
    this.#options = options
    this.#keeping = this.#keep(first)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#keeping
  }

  async #keep(first: RunningThread): Promise<void> {
    const { clock, logger } = this.#options
    const { signal } = this.#stopping
    let thread: RunningThread | undefined = first
    let waitMs = FIRST_WAIT_MS
    while (!signal.aborted) {
      const began = clock.monotonic()
      const cause = thread && (await unlessStopped(thread.over, signal))
      if (signal.aborted) break
      if (clock.monotonic() - began >= STEADY_MS) waitMs = FIRST_WAIT_MS
      if (cause) {
        logger.error(
          { error: cause.stack ?? cause.message },
          `the monitor has ended: ${cause.message}. It is started again in ${waitMs / 1000} s; nothing else is touched`,
        )
      }
      await clock.sleep(waitMs, signal)
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)
      thread = signal.aborted ? undefined : await this.#startAgain(waitMs)
    }
    await thread?.stop()
  }

  async #startAgain(nextWaitMs: number): Promise<RunningThread | undefined> {
    const { logger } = this.#options
    try {
      const thread = await startThread(this.#conf, this.#options)
      logger.info({ url: thread.url }, `the monitor is at ${thread.url} again`)
      return thread
    } catch (error) {
      const { message } = error as Error
      logger.error({}, `the monitor cannot be started again: ${message}. The next try is in ${nextWaitMs / 1000} s`)
      return undefined
    }
  }
}

interface RunningThread extends MonitorThread {
  /** Resolves with the cause when it has ended, stopped or not. */
  readonly over: Promise<Error>
}

async function startThread(conf: MonitorConf, options: MonitorThreadOptions): Promise<RunningThread> {
  const { logger, clock, version, logLevel = 'info', memoryMb, stopWithinMs = STOP_WITHIN_MS } = options
  const workerData: MonitorThreadStart = { conf, version, logLevel }
  const thread = new Thread(program, {
    workerData,
    name: 'monitor',
    execArgv: [],
    resourceLimits: {
      ...(memoryMb === undefined ? {} : { maxOldGenerationSizeMb: memoryMb }),
      maxYoungGenerationSizeMb: YOUNG_MB,
    },
  })
  const started = Promise.withResolvers<string>()
  const over = Promise.withResolvers<Error>()
  let cause: Error | undefined
  thread.on('message', (message: FromMonitorThread) => {
    switch (message.type) {
      case 'log':
        return logger[message.level](message.fields, message.text)
      case 'started':
        return started.resolve(message.url)
      case 'failed':
        return started.reject(new SluiceError(message.code, message.message))
      default:
        return message satisfies never
    }
  })
  thread.on('error', (error: unknown) => (cause = error as Error))
  thread.on('exit', (code) => {
    cause ??= new Error(`its thread ended with exit code ${code}`)
    // Without effect on one that has started.
    started.reject(new SluiceError('SLUICE_MONITOR_ENDED', `the monitor did not start: ${cause.message}`))
    over.resolve(cause)
  })
  const stop = async () => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's, not a window's
    thread.postMessage('stop')
    const timer = clock.setTimer(stopWithinMs, () => void thread.terminate())
    await over.promise
    timer.cancel()
  }
  try {
    return { url: await started.promise, over: over.promise, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
