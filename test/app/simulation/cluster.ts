/**
 * A topic and a consumer group, as far as a pipeline sees them: logs with gaps, commits, and eager rebalances in which a member
 * holds everybody up until it polls. `expel` takes a member out without its knowing, as a lost session does.
 */
import type {
  AssignmentListener,
  ConsumerPort,
  PartitionOffset,
  PolledPartition,
} from '../../../src/app/consumer-port.ts'
import type { ConsumerRecord } from '../../../src/protocol/records/consumer-record.ts'
import type { TopicPartition } from '../../../src/protocol/records/topic-partition.ts'
import type { Random } from '../../../src/seams/random.ts'
import { SluiceError } from '../../../src/error.ts'
import type { VirtualClock } from './virtual-clock.ts'

export const TOPIC = 'flights'

export function recordAt(
  partition: number,
  offset: number,
  value = `{"offset":${offset}}`,
  key: string | null = `key-${offset % 4}`,
): ConsumerRecord {
  const bytes = Buffer.from(value)
  return {
    topic: TOPIC,
    partition,
    offset,
    timestamp: 0,
    key: key === null ? null : Buffer.from(key),
    value: bytes,
    keyText: () => key,
    valueText: () => value,
    serializedKeySize: key === null ? -1 : key.length,
    serializedValueSize: bytes.length,
    serializedHeadersSize: 0,
    headers: [],
  } as unknown as ConsumerRecord
}

/** Offsets of the records of one partition; `end` is where the log ends. What is missing in between was compacted away. */
export interface SimulatedLog {
  readonly offsets: readonly number[]
  readonly end: number
}

export function logWithGaps(random: Random, length: number): SimulatedLog {
  const offsets: number[] = []
  let offset = Math.floor(random.next() * 5)
  for (let index = 0; index < length; index++) {
    offsets.push(offset)
    offset += random.next() < 0.2 ? 1 + Math.floor(random.next() * 4) : 1
  }
  return { offsets, end: offset }
}

interface Member {
  readonly process: { readonly isDead: boolean }
  readonly id: number
  joined: number
}

export class SimulatedCluster {
  readonly clock: VirtualClock
  readonly random: Random
  readonly logs: readonly SimulatedLog[]
  readonly commits = new Map<number, number>()
  /** Called for every commit that the group accepts. */
  onCommit: (partition: number, offset: number) => void = () => {}
  generation = 0
  #members: Member[] = []
  #ids = 0

  constructor(clock: VirtualClock, random: Random, logs: readonly SimulatedLog[]) {
    this.clock = clock
    this.random = random
    this.logs = logs
  }

  get isStable(): boolean {
    return this.#members.every(({ joined }) => joined === this.generation)
  }

