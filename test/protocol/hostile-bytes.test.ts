/**
 * What decoders do with bytes that nobody should send: a value or a `DecodeError`, soon, with no more memory than the bytes justify.
 *
 * Seeds that once failed stay in `failedOnce`. `SLUICE_FUZZ_SEEDS=10000` runs more of them.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DecodeError } from '../../src/protocol/decode-error.ts'
import { FrameSplitter } from '../../src/protocol/frame.ts'
import { crc32c } from '../../src/protocol/records/crc32c.ts'
import { type DecodingCase, batchCases, decodeRequestFrame, messageCases, storedCases } from './decoding.ts'

const messages = messageCases()
const stored = storedCases()
const batches = batchCases()

const failedOnce: readonly number[] = []
const seeds = [
  ...failedOnce,
  ...Array.from({ length: Number(process.env.SLUICE_FUZZ_SEEDS ?? 60) }, (_, index) => index + 1),
]

/** mulberry32: numbers from 0 to `below` that depend on the seed alone. */
function randomOf(seed: number): (below: number) => number {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const interesting: readonly (readonly number[])[] = [
  [0xff, 0xff, 0xff, 0xff],
  [0x7f, 0xff, 0xff, 0xff],
  [0x80, 0x00, 0x00, 0x00],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
  [0x00],
  [0x01],
  [0x7f, 0xff],
]

function mutated(bytes: Buffer, random: (below: number) => number): Buffer {
  let result = Buffer.from(bytes)
  for (let count = 1 + random(4); count > 0; count--) {
    const at = random(result.length + 1)
    const kind = random(5)
    if (kind === 0 && at < result.length) result[at] = random(256)
    else if (kind === 1) result.set(interesting[random(interesting.length)]!.slice(0, result.length - at), at)
    else if (kind === 2)
      result = Buffer.concat([result.subarray(0, at), result.subarray(Math.min(result.length, at + random(9)))])
    else if (kind === 3)
      result = Buffer.concat([
        result.subarray(0, at),
        Buffer.from(interesting[random(interesting.length)]!),
        result.subarray(at),
      ])
    else result = result.subarray(0, Math.max(1, at))
  }
  return result
}

/** Values in a decoded message: what it costs to hold. */
function sizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return 1
  let size = 1
  for (const one of Object.values(value)) size += sizeOf(one)
  return size
}

function decodesOrRefuses(one: DecodingCase, bytes: Buffer, what: string): void {
  try {
    const value = one.decode(bytes)
    // A struct of many fields can lie in one byte, so a factor is allowed; what is not allowed is a size out of the bytes' reach.
    if (!batches.includes(one)) assert.ok(sizeOf(value) <= 100 + 40 * bytes.length, `${what}: too many values`)
  } catch (error) {
    if (error instanceof DecodeError) return
    throw new Error(`${what}, ${one.name}: ${bytes.toString('hex')}`, { cause: error })
  }
}

test('messages: cut off at every byte, each is a DecodeError', () => {
  for (const one of [...messages, ...stored]) {
    for (let length = 0; length < one.bytes.length; length++) {
      assert.throws(() => one.decode(one.bytes.subarray(0, length)), DecodeError, `${one.name}, ${length} bytes`)
    }
    one.decode(one.bytes)
  }
})

test('FrameSplitter: a stream that comes byte by byte gives the frames that were sent', () => {
  const splitter = new FrameSplitter()
  const frames: Buffer[] = []
  const sent = messages.map(({ bytes }) => bytes)
  for (const bytes of sent) {
    const size = Buffer.alloc(4)
    size.writeInt32BE(bytes.length)
    for (const byte of Buffer.concat([size, bytes])) splitter.push(Buffer.from([byte]), (frame) => frames.push(frame))
  }
  assert.equal(frames.length, sent.length)
  for (const [index, frame] of frames.entries()) {
    assert.ok(frame.equals(sent[index]!))
    messages[index]!.decode(frame)
  }
})

