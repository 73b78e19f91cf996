/**
 * The smallest runner that keeps the sink contract: one owner that reads a made-up log into one sink. The conformance
 * suite starts several, stops them where it likes, and looks at what they leave. The real runner is src/app.
 *
 * `SinkWorld` is what outlives owners: the log, Kafka's commits, and what any owner was ever told is durable.
 */
import assert from 'node:assert/strict'
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { recordOf } from '../protocol/records/record-of.ts'
import { type TopicPartition, TopicPartitionMap, topicPartitionKey } from '../protocol/records/topic-partition.ts'
import { systemClock } from '../seams/clock.ts'
import { type Disk, systemDisk } from '../seams/disk.ts'
import { silentLogger } from '../seams/logger.ts'
import { type Random, seededRandom, systemRandom } from '../seams/random.ts'
import { type Sink, type SinkContext, SinkFencedError, SinkRecordError, SinkUnavailableError } from '../sinks/sink.ts'
import { type StepHook, steppingDisk, type SteppingDisk } from './stepping-disk.ts'

/** Records in the log that child processes read. */
export const CHILD_RECORDS = 3000

export interface PartitionLog {
  readonly topicPartition: TopicPartition
  readonly records: readonly ConsumerRecord[]
  readonly end: number
}

/**
 * `{"id": offset, "partition": …, "text": …}` at the offsets of a log with gaps, as compaction and transaction markers leave them.
 * Text holds what formats stumble over.
 */
export function makeLog(
  topicPartition: TopicPartition,
  recordCount: number,
  { values, from = 0 }: { values?: ReadonlyMap<number, string>; from?: number } = {},
): PartitionLog {
  const texts = ['plain', 'a, "quoted" one', 'two\nlines', 'tab\tand\\back\\N', '', 'ä€😀', '\r\n', null]
  const records: ConsumerRecord[] = []
  let offset = from
  for (let index = 0; index < recordCount; index++) {
    if (index % 5 === 3) offset += 2
    const text = texts[index % texts.length]
    const value = values?.get(offset) ?? JSON.stringify({ id: offset, partition: topicPartition.partition, text })
    records.push(
      recordOf({
        ...topicPartition,
        offset,
        key: `key-${topicPartition.partition}-${offset}`,
        value,
        timestamp: 1_700_000_000_000 + offset,
      }),
    )
    offset += 1
  }
  // A transaction marker at the end: the last position is not the last record's offset plus one.
  return { topicPartition, records, end: offset + 1 }
}

export class SinkWorld {
  readonly logs: readonly PartitionLog[]
  readonly disk: Disk
  readonly committed = new TopicPartitionMap<number>()
  readonly durable = new TopicPartitionMap<number>()
  readonly #create: () => Sink
  readonly #owners: SinkOwner[] = []

  constructor(create: () => Sink, logs: readonly PartitionLog[], disk: Disk = systemDisk) {
    this.#create = create
    this.logs = logs
    this.disk = disk
  }

