/**
 * The two copies that decompressing snappy and LZ4 consists of, four bytes at a time where there is room to write up to three too many:
 * what stands behind the end is written over afterwards, or was not yet anything. Callers have checked lengths and offsets.
 */

/** From this many bytes on, a call of the engine's own copy is worth its price. */
const LONG = 64

/** Copies `length` bytes of `input` from `at` to `position`. */
export function copyLiteral(
  input: Buffer,
  inputWords: DataView,
  at: number,
  output: Buffer,
  outputWords: DataView,
  position: number,
  length: number,
): void {
  if (length >= LONG) {
    output.set(input.subarray(at, at + length), position)
  } else if (at + length + 3 <= input.length && position + length + 3 <= output.length) {
    for (let index = 0; index < length; index += 4) {
      outputWords.setInt32(position + index, inputWords.getInt32(at + index, true), true)
    }
  } else {
    for (let index = 0; index < length; index++) output[position + index] = input[at + index]!
  }
}

/** Copies `length` bytes of the output itself, from `offset` bytes before `position`. They may overlap: then they repeat. */
export function copyMatch(
  output: Buffer,
  outputWords: DataView,
  position: number,
  offset: number,
  length: number,
): void {
  if (length >= LONG && offset >= length) {
    output.copyWithin(position, position - offset, position - offset + length)
  } else if (offset >= 4 && position + length + 3 <= output.length) {
    const from = position - offset
    for (let index = 0; index < length; index += 4) {
      outputWords.setInt32(position + index, outputWords.getInt32(from + index, true), true)
    }
  } else if (offset === 1) {
    output.fill(output[position - 1]!, position, position + length)
  } else {
    const end = position + length
    for (let at = position; at < end; at++) output[at] = output[at - offset]!
  }
}

/** The words of a buffer. */
export function wordsOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
