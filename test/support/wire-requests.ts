/** The requests that broker tests send over a `WireClient`, with everything that does not matter to a test filled in. */
import { type RequestInputOf } from '../../src/protocol/api.ts'
import { createTopics, fetch, listOffsets, metadata, produce } from '../../src/protocol/messages/index.ts'
import { type CompressionType } from '../../src/protocol/records/compression.ts'
import { type BuildOptions, type RecordInput, RecordBatchWriter } from '../../src/protocol/records/batch-writer.ts'
import { until } from './until.ts'
import { type WireClient } from './wire-client.ts'

export interface BatchOptions extends BuildOptions {
  readonly compression?: CompressionType
  readonly timestamp?: number
}

/** A record batch with these values, or records. */
export function batchOf(
  records: readonly (string | Partial<RecordInput>)[],
  { compression = 'none', timestamp = 1_700_000_000_000, ...build }: BatchOptions = {},
): Buffer {
  const writer = new RecordBatchWriter({ compression })
  for (const record of records) {
    const parts = typeof record === 'string' ? { value: Buffer.from(record) } : record
    writer.append({ timestamp, ...parts })
  }
  return writer.build(build)
}

export type ProduceInput = RequestInputOf<typeof produce>

export function produceTo(
  name: string,
  records: Buffer | null,
  over: Partial<ProduceInput> & { partition?: number; topicId?: string } = {},
): ProduceInput {
  const { partition = 0, topicId, ...rest } = over
  return {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name, topicId, partitionData: [{ index: partition, records }] }],
    ...rest,
  }
}

/** Produces one batch and returns what the broker said of its partition. */
export async function produceOne(
  client: WireClient,
  version: number,
  name: string,
  records: Buffer | null,
  over: Parameters<typeof produceTo>[2] = {},
) {
  const { responses } = await client.request(produce, version, produceTo(name, records, over))
  return responses[0]!.partitionResponses[0]!
}

export type FetchInput = RequestInputOf<typeof fetch>

export interface FetchFrom {
  readonly topic?: string
  readonly topicId?: string
  readonly partition?: number
  readonly offset?: number
  readonly maxBytes?: number
  readonly currentLeaderEpoch?: number
  readonly lastFetchedEpoch?: number
}

export function fetchFrom(from: readonly FetchFrom[], over: Partial<FetchInput> = {}): FetchInput {
  return {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 50 * 1024 * 1024,
    topics: from.map(({ topic, topicId, partition = 0, offset = 0, maxBytes = 1024 * 1024, ...rest }) => ({
      topic,
      topicId,
      partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: maxBytes, ...rest }],
    })),
    ...over,
  }
}

/** Creates a topic and waits until its partitions can be written to and read; answers with its id. */
export async function createTopic(
  client: WireClient,
  name: string,
  partitions = 1,
  config: Readonly<Record<string, string>> = {},
): Promise<string> {
  const configs = Object.entries(config).map(([key, value]) => ({ name: key, value }))
  const topics = [{ name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs }]
  const created = await client.request(createTopics, 7, { topics, timeoutMs: 10_000 })
  const { errorCode, errorMessage, topicId } = created.topics[0]!
  if (errorCode !== 0) throw new Error(`${name} could not be created: ${errorMessage} (${errorCode})`)
  for (let partition = 0; partition < partitions; partition++) {
    await until(async () => (await offsetOf(client, name, -1, 0, partition)).errorCode === 0)
  }
  await until(async () => {
    const seen = await client.request(metadata, 12, { topics: [{ name }], allowAutoTopicCreation: false })
    return seen.topics[0]!.partitions.length === partitions
  })
  return topicId
}

export async function offsetOf(
  client: WireClient,
  topic: string,
  timestamp: number,
  isolationLevel = 0,
  partition = 0,
) {
  const partitions = [{ partitionIndex: partition, timestamp }]
  const answer = await client.request(listOffsets, 7, {
    replicaId: -1,
    isolationLevel,
    topics: [{ name: topic, partitions }],
  })
  return answer.topics[0]!.partitions[0]!
}
