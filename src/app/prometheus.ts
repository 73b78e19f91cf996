/**
 * The metrics of all consumers in Prometheus's text format. Java's have the names that Prometheus's JMX exporter gives them when it has no rules,
 *
 *     kafka.consumer:type=consumer-fetch-manager-metrics,client-id=…  records-lag-max
 *     kafka_consumer_consumer_fetch_manager_metrics_records_lag_max{client_id="…"}
 *
 * with `group` and `consumer` beside, as a client id may be that of several. Why so: docs/decisions/0010-metrics-and-probes.md.
 */
import { Counter, Gauge, Registry } from 'prom-client'
import { type Labels, type Moment, ownMetrics, type Sample } from './own-metrics.ts'
import type { Redact } from './secrets.ts'
import type { ConsumerStatus } from './supervisor.ts'

/** The process itself, under the names that Prometheus's own clients use. */
export interface ProcessFigures {
  readonly residentBytes: number
  readonly cpuSeconds: number
  /** Unix time. */
  readonly startSeconds: number
}

export const contentType = 'text/plain; version=0.0.4; charset=utf-8'

export function renderMetrics(
  consumers: readonly ConsumerStatus[],
  moment: Moment,
  figures: ProcessFigures,
  redact: Redact,
): Promise<string> {
  const families = new Families()
  const names = namesOf(consumers, redact)
  for (const { name, type, help, labels = [], samples } of ownMetrics) {
    families.declare(name, type, help, ['group', 'consumer', ...labels])
    for (const consumer of consumers) {
      for (const sample of samples(consumer, moment)) families.add(name, sample, names.get(consumer)!)
    }
  }
  for (const consumer of consumers) {
    for (const { name, group, tags, value } of consumer.report?.metrics ?? []) {
      const family = javaName(group, name)
      const type = name.endsWith('-total') ? 'counter' : 'gauge'
      families.declare(family, type, `${name} of Java's ${group}.`, javaLabels)
      const { 'client-id': clientId, ...others } = tags
      families.add(family, [value, { client_id: redact(clientId ?? ''), ...others }], names.get(consumer)!)
    }
  }
  const { residentBytes, cpuSeconds, startSeconds } = figures
  families.single('process_resident_memory_bytes', 'gauge', 'Resident memory of the process.', residentBytes)
  families.single('process_cpu_seconds_total', 'counter', 'CPU time of the process, user and system.', cpuSeconds)
  families.single('process_start_time_seconds', 'gauge', 'Unix time at which the process started.', startSeconds)
  return families.text()
}

const javaLabels = ['group', 'consumer', 'client_id', 'topic', 'partition']

export function javaName(group: string, name: string): string {
  return `kafka_consumer_${group}_${name}`.replaceAll(/[^a-zA-Z0-9_]/g, '_')
}

/** Two applications of one file may belong to one group: their consumers then have the place in the file before them. */
function namesOf(consumers: readonly ConsumerStatus[], redact: Redact): ReadonlyMap<ConsumerStatus, Labels> {
  const entries = new Map<string, Set<string>>()
  for (const { application, entry } of consumers) {
    entries.set(application, (entries.get(application) ?? new Set()).add(entry))
  }
  return new Map(
    consumers.map((one) => {
      const { application, consumer, entry } = one
      const isShared = entries.get(application)!.size > 1
      return [one, { group: redact(application), consumer: isShared ? `${entry} ${consumer}` : consumer }]
    }),
  )
}

class Families {
  readonly #registry = new Registry()
  readonly #metrics = new Map<string, Counter | Gauge>()

  declare(name: string, type: 'counter' | 'gauge', help: string, labelNames: readonly string[]): void {
    if (this.#metrics.has(name)) return
    const settings = { name, help, labelNames, registers: [this.#registry] }
    this.#metrics.set(name, type === 'counter' ? new Counter(settings) : new Gauge(settings))
  }

  /** What has no value yet is left out. */
  add(name: string, [value, labels]: Sample, own: Labels): void {
    if (value !== undefined) this.#metrics.get(name)!.inc({ ...own, ...labels }, value)
  }

  single(name: string, type: 'counter' | 'gauge', help: string, value: number): void {
    this.declare(name, type, help, [])
    this.#metrics.get(name)!.inc(value)
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }
}
