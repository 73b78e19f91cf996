/**
 * Keeps each worker in a thread of its own, so that a handler or a store that computes for long holds up its own consumer only, and one that crashes
 * takes no other with it. The thread's program is worker-thread.ts.
 *
 *     launch ─▶ Worker ──message──▶ stopped | failed     its own last word; the thread is then ended
 *                  └────────exit without it────▶ crashed   uncaught exception, out of memory, process.exit in somebody's code
 *
 * Standard output is the main thread's alone. A thread sends whole lines as one text and waits for the answer, which comes when the stream has taken them:
 * lines of two threads never mix, a slow reader slows down the consumers, and nothing is committed before it was handed to the system. (Node's own
 * `process.stdout` of a thread answers before that, and hears nothing of a reader that has gone.)
 *
 * That a restart is due is the supervisor's decision.
 */
import type { Writable } from 'node:stream'
import { inspect } from 'node:util'
import { Worker as Thread } from 'node:worker_threads'
// The main thread keeps the memberships of all threads in one heartbeat thread; it hears their requests once this is loaded.
import '../client/consumer/heartbeat-link.ts'
import type { Logger } from '../seams/logger.ts'
import type { ThreadLogLevel } from '../seams/thread-logger.ts'
import type { FromThread, ThreadStart, ToThread } from './thread-messages.ts'
import type { WorkerHandle, WorkerHost } from './worker-host.ts'
import type { WorkerFailure, WorkerMessage, WorkerSpec } from './worker.ts'

export interface ThreadHostOptions {
  readonly logger: Logger
  /** The least level that the logger takes: what is below it is not sent from the threads. Default `info`. */
  readonly logLevel?: ThreadLogLevel
  /** Where threads print: the `stdout` sink. */
  readonly stdout: Writable
  /** URL of a module that exports `sinks`, in place of the stores that Sluice brings. */
  readonly sinksModule?: string
}

/** The running module's own extension says whether this is the source or what was compiled from it. */
const program = import.meta.url.endsWith('.ts')
  ? new URL('./worker-thread.ts', import.meta.url)
  : new URL('./worker-thread.js', import.meta.url)

/**
 * A full heap ends its thread, and not the process, as long as what one collection moves into it fits in the 16 MB that Node adds for the
 * way out. So the young generation is kept below that.
 */
const YOUNG_MB = 8

export class ThreadHost implements WorkerHost {
  readonly #options: ThreadHostOptions

  constructor(options: ThreadHostOptions) {
    this.#options = options
    // Each write hears of its own failure; without a listener the stream's would end the process.
    options.stdout.on('error', () => {})
  }

  launch(spec: WorkerSpec, onMessage: (message: WorkerMessage) => void): WorkerHandle {
    const { logLevel = 'info', sinksModule } = this.#options
    const workerData: ThreadStart = { spec, logLevel, sinksModule }
    const memoryMb = spec.application.threadMemoryMb
    const thread = new Thread(program, {
      workerData,
      name: spec.consumer,
      // What the main thread was started with (an inspector, a test's flags) is not the workers'.
      execArgv: [],
      ...(memoryMb === undefined
        ? {}
        : { resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: YOUNG_MB } }),
    })
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's, not a window's
    const post = (message: ToThread) => thread.postMessage(message)
    let isOver = false
    let cause: unknown
    thread.on('message', (message: FromThread) => {
      switch (message.type) {
        case 'log':
          return this.#options.logger[message.level](message.fields, message.text)
        case 'print':
          return this.#print(post, message.id, message.text)
        case 'message':
          if (message.message.type === 'stopped' || message.message.type === 'failed') {
            isOver = true
            void thread.terminate()
          }
          return onMessage(message.message)
        default:
          return message satisfies never
      }
    })
    thread.on('error', (error: unknown) => (cause = error))
    thread.on('exit', (code) => {
      if (!isOver) onMessage({ type: 'crashed', failure: crashOf(cause, code) })
      isOver = true
    })
    return {
      post: (command) => {
        if (!isOver) post({ type: 'command', command })
      },
    }
  }

  #print(post: (message: ToThread) => void, id: number, text: string): void {
    this.#options.stdout.write(text, (error) => {
      const failure = error as NodeJS.ErrnoException | null | undefined
      post({
        type: 'printed',
        id,
        ...(failure ? { error: { code: failure.code ?? '', message: failure.message } } : {}),
      })
    })
  }
}

function crashOf(cause: unknown, exitCode: number): WorkerFailure {
  const unforeseen = { code: undefined, isRetriable: true }
  if (cause === undefined) {
    return { ...unforeseen, message: `its thread was ended from inside, with exit code ${exitCode}`, stack: undefined }
  }
  if ((cause as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const message = `${(cause as Error).message}. "thread.memory.mb" in the conf sets how much a thread may take`
    return { ...unforeseen, message, stack: undefined }
  }
  if (cause instanceof Error) return { ...unforeseen, message: cause.message, stack: cause.stack }
  return { ...unforeseen, message: inspect(cause), stack: undefined }
}
