/**
 * What one fetch response brought, told when all of it is handed out or dropped: Java counts a fetch's size and records then, not when it arrives, and
 * counts bytes of records (uncompressed, without what surrounds them).
 */
export interface TopicTally {
  records: number
  bytes: number
}

export class FetchTally {
  readonly byTopic = new Map<string, TopicTally>()
  readonly #onDrained: (tally: FetchTally) => void
  #pending: number

  /** @param partitions how many parts the response has; each calls `partitionDone` once */
  constructor(partitions: number, onDrained: (tally: FetchTally) => void) {
    this.#pending = partitions
    this.#onDrained = onDrained
  }

  add(topic: string, records: number, bytes: number): void {
    const tally = this.byTopic.get(topic)
    if (tally) {
      tally.records += records
      tally.bytes += bytes
    } else {
      this.byTopic.set(topic, { records, bytes })
    }
  }

  partitionDone(): void {
    if (--this.#pending === 0) this.#onDrained(this)
  }
}
