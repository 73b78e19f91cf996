/**
 * Which partition a record goes to, exactly as Java's default partitioner chooses.
 *
 * - A key: murmur2 of its bytes, so that Java, librdkafka's `murmur2_random` and Sluice put a key into the same partition.
 * - No key: one partition for a whole batch, then another one at random ("sticky", KIP-480, counted in bytes as in KIP-794),
 *   so that few records still make full batches. The weighing by broker speed of KIP-794 is left out.
 */
import { type Random } from '../../seams/random.ts'

const SEED = 0x9747b28c
const M = 0x5bd1e995

/** Kafka's murmur2 (`org.apache.kafka.common.utils.Utils.murmur2`) as a signed 32-bit number. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes
  let hash = SEED ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    hash = Math.imul(hash, M) ^ Math.imul(k, M)
  }
  const rest = length - at
  if (rest >= 3) hash ^= bytes[at + 2]! << 16
  if (rest >= 2) hash ^= bytes[at + 1]! << 8
  if (rest >= 1) hash = Math.imul(hash ^ bytes[at]!, M)
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}

/** The partition of a key among all partitions of the topic, those without a leader included. */
export function partitionOfKey(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount
}

/** One topic's choice for records without a key. */
export class StickyPartition {
  readonly #random: Random
  readonly #batchSize: number
  #current = -1
  #producedBytes = 0

  constructor(random: Random, batchSize: number) {
    this.#random = random
    this.#batchSize = batchSize
  }

  /** The partition for now. `available` are those that have a leader; if none has, all are. */
  current(partitionCount: number, available: readonly number[]): number {
    if (this.#current < 0 || this.#current >= partitionCount) this.#choose(partitionCount, available)
    return this.#current
  }

  /** A batch is full, or a new one begins: time to move on if this partition had its share of bytes. */
  next(batchIsFull: boolean, partitionCount: number, available: readonly number[]): number {
    if (batchIsFull || this.#producedBytes >= this.#batchSize) this.#choose(partitionCount, available)
    return this.current(partitionCount, available)
  }

  produced(bytes: number): void {
    this.#producedBytes += bytes
  }

  #choose(partitionCount: number, available: readonly number[]): void {
    const chance = this.#random.next()
    this.#current =
      available.length > 0 ? available[Math.floor(chance * available.length)]! : Math.floor(chance * partitionCount)
    this.#producedBytes = 0
  }
}
