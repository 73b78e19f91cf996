/**
 * The way from this thread's consumers to the heartbeat thread. One link a thread, one heartbeat thread a process:
 *
 *     main thread     starts the heartbeat thread with the first consumer that joins a group
 *     other threads   ask the main thread for a port to it; where that does not answer (it has not loaded Sluice, or is stuck), they start one of their own
 *
 * The thread is unreferenced: it never keeps a process alive, and it stays for the next consumer when the last one has gone. When it cannot be started or
 * dies, every consumer is told once and sends its heartbeats itself from then on.
 */
import { isMainThread, MessageChannel, type MessagePort, postMessageToThread, Worker } from 'node:worker_threads'
import { type Logger } from '../../seams/logger.ts'
import { type KeptGeneration, type KeptMembership, type ToConsumer, type ToKeeper } from './heartbeat-messages.ts'

export interface LinkedConsumer {
  readonly logger: Logger
  readonly onMessage: (message: ToConsumer) => void
  /** There is no thread (any more). */
  readonly onUnavailable: () => void
}

/** Connects a port to a heartbeat thread. Calls `onEnd` when that is gone; may throw or reject. */
export type ConnectThread = (port: MessagePort, onEnd: (error: Error) => void) => void | Promise<void>

interface Linked {
  readonly consumer: LinkedConsumer
  readonly membership: KeptMembership
}

export class HeartbeatLink {
  readonly #connect: ConnectThread
  readonly #consumers = new Map<number, Linked>()
  #port: MessagePort | undefined
  #broken: Error | undefined
  #ids = 0

  constructor(connect: ConnectThread = connectThread) {
    this.#connect = connect
  }

  /** Consumers that are linked now. */
  get size(): number {
    return this.#consumers.size
  }

  /** Opens the link if need be. Returns the id for the other calls. */
  attach(membership: KeptMembership, consumer: LinkedConsumer): number {
    const id = ++this.#ids
    this.#consumers.set(id, { consumer, membership })
    if (this.#broken) {
      this.#lose(id)
      return id
    }
    this.#port ??= this.#open()
    this.#post({ type: 'attach', id, membership })
    return id
  }

  start(id: number, generation: KeptGeneration): void {
    this.#post({ type: 'start', id, generation })
  }

  stop(id: number): void {
    this.#post({ type: 'stop', id })
  }

  detach(id: number): void {
    if (this.#consumers.delete(id)) this.#post({ type: 'detach', id })
  }

  #post(message: ToKeeper): void {
    try {
      this.#port?.postMessage(message)
    } catch (error) {
      // A setting that cannot be cloned (a function): this consumer sends its heartbeats itself.
      this.#consumers.get(message.id)?.consumer.logger.warn({ error: (error as Error).message }, UNAVAILABLE)
      this.#lose(message.id)
    }
  }

  #open(): MessagePort {
    const { port1: port, port2: theirs } = new MessageChannel()
    port.on('message', (message: ToConsumer) => this.#consumers.get(message.id)?.consumer.onMessage(message))
    port.unref()
    const onEnd = (error: Error) => this.#end(error)
    port.on('close', () => onEnd(new Error('the heartbeat thread closed its port')))
    // Whatever is posted meanwhile waits in the port. A throw must not come before the caller knows its id.
    Promise.resolve()
      .then(() => this.#connect(theirs, onEnd))
      .catch((error: unknown) => onEnd(error as Error))
    return port
  }

  #end(error: Error): void {
    if (this.#broken) return
    this.#broken = error
    this.#port?.close()
    this.#port = undefined
    const [first] = this.#consumers.values()
    first?.consumer.logger.warn({ error: error.message }, UNAVAILABLE)
    for (const id of this.#consumers.keys()) this.#lose(id)
  }

  #lose(id: number): void {
    const linked = this.#consumers.get(id)
    this.#consumers.delete(id)
    if (linked) queueMicrotask(() => linked.consumer.onUnavailable())
  }
}

const UNAVAILABLE =
  'there is no thread for heartbeats: they are sent from the event loop, and a handler that blocks it for longer than session.timeout.ms costs the membership'

/** How long the main thread may take to pass a port on. */
const MAIN_THREAD_MS = 1000
const REQUEST = 'sluice-heartbeats'

interface PortRequest {
  readonly kind: typeof REQUEST
  readonly port: MessagePort
}

let thread: Worker | undefined

/** In this thread's own name: starts the heartbeat thread if there is none yet. */
function connectOwnThread(port: MessagePort, onEnd: (error: Error) => void): void {
  thread ??= startThread()
  thread.on('error', onEnd)
  thread.on('exit', (code) => onEnd(new Error(`the heartbeat thread ended with ${code}`)))
  thread.postMessage({ port }, [port])
}

function startThread(): Worker {
  // The running module's own extension says whether this is the source or what was compiled from it.
  const program = import.meta.url.endsWith('.ts')
    ? new URL('./heartbeat-thread.ts', import.meta.url)
    : new URL('./heartbeat-thread.js', import.meta.url)
  const started = new Worker(program, { name: 'sluice-heartbeats', execArgv: [] })
  started.setMaxListeners(0)
  started.once('exit', () => (thread = undefined))
  started.unref()
  return started
}

const connectThread: ConnectThread = async (port, onEnd) => {
  if (isMainThread) return connectOwnThread(port, onEnd)
  const { port1, port2 } = new MessageChannel()
  try {
    const request: PortRequest = { kind: REQUEST, port: port2 }
    await postMessageToThread(0, request, [port2], MAIN_THREAD_MS)
  } catch {
    port1.close()
    return connectOwnThread(port, onEnd)
  }
  // The main thread may give up later what it has taken: then this end closes too, and with it the consumers' port.
  port1.on('close', () => onEnd(new Error('the main thread gave up the heartbeat thread')))
  port1.unref()
  port1.postMessage({ port }, [port])
}

/** Other threads' requests, in the main thread. */
if (isMainThread) {
  process.on('workerMessage', (message: unknown) => {
    if ((message as PortRequest | null)?.kind !== REQUEST) return
    const { port } = message as PortRequest
    port.on('message', (passed: { port: MessagePort }) => {
      connectOwnThread(passed.port, () => port.close())
    })
    port.unref()
  })
}

/** This thread's link. */
export const processLink = new HeartbeatLink()
