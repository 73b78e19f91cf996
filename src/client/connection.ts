/**
 * One TCP connection to one broker: requests out, responses back in the same order (Kafka answers a connection's
 * requests in the order of their arrival, so the n-th response belongs to the n-th request; correlation ids check it).
 *
 * Opening one agrees on versions first (ApiVersions 4; a broker that is too old for that answers with error 35 in
 * version 0, which says what it does know). What this file does not do: reconnect, choose a broker, send again.
 *
 * Whatever breaks the connection rejects every request that is under way, once. A request that was aborted by its
 * caller keeps its place in the order; its response is dropped.
 */
import { type Api, type RequestInputOf, type ResponseOf } from '../protocol/api.ts'
import { DecodeError } from '../protocol/decode-error.ts'
import { KafkaError } from '../protocol/error-codes.ts'
import { decodeResponse, encodeRequest, FrameSplitter } from '../protocol/frame.ts'
import { apiVersions, saslAuthenticate, saslHandshake } from '../protocol/messages/index.ts'
import { type Timer } from '../seams/clock.ts'
import { type Connection } from '../seams/transport.ts'
import {
  AbortedError,
  AuthenticationError,
  BrokerUnavailableError,
  ClosedError,
  DisconnectedError,
  RequestTimeoutError,
  UnsupportedVersionError,
} from './errors.ts'
import { type ClientSeams } from './seams.ts'
import { beginSasl, type SaslSettings } from './security/sasl.ts'
import { type Security } from './security/security.ts'

export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  readonly clientId: string
  /** For the TCP connection, and once more for the agreement on versions. */
  readonly setupTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly maxIdleMs: number
  readonly security: Security
}

export interface SendLimits {
  readonly minVersion?: number
  readonly maxVersion?: number
}

type ApiVersionsResponse = ResponseOf<typeof apiVersions>

interface InFlight {
  readonly correlationId: number
  readonly what: string
  readonly decode: (frame: Buffer) => unknown
  settled: boolean
  resolve(value: unknown): void
  reject(error: Error): void
  release(): void
}

/** Nothing that a broker says before versions are agreed on is larger: a port of another protocol is found out early. */
const HANDSHAKE_MAX_BYTES = 1024 * 1024
const UNSUPPORTED_VERSION = 35
/** How long a closed connection may take to send what nobody acknowledges. */
const LAST_WRITES_MS = 1000
export const CLIENT_SOFTWARE = { clientSoftwareName: 'sluice', clientSoftwareVersion: '0.1.0' }

export class BrokerConnection {
  readonly address: string
  readonly #seams: ClientSeams
  readonly #options: ConnectionOptions
  readonly #socket: Connection
  #splitter = new FrameSplitter(HANDSHAKE_MAX_BYTES, { borrowed: true })
  /** First in, first out: `#head` is where the oldest stands. */
  readonly #inFlight: InFlight[] = []
  #head = 0
  #correlationId = 0
  #versions = new Map<number, readonly [number, number]>()
  #features = new Map<string, number>()
  #closed: Error | undefined
  /** Requests were sent that nobody acknowledges: closing must not overtake them. */
  #hasUnanswered = false
  #closeListener: ((cause: Error) => void) | undefined
  #idleTimer: Timer | undefined
  #lastUsedMs: number
  /** Requests that wait while the session is being renewed: the broker takes nothing else meanwhile. */
  #held: (() => void)[] | undefined
  #renewal: Timer | undefined

