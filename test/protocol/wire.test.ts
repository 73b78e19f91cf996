/** Frames that other clients and Apache Kafka really exchanged: decoded to the last byte, and encoded to the same bytes again. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { decodeResponse, encodeRequest, encodeResponse } from '../../src/protocol/frame.ts'
import { apiByKey } from '../../src/protocol/messages/index.ts'
import { decodeRequestFrame } from './decoding.ts'

const folder = new URL('./vectors/wire/', import.meta.url)

interface WireCase {
  key: number
  version: number
  direction: 'request' | 'response'
  hex: string
}

for (const file of readdirSync(folder)) {
  const { cases } = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as { cases: WireCase[] }
  describe(`frames of ${file}`, () => {
    test('there are requests and responses of many APIs', () => {
      assert.ok(new Set(cases.map(({ key }) => key)).size >= 10)
      assert.ok(cases.some(({ direction }) => direction === 'request'))
      assert.ok(cases.some(({ direction }) => direction === 'response'))
    })

    for (const { key, version, direction, hex } of cases) {
      const api = apiByKey.get(key)!
      test(`${api.name} ${direction} version ${version}`, () => {
        const frame = Buffer.from(hex, 'hex')
        let again: Buffer[]
        if (direction === 'request') {
          const { body, correlationId, clientId, remaining } = decodeRequestFrame(frame)
          assert.equal(remaining, 0)
          again = encodeRequest(api, version, { correlationId, clientId }, body)
        } else {
          again = encodeResponse(api, version, frame.readInt32BE(0), decodeResponse(api, version, frame))
        }
        assert.equal(Buffer.concat(again).subarray(4).toString('hex'), hex)
      })
    }
  })
}
