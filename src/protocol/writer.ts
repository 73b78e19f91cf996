/**
 * Writes Kafka's primitive types. Small values are gathered in buffers of its own; a large byte value (record batches,
 * above all) is kept as a reference, so that a fetch response carries the log's bytes without a copy.
 */
import { EncodeError } from './decode-error.ts'

const TWO_TO_32 = 0x1_0000_0000
const FIRST_SIZE = 512
/** From this many bytes on, a reference is cheaper than a copy. */
const REFERENCE_FROM = 2048

export class Writer {
  readonly #finished: Buffer[] = []
  #finishedLength = 0
  #buffer: Buffer
  #position = 0

  constructor(size = FIRST_SIZE) {
    this.#buffer = Buffer.allocUnsafe(size)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#finishedLength + this.#position
  }

  bool(value: boolean): void {
    const at = this.#reserve(1)
    this.#buffer[at] = value ? 1 : 0
  }

  int8(value: number): void {
    const at = this.#reserve(1)
    this.#buffer.writeInt8(value, at)
  }

  int16(value: number): void {
    const at = this.#reserve(2)
    this.#buffer.writeInt16BE(value, at)
  }

  uint16(value: number): void {
    const at = this.#reserve(2)
    this.#buffer.writeUInt16BE(value, at)
  }

  int32(value: number): void {
    const at = this.#reserve(4)
    this.#buffer.writeInt32BE(value, at)
  }

  uint32(value: number): void {
    const at = this.#reserve(4)
    this.#buffer.writeUInt32BE(value, at)
  }

  int64(value: number): void {
    if (!Number.isSafeInteger(value)) throw new EncodeError(`${value} is not a whole number within 2^53 - 1`)
    const at = this.#reserve(8)
    this.#buffer.writeInt32BE(Math.floor(value / TWO_TO_32), at)
    this.#buffer.writeUInt32BE(value >>> 0, at + 4)
  }

  float64(value: number): void {
    const at = this.#reserve(8)
    this.#buffer.writeDoubleBE(value, at)
  }

  unsignedVarint(value: number): void {
    let at = this.#reserve(5)
    const start = at
    let rest = value >>> 0
    while (rest >= 0x80) {
      this.#buffer[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[at++] = rest
    this.#position -= 5 - (at - start)
  }

  varint(value: number): void {
    this.unsignedVarint((value << 1) ^ (value >> 31))
  }

  varlong(value: number): void {
    if (!Number.isSafeInteger(value)) throw new EncodeError(`${value} is not a whole number within 2^53 - 1`)
    if (value >= -0x40000000 && value < 0x40000000) return this.varint(value)
    let rest = value < 0 ? (BigInt(-(value + 1)) << 1n) | 1n : BigInt(value) << 1n
    while (rest >= 0x80n) {
      this.int8(Number(BigInt.asIntN(8, (rest & 0x7fn) | 0x80n)))
      rest >>= 7n
    }
    this.int8(Number(rest))
  }

  uuid(value: string): void {
    const bytes = Buffer.from(value, 'base64url')
    if (bytes.length !== 16) throw new EncodeError(`"${value}" is not a topic id: 22 base64url characters are`)
    this.bytes(bytes)
  }

  /** `text` as UTF-8, without a length before it; `byteLength` is what `Buffer.byteLength` said. */
  text(text: string, byteLength: number): void {
    const at = this.#reserve(byteLength)
    this.#buffer.write(text, at, byteLength, 'utf8')
  }

  /** The bytes themselves, without a length before them. A large buffer is not copied and must not change afterwards. */
  bytes(value: Uint8Array): void {
    if (value.length < REFERENCE_FROM) {
      const at = this.#reserve(value.length)
      this.#buffer.set(value, at)
      return
    }
    this.#finish()
    this.#finished.push(Buffer.from(value.buffer, value.byteOffset, value.length))
    this.#finishedLength += value.length
  }

  /** Everything written, in order. The writer is spent afterwards. */
  toBuffers(): Buffer[] {
    this.#finish()
    return this.#finished
  }

  /** Everything written, as one buffer. */
  toBuffer(): Buffer {
    const buffers = this.toBuffers()
    return buffers.length === 1 ? buffers[0]! : Buffer.concat(buffers)
  }

  #finish(): void {
    if (this.#position === 0) return
    this.#finished.push(this.#buffer.subarray(0, this.#position))
    this.#finishedLength += this.#position
    this.#buffer = this.#buffer.subarray(this.#position)
    this.#position = 0
  }

  /** Makes room and returns where it begins. Callers read `#buffer` after this, as it may be another one. */
  #reserve(length: number): number {
    if (this.#position + length > this.#buffer.length) {
      const size = Math.max(FIRST_SIZE, 2 * this.#buffer.length, length)
      this.#finish()
      this.#buffer = Buffer.allocUnsafe(size)
    }
    const at = this.#position
    this.#position = at + length
    return at
  }
}
