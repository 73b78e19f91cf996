/**
 * DescribeConfigs, for topics and the broker. Loggers and groups have no properties here and answer with none.
 * The broker's are all read-only: they are given at its start.
 */
import { type RequestOf, type ResponseInputOf } from '../../protocol/api.ts'
import { codeOf, errorOf, type ErrorName } from '../../protocol/error-codes.ts'
import { describeConfigs } from '../../protocol/messages/32-describe-configs.ts'
import { type BrokerContext } from '../broker-context.ts'
import { defineHandler } from '../handler.ts'
import { resourceType } from '../resource-type.ts'
import {
  type ConfigDescription,
  type DescribeOptions,
  describeBrokerConfig,
  describeTopicConfig,
} from '../topic-description.ts'
import { invalidTopicName } from '../topic-name.ts'

type Resource = RequestOf<typeof describeConfigs>['resources'][number]
type Result = ResponseInputOf<typeof describeConfigs>['results'][number]

export const describeConfigsHandler = defineHandler(describeConfigs, [1, 4], (request, { broker }) => ({
  throttleTimeMs: 0,
  results: request.resources.map((resource) =>
    describe(resource, broker, {
      keys: resource.configurationKeys,
      synonyms: request.includeSynonyms,
      documentation: request.includeDocumentation,
    }),
  ),
}))

function describe(resource: Resource, broker: BrokerContext, options: DescribeOptions): Result {
  const { resourceType: type, resourceName: name } = resource
  const failed = (error: ErrorName, reason: string) => resultOf(resource, [], codeOf(error), reason)
  switch (type) {
    case resourceType.topic: {
      const badName = invalidTopicName(name)
      if (badName) return failed('INVALID_TOPIC_EXCEPTION', badName)
      const topic = broker.logs.topic(name)
      if (!topic) return failed('UNKNOWN_TOPIC_OR_PARTITION', '')
      return resultOf(resource, describeTopicConfig(topic.config, broker, options))
    }
    case resourceType.broker: {
      // Without a name: what holds for every broker by default, which nobody can set here.
      if (name === '') return resultOf(resource, [])
      const problem = brokerIdProblem(name, broker.nodeId, ' or empty string,')
      return problem ? failed('INVALID_REQUEST', problem) : resultOf(resource, describeBrokerConfig(broker, options))
    }
    case resourceType.brokerLogger:
    case resourceType.group:
    case resourceType.clientMetrics:
      return resultOf(resource, [])
    default:
      return failed('INVALID_REQUEST', errorOf(codeOf('INVALID_REQUEST')).message)
  }
}

export function brokerIdProblem(name: string, nodeId: number, alternative = ','): string | undefined {
  if (!/^[+-]?\d+$/.test(name)) return `Broker id must be an integer, but it is: ${name}`
  return Number(name) === nodeId
    ? undefined
    : `Unexpected broker id, expected ${nodeId}${alternative} but received ${name}`
}

function resultOf(
  { resourceType, resourceName }: Resource,
  configs: readonly ConfigDescription[],
  errorCode = 0,
  errorMessage = '',
): Result {
  return { errorCode, errorMessage, resourceType, resourceName, configs }
}
