/**
 * TxnOffsetCommit: a group's offsets as part of a transaction, seen by nobody before it commits. Checked against the
 * group's generation from version 3 on. From version 5 on it also adds the group to the transaction (KIP-890, part 2).
 */
import { codeOf, type ErrorName } from '../../protocol/error-codes.ts'
import { txnOffsetCommit } from '../../protocol/messages/index.ts'
import { NO_TOPIC_ID, type PartitionCommit } from '../groups/offset-coordinator.ts'
import { defineHandler } from '../handler.ts'

export const txnOffsetCommitHandler = defineHandler(txnOffsetCommit, [0, 5], async (request, { broker, version }) => {
  const { groupId, memberId, groupInstanceId, generationId, transactionalId, producerId, producerEpoch } = request
  const producer = { transactionalId, producerId, producerEpoch }
  const accepted: PartitionCommit[] = []
  const errors: ErrorName[][] = request.topics.map(({ name, partitions }) => {
    const topic = broker.logs.topic(name)
    return partitions.map((partition) => {
      if (!topic?.partitions[partition.partitionIndex]) return 'UNKNOWN_TOPIC_OR_PARTITION'
      accepted.push({
        topic: name,
        // The request knows topics by name only; Kafka leaves the id out.
        topicId: NO_TOPIC_ID,
        partition: partition.partitionIndex,
        offset: partition.committedOffset,
        leaderEpoch: partition.committedLeaderEpoch,
        metadata: partition.committedMetadata,
      })
      return 'NONE'
    })
  })
  const verify = (): ErrorName => {
    const error = broker.transactions.verifyOffsets(producer, groupId) ?? 'NONE'
    // Clients before version 4 do not know that error.
    return error === 'TRANSACTION_ABORTABLE' && version < 4 ? 'INVALID_TXN_STATE' : error
  }
  if (accepted.length > 0) {
    const committer = { groupId, memberId, groupInstanceId, generationId }
    const isAdding = version >= 5 && groupId !== ''
    const added = isAdding ? await broker.transactions.addByCommitting(producer, groupId) : 'NONE'
    const outcome =
      added === 'NONE'
        ? await broker.groups.commitInTransaction(committer, accepted, producer, verify)
        : accepted.map(() => added)
    let next = 0
    for (const topic of errors) {
      topic.forEach((error, index) => {
        if (error === 'NONE') topic[index] = forVersion(outcome[next++]!, version)
      })
    }
  }
  return {
    throttleTimeMs: 0,
    topics: request.topics.map(({ name, partitions }, at) => ({
      name,
      partitions: partitions.map(({ partitionIndex }, index) => ({
        partitionIndex,
        errorCode: codeOf(errors[at]![index]!),
      })),
    })),
  }
})

/** Clients before version 2 could stumble over the loading error (KAFKA-7296). */
function forVersion(error: ErrorName, version: number): ErrorName {
  return error === 'COORDINATOR_LOAD_IN_PROGRESS' && version < 2 ? 'COORDINATOR_NOT_AVAILABLE' : error
}
