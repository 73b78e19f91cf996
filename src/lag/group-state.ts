/** What is remembered of one group: its partitions, members, judgement, the trend of its lag and what happened to it. */
import type { GroupDescription, GroupMember } from '../client/admin/index.ts'
import type { Mark } from './api-types.ts'
import type { SampledGroup, SampledPartitions } from './cluster-sample.ts'
import { inEnglish, type Judgement } from './judgement.ts'
import { type PairSettings, PairState } from './pair-state.ts'
import type { Sentence } from './sentences.ts'
import type { Owner } from './sluice-rules.ts'
import type { GroupStatus } from './status.ts'
import { WindowSpace } from './window.ts'

const TREND_LENGTH = 60
const MOST_MARKS = 100

type Owners = Map<string, Map<number, GroupMember>>

export class GroupState {
  readonly groupId: string
  state: string | undefined
  type: string | undefined
  protocolType = ''
  coordinator = -1
  description: GroupDescription | undefined
  /** By topic, then partition. */
  readonly topics = new Map<string, Map<number, PairState>>()
  status: GroupStatus = 'UNKNOWN'
  since: number | undefined
  sampledAt: number | undefined
  totalLag: number | null = null
  maxLag: number | null = null
  lagSeconds: number | null = null
  badPartitions = 0
  worst: Judgement | undefined
  readPerSecond: number | null = null
  writtenPerSecond: number | null = null
  forecastSeconds: number | null = null
  /** Grows whenever something that is shown changes. */
  version = 0
  readonly trend: number[] = []
  readonly marks: Mark[] = []
  /** Topics with commits, and none of them assigned to a member: the commits they were given up with, or that these move all the same. */
  readonly outside = new Map<string, ReadonlyMap<number, number> | 'moves'>()
  /** Where the windows of its partitions are. */
  readonly windows: WindowSpace
  /** By topic, then partition. */
  #owners: Owners = new Map()
  /** Topics that members are assigned; undefined while the group is not at rest. */
  #assigned: ReadonlySet<string> | undefined

  /** @param intervals places of each window */
  constructor(groupId: string, intervals: number) {
    this.groupId = groupId
    this.windows = new WindowSpace(PairState.doubles(intervals))
  }

  get partitions(): number {
    let total = 0
    for (const partitions of this.topics.values()) total += partitions.size
    return total
  }

  *pairs(): Generator<PairState> {
    for (const partitions of this.topics.values()) yield* partitions.values()
  }

  pair(topic: string, partition: number): PairState | undefined {
    return this.topics.get(topic)?.get(partition)
  }

  /** It had members that subscribed, and has none. */
  get isAbandoned(): boolean {
    return this.protocolType === 'consumer' && (this.state === 'Empty' || this.state === 'Dead')
  }

  /** @param expected how many partitions of the topic there will be, as far as is known */
  addPair(topic: string, partition: number, settings: PairSettings, expected?: number): PairState {
    let partitions = this.topics.get(topic)
    if (!partitions) this.topics.set(topic, (partitions = new Map()))
    const pair = new PairState(topic, partition, settings, this.windows.take(expected))
    partitions.set(partition, pair)
    return pair
  }

  /** Forgets what it has on a topic, or on those of its partitions that `isGone` names. @returns how many */
  removePairs(topic: string, isGone: (partition: number) => boolean = () => true): number {
    const partitions = this.topics.get(topic)
    let removed = 0
    for (const [partition, { place }] of partitions ?? []) {
      if (!isGone(partition)) continue
      partitions!.delete(partition)
      this.windows.giveBack(place)
      removed++
    }
    if (partitions?.size === 0) this.topics.delete(topic)
    return removed
  }

  observe(at: number, { state, type, protocolType, coordinator, description }: SampledGroup): void {
    if (this.state !== undefined && state !== undefined && this.state !== state && isRebalancing(state)) {
      this.mark(at, 'rebalance', { name: 'mark.rebalances', values: { state } })
    }
    this.state = state ?? description?.state
    this.type = type ?? description?.type
    this.protocolType = protocolType
    this.coordinator = coordinator
    if (description && description !== this.description) this.#describe(at, description)
  }

  /** Whether a topic was unsubscribed from, by what is known so far. */
  isGivenUp(topic: string): boolean {
    const outside = this.outside.get(topic)
    return outside !== undefined && outside !== 'moves'
  }

  /**
   * Whether the group reads a topic no more on which it has commits: its members, at rest, are all assigned others, and the commits stand still.
   * They may read by `assign` beside their subscription, so a topic whose commits move is read.
   */
  hasGivenUp(topic: string, commits: SampledPartitions): boolean {
    if (this.#assigned?.has(topic)) {
      this.outside.delete(topic)
      return false
    }
    const before = this.outside.get(topic)
    if (before === 'moves') return false
    if (before) {
      const moves = [...commits].some(([partition, offset]) => (before.get(partition) ?? offset) !== offset)
      if (moves) this.outside.set(topic, 'moves')
      return !moves
    }
    // While nobody is assigned anything (empty, rebalancing), nothing is given up.
    if (!this.#assigned) return false
    this.outside.set(topic, new Map(commits))
    return true
  }

  owner(topic: string, partition: number): Owner {
    if (!this.description) return 'unknown'
    const member = this.#owners.get(topic)?.get(partition)
    return member ? { memberId: member.memberId, clientId: member.clientId, host: member.host } : 'nobody'
  }

  mark(at: number, kind: Mark['kind'], ...sentences: readonly Sentence[]): void {
    if (this.marks.length === MOST_MARKS) this.marks.shift()
    this.marks.push({ at, kind, text: inEnglish(sentences), sentences })
  }

  pushTrend(totalLag: number): void {
    if (this.trend.length === TREND_LENGTH) this.trend.shift()
    this.trend.push(totalLag)
  }

  /** @returns whether it changed */
  setStatus(at: number, status: GroupStatus, evidence: readonly Sentence[]): boolean {
    if (this.status === status) return false
    const before = this.status
    this.status = status
    this.since = at
    if (before !== 'UNKNOWN') this.mark(at, 'status', { name: 'mark.status', values: { before, status } }, ...evidence)
    return before !== 'UNKNOWN'
  }

  #describe(at: number, description: GroupDescription): void {
    const owners: Owners = new Map()
    for (const member of description.members) {
      for (const { topic, partition } of member.assignment) {
        let partitions = owners.get(topic)
        if (!partitions) owners.set(topic, (partitions = new Map()))
        partitions.set(partition, member)
      }
    }
    if (this.description && haveMoved(this.#owners, owners))
      this.mark(at, 'rebalance', { name: 'mark.assigned', values: { members: description.members.length } })
    this.description = description
    this.#owners = owners
    this.#assigned = description.state === 'Stable' && owners.size > 0 ? new Set(owners.keys()) : undefined
  }
}

function isRebalancing(state: string): boolean {
  return ['PreparingRebalance', 'Assigning', 'Reconciling'].includes(state)
}

function haveMoved(before: Owners, now: Owners): boolean {
  if (before.size !== now.size) return true
  for (const [topic, partitions] of now) {
    const own = before.get(topic)
    if (own?.size !== partitions.size) return true
    for (const [partition, { memberId }] of partitions) if (own.get(partition)?.memberId !== memberId) return true
  }
  return false
}
