/**
 * What groups have committed: the newest offset of each partition, and what open transactions would make of it. Pure
 * bookkeeping, fed with records in the order of the log, both when they are written and when they are read back.
 *
 * Follows OffsetMetadataManager of Apache Kafka 4.3 (group-coordinator, Apache-2.0).
 */
export interface CommittedOffset {
  readonly offset: number
  /** -1 if the committer did not say. */
  readonly leaderEpoch: number
  readonly metadata: string
  /** Milliseconds since 1970. */
  readonly commitTimestamp: number
  /** Milliseconds since 1970 at which it expires, -1 where the broker's retention decides (OffsetCommit 5 on). */
  readonly expireTimestamp: number
  /** The topic's id when it was committed; all zeros if it was not known. */
  readonly topicId: string
}

/** An offset with its place in `__consumer_offsets`, which says what is newer. */
interface Stored {
  readonly committed: CommittedOffset
  readonly recordOffset: number
}

class OffsetsByTopic {
  readonly #topics = new Map<string, Map<number, Stored>>()

  get isEmpty(): boolean {
    return this.#topics.size === 0
  }

  get(topic: string, partition: number): Stored | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  set(topic: string, partition: number, stored: Stored): void {
    let partitions = this.#topics.get(topic)
    if (!partitions) this.#topics.set(topic, (partitions = new Map()))
    partitions.set(partition, stored)
  }

  delete(topic: string, partition: number): void {
    const partitions = this.#topics.get(topic)
    if (partitions?.delete(partition) && partitions.size === 0) this.#topics.delete(topic)
  }

  *entries(): Generator<[topic: string, partition: number, stored: Stored]> {
    for (const [topic, partitions] of this.#topics) {
      for (const [partition, stored] of partitions) yield [topic, partition, stored]
    }
  }
}

/** The topics of what a generator of offsets yields, in the shape that answers have. */
export interface TopicOffsets {
  readonly topic: string
  readonly partitions: { readonly partition: number; readonly committed: CommittedOffset }[]
}

export class CommittedOffsets {
  readonly #groups = new Map<string, OffsetsByTopic>()
  /** Offsets of transactions that have not ended, by producer id, then by group. */
  readonly #pending = new Map<number, Map<string, OffsetsByTopic>>()

  get(group: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(group)?.get(topic, partition)?.committed
  }

  groupIds(): string[] {
    return [...this.#groups.keys()]
  }

  hasGroup(group: string): boolean {
    return this.#groups.has(group)
  }

  /** All that a group has committed, topic by topic. */
  all(group: string): TopicOffsets[] {
    const topics = new Map<string, TopicOffsets>()
    for (const [topic, partition, { committed }] of this.#groups.get(group)?.entries() ?? []) {
      let found = topics.get(topic)
      if (!found) topics.set(topic, (found = { topic, partitions: [] }))
      found.partitions.push({ partition, committed })
    }
    return [...topics.values()]
  }

  /** Whether a transaction that has not ended would move this partition. */
  isUnstable(group: string, topic: string, partition: number): boolean {
    for (const groups of this.#pending.values()) {
      if (groups.get(group)?.get(topic, partition)) return true
    }
    return false
  }

  hasOpenTransactions(group: string): boolean {
    for (const groups of this.#pending.values()) if (groups.has(group)) return true
    return false
  }

  /** Partitions that only an open transaction knows of, so that deleting a group leaves nothing behind. */
  *pendingPartitions(group: string): Generator<[topic: string, partition: number]> {
    for (const groups of this.#pending.values()) {
      for (const [topic, partition] of groups.get(group)?.entries() ?? []) yield [topic, partition]
    }
  }

  /** A commit was written. `producerId` is -1 outside transactions. */
  put(
    group: string,
    topic: string,
    partition: number,
    committed: CommittedOffset,
    recordOffset: number,
    producerId: number,
  ) {
    let groups: Map<string, OffsetsByTopic> = this.#groups
    if (producerId !== -1) {
      const open = this.#pending.get(producerId)
      if (open) groups = open
      else this.#pending.set(producerId, (groups = new Map()))
    }
    let offsets = groups.get(group)
    if (!offsets) groups.set(group, (offsets = new OffsetsByTopic()))
    const present = offsets.get(topic, partition)
    if (!present || present.recordOffset < recordOffset) offsets.set(topic, partition, { committed, recordOffset })
  }

  /** A tombstone was written: it takes what stands before it in the log, and what is pending, with it. */
  remove(group: string, topic: string, partition: number, recordOffset: number): void {
    const remove = (groups: Map<string, OffsetsByTopic>) => {
      const offsets = groups.get(group)
      const present = offsets?.get(topic, partition)
      if (present && present.recordOffset < recordOffset) offsets!.delete(topic, partition)
      if (offsets?.isEmpty) groups.delete(group)
    }
    remove(this.#groups)
    for (const groups of this.#pending.values()) remove(groups)
  }

  /** A transaction's marker was written: its offsets count from now on, or never did. Groups that gained offsets. */
  endTransaction(producerId: number, result: 'commit' | 'abort'): string[] {
    const groups = this.#pending.get(producerId)
    this.#pending.delete(producerId)
    if (!groups || result === 'abort') return []
    for (const [group, pending] of groups) {
      for (const [topic, partition, stored] of pending.entries()) {
        const present = this.#groups.get(group)?.get(topic, partition)
        // A plain commit that was written after the transactional one is newer, though the marker came later still.
        if (present && present.recordOffset > stored.recordOffset) continue
        this.put(group, topic, partition, stored.committed, stored.recordOffset, -1)
      }
    }
    return [...groups.keys()]
  }
}
