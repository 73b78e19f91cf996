/** OffsetCommit: one error a partition. Partitions that do not exist are refused here, the rest is the coordinator's. */
import { codeOf, type ErrorName } from '../../protocol/error-codes.ts'
import { offsetCommit } from '../../protocol/messages/index.ts'
import { NO_TOPIC_ID, type PartitionCommit } from '../groups/offset-coordinator.ts'
import { defineHandler } from '../handler.ts'

export const offsetCommitHandler = defineHandler(offsetCommit, [2, 10], async (request, { broker, version }) => {
  const accepted: PartitionCommit[] = []
  const errors: ErrorName[][] = request.topics.map(({ name, topicId, partitions }) => {
    const topic = version >= 10 ? broker.logs.topicById(topicId) : broker.logs.topic(name)
    if (!topic) return partitions.map(() => (version >= 10 ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'))
    return partitions.map((partition) => {
      if (!topic.partitions[partition.partitionIndex]) return 'UNKNOWN_TOPIC_OR_PARTITION'
      accepted.push({
        topic: topic.name,
        topicId: topic.id ?? NO_TOPIC_ID,
        partition: partition.partitionIndex,
        offset: partition.committedOffset,
        leaderEpoch: partition.committedLeaderEpoch,
        metadata: partition.committedMetadata,
      })
      return 'NONE'
    })
  })
  if (accepted.length > 0) {
    const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generationId } = request
    const committer = { groupId, memberId, groupInstanceId, generationId }
    const outcome = await broker.groups.commit(committer, accepted, { version, retentionMs: request.retentionTimeMs })
    let next = 0
    for (const topic of errors) {
      topic.forEach((error, index) => {
        if (error === 'NONE') topic[index] = outcome[next++]!
      })
    }
  }
  return {
    topics: request.topics.map(({ name, topicId, partitions }, at) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }, index) => ({
        partitionIndex,
        errorCode: codeOf(errors[at]![index]!),
      })),
    })),
  }
})
