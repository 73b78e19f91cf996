/**
 * A store and its sink, as far as a pipeline sees them: slow, at times unavailable, at times silent about what it did. `transactional`
 * compares and sets its own offset; `idempotent` keeps a set and leaves the offsets to Kafka.
 */
import { topicPartitionKey, type TopicPartition } from '../../../src/protocol/records/topic-partition.ts'
import type { Random } from '../../../src/seams/random.ts'
import {
  SinkFencedError,
  SinkUnavailableError,
  type AssignedPartition,
  type DurablePosition,
  type FlushHint,
  type Opened,
  type Sink,
  type SinkBatch,
  type SinkPosition,
} from '../../../src/sinks/sink.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface StoreBehaviour {
  readonly kind: 'transactional' | 'idempotent'
  readonly hint?: FlushHint
  readonly slowestMs: number
  /** Chance that a call fails before it did anything, and that it fails after. */
  readonly failBefore: number
  readonly failAfter: number
}

export class SimulatedStore {
  readonly rows = new Map<number, number[]>()
  readonly next = new Map<number, number>()
  fencedCount = 0

  rowsOf(partition: number): number[] {
    let rows = this.rows.get(partition)
    if (!rows) this.rows.set(partition, (rows = []))
    return rows
  }
}

interface Held {
  first: number
  next: number
  offsets: number[]
}

export class SimulatedSink implements Sink {
  readonly #store: SimulatedStore
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #process: { readonly isDead: boolean }
  readonly #behaviour: StoreBehaviour
  readonly #held = new Map<string, Held>()
  readonly #busy = new Set<string>()

  constructor(
    store: SimulatedStore,
    clock: VirtualClock,
    random: Random,
    process: { readonly isDead: boolean },
    behaviour: StoreBehaviour,
  ) {
    this.#store = store
    this.#clock = clock
    this.#random = random
    this.#process = process
    this.#behaviour = behaviour
  }

  async open(): Promise<Opened> {
    return { guarantee: this.#behaviour.kind, flushHint: this.#behaviour.hint }
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<SinkPosition[]> {
    await this.#work()
    return partitions.map(({ topicPartition }) => {
      this.#held.delete(topicPartitionKey(topicPartition))
      const next = this.#behaviour.kind === 'transactional' ? this.#store.next.get(topicPartition.partition) : undefined
      return { topicPartition, next }
    })
  }

  async write({ topicPartition, first, next, records }: SinkBatch): Promise<{ flushDue: boolean }> {
    return this.#alone(topicPartition, async () => {
      await this.#work()
      const key = topicPartitionKey(topicPartition)
      const held = this.#held.get(key)
      if (held && held.next !== first)
        throw new Error(`${key}: a batch begins at ${first}, after one that ended at ${held.next}`)
      const offsets = [...(held?.offsets ?? []), ...records.map(({ offset }) => offset)]
      this.#held.set(key, { first: held?.first ?? first, next, offsets })
      return { flushDue: this.#random.next() < 0.1 }
    })
  }

  async flush(topicPartition: TopicPartition, next: number, signal: AbortSignal): Promise<{ durable: number }> {
    return this.#alone(topicPartition, async () => {
      await this.#work()
      if (signal.aborted) throw new SinkUnavailableError('aborted')
      const held = this.#held.get(topicPartitionKey(topicPartition))
      if (!held) return { durable: next }
      if (held.next !== next) throw new Error(`flush to ${next}, and what was taken ends at ${held.next}`)
      this.#apply(topicPartition, held)
      const fails = this.#random.next() < this.#behaviour.failAfter
      await this.#work()
      if (fails) throw new SinkUnavailableError('no answer: it may have been stored or not')
      this.#held.delete(topicPartitionKey(topicPartition))
      return { durable: next }
    })
  }

  async revoked(topicPartitions: readonly TopicPartition[], why: 'revoked' | 'lost'): Promise<DurablePosition[]> {
    const positions: DurablePosition[] = []
    for (const topicPartition of topicPartitions) {
      const held = this.#held.get(topicPartitionKey(topicPartition))
      let durable: number | undefined
      if (why === 'revoked' && held) {
        durable = await this.flush(topicPartition, held.next, new AbortController().signal).then(
          (flushed) => flushed.durable,
          () => undefined,
        )
      }
      this.#held.delete(topicPartitionKey(topicPartition))
      positions.push({ topicPartition, durable })
    }
    return positions
  }

  async close(): Promise<void> {}

  #apply(topicPartition: TopicPartition, held: Held): void {
    const { partition } = topicPartition
    const rows = this.#store.rowsOf(partition)
    if (this.#behaviour.kind === 'idempotent') {
      for (const offset of held.offsets) if (!rows.includes(offset)) rows.push(offset)
      return
    }
    const current = this.#store.next.get(partition)
    if (current !== undefined && current !== held.first) {
      this.#store.fencedCount++
      this.#held.delete(topicPartitionKey(topicPartition))
      throw new SinkFencedError(topicPartition, `the store stands at ${current}, and this owner began at ${held.first}`)
    }
    rows.push(...held.offsets)
    this.#store.next.set(partition, held.next)
  }

  async #work(): Promise<void> {
    await this.#clock.sleep(this.#random.next() * this.#behaviour.slowestMs)
    if (this.#process.isDead) await new Promise<never>(() => {})
    if (this.#random.next() < this.#behaviour.failBefore) throw new SinkUnavailableError('the store is down')
  }

  /** The contract: calls for one partition never overlap. */
  async #alone<T>(topicPartition: TopicPartition, call: () => Promise<T>): Promise<T> {
    const key = topicPartitionKey(topicPartition)
    if (this.#busy.has(key)) throw new Error(`two calls for ${key} at once`)
    this.#busy.add(key)
    try {
      return await call()
    } finally {
      this.#busy.delete(key)
    }
  }
}
