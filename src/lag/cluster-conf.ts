/** What the monitor is told about one cluster, after monitor.yaml (monitor-conf.ts), burrow.toml or the command line have been read. Plain data. */
import type { PropertyBag } from '../client/index.ts'
import type { RuleSet } from './judge.ts'

/** Groups whose whole name matches, and what holds for them. The first that matches counts. */
export interface GroupRule {
  readonly groups: RegExp
  readonly allowedLag?: number | undefined
  /** Whether the group reads committed records only: then its end is the last stable offset. */
  readonly isolation?: 'read_committed' | 'read_uncommitted' | undefined
}

/** admin: asks brokers. offsets-topic: reads `__consumer_offsets`. both: each checks the other. */
export type CollectBy = 'admin' | 'offsets-topic' | 'both'

export interface ClusterConf {
  readonly name: string
  /** Kafka's client properties, `bootstrap.servers` among them. */
  readonly properties: PropertyBag
  readonly ruleSet: RuleSet
  readonly collectBy: CollectBy
  readonly sampleIntervalMs: number
  /** Places of a window. */
  readonly intervals: number
  readonly minimumSamples: number
  readonly minimumComplete: number
  readonly minDistanceMs: number
  readonly allowedLag: number
  readonly isolation: 'read_committed' | 'read_uncommitted'
  readonly groupRules: readonly GroupRule[]
  /** Groups to watch; undefined: all. */
  readonly allow: RegExp | undefined
  readonly deny: RegExp | undefined
  /** Whether records are read at a commit, for the time lag that the log ends do not tell and for transaction markers. Takes Read on the topic. */
  readonly peek: boolean
  readonly maxGroups: number
  readonly maxPairs: number
  readonly describeEveryMs: number
  readonly topicsEveryMs: number
}

export const clusterDefaults = {
  ruleSet: 'sluice',
  collectBy: 'admin',
  sampleIntervalMs: 10_000,
  intervals: 10,
  minimumSamples: 5,
  minimumComplete: 0,
  minDistanceMs: 0,
  allowedLag: 0,
  isolation: 'read_uncommitted',
  groupRules: [],
  allow: undefined,
  deny: undefined,
  peek: true,
  maxGroups: 10_000,
  maxPairs: 500_000,
  describeEveryMs: 30_000,
  topicsEveryMs: 60_000,
} as const satisfies Partial<ClusterConf>

export function wantsGroup({ allow, deny }: ClusterConf, groupId: string): boolean {
  return (allow === undefined || allow.test(groupId)) && !(deny?.test(groupId) ?? false)
}

/** Answers by group, remembered: rules are regular expressions, and groups are asked about in every sample. */
export function byGroup<T>(
  conf: ClusterConf,
  of: (rule: GroupRule) => T | undefined,
  otherwise: T,
): (groupId: string) => T {
  if (conf.groupRules.length === 0) return () => otherwise
  const known = new Map<string, T>()
  return (groupId) => {
    let found = known.get(groupId)
    if (found === undefined) {
      const rule = conf.groupRules.find((one) => one.groups.test(groupId) && of(one) !== undefined)
      found = (rule && of(rule)) ?? otherwise
      // As many as groups that may be watched, or it would grow with every name that ever was.
      if (known.size >= conf.maxGroups) known.clear()
      known.set(groupId, found)
    }
    return found
  }
}
