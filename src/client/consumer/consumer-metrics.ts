/**
 * What a consumer counts, under Java's groups and names and with their meanings. Recorded once a poll, a fetch or a request, never once a record; rates,
 * averages and maxima cover Java's window (sensor.ts) and are worked out when somebody looks.
 *
 * What Java has and this has not: the thread's I/O times and the sizes of single requests, as Node does not tell them.
 */
import { type ConsumerConfig } from '../config.ts'
import { type ConnectionCounts } from './counted-transport.ts'
import { type FetchTally, type TopicTally } from './fetch-tally.ts'
import { Sensor, type SensorWindow } from './sensor.ts'
import { type AssignedPartition, type SubscriptionState } from './subscription-state.ts'

export interface Metric {
  readonly name: string
  /** Java's group of it, for example `consumer-fetch-manager-metrics`. */
  readonly group: string
  /** `client-id`, and `topic` and `partition` where it is about one. */
  readonly tags: Readonly<Record<string, string>>
  /** NaN for an average or a maximum of nothing. */
  readonly value: number
}

const FETCH = 'consumer-fetch-manager-metrics'
const COORDINATOR = 'consumer-coordinator-metrics'
const CONSUMER = 'consumer-metrics'
const SECONDS_AN_HOUR = 3600

/** Java counts a fetch when all of it is handed out; what is consumed is counted here with each poll, so that totals are never behind. */
interface ConsumedSensors {
  readonly fetchBytes: Sensor
  readonly fetchRecords: Sensor
  readonly bytes: Sensor
  readonly records: Sensor
}

interface PartitionSensors {
  readonly lag: Sensor
  readonly lead: Sensor
  lastLag: number
  lastLead: number
}

type Row = readonly [name: string, value: number]

export class ConsumerMetrics {
  readonly #window: SensorWindow
  readonly #connections: ConnectionCounts
  readonly #byTopic = new Map<string, ConsumedSensors>()
  readonly #byPartition = new WeakMap<AssignedPartition, PartitionSensors>()
  readonly #fetchLatency: Sensor
  readonly #throttle: Sensor
  readonly #consumed: ConsumedSensors
  readonly #lag: Sensor
  readonly #lead: Sensor
  readonly #heartbeats: Sensor
  readonly #joins: Sensor
  readonly #syncs: Sensor
  readonly #commits: Sensor
  readonly #rebalances: Sensor
  readonly #failedRebalances: Sensor
  readonly #callbacks: Readonly<Record<'revoked' | 'assigned' | 'lost', Sensor>>
  readonly #betweenPolls: Sensor
  readonly #idleRatio: Sensor
  #pollStartedMs = Number.NaN
  #sincePollMs = 0
  #heartbeatMs = Number.NaN
  #rebalanceStartMs = Number.NaN
  #rebalanceEndMs = Number.NaN
  #commitSyncMs = 0
  #committedMs = 0

