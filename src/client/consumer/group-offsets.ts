/**
 * A group's committed offsets: OffsetCommit and OffsetFetch, with the coordinator's errors turned into what they mean to the caller.
 *
 * An error of the coordinator (NOT_COORDINATOR, loading, unreachable) says nothing about offsets: it is tried again until the time is over, and
 * never read as "nothing committed". Only an answer without an offset is that.
 */
import { errorOf, KafkaError } from '../../protocol/error-codes.ts'
import { offsetCommit, offsetFetch } from '../../protocol/messages/index.ts'
import { type TopicPartition, TopicPartitionMap } from '../../protocol/records/topic-partition.ts'
import { type Cluster } from '../cluster.ts'
import { AbortedError } from '../errors.ts'
import { isRetriable, withRetries } from '../retry.ts'
import {
  CommitFailedError,
  FencedInstanceIdError,
  groupError,
  RebalanceInProgressError,
  TopicAuthorizationError,
} from './consumer-errors.ts'
import { type ConsumerMetrics } from './consumer-metrics.ts'
import { type OffsetAndMetadata } from './consumer-records.ts'

export type OffsetEntry = readonly [TopicPartition, OffsetAndMetadata]

/** As whom a commit is made. Outside of group management the generation is -1 and the member has no id. */
export interface CommitIdentity {
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export interface GroupOffsetsParts {
  readonly cluster: Cluster
  readonly groupId: string
  readonly isReadCommitted: boolean
  readonly metrics: ConsumerMetrics
  /** Throws CommitFailedError or RebalanceInProgressError when the member may not commit now. */
  readonly identity: () => CommitIdentity
  /** A commit was refused; the membership draws its conclusions. Returns whether the member has meanwhile gone on to join. */
  readonly onRefused: (identity: CommitIdentity, errorCode: number) => { isRejoining: boolean }
}

export interface CallLimits {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export const GROUP_CHANNEL = 'group'
/** From version 10 on topics are named by id only. */
const LAST_VERSION_WITH_NAMES = 9

export class GroupOffsets {
  readonly #parts: GroupOffsetsParts

  constructor(parts: GroupOffsetsParts) {
    this.#parts = parts
  }

  /** Commits until it succeeds, an error is final or the time is over. */
  commit(offsets: readonly OffsetEntry[], { timeoutMs, signal }: CallLimits): Promise<void> {
    const { cluster } = this.#parts
    const doing = `Committing offsets of the group ${this.#parts.groupId}`
    return withRetries(cluster.seams, cluster.config, { doing, timeoutMs, signal }, (attempt) =>
      this.commitOnce(offsets, attempt),
    )
  }

  /** One request, no retries. */
  async commitOnce(offsets: readonly OffsetEntry[], signal?: AbortSignal): Promise<void> {
    if (offsets.length === 0) return
    const { groupId, metrics, cluster } = this.#parts
    const identity = this.#parts.identity()
    const sentMs = cluster.seams.clock.monotonic()
    const byTopic = Map.groupBy(offsets, ([{ topic }]) => topic)
    const response = await this.#send(signal, GROUP_CHANNEL, (nodeId, options) =>
      cluster.send(
        offsetCommit,
        nodeId,
        (version) => ({
          groupId,
          generationIdOrMemberEpoch: identity.generationId,
          memberId: identity.memberId,
          ...(version >= 7 ? { groupInstanceId: identity.groupInstanceId } : {}),
          topics: [...byTopic].map(([name, entries]) => ({
            name,
            partitions: entries.map(([{ partition }, { offset, leaderEpoch, metadata }]) => ({
              partitionIndex: partition,
              committedOffset: offset,
              committedLeaderEpoch: leaderEpoch ?? -1,
              committedMetadata: metadata ?? '',
            })),
          })),
        }),
        options,
      ),
    )
    const nowMs = cluster.seams.clock.monotonic()
    metrics.commitAnswered(nowMs - sentMs, nowMs)
    let failure: Error | undefined
    for (const { name, partitions } of response.topics) {
      for (const { partitionIndex, errorCode } of partitions) {
        if (errorCode === 0) continue
        const error = this.#commitError(identity, errorCode, { topic: name, partition: partitionIndex })
        // A final error weighs more than one that passes.
        if (failure === undefined || (isRetriable(failure) && !isRetriable(error))) failure = error
      }
    }
    if (failure) throw failure
  }

  /** The committed offsets; null for a partition that has none. */
  async fetch(
    partitions: readonly TopicPartition[],
    { timeoutMs, signal }: CallLimits,
  ): Promise<TopicPartitionMap<OffsetAndMetadata | null>> {
    const { cluster, groupId } = this.#parts
    const doing = `Fetching committed offsets of the group ${groupId}`
    return withRetries(cluster.seams, cluster.config, { doing, timeoutMs, signal }, (attempt) =>
      this.fetchOnce(partitions, attempt),
    )
  }

