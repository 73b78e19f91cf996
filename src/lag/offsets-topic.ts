/**
 * Reads `__consumer_offsets`, all partitions, from the beginning and for good, with a consumer without a group. A watchdog looks at each partition by
 * itself: one that has records and is not read any more is said, and its reader is made anew. Groups of a partition that has not been read to
 * its end are not judged: half of the commits would be a lie.
 */
import type { Admin } from '../client/admin/index.ts'
import { Consumer } from '../client/consumer/index.ts'
import { topicPartitionKey, type ClientSeams, type PropertyBag } from '../client/index.ts'
import type { CallOptions, GroupSource, SampledGroups } from './cluster-sample.ts'
import { OffsetsLog } from './offsets-log.ts'
import type { MissingRights, Problems } from './sample-problems.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'

export interface OffsetsTopicSettings {
  readonly wantsGroup: (groupId: string) => boolean
  readonly maxGroups: number
  /** A partition with records that stands still for so long is read anew. */
  readonly stalledAfterMs: number
}

interface Home {
  position: number
  movedAt: number
  /** It was read to what was its end at some moment. */
  isKnown: boolean
}

const RETRY_MS = 1000

export class OffsetsTopic implements GroupSource {
  readonly log: OffsetsLog
  readonly #admin: Admin
  readonly #properties: PropertyBag
  readonly #seams: ClientSeams
  readonly #settings: OffsetsTopicSettings
  readonly #homes = new Map<number, Home>()
  readonly #closing = new AbortController()
  #consumer: Consumer | undefined
  #reading: Promise<void> | undefined
  #failure: Error | undefined
  /** Partitions whose reader is to be made anew. */
  #isStale = false
  restarts = 0

  constructor(admin: Admin, properties: PropertyBag, seams: ClientSeams, settings: OffsetsTopicSettings) {
    this.#admin = admin
    this.#properties = properties
    this.#seams = seams
    this.#settings = settings
    this.log = new OffsetsLog(settings.wantsGroup)
  }

