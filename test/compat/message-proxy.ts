/**
 * A proxy that sees each message between a sink and its server, and can let the connection break, or stall, at any of them.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface Message {
  /** `client` is on its way to the server. */
  readonly from: 'client' | 'server'
  /** As the protocol has it. */
  readonly type: string
  /** SQL, if it is some. */
  readonly text: string
}

/** How the bytes of one direction fall into messages. */
export interface Protocol {
  /** How long the message is that these bytes begin with; undefined when too few of them are there to say. */
  readonly lengthOf: (bytes: Buffer, isFirstOfClient: boolean) => number | undefined
  readonly described: (from: Message['from'], message: Buffer, isFirstOfClient: boolean) => Message
}

/** Protocol 3.0: a type byte and a length that counts itself; only the first message of a connection has no type, and is called `startup`. */
export const postgresProtocol: Protocol = {
  lengthOf: (bytes, isFirst) => {
    const head = isFirst ? 0 : 1
    return bytes.length < head + 4 ? undefined : head + bytes.readUInt32BE(head)
  },
  described: (from, message, isFirst) => {
    const type = isFirst ? 'startup' : String.fromCharCode(message[0]!)
    if (from === 'server' || (type !== 'Q' && type !== 'P')) return { from, type, text: '' }
    const body = message.subarray(5)
    const start = type === 'P' ? body.indexOf(0) + 1 : 0
    return { from, type, text: body.toString('utf8', start, body.indexOf(0, start)) }
  },
}

const COM_QUERY = 3

/** Three bytes of length, little-endian, and a number; the type is the first byte of what follows. */
export const mysqlProtocol: Protocol = {
  lengthOf: (bytes) => (bytes.length < 4 ? undefined : 4 + bytes.readUIntLE(0, 3)),
  described: (from, message) => {
    const type = String(message[4])
    const isQuery = from === 'client' && message[3] === 0 && message[4] === COM_QUERY
    return { from, type: isQuery ? 'query' : type, text: isQuery ? message.toString('utf8', 5) : '' }
  },
}

/** `cut` drops both connections and the message with them; `stall` holds this and all that follow, both ways, until `resume`. */
export type Verdict = 'pass' | 'cut' | 'stall'

export class MessageProxy {
  onMessage: (message: Message) => Verdict | Promise<Verdict> = () => 'pass'
  readonly #protocol: Protocol
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #stalled = Promise.withResolvers<void>()
  #isStalled = false

  private constructor(protocol: Protocol, server: Server) {
    this.#protocol = protocol
    this.#server = server
    this.#stalled.resolve()
  }

  static async start(
    t: { after(release: () => void): void },
    serverPort: number,
    protocol: Protocol,
  ): Promise<MessageProxy> {
    const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const proxy = new MessageProxy(protocol, listener)
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
      // What breaks while everything is swallowed is heard of afterwards.
      socket.on('error', () => void this.#stalled.promise.then(end))
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
          const length = this.#protocol.lengthOf(pending, isFirst)
          if (length === undefined || pending.length < length) break
          const message = pending.subarray(0, length)
          pending = pending.subarray(length)
          const verdict = await this.onMessage(this.#protocol.described(from, message, isFirst))
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
