/**
 * One look at a cluster: what a collector brings and `ClusterState` takes in. Commits are read before log ends, always: read the other way
 * round, a commit that comes in between would be beyond the end, and a slow answer would hide lag.
 */
import type { GroupDescription } from '../client/admin/index.ts'
import type { MissingRights, Problems } from './sample-problems.ts'

export interface ClusterSample {
  /** When the log ends were asked for, milliseconds since 1970. */
  readonly at: number
  /** How long it took from the first commit to the last log end. */
  readonly spanMs: number
  readonly groups: ReadonlyMap<string, SampledGroup>
  /** Commits that were seen one by one since the last sample, oldest first: only where `__consumer_offsets` is read. */
  readonly seen: readonly SeenCommit[]
  /** Whether `seen` is all there is: then an offset that changed is no commit of its own. */
  readonly seesEveryCommit: boolean
  /** Whether every broker said which groups it has: only then are those that nobody named gone. */
  readonly isWhole: boolean
  readonly topics: ReadonlyMap<string, SampledTopic>
  /** Topics that are not there (any more). */
  readonly missingTopics: ReadonlySet<string>
  readonly clusterId: string | undefined
  readonly brokers: number
  /** Groups that were listed and not looked at, for there are too many. */
  readonly groupsLeftOut: number
  /** In words, for the person who wonders why something is missing. */
  readonly problems: readonly string[]
  /** `Describe on Group payments`. */
  readonly missingRights: readonly string[]
}

export interface SampledGroup {
  readonly groupId: string
  readonly state: string | undefined
  readonly type: string | undefined
  readonly protocolType: string
  readonly coordinator: number
  /** The last one there is, which may be some seconds old; undefined if it could not be had. */
  readonly description: GroupDescription | undefined
  /** By topic and partition; undefined if they could not be read this time. */
  readonly commits: SampledCommits | undefined
}

/** Of one group, by topic. */
export type SampledCommits = ReadonlyMap<string, SampledPartitions>
/** Of one group and topic: the committed offset by partition. */
export type SampledPartitions = ReadonlyMap<number, number>

export interface SampledTopic {
  readonly topic: string
  readonly topicId: string | undefined
  readonly isInternal: boolean
  /** In order of their number. */
  readonly logs: readonly SampledLog[]
}

export interface SampledLog {
  readonly partition: number
  /** -1 while there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  /** High watermark; undefined if it could not be had this time. */
  readonly end: number | undefined
  /** undefined if it was not asked for. */
  readonly lastStable: number | undefined
  readonly logStart: number | undefined
}

/** Whoever brings samples. `sample` rejects when nothing of the cluster could be had. */
export interface Collector {
  sample(signal: AbortSignal): Promise<ClusterSample>
  close(): Promise<void>
}

export interface SeenCommit {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** When the group committed, milliseconds since 1970. */
  readonly timestamp: number
  readonly observedAt: number
}

/** What every request of a sample is given. */
export interface CallOptions {
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** Where groups and commits are looked up. `read` rejects when nothing of them could be had. */
export interface GroupSource {
  read(options: CallOptions, problems: Problems, rights: MissingRights): Promise<SampledGroups>
  close(): Promise<void>
}

export interface SampledGroups {
  readonly groups: ReadonlyMap<string, SampledGroup>
  readonly seen: readonly SeenCommit[]
  readonly seesEveryCommit: boolean
  readonly isWhole: boolean
  readonly leftOut: number
  /** Of the monotonic clock: when the first commit was asked for. */
  readonly began: number
}
