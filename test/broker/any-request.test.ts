/**
 * Every request that is well-formed gets its answer, every other one costs no more than its connection. The requests are those that Kafka's own
 * classes wrote for test/protocol: each API, each version, fields full, least and extreme.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorAnswer } from '../../src/broker/error-answer.ts'
import { type Handler } from '../../src/broker/handler.ts'
import { handlers } from '../../src/broker/handlers/index.ts'
import { startBroker } from '../../src/testing/index.ts'
import { codeOf } from '../../src/protocol/error-codes.ts'
import { decodeRequestClientId, decodeRequestStart, decodeResponse } from '../../src/protocol/frame.ts'
import { apiVersions } from '../../src/protocol/messages/index.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { messageFiles, messageVectors, type MessageVector } from '../protocol/vectors.ts'
import { WireClient } from '../support/wire-client.ts'
import { batchOf, produceOne } from '../support/wire-requests.ts'

function requestsOf({ api, versions }: Handler): MessageVector[] {
  const file = messageFiles().find((name) => Number(name.slice(0, 2)) === api.key)!
  const requests = messageVectors(file).filter(({ direction }) => direction === 'request')
  return requests.filter(({ version }) => version >= versions[0] && version <= versions[1])
}

/** A vector's request as an object. Its bytes begin with the size. */
function decoded({ api }: Handler, { bytes, version }: MessageVector): unknown {
  const reader = new Reader(bytes, 4)
  decodeRequestStart(reader)
  decodeRequestClientId(reader, api.isFlexible(version))
  return api.requestCodec(version).read(reader)
}

for (const handler of handlers) {
  const { api } = handler

  test(`${api.name}: whatever it asks, the broker answers or closes the connection, and knows what it did`, async (t) => {
    const failures: unknown[] = []
    const logger = { ...silentLogger, error: (fields: object) => void failures.push(fields) }
    const broker = await startBroker({ seams: { logger }, properties: { 'group.min.session.timeout.ms': 1 } })
    t.after(() => broker.stop())
    for (const vector of requestsOf(handler)) {
      const client = await WireClient.connect(broker.bootstrapServers)
      // Some of them wait, as a new member of a group does: that there was no failure is what counts.
      const answered = client.exchangeBytes(vector.bytes.subarray(4)).then(
        (answer) => void decodeResponse(api, vector.version, answer),
        () => {},
      )
      const beside = await WireClient.connect(broker.bootstrapServers)
      await beside.request(apiVersions, 0, {})
      await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 200))])
      client.close()
      beside.close()
    }
    assert.deepEqual(failures, [])
  })

  test(`${api.name}: an intercept rule can say an error in every version`, () => {
    for (const vector of requestsOf(handler)) {
      const answer = errorAnswer(api, decoded(handler, vector), vector.version, codeOf('NOT_COORDINATOR'))
      api.responseCodec(vector.version).write(new Writer(), answer)
    }
  })
}

test('a broker survives whatever bytes are sent to it', async (t) => {
  const broker = await startBroker({ topics: ['clicks'] })
  t.after(() => broker.stop())
  const client = await WireClient.connect(broker.bootstrapServers, t)
  const seed = Number(process.env['SEED'] ?? 7)
  t.diagnostic(`SEED=${seed}`)
  const random = seededRandom(seed)
  for (let round = 0; round < 300; round++) {
    const wild = await WireClient.connect(broker.bootstrapServers)
    const length = Math.floor(random.next() * 200)
    const frame = Buffer.from(Array.from({ length }, () => Math.floor(random.next() * (random.next() < 0.5 ? 4 : 256))))
    const size = Buffer.alloc(4)
    size.writeInt32BE(round % 7 === 0 ? 0x7ffffff0 : length)
    if (length >= 4) {
      const { api, versions } = handlers[Math.floor(random.next() * handlers.length)]!
      frame.writeInt16BE(api.key, 0)
      frame.writeInt16BE(versions[Math.floor(random.next() * 2)]!, 2)
    }
    wild.write([size, frame])
    if (round % 3 === 0) await client.request(apiVersions, 0, {})
    wild.close()
  }
  assert.equal((await client.request(apiVersions, 0, {})).errorCode, 0)
  assert.equal((await produceOne(client, 9, 'clicks', batchOf(['still here']))).errorCode, 0)
})