  private constructor(seams: ClientSeams, options: ConnectionOptions, socket: Connection) {
    this.#seams = seams
    this.#options = options
    this.#socket = socket
    this.address = `${options.host}:${options.port}`
    this.#lastUsedMs = seams.clock.monotonic()
    const onFrame = (frame: Buffer) => this.#onFrame(frame)
    socket.listen({
      onData: (chunk) => {
        try {
          this.#splitter.push(chunk, onFrame)
        } catch (error) {
          this.#fail(
            new DisconnectedError(`${this.address} sent what is not Kafka's protocol: ${messageOf(error)}`, error),
          )
        }
      },
      onClose: (cause) => {
        this.#idleTimer?.cancel()
        this.#renewal?.cancel()
        const why = cause ? ` (${codeOrMessage(cause)})` : ''
        this.#fail(new DisconnectedError(`${this.address} closed the connection${why}`, cause))
      },
    })
  }

  /** Connects, agrees on versions and says who we are. Rejects with BrokerUnavailableError or AuthenticationError, which name address and cause. */
  static async open(seams: ClientSeams, options: ConnectionOptions, signal: AbortSignal): Promise<BrokerConnection> {
    const { host, port, setupTimeoutMs } = options
    const socket = await connectWithin(seams, options, signal)
    const connection = new BrokerConnection(seams, options, socket)
    const abort = () => connection.close(new ClosedError('The client'))
    signal.addEventListener('abort', abort, { once: true })
    const address = `${host}:${port}`
    const { tls, sasl } = options.security
    try {
      await connection.#agreeOnVersions(Math.min(setupTimeoutMs, options.requestTimeoutMs)).catch((error: Error) => {
        const kind = tls ? 'a Kafka listener with TLS' : 'a plain-text Kafka listener (security.protocol is not set)'
        throw new BrokerUnavailableError(
          address,
          `The broker ${address} accepted the connection and did not agree on versions: ${messageOf(error)}. Is it ${kind}?`,
          error,
        )
      })
      if (sasl) await connection.#authenticate(sasl, signal)
    } catch (error) {
      connection.close()
      if (signal.aborted) throw new ClosedError('The client')
      if (error instanceof DisconnectedError || error instanceof RequestTimeoutError) {
        throw new BrokerUnavailableError(
          address,
          `The broker ${address} broke off while we said who we are: ${error.message}`,
          error,
        )
      }
      throw error
    } finally {
      signal.removeEventListener('abort', abort)
    }
    connection.#watchIdle()
    return connection
  }

  get isOpen(): boolean {
    return this.#closed === undefined
  }

  /** Requests without a response yet. */
  get inFlight(): number {
    return this.#inFlight.length - this.#head
  }

  /** The level of a finalized feature of the cluster, for example `transaction.version`; 0 if it has none. */
  featureLevel(name: string): number {
    return this.#features.get(name) ?? 0
  }

  /** Called once, when the connection is gone, whoever ended it. */
  onClose(listener: (cause: Error) => void): void {
    this.#closeListener = listener
  }

  /** The newest version that both sides and the caller's limits allow. */
  versionFor(api: Api, { minVersion = 0, maxVersion = Number.POSITIVE_INFINITY }: SendLimits = {}): number {
    const theirs = this.#versions.get(api.key)
    if (!theirs) throw new UnsupportedVersionError(`The broker ${this.address} does not know the API ${api.name}`)
    const oldest = Math.max(api.versions[0], minVersion)
    const newest = Math.min(api.versions[1], maxVersion)
    const version = Math.min(newest, theirs[1])
    if (version >= oldest && version >= theirs[0]) return version
    throw new UnsupportedVersionError(
      `The broker ${this.address} speaks ${api.name} in the versions ${theirs[0]} to ${theirs[1]}, and ${oldest} to ${newest} are needed`,
    )
  }

  /** Whether both sides have a version of the API in common. */
  knows(api: Api): boolean {
    const theirs = this.#versions.get(api.key)
    return theirs !== undefined && theirs[0] <= api.versions[1] && theirs[1] >= api.versions[0]
  }

  /** Sends, and resolves with the response. Rejects with DisconnectedError, RequestTimeoutError or AbortedError. */
  send<A extends Api>(
    api: A,
    version: number,
    body: RequestInputOf<A>,
    options: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<ResponseOf<A>> {
    const send = () => this.#send(api, version, body, (frame) => decodeResponse(api, version, frame), options)
    if (!this.#held) return send()
    return new Promise((resolve, reject) => this.#held!.push(() => void send().then(resolve, reject)))
  }

  /** Sends a request that the broker does not answer (Produce with acks=0). */
  sendWithoutResponse<A extends Api>(api: A, version: number, body: RequestInputOf<A>): void {
    if (this.#closed) throw this.#closed
    if (this.#held) return void this.#held.push(() => this.#closed ?? this.sendWithoutResponse(api, version, body))
    this.#hasUnanswered = true
    this.#lastUsedMs = this.#seams.clock.monotonic()
    this.#socket.write(encodeRequest(api, version, this.#header(), body))
  }

  /** Ends the connection. Requests under way are rejected with `cause`. */
  close(cause: Error = new ClosedError(`The connection to ${this.address}`)): void {
    this.#fail(cause)
  }

  #header() {
    this.#correlationId = (this.#correlationId + 1) & 0x7fffffff
    return { correlationId: this.#correlationId, clientId: this.#options.clientId }
  }

  #send<T>(
    api: Api,
    version: number,
    body: unknown,
    decode: (frame: Buffer) => T,
    { timeoutMs = this.#options.requestTimeoutMs, signal }: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<T> {
    const what = `${api.name} to ${this.address}`
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(this.#closed)
      if (signal?.aborted) return reject(new AbortedError(what, signal.reason))
      const { clock } = this.#seams
      const header = this.#header()
      const bytes = encodeRequest(api, version, header, body)
      const abort = () => this.#settle(entry, () => reject(new AbortedError(what, signal?.reason)))
      const timer = clock.setTimer(timeoutMs, () => this.#onTimeout(entry, timeoutMs))
      const entry: InFlight = {
        correlationId: header.correlationId,
        what,
        decode,
        settled: false,
        resolve: resolve as (value: unknown) => void,
        reject,
        release() {
          timer.cancel()
          signal?.removeEventListener('abort', abort)
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#inFlight.push(entry)
      this.#lastUsedMs = clock.monotonic()
      this.#socket.write(bytes)
    })
  }

  #onTimeout(entry: InFlight, timeoutMs: number): void {
    if (entry.settled) return
    const message = `${entry.what}: no response within ${timeoutMs} ms`
    this.#settle(entry, () => entry.reject(new RequestTimeoutError(message)))
    this.#fail(new DisconnectedError(`The connection was closed, as another request on it timed out (${message})`))
  }

  #settle(entry: InFlight, how: () => void): void {
    if (entry.settled) return
    entry.settled = true
    entry.release()
    how()
  }

  #onFrame(frame: Buffer): void {
    if (this.#closed) return
    const entry = this.#inFlight[this.#head]
    if (!entry || frame.length < 4 || frame.readInt32BE(0) !== entry.correlationId) {
      throw new DecodeError('a response that belongs to no request')
    }
    this.#head++
    if (this.#head === this.#inFlight.length || this.#head > 1000) {
      this.#inFlight.splice(0, this.#head)
      this.#head = 0
    }
    this.#lastUsedMs = this.#seams.clock.monotonic()
    if (entry.settled) return
    let response: unknown
    try {
      response = entry.decode(frame)
    } catch (error) {
      this.#settle(entry, () => entry.reject(error as Error))
      throw error
    }
    this.#settle(entry, () => entry.resolve(response))
  }

  #fail(cause: Error): void {
    if (this.#closed) return
    this.#closed = cause
    this.#idleTimer?.cancel()
    this.#renewal?.cancel()
    this.#endSocket(cause)
    for (const entry of this.#inFlight.splice(0)) this.#settle(entry, () => entry.reject(about(entry.what, cause)))
    this.#head = 0
    this.#closeListener?.(cause)
  }

  /** A connection that is closed on purpose first sends what it was given; a peer that does not read is not waited for. */
  #endSocket(cause: Error): void {
    if (!this.#hasUnanswered || !(cause instanceof ClosedError)) return this.#socket.destroy()
    this.#socket.end()
    this.#idleTimer = this.#seams.clock.setTimer(LAST_WRITES_MS, () => this.#socket.destroy(), { background: true })
  }

  async #agreeOnVersions(timeoutMs: number): Promise<void> {
    let answer = await this.#askVersions(apiVersions.versions[1], timeoutMs)
    if (answer.errorCode === UNSUPPORTED_VERSION) {
      const known = answer.apiKeys.find(({ apiKey }) => apiKey === apiVersions.key)
      answer = await this.#askVersions(Math.min(known?.maxVersion ?? 0, apiVersions.versions[1]), timeoutMs)
    }
    if (answer.errorCode !== 0) throw new KafkaError(answer.errorCode, `ApiVersions to ${this.address}`)
    for (const { apiKey, minVersion, maxVersion } of answer.apiKeys)
      this.#versions.set(apiKey, [minVersion, maxVersion])
    for (const { name, maxVersionLevel } of answer.finalizedFeatures) this.#features.set(name, maxVersionLevel)
    this.#splitter = new FrameSplitter(undefined, { borrowed: true })
  }

  /**
   * Says who we are, and again before the session that the broker grants is over (KIP-368). Meanwhile other requests wait: the broker would take one for
   * a part of the exchange.
   */
  async #authenticate(sasl: SaslSettings, signal: AbortSignal): Promise<void> {
    this.#held = []
    let lifetimeMs = 0
    try {
      lifetimeMs = await this.#exchange(sasl, signal)
    } finally {
      const held = this.#held
      this.#held = undefined
      for (const send of held) send()
    }
    if (lifetimeMs <= 0 || this.#closed) return
    const { clock, random } = this.#seams
    // As Java: somewhere between 85 and 95 percent, so that not all connections renew at once.
    const renewInMs = lifetimeMs * (0.85 + 0.1 * random.next())
    this.#renewal = clock.setTimer(renewInMs, () => void this.#renew(sasl, signal), { background: true })
  }

  async #renew(sasl: SaslSettings, signal: AbortSignal): Promise<void> {
    try {
      await this.#authenticate(sasl, signal)
    } catch (error) {
      this.#fail(
        new DisconnectedError(`The session with ${this.address} could not be renewed: ${messageOf(error)}`, error),
      )
    }
  }

  /** @returns how long the session lasts in milliseconds; 0: for as long as the connection */
  async #exchange(sasl: SaslSettings, signal: AbortSignal): Promise<number> {
    const { mechanism } = sasl
    const ask = <A extends Api>(api: A, body: RequestInputOf<A>) => {
      const version = this.versionFor(api, { minVersion: api === saslHandshake ? 1 : 0 })
      return this.#send(api, version, body, (frame) => decodeResponse(api, version, frame), {})
    }
    const refused = (why: string, cause?: unknown) =>
      new AuthenticationError(
        this.address,
        `The broker ${this.address} did not let us in with SASL ${mechanism}: ${why}`,
        cause,
      )
    const { errorCode, mechanisms } = await ask(saslHandshake, { mechanism })
    if (errorCode !== 0) throw refused(`it takes ${mechanisms.join(', ') || 'no mechanism at all'} (sasl.mechanism)`)
    let lifetimeMs = 0
    const { clock, random } = this.#seams
    const exchange = beginSasl(sasl, { nonce: random.uuid(), nowMs: clock.now(), signal })
    let answer = Buffer.alloc(0)
    for (;;) {
      const step = await exchange.next(answer).catch((error: Error) => Promise.reject(refused(error.message, error)))
      if (step.done) return lifetimeMs
      const response = await ask(saslAuthenticate, { authBytes: step.value })
      if (response.errorCode !== 0) {
        throw refused(
          response.errorMessage ?? 'authentication failed',
          new KafkaError(response.errorCode, 'SaslAuthenticate'),
        )
      }
      lifetimeMs = response.sessionLifetimeMs
      answer = Buffer.from(response.authBytes)
    }
  }

  #askVersions(version: number, timeoutMs: number): Promise<ApiVersionsResponse> {
    const decode = (frame: Buffer) => {
      // A broker that does not know this version answers in version 0, whatever was asked.
      const refused = frame.length >= 6 && frame.readInt16BE(4) === UNSUPPORTED_VERSION
      return decodeResponse(apiVersions, refused ? 0 : version, frame)
    }
    return this.#send(apiVersions, version, CLIENT_SOFTWARE, decode, { timeoutMs })
  }

  /** One sleeping timer a connection, not one a request: it looks when the connection could first have been idle long enough. */
  #watchIdle(): void {
    const { maxIdleMs } = this.#options
    if (maxIdleMs < 0 || this.#closed) return
    const { clock } = this.#seams
    const idleMs = this.inFlight > 0 ? 0 : clock.monotonic() - this.#lastUsedMs
    if (idleMs >= maxIdleMs) {
      return this.close(new DisconnectedError(`The connection to ${this.address} was idle for ${maxIdleMs} ms`))
    }
    this.#idleTimer = clock.setTimer(Math.max(1, maxIdleMs - idleMs), () => this.#watchIdle(), { background: true })
  }
}

