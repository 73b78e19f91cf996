import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reachBroker, UnreachableError } from '../../src/app/reach.ts'
import { systemClock } from '../../src/seams/clock.ts'
import { systemTransport, type Transport } from '../../src/seams/transport.ts'
import { freePort } from '../compat/kafka.ts'

await test('reach: one address that accepts is enough', async (t) => {
  const listening = await systemTransport.listen({ host: '127.0.0.1', port: 0 }, (connection) =>
    connection.listen({ onData() {}, onClose() {} }),
  )
  t.after(() => listening.close())
  const servers = [`127.0.0.1:${await freePort()}`, ` 127.0.0.1:${listening.port}`]
  await reachBroker(servers, { transport: systemTransport, clock: systemClock })
})

await test('reach: every address is named with its own cause', async () => {
  const address = `127.0.0.1:${await freePort()}`
  await assert.rejects(
    reachBroker([address, 'nonsense'], { transport: systemTransport, clock: systemClock }),
    (error: UnreachableError) => {
      assert.equal(
        error.message,
        `no broker can be reached at ${address} (connection refused: nothing listens there, ECONNREFUSED), nonsense (not of the form host:port)`,
      )
      return error.retriable
    },
  )
})

await test('reach: an address that does not answer is given up', async () => {
  const silent: Transport = {
    ...systemTransport,
    connect: (_, signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted')))),
  }
  await assert.rejects(
    reachBroker(['[::1]:9092'], { transport: silent, clock: systemClock, timeoutMs: 10 }),
    /no broker can be reached at \[::1\]:9092 \(no answer within 0\.01 s\)/,
  )
})
