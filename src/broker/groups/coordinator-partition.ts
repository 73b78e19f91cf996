/** Which partition of an internal topic, and so which coordinator, a group or transactional id belongs to. */

/** Java's String.hashCode: over UTF-16 units, in 32 bits. */
export function javaHashCode(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return hash
}

/** Kafka's `Utils.abs(id.hashCode) % partitions`, where the smallest integer counts as 0. */
export function coordinatorPartition(id: string, partitionCount: number): number {
  const hash = javaHashCode(id)
  return (hash === -0x80000000 ? 0 : Math.abs(hash)) % partitionCount
}
