/** What the monitor knows, in the shapes of its API (api-types.ts). Reads state, changes none. */
import type {
  ClusterSummary,
  GroupDetail,
  GroupSummary,
  Member,
  PartitionDetail,
  PartitionSummary,
  TopicDetail,
  TopicSummary,
} from './api-types.ts'
import type { ClusterMonitor } from './cluster-monitor.ts'
import type { GroupState } from './group-state.ts'
import { type Judgement, RuleJudgement } from './judgement.ts'
import type { LogState, TopicState } from './log-state.ts'
import type { PairState } from './pair-state.ts'
import { forecastSeconds, paceOf } from './sluice-rules.ts'
import { burrowNumbers, type GroupStatus, worstFirst } from './status.ts'
import { lagOf } from './window.ts'

const RATE_WINDOW_MS = 300_000

export function clusterSummary(monitor: ClusterMonitor): ClusterSummary {
  const { state, settings } = monitor
  const counts: Record<GroupStatus, number> = { OK: 0, WARNING: 0, ERROR: 0, UNKNOWN: 0 }
  for (const { status } of state.groups.values()) counts[status]++
  let partitions = 0
  for (const { logs } of state.topics.values()) partitions += logs.length
  return {
    cluster: monitor.name,
    clusterId: state.clusterId ?? null,
    servers: settings.servers,
    ruleSet: settings.ruleSet,
    sampleIntervalMs: settings.sampleIntervalMs,
    state: monitor.condition,
    sampledAt: state.sampledAt ?? null,
    sampleMs: monitor.sampleMs === undefined ? null : Math.round(monitor.sampleMs),
    requestsPerSample: monitor.requestsPerSample ?? null,
    problem: monitor.problem ?? null,
    missingRights: monitor.missingRights,
    brokers: state.brokers,
    topics: state.topics.size,
    partitions,
    counts,
    groupsLeftOut: state.groupsLeftOut,
  }
}

export function groupSummary(monitor: ClusterMonitor, group: GroupState): GroupSummary {
  return {
    cluster: monitor.name,
    group: group.groupId,
    status: group.status,
    state: group.state ?? null,
    type: group.type ?? null,
    members: group.description?.members.length ?? 0,
    topics: group.topics.size,
    partitions: group.partitions,
    badPartitions: group.badPartitions,
    totalLag: group.totalLag,
    maxLag: group.maxLag,
    lagSeconds: rounded(group.lagSeconds),
    allowedLag: monitor.settings.allowedLag(group.groupId),
    rule: group.worst?.rule ?? null,
    evidence: group.worst?.evidence ?? null,
    readPerSecond: rounded(group.readPerSecond),
    writtenPerSecond: rounded(group.writtenPerSecond),
    forecastSeconds: rounded(group.forecastSeconds),
    trend: [...group.trend],
    since: group.since ?? null,
    sampledAt: group.sampledAt ?? null,
  }
}

/** Worst first: by status, then by lag, then by name. */
export function groupSummaries(monitor: ClusterMonitor): GroupSummary[] {
  return [...monitor.state.groups.values()].map((group) => groupSummary(monitor, group)).sort(byWorst)
}

export function byWorst(left: GroupSummary, right: GroupSummary): number {
  return (
    worstFirst(left.status, right.status) ||
    (right.totalLag ?? -1) - (left.totalLag ?? -1) ||
    (left.group < right.group ? -1 : left.group > right.group ? 1 : 0)
  )
}

