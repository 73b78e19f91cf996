/** Topics: creating, deleting, describing, more partitions. Requests go to the controller, which any broker of today stands in for. */
import {
  createPartitions as createPartitionsApi,
  createTopics as createTopicsApi,
  deleteTopics as deleteTopicsApi,
  metadata as metadataApi,
} from '../../protocol/messages/index.ts'
import { type PartitionMetadata } from '../metadata.ts'
import { type AdminCallOptions, type AdminContext, Gathering, type Results, untilDone } from './gathering.ts'

export interface NewTopic {
  readonly name: string
  /** Left out: the broker's `num.partitions`. */
  readonly partitions?: number | undefined
  /** Left out: the broker's `default.replication.factor`. */
  readonly replicationFactor?: number | undefined
  /** Node ids of each partition's replicas, the leader first; instead of the two numbers above. */
  readonly assignments?: readonly (readonly number[])[] | undefined
  readonly configs?: Readonly<Record<string, string>> | undefined
}

export interface CreatedTopic {
  readonly name: string
  readonly topicId: string | undefined
  /** -1 if the broker is too old to say. */
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: ReadonlyMap<string, string | null>
}

export interface TopicListing {
  readonly name: string
  readonly topicId: string | undefined
  readonly isInternal: boolean
}

export interface TopicDescription extends TopicListing {
  readonly partitions: readonly PartitionMetadata[]
}

export interface TopicChangeOptions extends AdminCallOptions {
  /** Only says whether it would work. */
  readonly validateOnly?: boolean | undefined
}

const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

function topicIdOf(id: string): string | undefined {
  return id === NO_TOPIC_ID ? undefined : id
}

/** The controller, where the cluster names one that can be reached; brokers forward what is the controller's. */
function controller({ cluster }: AdminContext): number | 'any' {
  const { controllerId, brokers } = cluster.metadata
  return brokers.has(controllerId) ? controllerId : 'any'
}

export function createTopics(
  context: AdminContext,
  topics: readonly NewTopic[],
  options: TopicChangeOptions,
): Promise<Results<CreatedTopic>> {
  const doing = options.validateOnly ? 'Validating topics' : 'Creating topics'
  const gathering = new Gathering<NewTopic, CreatedTopic>(
    doing,
    topics.map((topic) => [topic.name, topic]),
  )
  return gathering.run(context, options, async (signal) => {
    await context.cluster.connect(signal)
    const request = {
      topics: [...gathering.pending.values()].map((topic) => ({
        name: topic.name,
        numPartitions: topic.assignments ? -1 : (topic.partitions ?? -1),
        replicationFactor: topic.assignments ? -1 : (topic.replicationFactor ?? -1),
        assignments: (topic.assignments ?? []).map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
        configs: Object.entries(topic.configs ?? {}).map(([name, value]) => ({ name, value })),
      })),
      timeoutMs: context.cluster.config['request.timeout.ms'],
      validateOnly: options.validateOnly ?? false,
    }
    const response = await context.cluster.send(createTopicsApi, controller(context), request, { signal })
    for (const topic of response.topics) {
      if (topic.errorCode !== 0) {
        gathering.failCode(topic.name, topic.errorCode, topic.errorMessage)
        continue
      }
      gathering.succeed(topic.name, {
        name: topic.name,
        topicId: topicIdOf(topic.topicId),
        partitions: topic.numPartitions,
        replicationFactor: topic.replicationFactor,
        configs: new Map((topic.configs ?? []).map(({ name, value }) => [name, value])),
      })
    }
  })
}

export function deleteTopics(
  context: AdminContext,
  names: readonly string[],
  options: AdminCallOptions,
): Promise<Results<true>> {
  const gathering = new Gathering<string, true>(
    'Deleting topics',
    names.map((name) => [name, name]),
  )
  return gathering.run(context, options, async (signal) => {
    await context.cluster.connect(signal)
    const pending = [...gathering.pending.keys()]
    const timeoutMs = context.cluster.config['request.timeout.ms']
    const response = await context.cluster.send(
      deleteTopicsApi,
      controller(context),
      (version) =>
        version >= 6
          ? { topics: pending.map((name) => ({ name, topicId: NO_TOPIC_ID })), timeoutMs }
          : { topicNames: pending, timeoutMs },
      { signal },
    )
    for (const { name, errorCode, errorMessage } of response.responses) {
      if (name === null) continue
      if (errorCode === 0) {
        gathering.succeed(name, true)
        context.cluster.metadata.forgetTopic(name)
      } else gathering.failCode(name, errorCode, errorMessage)
    }
  })
}

/** @param totals the number of partitions that each topic shall have: more than it has now */
export function createPartitions(
  context: AdminContext,
  totals: Readonly<Record<string, number>>,
  options: TopicChangeOptions,
): Promise<Results<true>> {
  const gathering = new Gathering<number, true>('Adding partitions', Object.entries(totals))
  return gathering.run(context, options, async (signal) => {
    await context.cluster.connect(signal)
    const request = {
      topics: [...gathering.pending].map(([name, count]) => ({ name, count, assignments: null })),
      timeoutMs: context.cluster.config['request.timeout.ms'],
      validateOnly: options.validateOnly ?? false,
    }
    const response = await context.cluster.send(createPartitionsApi, controller(context), request, { signal })
    for (const { name, errorCode, errorMessage } of response.results) {
      if (errorCode === 0) gathering.succeed(name, true)
      else gathering.failCode(name, errorCode, errorMessage)
    }
  })
}

export async function listTopics(
  context: AdminContext,
  options: AdminCallOptions & { includeInternal?: boolean | undefined },
): Promise<TopicListing[]> {
  const response = await untilDone(context, 'Listing topics', options, (signal) =>
    context.cluster.send(
      metadataApi,
      'any',
      { topics: null, allowAutoTopicCreation: false },
      { signal, minVersion: 4 },
    ),
  )
  return response.topics
    .filter(({ isInternal, name }) => name !== null && (options.includeInternal === true || !isInternal))
    .map(({ name, topicId, isInternal }) => ({ name: name!, topicId: topicIdOf(topicId), isInternal }))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
}

export function describeTopics(
  context: AdminContext,
  names: readonly string[],
  options: AdminCallOptions,
): Promise<Results<TopicDescription>> {
  const gathering = new Gathering<string, TopicDescription>(
    'Describing topics',
    names.map((name) => [name, name]),
  )
  return gathering.run(context, options, async (signal) => {
    const topics = [...gathering.pending.keys()].map((name) => ({ name, topicId: NO_TOPIC_ID }))
    const request = { topics, allowAutoTopicCreation: false }
    const response = await context.cluster.send(metadataApi, 'any', request, { signal, minVersion: 4 })
    context.cluster.metadata.apply(response, { everyTopic: false })
    for (const topic of response.topics) {
      if (topic.name === null) continue
      if (topic.errorCode !== 0) gathering.failCode(topic.name, topic.errorCode)
      else {
        gathering.succeed(topic.name, {
          name: topic.name,
          topicId: topicIdOf(topic.topicId),
          isInternal: topic.isInternal,
          partitions: topic.partitions
            .map((one) => ({
              partition: one.partitionIndex,
              leader: one.leaderId,
              leaderEpoch: one.leaderEpoch,
              replicas: one.replicaNodes,
              inSyncReplicas: one.isrNodes,
              offlineReplicas: one.offlineReplicas,
            }))
            .sort((left, right) => left.partition - right.partition),
        })
      }
    }
  })
}
