/** Consumer groups: listing (every broker knows only its own), describing, deleting, their offsets. Each group is asked of its coordinator. */
import { KafkaError } from '../../protocol/error-codes.ts'
import {
  consumerGroupDescribe as consumerGroupDescribeApi,
  deleteGroups as deleteGroupsApi,
  describeGroups as describeGroupsApi,
  listGroups as listGroupsApi,
  offsetCommit as offsetCommitApi,
  offsetDelete as offsetDeleteApi,
  offsetFetch as offsetFetchApi,
} from '../../protocol/messages/index.ts'
import { type ResponseOf } from '../../protocol/api.ts'
import { topicPartitionKey, TopicPartitionMap, type TopicPartition } from '../../protocol/records/topic-partition.ts'
import { consumerProtocolAssignment } from '../../protocol/stored/consumer-protocol.ts'
import { type OffsetAndMetadata } from '../producer/transaction-offsets.ts'
import { type AdminCallOptions, type AdminContext, Gathering, Results, untilDone } from './gathering.ts'

/** Kafka's own names: `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty`, `Dead`, `Assigning`, `Reconciling`. */
export type GroupState = string

export interface GroupListing {
  readonly groupId: string
  /** `consumer` for consumer groups, `connect` for Kafka Connect; empty for a group that only has offsets. */
  readonly protocolType: string
  /** undefined if the broker is too old to say (before Kafka 2.6). */
  readonly state: GroupState | undefined
  /** `classic` or `consumer`; undefined before Kafka 4.0. */
  readonly type: string | undefined
  /** Node id of the broker that listed it, which is its coordinator. */
  readonly coordinator: number
}

export interface GroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | undefined
  readonly clientId: string
  readonly host: string
  /** Empty for members of other protocols than `consumer`. */
  readonly assignment: readonly TopicPartition[]
}

export interface GroupDescription {
  readonly groupId: string
  readonly state: GroupState
  /** Of the protocol: `classic`, or `consumer` (KIP-848). */
  readonly type: 'classic' | 'consumer'
  readonly protocolType: string
  /** Name of the assignor. */
  readonly assignor: string
  readonly coordinator: number
  readonly members: readonly GroupMember[]
}

export interface ListGroupsOptions extends AdminCallOptions {
  readonly states?: readonly string[] | undefined
  readonly types?: readonly string[] | undefined
}

type DescribedConsumerGroup = ResponseOf<typeof consumerGroupDescribeApi>['groups'][number]
type DescribedGroup = ResponseOf<typeof describeGroupsApi>['groups'][number]
type FetchedTopics = readonly {
  readonly name: string
  readonly partitions: readonly {
    readonly partitionIndex: number
    readonly committedOffset: number
    readonly committedLeaderEpoch: number
    readonly metadata: string | null
    readonly errorCode: number
  }[]
}[]

const GROUP_ID_NOT_FOUND = 69
const UNSUPPORTED_VERSION = 35

/** Every group of the cluster. Fails if a broker cannot be asked, as its groups would be missing. */
export async function listGroups(context: AdminContext, options: ListGroupsOptions): Promise<GroupListing[]> {
  const listings = (await listGroupsByBroker(context, options)).orThrow()
  const found = new Map<string, GroupListing>()
  for (const listing of [...listings.values()].flat()) found.set(listing.groupId, listing)
  return [...found.values()].sort((left, right) => (left.groupId < right.groupId ? -1 : 1))
}

