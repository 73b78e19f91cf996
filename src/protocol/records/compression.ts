/**
 * Compresses and decompresses what stands behind a batch's header. docs/decisions/0002-compression.md says what was weighed.
 *
 * Whatever the bytes are, `decompress` ends in a result of at most `maxBytes` or in a `DecodeError`, and never reserves
 * more than the input or `maxBytes` justifies.
 */
import zlib from 'node:zlib'
import { DecodeError } from '../decode-error.ts'
import { fitted } from './fitted.ts'
import { compressLz4Frame, decompressLz4Frame } from './lz4.ts'
import { compressSnappy, decompressSnappy } from './snappy.ts'
import { zstdFrameAt } from './zstd-frame.ts'

export type CompressionType = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

interface Codec {
  compress(bytes: Buffer, level: number | undefined): Buffer
  decompress(bytes: Buffer, maxBytes: number): Buffer
}

const { Z_DEFAULT_COMPRESSION, ZSTD_c_compressionLevel } = zlib.constants
/** Kafka's default level for zstd. */
const ZSTD_LEVEL = 3
/** Each is a call that costs far more than a frame's few bytes: nobody writes more than one, unless to keep us busy. */
const MAX_ZSTD_FRAMES = 1000

const codecs: Readonly<Record<CompressionType, Codec>> = {
  none: { compress: (bytes) => bytes, decompress: (bytes) => bytes },
  gzip: {
    compress: (bytes, level = Z_DEFAULT_COMPRESSION) => zlib.gzipSync(bytes, { level }),
    decompress: (bytes, maxBytes) => fitted(zlib.gunzipSync(bytes, zlibLimits(bytes, maxBytes))),
  },
  snappy: { compress: compressSnappy, decompress: decompressSnappy },
  lz4: { compress: compressLz4Frame, decompress: decompressLz4Frame },
  zstd: {
    compress: (bytes, level = ZSTD_LEVEL) =>
      zlib.zstdCompressSync(bytes, { params: { [ZSTD_c_compressionLevel]: level }, pledgedSrcSize: bytes.length }),
    decompress: decompressZstd,
  },
}

/** `level` is gzip's (1 to 9) or zstd's (-131072 to 22); the others have none. */
export function compress(type: CompressionType, bytes: Buffer, level?: number): Buffer {
  return codecs[type].compress(bytes, level)
}

/** @throws DecodeError when the bytes are not what `type` says, or decompress into more than `maxBytes` */
export function decompress(type: CompressionType, bytes: Buffer, maxBytes: number): Buffer {
  try {
    return codecs[type].decompress(bytes, maxBytes)
  } catch (error) {
    if (error instanceof DecodeError) throw error
    const isTooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    const reason = isTooLarge ? `more than ${maxBytes} bytes come out` : String(error)
    throw new DecodeError(`Decompressing ${bytes.length} bytes of ${type} failed: ${reason}`, { cause: error })
  }
}

/** Usually one frame; all that there are must use up the bytes. */
function decompressZstd(bytes: Buffer, maxBytes: number): Buffer {
  const outputs: Buffer[] = []
  let left = maxBytes
  for (let at = 0; at < bytes.length || at === 0;) {
    const { end, isSkippable } = zstdFrameAt(bytes, at)
    const frame = bytes.subarray(at, end)
    at = end
    if (isSkippable) continue
    if (outputs.length === MAX_ZSTD_FRAMES) throw new DecodeError(`More than ${MAX_ZSTD_FRAMES} zstd frames in a row`)
    const output = fitted(zlib.zstdDecompressSync(frame, zlibLimits(frame, left)))
    // A limit of 0 cannot be said to zlib.
    if (output.length > left) throw new DecodeError(`More than ${maxBytes} bytes come out of zstd`)
    outputs.push(output)
    left -= output.length
  }
  return outputs.length === 1 ? outputs[0]! : Buffer.concat(outputs)
}

/** zlib reserves a chunk at once and stops when the limit is passed: chunks are large enough that a usual batch needs few. */
function zlibLimits(bytes: Buffer, maxBytes: number): { maxOutputLength: number; chunkSize: number } {
  return {
    maxOutputLength: Math.max(1, maxBytes),
    chunkSize: Math.min(1024 * 1024, Math.max(16 * 1024, 4 * bytes.length)),
  }
}
