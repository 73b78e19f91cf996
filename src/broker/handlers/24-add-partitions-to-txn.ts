/**
 * AddPartitionsToTxn: the partitions that a transaction is about to write to. All are added or none: where one does not
 * exist, the others are answered OPERATION_NOT_ATTEMPTED. Version 4 on is what brokers say to each other.
 */
import { codeOf, type ErrorName } from '../../protocol/error-codes.ts'
import { addPartitionsToTxn } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'
import { fencedBefore } from '../transactions/fenced-before.ts'

export const addPartitionsToTxnHandler = defineHandler(addPartitionsToTxn, [0, 3], async (request, context) => {
  const { broker, version } = context
  const topics = request.v3AndBelowTopics
  const exists = (topic: string, partition: number) => broker.logs.topic(topic)?.partitions[partition] !== undefined
  const answer = (errorOf: (topic: string, partition: number) => ErrorName) => ({
    throttleTimeMs: 0,
    resultsByTopicV3AndBelow: topics.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => ({
        partitionIndex,
        partitionErrorCode: codeOf(errorOf(name, partitionIndex)),
      })),
    })),
  })
  const wanted = topics.flatMap(({ name, partitions }) => partitions.map((partition) => ({ topic: name, partition })))
  if (wanted.some(({ topic, partition }) => !exists(topic, partition))) {
    return answer((topic, partition) => {
      return exists(topic, partition) ? 'OPERATION_NOT_ATTEMPTED' : 'UNKNOWN_TOPIC_OR_PARTITION'
    })
  }
  const producer = {
    transactionalId: request.v3AndBelowTransactionalId,
    producerId: request.v3AndBelowProducerId,
    producerEpoch: request.v3AndBelowProducerEpoch,
  }
  const error = fencedBefore(2, version, await broker.transactions.addPartitions(producer, wanted))
  return answer(() => error)
})
