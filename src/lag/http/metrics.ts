/**
 * `/metrics` for Prometheus: Burrow's names, kafka-lag-exporter's names, or both, and a few of the monitor's own. Written anew at each scrape from
 * what the monitor has, so that a series leaves with what it was about; what is not known has no series, never NaN or a guess.
 */
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { ClusterMonitor } from '../cluster-monitor.ts'
import type { GroupState } from '../group-state.ts'
import type { Monitor } from '../monitor.ts'
import type { MetricNames } from '../monitor-conf.ts'
import type { PairState } from '../pair-state.ts'
import { burrowGroups, burrowNumbers, groupStatuses } from '../status.ts'

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

export class MonitorMetrics {
  readonly #monitor: Monitor
  readonly #names: MetricNames
  readonly #process = new Registry()

  constructor(monitor: Monitor, names: MetricNames) {
    this.#monitor = monitor
    this.#names = names
    collectDefaultMetrics({ register: this.#process })
  }

  async text(): Promise<string> {
    const families = new Families()
    for (const cluster of this.#monitor.clusters.values()) {
      if (this.#names !== 'kafka-lag-exporter') burrowMetrics(families, cluster)
      if (this.#names !== 'burrow') lagExporterMetrics(families, cluster)
      ownMetrics(families, cluster, this.#monitor.clock.now())
    }
    return `${families.text()}${await this.#process.metrics()}`
  }
}

type Labels = Readonly<Record<string, string | number>>

/** Lines by the name of the metric: all of one must stand together. */
class Families {
  readonly #lines = new Map<string, string[]>()

  add(name: string, help: string, labels: Labels, value: number | null | undefined): void {
    if (value === null || value === undefined) return
    let lines = this.#lines.get(name)
    if (!lines) this.#lines.set(name, (lines = [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`]))
    const said = Object.entries(labels).map(([label, text]) => `${label}="${escaped(String(text))}"`)
    lines.push(`${name}{${said.join(',')}} ${value}`)
  }

  text(): string {
    return [...this.#lines.values()].map((lines) => `${lines.join('\n')}\n`).join('')
  }
}

function escaped(text: string): string {
  return /[\\"\n]/.test(text) ? text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : text
}

/** As Burrow's core/internal/httpserver/prometheus.go has them; the partition's label is its number, not its place in a list. */
function burrowMetrics(families: Families, cluster: ClusterMonitor): void {
  const name = cluster.name
  for (const group of cluster.state.groups.values()) {
    if (group.status === 'UNKNOWN') continue
    const ofGroup = { cluster: name, consumer_group: group.groupId }
    families.add(
      'burrow_kafka_consumer_lag_total',
      'The sum of all partition current lag values for the group',
      ofGroup,
      group.totalLag ?? 0,
    )
    families.add(
      'burrow_kafka_consumer_status',
      'The status of the consumer group: 1 OK, 2 WARN, 3 ERR',
      ofGroup,
      burrowGroups[group.status].number,
    )
    for (const pair of group.pairs()) burrowPartition(families, ofGroup, pair)
  }
  for (const topic of cluster.state.topics.values()) {
    for (const [partition, { end }] of topic.logs.entries()) {
      const labels = { cluster: name, topic: topic.topic, partition }
      families.add('burrow_kafka_topic_partition_offset', 'Latest offset of the topic’s partition', labels, end)
    }
  }
}

function burrowPartition(families: Families, ofGroup: Labels, pair: PairState): void {
  const labels = { ...ofGroup, topic: pair.topic, partition: pair.partition }
  families.add('burrow_kafka_consumer_partition_lag', 'Records the group is behind on a partition', labels, pair.lag)
  if (pair.judgement?.complete !== 1) return
  families.add('burrow_kafka_consumer_current_offset', 'Latest offset committed on a partition', labels, pair.committed)
  families.add(
    'burrow_kafka_topic_partition_status',
    'The status of a partition: 1 OK, 2 WARN, 4 STOP, 5 STALL, 6 REWIND',
    labels,
    burrowNumbers[pair.judgement.status],
  )
}

/** As seglo/kafka-lag-exporter has them. */
function lagExporterMetrics(families: Families, cluster: ClusterMonitor): void {
  const cluster_name = cluster.name
  for (const topic of cluster.state.topics.values()) {
    for (const [partition, { end, logStart }] of topic.logs.entries()) {
      const labels = { cluster_name, topic: topic.topic, partition }
      families.add('kafka_partition_latest_offset', 'Latest offset of a partition', labels, end)
      families.add('kafka_partition_earliest_offset', 'Earliest offset of a partition', labels, logStart)
    }
  }
  for (const group of cluster.state.groups.values()) lagExporterGroup(families, cluster_name, group)
  families.add('kafka_consumergroup_poll_time_ms', 'Group time poll time', { cluster_name }, cluster.sampleMs)
}

function lagExporterGroup(families: Families, cluster_name: string, group: GroupState): void {
  const ofGroup = { cluster_name, group: group.groupId }
  families.add('kafka_consumergroup_group_max_lag', 'Max group offset lag', ofGroup, group.maxLag)
  families.add('kafka_consumergroup_group_max_lag_seconds', 'Max group time lag', ofGroup, group.lagSeconds)
  families.add('kafka_consumergroup_group_sum_lag', 'Sum of group offset lag', ofGroup, group.totalLag)
  for (const [topic, pairs] of group.topics) {
    const known = [...pairs.values()].flatMap(({ lag }) => lag ?? [])
    const sum = known.reduce((total, lag) => total + lag, 0)
    families.add(
      'kafka_consumergroup_group_topic_sum_lag',
      'Sum of group offset lag across topic partitions',
      { ...ofGroup, topic },
      known.length > 0 ? sum : null,
    )
  }
  for (const pair of group.pairs()) {
    const owner = group.owner(pair.topic, pair.partition)
    const { host, memberId, clientId } = typeof owner === 'object' ? owner : { host: '', memberId: '', clientId: '' }
    const member = { member_host: host.replace(/^\//, ''), consumer_id: memberId, client_id: clientId }
    const labels = { ...ofGroup, topic: pair.topic, partition: pair.partition, ...member }
    families.add(
      'kafka_consumergroup_group_offset',
      'Last group consumed offset of a partition',
      labels,
      pair.committed,
    )
    families.add('kafka_consumergroup_group_lag', 'Group offset lag of a partition', labels, pair.lag)
    families.add('kafka_consumergroup_group_lag_seconds', 'Group time lag of a partition', labels, pair.lagSeconds)
  }
}

function ownMetrics(families: Families, cluster: ClusterMonitor, now: number): void {
  const labels = { cluster: cluster.name }
  const { state } = cluster
  families.add(
    'sluice_monitor_up',
    'Whether the last sample of the cluster succeeded',
    labels,
    cluster.condition === 'ok' ? 1 : 0,
  )
  families.add(
    'sluice_monitor_sample_age_seconds',
    'Age of the last sample',
    labels,
    state.sampledAt === undefined ? null : Math.max(0, now - state.sampledAt) / 1000,
  )
  families.add(
    'sluice_monitor_sample_seconds',
    'How long the last sample took',
    labels,
    cluster.sampleMs === undefined ? null : cluster.sampleMs / 1000,
  )
  families.add('sluice_monitor_sample_requests', 'Requests of the last sample', labels, cluster.requestsPerSample)
  families.add('sluice_monitor_partitions', 'Partitions of groups that are remembered', labels, state.pairs)
  families.add('sluice_monitor_partitions_left_out', 'Partitions of groups beyond the cap', labels, state.pairsLeftOut)
  families.add('sluice_monitor_groups_left_out', 'Groups beyond the cap', labels, state.groupsLeftOut)
  families.add('sluice_monitor_window_bytes', 'Bytes of the windows that are remembered', labels, state.windowBytes)
  const counts = Object.fromEntries(groupStatuses.map((status) => [status, 0]))
  for (const group of state.groups.values()) {
    counts[group.status]!++
    const ofGroup = { ...labels, consumer_group: group.groupId }
    families.add(
      'sluice_consumer_lag_seconds',
      'Age of the first unread record of the partition furthest behind',
      ofGroup,
      group.lagSeconds,
    )
  }
  for (const [status, count] of Object.entries(counts))
    families.add('sluice_monitor_groups', 'Groups by status', { ...labels, status }, count)
}
