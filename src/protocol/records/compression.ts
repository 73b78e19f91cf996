/**
 * Compresses and decompresses what stands behind a batch's header. docs/decisions/0002-compression.md says what was weighed.
 *
 * Whatever the bytes are, `decompress` ends in a result of at most `maxBytes` or in a `DecodeError`, and never reserves
 * more than the input or `maxBytes` justifies.
 */
import zlib from 'node:zlib'
import { DecodeError } from '../decode-error.ts'
import { compressLz4Frame, decompressLz4Frame } from './lz4.ts'
import { compressSnappy, decompressSnappy } from './snappy.ts'

export type CompressionType = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** `level` is gzip's (1 to 9) or zstd's (-131072 to 22); the others have none. */
export function compress(type: CompressionType, bytes: Buffer, level?: number): Buffer {
  switch (type) {
    case 'none':
      return bytes
    case 'gzip':
      return zlib.gzipSync(bytes, { level: level ?? zlib.constants.Z_DEFAULT_COMPRESSION })
    case 'snappy':
      return compressSnappy(bytes)
    case 'lz4':
      return compressLz4Frame(bytes)
    case 'zstd':
      return zlib.zstdCompressSync(bytes, { params: { [zlib.constants.ZSTD_c_compressionLevel]: level ?? 3 } })
  }
}

/** @throws DecodeError when the bytes are not what `type` says, or decompress into more than `maxBytes` */
export function decompress(type: CompressionType, bytes: Buffer, maxBytes: number): Buffer {
  try {
    switch (type) {
      case 'none':
        return bytes
      case 'gzip':
        return zlib.gunzipSync(bytes, { maxOutputLength: Math.max(1, maxBytes), chunkSize: chunkSize(bytes) })
      case 'snappy':
        return decompressSnappy(bytes, maxBytes)
      case 'lz4':
        return decompressLz4Frame(bytes, maxBytes)
      case 'zstd':
        return zlib.zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, maxBytes), chunkSize: chunkSize(bytes) })
    }
  } catch (error) {
    if (error instanceof DecodeError) throw error
    const reason =
      (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
        ? `more than ${maxBytes} bytes come out`
        : String(error)
    throw new DecodeError(`Decompressing ${bytes.length} bytes of ${type} failed: ${reason}`, { cause: error })
  }
}

/** What zlib reserves at once: large enough that a usual batch needs few of them. */
function chunkSize(bytes: Buffer): number {
  return Math.min(1024 * 1024, Math.max(16 * 1024, 4 * bytes.length))
}
