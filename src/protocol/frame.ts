/**
 * The frame around every message: four bytes of size, a header, the body.
 *
 *     request   size:int32  api_key:int16  api_version:int16  correlation_id:int32  client_id:nullable_string  [tags]  body
 *     response  size:int32  correlation_id:int32  [tags]  body
 *
 * Tags are there in flexible versions; an ApiVersions response never has them, so that a client can read the answer to
 * a version that the broker does not know.
 */
import { type Api } from './api.ts'
import { DecodeError } from './decode-error.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

const API_VERSIONS_KEY = 18
/** Kafka's own `socket.request.max.bytes` is 100 MiB; responses may be as large as a 32-bit size says. */
export const MAX_REQUEST_BYTES = 100 * 1024 * 1024
const MAX_FRAME_BYTES = 0x7fffffff

export interface RequestHeader {
  apiKey: number
  apiVersion: number
  correlationId: number
  clientId: string | null
}

function framed(writer: Writer): Buffer[] {
  const size = Buffer.allocUnsafe(4)
  size.writeInt32BE(writer.length)
  return [size, ...writer.toBuffers()]
}

export function encodeRequest<I>(
  api: Api<any, I, any, any>,
  version: number,
  header: { correlationId: number; clientId: string | null },
  body: I,
): Buffer[] {
  const writer = new Writer()
  writer.int16(api.key)
  writer.int16(version)
  writer.int32(header.correlationId)
  if (header.clientId === null) {
    writer.int16(-1)
  } else {
    const length = Buffer.byteLength(header.clientId)
    writer.int16(length)
    writer.text(header.clientId, length)
  }
  if (api.isFlexible(version)) writer.unsignedVarint(0)
  api.requestCodec(version).write(writer, body)
  return framed(writer)
}

/** The first eight bytes of a request: enough to answer, whatever follows. */
export function decodeRequestStart(reader: Reader): { apiKey: number; apiVersion: number; correlationId: number } {
  return { apiKey: reader.int16(), apiVersion: reader.int16(), correlationId: reader.int32() }
}

/** The rest of a request's header. The reader stands at the body afterwards. */
export function decodeRequestClientId(reader: Reader, flexible: boolean): string | null {
  const length = reader.int16()
  if (length < -1) throw new DecodeError(`The client id has the length ${length}`)
  const clientId = length === -1 ? null : reader.text(length)
  if (flexible) skipTags(reader)
  return clientId
}

export function encodeResponse<I>(
  api: Api<any, any, any, I>,
  version: number,
  correlationId: number,
  body: I,
): Buffer[] {
  const writer = new Writer()
  writer.int32(correlationId)
  if (api.isFlexible(version) && api.key !== API_VERSIONS_KEY) writer.unsignedVarint(0)
  api.responseCodec(version).write(writer, body)
  return framed(writer)
}

/** The body of a response whose correlation id has been read (four bytes at the frame's start). */
export function decodeResponse<R>(api: Api<any, any, R, any>, version: number, frame: Buffer): R {
  const reader = new Reader(frame, 4)
  if (api.isFlexible(version) && api.key !== API_VERSIONS_KEY) skipTags(reader)
  const body = api.responseCodec(version).read(reader)
  if (reader.remaining > 0)
    throw new DecodeError(`${api.name} response version ${version} has ${reader.remaining} bytes too many`)
  return body
}

function skipTags(reader: Reader): void {
  for (let count = reader.unsignedVarint(); count > 0; count--) {
    reader.unsignedVarint()
    reader.skip(reader.unsignedVarint())
  }
}

/**
 * Cuts a byte stream into frames, whatever the chunks are. A frame that lies within one chunk is a view of it (a copy, if chunks
 * are only `borrowed` until `push` returns); a longer one is gathered in a single buffer. A size is checked before anything is allocated for it, and the buffer
 * grows with the bytes that really arrive, so that four bytes cannot make anybody reserve two gigabytes.
 */
export class FrameSplitter {
  readonly #maxBytes: number
  readonly #isBorrowed: boolean
  readonly #sizeBytes = Buffer.alloc(4)
  #sizeLength = 0
  #size = -1
  #gathered: Buffer | undefined
  #gatheredLength = 0

  constructor(maxBytes = MAX_FRAME_BYTES, { borrowed = false }: { borrowed?: boolean } = {}) {
    this.#maxBytes = maxBytes
    this.#isBorrowed = borrowed
  }

  /** Takes the next bytes and hands every frame that they complete (without its size) to `onFrame`, in order. */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    let at = 0
    while (at < chunk.length || this.#size === 0) {
      if (this.#size < 0) {
        while (this.#sizeLength < 4 && at < chunk.length) this.#sizeBytes[this.#sizeLength++] = chunk[at++]!
        if (this.#sizeLength < 4) return
        this.#begin()
      }
      if (!this.#gathered && chunk.length - at >= this.#size) {
        const view = chunk.subarray(at, at + this.#size)
        const frame = this.#isBorrowed ? Buffer.from(view) : view
        at += this.#size
        this.#size = -1
        onFrame(frame)
        continue
      }
      at += this.#gather(chunk, at)
      if (this.#gatheredLength < this.#size) continue
      const frame = this.#gathered!.subarray(0, this.#size)
      this.#gathered = undefined
      this.#size = -1
      onFrame(frame)
    }
  }

  #begin(): void {
    const size = this.#sizeBytes.readInt32BE(0)
    this.#sizeLength = 0
    if (size < 0 || size > this.#maxBytes) {
      throw new DecodeError(`A frame announces ${size} bytes: at most ${this.#maxBytes} are allowed`)
    }
    this.#size = size
    this.#gatheredLength = 0
  }

  #gather(chunk: Buffer, at: number): number {
    const length = Math.min(chunk.length - at, this.#size - this.#gatheredLength)
    const needed = this.#gatheredLength + length
    const first = Math.min(this.#size, Math.max(needed, 8 * 1024 * 1024))
    this.#gathered ??= Buffer.allocUnsafeSlow(first)
    if (needed > this.#gathered.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#size, Math.max(needed, 2 * this.#gathered.length)))
      this.#gathered.copy(larger, 0, 0, this.#gatheredLength)
      this.#gathered = larger
    }
    chunk.copy(this.#gathered, this.#gatheredLength, at, at + length)
    this.#gatheredLength = needed
    return length
  }
}
