/** Compression and checksums: known answers, odd sizes, foreign frames, and input that means harm. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import zlib from 'node:zlib'
import { array, assert as holds, nat, property, tuple, uint8Array } from 'fast-check'
import { DecodeError } from '../../src/protocol/decode-error.ts'
import { compress, decompress } from '../../src/protocol/records/compression.ts'
import { crc32c, crc32cByTables } from '../../src/protocol/records/crc32c.ts'
import { xxHash32 } from '../../src/protocol/records/xx-hash-32.ts'

const types = ['gzip', 'snappy', 'lz4', 'zstd'] as const

/** Pseudo-random bytes, the same at each run; `range` of 256 cannot be compressed. */
function bytesOf(length: number, range: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = 1
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    bytes[at] = (state >>> 24) % range
  }
  return bytes
}

describe('crc32c', () => {
  // RFC 3720, B.4, and the check value of the CRC catalogue.
  const answers: [string, Buffer, number][] = [
    ['123456789', Buffer.from('123456789'), 0xe3069283],
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    ['31 to 0', Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c],
    ['nothing', Buffer.alloc(0), 0],
  ]
  for (const [name, bytes, expected] of answers) {
    test(`known answer: ${name}`, () => {
      assert.equal(crc32c(bytes), expected)
      assert.equal(crc32cByTables(bytes), expected)
    })
  }

  test('native code and tables agree, wherever the bytes lie', () => {
    const bytes = bytesOf(5000, 256)
    for (let start = 0; start < 40; start++) {
      for (const end of [start, start + 1, start + 15, start + 16, start + 17, 600 + start, 4960 + start]) {
        assert.equal(crc32c(bytes, start, end), crc32cByTables(bytes.subarray(start, end)), `${start} to ${end}`)
        assert.equal(crc32cByTables(bytes, start, end), crc32cByTables(Buffer.from(bytes.subarray(start, end))))
      }
    }
  })
})

test('xxHash32: known answers', () => {
  // From the reference implementation (xxhsum -H0).
  assert.equal(xxHash32(Buffer.alloc(0), 0, 0), 0x02cc5d05)
  assert.equal(xxHash32(Buffer.from('Nobody inspects the spammish repetition'), 0, 39), 0xe2293b2f)
})

for (const type of types) {
  describe(type, () => {
    test('whatever goes in comes out, at the sizes where blocks end', () => {
      for (const length of [
        0, 1, 4, 5, 12, 13, 14, 60, 61, 256, 257, 32767, 32768, 32769, 65535, 65536, 65537, 200_000,
      ]) {
        for (const range of [1, 3, 256]) {
          const bytes = bytesOf(length, range)
          assert.ok(decompress(type, compress(type, bytes), length).equals(bytes), `${length} bytes of ${range}`)
        }
      }
    })

    test('what came out stays as it is, whatever comes out later', () => {
      for (const length of [100, 30_000, 200_000, 262_144, 300_000]) {
        const [first, second] = [Buffer.alloc(length, 1), Buffer.alloc(length, 2)]
        const result = decompress(type, compress(type, first), 1 << 24)
        decompress(type, compress(type, second), 1 << 24)
        assert.ok(result.equals(first), `${length} bytes`)
      }
    })

    test('what comes out keeps no much larger buffer alive', () => {
      for (const length of [Buffer.poolSize, 70_000, 200_000, 1_000_000]) {
        for (const range of [3, 256]) {
          const result = decompress(type, compress(type, bytesOf(length, range)), 1 << 24)
          const { byteLength } = result.buffer
          assert.ok(byteLength <= (4 / 3) * length, `${length} bytes of ${range} keep ${byteLength}`)
        }
      }
      // What small ones take of Node's pool, if anything, lies side by side.
      const many = Array.from({ length: 100 }, () => decompress(type, compress(type, bytesOf(100, 3)), 1 << 24))
      const kept = [...new Set(many.map(({ buffer }) => buffer))].reduce((sum, { byteLength }) => sum + byteLength, 0)
      assert.ok(kept <= 4 * Buffer.poolSize, `100 results of 100 bytes keep ${kept}`)
    })

    test('whatever goes in comes out', () => {
      const repetitive = array(tuple(uint8Array({ maxLength: 30 }), nat(200)), { maxLength: 30 })
      holds(
        property(repetitive, (parts) => {
          const bytes = Buffer.concat(parts.flatMap(([part, times]) => Array.from({ length: times }, () => part)))
          assert.ok(decompress(type, compress(type, bytes), bytes.length).equals(bytes))
        }),
        { numRuns: 200, seed: 20261124 },
      )
    })

    test('cut off anywhere it is a DecodeError', () => {
      const compressed = compress(type, bytesOf(3000, 5))
      for (let length = 0; length < compressed.length; length++) {
        // xerial's framing has no end of its own: an end between two blocks is one.
        if (type === 'snappy' && length === 16) continue
        assert.throws(() => decompress(type, compressed.subarray(0, length), 10_000), DecodeError, `${length} bytes`)
      }
    })

    test('one byte more than is allowed is a DecodeError', () => {
      for (const length of [1000, 100_000]) {
        const compressed = compress(type, Buffer.alloc(length, 'a'))
        assert.equal(decompress(type, compressed, length).length, length)
        assert.throws(() => decompress(type, compressed, length - 1), DecodeError)
      }
    })

    test('changed bytes end in some bytes within the limit or in a DecodeError', () => {
      const original = compress(type, Buffer.concat([bytesOf(2000, 4), bytesOf(200, 256), Buffer.alloc(3000)]))
      holds(
        property(array(tuple(nat(original.length - 1), nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
          const bytes = Buffer.from(original)
          for (const [at, byte] of changes) bytes[at] = byte
          try {
            assert.ok(decompress(type, bytes, 20_000).length <= 20_000)
          } catch (error) {
            assert.ok(error instanceof DecodeError, String(error))
          }
        }),
        { numRuns: 2000, seed: 20261124 },
      )
    })

    test('random bytes end in some bytes within the limit or in a DecodeError', () => {
      holds(
        property(uint8Array({ maxLength: 300 }), (bytes) => {
          try {
            assert.ok(decompress(type, Buffer.from(bytes), 20_000).length <= 20_000)
          } catch (error) {
            assert.ok(error instanceof DecodeError, String(error))
          }
        }),
        { numRuns: 2000, seed: 20261124 },
      )
    })
  })
}

describe('limits', () => {
  test('a few bytes that announce gigabytes reserve nothing', () => {
    const bombs: [(typeof types)[number], Buffer][] = [
      ['snappy', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07, 0x00, 0x61])],
      ['lz4', Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x68, 0x70, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 1, 2, 3])],
    ]
    for (const [type, bytes] of bombs) {
      const before = process.memoryUsage().arrayBuffers
      assert.throws(() => decompress(type, bytes, 2 ** 31), DecodeError)
      assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024)
    }
  })

  test('a bomb is stopped at the limit, not at its end', () => {
    const zeros = Buffer.alloc(64 * 1024 * 1024)
    for (const type of types) {
      const bomb = compress(type, zeros)
      const before = process.memoryUsage().rss
      assert.throws(() => decompress(type, bomb, 100_000), DecodeError)
      assert.ok(process.memoryUsage().rss - before < 16 * 1024 * 1024, type)
    }
  })
})

