/**
 * CRC-32C (Castagnoli), the checksum of record batches.
 *
 * Sixteen bytes a step by sixteen tables ("slicing"), so that the tables' loads do not wait for each other.
 */
const POLYNOMIAL = 0x82f63b78
const SLICES = 16

const tables = new Uint32Array(256 * SLICES)
for (let byte = 0; byte < 256; byte++) {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
  tables[byte] = value
}
for (let at = 256; at < tables.length; at++) {
  const previous = tables[at - 256]!
  tables[at] = (previous >>> 8) ^ tables[previous & 0xff]!
}

/** The checksum of `buffer` from `start` to `end`, as an unsigned 32-bit number. */
export function crc32c(buffer: Uint8Array, start = 0, end = buffer.length): number {
  const t = tables
  let crc = -1
  let at = start
  for (const last = end - 16; at <= last; at += 16) {
    crc =
      t[0xf00 + ((crc ^ buffer[at]!) & 0xff)]! ^
      t[0xe00 + (((crc >>> 8) ^ buffer[at + 1]!) & 0xff)]! ^
      t[0xd00 + (((crc >>> 16) ^ buffer[at + 2]!) & 0xff)]! ^
      t[0xc00 + ((crc >>> 24) ^ buffer[at + 3]!)]! ^
      t[0xb00 + buffer[at + 4]!]! ^
      t[0xa00 + buffer[at + 5]!]! ^
      t[0x900 + buffer[at + 6]!]! ^
      t[0x800 + buffer[at + 7]!]! ^
      t[0x700 + buffer[at + 8]!]! ^
      t[0x600 + buffer[at + 9]!]! ^
      t[0x500 + buffer[at + 10]!]! ^
      t[0x400 + buffer[at + 11]!]! ^
      t[0x300 + buffer[at + 12]!]! ^
      t[0x200 + buffer[at + 13]!]! ^
      t[0x100 + buffer[at + 14]!]! ^
      t[buffer[at + 15]!]!
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t[(crc ^ buffer[at]!) & 0xff]!
  return ~crc >>> 0
}