  owner(options: OwnerOptions = {}): SinkOwner {
    const owner = new SinkOwner(this.#create(), this, options)
    this.#owners.push(owner)
    return owner
  }

  /** Lets go of what dead owners hold, as the system does for a dead process. */
  async release(): Promise<void> {
    for (const owner of this.#owners) await owner.release()
  }
}

export interface OwnerOptions {
  /** Asked before and after every call and every operation of the disk. */
  readonly at?: StepHook
  readonly batchRecords?: number
  readonly flushRecords?: number
  readonly seed?: number
  readonly context?: Partial<SinkContext>
  /** How often a call is made again while the store is not available. Default 50. */
  readonly attempts?: number
  /** The store may stand behind what was durable, if not behind Kafka's commit: records are then stored again. */
  readonly mayReadAgain?: boolean
  /** What to do with a record that the sink refuses. Default `stop`. */
  readonly onPoison?: 'stop' | 'skip'
}

export class SinkOwner {
  readonly sink: Sink
  readonly context: SinkContext
  /** Offsets that were left out because the sink refused them. */
  readonly skipped: number[] = []
  readonly #world: SinkWorld
  readonly #options: OwnerOptions
  readonly #random: Random
  readonly #disk: SteppingDisk
  readonly #poison = new Set<string>()
  #released = false

  constructor(sink: Sink, world: SinkWorld, options: OwnerOptions) {
    this.sink = sink
    this.#world = world
    this.#options = options
    this.#random = seededRandom(options.seed ?? 1)
    this.#disk = steppingDisk(world.disk, (step) => this.#at(step))
    this.context = {
      application: 'conformance',
      clusterId: 'cluster-1',
      topicId: (topic) => `id-of-${topic}`,
      consumer: 'consumer-thread-0',
      consumerCount: 1,
      valueType: 'json',
      clock: systemClock,
      random: systemRandom,
      disk: this.#disk,
      logger: silentLogger,
      signal: new AbortController().signal,
      ...options.context,
    }
  }

  /** Reads every log to its end, gives the partitions back and closes. */
  async run(): Promise<void> {
    await this.open()
    for (const log of this.#world.logs) await this.drain(log)
    const partitions = this.#world.logs.map(({ topicPartition }) => topicPartition)
    const positions = await this.#call('revoked', () => this.sink.revoked(partitions, 'revoked'))
    for (const { topicPartition, durable } of positions)
      if (durable !== undefined) this.#stored(topicPartition, durable)
    await this.#call('close', () => this.sink.close())
  }

  async open(): Promise<void> {
    await this.#call('open', () => this.sink.open(this.context))
  }

  /** Answers where this owner begins to read. */
  async assign(topicPartition: TopicPartition): Promise<number> {
    const committed = this.#world.committed.get(topicPartition)
    const known = this.#world.durable.get(topicPartition)
    const [position] = await this.#call('assigned', () =>
      this.sink.assigned([{ topicPartition, committed, generation: 1 }]),
    )
    assert.deepEqual(position?.topicPartition, topicPartition, 'assigned answers for the partition it was asked about')
    const next = position.next ?? committed ?? 0
    const least = (this.#options.mayReadAgain ? committed : known) ?? 0
    assert.ok(next >= least, `${least} was durable, and the store now stands at ${next}`)
    return next
  }

  async drain(log: PartitionLog): Promise<void> {
    for (;;) {
      try {
        await this.write(log, await this.assign(log.topicPartition))
        return
      } catch (error) {
        if (error instanceof SinkRecordError && this.#options.onPoison === 'skip') this.#skip(error)
        else if (!(error instanceof SinkFencedError)) throw error
      }
    }
  }

  /** Writes and flushes from `position` to the log's end. */
  async write(log: PartitionLog, position: number): Promise<void> {
    const { topicPartition } = log
    const { batchRecords = 3, flushRecords = 5 } = this.#options
    let unflushed = 0
    while (position < log.end) {
      const { next, records } = this.#cut(log, position, batchRecords)
      const flushDue = await this.#writeBatch(topicPartition, position, next, records)
      position = next
      unflushed += records.length
      if (flushDue || unflushed >= flushRecords || position === log.end) {
        await this.flush(topicPartition, position)
        unflushed = 0
      }
    }
  }

  async #writeBatch(
    topicPartition: TopicPartition,
    first: number,
    next: number,
    all: readonly ConsumerRecord[],
  ): Promise<boolean> {
    for (;;) {
      const records = all.filter(({ offset }) => !this.#poison.has(`${topicPartitionKey(topicPartition)}@${offset}`))
      const values = records.map((record) => JSON.parse(record.valueText() ?? 'null') as unknown)
      const batch = { topicPartition, first, next, records, values }
      try {
        return (await this.#call('write', () => this.sink.write(batch))).flushDue
      } catch (error) {
        if (!(error instanceof SinkRecordError) || this.#options.onPoison !== 'skip') throw error
        this.#skip(error)
      }
    }
  }

  #skip(error: SinkRecordError): void {
    const key = `${topicPartitionKey(error)}@${error.offset}`
    assert.ok(!this.#poison.has(key), `offset ${error.offset} was left out and refused again`)
    this.#poison.add(key)
    this.skipped.push(error.offset)
  }

  async flush(topicPartition: TopicPartition, next: number): Promise<number> {
    const { durable } = await this.#call('flush', () => this.sink.flush(topicPartition, next, this.context.signal))
    assert.ok(durable <= next, `flush to ${next} answered ${durable}`)
    this.#stored(topicPartition, durable)
    return durable
  }

  /** As a real consumer: the position moves over a gap with the batch before it, or by itself. */
  #cut(log: PartitionLog, position: number, count: number): { next: number; records: readonly ConsumerRecord[] } {
    const coming = log.records.filter(({ offset }) => offset >= position)
    const first = coming[0]
    if (first && first.offset > position && this.#random.next() < 0.5) return { next: first.offset, records: [] }
    const records = coming.slice(0, count)
    const following = coming[count]
    if (!following) return { next: log.end, records }
    return { next: this.#random.next() < 0.5 ? following.offset : records.at(-1)!.offset + 1, records }
  }

  #stored(topicPartition: TopicPartition, durable: number): void {
    const known = Math.max(this.#world.durable.get(topicPartition) ?? 0, durable)
    this.#world.durable.set(topicPartition, known)
    this.#world.committed.set(topicPartition, durable)
  }

  async #call<T>(name: string, call: () => Promise<T>): Promise<T> {
    const { attempts = 50 } = this.#options
    for (let attempt = 1; ; attempt++) {
      await this.#at(`before ${name}`)
      try {
        const result = await call()
        await this.#at(`after ${name}`)
        return result
      } catch (error) {
        if (!(error instanceof SinkUnavailableError) || attempt === attempts) throw error
        await systemClock.sleep(1)
      }
    }
  }

  async #at(step: string): Promise<void> {
    if (!this.#released) await this.#options.at?.(step)
  }

  async release(): Promise<void> {
    this.#released = true
    await this.#disk.release()
    await this.sink.close().catch(() => {})
  }
}
