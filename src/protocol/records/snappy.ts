/**
 * Snappy: the raw format, and the framing around it that Kafka's Java client writes (snappy-java's, from xerial).
 *
 *     framing   82 53 4e 41 50 50 59 00  version:int32  compatible:int32  { length:int32  block }
 *     block     uncompressed_length:varint  { tag … }
 *     tag       xxxxxx00 literal, length in the tag or in 1 to 4 bytes behind it
 *               xxxxxx01 copy of 4 to 11 bytes, offset of 11 bits    xxxxxx10 copy, offset of 16 bits    xxxxxx11 offset of 32 bits
 *
 * Formats: https://github.com/google/snappy/blob/main/format_description.txt, SnappyCodec in snappy-java. Both forms are read; librdkafka and franz-go write
 * the raw one or the framing as they please.
 */
import { DecodeError } from '../decode-error.ts'
import { copyLiteral, copyMatch, wordsOf } from './block-copy.ts'

const FRAMING_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const FRAMING_HEADER = Buffer.concat([FRAMING_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])])
/** snappy-java's default; a block's offsets then always fit into 16 bits. */
const BLOCK_BYTES = 32 * 1024
/** The best that a tag can do: 64 bytes out of 3. */
const MAX_EXPANSION = 22
const HASH_BITS = 13

/** As Kafka's Java client writes it: with xerial's framing. */
export function compressSnappy(bytes: Buffer): Buffer {
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES)
  const output = Buffer.allocUnsafe(
    FRAMING_HEADER.length + bytes.length + Math.ceil(bytes.length / 6) + 64 * (blocks + 1),
  )
  output.set(FRAMING_HEADER)
  const table = new Uint16Array(1 << HASH_BITS)
  let position = FRAMING_HEADER.length
  for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
    const end = Math.min(bytes.length, start + BLOCK_BYTES)
    const blockEnd = compressBlock(bytes, start, end, output, position + 4, table.fill(0))
    output.writeInt32BE(blockEnd - position - 4, position)
    position = blockEnd
  }
  return output.subarray(0, position)
}

/** @throws DecodeError when the bytes are not snappy, or decompress into more than `maxBytes` */
export function decompressSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length < FRAMING_HEADER.length || bytes.compare(FRAMING_MAGIC, 0, 8, 0, 8) !== 0) {
    const block = openBlock(bytes, 0, bytes.length)
    checkSize(block.length, maxBytes)
    const output = Buffer.allocUnsafe(block.length)
    decompressBlock(bytes, block.start, bytes.length, output, 0, block.length)
    return output
  }
  // Twice over the blocks: their lengths first, so that the whole is reserved once and only when it is allowed.
  let size = 0
  for (let at = FRAMING_HEADER.length; at < bytes.length;) {
    const end = endOfFramed(bytes, at)
    size += openBlock(bytes, at + 4, end).length
    checkSize(size, maxBytes)
    at = end
  }
  const output = Buffer.allocUnsafe(size)
  let position = 0
  for (let at = FRAMING_HEADER.length; at < bytes.length;) {
    const end = endOfFramed(bytes, at)
    const block = openBlock(bytes, at + 4, end)
    decompressBlock(bytes, block.start, end, output, position, position + block.length)
    position += block.length
    at = end
  }
  return output
}

function checkSize(size: number, maxBytes: number): void {
  if (size > maxBytes) throw new DecodeError(`Snappy announces ${size} bytes: at most ${maxBytes} are allowed`)
}

function endOfFramed(bytes: Buffer, at: number): number {
  const length = bytes.length - at < 4 ? -1 : bytes.readInt32BE(at)
  if (length < 0 || length > bytes.length - at - 4) {
    throw new DecodeError(`A snappy block has the length ${length} with ${bytes.length - at} bytes left`)
  }
  return at + 4 + length
}

