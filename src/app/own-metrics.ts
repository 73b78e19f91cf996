/** Sluice's own metrics, beside those that have Java's names: one table, from which they are exposed (prometheus.ts) and documented (docs/operations.md). */
import { rebalanceEvents } from './rebalances.ts'
import type { ConsumerStatus } from './supervisor.ts'
import { lagOf, type Stall } from './watchdog.ts'

export type Labels = Readonly<Record<string, string>>
export type Sample = readonly [value: number | undefined, labels?: Labels]

export interface OwnMetric {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  /** Beside `group` and `consumer`. */
  readonly labels?: readonly string[]
  readonly samples: (consumer: ConsumerStatus, at: Moment) => readonly Sample[]
}

export interface Moment {
  readonly monotonicMs: number
  readonly stalls: readonly Stall[]
}

const counter = (name: string, help: string, of: (consumer: ConsumerStatus) => number): OwnMetric => ({
  name,
  type: 'counter',
  help,
  samples: (consumer) => [[of(consumer)]],
})

const gauge = (
  name: string,
  help: string,
  of: (consumer: ConsumerStatus, at: Moment) => number | undefined,
): OwnMetric => ({ name, type: 'gauge', help, samples: (consumer, at) => [[of(consumer, at)]] })

type Partition = NonNullable<ConsumerStatus['report']>['partitions'][number]

const partitionGauge = (name: string, help: string, of: (partition: Partition) => number | undefined): OwnMetric => ({
  name,
  type: 'gauge',
  help,
  labels: ['topic', 'partition'],
  samples: ({ report }) =>
    (report?.partitions ?? []).map((one) => [of(one), { topic: one.topic, partition: String(one.partition) }]),
})

const rebalanceCounter = (name: string, help: string, key: 'calls' | 'partitions' | 'ms'): OwnMetric => ({
  name,
  type: 'counter',
  help,
  labels: ['event'],
  samples: ({ report }) =>
    rebalanceEvents.map((event) => {
      const count = report?.rebalances[event][key]
      return [count === undefined || key !== 'ms' ? count : count / 1000, { event }]
    }),
})

export const ownMetrics: readonly OwnMetric[] = [
  gauge(
    'sluice_consumer_running',
    '1 while the consumer runs; 0 when it is stopped, has failed or waits for a restart.',
    ({ state }) => Number(state === 'running'),
  ),
  gauge('sluice_consumer_stalled', '1 while the watchdog holds the consumer for stalled.', (consumer, { stalls }) =>
    Number(stalls.some((one) => one.application === consumer.application && one.consumer === consumer.consumer)),
  ),
  gauge(
    'sluice_consumer_report_age_seconds',
    'Time since the consumer last answered; what else is said of it is as old.',
    ({ heardAtMs }, { monotonicMs }) => Math.max(0, monotonicMs - heardAtMs) / 1000,
  ),
  gauge(
    'sluice_consumer_generation',
    'Generation of the group that the consumer is a member of; below 0 while it is none.',
    ({ report }) => report?.generation,
  ),
  gauge('sluice_consumer_last_commit_timestamp_seconds', 'Unix time of the last commit that succeeded.', ({ report }) =>
    report?.lastCommitAtMs === undefined ? undefined : report.lastCommitAtMs / 1000,
  ),
  gauge(
    'sluice_consumer_missing_topics',
    'Topics of the subscription that do not exist.',
    ({ missingTopics }) => missingTopics.length,
  ),
  counter('sluice_consumer_restarts_total', 'Restarts of the consumer after crashes.', ({ restarts }) => restarts),
  counter('sluice_records_polled_total', 'Records that polls returned.', ({ counts }) => counts.polled),
  counter(
    'sluice_records_done_total',
    'Records that the store has, or that a handler is done with.',
    ({ counts }) => counts.stored,
  ),
  counter(
    'sluice_offsets_committed_total',
    'Offsets by which the commits of the group have moved.',
    ({ counts }) => counts.committed,
  ),
  counter('sluice_handler_attempts_failed_total', 'Attempts of a handler that failed.', ({ counts }) => counts.failed),
  counter(
    'sluice_handler_retries_total',
    'Attempts of a handler that were made again.',
    ({ counts }) => counts.retried,
  ),
  counter(
    'sluice_records_dead_lettered_total',
    'Records that went to a dead-letter topic.',
    ({ counts }) => counts.deadLettered,
  ),
  counter('sluice_records_skipped_total', 'Records that were skipped.', ({ counts }) => counts.skipped),
  rebalanceCounter(
    'sluice_rebalance_events_total',
    'Calls of the rebalance listener, by event: assigned, revoked, lost.',
    'calls',
  ),
  rebalanceCounter('sluice_rebalance_partitions_total', 'Partitions in those calls.', 'partitions'),
  rebalanceCounter(
    'sluice_rebalance_seconds_total',
    'Time in those calls: storing and committing what was taken, for revoked.',
    'ms',
  ),
  partitionGauge(
    'sluice_partition_lag',
    'Records that are not yet stored or handled: end of the log minus what is done.',
    lagOf,
  ),
  partitionGauge('sluice_partition_position', 'Offset of the next record that is read.', ({ position }) => position),
  partitionGauge(
    'sluice_partition_done',
    'Every record below this offset is stored, or handled for good.',
    ({ done }) => done,
  ),
  partitionGauge('sluice_partition_committed', 'Offset that the group has committed.', ({ committed }) => committed),
  partitionGauge('sluice_partition_end', 'End of the log as of the last fetch.', ({ end }) => end),
]
