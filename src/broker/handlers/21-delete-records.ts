/** DeleteRecords: moves the start of a partition up, -1 to its end. What lies before is gone at once for readers, from disk later. */
import { codeOf } from '../../protocol/error-codes.ts'
import { deleteRecords } from '../../protocol/messages/21-delete-records.ts'
import { defineHandler, type RequestContext } from '../handler.ts'
import { LogRefusal } from '../log/refusal.ts'

export const deleteRecordsHandler = defineHandler(deleteRecords, [0, 2], async (request, context) => ({
  throttleTimeMs: 0,
  topics: await Promise.all(
    request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(({ partitionIndex, offset }) => deleteBefore(name, partitionIndex, offset, context)),
      ),
    })),
  ),
}))

async function deleteBefore(topicName: string, partitionIndex: number, offset: number, { broker }: RequestContext) {
  const topic = broker.logs.topic(topicName)
  const log = topic?.partitions[partitionIndex]
  const failed = (errorCode: number) => ({ partitionIndex, lowWatermark: -1, errorCode })
  if (!topic || !log) return failed(codeOf('UNKNOWN_TOPIC_OR_PARTITION'))
  if (topic.internal) return failed(codeOf('INVALID_TOPIC_EXCEPTION'))
  if (topic.config.cleanupCompact && !topic.config.cleanupDelete) return failed(codeOf('POLICY_VIOLATION'))
  try {
    return { partitionIndex, lowWatermark: await log.deleteRecords(offset), errorCode: 0 }
  } catch (error) {
    if (error instanceof LogRefusal) return failed(error.error.code)
    throw error
  }
}
