/**
 * Collects by the admin API: ListGroups of every broker, OffsetFetch of all of a coordinator's groups in one request, then ListOffsets of every
 * leader. A bounded number of requests a broker, whatever the number of groups.
 *
 * What one broker does not answer is missing in the sample, and said; the rest is there. Nothing is tried twice: the next sample comes soon.
 */
import type { Admin, GroupDescription, GroupListing, ListedOffset, TopicDescription } from '../client/admin/index.ts'
import type { OffsetSpec } from '../client/admin/index.ts'
import { topicPartitionKey, type TopicPartition } from '../client/index.ts'
import type { Clock } from '../seams/clock.ts'
import type {
  ClusterSample,
  Collector,
  SampledCommit,
  SampledGroup,
  SampledLog,
  SampledTopic,
} from './cluster-sample.ts'
import { MissingRights, Problems } from './sample-problems.ts'

export interface AdminCollectorSettings {
  /** Groups to look at; others are as if they did not exist. */
  readonly wantsGroup: (groupId: string) => boolean
  readonly maxGroups: number
  /** A sample that takes longer is given up. */
  readonly timeoutMs: number
  /** Members of a group that rests are asked for again after this time. */
  readonly describeEveryMs: number
  /** Topics that nobody reads, and the beginnings of logs. */
  readonly topicsEveryMs: number
}

type Commits = ReadonlyMap<string, ReadonlyMap<number, SampledCommit>>

interface Described {
  readonly description: GroupDescription | undefined
  readonly state: string | undefined
  readonly at: number
}

export class AdminCollector implements Collector {
  readonly #admin: Admin
  readonly #clock: Clock
  readonly #settings: AdminCollectorSettings
  readonly #described = new Map<string, Described>()
  readonly #logStarts = new Map<string, number>()
  #allTopics: readonly string[] = []
  #topicsAt: number | undefined
  #rightsAt: number | undefined
  #mayDescribe = true

  constructor(admin: Admin, clock: Clock, settings: AdminCollectorSettings) {
    this.#admin = admin
    this.#clock = clock
    this.#settings = settings
  }