  constructor(config: ConsumerConfig, connections: ConnectionCounts) {
    this.#window = { sampleMs: config['metrics.sample.window.ms'], samples: config['metrics.num.samples'] }
    this.#connections = connections
    const sensor = () => new Sensor(this.#window)
    this.#fetchLatency = sensor()
    this.#throttle = sensor()
    this.#consumed = this.#consumedSensors()
    this.#lag = sensor()
    this.#lead = sensor()
    this.#heartbeats = sensor()
    this.#joins = sensor()
    this.#syncs = sensor()
    this.#commits = sensor()
    this.#rebalances = sensor()
    this.#failedRebalances = sensor()
    this.#callbacks = { revoked: sensor(), assigned: sensor(), lost: sensor() }
    this.#betweenPolls = sensor()
    this.#idleRatio = sensor()
  }

  pollBegan(nowMs: number): void {
    this.#sincePollMs = Number.isNaN(this.#pollStartedMs) ? 0 : nowMs - this.#pollStartedMs
    this.#pollStartedMs = nowMs
    this.#betweenPolls.record(this.#sincePollMs, nowMs)
  }

  pollEnded(nowMs: number): void {
    const tookMs = nowMs - this.#pollStartedMs
    const ratio = tookMs / (tookMs + this.#sincePollMs)
    if (!Number.isNaN(ratio)) this.#idleRatio.record(ratio, nowMs)
  }

  /** A poll returns records of this partition and has moved its position. */
  recordsHandedOut(
    partition: AssignedPartition,
    { records, bytes }: TopicTally,
    isReadCommitted: boolean,
    nowMs: number,
  ): void {
    if (records === 0) return
    const topic = this.#topic(partition.topic)
    topic.records.record(records, nowMs)
    topic.bytes.record(bytes, nowMs)
    this.#consumed.records.record(records, nowMs)
    this.#consumed.bytes.record(bytes, nowMs)
    const lag = lagOf(partition, isReadCommitted)
    const lead = leadOf(partition)
    let sensors = this.#byPartition.get(partition)
    if (!sensors) {
      const [lags, leads] = [new Sensor(this.#window), new Sensor(this.#window)]
      sensors = { lag: lags, lead: leads, lastLag: Number.NaN, lastLead: Number.NaN }
      this.#byPartition.set(partition, sensors)
    }
    if (lag !== undefined) {
      this.#lag.record(lag, nowMs)
      sensors.lag.record(lag, nowMs)
      sensors.lastLag = lag
    }
    if (lead !== undefined) {
      this.#lead.record(lead, nowMs)
      sensors.lead.record(lead, nowMs)
      sensors.lastLead = lead
    }
  }

  fetchAnswered(latencyMs: number, throttleMs: number, nowMs: number): void {
    this.#fetchLatency.record(latencyMs, nowMs)
    this.#throttle.record(throttleMs, nowMs)
  }

  /** All that a fetch brought has been handed out. */
  fetchDrained({ byTopic }: FetchTally, nowMs: number): void {
    const all: TopicTally = { records: 0, bytes: 0 }
    for (const [topic, { records, bytes }] of byTopic) {
      all.records += records
      all.bytes += bytes
      const sensors = this.#topic(topic)
      sensors.fetchBytes.record(bytes, nowMs)
      sensors.fetchRecords.record(records, nowMs)
    }
    this.#consumed.fetchBytes.record(all.bytes, nowMs)
    this.#consumed.fetchRecords.record(all.records, nowMs)
  }

  #topic(name: string): ConsumedSensors {
    let sensors = this.#byTopic.get(name)
    if (!sensors) this.#byTopic.set(name, (sensors = this.#consumedSensors()))
    return sensors
  }

  #consumedSensors(): ConsumedSensors {
    const sensor = () => new Sensor(this.#window)
    return { fetchBytes: sensor(), fetchRecords: sensor(), bytes: sensor(), records: sensor() }
  }

  heartbeatAnswered(latencyMs: number, nowMs: number): void {
    this.#heartbeats.record(latencyMs, nowMs)
    this.#heartbeatMs = nowMs
  }

  joinAnswered(latencyMs: number, nowMs: number): void {
    this.#joins.record(latencyMs, nowMs)
  }

  syncAnswered(latencyMs: number, nowMs: number): void {
    this.#syncs.record(latencyMs, nowMs)
  }

  commitAnswered(latencyMs: number, nowMs: number): void {
    this.#commits.record(latencyMs, nowMs)
  }

  /** A JoinGroup is sent. Those that follow until the member has its assignment belong to the same rebalance. */
  rebalanceBegan(nowMs: number): void {
    if (Number.isNaN(this.#rebalanceStartMs)) this.#rebalanceStartMs = nowMs
  }

  rebalanceSucceeded(nowMs: number): void {
    this.#rebalances.record(nowMs - this.#rebalanceStartMs, nowMs)
    this.#rebalanceStartMs = Number.NaN
    this.#rebalanceEndMs = nowMs
  }

  rebalanceFailed(nowMs: number): void {
    this.#failedRebalances.record(1, nowMs)
  }

  callbackRan(which: 'revoked' | 'assigned' | 'lost', tookMs: number, nowMs: number): void {
    this.#callbacks[which].record(tookMs, nowMs)
  }

  commitSyncTook(ms: number): void {
    this.#commitSyncMs += ms
  }

  committedTook(ms: number): void {
    this.#committedMs += ms
  }

  /** Every metric with its present value, by `group:name` and, for one of a topic or partition, `:topic` or `:topic-partition`. */
  snapshot(subscriptions: SubscriptionState, clientId: string, nowMs: number): ReadonlyMap<string, Metric> {
    const found = new Map<string, Metric>()
    const add = (group: string, rows: readonly Row[], tags: Record<string, string> = {}, suffix = '') => {
      for (const [name, value] of rows) {
        found.set(`${group}:${name}${suffix}`, { name, group, tags: { 'client-id': clientId, ...tags }, value })
      }
    }
    add(FETCH, this.#fetchRows(nowMs))
    const topics = new Set<string>()
    for (const partition of subscriptions.partitions) {
      const { topic, partition: number } = partition
      topics.add(topic)
      const sensors = this.#byPartition.get(partition)
      if (sensors)
        add(FETCH, partitionRows(sensors, nowMs), { topic, partition: String(number) }, `:${topic}-${number}`)
    }
    for (const [topic, consumed] of this.#byTopic) {
      if (topics.has(topic)) add(FETCH, consumedRows(consumed, nowMs), { topic }, `:${topic}`)
    }
    add(COORDINATOR, this.#coordinatorRows(nowMs))
    add(COORDINATOR, [['assigned-partitions', subscriptions.isGroupManaged ? subscriptions.partitions.length : 0]])
    add(CONSUMER, this.#consumerRows(nowMs))
    return found
  }

  #fetchRows(nowMs: number): Row[] {
    return [
      ...consumedRows(this.#consumed, nowMs),
      ['fetch-latency-avg', this.#fetchLatency.average(nowMs)],
      ['fetch-latency-max', this.#fetchLatency.maximum(nowMs)],
      ['fetch-rate', this.#fetchLatency.countPerSecond(nowMs)],
      ['fetch-total', this.#fetchLatency.totalCount],
      ['fetch-throttle-time-avg', this.#throttle.average(nowMs)],
      ['fetch-throttle-time-max', this.#throttle.maximum(nowMs)],
      ['records-lag-max', this.#lag.maximum(nowMs)],
      ['records-lead-min', this.#lead.minimum(nowMs)],
    ]
  }

  #coordinatorRows(nowMs: number): Row[] {
    const rebalances = this.#rebalances
    const failed = this.#failedRebalances
    return [
      ['heartbeat-rate', this.#heartbeats.countPerSecond(nowMs)],
      ['heartbeat-total', this.#heartbeats.totalCount],
      ['heartbeat-response-time-max', this.#heartbeats.maximum(nowMs)],
      ['last-heartbeat-seconds-ago', secondsAgo(this.#heartbeatMs, nowMs)],
      ...timeRows('join', this.#joins, nowMs),
      ...timeRows('sync', this.#syncs, nowMs),
      ['rebalance-latency-avg', rebalances.average(nowMs)],
      ['rebalance-latency-max', rebalances.maximum(nowMs)],
      ['rebalance-latency-total', rebalances.totalSum],
      ['rebalance-total', rebalances.totalCount],
      ['rebalance-rate-per-hour', rebalances.countPerSecond(nowMs) * SECONDS_AN_HOUR],
      ['failed-rebalance-total', failed.totalCount],
      ['failed-rebalance-rate-per-hour', failed.countPerSecond(nowMs) * SECONDS_AN_HOUR],
      ['last-rebalance-seconds-ago', secondsAgo(this.#rebalanceEndMs, nowMs)],
      ...(['revoked', 'assigned', 'lost'] as const).flatMap((which): Row[] => [
        [`partition-${which}-latency-avg`, this.#callbacks[which].average(nowMs)],
        [`partition-${which}-latency-max`, this.#callbacks[which].maximum(nowMs)],
      ]),
      ['commit-latency-avg', this.#commits.average(nowMs)],
      ['commit-latency-max', this.#commits.maximum(nowMs)],
      ['commit-rate', this.#commits.countPerSecond(nowMs)],
      ['commit-total', this.#commits.totalCount],
    ]
  }

  #consumerRows(nowMs: number): Row[] {
    const { opened, closed, sent, received } = this.#connections
    return [
      ['last-poll-seconds-ago', secondsAgo(this.#pollStartedMs, nowMs)],
      ['time-between-poll-avg', this.#betweenPolls.average(nowMs)],
      ['time-between-poll-max', this.#betweenPolls.maximum(nowMs)],
      ['poll-idle-ratio-avg', this.#idleRatio.average(nowMs)],
      ['commit-sync-time-ns-total', Math.round(this.#commitSyncMs * 1e6)],
      ['committed-time-ns-total', Math.round(this.#committedMs * 1e6)],
      ['connection-count', opened.totalCount - closed.totalCount],
      ['connection-creation-rate', opened.countPerSecond(nowMs)],
      ['connection-creation-total', opened.totalCount],
      ['connection-close-rate', closed.countPerSecond(nowMs)],
      ['connection-close-total', closed.totalCount],
      ['incoming-byte-rate', received.sumPerSecond(nowMs)],
      ['incoming-byte-total', received.totalSum],
      ['outgoing-byte-rate', sent.sumPerSecond(nowMs)],
      ['outgoing-byte-total', sent.totalSum],
    ]
  }
}

function consumedRows({ fetchBytes, fetchRecords, bytes, records }: ConsumedSensors, nowMs: number): Row[] {
  return [
    ['fetch-size-avg', fetchBytes.average(nowMs)],
    ['fetch-size-max', fetchBytes.maximum(nowMs)],
    ['bytes-consumed-rate', bytes.sumPerSecond(nowMs)],
    ['bytes-consumed-total', bytes.totalSum],
    ['records-per-request-avg', fetchRecords.average(nowMs)],
    ['records-consumed-rate', records.sumPerSecond(nowMs)],
    ['records-consumed-total', records.totalSum],
  ]
}

function partitionRows({ lag, lead, lastLag, lastLead }: PartitionSensors, nowMs: number): Row[] {
  return [
    ['records-lag', lastLag],
    ['records-lag-avg', lag.average(nowMs)],
    ['records-lag-max', lag.maximum(nowMs)],
    ['records-lead', lastLead],
    ['records-lead-avg', lead.average(nowMs)],
    ['records-lead-min', lead.minimum(nowMs)],
    // Sluice reads from leaders only.
    ['preferred-read-replica', -1],
  ]
}

function timeRows(name: string, sensor: Sensor, nowMs: number): Row[] {
  return [
    [`${name}-rate`, sensor.countPerSecond(nowMs)],
    [`${name}-total`, sensor.totalCount],
    [`${name}-time-avg`, sensor.average(nowMs)],
    [`${name}-time-max`, sensor.maximum(nowMs)],
  ]
}

/** Whole seconds since then, -1 for never, as Java says it. */
function secondsAgo(atMs: number, nowMs: number): number {
  return Number.isNaN(atMs) ? -1 : Math.floor((nowMs - atMs) / 1000)
}

/** Records between the position and the end of what may be read; undefined until a fetch has told it. */
export function lagOf(partition: AssignedPartition, isReadCommitted: boolean): number | undefined {
  const end = isReadCommitted ? partition.lastStableOffset : partition.highWatermark
  if (end < 0 || !partition.hasPosition) return undefined
  return Math.max(0, end - partition.buffer.position)
}

/** Records between the beginning of the log and the position: 0 means that retention is about to remove what was not read. */
function leadOf(partition: AssignedPartition): number | undefined {
  if (partition.logStartOffset < 0 || !partition.hasPosition) return undefined
  return Math.max(0, partition.buffer.position - partition.logStartOffset)
}
