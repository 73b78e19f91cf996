/**
 * Fetch: stored record batches from the offsets that the client names.
 *
 *     session ─▶ look (nothing is read) ──enough, or an error──▶ read ─▶ answer
 *                  │            ▲
 *                  ╰─too little─┴─ woken by an append, or max.wait.ms is over
 *
 * Sizes follow KIP-74: partitions are filled in the order of the request up to `maxBytes` in all and `partitionMaxBytes`
 * each, whole batches only, and the first batch of the first partition that has any is given whatever its size, so that a
 * consumer always moves on. What is sent are the log's own bytes: references, not copies.
 */
import { type RequestOf, type ResponseInputOf } from '../../protocol/api.ts'
import { codeOf, type ErrorName } from '../../protocol/error-codes.ts'
import { fetch } from '../../protocol/messages/01-fetch.ts'
import { type BrokerContext } from '../broker-context.ts'
import { type FetchPartition, type PartitionNews } from '../fetch-session.ts'
import { defineHandler, type RequestContext } from '../handler.ts'
import { leaderEpochError } from '../leader-epoch.ts'
import { type IsolationLevel, type PartitionLog } from '../log/partition-log.ts'
import { LogRefusal } from '../log/refusal.ts'

type Request = RequestOf<typeof fetch>
type PartitionResponse = ResponseInputOf<typeof fetch>['responses'][number]['partitions'][number]

const NO_RECORDS = Buffer.alloc(0)

/** A partition as it is found before anything is read. */
type Target =
  | { readonly kind: 'log'; readonly log: PartitionLog; readonly asked: FetchPartition }
  | { readonly kind: 'answered'; readonly response: PartitionResponse; readonly asked: FetchPartition }

export const fetchHandler = defineHandler(fetch, [4, 18], async (request, context) => {
  const { broker, version } = context
  const session = broker.fetchSessions.contextOf({
    version,
    sessionId: request.sessionId,
    sessionEpoch: version < 7 ? -1 : request.sessionEpoch,
    partitions: request.topics.flatMap(({ topic, topicId, partitions }) =>
      partitions.map((partition) => ({ topic, topicId, ...partition })),
    ),
    forgotten: request.forgottenTopicsData.flatMap(({ topic, topicId, partitions }) =>
      partitions.map((partition) => ({ topic, topicId, partition })),
    ),
  })
  if (session.kind === 'error') {
    return { throttleTimeMs: 0, errorCode: session.errorCode, sessionId: 0, responses: [] }
  }
  const limits = limitsOf(request, broker)
  await waitForBytes(session.partitions, limits, context)
  const results = await readAll(session.partitions, limits, context)
  const { errorCode, sessionId, included } = session.finish(results.map(newsOf))
  const failed = results.some((result) => result.currentLeader !== undefined)
  return {
    throttleTimeMs: 0,
    errorCode,
    sessionId,
    responses: byTopic(session.partitions, results, included),
    nodeEndpoints:
      failed && version >= 16 ? [{ nodeId: broker.nodeId, host: broker.host, port: broker.port, rack: null }] : [],
  }
})

interface Limits {
  readonly maxBytes: number
  readonly minBytes: number
  readonly maxWaitMs: number
  readonly isolation: IsolationLevel
}

function limitsOf(request: Request, broker: BrokerContext): Limits {
  const maxBytes = Math.min(request.maxBytes, broker.config['fetch.max.bytes'])
  return {
    maxBytes,
    minBytes: Math.min(request.minBytes, maxBytes),
    maxWaitMs: request.maxWaitMs,
    isolation: request.isolationLevel === 1 ? 'read_committed' : 'read_uncommitted',
  }
}

/** Resolves when an answer is worth sending: enough bytes, an error to say, the wait over, or nobody there to read it. */
async function waitForBytes(
  partitions: readonly FetchPartition[],
  limits: Limits,
  context: RequestContext,
): Promise<void> {
  if (limits.maxWaitMs <= 0 || partitions.length === 0 || isWorthAnswering(partitions, limits, context)) return
  const { clock } = context.broker
  await new Promise<void>((resolve) => {
    const stops: (() => void)[] = []
    const finish = () => {
      for (const stop of stops.splice(0)) stop()
      resolve()
    }
    const onAppend = () => {
      if (isWorthAnswering(partitions, limits, context)) finish()
    }
    const timer = clock.setTimer(limits.maxWaitMs, finish, { background: true })
    stops.push(() => timer.cancel())
    context.signal.addEventListener('abort', finish, { once: true })
    stops.push(() => context.signal.removeEventListener('abort', finish))
    for (const asked of partitions) {
      const target = targetOf(asked, context)
      if (target.kind === 'log') stops.push(target.log.onAppend(onAppend))
    }
    if (context.signal.aborted) finish()
  })
}

