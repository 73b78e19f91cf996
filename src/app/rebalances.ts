/**
 * The rebalances of one consumer, as its listener meets them: what was assigned, revoked or lost and how long that took goes into the log, and is counted.
 * How long the group took to agree is Java's `rebalance-latency-avg`, which the consumer itself counts.
 */
import { topicPartitionKey, type TopicPartition } from '../protocol/records/topic-partition.ts'
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import type { AssignmentListener } from './consumer-port.ts'

export const rebalanceEvents = ['assigned', 'revoked', 'lost'] as const
export type RebalanceEvent = (typeof rebalanceEvents)[number]

/** Since the start: how often the listener was called, with how many partitions, and how long it took. */
export type RebalanceCounts = Readonly<
  Record<RebalanceEvent, { readonly calls: number; readonly partitions: number; readonly ms: number }>
>

const none = { calls: 0, partitions: 0, ms: 0 }

export class Rebalances {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #generation: () => number
  #counts: RebalanceCounts = { assigned: none, revoked: none, lost: none }

  constructor(clock: Clock, logger: Logger, generation: () => number) {
    this.#clock = clock
    this.#logger = logger
    this.#generation = generation
  }

  get counts(): RebalanceCounts {
    return this.#counts
  }

  /** The same listener, heard. */
  heard(listener: AssignmentListener): AssignmentListener {
    const heard = (event: RebalanceEvent) => async (partitions: readonly TopicPartition[]) => {
      const startedMs = this.#clock.monotonic()
      await listener[event](partitions)
      this.#note(event, partitions, this.#clock.monotonic() - startedMs)
    }
    return { assigned: heard('assigned'), revoked: heard('revoked'), lost: heard('lost') }
  }

  #note(event: RebalanceEvent, topicPartitions: readonly TopicPartition[], ms: number): void {
    const { calls, partitions, ms: before } = this.#counts[event]
    const counts = { calls: calls + 1, partitions: partitions + topicPartitions.length, ms: before + ms }
    this.#counts = { ...this.#counts, [event]: counts }
    const generation = this.#generation()
    const names = topicPartitions.map(topicPartitionKey).join(', ') || 'nothing'
    const text = `rebalance: ${event} ${names} (generation ${generation}, ${Math.round(ms)} ms)`
    const fields = { event, partitions: names, generation, ms: Math.round(ms) }
    if (event === 'lost')
      this.#logger.warn(fields, `${text}. What of them was not stored, their next owner reads again`)
    else this.#logger.info(fields, text)
  }
}
