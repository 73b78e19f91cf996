/**
 * Collects a sample: groups and their commits from a source (the admin API or `__consumer_offsets`), then, always afterwards, where the logs end, from
 * every leader. A bounded number of requests a broker, whatever the number of groups.
 *
 * What one broker does not answer is missing in the sample, and said; the rest is there. Nothing is tried twice: the next sample comes soon.
 */
import type { Admin, ListedOffset, OffsetSpec, TopicDescription } from '../client/admin/index.ts'
import { topicPartitionKey, type TopicPartition } from '../client/index.ts'
import type { Clock } from '../seams/clock.ts'
import type {
  CallOptions,
  ClusterSample,
  Collector,
  GroupSource,
  SampledCommits,
  SampledGroup,
  SampledLog,
  SampledTopic,
} from './cluster-sample.ts'
import { MissingRights, Problems } from './sample-problems.ts'

export interface SampleCollectorSettings {
  /** A sample that takes longer is given up. */
  readonly timeoutMs: number
  /** Topics that nobody reads, and the beginnings of logs. */
  readonly topicsEveryMs: number
}

export class SampleCollector implements Collector {
  readonly #admin: Admin
  readonly #groups: GroupSource
  readonly #clock: Clock
  readonly #settings: SampleCollectorSettings
  readonly #logStarts = new Map<string, number>()
  #allTopics: readonly string[] = []
  #topicsAt: number | undefined
  #rightsAt: number | undefined
  #mayDescribe = true

  constructor(admin: Admin, groups: GroupSource, clock: Clock, settings: SampleCollectorSettings) {
    this.#admin = admin
    this.#groups = groups
    this.#clock = clock
    this.#settings = settings
  }

  async sample(signal: AbortSignal): Promise<ClusterSample> {
    const began = this.#clock.monotonic()
    const problems = new Problems()
    const rights = new MissingRights()
    const options = { signal, timeoutMs: this.#settings.timeoutMs }
    await this.#checkRights(began, options, rights)
    const read = await this.#groups.read(options, problems, rights)
    const names = new Set([...read.groups.values()].flatMap(({ commits }) => [...(commits?.keys() ?? [])]))
    const isTopicsTurn = this.#topicsAt === undefined || began - this.#topicsAt >= this.#settings.topicsEveryMs
    if (isTopicsTurn) {
      this.#allTopics = (await this.#admin.listTopics(options)).map(({ name }) => name)
      this.#topicsAt = began
      for (const name of this.#allTopics) names.add(name)
    }
    const described = await this.#topics([...names], options, rights, problems)
    const at = this.#clock.now()
    const topics = await this.#logs([...described.found.values()], read.groups, isTopicsTurn, options, problems)
    const { clusterId, brokers } = this.#admin.known
    return {
      at,
      spanMs: this.#clock.monotonic() - read.began,
      groups: read.groups,
      seen: read.seen,
      seesEveryCommit: read.seesEveryCommit,
      isWhole: read.isWhole,
      topics,
      missingTopics: described.missing,
      clusterId,
      brokers,
      groupsLeftOut: read.leftOut,
      problems: problems.toArray(),
      missingRights: rights.toArray(),
    }
  }

  async close(): Promise<void> {
    await this.#groups.close()
    await this.#admin.close()
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
    groups: ReadonlyMap<string, SampledGroup>,
    withStarts: boolean,
    options: CallOptions,
    problems: Problems,
  ): Promise<Map<string, SampledTopic>> {
    const all = topics.flatMap(({ name, partitions }) =>
      partitions.filter(({ leader }) => leader >= 0).map(({ partition }) => ({ topic: name, partition })),
    )
    const ends = await this.#listOffsets(all, 'latest', options, problems)
    const behind = partitionsBehind(groups, ends)
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
}

const noCommits: SampledCommits = new Map()

function partitionsBehind(
  groups: ReadonlyMap<string, SampledGroup>,
  ends: ReadonlyMap<string, ListedOffset>,
): TopicPartition[] {
  const behind = new Map<string, TopicPartition>()
  const leastByTopic = leastCommits(groups)
  for (const [topic, partitions] of leastByTopic) {
    for (const [partition, offset] of partitions) {
      const key = topicPartitionKey({ topic, partition })
      const end = ends.get(key)
      if (end && end.offset > offset) behind.set(key, { topic, partition })
    }
  }
  return [...behind.values()]
}

/** The lowest commit of any group, by topic and partition: a name of its own for each of a hundred thousand commits would take longer than all the rest. */
function leastCommits(groups: ReadonlyMap<string, SampledGroup>): Map<string, Map<number, number>> {
  const found = new Map<string, Map<number, number>>()
  for (const { commits } of groups.values()) {
    for (const [topic, partitions] of commits ?? noCommits) {
      let least = found.get(topic)
      if (!least) found.set(topic, (least = new Map()))
      for (const [partition, offset] of partitions) {
        const before = least.get(partition)
        if (before === undefined || offset < before) least.set(partition, offset)
      }
    }
  }
  return found
}
