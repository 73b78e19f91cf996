/** The listener over real sockets, with a dispatcher of the test's own. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { parseBrokerConfig, type BrokerProperties } from '../../src/broker/broker-config.ts'
import { BrokerListener, type ServeFrame } from '../../src/broker/listener.ts'
import { DecodeError } from '../../src/protocol/decode-error.ts'
import { type Logger, silentLogger } from '../../src/seams/logger.ts'
import { systemClock } from '../../src/seams/clock.ts'
import { systemTransport } from '../../src/seams/transport.ts'
import { until } from '../support/until.ts'
import { WireClient } from '../support/wire-client.ts'

interface Started {
  readonly listener: BrokerListener
  readonly address: string
  readonly warnings: string[]
}

async function startListener(t: TestContext, serve: ServeFrame, properties: BrokerProperties = {}): Promise<Started> {
  const warnings: string[] = []
  const logger: Logger = { ...silentLogger, warn: (_fields, message) => void warnings.push(message) }
  const config = parseBrokerConfig(properties)
  const listener = new BrokerListener({ transport: systemTransport, clock: systemClock, logger, config, serve })
  const { host, port } = await listener.listen('127.0.0.1', 0)
  t.after(() => listener.close())
  return { listener, address: `${host}:${port}`, warnings }
}

/** A request whose body is `text`: key, version, correlation id, text. */
function frameOf(correlationId: number, text = ''): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(correlationId, 4)
  return Buffer.concat([head, Buffer.from(text)])
}

/** The answer to a request: its correlation id and `body`. */
function answerTo(frame: Buffer, body: Buffer = Buffer.alloc(0)): Buffer[] {
  const head = Buffer.alloc(8)
  head.writeInt32BE(4 + body.length, 0)
  frame.copy(head, 4, 4, 8)
  return [head, body]
}

test('listener: answers requests in their order, one at a time, even when the first takes longest', async (t) => {
  const gate = Promise.withResolvers<void>()
  let running = 0
  let most = 0
  const { address } = await startListener(t, async (frame) => {
    most = Math.max(most, ++running)
    if (frame.readInt32BE(4) === 1) await gate.promise
    running--
    return answerTo(frame)
  })
  const client = await WireClient.connect(address, t)
  const answers = [1, 2, 3, 4].map((id) => client.exchangeBytes(frameOf(id)))
  await until(() => running === 1)
  gate.resolve()
  await Promise.all(answers)
  assert.deepEqual(client.answered, [1, 2, 3, 4])
  assert.equal(most, 1)
})

test('listener: a request that waits on one connection holds up no other', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { address } = await startListener(t, async (frame) => {
    if (frame.readInt32BE(4) === 1) await gate.promise
    return answerTo(frame)
  })
  const slow = await WireClient.connect(address, t)
  const quick = await WireClient.connect(address, t)
  const waiting = slow.exchangeBytes(frameOf(1))
  await quick.exchangeBytes(frameOf(2))
  gate.resolve()
  await waiting
})

test('listener: an undefined answer sends nothing and goes on with the next request', async (t) => {
  const { address } = await startListener(t, async (frame) =>
    frame.readInt32BE(4) === 1 ? undefined : answerTo(frame),
  )
  const client = await WireClient.connect(address, t)
  client.exchangeBytes(frameOf(1)).catch(() => {})
  await client.exchangeBytes(frameOf(2))
  assert.deepEqual(client.answered, [2])
})

test('listener: a frame that is too large closes the connection with one log line', async (t) => {
  const { address, warnings, listener } = await startListener(t, async (frame) => answerTo(frame), {
    'socket.request.max.bytes': 1000,
  })
  const client = await WireClient.connect(address, t)
  const size = Buffer.alloc(4)
  size.writeInt32BE(1001)
  client.write([size])
  await client.closed
  await until(() => listener.connectionCount === 0)
  assert.equal(warnings.length, 1)
  assert.match(warnings[0]!, /announces 1001 bytes/)
})

test('listener: what a handler throws closes that connection and no other', async (t) => {
  const { address, warnings } = await startListener(t, async (frame) => {
    if (frame.readInt32BE(4) === 666) throw new DecodeError('not what the protocol says')
    return answerTo(frame)
  })
  const bad = await WireClient.connect(address, t)
  const good = await WireClient.connect(address, t)
  await assert.rejects(bad.exchangeBytes(frameOf(666)), /connection closed/)
  await good.exchangeBytes(frameOf(1))
  assert.deepEqual(warnings, ['connection closed: not what the protocol says'])
})

test('listener: a client that does not read gets no more answers computed until it does', async (t) => {
  let served = 0
  const { address } = await startListener(t, async (frame) => {
    served++
    return answerTo(frame, Buffer.alloc(1024 * 1024))
  })
  const client = await WireClient.connect(address, t)
  client.pause()
  const answers = Array.from({ length: 200 }, (_, id) => client.exchangeBytes(frameOf(id)))
  await until(() => served > 0)
  // Nothing says when a broker has stopped but that it does no more: look until two looks a while apart agree.
  let before = -1
  await until(() => served === before || ((before = served), false), { everyMs: 100 })
  assert.ok(served < 100, `${served} answers of 1 MiB were computed for a client that reads nothing`)
  client.resume()
  await Promise.all(answers)
  assert.equal(served, 200)
})

test('listener: requests that wait are read ahead only so far', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { address } = await startListener(t, async (frame) => {
    await gate.promise
    return answerTo(frame)
  })
  const client = await WireClient.connect(address, t)
  const large = 'x'.repeat(512 * 1024)
  const answers = Array.from({ length: 64 }, (_, id) => client.exchangeBytes(frameOf(id, large)))
  let before = -1
  await until(() => client.unsentBytes === before || ((before = client.unsentBytes), false), { everyMs: 100 })
  assert.ok(client.unsentBytes > 8 * 1024 * 1024, `only ${client.unsentBytes} of 32 MiB were left with the client`)
  gate.resolve()
  await Promise.all(answers)
})

test('listener: an idle connection is closed, one whose request is served is not', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { address } = await startListener(
    t,
    async (frame) => {
      await gate.promise
      return answerTo(frame)
    },
    { 'connections.max.idle.ms': 50 },
  )
  const waiting = await WireClient.connect(address, t)
  const idle = await WireClient.connect(address, t)
  const answer = waiting.exchangeBytes(frameOf(1))
  await idle.closed
  gate.resolve()
  await answer
})

test('listener: a connection that breaks aborts the signal of its request', async (t) => {
  const aborted = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const { address, listener } = await startListener(t, async (_frame, { signal }) => {
    begun.resolve()
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    aborted.resolve()
    return undefined
  })
  const client = await WireClient.connect(address, t)
  client.exchangeBytes(frameOf(1)).catch(() => {})
  await begun.promise
  client.close()
  await aborted.promise
  assert.equal(listener.connectionCount, 0)
})

test('listener: one connection more than max.connections is closed at once', async (t) => {
  const { address } = await startListener(t, async (frame) => answerTo(frame), { 'max.connections': 1 })
  const first = await WireClient.connect(address, t)
  await first.exchangeBytes(frameOf(1))
  const second = await WireClient.connect(address, t)
  await second.closed
  await first.exchangeBytes(frameOf(2))
})

test('listener: close drops connections and frees the port', async (t) => {
  const { address, listener } = await startListener(t, async (frame) => answerTo(frame))
  const client = await WireClient.connect(address, t)
  await client.exchangeBytes(frameOf(1))
  await listener.close()
  await client.closed
  await assert.rejects(WireClient.connect(address, t), { code: 'ECONNREFUSED' })
})