  join(process: Member['process']): Member {
    const member = { process, id: this.#ids++, joined: -1 }
    this.#members.push(member)
    this.generation++
    return member
  }

  expel(member: Member | undefined): void {
    if (!member || !this.#members.includes(member)) return
    this.#members = this.#members.filter((one) => one !== member)
    this.generation++
  }

  knows(member: Member | undefined): boolean {
    return member !== undefined && this.#members.includes(member)
  }

  assignmentOf(member: Member): number[] {
    const index = this.#members.indexOf(member)
    return this.logs.flatMap((_, partition) => (partition % this.#members.length === index ? [partition] : []))
  }

  commit(member: Member | undefined, offsets: readonly PartitionOffset[]): void {
    if (!this.knows(member) || member!.joined < this.generation - 1) {
      throw new SluiceError('SLUICE_COMMIT_FAILED', 'the member is not in the group any more')
    }
    for (const { topicPartition, offset } of offsets) {
      this.commits.set(topicPartition.partition, offset)
      this.onCommit(topicPartition.partition, offset)
    }
  }
}

/** One process's consumer. */
export class SimulatedPort implements ConsumerPort {
  readonly #cluster: SimulatedCluster
  readonly #process: { readonly isDead: boolean }
  readonly #maxPollRecords: number
  readonly #failCommits: number
  #listener: AssignmentListener | undefined
  #positions = new Map<number, number | undefined>()
  #paused = new Set<number>()
  #wake: (() => void) | undefined
  #isWoken = false
  member: ReturnType<SimulatedCluster['join']> | undefined
  #seen = -1

  constructor(
    cluster: SimulatedCluster,
    process: { readonly isDead: boolean },
    { maxPollRecords = 5, failCommits = 0 }: { maxPollRecords?: number; failCommits?: number } = {},
  ) {
    this.#cluster = cluster
    this.#process = process
    this.#maxPollRecords = maxPollRecords
    this.#failCommits = failCommits
  }

  subscribe(listener: AssignmentListener): void {
    this.#listener = listener
  }

  async poll(timeoutMs: number): Promise<readonly PolledPartition[]> {
    await this.#latency()
    await this.#rejoinIfNeeded()
    const polled = this.#fetch()
    if (polled.length > 0 || this.#isWoken) {
      this.#isWoken = false
      return polled
    }
    const woken = Promise.withResolvers<void>()
    this.#wake = woken.resolve
    const timer = this.#cluster.clock.at(timeoutMs, woken.resolve)
    await woken.promise
    timer.cancel()
    this.#isWoken = false
    return this.#alive([])
  }

  wakeup(): void {
    this.#isWoken = true
    this.#wake?.()
  }

  seek({ partition }: TopicPartition, offset: number): void {
    if (!this.#positions.has(partition)) throw new Error(`seek on partition ${partition}, which is not assigned`)
    this.#positions.set(partition, offset)
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const { partition } of partitions) this.#paused.add(partition)
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const { partition } of partitions) this.#paused.delete(partition)
  }

  async committed(partitions: readonly TopicPartition[]): Promise<(number | undefined)[]> {
    await this.#latency()
    return this.#alive(partitions.map(({ partition }) => this.#cluster.commits.get(partition)))
  }

  async logBounds(partitions: readonly TopicPartition[]) {
    await this.#latency()
    return this.#alive(partitions.map(({ partition }) => ({ start: 0, end: this.#cluster.logs[partition]!.end })))
  }

  async learnTopicIds(): Promise<void> {}

  topicId(): string {
    return 'topic-id'
  }

  isMissing(): boolean {
    return false
  }

  generation(): number {
    return this.#seen
  }

  async commitSync(offsets: readonly PartitionOffset[]): Promise<void> {
    await this.#latency()
    if (this.#cluster.random.next() < this.#failCommits)
      throw new SluiceError('X', 'no coordinator', { retriable: true })
    this.#cluster.commit(this.member, offsets)
    await this.#latency()
  }

  commitAsync(offsets: readonly PartitionOffset[], done: (error: Error | undefined) => void): void {
    void this.#commitThen(offsets, done)
  }

  async #commitThen(offsets: readonly PartitionOffset[], done: (error: Error | undefined) => void): Promise<void> {
    let error: Error | undefined
    try {
      await this.commitSync(offsets)
    } catch (cause) {
      error = cause as Error
    }
    done(error)
  }

  async close(): Promise<void> {
    if (this.#cluster.knows(this.member)) {
      await this.#listener?.revoked(this.#owned())
      this.#cluster.expel(this.member)
    } else await this.#listener?.lost(this.#owned())
  }

  #owned(): TopicPartition[] {
    return [...this.#positions.keys()].map((partition) => ({ topic: TOPIC, partition }))
  }

  async #rejoinIfNeeded(): Promise<void> {
    if (this.#cluster.knows(this.member) && this.#seen === this.#cluster.generation) return
    const owned = this.#owned()
    if (owned.length > 0) {
      if (this.#cluster.knows(this.member)) await this.#listener!.revoked(owned)
      else await this.#listener!.lost(owned)
    }
    this.#positions.clear()
    this.#paused.clear()
    if (!this.#cluster.knows(this.member)) this.member = this.#cluster.join(this.#process)
    this.member!.joined = this.#cluster.generation
    while (!this.#cluster.isStable) {
      await this.#cluster.clock.sleep(20)
      await this.#alive(undefined)
      if (!this.#cluster.knows(this.member)) this.member = this.#cluster.join(this.#process)
      this.member!.joined = this.#cluster.generation
    }
    this.#seen = this.#cluster.generation
    const added = this.#cluster.assignmentOf(this.member!)
    for (const partition of added) this.#positions.set(partition, undefined)
    await this.#listener!.assigned(this.#owned())
  }

  #fetch(): PolledPartition[] {
    const polled: PolledPartition[] = []
    for (const [partition, position] of this.#positions) {
      if (this.#paused.has(partition)) continue
      const { offsets, end } = this.#cluster.logs[partition]!
      const from = position ?? this.#cluster.commits.get(partition) ?? 0
      const taken = offsets
        .filter((offset) => offset >= from)
        .slice(0, 1 + Math.floor(this.#cluster.random.next() * this.#maxPollRecords))
      const last = taken.at(-1)
      const next = last === undefined || last === offsets.at(-1) ? end : last + 1
      if (next === from) continue
      this.#positions.set(partition, next)
      const topicPartition = { topic: TOPIC, partition }
      polled.push({ topicPartition, records: taken.map((offset) => recordAt(partition, offset)), next })
    }
    return polled
  }

  async #latency(): Promise<void> {
    await this.#cluster.clock.sleep(this.#cluster.random.next() * 20)
    await this.#alive(undefined)
  }

  /** A dead process's calls never come back. */
  #alive<T>(value: T): Promise<T> {
    return this.#process.isDead ? new Promise<never>(() => {}) : Promise.resolve(value)
  }
}