  async fetchOnce(
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<TopicPartitionMap<OffsetAndMetadata | null>> {
    const found = new TopicPartitionMap<OffsetAndMetadata | null>()
    if (partitions.length === 0) return found
    const { groupId, cluster, isReadCommitted } = this.#parts
    const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
    const topics = [...byTopic].map(([name, of]) => ({ name, partitionIndexes: of.map(({ partition }) => partition) }))
    const doing = `Fetching committed offsets of the group ${groupId}`
    // Not behind a JoinGroup that waits for others: it would hold up the answer.
    const response = await this.#send(signal, undefined, (nodeId, options) =>
      cluster.send(
        offsetFetch,
        nodeId,
        (version) => ({
          ...(version >= 8 ? { groups: [{ groupId, topics }] } : { groupId, topics }),
          // Offsets of transactions that are still open could be taken back: wait until they are decided (KIP-447).
          ...(version >= 7 ? { requireStable: isReadCommitted } : {}),
        }),
        options,
      ),
    )
    const group = response.groups.find((one) => one.groupId === groupId) ?? response
    if (group.errorCode !== 0) throw this.#coordinatorError(group.errorCode, doing)
    for (const topic of group.topics) {
      for (const one of topic.partitions) {
        const topicPartition = { topic: topic.name, partition: one.partitionIndex }
        if (one.errorCode !== 0)
          throw this.#coordinatorError(one.errorCode, `${doing}, ${topic.name}-${one.partitionIndex}`)
        found.set(topicPartition, committedOf(one))
      }
    }
    for (const one of partitions) if (!found.has(one)) found.set(one, null)
    return found
  }

  /** Finds the coordinator, sends, and forgets the coordinator when it could not be reached. */
  async #send<T>(
    signal: AbortSignal | undefined,
    channel: string | undefined,
    send: (nodeId: number, options: object) => Promise<T>,
  ): Promise<T> {
    const { cluster, groupId } = this.#parts
    // Shared by all who wait for it, so that commits leave in the order in which they were made.
    const finding = cluster.coordinatorFor('group', groupId, signal ? { signal } : {})
    const nodeId = await finding.catch((error: unknown) => {
      // Whoever stops waiting at a timeout wants to know what it was that did not come about.
      if (error instanceof AbortedError) throw error.waitedFor ?? error
      if (!(error instanceof KafkaError)) throw error
      throw groupError(error.error.code, groupId, `Finding the coordinator of the group ${groupId}`)
    })
    try {
      return await send(nodeId, { signal, channel, maxVersion: LAST_VERSION_WITH_NAMES })
    } catch (error) {
      if (isRetriable(error)) cluster.forgetCoordinator('group', groupId)
      throw error
    }
  }

  #coordinatorError(errorCode: number, doing: string): KafkaError {
    const name = errorOf(errorCode).name
    if (name === 'NOT_COORDINATOR' || name === 'COORDINATOR_NOT_AVAILABLE' || name === 'REQUEST_TIMED_OUT') {
      this.#parts.cluster.forgetCoordinator('group', this.#parts.groupId)
    }
    return groupError(errorCode, this.#parts.groupId, doing)
  }

  #commitError(identity: CommitIdentity, errorCode: number, { topic, partition }: TopicPartition): Error {
    const doing = `Committing the offset of ${topic}-${partition} for the group ${this.#parts.groupId}`
    const cause = this.#coordinatorError(errorCode, doing)
    const { isRejoining } = this.#parts.onRefused(identity, errorCode)
    const name: string = cause.error.name
    switch (name) {
      case 'REBALANCE_IN_PROGRESS':
        return new RebalanceInProgressError(cause)
      case 'UNKNOWN_MEMBER_ID':
      case 'ILLEGAL_GENERATION':
        return isRejoining ? new RebalanceInProgressError(cause) : new CommitFailedError(cause)
      case 'FENCED_INSTANCE_ID':
        return isRejoining
          ? new RebalanceInProgressError(cause)
          : new FencedInstanceIdError(identity.groupInstanceId, cause)
      case 'TOPIC_AUTHORIZATION_FAILED':
        return new TopicAuthorizationError([topic], doing)
      default:
        return cause
    }
  }
}

function committedOf(one: {
  committedOffset: number
  committedLeaderEpoch: number
  metadata: string | null
}): OffsetAndMetadata | null {
  if (one.committedOffset < 0) return null
  return {
    offset: one.committedOffset,
    metadata: one.metadata ?? '',
    ...(one.committedLeaderEpoch >= 0 ? { leaderEpoch: one.committedLeaderEpoch } : {}),
  }
}
