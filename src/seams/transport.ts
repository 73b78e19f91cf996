/**
 * Byte streams between two addresses. Only this file touches `node:net` and `node:tls`.
 *
 * A `Connection` calls `onData` with chunks in order (a chunk belongs to the receiver, unless it asked to borrow them), then `onClose` exactly once,
 * with the cause if it broke. `write` takes buffers that must not change afterwards and returns false when the peer reads more
 * slowly than we write: then `onDrain` says when to go on.
 */
import { connect as connectSocket, createServer, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { connectionOptionsOf, type TlsOptions } from './tls.ts'

export interface ConnectionListener {
  onData(chunk: Buffer): void
  onDrain?(): void
  onClose(cause: Error | undefined): void
}

export interface Connection {
  readonly remoteAddress: string
  readonly remotePort: number
  /** Must be called once, before anything is received. */
  listen(listener: ConnectionListener): void
  write(buffers: readonly Buffer[]): boolean
  /** Stops and resumes reading: backpressure towards the peer. */
  pause(): void
  resume(): void
  /** Sends what was written, then closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
}

export interface Listening {
  readonly host: string
  readonly port: number
  /** Accepts nothing more; connections that exist go on. */
  close(): Promise<void>
}

export interface Transport {
  /**
   * Rejects with the system's error (`ECONNREFUSED` …) or when `signal` aborts. With `borrowChunks` a chunk belongs to the receiver only
   * until `onData` returns: bytes come in one buffer that is used again, instead of 64 KiB of new memory for every read. With `tls` it resolves
   * when the handshake is over, and rejects when the peer cannot be trusted.
   */
  connect(
    address: { host: string; port: number },
    signal?: AbortSignal,
    options?: { borrowChunks?: boolean; tls?: TlsOptions | undefined },
  ): Promise<Connection>
  /** Port 0 takes a free one. */
  listen(address: { host: string; port: number }, onConnection: (connection: Connection) => void): Promise<Listening>
}

/** Bytes that were read into `readBuffer`, on their way to whoever listens. */
interface BorrowedReads {
  onRead: ((chunk: Buffer) => void) | undefined
  /** What came before anybody listened: copies. */
  early: Buffer[]
}

/** One for all connections of this thread: it is filled and emptied within one callback. */
let readBuffer: Buffer | undefined
const READ_BUFFER_BYTES = 256 * 1024

function openSocket(host: string, port: number, borrowed: BorrowedReads | undefined): Socket {
  if (!borrowed) return connectSocket({ host, port })
  const buffer = (readBuffer ??= Buffer.allocUnsafeSlow(READ_BUFFER_BYTES))
  const callback = (length: number) => {
    const chunk = buffer.subarray(0, length)
    if (borrowed.onRead) borrowed.onRead(chunk)
    else borrowed.early.push(Buffer.from(chunk))
    return true
  }
  return connectSocket({ host, port, onread: { buffer, callback } })
}

function connectionOf(socket: Socket, borrowed?: BorrowedReads): Connection {
  let cause: Error | undefined
  socket.setNoDelay(true)
  socket.on('error', (error) => (cause = error))
  return {
    remoteAddress: socket.remoteAddress ?? '',
    remotePort: socket.remotePort ?? 0,
    listen(listener) {
      if (borrowed) {
        borrowed.onRead = (chunk) => listener.onData(chunk)
        for (const chunk of borrowed.early.splice(0)) listener.onData(chunk)
      } else socket.on('data', (chunk: Buffer) => listener.onData(chunk))
      if (listener.onDrain) socket.on('drain', () => listener.onDrain!())
      if (socket.closed) listener.onClose(cause)
      else socket.on('close', () => listener.onClose(cause))
    },
    write(buffers) {
      if (buffers.length === 1) return socket.write(buffers[0]!)
      socket.cork()
      let accepted = true
      for (const buffer of buffers) accepted = socket.write(buffer)
      socket.uncork()
      return accepted
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  }
}

export const systemTransport: Transport = {
  async connect({ host, port }, signal, { borrowChunks = false, tls } = {}) {
    const secure = tls && (await connectionOptionsOf(tls))
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new Error('aborted', { cause: signal.reason }))
      const borrowed: BorrowedReads | undefined = borrowChunks && !tls ? { onRead: undefined, early: [] } : undefined
      // An address is no name that a server could be asked for (RFC 6066); its certificate must then be made out to the address.
      const socket = secure
        ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...secure })
        : openSocket(host, port, borrowed)
      const abort = () => socket.destroy(new Error('aborted', { cause: signal?.reason }))
      signal?.addEventListener('abort', abort, { once: true })
      socket.once('error', reject)
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        signal?.removeEventListener('abort', abort)
        socket.off('error', reject)
        resolve(connectionOf(socket, borrowed))
      })
      socket.once('close', () => signal?.removeEventListener('abort', abort))
    })
  },
  listen({ host, port }, onConnection) {
    return new Promise((resolve, reject) => {
      const server = createServer((socket) => onConnection(connectionOf(socket)))
      server.once('error', reject)
      server.listen({ host, port }, () => {
        server.off('error', reject)
        const address = server.address() as { address: string; port: number }
        resolve({
          host: address.address,
          port: address.port,
          close: () => new Promise((done) => server.close(() => done())),
        })
      })
    })
  },
}
