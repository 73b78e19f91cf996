/** OffsetForLeaderEpoch: where an epoch ended, by which a client finds out whether its position is still in this log (KIP-320). */
import { codeOf, type ErrorName } from '../../protocol/error-codes.ts'
import { offsetForLeaderEpoch } from '../../protocol/messages/23-offset-for-leader-epoch.ts'
import { defineHandler } from '../handler.ts'
import { leaderEpochError } from '../leader-epoch.ts'

export const offsetForLeaderEpochHandler = defineHandler(offsetForLeaderEpoch, [2, 4], (request, { broker }) => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => {
      const failed = (name: ErrorName) => ({ errorCode: codeOf(name), partition })
      const log = broker.logs.partition(topic, partition)
      if (!log) return failed('UNKNOWN_TOPIC_OR_PARTITION')
      const epochError = leaderEpochError(currentLeaderEpoch, log)
      if (epochError) return failed(epochError)
      return { errorCode: 0, partition, ...log.offsetForLeaderEpoch(leaderEpoch) }
    }),
  })),
}))
