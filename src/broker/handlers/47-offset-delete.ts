/** OffsetDelete: what a group has committed for some partitions; not for topics that its members are subscribed to. */
import { codeOf, type ErrorName } from '../../protocol/error-codes.ts'
import { offsetDelete } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'

export const offsetDeleteHandler = defineHandler(offsetDelete, [0, 0], async ({ groupId, topics }, { broker }) => {
  const asked = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
  )
  const exists = ({ topic, partition }: { topic: string; partition: number }) =>
    broker.logs.topic(topic)?.partitions[partition] !== undefined
  const outcome = await broker.groups.deleteOffsets(groupId, asked.filter(exists))
  if (typeof outcome === 'string') return { errorCode: codeOf(outcome), throttleTimeMs: 0, topics: [] }
  const left = outcome.values()
  const errorOfPartition = (topic: string, partition: number): ErrorName =>
    exists({ topic, partition }) ? left.next().value! : 'UNKNOWN_TOPIC_OR_PARTITION'
  const results = topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode: codeOf(errorOfPartition(name, partitionIndex)),
    })),
  }))
  return { errorCode: 0, throttleTimeMs: 0, topics: results }
})
