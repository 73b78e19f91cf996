/** /status, /metrics and the probes, from what consumers last said. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Monitor } from '../../src/app/monitor.ts'
import { redactor } from '../../src/app/secrets.ts'
import type { ConsumerStatus, Supervisor } from '../../src/app/supervisor.ts'
import type { Clock } from '../../src/seams/clock.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { noCounts } from '../../src/app/worker.ts'
import { consumerStatus, partitionReport, workerReport } from './consumer-status.ts'

interface Shown {
  readonly state: string
  readonly consumers: readonly {
    readonly lag: number | null
    readonly ageMs: number
    readonly recordsPerSecond: number | null
    readonly lastCommitAt: string | null
    readonly lastError: string | null
    readonly assignment: readonly unknown[]
  }[]
}

function watched(state: Supervisor['state'], consumers: ConsumerStatus[], secrets: readonly string[] = []) {
  let nowMs = 1000
  const monitor = new Monitor({
    stalledAfterMs: 5000,
    clock: { monotonic: () => nowMs } as Clock,
    logger: silentLogger,
    redact: redactor(secrets),
    version: '1.2.3',
    figures: () => ({ residentBytes: 1e8, cpuSeconds: 2.5, startSeconds: 1_700_000_000 }),
  })
  const supervisor = { state, consumers }
  monitor.watch(supervisor)
  const status = async () => JSON.parse(await monitor.status()) as Shown
  return { monitor, supervisor, status, pass: (ms: number) => void (nowMs += ms) }
}

/** Lines of one metric. */
const linesOf = (text: string, name: string) => text.split('\n').filter((line) => line.startsWith(`${name}{`))

test('status: assignment, lag, last commit, and how old what is said is', async () => {
  const partitions = [
    partitionReport({ position: 90, done: 40, committed: 30, end: 100, isBusy: true }),
    partitionReport({ partition: 1, position: 7, done: undefined, committed: undefined, end: 9 }),
  ]
  const report = workerReport({ partitions, lastCommitAtMs: 1_700_000_000_000 })
  const { status, pass } = watched('running', [consumerStatus({ report, heardAtMs: 1000 })])
  pass(4321)
  const { state, consumers } = await status()
  assert.equal(state, 'running')
  assert.equal(consumers[0]!.lag, 62)
  assert.equal(consumers[0]!.ageMs, 4321)
  assert.equal(consumers[0]!.lastCommitAt, '2023-11-14T22:13:20.000Z')
  assert.deepEqual(consumers[0]!.assignment, [
    { topic: 'clicks', partition: 0, position: 90, done: 40, committed: 30, end: 100, lag: 60, isBusy: true },
    { topic: 'clicks', partition: 1, position: 7, done: null, committed: null, end: 9, lag: 2, isBusy: false },
  ])
})

test('status: lag is null, not zero, while the end of a log is not known', async () => {
  const report = workerReport({ partitions: [partitionReport(), partitionReport({ partition: 1, end: undefined })] })
  const { status } = watched('running', [consumerStatus({ report })])
  assert.equal((await status()).consumers[0]!.lag, null)
})

test('status: records a second are those between two answers', async () => {
  const { monitor, status } = watched('running', [consumerStatus({ heardAtMs: 3000 })])
  const at = (heardAtMs: number, stored: number) => [consumerStatus({ heardAtMs, counts: { ...noCounts, stored } })]
  monitor.look(at(1000, 100))
  assert.equal((await status()).consumers[0]!.recordsPerSecond, null)
})

test('status: the rate stays what it was while a consumer does not answer', async () => {
  const { monitor, status } = watched('running', [consumerStatus({ heardAtMs: 3000 })])
  const at = (heardAtMs: number, stored: number) => [consumerStatus({ heardAtMs, counts: { ...noCounts, stored } })]
  monitor.look(at(1000, 100))
  monitor.look(at(3000, 350))
  monitor.look(at(3000, 350))
  assert.equal((await status()).consumers[0]!.recordsPerSecond, 125)
})

