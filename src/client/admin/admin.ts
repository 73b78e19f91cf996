/**
 * The admin client, with what Java's `Admin` does for topics, configurations, groups and offsets.
 *
 * Calls that change something reject when anything of what was asked failed: with its own error if there was one thing to do, with
 * AdminError (each failure by name, and what succeeded) if there were several. Calls that read return `Results`:
 * what is there and what failed, side by side.
 */
import { KafkaError } from '../../protocol/error-codes.ts'
import { describeCluster as describeClusterApi } from '../../protocol/messages/index.ts'
import { type TopicPartition, type TopicPartitionMap } from '../../protocol/records/topic-partition.ts'
import { Cluster } from '../cluster.ts'
import { type AdminConfig, parseAdminConfig, type PropertyBag } from '../config.ts'
import { type BrokerAddress } from '../metadata.ts'
import { type OffsetAndMetadata } from '../producer/transaction-offsets.ts'
import { type ClientSeams, systemSeams } from '../seams.ts'
import { agreedVersions, type AgreedVersion } from './api-versions.ts'
import * as configs from './configs.ts'
import { operationNames } from './authorized-operations.ts'
import { type AdminCallOptions, type AdminContext, type Results, untilDone } from './gathering.ts'
import * as groups from './groups.ts'
import * as partitions from './partitions.ts'
import * as topics from './topics.ts'

export interface ClusterDescription {
  readonly clusterId: string
  /** -1 if there is none at the moment. */
  readonly controllerId: number
  /** Kafka's names of what this client may do with the cluster as a whole (`DESCRIBE` …); undefined unless it was asked for. */
  readonly authorizedOperations: readonly string[] | undefined
  readonly brokers: readonly BrokerAddress[]
}

let adminsMade = 0

export class Admin {
  readonly config: AdminConfig
  readonly #cluster: Cluster
  readonly #context: AdminContext

