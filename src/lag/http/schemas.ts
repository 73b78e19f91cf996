/**
 * The shapes of api-types.ts as schemas: what the OpenAPI description is made of, and what a test holds every answer to. The compiler holds the
 * two to each other.
 */
import * as z from 'zod'
import type {
  ApiError,
  ClusterSummary,
  GroupChange,
  GroupDetail,
  GroupHistory,
  GroupList,
  GroupSummary,
  Mark,
  MonitorSettings,
  Overview,
  PartitionDetail,
  PartitionSummary,
  ResetRequest,
  TopicDetail,
  TopicSummary,
} from '../api-types.ts'
import { type Sentence, type SentenceName, sentences } from '../sentences.ts'
import { groupStatuses, partitionStatuses } from '../status.ts'

const time = z.int().describe('Milliseconds since 1970.')
const offset = z.int()
const number = z.number()
const nullable = {
  int: z.int().nullable(),
  number: z.number().nullable(),
  string: z.string().nullable(),
  time: time.nullable(),
}
const groupStatus = z.enum(groupStatuses as ['OK', 'WARNING', 'ERROR', 'UNKNOWN'])
const partitionStatus = z.enum(partitionStatuses as ['OK', 'WARN', 'STOP', 'STALL', 'REWIND'])
const rule = z.enum([
  'no-commit',
  'within-allowed-lag',
  'only-markers',
  'window-too-short',
  'open-transaction',
  'stopped',
  'rewound',
  'lag-was-allowed',
  'stalled',
  'falling-behind',
  'records-lost',
  'catching-up',
  'keeping-pace',
  'lag-fell',
])

const sentenceList = z
  .array(
    z.strictObject({
      name: z.enum(Object.keys(sentences) as [SentenceName, ...SentenceName[]]),
      values: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
    }) satisfies z.ZodType<Sentence>,
  )
  .describe('The same, sentence by sentence: which one, and the numbers in it, to be put into another language.')

export const settingsSchema = z.strictObject({
  version: z.string(),
  hasHistory: z.boolean(),
  allowsChanges: z.boolean().describe('Whether groups may be reset and deleted, with the token.'),
}) satisfies z.ZodType<MonitorSettings>

export const clusterSummarySchema = z.strictObject({
  cluster: z.string(),
  clusterId: nullable.string,
  servers: z.string(),
  ruleSet: z.enum(['sluice', 'burrow']),
  sampleIntervalMs: z.int(),
  state: z
    .enum(['starting', 'ok', 'stale'])
    .describe('stale: the last samples failed; `problem` says why, `sampledAt` since when.'),
  sampledAt: nullable.time,
  sampleMs: nullable.int,
  requestsPerSample: nullable.int,
  problem: nullable.string,
  missingRights: z.array(z.string()),
  brokers: z.int(),
  topics: z.int(),
  partitions: z.int(),
  counts: z.strictObject({ OK: z.int(), WARNING: z.int(), ERROR: z.int(), UNKNOWN: z.int() }),
  groupsLeftOut: z.int(),
}) satisfies z.ZodType<ClusterSummary>

export const groupSummarySchema = z.strictObject({
  cluster: z.string(),
  group: z.string(),
  status: groupStatus,
  state: nullable.string.describe('Kafka’s own: Stable, Empty, PreparingRebalance …'),
  type: nullable.string,
  members: z.int(),
  topics: z.int(),
  partitions: z.int(),
  badPartitions: z.int(),
  totalLag: nullable.int.describe('Records; null if nothing is known.'),
  maxLag: nullable.int,
  lagSeconds: nullable.number.describe(
    'Age of the first unread record of the partition furthest behind; null if not known.',
  ),
  allowedLag: z.int(),
  rule: rule.nullable(),
  evidence: nullable.string,
  readPerSecond: nullable.number,
  writtenPerSecond: nullable.number,
  forecastSeconds: nullable.number.describe('Until the lag is gone at this pace; null: not known, or never.'),
  trend: z.array(z.int()).describe('Total lags of the last samples, oldest first.'),
  since: nullable.time,
  sampledAt: nullable.time,
}) satisfies z.ZodType<GroupSummary>

export const overviewSchema = z.strictObject({
  now: time,
  version: z.string(),
  clusters: z.array(clusterSummarySchema),
  groups: z.array(groupSummarySchema),
}) satisfies z.ZodType<Overview>

export const clusterListSchema = z.array(clusterSummarySchema)

export const groupListSchema = z.strictObject({
  total: z.int().describe('Before `limit` and `offset`.'),
  groups: z.array(groupSummarySchema),
}) satisfies z.ZodType<GroupList>

const owner = z.strictObject({ memberId: z.string(), clientId: z.string(), host: z.string() })

export const partitionSummarySchema = z.strictObject({
  topic: z.string(),
  partition: z.int(),
  status: partitionStatus,
  committed: nullable.int,
  end: nullable.int,
  logStart: nullable.int,
  lastStable: nullable.int,
  lag: nullable.int,
  lagSeconds: nullable.number,
  owner: owner.nullable(),
  complete: number,
  readPerSecond: nullable.number,
  writtenPerSecond: nullable.number,
  forecastSeconds: nullable.number,
  evidence: z.strictObject({
    status: partitionStatus,
    rule,
    text: z.string(),
    sentences: sentenceList,
    from: nullable.time,
    to: nullable.time,
    samples: z.int(),
  }),
}) satisfies z.ZodType<PartitionSummary>

