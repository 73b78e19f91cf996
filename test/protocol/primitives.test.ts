/** Kafka's primitive types, against known bytes and against an implementation of their own on BigInt; and what may not be said. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assert as holds, integer, maxSafeInteger, property } from 'fast-check'
import { DecodeError, EncodeError, TruncatedError } from '../../src/protocol/decode-error.ts'
import { encodeRequest, encodeResponse } from '../../src/protocol/frame.ts'
import { fetch, joinGroup, metadata, offsetCommit } from '../../src/protocol/messages/index.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { Writer } from '../../src/protocol/writer.ts'

/** Protocol Buffers' zigzag and base-128, on 64-bit integers. */
function zigzagBytes(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  const bytes: number[] = []
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}

function written(write: (writer: Writer) => void): Buffer {
  const writer = new Writer()
  write(writer)
  return writer.toBuffer()
}

describe('variable-length numbers', () => {
  // From Protocol Buffers' description of the encoding.
  const known: [number, string][] = [
    [0, '00'],
    [-1, '01'],
    [1, '02'],
    [-2, '03'],
    [63, '7e'],
    [64, '8001'],
    [0x7fffffff, 'feffffff0f'],
    [-0x80000000, 'ffffffff0f'],
  ]
  test('varint and varlong: known bytes', () => {
    for (const [value, hex] of known) {
      assert.equal(written((writer) => writer.varint(value)).toString('hex'), hex)
      assert.equal(written((writer) => writer.varlong(value)).toString('hex'), hex)
      assert.equal(new Reader(Buffer.from(hex, 'hex')).varint(), value)
      assert.equal(new Reader(Buffer.from(hex, 'hex')).varlong(), value)
    }
  })

  test('varint: as an independent implementation has it, for any 32-bit number', () => {
    holds(
      property(integer(), (value) => {
        const expected = zigzagBytes(BigInt(value))
        assert.deepEqual(
          written((writer) => writer.varint(value)),
          expected,
        )
        assert.equal(new Reader(expected).varint(), value)
      }),
      { seed: 20261124, numRuns: 2000 },
    )
  })

  test('varlong: as an independent implementation has it, for any safe number', () => {
    const check = (value: number) => {
      const expected = zigzagBytes(BigInt(value))
      assert.deepEqual(
        written((writer) => writer.varlong(value)),
        expected,
      )
      assert.equal(new Reader(expected).varlong(), value)
    }
    for (let bits = 1; bits < 53; bits++)
      for (const near of [-1, 0, 1]) [2 ** bits + near, -(2 ** bits) + near].forEach(check)
    ;[Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER].forEach(check)
    holds(property(maxSafeInteger(), check), { seed: 20261124, numRuns: 2000 })
  })

  test('varlong: beyond 2^53 - 1 it is an error, never rounded', () => {
    for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
      assert.throws(() => new Reader(zigzagBytes(value)).varlong(), DecodeError)
    }
  })

  test('more bytes than a number has is an error', () => {
    for (const [hex, read] of [
      ['ffffffff1f', 'unsignedVarint'],
      ['ffffffffff01', 'unsignedVarint'],
      ['808080808000', 'varint'],
      ['8080808080808080808000', 'varlong'],
      ['ffffffffffffffffff7f', 'varlong'],
    ] as const) {
      assert.throws(() => new Reader(Buffer.from(hex, 'hex'))[read](), DecodeError, hex)
    }
    assert.throws(() => new Reader(Buffer.from('8080', 'hex')).varlong(), TruncatedError)
  })
})

describe('64-bit numbers', () => {
  test('int64: as Buffer writes it, to the last safe number', () => {
    const check = (value: number) => {
      const expected = Buffer.alloc(8)
      expected.writeBigInt64BE(BigInt(value))
      assert.deepEqual(
        written((writer) => writer.int64(value)),
        expected,
      )
      assert.equal(new Reader(expected).int64(), value)
    }
    ;[0, -1, 2 ** 32, -(2 ** 32), 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER].forEach(check)
    holds(property(maxSafeInteger(), check), { seed: 20261124, numRuns: 2000 })
  })

  test('int64: beyond 2^53 - 1 it is an error in both directions', () => {
    for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64BE(value)
      assert.throws(() => new Reader(bytes).int64(), DecodeError)
    }
    for (const value of [2 ** 53, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => written((writer) => writer.int64(value)), EncodeError)
    }
  })
})

describe('what a version cannot say', () => {
  const header = { correlationId: 1, clientId: 'test' }

  test('a field that the version lacks is refused when it holds anything but its default', () => {
    const request = { groupId: 'g', sessionTimeoutMs: 1, memberId: '', protocolType: 'consumer', protocols: [] }
    assert.throws(() => encodeRequest(joinGroup, 4, header, { ...request, groupInstanceId: 'static' }), EncodeError)
    encodeRequest(joinGroup, 4, header, { ...request, groupInstanceId: null })
  })

  test('a field that may be left out is left out in silence', () => {
    const request = { groupId: 'g', sessionTimeoutMs: 1, memberId: '', protocolType: 'consumer', protocols: [] }
    const plain = encodeRequest(joinGroup, 4, header, request)
    assert.deepEqual(encodeRequest(joinGroup, 4, header, { ...request, reason: 'why' }), plain)
  })

  test('null where the version needs a value is refused', () => {
    assert.throws(() => encodeRequest(metadata, 0, header, { topics: null }), EncodeError)
    encodeRequest(metadata, 1, header, { topics: null })
  })

  test('a string longer than 32,767 bytes is refused where the length has two bytes', () => {
    const topics = [{ name: 'x'.repeat(32_768), partitions: [] }]
    assert.throws(() => encodeRequest(offsetCommit, 2, header, { groupId: 'g', memberId: '', topics }), EncodeError)
    encodeRequest(offsetCommit, 8, header, { groupId: 'g', memberId: '', topics })
  })

  test('a version that is not defined is refused', () => {
    assert.throws(() => encodeResponse(fetch, 99, 1, { throttleTimeMs: 0, responses: [] }), EncodeError)
  })
})

test('Writer: a large byte value is handed on, not copied', () => {
  const large = Buffer.alloc(5000, 'x')
  const pieces = encodeResponse(fetch, 4, 1, {
    throttleTimeMs: 0,
    responses: [
      {
        topic: 't',
        partitions: [
          { partitionIndex: 0, errorCode: 0, highWatermark: 0, abortedTransactions: null, records: [large, large] },
        ],
      },
    ],
  })
  assert.equal(pieces.filter((piece) => piece.buffer === large.buffer && piece.length === 5000).length, 2)
  assert.equal(Buffer.concat(pieces).readInt32BE(0), Buffer.concat(pieces).length - 4)
})
