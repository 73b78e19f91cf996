/** The pipeline's view of the real consumer. Adds nothing but the translation, and a wakeup that is no error. */
import { Consumer } from '../client/consumer/consumer.ts'
import type { Metric } from '../client/consumer/consumer-metrics.ts'
import type { PropertyBag } from '../client/config.ts'
import { AbortedError } from '../client/errors.ts'
import type { ClientSeams } from '../client/seams.ts'
import { TopicPartitionMap, type TopicPartition } from '../protocol/records/topic-partition.ts'
import type { ApplicationConf } from './conf.ts'
import { MissingTopics, withoutMissingTopics } from './missing-topics.ts'
import { Rebalances } from './rebalances.ts'
import type { AssignmentListener, CallLimits, ConsumerPort, PartitionOffset, PolledPartition } from './consumer-port.ts'

export class KafkaPort implements ConsumerPort {
  readonly #consumer: Consumer
  readonly #topics: readonly string[] | RegExp
  #polling: AbortController | undefined
  #isWoken = false
  readonly #missing: MissingTopics
  readonly rebalances: Rebalances

  constructor(
    { topics, topicsPattern }: ApplicationConf,
    properties: PropertyBag,
    seams: ClientSeams,
    onMissingTopics: (topics: readonly string[]) => void = () => {},
  ) {
    this.#topics = topicsPattern === undefined ? topics : new RegExp(topicsPattern)
    this.#consumer = new Consumer(properties, { ...seams, logger: withoutMissingTopics(seams.logger) })
    this.rebalances = new Rebalances(seams.clock, seams.logger, () => this.generation())
    this.#missing = new MissingTopics(this.#consumer, seams.clock, onMissingTopics)
  }

  get config(): Consumer['config'] {
    return this.#consumer.config
  }

  clusterId(options: { timeoutMs: number; signal: AbortSignal }): Promise<string | undefined> {
    return this.#consumer.clusterId(options)
  }

  subscribe(unheard: AssignmentListener): void {
    const listener = this.rebalances.heard(unheard)
    this.#consumer.subscribe(this.#topics, {
      onPartitionsAssigned: (partitions) => listener.assigned(partitions),
      onPartitionsRevoked: (partitions) => listener.revoked(partitions),
      onPartitionsLost: (partitions) => listener.lost(partitions),
    })
  }

  /** Ended by a signal of its own and not by the consumer's `wakeup`, which would stay for the next call and fail that one. */
  async poll(timeoutMs: number): Promise<readonly PolledPartition[]> {
    const polling = new AbortController()
    this.#polling = polling
    try {
      await this.#missing.look(polling.signal)
      const records = await this.#consumer.poll(this.#isWoken ? 0 : timeoutMs, { signal: polling.signal })
      return records
        .groups()
        .map(({ topicPartition, records, next }) => ({ topicPartition, records, next: next.offset }))
    } catch (error) {
      if (error instanceof AbortedError && polling.signal.aborted) return []
      throw error
    } finally {
      this.#polling = undefined
      this.#isWoken = false
    }
  }

  /** Where reading stands, without waiting. */
  progress(topicPartition: TopicPartition): { position: number; end: number | undefined } | undefined {
    return this.#consumer.progress(topicPartition)
  }

  /** Java's metrics that have a value. */
  metrics(): Metric[] {
    return [...this.#consumer.metrics().values()].filter(({ value }) => !Number.isNaN(value))
  }

  wakeup(): void {
    if (this.#polling) this.#polling.abort()
    else this.#isWoken = true
  }

  seek(topicPartition: TopicPartition, offset: number): void {
    this.#consumer.seek(topicPartition, offset)
  }

  pause(topicPartitions: readonly TopicPartition[]): void {
    this.#consumer.pause(topicPartitions)
  }

  resume(topicPartitions: readonly TopicPartition[]): void {
    this.#consumer.resume(topicPartitions)
  }

  async committed(
    topicPartitions: readonly TopicPartition[],
    limits: CallLimits,
  ): Promise<readonly (number | undefined)[]> {
    const found = await this.#consumer.committed(topicPartitions, limits)
    return topicPartitions.map((topicPartition) => found.get(topicPartition)?.offset)
  }

  async logBounds(
    topicPartitions: readonly TopicPartition[],
    limits: CallLimits,
  ): Promise<readonly { start: number; end: number }[]> {
    const starts = await this.#consumer.beginningOffsets(topicPartitions, limits)
    const ends = await this.#consumer.endOffsets(topicPartitions, limits)
    return topicPartitions.map((topicPartition) => ({
      start: starts.get(topicPartition) ?? 0,
      end: ends.get(topicPartition) ?? 0,
    }))
  }

  async learnTopicIds(topics: readonly string[], limits: CallLimits): Promise<void> {
    for (const topic of topics) {
      if (this.#consumer.topicId(topic) === undefined) await this.#consumer.partitionsFor(topic, limits)
    }
  }

  /** The name stands in on brokers before 2.8, which have no topic ids: a recreated topic then looks like the old one. */
  topicId(topic: string): string {
    return this.#consumer.topicId(topic) ?? topic
  }

  isMissing(topic: string): boolean {
    return this.#consumer.missingTopics().includes(topic)
  }

  generation(): number {
    return this.groupMetadata().generationId
  }

  /** For offsets that a transaction commits. */
  groupMetadata(): ReturnType<Consumer['groupMetadata']> {
    return this.#consumer.groupMetadata()
  }

  commitSync(offsets: readonly PartitionOffset[], limits: CallLimits): Promise<void> {
    return this.#consumer.commitSync(entriesOf(offsets), limits)
  }

  commitAsync(offsets: readonly PartitionOffset[], done: (error: Error | undefined) => void): void {
    this.#consumer.commitAsync(entriesOf(offsets), (_offsets, error) => done(error ?? undefined))
  }

  close(timeoutMs: number): Promise<void> {
    return this.#consumer.close({ timeoutMs })
  }
}

function entriesOf(offsets: readonly PartitionOffset[]): TopicPartitionMap<{ offset: number }> {
  return new TopicPartitionMap(offsets.map(({ topicPartition, offset }) => [topicPartition, { offset }]))
}
