/** xxHash32 with seed 0: the checksum of LZ4 frames. Format: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
import { wordsOf } from './block-copy.ts'

const PRIME_1 = 0x9e3779b1
const PRIME_2 = 0x85ebca77
const PRIME_3 = 0xc2b2ae3d
const PRIME_4 = 0x27d4eb2f
const PRIME_5 = 0x165667b1

/** The hash of `bytes` from `start` to `end`, as an unsigned 32-bit number. */
export function xxHash32(bytes: Buffer, start: number, end: number): number {
  const words = wordsOf(bytes)
  let at = start
  let hash: number
  if (end - start >= 16) {
    let one = (PRIME_1 + PRIME_2) | 0
    let two = PRIME_2 | 0
    let three = 0
    let four = -PRIME_1 | 0
    for (; at + 16 <= end; at += 16) {
      one = round(one, words.getInt32(at, true))
      two = round(two, words.getInt32(at + 4, true))
      three = round(three, words.getInt32(at + 8, true))
      four = round(four, words.getInt32(at + 12, true))
    }
    hash = rotate(one, 1) + rotate(two, 7) + rotate(three, 12) + rotate(four, 18)
  } else {
    hash = PRIME_5
  }
  hash = (hash + end - start) | 0
  for (; at + 4 <= end; at += 4)
    hash = Math.imul(rotate(hash + Math.imul(words.getInt32(at, true), PRIME_3), 17), PRIME_4)
  for (; at < end; at++) hash = Math.imul(rotate(hash + Math.imul(bytes[at]!, PRIME_5), 11), PRIME_1)
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2)
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3)
  return (hash ^ (hash >>> 16)) >>> 0
}

function round(accumulator: number, word: number): number {
  return Math.imul(rotate(accumulator + Math.imul(word, PRIME_2), 13), PRIME_1)
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
