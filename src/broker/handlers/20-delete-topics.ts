/** DeleteTopics, by name and, from version 6 on, by id. The files go a little later, so that whoever reads them is not cut off. */
import { type ResponseInputOf } from '../../protocol/api.ts'
import { codeOf, errorOf, type ErrorName } from '../../protocol/error-codes.ts'
import { deleteTopics } from '../../protocol/messages/20-delete-topics.ts'
import { answerRefusal } from '../answer-refusal.ts'
import { defineHandler, type RequestContext } from '../handler.ts'

type TopicResponse = ResponseInputOf<typeof deleteTopics>['responses'][number]

const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

interface Named {
  readonly name: string | null
  readonly topicId: string
}

export const deleteTopicsHandler = defineHandler(deleteTopics, [1, 6], async (request, context) => {
  const asked: Named[] =
    context.version >= 6 ? request.topics : request.topicNames.map((name) => ({ name, topicId: NO_ID }))
  const keys = asked.map(keyOf)
  const repeated = new Set(keys.filter((key, index) => keys.indexOf(key) !== index))
  const responses: TopicResponse[] = []
  const refusedTwice: TopicResponse[] = []
  for (const [index, topic] of asked.entries()) {
    const key = keys[index]!
    if (!repeated.has(key)) responses.push(await deleteOne(topic, context))
    else if (keys.indexOf(key) === index) {
      const what = topic.topicId === NO_ID ? 'name' : 'id'
      refusedTwice.push(failed(topic, 'INVALID_REQUEST', `Duplicate topic ${what}.`))
    }
  }
  return { throttleTimeMs: 0, responses: [...responses, ...refusedTwice] }
})

function keyOf({ name, topicId }: Named): string {
  return topicId === NO_ID ? `name ${name}` : `id ${topicId}`
}

async function deleteOne(asked: Named, { broker }: RequestContext): Promise<TopicResponse> {
  const byId = asked.topicId !== NO_ID
  if (!broker.config['delete.topic.enable']) return failed(asked, 'TOPIC_DELETION_DISABLED')
  if (byId && asked.name !== null) {
    return failed(asked, 'INVALID_REQUEST', 'You may not specify both topic name and topic id.')
  }
  if (!byId && asked.name === null) {
    return failed(asked, 'INVALID_REQUEST', 'Neither topic name nor id were specified.')
  }
  const topic = byId ? broker.logs.topicById(asked.topicId) : broker.logs.topic(asked.name!)
  if (!topic) return failed(asked, byId ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION')
  try {
    await broker.logs.deleteTopic(topic.name)
    return { name: topic.name, topicId: topic.id, errorCode: 0 }
  } catch (error) {
    return { ...asked, ...answerRefusal(error) }
  }
}

function failed(asked: Named, name: ErrorName, errorMessage = errorOf(codeOf(name)).message): TopicResponse {
  return { name: asked.name, topicId: asked.topicId, errorCode: codeOf(name), errorMessage }
}
