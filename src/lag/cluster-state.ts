/**
 * Everything that is remembered of a cluster between samples. `apply` takes a sample in; what left the cluster leaves here too. No I/O, no
 * clock: the time is the sample's.
 */
import type { ClusterSample, SampledCommits, SampledGroup, SampledTopic, SeenCommit } from './cluster-sample.ts'
import { GroupState } from './group-state.ts'
import { TopicState } from './log-state.ts'
import type { PairState } from './pair-state.ts'
import { atOnce } from './slices.ts'

export interface ClusterStateSettings {
  /** Places of each window. */
  readonly intervals: number
  /** Burrow's `min-distance`, in milliseconds. */
  readonly minDistanceMs: number
  /** Partitions of groups that are remembered at most. */
  readonly maxPairs: number
  /** A sample whose commits and log ends lie further apart judges nobody. */
  readonly longestSpanMs: number
  readonly allowedLag: (groupId: string) => number
  readonly readsCommitted: (groupId: string) => boolean
}

export interface Applied {
  readonly gone: readonly string[]
  /** Why nobody is judged by this sample. */
  readonly heldBack: string | undefined
}

export class ClusterState {
  readonly settings: ClusterStateSettings
  readonly topics = new Map<string, TopicState>()
  readonly groups = new Map<string, GroupState>()
  clusterId: string | undefined
  brokers = 0
  sampledAt: number | undefined
  groupsLeftOut = 0
  pairsLeftOut = 0
  #pairs = 0

  constructor(settings: ClusterStateSettings) {
    this.settings = settings
  }

  get pairs(): number {
    return this.#pairs
  }

  /** Takes in a sample. What was told of a group that has not had its turn yet still holds. */
  apply(sample: ClusterSample): Applied {
    return atOnce(this.applying(sample))
  }

  /** The same, with a pause after each group, which is handed out: nobody is to see it before it is judged. */
  *applying(sample: ClusterSample): Generator<GroupState, Applied> {
    this.clusterId = sample.clusterId ?? this.clusterId
    this.brokers = sample.brokers
    this.groupsLeftOut = sample.groupsLeftOut
    this.pairsLeftOut = 0
    for (const name of sample.missingTopics) this.#forgetTopic(name)
    const { longestSpanMs } = this.settings
    const isSlow = this.isTooSlow(sample)
    const unknown = this.#applySeen(sample.seen, true)
    const believed = new Set<string>()
    for (const topic of sample.topics.values()) this.#applyTopic(sample.at, topic, isSlow ? undefined : believed)
    this.#applySeen(unknown, false)
    for (const group of sample.groups.values()) {
      yield this.#applyGroup(sample.at, group, believed, sample.seesEveryCommit)
    }
    const gone: string[] = []
    for (const [groupId, group] of this.groups) {
      if (sample.groups.has(groupId) || !sample.isWhole) continue
      this.#pairs -= group.partitions
      this.groups.delete(groupId)
      gone.push(groupId)
    }
    this.sampledAt = sample.at
    const heldBack = isSlow
      ? `The sample took ${Math.round(sample.spanMs)} ms from commits to log ends, more than ${longestSpanMs} ms: nobody is judged by it.`
      : undefined
    return { gone, heldBack }
  }

  /** Nobody is judged by such a sample. */
  isTooSlow({ spanMs }: ClusterSample): boolean {
    return spanMs > this.settings.longestSpanMs
  }

  /** A group, or what it has on one topic, is forgotten; it is back with the next sample if it is there. */
  forget(groupId: string, topic?: string): void {
    const group = this.groups.get(groupId)
    if (!group) return
    this.#pairs -= topic === undefined ? group.partitions : group.removePairs(topic)
    if (topic === undefined || group.topics.size === 0) this.groups.delete(groupId)
  }

  /** The clock jumped: no time before it can be compared with one after it. */
  forgetTimes(): void {
    for (const topic of this.topics.values()) for (const log of topic.logs) log.ends.clear()
    for (const group of this.groups.values()) for (const pair of group.pairs()) pair.forgetPast()
  }

  /** Bytes of the windows, which are nearly all of it. */
  get windowBytes(): number {
    let bytes = 0
    for (const group of this.groups.values()) bytes += group.windows.bytes
    for (const topic of this.topics.values()) for (const log of topic.logs) bytes += log.ends.length * 40
    return bytes
  }

  /** For what the store brings back. */
  ensureTopic(name: string, topicId: string | undefined, partitions: number): TopicState {
    let topic = this.topics.get(name)
    if (!topic) this.topics.set(name, (topic = new TopicState(name, topicId, this.settings.intervals)))
    if (partitions > topic.logs.length) topic.grow(partitions)
    return topic
  }

