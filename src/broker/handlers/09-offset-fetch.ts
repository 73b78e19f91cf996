/**
 * OffsetFetch: what groups have committed, for one group (to version 7) or several; all topics where none are named.
 * A partition without a commit has the offset -1 and no error: that is what makes a consumer reset its position.
 */
import { codeOf, type ErrorName } from '../../protocol/error-codes.ts'
import { offsetFetch } from '../../protocol/messages/index.ts'
import { type BrokerContext } from '../broker-context.ts'
import { type CommittedOffset } from '../groups/committed-offsets.ts'
import { NO_TOPIC_ID } from '../groups/offset-coordinator.ts'
import { defineHandler } from '../handler.ts'

interface WantedTopic {
  readonly name: string
  readonly topicId: string
  readonly partitionIndexes: readonly number[]
}

interface Options {
  readonly version: number
  readonly requireStable: boolean
}

export const offsetFetchHandler = defineHandler(offsetFetch, [1, 10], (request, { broker, version }) => {
  const options = { version, requireStable: request.requireStable }
  if (version >= 8) {
    return { groups: request.groups.map(({ groupId, topics }) => fetchGroup(broker, groupId, topics, options)) }
  }
  const wanted = request.topics?.map((topic) => ({ ...topic, topicId: NO_TOPIC_ID })) ?? null
  const { topics, errorCode } = fetchGroup(broker, request.groupId, wanted, options)
  if (errorCode === 0 || version >= 2) return { topics, errorCode }
  // Version 1 has no place for a group's error but each partition.
  const refused = (wanted ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({ ...answerOf(partitionIndex, undefined), errorCode })),
  }))
  return { topics: refused }
})

function fetchGroup(broker: BrokerContext, groupId: string, wanted: readonly WantedTopic[] | null, options: Options) {
  const error = broker.groups.availability
  if (error !== 'NONE') return { groupId, topics: [], errorCode: codeOf(error) }
  const topics = wanted
    ? wanted.map((topic) => fetchTopic(broker, groupId, topic, options))
    : allTopics(broker, groupId, options.version).map((topic) => fetchTopic(broker, groupId, topic, options))
  return { groupId, topics, errorCode: 0 }
}

function allTopics(broker: BrokerContext, groupId: string, version: number): WantedTopic[] {
  const committed = broker.groups.committed.all(groupId)
  // Where topics go by their ids, one that was deleted cannot be named.
  const named = committed.filter(({ topic }) => version < 10 || broker.logs.topic(topic))
  return named.map(({ topic, partitions }) => ({
    name: topic,
    topicId: broker.logs.topic(topic)?.id ?? NO_TOPIC_ID,
    partitionIndexes: partitions.map(({ partition }) => partition),
  }))
}

function fetchTopic(broker: BrokerContext, groupId: string, wanted: WantedTopic, { version, requireStable }: Options) {
  const { committed } = broker.groups
  const known = version >= 10 ? broker.logs.topicById(wanted.topicId) : broker.logs.topic(wanted.name)
  if (version >= 10 && !known) {
    const partitions = wanted.partitionIndexes.map((index) => answerOf(index, undefined, 'UNKNOWN_TOPIC_ID'))
    return { name: '', topicId: wanted.topicId, partitions }
  }
  const name = known?.name ?? wanted.name
  const partitions = wanted.partitionIndexes.map((partition) => {
    if (requireStable && committed.isUnstable(groupId, name, partition)) {
      return answerOf(partition, undefined, 'UNSTABLE_OFFSET_COMMIT')
    }
    const found = committed.get(groupId, name, partition)
    // What was committed for a topic of the same name that exists no more, means nothing for this one.
    const isOther = found && known && found.topicId !== NO_TOPIC_ID && found.topicId !== known.id
    return answerOf(partition, isOther ? undefined : found)
  })
  return { name, topicId: known?.id ?? NO_TOPIC_ID, partitions }
}

function answerOf(partitionIndex: number, found: CommittedOffset | undefined, error: ErrorName = 'NONE') {
  return {
    partitionIndex,
    committedOffset: found?.offset ?? -1,
    committedLeaderEpoch: found?.leaderEpoch ?? -1,
    metadata: found?.metadata ?? '',
    errorCode: codeOf(error),
  }
}
