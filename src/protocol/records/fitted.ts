/**
 * The result of a decompression in a buffer of its own size, when more than a quarter of the memory that it keeps alive is not its own: room that was
 * reserved, or Node's pool of 64 KB, of which a hundred bytes can be all that is still needed. Records keep their batch's buffer for as long as they
 * wait; copying what came out costs far less than decompressing it did.
 */
export function fitted(result: Buffer): Buffer {
  if (4 * result.length >= 3 * result.buffer.byteLength) return result
  return ownCopy(result)
}

/** Keeps alive what it holds, and nothing else. */
export function ownCopy(bytes: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  return own
}
