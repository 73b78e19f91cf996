/** A transport that counts: connections opened and closed, bytes in and out. One call more a chunk, and nothing else changed. */
import { type Clock } from '../../seams/clock.ts'
import { type Connection, type Transport } from '../../seams/transport.ts'
import { Sensor, type SensorWindow } from './sensor.ts'

export interface ConnectionCounts {
  readonly opened: Sensor
  readonly closed: Sensor
  readonly sent: Sensor
  readonly received: Sensor
}

export function countedTransport(
  transport: Transport,
  clock: Clock,
  window: SensorWindow,
): { transport: Transport; counts: ConnectionCounts } {
  const counts = {
    opened: new Sensor(window),
    closed: new Sensor(window),
    sent: new Sensor(window),
    received: new Sensor(window),
  }
  const counted: Transport = {
    listen: (address, onConnection) => transport.listen(address, onConnection),
    async connect(...call) {
      const connection = await transport.connect(...call)
      counts.opened.record(1, clock.monotonic())
      return watched(connection, clock, counts)
    },
  }
  return { transport: counted, counts }
}

function watched(connection: Connection, clock: Clock, { closed, sent, received }: ConnectionCounts): Connection {
  return {
    remoteAddress: connection.remoteAddress,
    remotePort: connection.remotePort,
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    end: () => connection.end(),
    destroy: () => connection.destroy(),
    listen(listener) {
      const onDrain = listener.onDrain?.bind(listener)
      connection.listen({
        onData(chunk) {
          received.record(chunk.length, clock.monotonic())
          listener.onData(chunk)
        },
        ...(onDrain ? { onDrain } : {}),
        onClose(cause) {
          closed.record(1, clock.monotonic())
          listener.onClose(cause)
        },
      })
    },
    write(buffers) {
      let bytes = 0
      for (const { length } of buffers) bytes += length
      sent.record(bytes, clock.monotonic())
      return connection.write(buffers)
    },
  }
}
