/**
 * What a consumer counts, under the names of Java's metrics. A first set: totals, maxima and the lag; Java's windowed rates come with the full list.
 */
import { type AssignedPartition, type SubscriptionState } from './subscription-state.ts'

export interface Metric {
  readonly name: string
  /** Java's group of it, for example `consumer-fetch-manager-metrics`. */
  readonly group: string
  readonly tags: Readonly<Record<string, string>>
  readonly value: number
}

const FETCH = 'consumer-fetch-manager-metrics'
const COORDINATOR = 'consumer-coordinator-metrics'
const CONSUMER = 'consumer-metrics'

export class ConsumerMetrics {
  recordsConsumed = 0
  bytesConsumed = 0
  fetches = 0
  fetchLatencyMaxMs = 0
  fetchLatencySumMs = 0
  heartbeats = 0
  commits = 0
  rebalances = 0
  failedRebalances = 0
  polls = 0

  recordsHandedOut(_partition: AssignedPartition, count: number): void {
    this.recordsConsumed += count
  }

  bytesFetched(bytes: number): void {
    this.bytesConsumed += bytes
  }

  heartbeatAnswered(_latencyMs: number): void {
    this.heartbeats++
  }

  fetchAnswered(latencyMs: number): void {
    this.fetches++
    this.fetchLatencySumMs += latencyMs
    if (latencyMs > this.fetchLatencyMaxMs) this.fetchLatencyMaxMs = latencyMs
  }

  /** Every metric with its present value, by `group:name` and, for a partition's, `:topic-partition`. */
  snapshot(subscriptions: SubscriptionState, clientId: string, isReadCommitted: boolean): ReadonlyMap<string, Metric> {
    const found = new Map<string, Metric>()
    const add = (group: string, name: string, value: number, tags: Record<string, string> = {}) => {
      const suffix = tags['topic'] === undefined ? '' : `:${tags['topic']}-${tags['partition']}`
      found.set(`${group}:${name}${suffix}`, { name, group, tags: { 'client-id': clientId, ...tags }, value })
    }
    add(FETCH, 'records-consumed-total', this.recordsConsumed)
    add(FETCH, 'bytes-consumed-total', this.bytesConsumed)
    add(FETCH, 'fetch-total', this.fetches)
    add(FETCH, 'fetch-latency-max', this.fetchLatencyMaxMs)
    add(FETCH, 'fetch-latency-avg', this.fetches === 0 ? Number.NaN : this.fetchLatencySumMs / this.fetches)
    add(COORDINATOR, 'commit-total', this.commits)
    add(COORDINATOR, 'heartbeat-total', this.heartbeats)
    add(COORDINATOR, 'rebalance-total', this.rebalances)
    add(COORDINATOR, 'failed-rebalance-total', this.failedRebalances)
    add(COORDINATOR, 'assigned-partitions', subscriptions.partitions.length)
    add(CONSUMER, 'poll-total', this.polls)
    let lagMax = Number.NaN
    for (const partition of subscriptions.partitions) {
      const lag = lagOf(partition, isReadCommitted)
      if (lag === undefined) continue
      lagMax = Number.isNaN(lagMax) ? lag : Math.max(lagMax, lag)
      add(FETCH, 'records-lag', lag, { topic: partition.topic, partition: String(partition.partition) })
    }
    add(FETCH, 'records-lag-max', lagMax)
    return found
  }
}

/** Records between the position and the end of what may be read; undefined until a fetch has told it. */
export function lagOf(partition: AssignedPartition, isReadCommitted: boolean): number | undefined {
  const end = isReadCommitted ? partition.lastStableOffset : partition.highWatermark
  if (end < 0 || !partition.hasPosition) return undefined
  return Math.max(0, end - partition.buffer.position)
}
