/**
 * A consumer's offsets as part of a transaction: the transaction coordinator is told of the group (AddOffsetsToTxn), then the group's
 * coordinator keeps the offsets until the transaction ends (TxnOffsetCommit).
 */
import { KafkaError } from '../../protocol/error-codes.ts'
import { addOffsetsToTxn, txnOffsetCommit } from '../../protocol/messages/index.ts'
import { type TopicPartition } from '../../protocol/records/topic-partition.ts'
import { type Cluster } from '../cluster.ts'
import { type CoordinatorType } from '../coordinator-lookup.ts'
import { withRetries } from '../retry.ts'
import { type ProducerIdentity } from './producer-batch.ts'

export interface OffsetAndMetadata {
  /** The next offset to be read: one more than the last one that was processed. */
  readonly offset: number
  readonly metadata?: string | undefined
  readonly leaderEpoch?: number | undefined
}

export type OffsetToCommit = readonly [TopicPartition, OffsetAndMetadata]

/** `consumer.groupMetadata()`: with member id and generation a stale member cannot commit. */
export interface GroupMetadata {
  readonly groupId: string
  readonly generationId?: number | undefined
  readonly memberId?: string | undefined
  readonly groupInstanceId?: string | null | undefined
}

export interface OffsetsContext {
  readonly transactionalId: string
  readonly identity: ProducerIdentity
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

/** @throws KafkaError that cannot be retried, TimeoutError, AbortedError */
export async function sendOffsets(
  cluster: Cluster,
  context: OffsetsContext,
  offsets: readonly OffsetToCommit[],
  group: GroupMetadata,
): Promise<void> {
  const { transactionalId, identity } = context
  const { groupId } = group
  await withCoordinator(cluster, context, 'transaction', transactionalId, async (node, doing, signal) => {
    const answer = await cluster.send(addOffsetsToTxn, node, { transactionalId, ...identity, groupId }, { signal })
    if (answer.errorCode !== 0) throw new KafkaError(answer.errorCode, doing)
  })
  const request = {
    transactionalId,
    groupId,
    ...identity,
    generationId: group.generationId ?? -1,
    memberId: group.memberId ?? '',
    groupInstanceId: group.groupInstanceId ?? null,
    topics: [...Map.groupBy(offsets, ([{ topic }]) => topic)].map(([name, entries]) => ({
      name,
      partitions: entries.map(([{ partition }, { offset, metadata, leaderEpoch }]) => ({
        partitionIndex: partition,
        committedOffset: offset,
        committedLeaderEpoch: leaderEpoch ?? -1,
        committedMetadata: metadata ?? '',
      })),
    })),
  }
  await withCoordinator(cluster, context, 'group', groupId, async (node, doing, signal) => {
    const answer = await cluster.send(txnOffsetCommit, node, request, { signal, minVersion: 3, maxVersion: 4 })
    for (const { name, partitions } of answer.topics) {
      for (const { partitionIndex, errorCode } of partitions) {
        if (errorCode !== 0) throw new KafkaError(errorCode, `${doing} (${name}-${partitionIndex})`)
      }
    }
  })
}

async function withCoordinator(
  cluster: Cluster,
  { timeoutMs, signal }: OffsetsContext,
  type: CoordinatorType,
  key: string,
  request: (node: number, doing: string, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const doing = `Sending offsets to a transaction (${type} coordinator of ${key})`
  const ends = signal ? AbortSignal.any([signal, cluster.closing]) : cluster.closing
  const onRetry = (error: Error) => {
    if (!(error instanceof KafkaError) || error.error.name.includes('COORDINATOR')) cluster.forgetCoordinator(type, key)
  }
  await withRetries(cluster.seams, cluster.config, { doing, timeoutMs, signal: ends, onRetry }, async (signal) => {
    await request(await cluster.coordinatorOnce(type, key, signal), doing, signal)
  })
}
