/**
 * Bytes that are no Kafka, sent to the embedded broker's port: it lives on, says one line for each connection that it closes, holds no
 * memory for them, and a client beside them notices nothing.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { Producer } from '../../../src/client/producer/producer.ts'
import { seededRandom } from '../../../src/seams/random.ts'
import { until } from '../../support/until.ts'
import { WireClient } from '../../support/wire-client.ts'
import { apiVersions } from '../../../src/protocol/messages/index.ts'
import { createTopic, type Scene, sceneOf } from './fixtures.ts'

await test('the embedded broker under hostile bytes', async (t) => {
  const scene = await sceneOf(t)
  const { bootstrapServers, port, broker } = scene
  await createTopic(t, bootstrapServers)
  const stop = new AbortController()
  const neighbour = neighbourOf(bootstrapServers, stop.signal)
  const memoryBefore = residentMiB(broker.child.pid!)

  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }
  /** Sends it, and waits until the broker has closed the connection and said so in exactly one line. */
  const refused = async (bytes: Buffer, says: RegExp) => {
    const before = closings(scene)
    const socket = await open()
    const closed = once(socket, 'close')
    socket.resume()
    socket.write(bytes)
    await closed
    await until(() => closings(scene).length > before.length, { withinMs: 10_000, what: 'a line is logged' })
    const said = closings(scene).slice(before.length)
    assert.equal(said.length, 1, said.join('\n'))
    assert.match(said[0]!, says)
  }

  await t.test('a frame of two gigabytes, of a negative size, of no API, of an unknown version', async () => {
    await refused(Buffer.from([0x7f, 0xff, 0xff, 0xff, 1, 2, 3]), /connection closed: .*2147483647/)
    await refused(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]), /connection closed: .*-1/)
    await refused(frame([7, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff]), /connection closed: /)
    await refused(frame([0, 3, 0x7f, 0xff, 0, 0, 0, 1, 0xff, 0xff]), /connection closed: /)
    await refused(Buffer.from('GET / HTTP/1.1\r\nHost: broker\r\n\r\n'), /connection closed: .*1195725856/)
  })

  await t.test('arrays and strings of negative and of enormous length', async () => {
    // Metadata 1: topics, an array of strings.
    const metadata = [0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff]
    await refused(frame([...metadata, 0xff, 0xff, 0xff, 0xfe]), /connection closed: /)
    await refused(frame([...metadata, 0x7f, 0xff, 0xff, 0xff]), /connection closed: /)
    await refused(frame([...metadata, 0, 0, 0, 1, 0xff, 0xfe]), /connection closed: /)
    await refused(frame([...metadata, 0, 0, 0, 1, 0x7f, 0xff]), /connection closed: /)
    // Metadata 9, where lengths are varints.
    const flexible = [0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0]
    await refused(frame([...flexible, 0xff, 0xff, 0xff, 0xff, 0x0f]), /connection closed: /)
    await refused(frame([...flexible, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), /connection closed: /)
  })

  await t.test('random bytes', async () => {
    const random = seededRandom(11)
    for (let round = 0; round < 60; round++) {
      const socket = await open()
      const body = Buffer.from(Array.from({ length: 200 }, () => Math.floor(random.next() * 256)))
      // Every other one in a frame of the right size, with the key of an API that exists.
      const isFramed = round % 2 === 0
      if (isFramed) body.set([0, round % 40, 0, round % 5])
      socket.resume()
      socket.end(isFramed ? frame([...body]) : body)
      await once(socket, 'close')
    }
    await answers(bootstrapServers)
  })

  await t.test('half a frame and no more; one byte at a time', async () => {
    const half = await open()
    half.write(Buffer.from([0, 0, 1, 0, 0, 18]))
    half.destroy()
    const slow = await open()
    slow.setNoDelay(true)
    const answered = once(slow, 'data')
    for (const byte of frame([0, 18, 0, 0, 0, 0, 0, 9, 0xff, 0xff])) {
      slow.write(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const [answer] = (await answered) as [Buffer]
    assert.equal(answer.readInt32BE(4), 9, 'the correlation id')
    slow.destroy()
  })

  await t.test('many connections that announce large frames and send little of them', async () => {
    const sockets = await Promise.all(Array.from({ length: 60 }, open))
    for (const socket of sockets) socket.write(Buffer.from([0x05, 0, 0, 0, 0, 0]))
    await answers(bootstrapServers)
    const grownMiB = residentMiB(broker.child.pid!) - memoryBefore
    assert.ok(grownMiB < 300, `60 announced frames of 80 MiB made the broker grow by ${grownMiB} MiB`)
    for (const socket of sockets) socket.destroy()
  })

  await t.test('500 connections opened and dropped', async () => {
    const sockets = await Promise.all(Array.from({ length: 500 }, open))
    await answers(bootstrapServers)
    for (const [index, socket] of sockets.entries()) {
      if (index % 2 === 0) socket.resetAndDestroy()
      else socket.destroy()
    }
    await answers(bootstrapServers)
    await until(() => connectionsOf(port) < 20, { withinMs: 10_000, what: 'the broker has let go of them' })
  })

  stop.abort()
  const { sent, failed } = await neighbour
  assert.equal(failed, undefined, 'the client beside them noticed nothing')
  assert.ok(sent > 10, `${sent} records`)
  assert.equal(broker.isOver, false)
  assert.doesNotMatch(broker.stderr, /unexpected|TypeError|RangeError|^\s+at /m)
})

function closings({ broker }: Scene): string[] {
  return broker.stderr.split('\n').filter((line) => line.includes('connection closed: '))
}

function frame(body: readonly number[]): Buffer {
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, Buffer.from(body)])
}

async function answers(bootstrapServers: string): Promise<void> {
  const client = await WireClient.connect(bootstrapServers)
  const { errorCode } = await client.request(apiVersions, 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' })
  assert.equal(errorCode, 0)
  client.close()
}

/** Produces one record after the other until it is told to stop. */
async function neighbourOf(bootstrapServers: string, signal: AbortSignal): Promise<{ sent: number; failed?: Error }> {
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers, 'linger.ms': 0, retries: 0 })
  let sent = 0
  try {
    while (!signal.aborted) {
      await producer.send({ topic: 'numbers', value: String(sent) })
      sent++
    }
    return { sent }
  } catch (failed) {
    return { sent, failed: failed as Error }
  } finally {
    await producer.close()
  }
}

function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

/** Established connections to a port of this machine. */
function connectionsOf(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n')
  return lines.filter((line) => line.trim().split(/\s+/)[1]?.endsWith(local) && / 01 /.test(line)).length
}