/** The groups that each broker coordinates, by its node id. Coordinators need not be looked up afterwards. */
export async function listGroupsByBroker(
  context: AdminContext,
  options: ListGroupsOptions,
): Promise<Results<GroupListing[]>> {
  const { states = [], types = [] } = options
  const { cluster } = context
  const doing = 'Listing groups'
  await untilDone(context, doing, options, (signal) => cluster.refreshMetadata({ topics: [], signal }))
  const wants = (filter: readonly string[], value: string) =>
    filter.length === 0 || value === '' || filter.some((one) => one.toLowerCase() === value.toLowerCase())
  const nodes = [...cluster.metadata.brokers.keys()].map((node) => [String(node), node] as const)
  const gathering = new Gathering<number, GroupListing[]>(doing, nodes)
  return gathering.run(context, options, (signal) =>
    gathering.askByNode(
      (_name, node) => Promise.resolve(node),
      async (node) => {
        // Filters that a broker does not know are applied here.
        const request = (version: number) => ({
          statesFilter: version >= 4 ? states : [],
          typesFilter: version >= 5 ? types : [],
        })
        const response = await cluster.send(listGroupsApi, node, request, { signal })
        if (response.errorCode !== 0) return gathering.failCode(String(node), response.errorCode)
        const listings: GroupListing[] = []
        for (const { groupId, protocolType, groupState, groupType } of response.groups) {
          cluster.learnCoordinator('group', groupId, node)
          if (!wants(states, groupState) || !wants(types, groupType)) continue
          const [state, type] = [groupState || undefined, groupType || undefined]
          listings.push({ groupId, protocolType, state, type, coordinator: node })
        }
        gathering.succeed(String(node), listings)
      },
    ),
  )
}

/** Runs `ask` for each coordinator with its groups; a coordinator that is none (any more) is looked up again. */
function byCoordinator<V>(
  context: AdminContext,
  doing: string,
  groupIds: readonly string[],
  options: AdminCallOptions,
  ask: (node: number, groupIds: string[], gathering: Gathering<string, V>, signal: AbortSignal) => Promise<void>,
): Promise<Results<V>> {
  const { cluster } = context
  const gathering = new Gathering<string, V>(
    doing,
    groupIds.map((groupId) => [groupId, groupId]),
  )
  let attempts = 0
  return gathering.run(context, options, async (signal) => {
    if (attempts++ > 0) for (const groupId of gathering.pending.keys()) cluster.forgetCoordinator('group', groupId)
    await gathering.askByNode(
      (groupId) => cluster.coordinatorOnce('group', groupId, signal),
      (node, groups) => ask(node, [...groups.keys()], gathering, signal),
    )
  })
}

/** Groups of the classic protocol and, where the broker knows it, of the consumer protocol (KIP-848). One that does not exist fails with KAFKA_GROUP_ID_NOT_FOUND. */
export function describeGroups(
  context: AdminContext,
  groupIds: readonly string[],
  options: AdminCallOptions,
): Promise<Results<GroupDescription>> {
  return byCoordinator<GroupDescription>(
    context,
    'Describing groups',
    groupIds,
    options,
    async (node, groups, gathering, signal) => {
      const response = await context.cluster.send(describeGroupsApi, node, { groups }, { signal })
      const others: string[] = []
      for (const group of response.groups) {
        const { groupId, errorCode, errorMessage, groupState, members } = group
        // Before version 6 a group that does not exist is a dead one without members.
        const isMissing = errorCode === GROUP_ID_NOT_FOUND || (groupState === 'Dead' && members.length === 0)
        if (isMissing) others.push(groupId)
        else if (errorCode !== 0) gathering.failCode(groupId, errorCode, errorMessage)
        else gathering.succeed(groupId, descriptionOf(group, node))
      }
      if (others.length > 0) await describeConsumerGroups(context, node, others, gathering, signal)
    },
  )
}

async function describeConsumerGroups(
  { cluster }: AdminContext,
  node: number,
  groupIds: readonly string[],
  gathering: Gathering<string, GroupDescription>,
  signal: AbortSignal,
): Promise<void> {
  const connection = await cluster.connectionTo(node, { signal })
  if (!connection.knows(consumerGroupDescribeApi)) {
    for (const groupId of groupIds) gathering.failCode(groupId, GROUP_ID_NOT_FOUND)
    return
  }
  const request = { groupIds, includeAuthorizedOperations: false }
  const response = await cluster.send(consumerGroupDescribeApi, node, request, { signal })
  for (const group of response.groups) {
    const { groupId, errorCode, errorMessage } = group
    // A coordinator without the consumer protocol (3.7 to 3.9 by default) has no such group either.
    if (errorCode === UNSUPPORTED_VERSION) gathering.failCode(groupId, GROUP_ID_NOT_FOUND)
    else if (errorCode !== 0) gathering.failCode(groupId, errorCode, errorMessage)
    else gathering.succeed(groupId, consumerDescriptionOf(group, node))
  }
}

