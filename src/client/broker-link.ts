/**
 * The way to one address: opens a connection when one is asked for, opens another when that is gone, and waits between
 * attempts (`reconnect.backoff.ms` doubling to `reconnect.backoff.max.ms`).
 *
 *     idle ──acquire──▶ connecting ──agreed──▶ ready ──connection gone──▶ idle
 *                           │
 *                           └──failed──▶ idle, and the next attempt waits
 *
 * Every one who asks while connecting waits for the same attempt. A caller's abort ends its waiting, not the attempt.
 */
import { BrokerConnection, type ConnectionOptions } from './connection.ts'
import { BrokerUnavailableError, ClosedError } from './errors.ts'
import { backoffMs, orAborted } from './retry.ts'
import { type ClientSeams } from './seams.ts'
import { type Security, type SecurityConfig, securityOf } from './security/security.ts'

type State =
  | { kind: 'idle' }
  | { kind: 'connecting'; attempt: Promise<BrokerConnection> }
  | { kind: 'ready'; connection: BrokerConnection }
  | { kind: 'closed' }

export interface LinkSettings extends SecurityConfig {
  readonly 'client.id': string
  readonly 'request.timeout.ms': number
  readonly 'connections.max.idle.ms': number
  readonly 'reconnect.backoff.ms': number
  readonly 'reconnect.backoff.max.ms': number
  readonly 'socket.connection.setup.timeout.ms': number
  readonly 'socket.connection.setup.timeout.max.ms': number
}

export class BrokerLink {
  readonly host: string
  readonly port: number
  readonly #seams: ClientSeams
  readonly #settings: LinkSettings
  readonly #security: Security
  readonly #closing = new AbortController()
  readonly #onDisconnect: (cause: Error) => void
  #state: State = { kind: 'idle' }
  #failures = 0
  #notBeforeMs = 0
  #lastFailure: Error | undefined

  constructor(
    seams: ClientSeams,
    settings: LinkSettings,
    address: { host: string; port: number },
    onDisconnect: (cause: Error) => void,
  ) {
    this.#seams = seams
    this.#settings = settings
    this.#security = securityOf(settings)
    this.host = address.host
    this.port = address.port
    this.#onDisconnect = onDisconnect
  }

  /** The open connection, if there is one right now. */
  get ready(): BrokerConnection | undefined {
    return this.#state.kind === 'ready' ? this.#state.connection : undefined
  }

  /** Whether an attempt would have to wait, as the last one failed. */
  get isBackingOff(): boolean {
    return this.#state.kind === 'idle' && this.#notBeforeMs > this.#seams.clock.monotonic()
  }

  /** Why there is no connection (yet): names the address, and what the last attempt failed with. */
  get hindrance(): BrokerUnavailableError | undefined {
    if (this.#state.kind === 'ready' || this.#state.kind === 'closed') return undefined
    if (this.#lastFailure instanceof BrokerUnavailableError) return this.#lastFailure
    const address = `${this.host}:${this.port}`
    const why = this.#lastFailure ? `failed: ${this.#lastFailure.message}` : 'has not succeeded yet'
    return new BrokerUnavailableError(address, `Connecting to the broker ${address} ${why}`, this.#lastFailure)
  }

  /** The open connection; opens one if need be. Rejects with BrokerUnavailableError, AbortedError or ClosedError. */
  acquire(signal?: AbortSignal): Promise<BrokerConnection> {
    switch (this.#state.kind) {
      case 'ready':
        return Promise.resolve(this.#state.connection)
      case 'closed':
        return Promise.reject(new ClosedError('The client'))
      case 'connecting':
        break
      case 'idle': {
        const attempt = this.#connect()
        // Whoever waits sees the outcome; without anybody waiting it must not count as unhandled.
        attempt.catch(() => {})
        this.#state = { kind: 'connecting', attempt }
      }
    }
    return orAborted(this.#state.attempt, signal, `Connecting to ${this.host}:${this.port}`, () => this.hindrance)
  }

  close(): void {
    const before = this.#state
    this.#state = { kind: 'closed' }
    this.#closing.abort()
    if (before.kind === 'ready') before.connection.close(new ClosedError('The client'))
  }

  async #connect(): Promise<BrokerConnection> {
    const { clock } = this.#seams
    const waitMs = this.#notBeforeMs - clock.monotonic()
    if (waitMs > 0) await clock.sleep(waitMs, this.#closing.signal)
    try {
      const connection = await BrokerConnection.open(this.#seams, this.#connectionOptions(), this.#closing.signal)
      if (this.#closing.signal.aborted) {
        connection.close()
        throw new ClosedError('The client')
      }
      this.#failures = 0
      this.#notBeforeMs = 0
      this.#lastFailure = undefined
      this.#becomeReady(connection)
      return connection
    } catch (error) {
      if (this.#state.kind !== 'closed') this.#state = { kind: 'idle' }
      this.#lastFailure = error as Error
      this.#delayNext()
      throw error
    }
  }

  #becomeReady(connection: BrokerConnection): void {
    this.#state = { kind: 'ready', connection }
    connection.onClose((cause) => {
      if (this.#state.kind === 'closed') return
      this.#state = { kind: 'idle' }
      this.#delayNext()
      this.#onDisconnect(cause)
    })
  }

  #delayNext(): void {
    const { clock, random } = this.#seams
    const initialMs = this.#settings['reconnect.backoff.ms']
    const maxMs = this.#settings['reconnect.backoff.max.ms']
    this.#notBeforeMs = clock.monotonic() + backoffMs(this.#failures++, initialMs, maxMs, random)
  }

  #connectionOptions(): ConnectionOptions {
    const settings = this.#settings
    return {
      host: this.host,
      port: this.port,
      clientId: settings['client.id'],
      setupTimeoutMs: backoffMs(
        this.#failures,
        settings['socket.connection.setup.timeout.ms'],
        settings['socket.connection.setup.timeout.max.ms'],
        this.#seams.random,
      ),
      requestTimeoutMs: settings['request.timeout.ms'],
      maxIdleMs: settings['connections.max.idle.ms'],
      security: this.#security,
    }
  }
}