test('FrameSplitter: chunks of any size give the same frames', () => {
  const stream = Buffer.concat(
    messages.flatMap(({ bytes }) => {
      const size = Buffer.alloc(4)
      size.writeInt32BE(bytes.length)
      return [size, bytes]
    }),
  )
  for (const seed of seeds.slice(0, 20)) {
    const random = randomOf(seed)
    const splitter = new FrameSplitter()
    let index = 0
    for (let at = 0; at < stream.length;) {
      const end = Math.min(stream.length, at + 1 + random(random(2) === 0 ? 8 : 5000))
      splitter.push(stream.subarray(at, end), (frame) => {
        assert.ok(frame.equals(messages[index++]!.bytes), `seed ${seed}`)
      })
      at = end
    }
    assert.equal(index, messages.length)
  }
})

test('FrameSplitter: a negative or too large size is refused, and a large one reserves little until its bytes come', () => {
  for (const size of [-1, -0x80000000, 1001]) {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(size)
    assert.throws(() => new FrameSplitter(1000).push(bytes, () => assert.fail('a frame')), DecodeError)
  }
  const before = process.memoryUsage().arrayBuffers
  new FrameSplitter().push(Buffer.from([0x7f, 0xff, 0xff, 0xff, 1]), () => assert.fail('a frame'))
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024)
})

test('messages: changed at random, each is decoded or refused', () => {
  for (const seed of seeds) {
    const random = randomOf(seed)
    for (const one of [...messages, ...stored]) decodesOrRefuses(one, mutated(one.bytes, random), `seed ${seed}`)
  }
})

test('requests: random bytes behind a known header are decoded or refused', () => {
  for (const seed of seeds) {
    const random = randomOf(seed)
    for (const one of messages) {
      const bytes = Buffer.from(Array.from({ length: 20 + random(80) }, () => random(256)))
      one.bytes.copy(bytes, 0, 0, 18)
      decodesOrRefuses(one, bytes, `seed ${seed}`)
    }
  }
})

test('messages: a length that says gigabytes, at every place, reserves no more than the bytes justify', () => {
  for (const one of messages) {
    for (let at = 8; at < one.bytes.length; at++) {
      for (const length of [
        [0x7f, 0xff, 0xff, 0xff],
        [0xff, 0xff, 0xff, 0xff, 0x0f],
      ]) {
        const bytes = Buffer.from(one.bytes)
        bytes.set(length.slice(0, bytes.length - at), at)
        decodesOrRefuses(one, bytes, `byte ${at}`)
      }
    }
  }
})

test('requests: an array of a million announced in a few bytes is refused before anything is made for it', () => {
  // Metadata 1: a header without client id, then topics.
  const frame = Buffer.from([0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x00, 0x0f, 0x42, 0x40, 0, 1])
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 100; index++) assert.throws(() => decodeRequestFrame(frame), /announces 1000000 items/)
  assert.ok(process.memoryUsage().heapUsed - before < 8 * 1024 * 1024)
})

test('record batches: changed at random, with a CRC that is right, each is decoded or refused', () => {
  for (const seed of seeds) {
    const random = randomOf(seed)
    for (const one of batches) {
      const bytes = mutated(one.bytes.subarray(0, 3000), random)
      if (bytes.length > 61) {
        if (random(2) === 0) bytes.writeInt32BE(bytes.length - 12, 8)
        bytes[16] = 2
        const size = Math.min(bytes.length, 12 + Math.max(9, bytes.readInt32BE(8)))
        bytes.writeUInt32BE(crc32c(bytes, 21, size), 17)
      }
      decodesOrRefuses(one, bytes, `seed ${seed}`)
    }
  }
})

test('record batches: each byte of the small ones changed, with a CRC that is right', () => {
  for (const one of batches) {
    if (one.bytes.length > 1000) continue
    for (let at = 0; at < one.bytes.length; at++) {
      for (const byte of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
        const bytes = Buffer.from(one.bytes)
        bytes[at] = byte
        if (bytes.length > 61) bytes.writeUInt32BE(crc32c(bytes, 21), 17)
        decodesOrRefuses(one, bytes, `byte ${at}`)
      }
    }
  }
})
