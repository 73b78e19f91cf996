/** Counts what a client sends: each request is one write. So that a sample can say what it cost the brokers. */
import type { Transport } from '../seams/transport.ts'

export interface CountingTransport {
  readonly transport: Transport
  readonly requests: () => number
}

export function countingTransport(inner: Transport): CountingTransport {
  let requests = 0
  const transport: Transport = {
    listen: (address, onConnection) => inner.listen(address, onConnection),
    async connect(address, signal, options) {
      const connection = await inner.connect(address, signal, options)
      return {
        remoteAddress: connection.remoteAddress,
        remotePort: connection.remotePort,
        listen: (listener) => connection.listen(listener),
        pause: () => connection.pause(),
        resume: () => connection.resume(),
        end: () => connection.end(),
        destroy: () => connection.destroy(),
        write(buffers) {
          requests++
          return connection.write(buffers)
        },
      }
    },
  }
  return { transport, requests: () => requests }
}
