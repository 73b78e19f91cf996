/** What the API says of a group and a cluster, for tests that care about a part of it. */
import type { ClusterSummary, GroupDetail, GroupSummary } from '../../src/lag/api-types.ts'

export function summaryOf(group: string, over: Partial<GroupSummary> = {}): GroupSummary {
  return {
    cluster: 'local',
    group,
    status: 'OK',
    state: 'Stable',
    type: 'classic',
    members: 1,
    topics: 1,
    partitions: 1,
    badPartitions: 0,
    totalLag: 0,
    maxLag: 0,
    lagSeconds: 0,
    allowedLag: 0,
    rule: 'keeping-pace',
    evidence: null,
    readPerSecond: 0,
    writtenPerSecond: 0,
    forecastSeconds: 0,
    trend: [],
    since: null,
    sampledAt: null,
    ...over,
  }
}

export function detailOf(group: string, over: Partial<GroupDetail> = {}): GroupDetail {
  return {
    ...summaryOf(group),
    coordinator: 1,
    assignor: null,
    partitionList: [],
    memberList: [],
    sentences: [],
    marks: [],
    ...over,
  }
}

export function clusterOf(cluster: string, over: Partial<ClusterSummary> = {}): ClusterSummary {
  return {
    cluster,
    clusterId: null,
    servers: 'x:1',
    ruleSet: 'sluice',
    sampleIntervalMs: 1000,
    state: 'ok',
    sampledAt: 1,
    sampleMs: 1,
    requestsPerSample: 1,
    problem: null,
    missingRights: [],
    brokers: 1,
    topics: 1,
    partitions: 1,
    counts: { OK: 0, WARNING: 0, ERROR: 0, UNKNOWN: 0 },
    groupsLeftOut: 0,
    ...over,
  }
}