test('probes: ready when every consumer is a member, alive unless one is stalled', () => {
  const member = consumerStatus()
  const joining = consumerStatus({ consumer: 'consumer-thread-1', report: workerReport({ generation: -1 }) })
  const restarting = consumerStatus({ state: 'restarting' })
  for (const [state, consumers, problems] of [
    ['idle', [], ['nothing is started yet']],
    ['reaching', [], ['no broker has answered yet']],
    ['running', [member], []],
    ['running', [member, joining], ['readers consumer-thread-1 is no member of its group yet']],
    ['running', [restarting], ['readers consumer-thread-0 is restarting']],
    ['stopping', [member], ['the process is stopping']],
  ] as const) {
    const { monitor } = watched(state, [...consumers])
    assert.deepEqual(monitor.ready, { ok: problems.length === 0, problems })
    assert.deepEqual(monitor.alive, { ok: true, problems: [] })
  }
})

test('metrics: Java has the names of the JMX exporter, totals are counters, what has no value is left out', async () => {
  const tags = { 'client-id': 'c"1' }
  const group = 'consumer-fetch-manager-metrics'
  const metrics = [
    { group, name: 'records-lag-max', tags, value: 5 },
    { group, name: 'records-lag-max', tags: { ...tags, topic: 'clicks', partition: '0' }, value: 4 },
    { group, name: 'records-consumed-total', tags, value: 12 },
  ]
  const { monitor } = watched('running', [consumerStatus({ report: workerReport({ metrics }) })])
  const text = await monitor.metrics()
  const own = 'group="readers",consumer="consumer-thread-0"'
  assert.deepEqual(linesOf(text, 'kafka_consumer_consumer_fetch_manager_metrics_records_lag_max'), [
    `kafka_consumer_consumer_fetch_manager_metrics_records_lag_max{${own},client_id="c\\"1"} 5`,
    `kafka_consumer_consumer_fetch_manager_metrics_records_lag_max{${own},client_id="c\\"1",topic="clicks",partition="0"} 4`,
  ])
  assert.match(text, /^# TYPE kafka_consumer_consumer_fetch_manager_metrics_records_lag_max gauge$/m)
  assert.match(text, /^# TYPE kafka_consumer_consumer_fetch_manager_metrics_records_consumed_total counter$/m)
  assert.deepEqual(linesOf(text, 'sluice_consumer_last_commit_timestamp_seconds'), [])
  assert.deepEqual(linesOf(text, 'sluice_partition_end'), [
    `sluice_partition_end{${own},topic="clicks",partition="0"} 10`,
  ])
  assert.match(text, /^process_resident_memory_bytes 100000000$/m)
})

test('metrics: two applications in one group are told apart by their place in the conf', async () => {
  const { monitor } = watched('running', [
    consumerStatus({ entry: '[0]', restarts: 1 }),
    consumerStatus({ entry: '[1]', restarts: 2 }),
    consumerStatus({ entry: '[2]', application: 'others', restarts: 3 }),
  ])
  assert.deepEqual(linesOf(await monitor.metrics(), 'sluice_consumer_restarts_total'), [
    'sluice_consumer_restarts_total{group="readers",consumer="[0] consumer-thread-0"} 1',
    'sluice_consumer_restarts_total{group="readers",consumer="[1] consumer-thread-0"} 2',
    'sluice_consumer_restarts_total{group="others",consumer="consumer-thread-0"} 3',
  ])
})

test('status and metrics: no secret in either', async () => {
  const tags = { 'client-id': 'reader-hunter22' }
  const metrics = [{ group: 'consumer-metrics', name: 'connection-count', tags, value: 1 }]
  const { monitor } = watched(
    'running',
    [consumerStatus({ lastError: 'password "hunter22" was refused', report: workerReport({ metrics }) })],
    ['hunter22'],
  )
  const texts = [await monitor.status(), await monitor.metrics()]
  for (const text of texts) assert.doesNotMatch(text, /hunter22/)
  assert.match(texts[0]!, /was refused/)
})

test('status and metrics: worked out once for many who ask at a time', async () => {
  const { monitor, supervisor, pass } = watched('running', [])
  let looks = 0
  Object.defineProperty(supervisor, 'consumers', { get: () => (looks++, [consumerStatus()]) })
  await Promise.all(Array.from({ length: 1000 }, () => monitor.metrics()))
  assert.equal(looks, 1)
  pass(1000)
  await monitor.metrics()
  assert.equal(looks, 2)
})
