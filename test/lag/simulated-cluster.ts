/**
 * A cluster that a test moves as it likes: topics with logs, groups with commits, brokers that lie. What a collector would see of it at a moment is
 * `sample()`; `watch()` has it judged, sample after sample, under a clock of the test's own.
 */
import type { GroupDescription } from '../../src/client/admin/index.ts'
import type { ClusterSample, Collector, SampledGroup, SampledTopic, SeenCommit } from '../../src/lag/cluster-sample.ts'
import { ClusterMonitor, type ClusterMonitorSettings, type Sampled } from '../../src/lag/cluster-monitor.ts'
import type { Clock } from '../../src/seams/clock.ts'
import { silentLogger } from '../../src/seams/logger.ts'

export const START = 1_700_000_000_000
export const INTERVAL = 10_000

export class SimulatedClock implements Clock {
  #now = START
  #monotonic = 0

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#monotonic
  }

  advance(ms: number): void {
    this.#now += ms
    this.#monotonic += ms
  }

  /** Somebody sets the system's clock. */
  jump(ms: number): void {
    this.#now += ms
  }

  setTimer(): never {
    throw new Error('nothing waits in a simulated cluster')
  }

  sleep(): Promise<void> {
    return Promise.resolve()
  }

  yield(): Promise<void> {
    return Promise.resolve()
  }
}

export interface SimulatedLog {
  end: number | undefined
  lastStable?: number
  logStart?: number
  leaderEpoch?: number
}

export class SimulatedGroup {
  state = 'Stable'
  type = 'classic'
  commits: Map<string, Map<number, number>> | undefined = new Map()
  /** Who is assigned what; nobody is an empty group. */
  members: Record<string, readonly (readonly [topic: string, partition: number])[]> = {}

  commit(topic: string, partition: number, offset: number): this {
    this.commits ??= new Map()
    const partitions = this.commits.get(topic) ?? new Map<number, number>()
    this.commits.set(topic, partitions.set(partition, offset))
    return this
  }

  assign(memberId: string, ...partitions: (readonly [topic: string, partition: number])[]): this {
    this.members[memberId] = partitions
    return this
  }

  leave(): this {
    this.members = {}
    this.state = 'Empty'
    return this
  }

  sampled(groupId: string): SampledGroup {
    const { state, type, commits } = this
    return {
      groupId,
      state,
      type,
      protocolType: 'consumer',
      coordinator: 1,
      description: this.#description(groupId),
      commits: commits && new Map([...commits].map(([topic, all]) => [topic, new Map(all)])),
    }
  }

  #description(groupId: string): GroupDescription {
    return {
      groupId,
      state: this.state,
      type: 'classic',
      protocolType: 'consumer',
      assignor: 'range',
      coordinator: 1,
      members: Object.entries(this.members).map(([memberId, partitions]) => ({
        memberId,
        groupInstanceId: undefined,
        clientId: `client-${memberId}`,
        host: '/10.0.0.1',
        assignment: partitions.map(([topic, partition]) => ({ topic, partition })),
      })),
    }
  }
}

export class SimulatedCluster implements Collector {
  readonly clock = new SimulatedClock()
  readonly topics = new Map<string, { topicId: string; logs: SimulatedLog[] }>()
  readonly groups = new Map<string, SimulatedGroup>()
  isWhole = true
  readonly seen: SeenCommit[] = []
  seesEveryCommit = false
  spanMs = 20
  failure: Error | undefined
  problems: readonly string[] = []
  missingRights: readonly string[] = []

  topic(name: string, ends: readonly number[], topicId = `${name}-id`): SimulatedLog[] {
    const logs = ends.map((end) => ({ end, logStart: 0 }))
    this.topics.set(name, { topicId, logs })
    return logs
  }

  group(groupId: string): SimulatedGroup {
    const group = new SimulatedGroup()
    this.groups.set(groupId, group)
    return group
  }

  sample(): Promise<ClusterSample> {
    if (this.failure) return Promise.reject(this.failure)
    const topics = new Map<string, SampledTopic>()
    for (const [topic, { topicId, logs }] of this.topics) {
      const sampled = logs.map(({ end, lastStable, logStart, leaderEpoch = 0 }, partition) => {
        return { partition, leader: 1, leaderEpoch, end, lastStable: lastStable ?? end, logStart }
      })
      topics.set(topic, { topic, topicId, isInternal: false, logs: sampled })
    }
    const committed = [...this.groups.values()].flatMap(({ commits }) => [...(commits?.keys() ?? [])])
    return Promise.resolve({
      at: this.clock.now(),
      spanMs: this.spanMs,
      groups: new Map([...this.groups].map(([groupId, group]) => [groupId, group.sampled(groupId)])),
      seen: this.seen.splice(0),
      seesEveryCommit: this.seesEveryCommit,
      isWhole: this.isWhole,
      topics,
      missingTopics: new Set(committed.filter((topic) => !this.topics.has(topic))),
      clusterId: 'simulated',
      brokers: 1,
      groupsLeftOut: 0,
      problems: this.problems,
      missingRights: this.missingRights,
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  watch(over: Partial<ClusterMonitorSettings> = {}): Watched {
    const settings: ClusterMonitorSettings = {
      name: 'local',
      servers: '127.0.0.1:9092',
      ruleSet: 'sluice',
      intervals: 10,
      minDistanceMs: 0,
      maxPairs: 100_000,
      allowedLag: () => 0,
      readsCommitted: () => false,
      minimumComplete: 0,
      minimumSamples: 5,
      sampleIntervalMs: INTERVAL,
      ...over,
    }
    return new Watched(this, new ClusterMonitor(settings, this, { clock: this.clock, logger: silentLogger }))
  }
}

export class Watched {
  readonly cluster: SimulatedCluster
  readonly monitor: ClusterMonitor

  constructor(cluster: SimulatedCluster, monitor: ClusterMonitor) {
    this.cluster = cluster
    this.monitor = monitor
  }

  /** One sample now; then the clock stands at the next. */
  async tick(): Promise<Sampled> {
    const sampled = await this.monitor.sample()
    this.cluster.clock.advance(INTERVAL)
    return sampled
  }

  /** So many samples, `change` before each. */
  async ticks(count: number, change: (index: number) => void = () => {}): Promise<void> {
    for (let index = 0; index < count; index++) {
      change(index)
      await this.tick()
    }
  }

  group(groupId: string) {
    const group = this.monitor.state.groups.get(groupId)
    if (!group) throw new Error(`${groupId} is not watched`)
    return group
  }

  pair(groupId: string, topic: string, partition = 0) {
    const pair = this.group(groupId).pair(topic, partition)
    if (!pair) throw new Error(`${groupId} has nothing on ${topic}-${partition}`)
    return pair
  }
}
