/**
 * A monitor in a thread of its own, beside an application or the demo: its sampling takes no time from the consumers' loop, and whatever ends it (a fault, a
 * full heap) ends nothing else. The thread's program is monitor-program.ts.
 *
 *     startMonitorThread ─▶ starting ──started──▶ running ──stop()──▶ over
 *                              └──failed, exit──▶ an error           └──exit──▶ over, said in the log: nobody else is harmed
 */
import { Worker as Thread } from 'node:worker_threads'
import { SluiceError } from '../error.ts'
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import type { MonitorConf } from './monitor-conf.ts'

export type LogLevel = keyof Logger

/** `workerData` of the thread. */
export interface MonitorThreadStart {
  readonly conf: MonitorConf
  readonly version: string
  /** Lines below it are not sent. */
  readonly logLevel: LogLevel | 'silent'
}

export type FromMonitorThread =
  | { readonly type: 'started'; readonly url: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'log'; readonly level: LogLevel; readonly fields: object; readonly text: string }

export interface MonitorThreadOptions {
  readonly logger: Logger
  readonly clock: Clock
  readonly version: string
  /** Default `info`. */
  readonly logLevel?: LogLevel | 'silent' | undefined
  /** Of the thread's heap; what is over it ends the monitor, and not the process. */
  readonly memoryMb?: number
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

const MEMORY_MB = 512
/** See thread-host.ts: a full heap then ends its thread only. */
const YOUNG_MB = 8
const STOP_WITHIN_MS = 3000

/** Resolves when it answers. @throws SluiceError with the code that `startMonitor` has: SLUICE_STORE_IN_USE, SLUICE_MONITOR_ADDRESS, SLUICE_CONFIG … */
export async function startMonitorThread(conf: MonitorConf, options: MonitorThreadOptions): Promise<MonitorThread> {
  const { logger, clock, version, logLevel = 'info', memoryMb = MEMORY_MB } = options
  const workerData: MonitorThreadStart = { conf, version, logLevel }
  const thread = new Thread(program, {
    workerData,
    name: 'monitor',
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: YOUNG_MB },
  })
  const started = Promise.withResolvers<string>()
  const over = Promise.withResolvers<void>()
  let cause: Error | undefined
  let state: 'starting' | 'running' | 'stopping' = 'starting'
  thread.on('message', (message: FromMonitorThread) => {
    switch (message.type) {
      case 'log':
        return logger[message.level](message.fields, message.text)
      case 'started':
        state = 'running'
        return started.resolve(message.url)
      case 'failed':
        return started.reject(new SluiceError(message.code, message.message))
      default:
        return message satisfies never
    }
  })
  thread.on('error', (error: unknown) => (cause = error as Error))
  thread.on('exit', (code) => {
    const why = cause?.message ?? `its thread ended with exit code ${code}`
    if (state === 'starting')
      started.reject(new SluiceError('SLUICE_MONITOR_ENDED', `the monitor did not start: ${why}`))
    if (state === 'running') {
      logger.error({ error: cause?.stack ?? why }, `the monitor has ended: ${why}. Everything else goes on without it`)
    }
    over.resolve()
  })
  const stop = async () => {
    state = 'stopping'
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's, not a window's
    thread.postMessage('stop')
    const timer = clock.setTimer(STOP_WITHIN_MS, () => void thread.terminate())
    await over.promise
    timer.cancel()
  }
  try {
    return { url: await started.promise, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
