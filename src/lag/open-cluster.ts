/** Puts a cluster's monitor together from its configuration: clients, collector, look at the log. */
import { Admin } from '../client/admin/index.ts'
import { systemSeams, type ClientSeams, type PropertyBag } from '../client/index.ts'
import { AdminGroups } from './admin-groups.ts'
import { byGroup, type ClusterConf, wantsGroup } from './cluster-conf.ts'
import { ClusterMonitor } from './cluster-monitor.ts'
import type { ClusterSample, Collector, GroupSource } from './cluster-sample.ts'
import { countingTransport } from './counting-transport.ts'
import { GroupChanges } from './group-changes.ts'
import { LogPeek } from './log-peek.ts'
import { CheckedGroups, OffsetsTopic } from './offsets-topic.ts'
import { SampleCollector } from './sample-collector.ts'

/** A partition of `__consumer_offsets` may stand still this long, whatever the interval is. */
const LEAST_STALL_MS = 10_000

/** Connects with the first sample. @throws ConfigError when the client's properties are not sound */
export function openCluster(conf: ClusterConf, overrides: Partial<ClientSeams> = {}): ClusterMonitor {
  const plain = systemSeams(overrides)
  const counting = countingTransport(plain.transport)
  const seams = { ...plain, transport: counting.transport }
  const timeoutMs = Math.max(1000, conf.sampleIntervalMs)
  const properties = { 'client.id': 'sluice-monitor', 'request.timeout.ms': timeoutMs, ...conf.properties }
  const admin = new Admin(
    {
      'default.api.timeout.ms': timeoutMs,
      ...properties,
      retries: 0,
    },
    seams,
  )
  const allowedLag = byGroup(conf, (rule) => rule.allowedLag, conf.allowedLag)
  const isolation = byGroup(conf, (rule) => rule.isolation, conf.isolation)
  const groups = groupSource(conf, admin, properties, { ...seams, transport: plain.transport })
  const collector = new SampleCollector(admin, groups, seams.clock, { timeoutMs, topicsEveryMs: conf.topicsEveryMs })
  const peek = conf.peek ? new LogPeek(properties, plain) : undefined
  const { name, ruleSet, intervals, minDistanceMs, maxPairs, minimumComplete, minimumSamples, sampleIntervalMs } = conf
  const monitor = new ClusterMonitor(
    {
      name,
      servers: String(conf.properties['bootstrap.servers']),
      ruleSet,
      intervals,
      minDistanceMs,
      maxPairs,
      minimumComplete,
      minimumSamples,
      sampleIntervalMs,
      allowedLag,
      readsCommitted: (groupId) => isolation(groupId) === 'read_committed',
    },
    peek ? new WithPeek(collector, peek) : collector,
    { clock: seams.clock, logger: seams.logger, requests: counting.requests, changes: new GroupChanges(admin) },
  )
  if (peek) monitor.onSample(() => peek.look(monitor.state))
  return monitor
}

function groupSource(conf: ClusterConf, admin: Admin, properties: PropertyBag, seams: ClientSeams): GroupSource {
  const wants = (groupId: string) => wantsGroup(conf, groupId)
  const { maxGroups, describeEveryMs, collectBy, sampleIntervalMs } = conf
  const coordinators = () => new AdminGroups(admin, seams.clock, { wantsGroup: wants, maxGroups, describeEveryMs })
  if (collectBy === 'admin') return coordinators()
  const stalledAfterMs = Math.max(3 * sampleIntervalMs, LEAST_STALL_MS)
  const topic = new OffsetsTopic(admin, properties, seams, { wantsGroup: wants, maxGroups, stalledAfterMs })
  return collectBy === 'offsets-topic' ? topic : new CheckedGroups(coordinators(), topic)
}

/** Ends the look with the collector, and says its missing rights among the others. */
class WithPeek implements Collector {
  readonly #inner: Collector
  readonly #peek: LogPeek

  constructor(inner: Collector, peek: LogPeek) {
    this.#inner = inner
    this.#peek = peek
  }

  async sample(signal: AbortSignal): Promise<ClusterSample> {
    const sample = await this.#inner.sample(signal)
    const missing = [...this.#peek.missingRights].map((right) => `${right} (for the time lag only)`)
    return { ...sample, missingRights: [...sample.missingRights, ...missing] }
  }

  async close(): Promise<void> {
    await this.#peek.close()
    await this.#inner.close()
  }
}
