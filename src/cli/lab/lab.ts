/**
 * What experiments are made with: topics and groups of their own, records, child processes, and the outcome. Whatever it
 * creates, `close` takes away again: on a real cluster nothing stays behind.
 */
import { Admin } from '../../client/admin/admin.ts'
import { Consumer } from '../../client/consumer/consumer.ts'
import { Producer } from '../../client/producer/producer.ts'
import type { ProducerRecord, RecordMetadata } from '../../client/producer/record.ts'
import { topicPartitionKey, type TopicPartition } from '../../protocol/records/topic-partition.ts'
import { type Clock, systemClock } from '../../seams/clock.ts'
import { type Random, systemRandom } from '../../seams/random.ts'
import type { Role, RoleOptions } from './children/index.ts'
import type { LabSettings } from './experiment.ts'
import { LabChild } from './lab-child.ts'
import { LabMonitor } from './lab-monitor.ts'
import { type Outcome, Tally } from './tally.ts'

const LOOK_AGAIN_MS = 25
const TICK_MS = 100

export class Lab {
  readonly bootstrapServers: string
  readonly settings: LabSettings
  readonly admin: Admin
  readonly clock: Clock = systemClock
  readonly outcomes: Outcome[] = []
  readonly #print: (line: string) => void
  readonly #suffix: string
  readonly #children: LabChild[] = []
  readonly #topics: string[] = []
  readonly #groups: string[] = []
  readonly #ends: (() => Promise<void>)[] = []

  constructor(
    bootstrapServers: string,
    settings: LabSettings,
    print: (line: string) => void,
    random: Random = systemRandom,
  ) {
    this.bootstrapServers = bootstrapServers
    this.settings = settings
    this.#print = print
    this.#suffix = random.uuid().slice(0, 6)
    this.admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  }

  /** A step, in plain words. */
  say(text: string): void {
    this.#print(text)
  }

  async topic(name: string, partitions = 1): Promise<string> {
    const topic = `${name}-${this.#suffix}`
    this.#topics.push(topic)
    await this.admin.createTopics([{ name: topic, partitions, replicationFactor: 1 }])
    this.say(`Topic ${topic} has ${partitions} partition${partitions === 1 ? '' : 's'}.`)
    return topic
  }

  group(name: string): string {
    const group = `${name}-${this.#suffix}`
    this.#groups.push(group)
    return group
  }

  /** `count` records, `record 0` and so on, the partitions in turn. */
  async produce(topic: string, count: number, { partitions = 1, from = 0 } = {}): Promise<void> {
    const records = Array.from({ length: count }, (_, index) => ({
      topic,
      partition: (from + index) % partitions,
      value: `record ${from + index}`,
    }))
    await this.send(records)
    this.say(count === 1 ? '1 record is produced.' : `${count} records are produced.`)
  }

  async send(records: readonly ProducerRecord[]): Promise<RecordMetadata[]> {
    const producer = new Producer({ 'bootstrap.servers': this.bootstrapServers })
    try {
      return [...(await producer.sendBatch(records))]
    } finally {
      await producer.close()
    }
  }

  /** Starts a child process in one of the roles of children/. What it handles is counted by `tally`. */
  child<R extends Role>(
    name: string,
    role: R,
    options: Omit<RoleOptions<R>, 'bootstrapServers'>,
    tally?: Tally,
  ): LabChild {
    const child = new LabChild(
      name,
      role,
      { bootstrapServers: this.bootstrapServers, ...options },
      {
        said: (from, text) => this.say(`  ${from}: ${text}`),
        handled: (record) => tally?.add(record),
      },
    )
    this.#children.push(child)
    return child
  }