  async read(options: CallOptions, problems: Problems, rights: MissingRights): Promise<SampledGroups> {
    this.#reading ??= this.#read()
    await this.#watch(options, problems)
    if (this.#failure && !rights.note(this.#failure, `Read on Topic ${OFFSETS_TOPIC}`))
      problems.add(`Reading ${OFFSETS_TOPIC}`, this.#failure)
    if (this.log.unreadable > 0) {
      problems.add(`Reading ${OFFSETS_TOPIC}`, new Error(`${this.log.unreadable} records could not be decoded`))
    }
    const began = this.#seams.clock.monotonic()
    const names = this.#admin.topicNames()
    const all = this.log.sampled(
      (topicId) => names.get(topicId),
      (home) => this.isKnown(home),
    )
    const groups = new Map([...all].slice(0, this.#settings.maxGroups))
    const isWhole = this.#homes.size > 0 && [...this.#homes.values()].every(({ isKnown }) => isKnown)
    return { groups, seen: this.log.takeSeen(), seesEveryCommit: true, isWhole, leftOut: all.size - groups.size, began }
  }

  /** Whether a partition of the topic has been read to its end. */
  isKnown(home: number): boolean {
    return this.#homes.get(home)?.isKnown ?? false
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#consumer?.wakeup()
    await this.#reading
  }

  /** Everything is read once more: what was read cannot be trusted. */
  restart(): void {
    this.#isStale = true
    this.restarts++
    this.#consumer?.wakeup()
  }

  async #read(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      const consumer = this.#open()
      this.#consumer = consumer
      try {
        await this.#follow(consumer)
        this.#failure = undefined
      } catch (error) {
        if (!signal.aborted && !this.#isStale) this.#failure = error as Error
      }
      await consumer.close(0).catch(() => {})
      this.#isStale = false
      if (this.#failure) await this.#seams.clock.sleep(RETRY_MS, signal)
    }
  }

  #open(): Consumer {
    const more = {
      'group.id': undefined,
      'enable.auto.commit': false,
      'auto.offset.reset': 'earliest',
      // Commits of transactions that were aborted are no commits.
      'isolation.level': 'read_committed',
    }
    return new Consumer({ ...this.#properties, ...more }, this.#seams)
  }

  async #follow(consumer: Consumer): Promise<void> {
    const partitions = (await consumer.partitionsFor(OFFSETS_TOPIC)).map(({ partition }) => ({
      topic: OFFSETS_TOPIC,
      partition,
    }))
    if (partitions.length === 0) throw new Error(`there is no topic ${OFFSETS_TOPIC} yet`)
    consumer.assign(partitions)
    consumer.seekToBeginning(partitions)
    const { clock } = this.#seams
    for (const { partition } of partitions) {
      this.log.forget(partition)
      this.#homes.set(partition, { position: 0, movedAt: clock.monotonic(), isKnown: false })
    }
    while (!this.#closing.signal.aborted && !this.#isStale) {
      const records = await consumer.poll(500)
      const now = clock.now()
      for (const { partition, key, value } of records) this.log.apply(partition, key, value, now)
      for (const one of partitions) {
        const home = this.#homes.get(one.partition)!
        const position = await consumer.position(one)
        if (position === home.position) continue
        home.position = position
        home.movedAt = clock.monotonic()
      }
      this.#failure = undefined
    }
  }

  /** Compares, partition by partition, how far was read with how far there is something. */
  async #watch(options: CallOptions, problems: Problems): Promise<void> {
    if (this.#homes.size === 0) return
    const wanted = [...this.#homes.keys()].map((partition) => [{ topic: OFFSETS_TOPIC, partition }, 'latest'] as const)
    const ends = await this.#admin.listOffsets(wanted, { ...options, isolationLevel: 'read_committed' })
    for (const error of ends.failures.values()) problems.add(`Finding the end of ${OFFSETS_TOPIC}`, error)
    const now = this.#seams.clock.monotonic()
    for (const [partition, home] of this.#homes) {
      const end = ends.values.get(topicPartitionKey({ topic: OFFSETS_TOPIC, partition }))?.offset
      if (end === undefined) continue
      if (home.position >= end) {
        home.isKnown = true
        home.movedAt = now
        continue
      }
      if (now - home.movedAt < this.#settings.stalledAfterMs) continue
      const text = `partition ${partition} has stood at offset ${home.position} for ${Math.round((now - home.movedAt) / 1000)} s, and ends at ${end}: it is read anew`
      problems.add(`Reading ${OFFSETS_TOPIC}`, new Error(text))
      home.movedAt = now
      home.isKnown = false
      this.restart()
    }
  }
}

/** How often the two must disagree about the same commit before one is not believed. */
const TELLINGS_BELIEVED = 3

/**
 * Both ways at once. What the coordinators say holds; `__consumer_offsets` adds every commit and its time. A commit on which the two disagree several
 * times in a row, while neither moves, means that a partition of the topic is not read rightly: it is said, and read anew.
 */
export class CheckedGroups implements GroupSource {
  readonly #coordinators: GroupSource
  readonly #topic: OffsetsTopic
  readonly #differences = new Map<string, { times: number; told: number; read: number | undefined }>()

  constructor(coordinators: GroupSource, topic: OffsetsTopic) {
    this.#coordinators = coordinators
    this.#topic = topic
  }

  async read(options: CallOptions, problems: Problems, rights: MissingRights): Promise<SampledGroups> {
    const read = await this.#topic.read(options, problems, rights)
    const told = await this.#coordinators.read(options, problems, rights)
    const different = new Set<string>()
    for (const [groupId, { commits }] of told.groups) {
      const home = this.#topic.log.homeOf(groupId)
      if (home !== undefined && !this.#topic.isKnown(home)) continue
      for (const [topic, partitions] of commits ?? []) {
        for (const [partition, offset] of partitions)
          this.#compare(groupId, topic, partition, offset, read.isWhole, different, problems)
      }
    }
    for (const key of this.#differences.keys()) if (!different.has(key)) this.#differences.delete(key)
    return { ...told, seen: read.seen, seesEveryCommit: true }
  }

  async close(): Promise<void> {
    await this.#topic.close()
    await this.#coordinators.close()
  }

  #compare(
    groupId: string,
    topic: string,
    partition: number,
    told: number,
    isWhole: boolean,
    different: Set<string>,
    problems: Problems,
  ): void {
    const read = this.#topic.log.committed(groupId, topic, partition)
    if (read === told || (read === undefined && !isWhole)) return
    const key = `${groupId}\n${topic}\n${partition}`
    const before = this.#differences.get(key)
    const isSame = before?.told === told && before.read === read
    const times = isSame ? before.times + 1 : 1
    different.add(key)
    this.#differences.set(key, { times, told, read })
    if (times < TELLINGS_BELIEVED) return
    const said = read === undefined ? 'no commit' : String(read)
    problems.add(
      'Comparing commits',
      new Error(
        `the coordinator says that ${groupId} stands at ${told} on ${topic}-${partition}, ${OFFSETS_TOPIC} says ${said}: it is read anew`,
      ),
    )
    if (times === TELLINGS_BELIEVED) this.#topic.restart()
  }
}
