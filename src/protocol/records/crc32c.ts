/**
 * CRC-32C (Castagnoli), the checksum of record batches.
 *
 * Processors have an instruction for it that JavaScript cannot reach, so the optional package `@node-rs/crc32` (prebuilt, no
 * install script) is used where it is installed: three times as fast from a kilobyte on. Without it, and for short input, where
 * the call costs more than the work, the tables below do: sixteen bytes a step by sixteen tables ("slicing"), so that the tables'
 * loads do not wait for each other.
 */
import { createRequire } from 'node:module'

type Checksum = (bytes: Uint8Array) => number

const POLYNOMIAL = 0x82f63b78
const SLICES = 16
/** From this many bytes on a native call is worth its price. */
const NATIVE_FROM = 512

const tables = new Int32Array(256 * SLICES)
for (let byte = 0; byte < 256; byte++) {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
  tables[byte] = value
}
for (let at = 256; at < tables.length; at++) {
  const previous = tables[at - 256]!
  tables[at] = (previous >>> 8) ^ tables[previous & 0xff]!
}

/** Undefined until it is first needed, null where there is none. */
let native: Checksum | null | undefined

/** The checksum of `buffer` from `start` to `end`, as an unsigned 32-bit number. */
export function crc32c(buffer: Uint8Array, start = 0, end = buffer.length): number {
  if (end - start >= NATIVE_FROM) {
    if (native === undefined) native = loadNative()
    if (native !== null) return native(buffer.subarray(start, end))
  }
  return crc32cByTables(buffer, start, end)
}

/** The same without native code. */
export function crc32cByTables(buffer: Uint8Array, start = 0, end = buffer.length): number {
  const t = tables
  const words = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
  let crc = -1
  let at = start
  for (const last = end - 16; at <= last; at += 16) {
    const one = words.getInt32(at, true) ^ crc
    const two = words.getInt32(at + 4, true)
    const three = words.getInt32(at + 8, true)
    const four = words.getInt32(at + 12, true)
    crc =
      t[0xf00 + (one & 0xff)]! ^
      t[0xe00 + ((one >>> 8) & 0xff)]! ^
      t[0xd00 + ((one >>> 16) & 0xff)]! ^
      t[0xc00 + (one >>> 24)]! ^
      t[0xb00 + (two & 0xff)]! ^
      t[0xa00 + ((two >>> 8) & 0xff)]! ^
      t[0x900 + ((two >>> 16) & 0xff)]! ^
      t[0x800 + (two >>> 24)]! ^
      t[0x700 + (three & 0xff)]! ^
      t[0x600 + ((three >>> 8) & 0xff)]! ^
      t[0x500 + ((three >>> 16) & 0xff)]! ^
      t[0x400 + (three >>> 24)]! ^
      t[0x300 + (four & 0xff)]! ^
      t[0x200 + ((four >>> 8) & 0xff)]! ^
      t[0x100 + ((four >>> 16) & 0xff)]! ^
      t[four >>> 24]!
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t[(crc ^ buffer[at]!) & 0xff]!
  return ~crc >>> 0
}

/** Whether checksums of batches are computed by native code here. */
export function hasNativeCrc32c(): boolean {
  if (native === undefined) native = loadNative()
  return native !== null
}

/** Null where the package is not installed, does not fit this platform, or does not give the check value of the CRC catalogue. */
function loadNative(): Checksum | null {
  try {
    const { crc32c: found } = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: Checksum }
    return found(Buffer.from('123456789')) === 0xe3069283 ? found : null
  } catch {
    return null
  }
}