describe('foreign frames', () => {
  const text = Buffer.from('hello, hello, hello, hello, hello, hello, hello')

  test('snappy: raw, without framing', () => {
    // The example of the format's description: a literal, then copies of it.
    const raw = Buffer.concat([
      Buffer.from([text.length, 6 << 2]),
      text.subarray(0, 7),
      Buffer.from([2 | (39 << 2), 7, 0]),
    ])
    assert.equal(decompress('snappy', raw, 100).toString(), text.toString())
  })

  test('lz4: content size, checksums of blocks and content, linked blocks, several frames', () => {
    // Two linked blocks: "hello, " with a match of itself, then a match that reaches back into the first.
    const descriptor = [0x40 | 0x10 | 0x08 | 0x04, 0x40, text.length, 0, 0, 0, 0, 0, 0, 0]
    const first = Buffer.concat([
      Buffer.from([0x7f]),
      text.subarray(0, 7),
      Buffer.from([7, 0, 0]),
      Buffer.from([0x10]),
      Buffer.from('h'),
    ])
    const second = Buffer.concat([Buffer.from([0x0b, 7, 0, 0x50]), text.subarray(-5)])
    const content = Buffer.concat([text.subarray(0, 26), Buffer.from('h')])
    const rest = Buffer.from(decodeBack(content, 7, 15))
    const whole = Buffer.concat([content, rest, text.subarray(-5)])
    descriptor[2] = whole.length
    const word = (value: number) => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32LE(value)
      return bytes
    }
    const block = (bytes: Buffer) => [word(bytes.length), bytes, word(xxHash32(bytes, 0, bytes.length))]
    const head = Buffer.from(descriptor)
    const frame = Buffer.concat([
      Buffer.from([0x04, 0x22, 0x4d, 0x18]),
      head,
      Buffer.from([(xxHash32(head, 0, head.length) >>> 8) & 0xff]),
      ...block(first),
      ...block(second),
      word(0),
      word(xxHash32(whole, 0, whole.length)),
    ])
    assert.equal(decompress('lz4', frame, 1000).toString(), whole.toString())
    assert.equal(decompress('lz4', Buffer.concat([frame, frame]), 1000).length, 2 * whole.length)
    for (let at = 4; at < frame.length; at++) {
      const broken = Buffer.from(frame)
      broken[at]! ^= 0x01
      assert.throws(() => decompress('lz4', broken, 1000), DecodeError, `byte ${at}`)
    }
  })

  test('zstd: frames of any header, with a checksum or without, and skippable ones between them', () => {
    const { ZSTD_c_checksumFlag, ZSTD_c_contentSizeFlag } = zlib.constants
    const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
    for (const checksum of [0, 1]) {
      for (const length of [0, 1, 255, 256, 65_791, 65_792, 300_000]) {
        for (const range of [1, 256]) {
          const bytes = bytesOf(length, range)
          const params = { [ZSTD_c_checksumFlag]: checksum, [ZSTD_c_contentSizeFlag]: length % 2 }
          const frame = zlib.zstdCompressSync(bytes, { params, pledgedSrcSize: length % 2 ? length : undefined })
          const all = Buffer.concat([skippable, frame, skippable, frame])
          assert.equal(decompress('zstd', all, 2 * length).length, 2 * length)
          assert.throws(() => decompress('zstd', all.subarray(0, -1), 2 * length), DecodeError)
        }
      }
    }
  })

  test('gzip and zstd: several members in a row', () => {
    const gzip = zlib.gzipSync(text)
    assert.equal(decompress('gzip', Buffer.concat([gzip, gzip]), 1000).length, 2 * text.length)
    const zstd = zlib.zstdCompressSync(text)
    assert.equal(decompress('zstd', Buffer.concat([zstd, zstd]), 1000).length, 2 * text.length)
  })
})

/** What a match of `length` bytes, `offset` back, makes of what stands before it. */
function decodeBack(before: Buffer, offset: number, length: number): number[] {
  const all = [...before]
  for (let index = 0; index < length; index++) all.push(all[all.length - offset]!)
  return all.slice(before.length)
}