function consumerDescriptionOf(group: DescribedConsumerGroup, coordinator: number): GroupDescription {
  return {
    groupId: group.groupId,
    state: group.groupState,
    type: 'consumer',
    protocolType: 'consumer',
    assignor: group.assignorName,
    coordinator,
    members: group.members.map(({ memberId, instanceId, clientId, clientHost, assignment }) => ({
      memberId,
      groupInstanceId: instanceId ?? undefined,
      clientId,
      host: clientHost,
      assignment: assignment.topicPartitions.flatMap(({ topicName: topic, partitions }) =>
        partitions.map((partition) => ({ topic, partition })),
      ),
    })),
  }
}

function descriptionOf(group: DescribedGroup, coordinator: number): GroupDescription {
  const isConsumer = group.protocolType === 'consumer'
  return {
    groupId: group.groupId,
    state: group.groupState,
    type: 'classic',
    protocolType: group.protocolType,
    assignor: group.protocolData,
    coordinator,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId ?? undefined,
      clientId: member.clientId,
      host: member.clientHost,
      assignment: isConsumer ? assignmentOf(member.memberAssignment) : [],
    })),
  }
}

function assignmentOf(bytes: Buffer): TopicPartition[] {
  if (bytes.length === 0) return []
  const { assignedPartitions } = consumerProtocolAssignment.decode(bytes).value
  return assignedPartitions.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
}

export function deleteGroups(
  context: AdminContext,
  groupIds: readonly string[],
  options: AdminCallOptions,
): Promise<Results<true>> {
  return byCoordinator<true>(context, 'Deleting groups', groupIds, options, async (node, groups, gathering, signal) => {
    const response = await context.cluster.send(deleteGroupsApi, node, { groupsNames: groups }, { signal })
    for (const { groupId, errorCode } of response.results) {
      if (errorCode === 0) gathering.succeed(groupId, true)
      else gathering.failCode(groupId, errorCode)
    }
  })
}

export interface ListGroupOffsetsOptions extends AdminCallOptions {
  /** Only these; left out: every partition with a commit. */
  readonly partitions?: readonly TopicPartition[] | undefined
  /** Waits for transactions that hold back a commit (KIP-447). */
  readonly requireStable?: boolean | undefined
}

/** The committed offsets of each group. A partition without a commit is not in the map. */
export function listGroupOffsets(
  context: AdminContext,
  groupIds: readonly string[],
  options: ListGroupOffsetsOptions,
): Promise<Results<TopicPartitionMap<OffsetAndMetadata>>> {
  const { cluster } = context
  const requireStable = options.requireStable ?? false
  const topics = options.partitions
    ? byTopic(options.partitions).map(([name, partitions]) => ({
        name,
        partitionIndexes: partitions.map(({ partition }) => partition),
      }))
    : null
  type Offsets = TopicPartitionMap<OffsetAndMetadata>
  return byCoordinator<Offsets>(
    context,
    'Listing group offsets',
    groupIds,
    options,
    async (node, groups, gathering, signal) => {
      const connection = await cluster.connectionTo(node, { signal })
      // Version 10 names topics by id.
      const limits = { maxVersion: 9, minVersion: requireStable ? 7 : 2 }
      const version = connection.versionFor(offsetFetchApi, limits)
      if (version >= 8) {
        const request = { groups: groups.map((groupId) => ({ groupId, topics })), requireStable }
        const response = await connection.send(offsetFetchApi, version, request, { signal })
        for (const { groupId, errorCode, topics } of response.groups) gather(gathering, groupId, errorCode, topics)
        return
      }
      for (const groupId of groups) {
        const response = await connection.send(offsetFetchApi, version, { groupId, topics, requireStable }, { signal })
        gather(gathering, groupId, response.errorCode, response.topics)
      }
    },
  )
}

