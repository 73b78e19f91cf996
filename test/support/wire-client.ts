/**
 * Speaks Kafka's protocol over a plain socket, one request at a time or many at once: for tests that care about what stands on the
 * wire, whatever broker is at the other end. Retries nothing, hides nothing.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext } from 'node:test'
import { type Api } from '../../src/protocol/api.ts'
import { decodeResponse, encodeRequest, FrameSplitter } from '../../src/protocol/frame.ts'

export class WireClient {
  readonly #socket: Socket
  readonly #splitter = new FrameSplitter()
  readonly #waiting = new Map<number, { resolve: (frame: Buffer) => void; reject: (error: Error) => void }>()
  readonly clientId: string
  /** Correlation ids in the order in which answers came. */
  readonly answered: number[] = []
  /** Resolves when the connection is gone, whoever closed it. */
  readonly closed: Promise<void>
  #nextCorrelationId = 1

  private constructor(socket: Socket, clientId: string) {
    this.#socket = socket
    this.clientId = clientId
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        for (const { reject } of this.#waiting.values()) reject(new Error('connection closed'))
        this.#waiting.clear()
        resolve()
      }),
    )
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) =>
      this.#splitter.push(chunk, (frame) => {
        const correlationId = frame.readInt32BE(0)
        this.answered.push(correlationId)
        this.#waiting.get(correlationId)?.resolve(frame)
        this.#waiting.delete(correlationId)
      }),
    )
  }

  static async connect(bootstrapServers: string, t?: TestContext, clientId = 'wire'): Promise<WireClient> {
    const [host, port] = bootstrapServers.split(':') as [string, string]
    const socket = connect(Number(port), host)
    await once(socket, 'connect')
    socket.setNoDelay(true)
    const client = new WireClient(socket, clientId)
    t?.after(() => client.close())
    return client
  }

  /** Sends and decodes by the API's definition. Rejects when the connection closes first. */
  async request<Input, Response>(api: Api<any, Input, Response, any>, version: number, body: Input): Promise<Response> {
    return decodeResponse(api, version, await this.exchange(api, version, body))
  }

  /** The answer's frame as it came, correlation id first. */
  exchange<Input>(api: Api<any, Input, any, any>, version: number, body: Input): Promise<Buffer> {
    const correlationId = this.#nextCorrelationId++
    return this.#await(correlationId, encodeRequest(api, version, { correlationId, clientId: this.clientId }, body))
  }

  /** Sends without waiting for any answer, as for Produce with acks=0. */
  send<Input>(api: Api<any, Input, any, any>, version: number, body: Input): void {
    const correlationId = this.#nextCorrelationId++
    this.write(encodeRequest(api, version, { correlationId, clientId: this.clientId }, body))
  }

  /** A request given as bytes: everything after the size, the correlation id at 4. */
  exchangeBytes(frame: Buffer): Promise<Buffer> {
    const size = Buffer.alloc(4)
    size.writeInt32BE(frame.length)
    return this.#await(frame.readInt32BE(4), [size, frame])
  }

  write(pieces: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(pieces))
  }

  /** Reads nothing more until `resume`: a slow reader. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Bytes that were written and that the socket has not taken: the other end does not read. */
  get unsentBytes(): number {
    return this.#socket.writableLength
  }

  close(): void {
    this.#socket.destroy()
  }

  #await(correlationId: number, pieces: readonly Buffer[]): Promise<Buffer> {
    if (this.#socket.destroyed) return Promise.reject(new Error('connection closed'))
    const answer = new Promise<Buffer>((resolve, reject) => this.#waiting.set(correlationId, { resolve, reject }))
    this.write(pieces)
    return answer
  }
}
