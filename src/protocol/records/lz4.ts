/**
 * LZ4 in its frame format, as Kafka uses it from message format v2 on.
 *
 *     frame   04 22 4d 18  flags  block_descriptor  [content_size:uint64]  [dictionary:uint32]  header_checksum
 *             { size:uint32 (top bit: stored as it is)  block  [block_checksum:uint32] }  00 00 00 00  [content_checksum:uint32]
 *     block   { token (literals << 4 | match - 4)  [more literals]  literals  offset:uint16  [more match] }, ending in literals
 *
 * Little-endian throughout; checksums are xxHash32, the header's its second byte. Written: independent blocks of 64 KiB without
 * checksums, as Kafka's Java client does. Read: any frame without a dictionary, and several in a row.
 * Formats: https://github.com/lz4/lz4/blob/dev/doc (frame and block).
 */
import { DecodeError } from '../decode-error.ts'
import { copyLiteral, copyMatch, wordsOf } from './block-copy.ts'
import { fitted, ownCopy } from './fitted.ts'
import { xxHash32 } from './xx-hash-32.ts'

const MAGIC = 0x184d2204
const BLOCK_BYTES = 64 * 1024
/** The best that a byte of a block can do. */
const MAX_EXPANSION = 255
const FRAME_START = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82])
const HASH_BITS = 14
/** A block's last match begins this far before its end, and its last five bytes are literals. */
const MATCH_LIMIT = 12
const LAST_LITERALS = 5

export function compressLz4Frame(bytes: Buffer): Buffer {
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES)
  const output = Buffer.allocUnsafe(FRAME_START.length + 4 + bytes.length + Math.ceil(bytes.length / 255) + 32 * blocks)
  output.set(FRAME_START)
  let position = FRAME_START.length
  const table = new Uint16Array(1 << HASH_BITS)
  for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
    const end = Math.min(bytes.length, start + BLOCK_BYTES)
    let blockEnd = compressBlock(bytes, start, end, output, position + 4, table.fill(0))
    let size = blockEnd - position - 4
    if (size >= end - start) {
      output.set(bytes.subarray(start, end), position + 4)
      blockEnd = position + 4 + (end - start)
      size = ((end - start) | 0x80000000) >>> 0
    }
    output.writeUInt32LE(size, position)
    position = blockEnd
  }
  output.writeUInt32LE(0, position)
  return output.subarray(0, position + 4)
}

/** @throws DecodeError when the bytes are not LZ4 frames, or decompress into more than `maxBytes` */
export function decompressLz4Frame(bytes: Buffer, maxBytes: number): Buffer {
  const frames = new FrameDecoder(bytes, maxBytes)
  do frames.next()
  while (!frames.done)
  return frames.output()
}

interface FrameHeader {
  blockBytes: number
  hasBlockChecksums: boolean
  hasContentChecksum: boolean
  contentSize: number | undefined
}

/** Where most frames come out, one after the other, before what they hold is copied: it is rarely known how much that will be. */
let scratch: Buffer | undefined
const SCRATCH_BYTES = 256 * 1024

class FrameDecoder {
  readonly #bytes: Buffer
  readonly #maxBytes: number
  #at = 0
  #output: Buffer
  #length = 0

