/**
 * What the sticky assignors of all clients tell each other in the user data of a subscription: bytes without a version, laid out as Java's do.
 *
 *     sticky               [topic:string [partition:int32]]  generation:int32   (the oldest clients leave the generation out)
 *     cooperative-sticky   generation:int32
 */
import { Reader } from '../../../protocol/reader.ts'
import { type TopicPartition } from '../../../protocol/records/topic-partition.ts'
import { Writer } from '../../../protocol/writer.ts'
import { type LastAssignment } from './assignor.ts'

/** No generation known: older than every real one. */
export const NO_GENERATION = -1

export function encodeStickyUserData({ partitions, generationId }: LastAssignment): Buffer {
  const writer = new Writer()
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  writer.int32(byTopic.size)
  for (const [topic, owned] of byTopic) {
    const length = Buffer.byteLength(topic)
    writer.int16(length)
    writer.text(topic, length)
    writer.int32(owned.length)
    for (const { partition } of owned) writer.int32(partition)
  }
  writer.int32(generationId)
  return writer.toBuffer()
}

/** Bytes that cannot be read count as nothing owned, as in Java: one broken member must not stop the group. */
export function decodeStickyUserData(userData: Buffer | null): { owned: TopicPartition[]; generationId: number } {
  const nothing = { owned: [], generationId: NO_GENERATION }
  if (userData === null || userData.length === 0) return nothing
  try {
    const reader = new Reader(userData)
    const owned: TopicPartition[] = []
    for (let topics = reader.int32(); topics > 0; topics--) {
      const topic = reader.text(reader.int16())
      for (let partitions = reader.int32(); partitions > 0; partitions--)
        owned.push({ topic, partition: reader.int32() })
    }
    return { owned, generationId: reader.remaining >= 4 ? reader.int32() : NO_GENERATION }
  } catch {
    return nothing
  }
}

export function encodeCooperativeUserData(generationId: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(generationId)
  return bytes
}

export function decodeCooperativeGeneration(userData: Buffer | null): number {
  return userData !== null && userData.length >= 4 ? userData.readInt32BE(0) : NO_GENERATION
}
