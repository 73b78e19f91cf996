/** What passes between a worker's thread and the main thread: plain data, and nothing of it is kept. The two ends are thread-host.ts and worker-thread.ts. */
import type { LoggedInThread, ThreadLogLevel } from '../seams/thread-logger.ts'
import type { WorkerCommand, WorkerMessage, WorkerSpec } from './worker.ts'

/** `workerData` of the thread. */
export interface ThreadStart {
  readonly spec: WorkerSpec
  /** Lines below it are not sent. */
  readonly logLevel: ThreadLogLevel
  /** URL of a module that exports `sinks`, in place of the stores that Sluice brings. */
  readonly sinksModule: string | undefined
}

export type ToThread =
  | { readonly type: 'command'; readonly command: WorkerCommand }
  /** The main thread's standard output has taken the text with this number, or has failed. */
  | {
      readonly type: 'printed'
      readonly id: number
      readonly error?: { readonly code: string; readonly message: string }
    }

export type FromThread =
  | { readonly type: 'message'; readonly message: WorkerMessage }
  | LoggedInThread
  | { readonly type: 'print'; readonly id: number; readonly text: string }