export function groupDetail(monitor: ClusterMonitor, group: GroupState): GroupDetail {
  const partitionList = [...group.pairs()]
    .map((pair) => partitionSummary(monitor, group, pair))
    .sort(worstPartitionFirst)
  return {
    ...groupSummary(monitor, group),
    coordinator: group.coordinator < 0 ? null : group.coordinator,
    assignor: group.description?.assignor || null,
    partitionList,
    memberList: (group.description?.members ?? []).map(
      ({ memberId, groupInstanceId, clientId, host, assignment }): Member => ({
        memberId,
        groupInstanceId: groupInstanceId ?? null,
        clientId,
        host: host.replace(/^\//, ''),
        assignment: [...Map.groupBy(assignment, ({ topic }) => topic)].map(([topic, all]) => ({
          topic,
          partitions: all.map(({ partition }) => partition).sort((left, right) => left - right),
        })),
      }),
    ),
    sentences: group.worst?.sentences ?? [],
    marks: [...group.marks],
  }
}

function worstPartitionFirst(left: PartitionSummary, right: PartitionSummary): number {
  return (
    burrowNumbers[right.status] - burrowNumbers[left.status] ||
    (right.lag ?? -1) - (left.lag ?? -1) ||
    (left.topic < right.topic ? -1 : left.topic > right.topic ? 1 : left.partition - right.partition)
  )
}

export function partitionSummary(monitor: ClusterMonitor, group: GroupState, pair: PairState): PartitionSummary {
  const log = monitor.state.topics.get(pair.topic)?.log(pair.partition)
  const samples = pair.samples.toArray()
  const pace = paceOf(samples)
  const owner = group.owner(pair.topic, pair.partition)
  const judgement = pair.judgement ?? notJudged
  return {
    topic: pair.topic,
    partition: pair.partition,
    status: judgement.status,
    committed: pair.committed ?? null,
    end: pair.samples.at(-1)?.end ?? log?.end ?? null,
    logStart: log?.logStart ?? null,
    lastStable: log?.lastStable ?? null,
    lag: pair.lag,
    lagSeconds: rounded(pair.lagSeconds),
    owner: typeof owner === 'object' ? { ...owner, host: owner.host.replace(/^\//, '') } : null,
    complete: judgement.complete,
    readPerSecond: rounded(pace?.read ?? null),
    writtenPerSecond: rounded(pace?.written ?? null),
    forecastSeconds: rounded(pair.lag === 0 ? 0 : forecastSeconds(samples)),
    evidence: {
      status: judgement.status,
      rule: judgement.rule,
      text: judgement.evidence,
      sentences: judgement.sentences,
      from: judgement.from,
      to: judgement.to,
      samples: judgement.samples,
    },
  }
}

const notJudged: Judgement = new RuleJudgement('OK', 'window-too-short', [{ name: 'not-judged', values: {} }], {
  from: null,
  to: null,
  samples: 0,
  complete: 0,
})

export function partitionDetail(monitor: ClusterMonitor, group: GroupState, pair: PairState): PartitionDetail {
  const topic = monitor.state.topics.get(pair.topic)
  return {
    ...partitionSummary(monitor, group, pair),
    cluster: monitor.name,
    group: group.groupId,
    topicId: topic?.topicId ?? null,
    samples: pair.samples.toArray().map((sample) => ({ ...sample, lag: lagOf(sample) })),
    commits: pair.commits.toArray().map((commit) => ({ ...commit })),
    ends: (topic?.log(pair.partition)?.ends.toArray() ?? []).map((point) => ({ ...point })),
  }
}

export function topicSummary(monitor: ClusterMonitor, topic: TopicState, groups?: number): TopicSummary {
  const sizes = topic.logs.map(sizeOf)
  return {
    cluster: monitor.name,
    topic: topic.topic,
    topicId: topic.topicId ?? null,
    partitions: topic.logs.length,
    size: sumOrNull(sizes),
    writtenPerSecond: rounded(sumOrNull(topic.logs.map((log) => writtenPerSecond(monitor, log)))),
    groups: groups ?? readersOf(monitor, topic.topic).length,
  }
}

export function topicSummaries(monitor: ClusterMonitor): TopicSummary[] {
  const readers = new Map<string, number>()
  for (const group of monitor.state.groups.values()) {
    for (const topic of group.topics.keys()) readers.set(topic, (readers.get(topic) ?? 0) + 1)
  }
  return [...monitor.state.topics.values()]
    .map((topic) => topicSummary(monitor, topic, readers.get(topic.topic) ?? 0))
    .sort((left, right) => (left.topic < right.topic ? -1 : 1))
}

export function topicDetail(monitor: ClusterMonitor, topic: TopicState): TopicDetail {
  const readers = readersOf(monitor, topic.topic)
  return {
    ...topicSummary(monitor, topic, readers.length),
    partitionList: topic.logs.map((log, partition) => ({
      partition,
      leader: log.leader < 0 ? null : log.leader,
      leaderEpoch: log.leaderEpoch < 0 ? null : log.leaderEpoch,
      logStart: log.logStart ?? null,
      end: log.end ?? null,
      lastStable: log.lastStable ?? null,
      writtenPerSecond: rounded(writtenPerSecond(monitor, log)),
    })),
    readers: readers.map((group) => {
      const pairs = [...(group.topics.get(topic.topic)?.values() ?? [])]
      const seconds = pairs.flatMap(({ lagSeconds }) => lagSeconds ?? [])
      return {
        group: group.groupId,
        status: group.status,
        lag: sumOrNull(pairs.map(({ lag }) => lag)),
        lagSeconds: seconds.length > 0 ? rounded(Math.max(...seconds)) : null,
      }
    }),
  }
}

export function readersOf(monitor: ClusterMonitor, topic: string): GroupState[] {
  return [...monitor.state.groups.values()].filter(({ topics }) => topics.has(topic))
}

function sizeOf(log: LogState): number | null {
  return log.end === undefined || log.logStart === undefined ? null : Math.max(0, log.end - log.logStart)
}

function writtenPerSecond({ state }: ClusterMonitor, log: LogState): number | null {
  return state.sampledAt === undefined ? null : (log.ends.ratePerSecond(state.sampledAt - RATE_WINDOW_MS) ?? null)
}

/** Of what is known; null if nothing is. */
function sumOrNull(values: readonly (number | null)[]): number | null {
  const known = values.flatMap((value) => value ?? [])
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0)
}

/** To a thousandth: what is beyond is noise. */
function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1000) / 1000
}
