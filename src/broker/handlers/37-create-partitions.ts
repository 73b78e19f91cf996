/**
 * CreatePartitions: more of them. Fewer is refused: records would be lost and keys would move, so Kafka has no way to do it
 * and says `The topic clicks currently has 20 partition(s); 2 would not be an increase.`
 */
import { type RequestOf, type ResponseInputOf } from '../../protocol/api.ts'
import { codeOf, type ErrorName } from '../../protocol/error-codes.ts'
import { createPartitions } from '../../protocol/messages/37-create-partitions.ts'
import { answerRefusal } from '../answer-refusal.ts'
import { defineHandler, type RequestContext } from '../handler.ts'
import { assignmentProblem } from '../replica-assignment.ts'

type Asked = RequestOf<typeof createPartitions>['topics'][number]
type Result = ResponseInputOf<typeof createPartitions>['results'][number]

export const createPartitionsHandler = defineHandler(createPartitions, [0, 3], async (request, context) => {
  const names = request.topics.map(({ name }) => name)
  const repeated = new Set(names.filter((name, index) => names.indexOf(name) !== index))
  const results: Result[] = [...repeated].map((name) => failed(name, 'INVALID_REQUEST', 'Duplicate topic name.'))
  for (const topic of request.topics) {
    if (!repeated.has(topic.name)) results.push(await grow(topic, request.validateOnly, context))
  }
  return { throttleTimeMs: 0, results }
})

async function grow(
  { name, count, assignments }: Asked,
  validateOnly: boolean,
  { broker }: RequestContext,
): Promise<Result> {
  const topic = broker.logs.topic(name)
  if (!topic) return failed(name, 'UNKNOWN_TOPIC_OR_PARTITION', null)
  const current = topic.partitions.length
  if (count === current) return failed(name, 'INVALID_PARTITIONS', `Topic already has ${current} partition(s).`)
  if (count < current) {
    const reason = `The topic ${name} currently has ${current} partition(s); ${count} would not be an increase.`
    return failed(name, 'INVALID_PARTITIONS', reason)
  }
  const added = count - current
  if (assignments && assignments.length !== added) {
    const reason = `Attempted to add ${added} additional partition(s), but only ${assignments.length} assignment(s) were specified.`
    return failed(name, 'INVALID_REPLICA_ASSIGNMENT', reason)
  }
  for (const { brokerIds } of assignments ?? []) {
    const problem = assignmentProblem(brokerIds, broker.nodeId)
    if (problem) return failed(name, 'INVALID_REPLICA_ASSIGNMENT', problem)
  }
  try {
    await broker.logs.addPartitions(name, count, { validateOnly })
    return { name, errorCode: 0 }
  } catch (error) {
    return { name, ...answerRefusal(error) }
  }
}

function failed(name: string, error: ErrorName, errorMessage: string | null): Result {
  return { name, errorCode: codeOf(error), errorMessage }
}
