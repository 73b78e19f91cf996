/**
 * Reads Kafka's primitive types from a buffer. Every read is checked against `end`, so that whatever the bytes
 * are the outcome is a value or a `DecodeError`; a length is believed only as far as there are bytes for it.
 *
 * 64-bit numbers come out as JavaScript numbers. One that is not safe (beyond 2^53 - 1) is an error, never rounded.
 */
import { DecodeError, TruncatedError } from './decode-error.ts'

const TWO_TO_32 = 0x1_0000_0000

export class Reader {
  readonly buffer: Buffer
  readonly end: number
  position: number

  constructor(buffer: Buffer, position = 0, end = buffer.length) {
    this.buffer = buffer
    this.position = position
    this.end = end
  }

  get remaining(): number {
    return this.end - this.position
  }

  /** Moves past `length` bytes and returns where they begin. */
  skip(length: number): number {
    const start = this.position
    if (length < 0 || length > this.end - start) throw truncated(length, this.end - start)
    this.position = start + length
    return start
  }

  bool(): boolean {
    return this.buffer[this.skip(1)] !== 0
  }

  int8(): number {
    return this.buffer.readInt8(this.skip(1))
  }

  int16(): number {
    return this.buffer.readInt16BE(this.skip(2))
  }

  uint16(): number {
    return this.buffer.readUInt16BE(this.skip(2))
  }

  int32(): number {
    return this.buffer.readInt32BE(this.skip(4))
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.skip(4))
  }

  int64(): number {
    const start = this.skip(8)
    const value = this.buffer.readInt32BE(start) * TWO_TO_32 + this.buffer.readUInt32BE(start + 4)
    if (!Number.isSafeInteger(value)) {
      throw new DecodeError(
        `The 64-bit number ${this.buffer.readBigInt64BE(start)} is beyond 2^53 - 1 and cannot be held exactly`,
      )
    }
    return value
  }

  float64(): number {
    return this.buffer.readDoubleBE(this.skip(8))
  }

  /** An unsigned LEB128 number of at most 32 bits. */
  unsignedVarint(): number {
    const { buffer, end } = this
    let value = 0
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.position >= end) throw truncated(1, 0)
      const byte = buffer[this.position++]!
      if (shift === 28 && byte > 0x0f) break
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw new DecodeError('A variable-length number runs over 32 bits')
  }

  /** A zigzag-encoded number of at most 32 bits. */
  varint(): number {
    const raw = this.unsignedVarint()
    return (raw >>> 1) ^ -(raw & 1)
  }

  /** A zigzag-encoded number of at most 64 bits; beyond 2^53 - 1 an error. */
  varlong(): number {
    const { buffer, end } = this
    // Two halves of 28 bits and a rest of 8, as `|` and `<<` only know 32 bits.
    let low = 0
    let middle = 0
    let high = 0
    for (let index = 0; index < 10; index++) {
      if (this.position >= end) throw truncated(1, 0)
      const byte = buffer[this.position++]!
      const bits = byte & 0x7f
      if (index < 4) low |= bits << (7 * index)
      else if (index < 8) middle |= bits << (7 * (index - 4))
      else high |= bits << (7 * (index - 8))
      if (byte >= 0x80) continue
      const magnitude = Math.floor(low / 2) + middle * 0x8000000 + high * 0x80000000000000
      const value = low & 1 ? -magnitude - 1 : magnitude
      if (high > 0xff || !Number.isSafeInteger(value)) {
        throw new DecodeError('A variable-length number is beyond 2^53 - 1')
      }
      return value
    }
    throw new DecodeError('A variable-length number runs over 64 bits')
  }

  uuid(): string {
    const start = this.skip(16)
    return this.buffer.toString('base64url', start, start + 16)
  }

  /** The next `length` bytes as UTF-8. */
  text(length: number): string {
    const start = this.skip(length)
    return this.buffer.toString('utf8', start, start + length)
  }

  /** The next `length` bytes: a view, not a copy. */
  slice(length: number): Buffer {
    const start = this.skip(length)
    return this.buffer.subarray(start, start + length)
  }
}

function truncated(wanted: number, left: number): DecodeError {
  if (wanted < 0) return new DecodeError(`A length of ${wanted} is negative`)
  return new TruncatedError(`${wanted} bytes are announced and ${left} are left`)
}
