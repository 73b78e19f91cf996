/**
 * IncrementalAlterConfigs, for topics: sets, removes, and appends to or takes from lists. A broker's properties are given at its start and
 * none of them can be changed while it runs.
 */
import { type RequestOf, type ResponseInputOf } from '../../protocol/api.ts'
import { type ErrorName, errorOf, codeOf } from '../../protocol/error-codes.ts'
import { incrementalAlterConfigs } from '../../protocol/messages/44-incremental-alter-configs.ts'
import { answerRefusal } from '../answer-refusal.ts'
import { defineHandler, type RequestContext } from '../handler.ts'
import { type Topic } from '../log/log-directory.ts'
import { type LogRefusal, refusal } from '../log/refusal.ts'
import { resourceType } from '../resource-type.ts'
import { invalidTopicName } from '../topic-name.ts'
import { brokerIdProblem } from './32-describe-configs.ts'

type Request = RequestOf<typeof incrementalAlterConfigs>
type Resource = Request['resources'][number]
type Result = ResponseInputOf<typeof incrementalAlterConfigs>['responses'][number]

const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

export const incrementalAlterConfigsHandler = defineHandler(
  incrementalAlterConfigs,
  [0, 1],
  async (request, context) => {
    const responses: Result[] = []
    for (const resource of request.resources) {
      const { resourceType, resourceName } = resource
      const same = request.resources.filter(
        (other) => other.resourceType === resourceType && other.resourceName === resourceName,
      )
      try {
        if (same.length > 1) throw refuse(resource, 'INVALID_REQUEST', 'Each resource must appear at most once.')
        await alter(resource, request.validateOnly, context)
        responses.push({ errorCode: 0, errorMessage: null, resourceType, resourceName })
      } catch (error) {
        const { errorCode, errorMessage } = answerRefusal(error)
        // Kafka has no words for its own failures.
        responses.push({ errorCode, errorMessage: errorCode === -1 ? null : errorMessage, resourceType, resourceName })
      }
    }
    return { throttleTimeMs: 0, responses }
  },
)

function refuse({ resourceName }: Resource, error: ErrorName, reason: string): LogRefusal {
  return refusal(error, `alter the configuration of ${resourceName}`, reason)
}

async function alter(resource: Resource, validateOnly: boolean, { broker }: RequestContext): Promise<void> {
  const { resourceType: type, resourceName: name, configs } = resource
  const keys = configs.map((config) => config.name)
  if (new Set(keys).size < keys.length) {
    throw refuse(resource, 'INVALID_REQUEST', 'Error due to duplicate config keys')
  }
  const nulls = configs.filter(({ configOperation, value }) => configOperation !== DELETE && value === null)
  if (nulls.length > 0) {
    const names = nulls.map((config) => config.name).join(',')
    throw refuse(resource, 'INVALID_REQUEST', `Null value not supported for : ${names}`)
  }
  if (type === resourceType.broker) {
    const problem = name === '' ? undefined : brokerIdProblem(name, broker.nodeId)
    throw refuse(
      resource,
      'INVALID_REQUEST',
      problem ?? `Cannot update these configs dynamically: [${keys.join(', ')}]`,
    )
  }
  if (type !== resourceType.topic) throw refuse(resource, 'INVALID_REQUEST', `Unknown resource type ${type}`)
  const badName = invalidTopicName(name)
  if (badName) throw refuse(resource, 'INVALID_TOPIC_EXCEPTION', badName)
  const topic = broker.logs.topic(name)
  if (!topic) throw refuse(resource, 'UNKNOWN_TOPIC_OR_PARTITION', `The topic '${name}' does not exist.`)
  const changes: Record<string, string | null> = {}
  const known = new Set(topic.config.entries().map((entry) => entry.name))
  for (const config of configs) {
    // To remove what was never there is no error, whatever it is called.
    if (config.configOperation === DELETE && !known.has(config.name)) continue
    changes[config.name] = changedValue(resource, topic, config)
  }
  await broker.logs.alterConfig(name, changes, { validateOnly })
}

function changedValue(
  resource: Resource,
  topic: Topic,
  { name, configOperation, value }: Resource['configs'][number],
): string | null {
  if (configOperation === SET) return value
  if (configOperation === DELETE) return null
  if (configOperation !== APPEND && configOperation !== SUBTRACT) {
    throw refuse(resource, 'UNKNOWN_SERVER_ERROR', errorOf(codeOf('UNKNOWN_SERVER_ERROR')).message)
  }
  const entry = topic.config.entries().find((one) => one.name === name)
  if (entry?.type !== 'list') {
    const operation = configOperation === APPEND ? 'APPEND' : 'SUBTRACT'
    throw refuse(resource, 'INVALID_CONFIG', `Can't ${operation} to key ${name} because its type is not LIST.`)
  }
  const given = value!.split(',')
  const current = entry.value === '' ? [] : entry.value.split(',')
  const kept = current.filter((one) => !given.includes(one))
  return (configOperation === SUBTRACT ? kept : [...current, ...given.filter((one) => !current.includes(one))]).join(
    ',',
  )
}
