/**
 * Metadata: the broker's address, and topics with their partitions, all led by this broker.
 *
 * Which topics: version 0 has no null and means all by an empty list; from version 1 on null is all and an empty list none. Topic ids
 * may be asked by from version 12 on. A topic that is missing is created when request and broker allow it; unlike Kafka, whose
 * client has to ask again, the answer carries it at once.
 */
import { type RequestOf, type ResponseInputOf } from '../../protocol/api.ts'
import { codeOf, type ErrorName } from '../../protocol/error-codes.ts'
import { metadata } from '../../protocol/messages/03-metadata.ts'
import { authorizedClusterOperations, authorizedTopicOperations } from '../authorized-operations.ts'
import { defineHandler, type RequestContext } from '../handler.ts'
import { type Topic } from '../log/log-directory.ts'
import { LogRefusal } from '../log/refusal.ts'
import { createInternalTopic, internalTopics } from '../internal-topics.ts'
import { invalidTopicName } from '../topic-name.ts'

type Request = RequestOf<typeof metadata>
type Response = ResponseInputOf<typeof metadata>
type TopicResponse = Response['topics'][number]

const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

export const metadataHandler = defineHandler(metadata, [0, 13], async (request, context) => {
  const { broker, version } = context
  const refused = invalidRequest(request, version)
  if (refused) return refused
  return {
    throttleTimeMs: 0,
    brokers: [{ nodeId: broker.nodeId, host: broker.host, port: broker.port, rack: null }],
    clusterId: broker.clusterId,
    controllerId: broker.nodeId,
    topics: await topicsOf(request, context),
    clusterAuthorizedOperations: authorizedClusterOperations(request.includeClusterAuthorizedOperations),
    errorCode: 0,
  }
})

/** A topic is named by its name or, from version 12 on, by its id; versions 10 and 11 carry ids and do not take them (KAFKA-10774). */
function invalidRequest({ topics }: Request, version: number): Response | undefined {
  const asked = topics ?? []
  const nameless = asked.some(({ name, topicId }) => name === null && topicId === NO_ID)
  const early = version < 12 && asked.some(({ name, topicId }) => name === null || topicId !== NO_ID)
  if (!nameless && !early) return undefined
  const errorCode = codeOf(early ? 'INVALID_REQUEST' : 'UNKNOWN_SERVER_ERROR')
  const refused = asked.map(({ name, topicId }) => ({ errorCode, name: name ?? '', topicId, partitions: [] }))
  return { throttleTimeMs: 0, brokers: [], topics: refused, errorCode: 0 }
}

async function topicsOf(request: Request, context: RequestContext): Promise<TopicResponse[]> {
  const { logs } = context.broker
  const describe = (topic: Topic) => describeTopic(topic, request, context)
  const asked = request.topics
  if (asked === null || (context.version === 0 && asked.length === 0)) return logs.topics().map(describe)
  const answers = new Map<string, TopicResponse>()
  for (const { name, topicId } of asked) {
    if (topicId !== NO_ID) {
      const topic = logs.topicById(topicId)
      answers.set(topicId, topic ? describe(topic) : failed('UNKNOWN_TOPIC_ID', null, topicId))
    } else if (name !== null && !answers.has(name)) {
      const topic = logs.topic(name) ?? (await createIfAllowed(name, request, context))
      answers.set(name, typeof topic === 'string' ? failed(topic, name) : describe(topic))
    }
  }
  return [...answers.values()]
}

async function createIfAllowed(
  name: string,
  { allowAutoTopicCreation }: Request,
  { broker }: RequestContext,
): Promise<Topic | ErrorName> {
  if (invalidTopicName(name)) return 'INVALID_TOPIC_EXCEPTION'
  if (!allowAutoTopicCreation || !broker.config['auto.create.topics.enable']) return 'UNKNOWN_TOPIC_OR_PARTITION'
  try {
    if (internalTopics.has(name)) return (await createInternalTopic(name, broker)) ?? 'LEADER_NOT_AVAILABLE'
    return await broker.logs.createTopic(name, broker.config['num.partitions'])
  } catch (error) {
    if (!(error instanceof LogRefusal)) throw error
    // Two clients that ask at once: the other one's topic is as good.
    if (error.error.name === 'TOPIC_ALREADY_EXISTS') return broker.logs.topic(name) ?? 'LEADER_NOT_AVAILABLE'
    return error.error.name
  }
}

function describeTopic(topic: Topic, request: Request, { broker }: RequestContext): TopicResponse {
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.internal,
    partitions: topic.partitions.map(({ leaderEpoch }, partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      leaderId: broker.nodeId,
      leaderEpoch,
      replicaNodes: [broker.nodeId],
      isrNodes: [broker.nodeId],
      offlineReplicas: [],
    })),
    topicAuthorizedOperations: authorizedTopicOperations(request.includeTopicAuthorizedOperations),
  }
}

function failed(error: ErrorName, name: string | null, topicId = NO_ID): TopicResponse {
  return { errorCode: codeOf(error), name, topicId, partitions: [] }
}
