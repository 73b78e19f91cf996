/**
 * The JSON of the monitor's own API (`/api/v1/…`) and of its event stream: what the page is built on. The OpenAPI description (openapi.ts)
 * says the same, and a test holds the answers to it.
 *
 * Times are milliseconds since 1970, lags are records, rates are records a second. `null` is "not known", never zero.
 */
import type { RuleName } from './judgement.ts'
import type { Sentence } from './sentences.ts'
import type { GroupStatus, PartitionStatus } from './status.ts'

/** `GET /api/v1/settings`: what this monitor can be asked for. */
export interface MonitorSettings {
  /** Of Sluice. */
  readonly version: string
  /** Whether it stores history. */
  readonly hasHistory: boolean
  /** Whether groups may be reset and deleted, with the token. */
  readonly allowsChanges: boolean
}

/** `GET /api/v1/overview`: everything that the first view needs. */
export interface Overview {
  readonly now: number
  /** Of Sluice. */
  readonly version: string
  readonly clusters: readonly ClusterSummary[]
  /** Worst first: status, then lag. */
  readonly groups: readonly GroupSummary[]
}

/** `GET /api/v1/clusters` and `/clusters/:cluster`. */
export interface ClusterSummary {
  readonly cluster: string
  readonly clusterId: string | null
  readonly servers: string
  readonly ruleSet: 'sluice' | 'burrow'
  readonly sampleIntervalMs: number
  /** starting: no sample yet. ok. stale: the last samples failed; `problem` says why, `sampledAt` since when. */
  readonly state: 'starting' | 'ok' | 'stale'
  readonly sampledAt: number | null
  /** How long the last sample took. */
  readonly sampleMs: number | null
  readonly requestsPerSample: number | null
  readonly problem: string | null
  /** Rights that are missing, by name: `Describe on Group payments`. */
  readonly missingRights: readonly string[]
  readonly brokers: number
  readonly topics: number
  readonly partitions: number
  readonly counts: Readonly<Record<GroupStatus, number>>
  /** Groups beyond the cap, which are not watched. */
  readonly groupsLeftOut: number
}

/** `GET /api/v1/clusters/:cluster/groups`. */
export interface GroupList {
  readonly total: number
  readonly groups: readonly GroupSummary[]
}

export interface GroupSummary {
  readonly cluster: string
  readonly group: string
  readonly status: GroupStatus
  /** Kafka's: Stable, Empty, Dead, PreparingRebalance …; null from brokers that do not say. */
  readonly state: string | null
  /** classic, consumer …; null from brokers before 4.0. */
  readonly type: string | null
  readonly members: number
  readonly topics: number
  readonly partitions: number
  readonly badPartitions: number
  readonly totalLag: number | null
  readonly maxLag: number | null
  /** Of the partition furthest behind in time. */
  readonly lagSeconds: number | null
  readonly allowedLag: number
  /** Of the worst partition. */
  readonly rule: RuleName | null
  readonly evidence: string | null
  readonly readPerSecond: number | null
  readonly writtenPerSecond: number | null
  /** Until the lag is gone at this pace; null: not known, or never. */
  readonly forecastSeconds: number | null
  /** Total lags of the last samples, oldest first. */
  readonly trend: readonly number[]
  /** Since when the status is what it is. */
  readonly since: number | null
  readonly sampledAt: number | null
}

/** `GET /api/v1/clusters/:cluster/groups/:group`. */
export interface GroupDetail extends GroupSummary {
  readonly coordinator: number | null
  readonly assignor: string | null
  /** Worst first. */
  readonly partitionList: readonly PartitionSummary[]
  readonly memberList: readonly Member[]
  /** The evidence, to be put into the reader's language. */
  readonly sentences: readonly Sentence[]
  readonly marks: readonly Mark[]
}

export interface Member {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly host: string
  readonly assignment: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
}

/** Something that happened to a group, for a chart. */
export interface Mark {
  readonly at: number
  readonly kind: 'rebalance' | 'status' | 'topic-recreated' | 'log-end-regressed' | 'offsets-reset'
  readonly text: string
  /** The same, to be put into the reader's language; not with marks of a store that knew none. */
  readonly sentences?: readonly Sentence[] | undefined
}

export interface Evidence {
  readonly status: PartitionStatus
  readonly rule: RuleName
  readonly text: string
  /** The same, to be put into the reader's language. */
  readonly sentences: readonly Sentence[]
  readonly from: number | null
  readonly to: number | null
  readonly samples: number
}

export interface PartitionSummary {
  readonly topic: string
  readonly partition: number
  readonly status: PartitionStatus
  readonly committed: number | null
  readonly end: number | null
  readonly logStart: number | null
  readonly lastStable: number | null
  readonly lag: number | null
  readonly lagSeconds: number | null
  readonly owner: { readonly memberId: string; readonly clientId: string; readonly host: string } | null
  /** 0 to 1: how much of the window is filled. */
  readonly complete: number
  readonly readPerSecond: number | null
  readonly writtenPerSecond: number | null
  readonly forecastSeconds: number | null
  readonly evidence: Evidence
}

