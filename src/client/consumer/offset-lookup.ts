/**
 * Asks leaders where their logs begin, end, or reach a timestamp (ListOffsets), and where an epoch ended (OffsetForLeaderEpoch).
 *
 * What one leader answers with a passing error is asked again after a backoff, with fresh metadata, until the time is over.
 */
import { KafkaError } from '../../protocol/error-codes.ts'
import { listOffsets, offsetForLeaderEpoch } from '../../protocol/messages/index.ts'
import { type TopicPartition, TopicPartitionMap } from '../../protocol/records/topic-partition.ts'
import { type Cluster } from '../cluster.ts'
import { withRetries } from '../retry.ts'
import { type CallLimits } from './group-offsets.ts'

export const LATEST_TIMESTAMP = -1
export const EARLIEST_TIMESTAMP = -2

export interface FoundOffset {
  /** -1 when no record is that young. */
  readonly offset: number
  /** Milliseconds, of the record that was found; -1 for beginning and end. */
  readonly timestamp: number
  readonly leaderEpoch: number
}

/** Where the log of a leader ends that still holds the asked epoch: `endOffset` -1 when it knows of none. */
export interface EpochEnd {
  readonly leaderEpoch: number
  readonly endOffset: number
}

const LEADER_NOT_AVAILABLE = 5

export class OffsetLookup {
  readonly #cluster: Cluster
  readonly #isReadCommitted: boolean

  constructor(cluster: Cluster, isReadCommitted: boolean) {
    this.#cluster = cluster
    this.#isReadCommitted = isReadCommitted
  }

  /** Resolves when every partition has its answer. */
  async find(
    questions: readonly (readonly [TopicPartition, timestamp: number])[],
    limits: CallLimits,
  ): Promise<TopicPartitionMap<FoundOffset>> {
    const found = new TopicPartitionMap<FoundOffset>()
    const missing = [...new Set(questions.map(([{ topic }]) => topic))]
    for (const topic of missing) this.#cluster.addTopic(topic)
    await withRetries(
      this.#cluster.seams,
      this.#cluster.config,
      { doing: 'Looking up offsets', ...limits },
      async (signal) => {
        const open = questions.filter(([topicPartition]) => !found.has(topicPartition))
        await this.findOnce(open, found, signal)
      },
    )
    return found
  }

  /** One round over the leaders: puts what is answered into `found`, then throws the first error. */
  async findOnce(
    questions: readonly (readonly [TopicPartition, timestamp: number])[],
    found: TopicPartitionMap<FoundOffset>,
    signal?: AbortSignal,
  ): Promise<void> {
    const cluster = this.#cluster
    await this.#knowTopics(
      questions.map(([topicPartition]) => topicPartition),
      signal,
    )
    const byLeader = this.#byLeader(questions, ([topicPartition]) => topicPartition)
    const rounds = [...byLeader.leaders].map(async ([nodeId, asked]) => {
      const response = await cluster.send(
        listOffsets,
        nodeId,
        {
          replicaId: -1,
          isolationLevel: this.#isReadCommitted ? 1 : 0,
          topics: [...Map.groupBy(asked, ([{ topic }]) => topic)].map(([name, of]) => ({
            name,
            partitions: of.map(([topicPartition, timestamp]) => ({
              partitionIndex: topicPartition.partition,
              currentLeaderEpoch: cluster.metadata.leader(topicPartition)?.leaderEpoch ?? -1,
              timestamp,
            })),
          })),
          timeoutMs: cluster.config['request.timeout.ms'],
        },
        { signal, minVersion: this.#isReadCommitted ? 2 : 1 },
      )
      let failure: Error | undefined
      for (const { name, partitions } of response.topics) {
        for (const { partitionIndex, errorCode, offset, timestamp, leaderEpoch } of partitions) {
          const topicPartition = { topic: name, partition: partitionIndex }
          if (errorCode === 0) found.set(topicPartition, { offset, timestamp, leaderEpoch })
          else failure ??= this.#failed(errorCode, `Looking up an offset of ${name}-${partitionIndex}`)
        }
      }
      if (failure) throw failure
    })
    await settled(rounds, byLeader.failure)
  }

  /** Where the epochs of these positions ended, by the leaders of now. Partitions that were not answered are missing. */
  async epochEnds(
    questions: readonly (readonly [TopicPartition, epoch: number])[],
    signal?: AbortSignal,
  ): Promise<TopicPartitionMap<EpochEnd>> {
    const cluster = this.#cluster
    const found = new TopicPartitionMap<EpochEnd>()
    const byLeader = this.#byLeader(questions, ([topicPartition]) => topicPartition)
    const rounds = [...byLeader.leaders].map(async ([nodeId, asked]) => {
      const response = await cluster.send(
        offsetForLeaderEpoch,
        nodeId,
        {
          replicaId: -1,
          topics: [...Map.groupBy(asked, ([{ topic }]) => topic)].map(([topic, of]) => ({
            topic,
            partitions: of.map(([topicPartition, leaderEpoch]) => ({
              partition: topicPartition.partition,
              currentLeaderEpoch: cluster.metadata.leader(topicPartition)?.leaderEpoch ?? -1,
              leaderEpoch,
            })),
          })),
        },
        { signal },
      )
      for (const { topic, partitions } of response.topics) {
        for (const { partition, errorCode, leaderEpoch, endOffset } of partitions) {
          if (errorCode === 0) found.set({ topic, partition }, { leaderEpoch, endOffset })
          else this.#failed(errorCode, '')
        }
      }
    })
    await Promise.allSettled(rounds)
    return found
  }

  async #knowTopics(partitions: readonly TopicPartition[], signal?: AbortSignal): Promise<void> {
    const { metadata } = this.#cluster
    const unknown = new Set(partitions.filter((one) => !metadata.leader(one)).map(({ topic }) => topic))
    if (unknown.size > 0) await this.#cluster.refreshMetadata({ topics: [...unknown], signal })
  }

  #byLeader<Q>(
    questions: readonly Q[],
    partitionOf: (question: Q) => TopicPartition,
  ): { leaders: Map<number, Q[]>; failure: Error | undefined } {
    const leaders = new Map<number, Q[]>()
    let failure: Error | undefined
    for (const question of questions) {
      const topicPartition = partitionOf(question)
      const { topic, partition } = topicPartition
      const leader = this.#cluster.metadata.leader(topicPartition)
      if (leader === undefined) {
        const code = this.#cluster.metadata.topicErrors.get(topic)?.code ?? LEADER_NOT_AVAILABLE
        failure ??= this.#failed(code, `Looking up an offset of ${topic}-${partition}`)
        continue
      }
      const list = leaders.get(leader.nodeId)
      if (list) list.push(question)
      else leaders.set(leader.nodeId, [question])
    }
    return { leaders, failure }
  }

  #failed(errorCode: number, doing: string): KafkaError {
    const error = new KafkaError(errorCode, doing)
    if (error.error.refreshMetadata || error.retriable) this.#cluster.markStale()
    return error
  }
}

/** Waits for all, then throws the first failure. */
async function settled(rounds: readonly Promise<void>[], failure: Error | undefined): Promise<void> {
  const outcomes = await Promise.allSettled(rounds)
  const rejected = outcomes.find((outcome) => outcome.status === 'rejected')
  if (rejected) throw rejected.reason
  if (failure) throw failure
}