/** The length that a block announces, believed only if its bytes can make as many, and where its tags begin. */
function openBlock(bytes: Buffer, at: number, end: number): { length: number; start: number } {
  let length = 0
  let position = at
  for (let shift = 0; ; shift += 7) {
    if (position >= end || shift > 28) throw new DecodeError('A snappy block has no length')
    const byte = bytes[position++]!
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  if (length > (end - position) * MAX_EXPANSION) {
    throw new DecodeError(`A snappy block of ${end - position} bytes announces ${length}`)
  }
  return { length, start: position }
}

function decompressBlock(
  bytes: Buffer,
  from: number,
  end: number,
  output: Buffer,
  to: number,
  outputEnd: number,
): void {
  const words = wordsOf(bytes)
  const outputWords = wordsOf(output)
  let at = from
  let position = to
  while (at < end) {
    const tag = bytes[at++]!
    const kind = tag & 3
    let length = (tag >>> 2) + 1
    if (kind === 0) {
      if (length > 60) {
        const size = length - 60
        if (at + size > end) throw broken('literal', length)
        length = bytes.readUIntLE(at, size) + 1
        at += size
      }
      if (length > end - at || length > outputEnd - position) throw broken('literal', length)
      copyLiteral(bytes, words, at, output, outputWords, position, length)
      at += length
      position += length
      continue
    }
    let offset: number
    if (kind === 1) {
      length = ((tag >>> 2) & 7) + 4
      if (at >= end) throw broken('copy', length)
      offset = ((tag >>> 5) << 8) | bytes[at++]!
    } else {
      const size = kind === 2 ? 2 : 4
      if (at + size > end) throw broken('copy', length)
      offset = kind === 2 ? bytes[at]! | (bytes[at + 1]! << 8) : bytes.readUInt32LE(at)
      at += size
    }
    if (offset === 0 || offset > position - to || length > outputEnd - position) throw broken('copy', length)
    copyMatch(output, outputWords, position, offset, length)
    position += length
  }
  if (position !== outputEnd)
    throw new DecodeError(`A snappy block ends ${outputEnd - position} bytes before it should`)
}

function broken(what: string, length: number): DecodeError {
  return new DecodeError(`Snappy has a ${what} of ${length} bytes that does not fit`)
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
  let position = writeLength(output, to, end - start)
  const words = wordsOf(bytes)
  let literalStart = start
  let at = start + 1
  let misses = 32
  while (at + 4 <= end) {
    const word = words.getInt32(at, true)
    const hash = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS)
    const candidate = start + table[hash]!
    table[hash] = at - start
    if (candidate >= at || words.getInt32(candidate, true) !== word) {
      at += misses++ >>> 5
      continue
    }
    position = writeLiteral(bytes, literalStart, at, output, position)
    let length = 4
    while (at + length + 4 <= end && words.getInt32(candidate + length, true) === words.getInt32(at + length, true)) {
      length += 4
    }
    while (at + length < end && bytes[candidate + length] === bytes[at + length]) length++
    position = writeCopy(output, position, at - candidate, length)
    at += length
    literalStart = at
    misses = 32
  }
  return writeLiteral(bytes, literalStart, end, output, position)
}

function writeLength(output: Buffer, to: number, length: number): number {
  let position = to
  let rest = length
  for (; rest >= 0x80; rest >>>= 7) output[position++] = (rest & 0x7f) | 0x80
  output[position++] = rest
  return position
}

function writeLiteral(bytes: Buffer, start: number, end: number, output: Buffer, to: number): number {
  const length = end - start
  if (length === 0) return to
  let position = to
  if (length <= 60) {
    output[position++] = (length - 1) << 2
  } else if (length <= 0x100) {
    output[position++] = 60 << 2
    output[position++] = length - 1
  } else {
    output[position++] = 61 << 2
    output[position++] = (length - 1) & 0xff
    output[position++] = (length - 1) >>> 8
  }
  output.set(bytes.subarray(start, end), position)
  return position + length
}

function writeCopy(output: Buffer, to: number, offset: number, length: number): number {
  let position = to
  let rest = length
  while (rest > 0) {
    // What is left over must be 4 bytes at least, so 64 to 67 are not cut at 64.
    const part = rest > 64 ? (rest < 68 ? 60 : 64) : rest
    if (part >= 4 && part <= 11 && offset < 2048) {
      output[position++] = 1 | ((part - 4) << 2) | ((offset >>> 8) << 5)
      output[position++] = offset & 0xff
    } else {
      output[position++] = 2 | ((part - 1) << 2)
      output[position++] = offset & 0xff
      output[position++] = offset >>> 8
    }
    rest -= part
  }
  return position
}
