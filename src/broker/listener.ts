/**
 * Accepts connections and turns each into requests and answers; what a request means is the dispatcher's business.
 *
 * One connection is served as Kafka serves it: one request at a time, its answer written before the next request is
 * looked at. So answers come in the order of the requests, and a fetch that waits holds up what its own client sent after it
 * (Java's client keeps a connection for coordination apart for this reason) and nothing else.
 *
 *     reading ──frame──▶ serving ──answer written──▶ reading
 *        │                  │  ╰──socket full──▶ draining ──drained──▶ reading
 *        ╰─── end, error, idle, malformed, refused ───▶ closed
 *
 * Memory is bounded: frames that wait for their turn are read ahead only up to `READ_AHEAD_BYTES`, then the socket is paused; a
 * client that does not read its answers gets none computed. Whatever a client sends, the worst is that its connection closes.
 */
import { FrameSplitter } from '../protocol/frame.ts'
import { type Clock, type Timer } from '../seams/clock.ts'
import { type Logger } from '../seams/logger.ts'
import { type Connection, type Listening, type Transport } from '../seams/transport.ts'
import { type BrokerConfig } from './broker-config.ts'

/** Requests of one connection that wait in memory while an earlier one is served. */
const READ_AHEAD_BYTES = 1024 * 1024

export interface ConnectionInfo {
  readonly id: string
  readonly clientHost: string
  readonly signal: AbortSignal
}

/** The answer's buffers; undefined when the client waits for none. A throw closes the connection. */
export type ServeFrame = (frame: Buffer, connection: ConnectionInfo) => Promise<Buffer[] | undefined>

export interface ListenerOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly logger: Logger
  readonly config: Pick<BrokerConfig, 'socket.request.max.bytes' | 'connections.max.idle.ms' | 'max.connections'>
  readonly serve: ServeFrame
}

export class BrokerListener {
  readonly #options: ListenerOptions
  readonly #connections = new Set<ServedConnection>()
  #listening: Listening | undefined
  #nextConnection = 0

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  /** Rejects with the system's error when the address cannot be had. */
  async listen(host: string, port: number): Promise<Listening> {
    this.#listening = await this.#options.transport.listen({ host, port }, (connection) => this.#accept(connection))
    return this.#listening
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Accepts nothing more and drops every connection, with whatever was under way on it. */
  async close(): Promise<void> {
    const closed = this.#listening?.close()
    for (const connection of this.#connections) connection.close()
    await closed
  }

  #accept(connection: Connection): void {
    if (this.#connections.size >= this.#options.config['max.connections']) {
      this.#options.logger.warn({ client: connection.remoteAddress }, 'connection refused: max.connections are open')
      connection.listen({ onData() {}, onClose() {} })
      connection.destroy()
      return
    }
    const id = `${connection.remoteAddress}:${connection.remotePort}-${this.#nextConnection++}`
    const served = new ServedConnection(id, connection, this.#options, () => this.#connections.delete(served))
    this.#connections.add(served)
    served.start()
  }
}

class ServedConnection {
  readonly #connection: Connection
  readonly #options: ListenerOptions
  readonly #onClosed: () => void
  readonly #info: ConnectionInfo
  readonly #gone = new AbortController()
  readonly #splitter: FrameSplitter
  readonly #waiting: Buffer[] = []
  #waitingBytes = 0
  #state: 'reading' | 'serving' | 'draining' | 'closed' = 'reading'
  #paused = false
  #lastActiveAt: number
  #idleTimer: Timer | undefined

  constructor(id: string, connection: Connection, options: ListenerOptions, onClosed: () => void) {
    this.#connection = connection
    this.#options = options
    this.#onClosed = onClosed
    this.#splitter = new FrameSplitter(options.config['socket.request.max.bytes'])
    this.#info = { id, clientHost: `/${connection.remoteAddress}`, signal: this.#gone.signal }
    this.#lastActiveAt = options.clock.monotonic()
  }

  start(): void {
    this.#connection.listen({
      onData: (chunk) => this.#onData(chunk),
      onDrain: () => this.#onDrain(),
      onClose: () => this.#end(),
    })
    this.#watchIdle(this.#options.config['connections.max.idle.ms'])
  }

  close(): void {
    this.#end()
    this.#connection.destroy()
  }

  #onData(chunk: Buffer): void {
    if (this.#state === 'closed') return
    this.#lastActiveAt = this.#options.clock.monotonic()
    try {
      this.#splitter.push(chunk, (frame) => {
        this.#waiting.push(frame)
        this.#waitingBytes += frame.length
      })
    } catch (error) {
      return this.#refuse(error)
    }
    if (this.#waitingBytes > READ_AHEAD_BYTES && this.#state !== 'reading') this.#pause()
    this.#serveNext()
  }

  #onDrain(): void {
    if (this.#state !== 'draining') return
    this.#state = 'reading'
    this.#serveNext()
  }

  #serveNext(): void {
    if (this.#state !== 'reading') return
    const frame = this.#waiting.shift()
    if (!frame) return
    this.#waitingBytes -= frame.length
    this.#state = 'serving'
    if (this.#waitingBytes > READ_AHEAD_BYTES) this.#pause()
    else this.#resume()
    this.#options.serve(frame, this.#info).then(
      (answer) => this.#answer(answer),
      (error: unknown) => this.#refuse(error),
    )
  }

  #answer(answer: Buffer[] | undefined): void {
    if (this.#state === 'closed') return
    this.#lastActiveAt = this.#options.clock.monotonic()
    const accepted = answer === undefined || this.#connection.write(answer)
    this.#state = accepted ? 'reading' : 'draining'
    this.#serveNext()
  }

  #refuse(error: unknown): void {
    if (this.#state === 'closed') return
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.logger.warn({ connection: this.#info.id, reason }, `connection closed: ${reason}`)
    this.close()
  }

  #watchIdle(maxIdleMs: number): void {
    if (maxIdleMs < 0 || maxIdleMs === Number.POSITIVE_INFINITY) return
    const lookIn = (delayMs: number): void => {
      this.#idleTimer = this.#options.clock.setTimer(delayMs, look, { background: true })
    }
    const look = (): void => {
      const idleMs = this.#options.clock.monotonic() - this.#lastActiveAt
      // A request that is being served keeps its connection: the client waits for us, not we for it.
      if (this.#state === 'serving') lookIn(maxIdleMs)
      else if (idleMs < maxIdleMs) lookIn(maxIdleMs - idleMs)
      else {
        this.#options.logger.debug({ connection: this.#info.id }, 'connection closed: idle')
        this.close()
      }
    }
    lookIn(maxIdleMs)
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#connection.pause()
  }

  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#connection.resume()
  }

  #end(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#waiting.length = 0
    this.#waitingBytes = 0
    this.#idleTimer?.cancel()
    this.#gone.abort()
    this.#onClosed()
  }
}
