/** One consumer as a supervisor would show it, for tests of those who look at it. */
import type { ConsumerStatus } from '../../src/app/supervisor.ts'
import type { PartitionReport, WorkerReport } from '../../src/app/worker-report.ts'
import { noCounts } from '../../src/app/worker.ts'

const none = { calls: 0, partitions: 0, ms: 0 }

export function partitionReport(values: Partial<PartitionReport> = {}): PartitionReport {
  return { topic: 'clicks', partition: 0, position: 10, done: 10, committed: 10, end: 10, isBusy: false, ...values }
}

export function workerReport(values: Partial<WorkerReport> = {}): WorkerReport {
  return {
    generation: 3,
    memberId: 'member',
    partitions: [partitionReport()],
    lastCommitAtMs: undefined,
    rebalances: { assigned: none, revoked: none, lost: none },
    metrics: [],
    ...values,
  }
}

export function consumerStatus(values: Partial<ConsumerStatus> = {}): ConsumerStatus {
  return {
    application: 'readers',
    consumer: 'consumer-thread-0',
    state: 'running',
    partitions: ['clicks-0'],
    counts: noCounts,
    restarts: 0,
    lastError: undefined,
    entry: '',
    missingTopics: [],
    heardAtMs: 0,
    report: workerReport(),
    ...values,
  }
}
