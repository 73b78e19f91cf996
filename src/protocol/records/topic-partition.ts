/** The name of one log: a topic and a partition of it, and a map from such names, which JavaScript compares by identity. */

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** `topic-partition`, as Kafka prints it. Unambiguous, as the partition is what follows the last hyphen. */
export function topicPartitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

/** A map whose keys are compared by topic and partition. Iterates in the order in which keys were first set. */
export class TopicPartitionMap<V> implements Iterable<[TopicPartition, V]> {
  readonly #entries = new Map<string, [TopicPartition, V]>()

  constructor(entries: Iterable<readonly [TopicPartition, V]> = []) {
    for (const [topicPartition, value] of entries) this.set(topicPartition, value)
  }

  get size(): number {
    return this.#entries.size
  }

  get(topicPartition: TopicPartition): V | undefined {
    return this.#entries.get(topicPartitionKey(topicPartition))?.[1]
  }

  has(topicPartition: TopicPartition): boolean {
    return this.#entries.has(topicPartitionKey(topicPartition))
  }

  set(topicPartition: TopicPartition, value: V): this {
    const key = topicPartitionKey(topicPartition)
    const entry = this.#entries.get(key)
    if (entry) entry[1] = value
    else this.#entries.set(key, [{ topic: topicPartition.topic, partition: topicPartition.partition }, value])
    return this
  }

  delete(topicPartition: TopicPartition): boolean {
    return this.#entries.delete(topicPartitionKey(topicPartition))
  }

  clear(): void {
    this.#entries.clear()
  }

  *keys(): Generator<TopicPartition> {
    for (const [topicPartition] of this.#entries.values()) yield topicPartition
  }

  *values(): Generator<V> {
    for (const [, value] of this.#entries.values()) yield value
  }

  *entries(): Generator<[TopicPartition, V]> {
    for (const [topicPartition, value] of this.#entries.values()) yield [topicPartition, value]
  }

  [Symbol.iterator](): Generator<[TopicPartition, V]> {
    return this.entries()
  }
}
