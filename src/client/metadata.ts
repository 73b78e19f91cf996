/**
 * What is known of a cluster: brokers, topics, leaders. Fed with Metadata responses; no I/O.
 *
 * A topic that is asked for again is replaced, others stay. Two rules keep old news out (Java's `Metadata`):
 * - a leader whose epoch is older than the known one, in the same topic, is ignored: brokers learn of elections at
 *   different moments, and the first answer after one may come from a broker that has not heard yet;
 * - a topic with another topic id is another topic (deleted and created again): nothing of the old one is kept.
 */
import { errorOf, type ErrorCode } from '../protocol/error-codes.ts'
import { type metadata as metadataApi } from '../protocol/messages/index.ts'
import { type ResponseOf } from '../protocol/api.ts'

export type MetadataResponse = ResponseOf<typeof metadataApi>

export interface BrokerAddress {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface PartitionMetadata {
  readonly partition: number
  /** Node id of the leader, -1 while there is none. */
  readonly leader: number
  /** -1 if the broker is too old to say. */
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly inSyncReplicas: readonly number[]
  readonly offlineReplicas: readonly number[]
}

export interface TopicMetadata {
  readonly name: string
  /** undefined if the broker is too old to have topic ids. */
  readonly topicId: string | undefined
  readonly isInternal: boolean
  /** In order of their number: `partitions[3].partition` is 3. */
  readonly partitions: readonly PartitionMetadata[]
}

export interface LeaderAndEpoch {
  readonly nodeId: number
  readonly leaderEpoch: number
}

const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

export class ClusterMetadata {
  clusterId: string | undefined
  controllerId = -1
  /** Grows with every response. */
  version = 0
  readonly brokers = new Map<number, BrokerAddress>()
  readonly topics = new Map<string, TopicMetadata>()
  /** What the broker last said about topics that it could not describe. */
  readonly topicErrors = new Map<string, ErrorCode>()
  readonly #names = new Map<string, string>()

  topicId(name: string): string | undefined {
    return this.topics.get(name)?.topicId
  }

  nameOf(topicId: string): string | undefined {
    return this.#names.get(topicId)
  }

  partition(topic: string, partition: number): PartitionMetadata | undefined {
    return this.topics.get(topic)?.partitions[partition]
  }

  /** undefined while the partition is not known or has no leader, or one whose address no broker tells (it is down: Java's view too). */
  leader({ topic, partition }: { topic: string; partition: number }): LeaderAndEpoch | undefined {
    const found = this.partition(topic, partition)
    if (!found || found.leader < 0 || !this.brokers.has(found.leader)) return undefined
    return { nodeId: found.leader, leaderEpoch: found.leaderEpoch }
  }

  /** Takes a response in. With `everyTopic`, a topic that it does not name is gone. */
  apply(response: MetadataResponse, { everyTopic }: { everyTopic: boolean }): void {
    this.clusterId = response.clusterId ?? this.clusterId
    this.controllerId = response.controllerId
    if (response.brokers.length > 0) {
      this.brokers.clear()
      for (const broker of response.brokers) this.brokers.set(broker.nodeId, broker)
    }
    const named = new Set<string>()
    for (const topic of response.topics) {
      const name = topic.name ?? this.nameOf(topic.topicId)
      if (name === undefined) continue
      named.add(name)
      this.#applyTopic(name, topic)
    }
    if (everyTopic) for (const name of this.topics.keys()) if (!named.has(name)) this.forgetTopic(name)
    this.version++
  }

  #applyTopic(name: string, topic: MetadataResponse['topics'][number]): void {
    if (topic.errorCode !== 0) {
      const error = errorOf(topic.errorCode)
      this.topicErrors.set(name, error)
      // While it is only being elected or loaded, what is known of the topic stays good.
      if (error.name === 'UNKNOWN_TOPIC_OR_PARTITION' || error.name === 'UNKNOWN_TOPIC_ID') this.forgetTopic(name)
      return
    }
    this.topicErrors.delete(name)
    const topicId = topic.topicId === NO_TOPIC_ID ? undefined : topic.topicId
    const known = this.topics.get(name)
    const sameTopic = known !== undefined && (known.topicId === topicId || !known.topicId || !topicId)
    if (known && !sameTopic) this.forgetTopic(name)
    const partitions: PartitionMetadata[] = []
    for (const one of topic.partitions) {
      const before = sameTopic ? known.partitions[one.partitionIndex] : undefined
      const outdated = before !== undefined && one.leaderEpoch !== -1 && one.leaderEpoch < before.leaderEpoch
      partitions[one.partitionIndex] = outdated ? before : partitionOf(one)
    }
    this.topics.set(name, { name, topicId, isInternal: topic.isInternal, partitions })
    if (topicId) this.#names.set(topicId, name)
  }

  /** A leader that another response named (KIP-951). Returns whether it is news. */
  applyLeader(topic: string, partition: number, leader: LeaderAndEpoch): boolean {
    const known = this.topics.get(topic)
    const before = known?.partitions[partition]
    if (!known || !before || leader.nodeId < 0 || leader.leaderEpoch <= before.leaderEpoch) return false
    if (!this.brokers.has(leader.nodeId)) return false
    const partitions = [...known.partitions]
    partitions[partition] = { ...before, leader: leader.nodeId, leaderEpoch: leader.leaderEpoch }
    this.topics.set(topic, { ...known, partitions })
    this.version++
    return true
  }

  forgetTopic(name: string): void {
    const topicId = this.topics.get(name)?.topicId
    if (topicId) this.#names.delete(topicId)
    this.topics.delete(name)
  }
}

function partitionOf(one: MetadataResponse['topics'][number]['partitions'][number]): PartitionMetadata {
  return {
    partition: one.partitionIndex,
    leader: one.leaderId,
    leaderEpoch: one.leaderEpoch,
    replicas: one.replicaNodes,
    inSyncReplicas: one.isrNodes,
    offlineReplicas: one.offlineReplicas,
  }
}