const markSchema = z.strictObject({
  at: time,
  kind: z.enum(['rebalance', 'status', 'topic-recreated', 'log-end-regressed', 'offsets-reset']),
  text: z.string(),
  sentences: sentenceList.optional(),
}) satisfies z.ZodType<Mark>

export const groupDetailSchema = groupSummarySchema.extend({
  coordinator: nullable.int,
  assignor: nullable.string,
  partitionList: z.array(partitionSummarySchema),
  memberList: z.array(
    z.strictObject({
      memberId: z.string(),
      groupInstanceId: nullable.string,
      clientId: z.string(),
      host: z.string(),
      assignment: z.array(z.strictObject({ topic: z.string(), partitions: z.array(z.int()) })),
    }),
  ),
  sentences: sentenceList,
  marks: z.array(markSchema),
}) satisfies z.ZodType<GroupDetail>

export const partitionDetailSchema = partitionSummarySchema.extend({
  cluster: z.string(),
  group: z.string(),
  topicId: nullable.string,
  samples: z.array(z.strictObject({ at: time, committed: offset, end: offset, lag: z.int() })),
  commits: z.array(z.strictObject({ offset, timestamp: time, observedAt: time, lag: nullable.int })),
  ends: z.array(z.strictObject({ at: time, end: offset })),
}) satisfies z.ZodType<PartitionDetail>

export const groupHistorySchema = z.strictObject({
  cluster: z.string(),
  group: z.string(),
  from: time,
  to: time,
  stepMs: z.int(),
  points: z.array(
    z.strictObject({
      at: time,
      status: groupStatus,
      totalLag: nullable.int,
      maxLag: nullable.int,
      lagSeconds: nullable.number,
      readPerSecond: nullable.number,
      writtenPerSecond: nullable.number,
      members: z.int(),
    }),
  ),
  partitions: z.array(
    z.strictObject({
      topic: z.string(),
      partition: z.int(),
      lag: z.array(nullable.int),
      status: z.array(partitionStatus.nullable()),
    }),
  ),
  marks: z.array(markSchema),
}) satisfies z.ZodType<GroupHistory>

export const topicSummarySchema = z.strictObject({
  cluster: z.string(),
  topic: z.string(),
  topicId: nullable.string,
  partitions: z.int(),
  size: nullable.int,
  writtenPerSecond: nullable.number,
  groups: z.int(),
}) satisfies z.ZodType<TopicSummary>

export const topicListSchema = z.array(topicSummarySchema)

export const topicDetailSchema = topicSummarySchema.extend({
  partitionList: z.array(
    z.strictObject({
      partition: z.int(),
      leader: nullable.int,
      leaderEpoch: nullable.int,
      logStart: nullable.int,
      end: nullable.int,
      lastStable: nullable.int,
      writtenPerSecond: nullable.number,
    }),
  ),
  readers: z.array(
    z.strictObject({ group: z.string(), status: groupStatus, lag: nullable.int, lagSeconds: nullable.number }),
  ),
}) satisfies z.ZodType<TopicDetail>

export const resetRequestSchema = z.strictObject({
  dryRun: z.boolean().optional().describe('true unless it is said otherwise: nothing is changed.'),
  to: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.enum(['earliest', 'latest']) }),
    z.strictObject({ kind: z.literal('offset'), offset: z.int().min(0) }),
    z.strictObject({ kind: z.literal('time'), at: time.min(0) }),
    z.strictObject({ kind: z.literal('shift'), by: z.int() }),
    z.strictObject({
      kind: z.literal('offsets'),
      offsets: z.array(z.strictObject({ topic: z.string(), partition: z.int().min(0), offset: z.int().min(0) })).min(1),
    }),
  ]),
  topic: z.string().optional().describe('Without it: all that the group has committed on.'),
}) satisfies z.ZodType<ResetRequest>

export const groupChangeSchema = z.strictObject({
  cluster: z.string(),
  group: z.string(),
  dryRun: z.boolean(),
  partitions: z.array(
    z.strictObject({
      topic: z.string(),
      partition: z.int(),
      before: nullable.int,
      after: nullable.int,
      lagBefore: nullable.int,
      lagAfter: nullable.int,
    }),
  ),
}) satisfies z.ZodType<GroupChange>

export const errorSchema = z.strictObject({
  error: z.strictObject({ code: z.string(), message: z.string() }),
}) satisfies z.ZodType<ApiError>

/** `data:` of the event stream, by the name of the event. */
export const eventSchemas = {
  overview: z.strictObject({ type: z.literal('overview'), overview: overviewSchema }),
  sample: z.strictObject({
    type: z.literal('sample'),
    at: time,
    cluster: clusterSummarySchema,
    groups: z.array(groupSummarySchema),
    gone: z.array(z.string()),
  }),
  group: z.strictObject({ type: z.literal('group'), at: time, detail: groupDetailSchema }),
  status: z.strictObject({
    type: z.literal('status'),
    at: time,
    cluster: z.string(),
    group: z.string(),
    before: groupStatus,
    status: groupStatus,
    evidence: nullable.string,
  }),
} as const
