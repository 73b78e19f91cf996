/** Every version of every API against the bytes of other implementations: field by field, and back to the same bytes. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Api } from '../../src/protocol/api.ts'
import {
  decodeRequestClientId,
  decodeRequestStart,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../../src/protocol/frame.ts'
import { apiByKey, apis } from '../../src/protocol/messages/index.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { comparable, messageFiles, messageVectors, type MessageVector } from './vectors.ts'

const files = messageFiles()
const vectorsOf = (api: Api) =>
  files.filter((file) => Number.parseInt(file) === api.key).flatMap((file) => messageVectors(file))

function decodeFrame(api: Api, vector: MessageVector): { correlationId: number; clientId: string | null; body: any } {
  const frame = vector.bytes.subarray(4)
  if (vector.direction === 'response') {
    return { correlationId: frame.readInt32BE(0), clientId: null, body: decodeResponse(api, vector.version, frame) }
  }
  const reader = new Reader(frame)
  const { apiKey, apiVersion, correlationId } = decodeRequestStart(reader)
  assert.deepEqual([apiKey, apiVersion], [api.key, vector.version])
  const clientId = decodeRequestClientId(reader, api.isFlexible(apiVersion))
  const body = api.requestCodec(apiVersion).read(reader)
  assert.equal(reader.remaining, 0)
  return { correlationId, clientId, body }
}

/** Every member of `expected` is in `actual`, which may say more: what a version does not carry has its default there. */
function assertCarries(actual: unknown, expected: unknown, at: string): void {
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${at} is no array`)
    assert.equal(actual.length, expected.length, `${at}.length`)
    for (const [index, one] of expected.entries()) assertCarries(actual[index], one, `${at}[${index}]`)
  } else if (typeof expected === 'object' && expected !== null) {
    for (const [name, one] of Object.entries(expected)) {
      assert.ok(Object.hasOwn(actual as object, name), `${at} has no ${name}`)
      assertCarries((actual as Record<string, unknown>)[name], one, `${at}.${name}`)
    }
  } else {
    assert.equal(actual, expected, at)
  }
}

for (const api of apis) {
  const vectors = vectorsOf(api)
  describe(`${api.name}: as other implementations write it`, () => {
    test('vectors cover every version in both directions', () => {
      for (const direction of ['request', 'response'] as const) {
        for (let version = api.versions[0]; version <= api.versions[1]; version++) {
          const found = vectors.some((vector) => vector.version === version && vector.direction === direction)
          assert.ok(found, `no vector for ${direction} version ${version}`)
        }
      }
    })

    for (const vector of vectors) {
      const { version, direction, variant } = vector
      if (version < api.versions[0] || version > api.versions[1]) continue
      test(`${direction} version ${version}, ${variant}: the same values, and the same bytes again`, () => {
        const { correlationId, clientId, body } = decodeFrame(api, vector)
        assertCarries(comparable(body), vector.value, `${api.name} ${direction}`)
        const pieces =
          direction === 'request'
            ? encodeRequest(api, version, { correlationId, clientId }, body)
            : encodeResponse(api, version, correlationId, body)
        assert.equal(Buffer.concat(pieces).toString('hex'), vector.bytes.toString('hex'))
      })
    }
  })
}

test('every vector file belongs to an API that is defined', () => {
  for (const file of files) assert.ok(apiByKey.has(Number.parseInt(file)), file)
})
