/**
 * The program of a worker's thread, and nothing else: never imported, only started (thread-host.ts). Puts together what a worker needs where there is no command
 * line: a logger and a standard output that are the main thread's.
 */
import { Writable } from 'node:stream'
import { parentPort, workerData } from 'node:worker_threads'
import { systemSeams } from '../client/seams.ts'
import { systemDisk } from '../seams/disk.ts'
import { threadLogger } from '../seams/thread-logger.ts'
import type { SinkRegistry } from '../sinks/sink.ts'
import type { FromThread, ThreadStart, ToThread } from './thread-messages.ts'
import { Worker } from './worker.ts'

const port = parentPort!
const start = workerData as ThreadStart
const post = (message: FromThread) => port.postMessage(message)

const printing = new Map<number, (error?: Error) => void>()
let prints = 0

/** Resolves a write when the main thread's standard output has taken it. */
const stdout = new Writable({
  decodeStrings: false,
  // A failed write fails by itself; the stream stays for the sink to decide.
  autoDestroy: false,
  write(text: string, _encoding, done) {
    const id = ++prints
    printing.set(id, done)
    post({ type: 'print', id, text })
  },
})

/** With a handler no store is wanted, and none is loaded: with the checks of their options they are 7 of the 22 MB of objects that a thread begins with. */
async function sinksOf({ sinksModule, spec }: ThreadStart): Promise<SinkRegistry> {
  if (spec.application.handler) return noSinks
  const [{ createSinkRegistry }, { stdoutSinkTo }] = await Promise.all([
    import('../sinks/registry.ts'),
    import('../sinks/stdout.ts'),
  ])
  const { sinks } = (await import(sinksModule ?? sinksUrl)) as { sinks: SinkRegistry }
  const others = sinks.definitions.filter(({ name }) => name !== 'stdout')
  return createSinkRegistry([...others, stdoutSinkTo(() => stdout)])
}

const noSinks: SinkRegistry = {
  definitions: [],
  find: () => undefined,
  configure: () => {
    throw new Error('an application with a handler has no sink')
  },
}

const sinksUrl = import.meta.url.endsWith('.ts')
  ? new URL('../sinks/index.ts', import.meta.url).href
  : new URL('../sinks/index.js', import.meta.url).href

const seams = systemSeams({ logger: threadLogger(start.logLevel, post) })
const worker = new Worker(start.spec, { seams, disk: systemDisk, sinks: await sinksOf(start) }, (message) =>
  post({ type: 'message', message }),
)

// Only now: what comes before waits in the port, and a worker that is not there yet could not receive it.
port.on('message', (message: ToThread) => {
  switch (message.type) {
    case 'command':
      return worker.receive(message.command)
    case 'printed': {
      const done = printing.get(message.id)
      printing.delete(message.id)
      return done?.(message.error && Object.assign(new Error(message.error.message), { code: message.error.code }))
    }
    default:
      return message satisfies never
  }
})