  constructor(bytes: Buffer, maxBytes: number) {
    this.#bytes = bytes
    this.#maxBytes = maxBytes
    scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES)
    this.#output =
      3 * bytes.length <= SCRATCH_BYTES
        ? scratch.subarray(0, Math.min(maxBytes, SCRATCH_BYTES))
        : Buffer.allocUnsafeSlow(Math.min(maxBytes, 3 * bytes.length))
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length
  }

  output(): Buffer {
    const result = this.#output.subarray(0, this.#length)
    return result.buffer === scratch?.buffer ? ownCopy(result) : fitted(result)
  }

  next(): void {
    const frameStart = this.#length
    const header = this.#header()
    while (this.#block(frameStart, header));
    const size = this.#length - frameStart
    if (header.contentSize !== undefined && header.contentSize !== size) {
      throw new DecodeError(`An LZ4 frame of ${header.contentSize} bytes holds ${size}`)
    }
    if (header.hasContentChecksum) this.#check(this.#output, frameStart, this.#length)
  }

  #header(): FrameHeader {
    const bytes = this.#bytes
    const magic = bytes.readUInt32LE(this.#skip(4))
    if (magic !== MAGIC) throw new DecodeError(`An LZ4 frame begins with ${magic.toString(16)}`)
    const descriptor = this.#skip(2)
    const flags = bytes[descriptor]!
    const block = bytes[descriptor + 1]!
    const blockSize = (block >>> 4) & 7
    if (flags >>> 6 !== 1 || flags & 2 || block & 0x8f || blockSize < 4) {
      throw new DecodeError(`An LZ4 frame has the flags ${flags} and ${block}, which are not known`)
    }
    if (flags & 1) throw new DecodeError('An LZ4 frame needs a dictionary')
    let contentSize: number | undefined
    if (flags & 8) {
      const at = this.#skip(8)
      contentSize = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000
      const left = bytes.length - this.#at
      if (contentSize > this.#maxBytes - this.#length || contentSize > left * MAX_EXPANSION) {
        throw new DecodeError(
          `An LZ4 frame of ${left} bytes announces ${contentSize}: at most ${this.#maxBytes} are allowed`,
        )
      }
    }
    const checksum = (xxHash32(bytes, descriptor, this.#at) >>> 8) & 0xff
    const at = this.#skip(1)
    if (bytes[at] !== checksum)
      throw new DecodeError(`An LZ4 frame's header has the checksum ${bytes[at]}, not ${checksum}`)
    return {
      blockBytes: 1 << (8 + 2 * blockSize),
      hasBlockChecksums: (flags & 0x10) !== 0,
      hasContentChecksum: (flags & 4) !== 0,
      contentSize,
    }
  }

  /** Decodes the next block and returns whether there was one. */
  #block(frameStart: number, { blockBytes, hasBlockChecksums }: FrameHeader): boolean {
    const bytes = this.#bytes
    const word = bytes.readUInt32LE(this.#skip(4))
    if (word === 0) return false
    const size = word & 0x7fffffff
    const isStored = word >= 0x80000000
    if (size > blockBytes) throw new DecodeError(`An LZ4 block has ${size} bytes: at most ${blockBytes} are allowed`)
    const start = this.#skip(size)
    const end = this.#at
    if (hasBlockChecksums) this.#check(bytes, start, end)
    this.#reserve(isStored ? size : Math.min(blockBytes, size * MAX_EXPANSION), isStored)
    if (isStored) {
      this.#output.set(bytes.subarray(start, end), this.#length)
      this.#length += size
    } else {
      const limit = Math.min(this.#output.length, this.#length + blockBytes)
      this.#length = decompressBlock(bytes, start, end, this.#output, frameStart, this.#length, limit)
    }
    return true
  }

  #check(bytes: Buffer, start: number, end: number): void {
    const expected = this.#bytes.readUInt32LE(this.#skip(4))
    const computed = xxHash32(bytes, start, end)
    if (computed !== expected) throw new DecodeError(`LZ4 has the checksum ${expected}, and its bytes ${computed}`)
  }

  #skip(length: number): number {
    const start = this.#at
    if (length > this.#bytes.length - start) {
      throw new DecodeError(`LZ4 needs ${length} bytes and ${this.#bytes.length - start} are left`)
    }
    this.#at = start + length
    return start
  }

  /** Makes room for a block that may come out as large as `length`, or as large as is allowed. */
  #reserve(length: number, isExact: boolean): void {
    const needed = this.#length + length
    if (isExact && needed > this.#maxBytes) throw tooLarge(this.#maxBytes)
    if (needed <= this.#output.length || this.#output.length === this.#maxBytes) return
    const larger = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(needed, 2 * this.#output.length)))
    larger.set(this.#output.subarray(0, this.#length))
    this.#output = larger
  }
}

function tooLarge(limit: number): DecodeError {
  return new DecodeError(`LZ4 decompresses into more than ${limit} bytes`)
}

/** Returns where the output ends. A match may reach back to `outputStart`: blocks need not be independent. */
function decompressBlock(
  bytes: Buffer,
  from: number,
  end: number,
  output: Buffer,
  outputStart: number,
  to: number,
  limit: number,
): number {
  const words = wordsOf(bytes)
  const outputWords = wordsOf(output)
  let at = from
  let position = to
  while (at < end) {
    const token = bytes[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      for (let byte = 255; byte === 255; literals += byte) {
        if (at >= end) throw new DecodeError('An LZ4 block ends within a length')
        byte = bytes[at++]!
      }
    }
    if (literals > end - at) throw new DecodeError(`An LZ4 block has ${literals} literals and ${end - at} bytes left`)
    if (literals > limit - position) throw tooLarge(limit)
    copyLiteral(bytes, words, at, output, outputWords, position, literals)
    at += literals
    position += literals
    if (at === end) return position
    if (end - at < 2) throw new DecodeError('An LZ4 block ends within an offset')
    const offset = bytes[at]! | (bytes[at + 1]! << 8)
    at += 2
    let match = (token & 15) + 4
    if (match === 19) {
      for (let byte = 255; byte === 255; match += byte) {
        if (at >= end) throw new DecodeError('An LZ4 block ends within a length')
        byte = bytes[at++]!
      }
    }
    if (offset === 0 || offset > position - outputStart)
      throw new DecodeError(`An LZ4 match reaches ${offset} bytes back`)
    if (match > limit - position) throw tooLarge(limit)
    copyMatch(output, outputWords, position, offset, match)
    position += match
  }
  throw new DecodeError('An LZ4 block does not end in literals')
}

/** Greedy, over a table of where four bytes were last seen; leaps ahead where nothing repeats. Returns where the block ends. */
function compressBlock(
  bytes: Buffer,
  start: number,
  end: number,
  output: Buffer,
  to: number,
  table: Uint16Array,
): number {
  const lastMatch = end - MATCH_LIMIT
  const matchEnd = end - LAST_LITERALS
  let position = to
  const words = wordsOf(bytes)
  let literalStart = start
  let at = start + 1
  let misses = 64
  while (at <= lastMatch) {
    const word = words.getInt32(at, true)
    const hash = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS)
    const candidate = start + table[hash]!
    table[hash] = at - start
    if (candidate >= at || words.getInt32(candidate, true) !== word) {
      at += misses++ >>> 6
      continue
    }
    let length = 4
    while (
      at + length + 4 <= matchEnd &&
      words.getInt32(candidate + length, true) === words.getInt32(at + length, true)
    ) {
      length += 4
    }
    while (at + length < matchEnd && bytes[candidate + length] === bytes[at + length]) length++
    position = writeLiterals(bytes, literalStart, at, output, position, Math.min(15, length - 4))
    const offset = at - candidate
    output[position++] = offset & 0xff
    output[position++] = offset >>> 8
    if (length >= 19) position = writeRest(output, position, length - 19)
    at += length
    literalStart = at
    misses = 64
  }
  return writeLiterals(bytes, literalStart, end, output, position, 0)
}

function writeLiterals(bytes: Buffer, start: number, end: number, output: Buffer, to: number, match: number): number {
  const length = end - start
  let position = to
  output[position++] = (Math.min(15, length) << 4) | match
  if (length >= 15) position = writeRest(output, position, length - 15)
  output.set(bytes.subarray(start, end), position)
  return position + length
}

function writeRest(output: Buffer, to: number, length: number): number {
  let position = to
  let rest = length
  for (; rest >= 255; rest -= 255) output[position++] = 255
  output[position++] = rest
  return position
}