function isWorthAnswering(partitions: readonly FetchPartition[], limits: Limits, context: RequestContext): boolean {
  let bytes = 0
  for (const asked of partitions) {
    const target = targetOf(asked, context)
    if (target.kind === 'answered') return true
    const { log } = target
    if (asked.fetchOffset < log.logStartOffset || asked.fetchOffset > log.logEndOffset) return true
    const end = limits.isolation === 'read_committed' ? log.lastStableOffset : log.highWatermark
    if (asked.fetchOffset >= end) continue
    const available = Math.max(1, log.bytesAvailable(asked.fetchOffset, limits.isolation))
    bytes += Math.max(1, Math.min(available, asked.partitionMaxBytes))
  }
  return bytes >= limits.minBytes
}

async function readAll(
  partitions: readonly FetchPartition[],
  { maxBytes, isolation }: Limits,
  context: RequestContext,
): Promise<PartitionResponse[]> {
  let left = maxBytes
  let minOneBatch = true
  const results: PartitionResponse[] = []
  for (const asked of partitions) {
    const target = targetOf(asked, context)
    if (target.kind === 'answered') {
      results.push(target.response)
      continue
    }
    try {
      const read = await target.log.read(asked.fetchOffset, {
        maxBytes: Math.min(asked.partitionMaxBytes, left),
        isolation,
        minOneBatch,
      })
      if (read.sizeInBytes > 0) minOneBatch = false
      left = Math.max(0, left - read.sizeInBytes)
      results.push({
        partitionIndex: asked.partition,
        errorCode: 0,
        highWatermark: read.highWatermark,
        lastStableOffset: read.lastStableOffset,
        logStartOffset: read.logStartOffset,
        abortedTransactions: read.abortedTransactions,
        records: read.records.length === 0 ? NO_RECORDS : read.records,
      })
    } catch (error) {
      if (!(error instanceof LogRefusal)) throw error
      results.push(failure(asked.partition, error.error.name))
    }
  }
  return results
}

function targetOf(asked: FetchPartition, { broker, version }: RequestContext): Target {
  const answered = (response: PartitionResponse): Target => ({ kind: 'answered', response, asked })
  const topic = version >= 13 ? broker.logs.topicById(asked.topicId) : broker.logs.topic(asked.topic)
  if (!topic) {
    return answered(unknown(asked.partition, version >= 13 ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'))
  }
  const log = topic.partitions[asked.partition]
  if (!log) return answered(unknown(asked.partition, 'UNKNOWN_TOPIC_OR_PARTITION'))
  const epochError = leaderEpochError(asked.currentLeaderEpoch, log)
  if (epochError) {
    const currentLeader = { leaderId: broker.nodeId, leaderEpoch: log.leaderEpoch }
    const toldLeader = epochError === 'FENCED_LEADER_EPOCH' && version >= 16
    return answered({ ...failure(asked.partition, epochError), ...(toldLeader ? { currentLeader } : {}) })
  }
  const diverging = divergence(asked, log)
  return diverging ? answered(diverging) : { kind: 'log', log, asked }
}

/** A client that says from which epoch its last record is learns whether the log has another history since (KIP-595). */
function divergence(asked: FetchPartition, log: PartitionLog): PartitionResponse | undefined {
  if (asked.lastFetchedEpoch < 0) return undefined
  const { leaderEpoch, endOffset } = log.offsetForLeaderEpoch(asked.lastFetchedEpoch)
  if (leaderEpoch < 0 || endOffset < 0) return failure(asked.partition, 'OFFSET_OUT_OF_RANGE')
  if (leaderEpoch >= asked.lastFetchedEpoch && endOffset >= asked.fetchOffset) return undefined
  return {
    partitionIndex: asked.partition,
    errorCode: 0,
    highWatermark: log.highWatermark,
    lastStableOffset: log.lastStableOffset,
    logStartOffset: log.logStartOffset,
    divergingEpoch: { epoch: leaderEpoch, endOffset },
    abortedTransactions: null,
    records: NO_RECORDS,
  }
}

function failure(partitionIndex: number, name: ErrorName): PartitionResponse {
  return {
    partitionIndex,
    errorCode: codeOf(name),
    highWatermark: -1,
    abortedTransactions: null,
    records: NO_RECORDS,
  }
}

/** What is not here has no aborted transactions; of what is here and failed, nothing is said about them. As Kafka answers. */
function unknown(partitionIndex: number, name: ErrorName): PartitionResponse {
  return { ...failure(partitionIndex, name), abortedTransactions: [] }
}

function newsOf(result: PartitionResponse): PartitionNews {
  return {
    errorCode: result.errorCode,
    highWatermark: result.highWatermark,
    logStartOffset: result.logStartOffset ?? -1,
    hasRecords: (result.records?.length ?? 0) > 0,
    diverges: result.divergingEpoch !== undefined,
  }
}

/** One entry a run of partitions of the same topic: their order is the one in which they were read. */
function byTopic(
  partitions: readonly FetchPartition[],
  results: readonly PartitionResponse[],
  included: readonly number[],
): ResponseInputOf<typeof fetch>['responses'] {
  const topics: { topic: string; topicId: string; partitions: PartitionResponse[] }[] = []
  for (const index of included) {
    const { topic, topicId } = partitions[index]!
    const last = topics.at(-1)
    if (last && last.topic === topic && last.topicId === topicId) last.partitions.push(results[index]!)
    else topics.push({ topic, topicId, partitions: [results[index]!] })
  }
  return topics
}