  ensureGroup(groupId: string): GroupState {
    let group = this.groups.get(groupId)
    if (!group) this.groups.set(groupId, (group = new GroupState(groupId, this.settings.intervals)))
    return group
  }

  /** @param expected how many partitions of the topic there will be, as far as is known */
  ensurePair(group: GroupState, topic: string, partition: number, expected?: number): PairState | undefined {
    const pair = group.pair(topic, partition)
    if (pair) return pair
    if (this.#pairs >= this.settings.maxPairs) {
      this.pairsLeftOut++
      return undefined
    }
    this.#pairs++
    return group.addPair(topic, partition, this.settings, expected)
  }

  /** As Burrow: the lag of a commit is the one to the log end that was known then. Answers with those whose partition is not known yet. */
  #applySeen(seen: readonly SeenCommit[], isEndOfThen: boolean): SeenCommit[] {
    const unknown: SeenCommit[] = []
    for (const commit of seen) {
      const { groupId, topic, partition, offset, timestamp, observedAt } = commit
      const log = this.topics.get(topic)?.log(partition)
      if (!log) {
        unknown.push(commit)
        continue
      }
      const pair = this.ensurePair(this.ensureGroup(groupId), topic, partition)
      const lag = isEndOfThen && log.end !== undefined ? Math.max(0, log.end - offset) : null
      pair?.observeCommit({ offset, timestamp, observedAt, lag })
    }
    return unknown
  }

  #applyTopic(at: number, seen: SampledTopic, believed: Set<string> | undefined): void {
    const known = this.topics.get(seen.topic)
    if (known?.topicId !== undefined && seen.topicId !== undefined && known.topicId !== seen.topicId) {
      this.#forgetTopic(seen.topic)
      for (const group of this.groups.values()) {
        if (group.topics.has(seen.topic)) {
          group.mark(at, 'topic-recreated', { name: 'mark.recreated', values: { topic: seen.topic } })
          for (const pair of group.topics.get(seen.topic)!.values()) pair.forgetPast()
        }
      }
    }
    const topic = this.ensureTopic(seen.topic, seen.topicId, seen.logs.length)
    topic.topicId = seen.topicId ?? topic.topicId
    topic.isInternal = seen.isInternal
    topic.grow(seen.logs.length)
    for (const log of seen.logs) {
      const observed = topic.logs[log.partition]!.observe(at, log)
      if (observed === 'cut') this.#logWasCut(at, seen.topic, log.partition, log.end!)
      if (observed !== 'held') believed?.add(`${seen.topic}-${log.partition}`)
    }
  }

  #logWasCut(at: number, topic: string, partition: number, end: number): void {
    for (const group of this.groups.values()) {
      const pair = group.pair(topic, partition)
      if (!pair) continue
      pair.forgetPast()
      group.mark(at, 'log-end-regressed', { name: 'mark.cut-back', values: { topic, partition, end } })
    }
  }

  #applyGroup(at: number, seen: SampledGroup, believed: ReadonlySet<string>, seesEveryCommit: boolean): GroupState {
    const group = this.ensureGroup(seen.groupId)
    group.observe(at, seen)
    if (!seen.commits) return group
    group.sampledAt = at
    for (const [name, partitions] of seen.commits) {
      const topic = this.topics.get(name)
      if (!topic || group.hasGivenUp(name, partitions)) continue
      for (const [partition, offset] of partitions) {
        if (!topic.log(partition)) continue
        const pair = this.ensurePair(group, name, partition, partitions.size)
        if (pair) this.#applyCommit(at, group, pair, offset, believed, seesEveryCommit)
      }
    }
    this.#forgetUncommitted(group, seen.commits)
    return group
  }

  #applyCommit(
    at: number,
    group: GroupState,
    pair: PairState,
    offset: number,
    believed: ReadonlySet<string>,
    seesEveryCommit: boolean,
  ): void {
    const { settings } = this
    const log = this.topics.get(pair.topic)!.log(pair.partition)!
    const isBelieved = believed.has(`${pair.topic}-${pair.partition}`)
    const end = settings.readsCommitted(group.groupId) ? (log.lastStable ?? log.end) : log.end
    pair.observe(at, offset, isBelieved ? end : undefined, settings.allowedLag(group.groupId), !seesEveryCommit)
  }

  /** Offsets that were deleted, expired or belong to a topic that is gone or given up. */
  #forgetUncommitted(group: GroupState, commits: SampledCommits): void {
    for (const name of group.topics.keys()) {
      const seen = this.topics.has(name) && !group.isGivenUp(name) ? commits.get(name) : undefined
      this.#pairs -= group.removePairs(name, (partition) => !seen?.has(partition))
    }
    for (const name of group.outside.keys()) if (!commits.has(name)) group.outside.delete(name)
  }

  #forgetTopic(name: string): void {
    this.topics.delete(name)
  }
}
