/** What the leader of a partition knows: offsets by time, and deleting what is before an offset. */
import { KafkaError } from '../../protocol/error-codes.ts'
import { deleteRecords as deleteRecordsApi, listOffsets as listOffsetsApi } from '../../protocol/messages/index.ts'
import { topicPartitionKey, type TopicPartition } from '../../protocol/records/topic-partition.ts'
import { type AdminCallOptions, type AdminContext, Gathering, type Results } from './gathering.ts'

/** The first offset there is, the next one to be written, the one with the largest timestamp, or the first at or after a time (ms since 1970). */
export type OffsetSpec = 'earliest' | 'latest' | 'max-timestamp' | number

export interface ListedOffset {
  readonly topic: string
  readonly partition: number
  /** -1 if no record is at or after the time. */
  readonly offset: number
  /** Milliseconds since 1970 of the record at that offset; -1 for `earliest` and `latest`. */
  readonly timestamp: number
  readonly leaderEpoch: number
}

export interface ListOffsetsOptions extends AdminCallOptions {
  /** `read_committed`: `latest` is the last stable offset. */
  readonly isolationLevel?: 'read_committed' | 'read_uncommitted' | undefined
  /** false: leaders as they are known, without asking for metadata first. Default true. */
  readonly refresh?: boolean | undefined
}

interface Asked<T> extends TopicPartition {
  readonly what: T
}

const timestamps = { latest: -1, earliest: -2, 'max-timestamp': -3 } as const
const MAX_TIMESTAMP_SINCE = 7

function asked<T>(pairs: Iterable<readonly [TopicPartition, T]>): [string, Asked<T>][] {
  return [...pairs].map(([{ topic, partition }, what]) => [
    topicPartitionKey({ topic, partition }),
    { topic, partition, what },
  ])
}

async function leaderOf({ cluster }: AdminContext, { topic, partition }: TopicPartition): Promise<number> {
  const leader = cluster.leader({ topic, partition })
  if (leader) return leader.nodeId
  const doing = `Finding the leader of ${topic}-${partition}`
  const error = cluster.metadata.topicErrors.get(topic)
  if (error) throw new KafkaError(error.code, doing)
  const partitions = cluster.metadata.topics.get(topic)?.partitions
  throw new KafkaError(partitions && partitions[partition] ? 5 : 3, doing)
}

/** Fetches metadata of the topics. One that does not exist fails at once: nobody is going to create it for an admin call. */
async function learnTopics<T, V>(context: AdminContext, gathering: Gathering<Asked<T>, V>, signal: AbortSignal) {
  const topics = [...new Set([...gathering.pending.values()].map(({ topic }) => topic))]
  await context.cluster.refreshMetadata({ topics, allowAutoTopicCreation: false, signal })
  for (const [name, { topic, partition }] of gathering.pending) {
    const known = context.cluster.metadata.topics.get(topic)
    const isMissing = known
      ? !known.partitions[partition]
      : context.cluster.metadata.topicErrors.get(topic)?.name === 'UNKNOWN_TOPIC_OR_PARTITION'
    if (isMissing) gathering.failForGood(name, new KafkaError(3, `${gathering.doing} (${name})`))
  }
}

function byTopic<T>(keys: Map<string, Asked<T>>): [string, Asked<T>[]][] {
  return [...Map.groupBy(keys.values(), ({ topic }) => topic)]
}

export function listOffsets(
  context: AdminContext,
  specs: Iterable<readonly [TopicPartition, OffsetSpec]>,
  options: ListOffsetsOptions,
): Promise<Results<ListedOffset>> {
  const gathering = new Gathering<Asked<OffsetSpec>, ListedOffset>('Listing offsets', asked(specs), false)
  const isolationLevel = options.isolationLevel === 'read_committed' ? 1 : 0
  let isFirst = true
  return gathering.run(context, options, async (signal) => {
    if (options.refresh !== false || !isFirst) await learnTopics(context, gathering, signal)
    isFirst = false
    await gathering.askByNode(
      (_name, key) => leaderOf(context, key),
      async (node, keys) => {
        const needsMax = [...keys.values()].some(({ what }) => what === 'max-timestamp')
        const request = {
          replicaId: -1,
          isolationLevel,
          topics: byTopic(keys).map(([name, partitions]) => ({
            name,
            partitions: partitions.map(({ partition, what }) => ({
              partitionIndex: partition,
              timestamp: typeof what === 'number' ? what : timestamps[what],
            })),
          })),
          timeoutMs: context.cluster.config['request.timeout.ms'],
        }
        const minVersion = needsMax ? MAX_TIMESTAMP_SINCE : 1
        const response = await context.cluster.send(listOffsetsApi, node, request, { signal, minVersion })
        for (const { name: topic, partitions } of response.topics) {
          for (const { partitionIndex: partition, errorCode, offset, timestamp, leaderEpoch } of partitions) {
            const name = topicPartitionKey({ topic, partition })
            if (errorCode !== 0) gathering.failCode(name, errorCode)
            else gathering.succeed(name, { topic, partition, offset, timestamp, leaderEpoch })
          }
        }
      },
    )
  })
}

/** @param before pairs of partition and the offset that is to be the first one; -1 deletes everything. Values: the new first offset. */
export function deleteRecords(
  context: AdminContext,
  before: Iterable<readonly [TopicPartition, number]>,
  options: AdminCallOptions,
): Promise<Results<number>> {
  const gathering = new Gathering<Asked<number>, number>('Deleting records', asked(before), false)
  return gathering.run(context, options, async (signal) => {
    await learnTopics(context, gathering, signal)
    await gathering.askByNode(
      (_name, key) => leaderOf(context, key),
      async (node, keys) => {
        const request = {
          topics: byTopic(keys).map(([name, partitions]) => ({
            name,
            partitions: partitions.map(({ partition, what }) => ({ partitionIndex: partition, offset: what })),
          })),
          timeoutMs: context.cluster.config['request.timeout.ms'],
        }
        const response = await context.cluster.send(deleteRecordsApi, node, request, { signal })
        for (const { name: topic, partitions } of response.topics) {
          for (const { partitionIndex: partition, errorCode, lowWatermark } of partitions) {
            const name = topicPartitionKey({ topic, partition })
            if (errorCode !== 0) gathering.failCode(name, errorCode)
            else gathering.succeed(name, lowWatermark)
          }
        }
      },
    )
  })
}