function gather(
  gathering: Gathering<string, TopicPartitionMap<OffsetAndMetadata>>,
  groupId: string,
  errorCode: number,
  topics: FetchedTopics,
): void {
  if (errorCode !== 0) return gathering.failCode(groupId, errorCode)
  const offsets = new TopicPartitionMap<OffsetAndMetadata>()
  for (const { name: topic, partitions } of topics) {
    for (const {
      partitionIndex: partition,
      committedOffset,
      committedLeaderEpoch,
      metadata,
      errorCode,
    } of partitions) {
      if (errorCode !== 0) return gathering.failCode(groupId, errorCode)
      if (committedOffset < 0) continue
      const leaderEpoch = committedLeaderEpoch >= 0 ? committedLeaderEpoch : undefined
      offsets.set({ topic, partition }, { offset: committedOffset, metadata: metadata ?? '', leaderEpoch })
    }
  }
  gathering.succeed(groupId, offsets)
}

function byTopic<T extends TopicPartition>(partitions: Iterable<T>): [string, T[]][] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)]
}

/** Outcomes of one group's partitions, by `topic-partition`. */
function byPartition(
  context: AdminContext,
  doing: string,
  groupId: string,
  keys: readonly TopicPartition[],
  options: AdminCallOptions,
  ask: (
    node: number,
    pending: ReadonlySet<string>,
    signal: AbortSignal,
  ) => Promise<{ errorCode?: number; topics: readonly { name: string; partitions: readonly PartitionOutcome[] }[] }>,
): Promise<Results<true>> {
  const { cluster } = context
  const gathering = new Gathering<TopicPartition, true>(
    `${doing} of the group ${groupId}`,
    keys.map((key) => [topicPartitionKey(key), key]),
  )
  let attempts = 0
  return gathering.run(context, options, async (signal) => {
    if (attempts++ > 0) cluster.forgetCoordinator('group', groupId)
    const node = await cluster.coordinatorOnce('group', groupId, signal)
    const answer = await ask(node, new Set(gathering.pending.keys()), signal)
    if (answer.errorCode) throw new KafkaError(answer.errorCode, gathering.doing)
    for (const { name: topic, partitions } of answer.topics) {
      for (const { partitionIndex: partition, errorCode } of partitions) {
        const name = topicPartitionKey({ topic, partition })
        if (errorCode === 0) gathering.succeed(name, true)
        else gathering.failCode(name, errorCode)
      }
    }
  })
}

interface PartitionOutcome {
  readonly partitionIndex: number
  readonly errorCode: number
}

/** Sets offsets. The group must have no members (else KAFKA_UNKNOWN_MEMBER_ID). */
export function alterGroupOffsets(
  context: AdminContext,
  groupId: string,
  offsets: Iterable<readonly [TopicPartition, OffsetAndMetadata]>,
  options: AdminCallOptions,
): Promise<Results<true>> {
  const all = [...offsets]
  const keys = all.map(([key]) => key)
  return byPartition(context, 'Altering offsets', groupId, keys, options, (node, pending, signal) => {
    const wanted = all.filter(([key]) => pending.has(topicPartitionKey(key)))
    const topics = Map.groupBy(wanted, ([{ topic }]) => topic)
    const request = {
      groupId,
      memberId: '',
      topics: [...topics].map(([name, entries]) => ({
        name,
        partitions: entries.map(([{ partition }, { offset, metadata, leaderEpoch }]) => ({
          partitionIndex: partition,
          committedOffset: offset,
          committedLeaderEpoch: leaderEpoch ?? -1,
          committedMetadata: metadata ?? '',
        })),
      })),
    }
    return context.cluster.send(offsetCommitApi, node, request, { signal, maxVersion: 9 })
  })
}

/** Removes offsets. No member of the group may be subscribed to the topics. */
export function deleteGroupOffsets(
  context: AdminContext,
  groupId: string,
  partitions: readonly TopicPartition[],
  options: AdminCallOptions,
): Promise<Results<true>> {
  return byPartition(context, 'Deleting offsets', groupId, partitions, options, (node, pending, signal) => {
    const wanted = partitions.filter((key) => pending.has(topicPartitionKey(key)))
    const topics = byTopic(wanted).map(([name, entries]) => ({
      name,
      partitions: entries.map(({ partition }) => ({ partitionIndex: partition })),
    }))
    return context.cluster.send(offsetDeleteApi, node, { groupId, topics }, { signal })
  })
}
