/**
 * A small pool of connections to a server that has transactions: each in one caller's hands, and rolled back, or dropped, when the caller fails.
 *
 *     none ──use()──▶ connecting ──▶ in use ──▶ idle ──use()──▶ in use
 *                         │             │          │
 *                         └─────────────┴──────────┴──▶ broken: dropped, never handed out again
 */
import { SluiceError } from '../error.ts'
import { SinkUnavailableError } from './sink.ts'

/** One connection. What a server is asked, and how, is the store's own. */
export interface PooledSession {
  readonly isBroken: boolean
  /** Why the connection was dropped from this side. */
  dropped: string | undefined
  /** A COMMIT is on its way: to abort now would only hide how it ends. */
  isCommitting: boolean
  /** Once; a second call is done at once. */
  connect(): Promise<void>
  rollback(): Promise<void>
  /** Ends the connection without a word. The server rolls back when it notices. */
  drop(why?: string): void
  /** Says goodbye first. */
  end(): Promise<void>
}

export interface PoolOptions<Session> {
  /** Connections that are in use at a time. */
  readonly size: number
  readonly create: () => Session
  /** The server, as messages name it. */
  readonly where: string
  /** An error of the server's, the driver's or the network's in the words and classes of the sink contract. */
  readonly explained: (error: unknown, doing: string) => unknown
}

const ABORTED = 'it was aborted, as no time is left'

export class SessionPool<Session extends PooledSession> {
  readonly #options: PoolOptions<Session>
  #idle: Session[] = []
  readonly #waiting = new Set<() => void>()
  #inUse = 0
  #isClosed = false

  constructor(options: PoolOptions<Session>) {
    this.#options = options
  }

  /**
   * Hands a connection to `work`, waiting for one when all are in use. When `work` throws, an open transaction is rolled back.
   * When `signal` aborts, the connection is dropped, except in COMMIT.
   * @param taken what `take` gave, which goes back to the pool afterwards
   * @throws what `explained` answers. What `work` throws of the contract's stays as it is.
   */
  async use<T>(
    doing: string,
    signal: AbortSignal,
    work: (session: Session) => Promise<T>,
    taken?: Session,
  ): Promise<T> {
    if (!taken) await this.#turn(signal)
    const session = taken ?? this.#idleSession() ?? this.#options.create()
    const abort = () => {
      if (!session.isCommitting) session.drop(ABORTED)
    }
    signal.addEventListener('abort', abort)
    try {
      if (signal.aborted || this.#isClosed) session.dropped = ABORTED
      else await session.connect()
      if (session.dropped !== undefined) throw new Error(session.dropped)
      return await work(session)
    } catch (error) {
      if (!session.isBroken && session.dropped === undefined) await session.rollback().catch(() => session.drop())
      if (error instanceof SluiceError) throw error
      const { where, explained } = this.#options
      if (session.dropped !== undefined) {
        throw new SinkUnavailableError(`cannot ${doing} at ${where}: ${session.dropped}`, error)
      }
      throw explained(error, doing)
    } finally {
      signal.removeEventListener('abort', abort)
      this.#release(session)
    }
  }

  /** A connection that stands idle, unless it is the last that is left: nobody is to wait for one that was taken. */
  take(): Session | undefined {
    const session = this.#inUse < this.#options.size - 1 && !this.#isClosed ? this.#idleSession() : undefined
    if (session) this.#inUse += 1
    return session
  }

  /** Ends a connection that was taken, whatever it is doing. */
  abandon(session: Session): void {
    session.drop()
    this.#release(session)
  }

  #idleSession(): Session | undefined {
    const session = this.#idle.findLast(({ isBroken }) => !isBroken)
    this.#idle = this.#idle.filter((idle) => idle !== session && !idle.isBroken)
    return session
  }

  /** Waits until fewer connections are in use than the pool has. */
  async #turn(signal: AbortSignal): Promise<void> {
    while (this.#inUse >= this.#options.size && !signal.aborted && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        this.#waiting.add(wake)
        signal.addEventListener('abort', wake)
      })
    }
    this.#inUse += 1
  }

  #release(session: Session): void {
    session.isCommitting = false
    this.#inUse -= 1
    if (session.isBroken || session.dropped !== undefined || this.#isClosed) session.drop()
    else this.#idle.push(session)
    const [next] = this.#waiting
    next?.()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const wake of this.#waiting) wake()
    const idle = this.#idle
    this.#idle = []
    await Promise.all(idle.map((session) => session.end()))
  }
}
