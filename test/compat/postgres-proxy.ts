/**
 * A proxy that sees each message between the sink and PostgreSQL, and can let the connection break, or stall, at any of them.
 * Protocol 3.0: a message is a type byte and a length that counts itself; only the first one of a connection has no type.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface Message {
  /** `client` is on its way to the server. */
  readonly from: 'client' | 'server'
  /** The type byte, or `startup`. */
  readonly type: string
  /** SQL of a simple query or a Parse. */
  readonly text: string
}

/** `cut` drops both connections and the message with them; `stall` holds this and all that follow, both ways, until `resume`. */
export type Verdict = 'pass' | 'cut' | 'stall'

export class PostgresProxy {
  onMessage: (message: Message) => Verdict | Promise<Verdict> = () => 'pass'
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #stalled = Promise.withResolvers<void>()
  #isStalled = false

  private constructor(server: Server) {
    this.#server = server
    this.#stalled.resolve()
  }

  static async start(t: { after(release: () => void): void }, serverPort: number): Promise<PostgresProxy> {
    const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const proxy = new PostgresProxy(listener)
    listener.on('connection', (client) => proxy.#accept(client, serverPort))
    t.after(() => {
      listener.close()
      proxy.resume()
      for (const socket of proxy.#sockets) socket.destroy()
    })
    return proxy
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  stall(): void {
    if (!this.#isStalled) this.#stalled = Promise.withResolvers<void>()
    this.#isStalled = true
  }

  resume(): void {
    this.#isStalled = false
    this.#stalled.resolve()
  }

  #accept(client: Socket, port: number): void {
    const server = connect({ port, host: '127.0.0.1', noDelay: true })
    const both = [client, server]
    const end = () => both.forEach((socket) => socket.destroy())
    for (const socket of both) {
      this.#sockets.add(socket)
      socket.on('error', end)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        // A network that swallows everything swallows the goodbye too.
        void this.#stalled.promise.then(end)
      })
    }
    void this.#forward('client', client, server, end)
    void this.#forward('server', server, client, end)
  }

  async #forward(from: Message['from'], source: Socket, sink: Socket, end: () => void): Promise<void> {
    let pending = Buffer.alloc(0)
    let isFirst = from === 'client'
    try {
      for await (const bytes of source as AsyncIterable<Buffer>) {
        pending = Buffer.concat([pending, bytes])
        for (;;) {
          const head = isFirst ? 0 : 1
          if (pending.length < head + 4) break
          const length = head + pending.readUInt32BE(head)
          if (pending.length < length) break
          const message = pending.subarray(0, length)
          pending = pending.subarray(length)
          const verdict = await this.onMessage(described(from, message, isFirst))
          isFirst = false
          if (verdict === 'cut') return end()
          if (verdict === 'stall') this.stall()
          await this.#stalled.promise
          sink.write(message)
        }
      }
    } catch {
      // One of the two has broken off; so does the other.
    }
    await this.#stalled.promise
    end()
  }
}

function described(from: Message['from'], message: Buffer, isFirst: boolean): Message {
  const type = isFirst ? 'startup' : String.fromCharCode(message[0]!)
  if (from === 'server' || (type !== 'Q' && type !== 'P')) return { from, type, text: '' }
  const body = message.subarray(5)
  const from_ = type === 'P' ? body.indexOf(0) + 1 : 0
  return { from, type, text: body.toString('utf8', from_, body.indexOf(0, from_)) }
}