  async sample(signal: AbortSignal): Promise<ClusterSample> {
    const began = this.#clock.monotonic()
    const problems = new Problems()
    const rights = new MissingRights()
    const options = { signal, timeoutMs: this.#settings.timeoutMs }
    await this.#checkRights(began, options, rights)
    const { listings, isWhole, leftOut } = await this.#groups(options, problems)
    const commitsBegan = this.#clock.monotonic()
    const commits = await this.#commits(listings, options, problems, rights)
    const readTopics = new Set([...commits.values()].flatMap((one) => [...one.keys()]))
    const isTopicsTurn = this.#topicsAt === undefined || began - this.#topicsAt >= this.#settings.topicsEveryMs
    if (isTopicsTurn) {
      this.#allTopics = (await this.#admin.listTopics(options)).map(({ name }) => name)
      this.#topicsAt = began
    }
    const names = isTopicsTurn ? new Set([...readTopics, ...this.#allTopics]) : readTopics
    const described = await this.#topics([...names], options, rights, problems)
    const at = this.#clock.now()
    const topics = await this.#logs([...described.found.values()], commits, isTopicsTurn, options, problems)
    const spanMs = this.#clock.monotonic() - commitsBegan
    const descriptions = await this.#descriptions(listings, options, rights, problems)
    const groups = new Map<string, SampledGroup>()
    for (const { groupId, state, type, protocolType, coordinator } of listings) {
      const description = descriptions.get(groupId)
      groups.set(groupId, {
        groupId,
        state,
        type,
        protocolType,
        coordinator,
        description,
        commits: commits.get(groupId),
      })
    }
    const cluster = this.#admin.known
    return {
      at,
      spanMs,
      groups,
      isWhole,
      topics,
      missingTopics: described.missing,
      clusterId: cluster.clusterId,
      brokers: cluster.brokers,
      groupsLeftOut: leftOut,
      problems: problems.toArray(),
      missingRights: rights.toArray(),
    }
  }

  close(): Promise<void> {
    return this.#admin.close()
  }

  /** Without Describe on the cluster, brokers leave out of their lists, without a word, whatever group may not be described. */
  async #checkRights(now: number, options: CallOptions, rights: MissingRights): Promise<void> {
    if (this.#rightsAt === undefined || now - this.#rightsAt >= this.#settings.topicsEveryMs) {
      const cluster = await this.#admin
        .describeCluster({ ...options, includeAuthorizedOperations: true })
        .catch((error: Error) => {
          // Brokers before 2.8 have no such API.
          if ((error as { code?: string }).code === 'SLUICE_UNSUPPORTED_VERSION') return undefined
          throw error
        })
      this.#rightsAt = now
      this.#mayDescribe = cluster?.authorizedOperations?.includes('DESCRIBE') ?? true
    }
    if (!this.#mayDescribe)
      rights.add('Describe on Cluster (without it only groups that may be described one by one are seen)')
  }

  async #groups(options: CallOptions, problems: Problems) {
    const byBroker = await this.#admin.listGroupsByBroker(options)
    if (byBroker.values.size === 0 && byBroker.failures.size > 0) throw byBroker.failures.values().next().value!
    for (const [node, error] of byBroker.failures) problems.add(`Listing the groups of broker ${node}`, error)
    const found = new Map<string, GroupListing>()
    for (const listing of [...byBroker.values.values()].flat()) {
      if (isOfConsumers(listing) && this.#settings.wantsGroup(listing.groupId)) found.set(listing.groupId, listing)
    }
    // In the order of their names: who is beyond the cap is so in every sample.
    const all = [...found.values()].sort((left, right) => (left.groupId < right.groupId ? -1 : 1))
    const listings = all.slice(0, this.#settings.maxGroups)
    if (byBroker.failures.size === 0) {
      for (const groupId of this.#described.keys()) if (!found.has(groupId)) this.#described.delete(groupId)
    }
    return { listings, isWhole: byBroker.failures.size === 0, leftOut: all.length - listings.length }
  }

  async #commits(
    listings: readonly GroupListing[],
    options: CallOptions,
    problems: Problems,
    rights: MissingRights,
  ): Promise<Map<string, Commits>> {
    const found = new Map<string, Commits>()
    if (listings.length === 0) return found
    const answers = await this.#admin.listOffsetsOfGroups(
      listings.map(({ groupId }) => groupId),
      options,
    )
    for (const [groupId, error] of answers.failures) {
      if (isNotFound(error)) found.set(groupId, new Map())
      else if (!rights.note(error, `Describe on Group ${groupId}`)) problems.add('Reading commits', error)
    }
    for (const [groupId, offsets] of answers) {
      const byTopic = new Map<string, Map<number, SampledCommit>>()
      for (const [{ topic, partition }, { offset }] of offsets) {
        let partitions = byTopic.get(topic)
        if (!partitions) byTopic.set(topic, (partitions = new Map()))
        partitions.set(partition, { offset })
      }
      found.set(groupId, byTopic)
    }
    return found
  }

  async #topics(names: readonly string[], options: CallOptions, rights: MissingRights, problems: Problems) {
    const missing = new Set<string>()
    if (names.length === 0) return { found: new Map<string, TopicDescription>(), missing }
    const answers = await this.#admin.describeTopics(names, options)
    for (const [topic, error] of answers.failures) {
      if ((error as { code?: string }).code === 'KAFKA_UNKNOWN_TOPIC_OR_PARTITION') missing.add(topic)
      else if (!rights.note(error, `Describe on Topic ${topic}`)) problems.add('Describing topics', error)
    }
    return { found: answers.values, missing }
  }

  /** Log ends of everything that was described; last stable offsets where somebody has work left; beginnings now and then. */
  async #logs(
    topics: readonly TopicDescription[],
    commits: ReadonlyMap<string, Commits>,
    withStarts: boolean,
    options: CallOptions,
    problems: Problems,
  ): Promise<Map<string, SampledTopic>> {
    const all = topics.flatMap(({ name, partitions }) =>
      partitions.filter(({ leader }) => leader >= 0).map(({ partition }) => ({ topic: name, partition })),
    )
    const ends = await this.#listOffsets(all, 'latest', options, problems)
    const behind = partitionsBehind(commits, ends)
    const [stable, starts] = await Promise.all([
      this.#listOffsets(behind, 'latest', { ...options, isolationLevel: 'read_committed' }, problems),
      this.#listOffsets(
        withStarts ? all : behind.filter((one) => !this.#logStarts.has(topicPartitionKey(one))),
        'earliest',
        options,
        problems,
      ),
    ])
    for (const [name, { offset }] of starts) this.#logStarts.set(name, offset)
    const known = new Set<string>()
    const found = new Map<string, SampledTopic>()
    for (const { name: topic, topicId, isInternal, partitions } of topics) {
      const logs: SampledLog[] = partitions.map(({ partition, leader, leaderEpoch }) => {
        const key = topicPartitionKey({ topic, partition })
        known.add(key)
        const [end, lastStable] = [ends.get(key)?.offset, stable.get(key)?.offset]
        return { partition, leader, leaderEpoch, end, lastStable, logStart: this.#logStarts.get(key) }
      })
      found.set(topic, { topic, topicId, isInternal, logs })
    }
    if (withStarts) for (const key of this.#logStarts.keys()) if (!known.has(key)) this.#logStarts.delete(key)
    return found
  }

  async #listOffsets(
    partitions: readonly TopicPartition[],
    spec: OffsetSpec,
    options: CallOptions & { isolationLevel?: 'read_committed' },
    problems: Problems,
  ): Promise<ReadonlyMap<string, ListedOffset>> {
    if (partitions.length === 0) return new Map()
    const pairs = partitions.map((one) => [one, spec] as const)
    const answers = await this.#admin.listOffsets(pairs, { ...options, refresh: false })
    for (const error of answers.failures.values()) problems.add('Listing log ends', error)
    return answers.values
  }

  /** Of groups that are new, changed their state or were not asked for a while; the others are as they were. */
  async #descriptions(
    listings: readonly GroupListing[],
    options: CallOptions,
    rights: MissingRights,
    problems: Problems,
  ): Promise<ReadonlyMap<string, GroupDescription>> {
    const now = this.#clock.monotonic()
    const due = listings.filter(({ groupId, state }) => {
      const known = this.#described.get(groupId)
      return !known || known.state !== state || now - known.at >= this.#settings.describeEveryMs
    })
    if (due.length > 0) {
      const names = due.map(({ groupId }) => groupId)
      const answers = await this.#admin.describeGroups(names, options)
      for (const [groupId, error] of answers.failures) {
        if (!isNotFound(error) && !rights.note(error, `Describe on Group ${groupId}`))
          problems.add('Describing groups', error)
      }
      for (const { groupId, state } of due) {
        this.#described.set(groupId, { description: answers.values.get(groupId), state, at: now })
      }
    }
    const found = new Map<string, GroupDescription>()
    for (const { groupId } of listings) {
      const description = this.#described.get(groupId)?.description
      if (description) found.set(groupId, description)
    }
    return found
  }
}

interface CallOptions {
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** Kafka Connect's workers and schema registries are groups, too, and commit nothing. */
function isOfConsumers({ protocolType, type }: GroupListing): boolean {
  const isShared = type !== undefined && !['classic', 'consumer'].includes(type.toLowerCase())
  return !isShared && (protocolType === 'consumer' || protocolType === '')
}

function isNotFound(error: Error): boolean {
  return (error as { code?: string }).code === 'KAFKA_GROUP_ID_NOT_FOUND'
}

function partitionsBehind(
  commits: ReadonlyMap<string, Commits>,
  ends: ReadonlyMap<string, ListedOffset>,
): TopicPartition[] {
  const behind = new Map<string, TopicPartition>()
  for (const topics of commits.values()) {
    for (const [topic, partitions] of topics) {
      for (const [partition, { offset }] of partitions) {
        const key = topicPartitionKey({ topic, partition })
        const end = ends.get(key)
        if (end && end.offset > offset) behind.set(key, { topic, partition })
      }
    }
  }
  return [...behind.values()]
}