/** `GET /api/v1/clusters/:cluster/groups/:group/topics/:topic/partitions/:partition`: exactly what the rules saw. */
export interface PartitionDetail extends PartitionSummary {
  readonly cluster: string
  readonly group: string
  readonly topicId: string | null
  readonly samples: readonly {
    readonly at: number
    readonly committed: number
    readonly end: number
    readonly lag: number
  }[]
  readonly commits: readonly {
    readonly offset: number
    readonly timestamp: number
    readonly observedAt: number
    readonly lag: number | null
  }[]
  /** How the log end moved, for the time lag. */
  readonly ends: readonly { readonly at: number; readonly end: number }[]
}

/** `GET /api/v1/clusters/:cluster/groups/:group/history?from=&to=`: from the store; raw for hours, then ten minutes a point. */
export interface GroupHistory {
  readonly cluster: string
  readonly group: string
  readonly from: number
  readonly to: number
  readonly stepMs: number
  readonly points: readonly HistoryPoint[]
  /** One row a partition, as long as `points`: for the heat strip. */
  readonly partitions: readonly PartitionHistory[]
  readonly marks: readonly Mark[]
}

export interface HistoryPoint {
  readonly at: number
  readonly status: GroupStatus
  readonly totalLag: number | null
  readonly maxLag: number | null
  readonly lagSeconds: number | null
  readonly readPerSecond: number | null
  readonly writtenPerSecond: number | null
  readonly members: number
}

export interface PartitionHistory {
  readonly topic: string
  readonly partition: number
  readonly lag: readonly (number | null)[]
  readonly status: readonly (PartitionStatus | null)[]
}

/** `GET /api/v1/clusters/:cluster/topics`. */
export interface TopicSummary {
  readonly cluster: string
  readonly topic: string
  readonly topicId: string | null
  readonly partitions: number
  /** Offsets between log start and end, all partitions. */
  readonly size: number | null
  readonly writtenPerSecond: number | null
  readonly groups: number
}

/** `GET /api/v1/clusters/:cluster/topics/:topic`. */
export interface TopicDetail extends TopicSummary {
  readonly partitionList: readonly {
    readonly partition: number
    readonly leader: number | null
    readonly leaderEpoch: number | null
    readonly logStart: number | null
    readonly end: number | null
    readonly lastStable: number | null
    readonly writtenPerSecond: number | null
  }[]
  readonly readers: readonly {
    readonly group: string
    readonly status: GroupStatus
    readonly lag: number | null
    readonly lagSeconds: number | null
  }[]
}

/** Where a reset puts offsets; what lies outside of a log becomes its start or its end. `offsets`: exactly these, as a dry run said them. */
export type ResetTo =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'time'; readonly at: number }
  | { readonly kind: 'shift'; readonly by: number }
  | {
      readonly kind: 'offsets'
      readonly offsets: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
    }

/** `POST /api/v1/clusters/:cluster/groups/:group/reset`. Needs the token; `dryRun` is true unless it is said otherwise. */
export interface ResetRequest {
  readonly dryRun?: boolean | undefined
  readonly to: ResetTo
  /** Without it: all that the group has committed on. */
  readonly topic?: string | undefined
}

/** Of a reset and of `DELETE /api/v1/clusters/:cluster/groups/:group?dryRun=`: what stood, and what stands then. */
export interface GroupChange {
  readonly cluster: string
  readonly group: string
  /** Nothing was changed. */
  readonly dryRun: boolean
  readonly partitions: readonly OffsetChange[]
}

export interface OffsetChange {
  readonly topic: string
  readonly partition: number
  /** null: nothing is committed. */
  readonly before: number | null
  readonly after: number | null
  readonly lagBefore: number | null
  readonly lagAfter: number | null
}

/** Every answer that is no 2xx. */
export interface ApiError {
  readonly error: { readonly code: string; readonly message: string }
}

/**
 * `GET /api/v1/events`, server-sent: `event:` is the type, `data:` the JSON. Optional `cluster` and `group` narrow it; with `group` each sample
 * brings that group's partitions. A client that reads too slowly misses samples, never the last one, and gets a whole `overview` after a gap.
 */
export type MonitorEvent =
  | { readonly type: 'overview'; readonly overview: Overview }
  /** After each sample: what changed. Groups that are not named are as before. */
  | {
      readonly type: 'sample'
      readonly at: number
      readonly cluster: ClusterSummary
      readonly groups: readonly GroupSummary[]
      readonly gone: readonly string[]
    }
  /** To those who asked for one group. */
  | { readonly type: 'group'; readonly at: number; readonly detail: GroupDetail }
  | {
      readonly type: 'status'
      readonly at: number
      readonly cluster: string
      readonly group: string
      readonly before: GroupStatus
      readonly status: GroupStatus
      readonly evidence: string | null
    }