  /** @throws ConfigError with everything that is wrong. Connects with the first call. */
  constructor(properties: PropertyBag, seams: Partial<ClientSeams> = {}) {
    const parsed = parseAdminConfig(properties)
    this.config = { ...parsed, 'client.id': parsed['client.id'] || `adminclient-${++adminsMade}` }
    this.#cluster = new Cluster(this.config, systemSeams(seams))
    this.#context = {
      cluster: this.#cluster,
      defaultTimeoutMs: this.config['default.api.timeout.ms'],
      retries: this.config['retries'],
    }
  }

  /** What the last answers told of the cluster, without asking. */
  get known(): { readonly clusterId: string | undefined; readonly brokers: number } {
    const { clusterId, brokers } = this.#cluster.metadata
    return { clusterId, brokers: brokers.size }
  }

  /** Names of the topics that later calls know, by their id. */
  topicNames(): ReadonlyMap<string, string> {
    const topics = [...this.#cluster.metadata.topics.values()]
    return new Map(topics.flatMap(({ name, topicId }) => (topicId === undefined ? [] : [[topicId, name]])))
  }

  /** Finds the cluster: one round over the bootstrap servers. @throws BrokerUnavailableError that names each address and its cause */
  connect({ signal }: AdminCallOptions = {}): Promise<void> {
    return this.#cluster.connect(signal)
  }

  async createTopics(
    newTopics: readonly topics.NewTopic[],
    options: topics.TopicChangeOptions = {},
  ): Promise<ReadonlyMap<string, topics.CreatedTopic>> {
    return (await topics.createTopics(this.#context, newTopics, options)).orThrow()
  }

  async deleteTopics(names: readonly string[], options: AdminCallOptions = {}): Promise<void> {
    ;(await topics.deleteTopics(this.#context, names, options)).orThrow()
  }

  /** @param totals how many partitions each topic shall have; it can only grow */
  async createPartitions(
    totals: Readonly<Record<string, number>>,
    options: topics.TopicChangeOptions = {},
  ): Promise<void> {
    ;(await topics.createPartitions(this.#context, totals, options)).orThrow()
  }

  listTopics(options: AdminCallOptions & { includeInternal?: boolean } = {}): Promise<topics.TopicListing[]> {
    return topics.listTopics(this.#context, options)
  }

  /** What is described here is known to later calls, `listOffsets` with `refresh: false` among them. */
  describeTopics(names: readonly string[], options: AdminCallOptions = {}): Promise<Results<topics.TopicDescription>> {
    return topics.describeTopics(this.#context, names, options)
  }

  /** Found by `resourceName(resource)`: the topic's name, or `broker 1`. */
  describeConfigs(
    resources: readonly configs.ConfigResource[],
    options: configs.DescribeConfigsOptions = {},
  ): Promise<Results<ReadonlyMap<string, configs.ConfigEntry>>> {
    return configs.describeConfigs(this.#context, resources, options)
  }

  async incrementalAlterConfigs(
    resources: readonly configs.ResourceChanges[],
    options: topics.TopicChangeOptions = {},
  ): Promise<void> {
    ;(await configs.incrementalAlterConfigs(this.#context, resources, options)).orThrow()
  }

  async describeCluster(
    options: AdminCallOptions & { includeAuthorizedOperations?: boolean } = {},
  ): Promise<ClusterDescription> {
    const { includeAuthorizedOperations = false } = options
    const doing = 'Describing the cluster'
    return untilDone(this.#context, doing, options, async (signal) => {
      const request = {
        includeClusterAuthorizedOperations: includeAuthorizedOperations,
        includeFencedBrokers: false,
      }
      const response = await this.#cluster.send(describeClusterApi, 'any', request, { signal })
      if (response.errorCode !== 0) throw new KafkaError(response.errorCode, doing, response.errorMessage)
      const brokers = response.brokers.map(({ brokerId, host, port, rack }) => ({ nodeId: brokerId, host, port, rack }))
      const { clusterId, controllerId, clusterAuthorizedOperations: bits } = response
      const authorizedOperations = includeAuthorizedOperations ? operationNames(bits) : undefined
      return { clusterId, controllerId, brokers, authorizedOperations }
    })
  }

  /** Which version of each API this client and one broker of the cluster use with each other. */
  apiVersions(options: AdminCallOptions = {}): Promise<AgreedVersion[]> {
    return agreedVersions(this.#context, options)
  }

  listGroups(options: groups.ListGroupsOptions = {}): Promise<groups.GroupListing[]> {
    return groups.listGroups(this.#context, options)
  }

  /** The groups that each broker coordinates, by its node id: what one broker does not answer is missing, and said. */
  listGroupsByBroker(options: groups.ListGroupsOptions = {}): Promise<Results<groups.GroupListing[]>> {
    return groups.listGroupsByBroker(this.#context, options)
  }

  describeGroups(
    groupIds: readonly string[],
    options: AdminCallOptions = {},
  ): Promise<Results<groups.GroupDescription>> {
    return groups.describeGroups(this.#context, groupIds, options)
  }

  async deleteGroups(groupIds: readonly string[], options: AdminCallOptions = {}): Promise<void> {
    ;(await groups.deleteGroups(this.#context, groupIds, options)).orThrow()
  }

  /** The committed offsets of one group. */
  async listGroupOffsets(
    groupId: string,
    options: groups.ListGroupOffsetsOptions = {},
  ): Promise<TopicPartitionMap<OffsetAndMetadata>> {
    return (await groups.listGroupOffsets(this.#context, [groupId], options)).get(groupId)
  }

  /** The committed offsets of many groups, one request a coordinator. */
  listOffsetsOfGroups(
    groupIds: readonly string[],
    options: groups.ListGroupOffsetsOptions = {},
  ): Promise<Results<TopicPartitionMap<OffsetAndMetadata>>> {
    return groups.listGroupOffsets(this.#context, groupIds, options)
  }

  /** Sets a group's offsets while it has no members. */
  async alterGroupOffsets(
    groupId: string,
    offsets: Iterable<readonly [TopicPartition, OffsetAndMetadata]>,
    options: AdminCallOptions = {},
  ): Promise<void> {
    ;(await groups.alterGroupOffsets(this.#context, groupId, offsets, options)).orThrow()
  }

  async deleteGroupOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    options: AdminCallOptions = {},
  ): Promise<void> {
    ;(await groups.deleteGroupOffsets(this.#context, groupId, partitions, options)).orThrow()
  }

  /** Offsets by time or place, found by `topic-partition`. @param specs pairs, or a TopicPartitionMap */
  listOffsets(
    specs: Iterable<readonly [TopicPartition, partitions.OffsetSpec]>,
    options: partitions.ListOffsetsOptions = {},
  ): Promise<Results<partitions.ListedOffset>> {
    return partitions.listOffsets(this.#context, specs, options)
  }

  /** Deletes records before an offset (-1: all). Values: each partition's new first offset, by `topic-partition`. */
  async deleteRecords(
    before: Iterable<readonly [TopicPartition, number]>,
    options: AdminCallOptions = {},
  ): Promise<ReadonlyMap<string, number>> {
    return (await partitions.deleteRecords(this.#context, before, options)).orThrow()
  }

  /** Closes every connection; calls under way are rejected. Never rejects itself. */
  close(): Promise<void> {
    return this.#cluster.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
