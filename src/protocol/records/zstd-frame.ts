/**
 * Where a zstd frame ends: its blocks are walked through, not opened.
 *
 * Node's zstd stops behind the first frame, and before Node 24 it takes a frame that is cut off for a whole one; both in silence. So
 * frames are cut here, and each is handed to it alone and complete.
 *
 *     frame   28 b5 2f fd  descriptor  [window]  [dictionary: 0, 1, 2, 4]  [content_size: 0, 1, 2, 4, 8]  { block }  [checksum:uint32]
 *     block   header:uint24 (size << 3 | type << 1 | last)  bytes; type 0 stored, 1 one byte repeated, 2 compressed
 *
 * Little-endian throughout. Format: RFC 8878.
 */
import { DecodeError, TruncatedError } from '../decode-error.ts'

const MAGIC = 0xfd2fb528
/** Frames of other content, to be passed over: 16 magic numbers, a size and as many bytes. */
const SKIPPABLE_MAGIC = 0x184d2a50
const dictionaryBytes = [0, 1, 2, 4] as const

export interface ZstdFrame {
  /** Where the next frame begins. */
  readonly end: number
  readonly isSkippable: boolean
}

/** @throws DecodeError when no whole frame begins at `start` */
export function zstdFrameAt(bytes: Buffer, start: number): ZstdFrame {
  const magic = bytes.readUInt32LE(within(bytes, start, 4))
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
    const size = bytes.readUInt32LE(within(bytes, start + 4, 4))
    return { end: within(bytes, start + 8, size) + size, isSkippable: true }
  }
  if (magic !== MAGIC) throw new DecodeError(`A zstd frame begins with ${magic.toString(16)}`)
  const descriptor = bytes[within(bytes, start + 4, 1)]!
  const isSingleSegment = (descriptor & 0x20) !== 0
  const contentSizeFlag = descriptor >>> 6
  const contentSizeBytes = contentSizeFlag === 0 ? Number(isSingleSegment) : 1 << contentSizeFlag
  let at = start + 5 + Number(!isSingleSegment) + dictionaryBytes[descriptor & 3]! + contentSizeBytes
  for (let isLast = false; !isLast;) {
    const header = bytes.readUIntLE(within(bytes, at, 3), 3)
    isLast = (header & 1) !== 0
    const isRepeated = ((header >>> 1) & 3) === 1
    const size = isRepeated ? 1 : header >>> 3
    at = within(bytes, at + 3, size) + size
  }
  const checksumBytes = descriptor & 4
  return { end: within(bytes, at, checksumBytes) + checksumBytes, isSkippable: false }
}

function within(bytes: Buffer, at: number, length: number): number {
  if (length > bytes.length - at)
    throw new TruncatedError(`A zstd frame needs ${length} bytes and ${bytes.length - at} are left`)
  return at
}