  /** Writes `perTick` records every 100 ms, until it is told to end; answers how many they were. */
  producing(topic: string, perTick: number): () => Promise<number> {
    const producer = new Producer({ 'bootstrap.servers': this.bootstrapServers, 'linger.ms': 0 })
    const stop = new AbortController()
    let count = 0
    const loop = (async () => {
      while (!stop.signal.aborted) {
        const records = Array.from({ length: perTick }, () => ({ topic, partition: 0, value: `record ${count++}` }))
        await producer.sendBatch(records)
        await this.clock.sleep(TICK_MS, stop.signal)
      }
    })()
    // Whoever ends it hears of a failure.
    loop.catch(() => {})
    const end = async () => {
      stop.abort()
      try {
        await loop
      } finally {
        await producer.close()
      }
      return count
    }
    this.#ends.push(async () => void (await end().catch(() => {})))
    return end
  }

  /** Watches a group from outside, from now on. */
  monitor(group: string): LabMonitor {
    const monitor = new LabMonitor(this.bootstrapServers, group)
    this.#ends.push(() => monitor.stop())
    return monitor
  }

  /** Every record of a topic, read without a group. */
  async readAll(
    topic: string,
  ): Promise<{ partition: number; offset: number; key: string | null; value: string | null }[]> {
    const { partitions } = (await this.admin.describeTopics([topic])).get(topic)
    const all: TopicPartition[] = partitions.map(({ partition }) => ({ topic, partition }))
    const consumer = new Consumer({ 'bootstrap.servers': this.bootstrapServers })
    try {
      consumer.assign(all)
      consumer.seekToBeginning(all)
      const ends = await consumer.endOffsets(all)
      const found = []
      for (const tp of all) {
        while ((await consumer.position(tp)) < (ends.get(tp) ?? 0)) {
          for (const record of await consumer.poll(1000)) {
            const { partition, offset } = record
            found.push({ partition, offset, key: record.keyText(), value: record.valueText() })
          }
        }
      }
      return found
    } finally {
      await consumer.close()
    }
  }

  /** What a group has committed for a topic, over all partitions. */
  async committed(group: string, topic: string): Promise<number> {
    let sum = 0
    for (const [tp, { offset }] of (await this.admin.listGroupOffsets(group)).entries()) {
      if (tp.topic === topic) sum += offset
    }
    return sum
  }

  /** A group's lag, partition by partition, as it is seen from outside: the log's end less the commit. */
  async lag(
    group: string,
    topic: string,
  ): Promise<{ partition: number; committed: number; end: number; lag: number }[]> {
    // Commits first: read the other way round, a busy group could seem to be ahead of the log.
    const commits = await this.admin.listGroupOffsets(group)
    const { partitions } = (await this.admin.describeTopics([topic])).get(topic)
    const all = partitions.map(({ partition }) => ({ topic, partition }))
    const ends = await this.admin.listOffsets(all.map((tp) => [tp, 'latest'] as const))
    return all.map((tp) => {
      const committed = commits.get(tp)?.offset ?? 0
      const end = ends.get(topicPartitionKey(tp)).offset
      return { partition: tp.partition, committed, end, lag: end - committed }
    })
  }

  /** Looks again and again until `condition` holds: for what only the cluster knows. */
  async until(condition: () => Promise<boolean>): Promise<void> {
    while (!(await condition())) await this.clock.sleep(LOOK_AGAIN_MS)
  }

  /** Adds a row to the table at the end. */
  async conclude(
    way: string,
    produced: number,
    tally: Tally,
    group?: { group: string; topic: string },
  ): Promise<Outcome> {
    const committed = group && (await this.committed(group.group, group.topic))
    const outcome = tally.outcome(way, produced, committed)
    this.outcomes.push(outcome)
    return outcome
  }

  /** Ends what still runs and deletes what was made. */
  async close(): Promise<void> {
    await Promise.all([...this.#children.map((child) => child.kill('SIGKILL')), ...this.#ends.map((end) => end())])
    try {
      if (this.#topics.length > 0) await this.admin.deleteTopics(this.#topics)
      await this.#deleteGroups()
    } finally {
      await this.admin.close()
    }
  }

  /** A group whose member was killed is not empty until the session of the dead is over. It then expires by itself. */
  async #deleteGroups(): Promise<void> {
    for (const group of this.#groups) await this.admin.deleteGroups([group]).catch(() => {})
  }
}