async function connectWithin(seams: ClientSeams, options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
  const { host, port, setupTimeoutMs } = options
  const address = `${host}:${port}`
  if (signal.aborted) throw new ClosedError('The client')
  const attempt = new AbortController()
  const abort = () => attempt.abort()
  let timedOut = false
  const timer = seams.clock.setTimer(setupTimeoutMs, () => {
    timedOut = true
    attempt.abort()
  })
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await seams.transport.connect({ host, port }, attempt.signal, {
      borrowChunks: true,
      tls: options.security.tls,
    })
  } catch (error) {
    if (signal.aborted) throw new ClosedError('The client')
    const untrusted = options.security.tls && !timedOut ? whyUntrusted(error) : undefined
    if (untrusted !== undefined) throw new AuthenticationError(address, `The broker ${address} ${untrusted}`, error)
    const why = timedOut ? `did not accept a connection within ${setupTimeoutMs} ms` : whyUnreachable(error)
    const { code } = error as NodeJS.ErrnoException
    const hint = options.security.tls && code === 'ECONNRESET' ? '. Is security.protocol what its listener wants?' : ''
    throw new BrokerUnavailableError(address, `The broker ${address} ${why}${hint}`, error)
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', abort)
  }
}

function whyUnreachable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'refused the connection',
    ENOTFOUND: 'cannot be found: its host name is not known',
    EAI_AGAIN: 'cannot be found: its host name cannot be looked up now',
    EHOSTUNREACH: 'cannot be reached over the network',
    ENETUNREACH: 'cannot be reached over the network',
    ETIMEDOUT: 'did not answer',
  }
  const why = known[code]
  return why ? `${why} (${code})` : `could not be connected to (${codeOrMessage(error)})`
}

/** What somebody must change before a TLS connection can succeed; undefined for what may pass. */
function whyUntrusted(error: unknown): string | undefined {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `has a certificate for another name: ${message}. Use a name that stands in it, or set ssl.endpoint.identification.algorithm to nothing`
  }
  if (/^(DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|CERT_)/.test(code)) {
    return `has a certificate that is not trusted (${code}): name its authority's certificates in ssl.truststore.location, with ssl.truststore.type PEM`
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return `does not speak TLS on this port (${code}): is security.protocol what its listener wants?`
  }
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_OSSL') || code === 'ERR_CRYPTO_INVALID_STATE') {
    return `and we did not agree on TLS: ${message}`
  }
  return message?.includes('cannot be read') ? `cannot be connected to: ${message}` : undefined
}

function codeOrMessage(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? messageOf(error)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The same cause, said of one request. */
function about(what: string, cause: Error): Error {
  return cause instanceof DisconnectedError ? new DisconnectedError(`${what}: ${cause.message}`, cause) : cause
}
