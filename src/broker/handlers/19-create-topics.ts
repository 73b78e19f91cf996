/**
 * CreateTopics, with Kafka's checks in Kafka's order and words. There is one broker, so every replica is on it: a higher replication factor
 * and any other broker's id are refused.
 */
import { type RequestOf, type ResponseInputOf } from '../../protocol/api.ts'
import { codeOf, type ErrorName } from '../../protocol/error-codes.ts'
import { createTopics } from '../../protocol/messages/19-create-topics.ts'
import { answerRefusal } from '../answer-refusal.ts'
import { defineHandler, type RequestContext } from '../handler.ts'
import { internalTopics } from '../internal-topics.ts'
import { refusal } from '../log/refusal.ts'
import { assignmentProblem } from '../replica-assignment.ts'
import { describeTopicConfig } from '../topic-description.ts'
import { invalidTopicName } from '../topic-name.ts'

type Request = RequestOf<typeof createTopics>
type Asked = Request['topics'][number]
type TopicResponse = ResponseInputOf<typeof createTopics>['topics'][number]

/** Kafka's QuorumController: partitions that one request may create. */
const PARTITIONS_MAX = 10_000
const DEFAULT = -1

export const createTopicsHandler = defineHandler(createTopics, [2, 7], async (request, context) => {
  const names = request.topics.map(({ name }) => name)
  const repeated = new Set(names.filter((name, index) => names.indexOf(name) !== index))
  const topics: TopicResponse[] = []
  let partitionsLeft = PARTITIONS_MAX
  for (const topic of request.topics) {
    if (repeated.has(topic.name)) continue
    const partitions = topic.assignments.length || Math.max(topic.numPartitions, 1)
    partitionsLeft -= partitions
    topics.push(await createOne(topic, request.validateOnly, partitionsLeft < 0, context))
  }
  for (const name of repeated) {
    topics.push({ name, ...failed(codeOf('INVALID_REQUEST'), 'Duplicate topic name.') })
  }
  return { throttleTimeMs: 0, topics }
})

function failed(errorCode: number, errorMessage: string) {
  return { errorCode, errorMessage, configs: [] }
}

async function createOne(
  asked: Asked,
  validateOnly: boolean,
  tooMany: boolean,
  { broker, version }: RequestContext,
): Promise<TopicResponse> {
  const { name } = asked
  try {
    if (tooMany)
      throw refusal('POLICY_VIOLATION', `create ${name}`, 'Excessively large number of partitions per request.')
    const partitionCount = checkedPartitionCount(asked, broker)
    const config = Object.fromEntries(asked.configs.map(({ name: key, value }) => [key, value!]))
    const topic = await broker.logs.createTopic(name, partitionCount, config, {
      validateOnly,
      internal: internalTopics.has(name),
    })
    const configs = describeTopicConfig(topic.config, broker, { keys: null, synonyms: false, documentation: false })
    return {
      name,
      topicId: topic.id,
      errorCode: 0,
      errorMessage: null,
      numPartitions: version < 5 ? -1 : partitionCount,
      replicationFactor: version < 5 ? -1 : 1,
      configs: configs.toSorted((left, right) => (left.name < right.name ? -1 : 1)),
    }
  } catch (error) {
    const { errorCode, errorMessage } = answerRefusal(error)
    return { name, ...failed(errorCode, errorMessage) }
  }
}

/** How many partitions the topic gets; throws the refusal if it cannot be created. */
function checkedPartitionCount(asked: Asked, { logs, config, nodeId }: RequestContext['broker']): number {
  const refuse = (error: ErrorName, reason: string) => refusal(error, `create ${asked.name}`, reason)
  const badName = invalidTopicName(asked.name)
  if (badName) throw refuse('INVALID_TOPIC_EXCEPTION', badName)
  if (logs.topic(asked.name)) throw refuse('TOPIC_ALREADY_EXISTS', `Topic '${asked.name}' already exists.`)
  const nulls = asked.configs.filter(({ value }) => value === null).map((one) => one.name)
  if (nulls.length > 0) throw refuse('INVALID_CONFIG', `Null value not supported for topic configs: ${nulls.join(',')}`)
  if (asked.assignments.length > 0) {
    const problem = manualProblem(asked, nodeId)
    if (problem) throw refuse(...problem)
    return asked.assignments.length
  }
  const { replicationFactor, numPartitions } = asked
  if (replicationFactor < DEFAULT || replicationFactor === 0) {
    const reason = 'Replication factor must be larger than 0, or -1 to use the default value.'
    throw refuse('INVALID_REPLICATION_FACTOR', reason)
  }
  if (numPartitions < DEFAULT || numPartitions === 0) {
    throw refuse('INVALID_PARTITIONS', 'Number of partitions was set to an invalid non-positive value.')
  }
  if (replicationFactor > 1) {
    const reason =
      `Unable to replicate the partition ${replicationFactor} time(s): The target replication factor of ${replicationFactor} ` +
      'cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.'
    throw refuse('INVALID_REPLICATION_FACTOR', reason)
  }
  return numPartitions === DEFAULT ? config['num.partitions'] : numPartitions
}

function manualProblem(asked: Asked, nodeId: number): [ErrorName, string] | undefined {
  if (asked.replicationFactor !== DEFAULT) {
    const reason = 'A manual partition assignment was specified, but replication factor was not set to -1.'
    return ['INVALID_REQUEST', reason]
  }
  if (asked.numPartitions !== DEFAULT) {
    return ['INVALID_REQUEST', 'A manual partition assignment was specified, but numPartitions was not set to -1.']
  }
  const seen = new Set<number>()
  for (const { partitionIndex, brokerIds } of asked.assignments) {
    if (seen.has(partitionIndex)) {
      const reason = `Found multiple manual partition assignments for partition ${partitionIndex}`
      return ['INVALID_REPLICA_ASSIGNMENT', reason]
    }
    seen.add(partitionIndex)
    const problem = assignmentProblem(brokerIds, nodeId)
    if (problem) return ['INVALID_REPLICA_ASSIGNMENT', problem]
  }
  for (let partition = 0; partition < seen.size; partition++) {
    if (seen.has(partition)) continue
    return ['INVALID_REPLICA_ASSIGNMENT', 'partitions should be a consecutive 0-based integer sequence']
  }
  return undefined
}
