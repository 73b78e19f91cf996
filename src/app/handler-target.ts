/** The handler of one consumer where a sink stands otherwise: no store, so Kafka keeps the offsets, and a lane a partition. */
import type { ProducerRecord } from '../client/producer/record.ts'
import { TopicPartitionMap, type TopicPartition } from '../protocol/records/topic-partition.ts'
import type { AssignedPartition, DurablePosition, Opened, SinkPosition } from '../sinks/sink.ts'
import { Concurrency } from './concurrency.ts'
import { DEFAULT_BATCH_RECORDS } from './conf-handler.ts'
import { HandlerLane, type Order, type RetrySettings } from './handler-lane.ts'
import type { LoadedHandler } from './handler-module.ts'
import type { Lane } from './partition-work.ts'
import type { LaneContext } from './lane.ts'
import type { Target } from './target.ts'
import type { ProducerPort } from './producer-port.ts'
import type { HeldOutputs } from './transactional-commits.ts'

export interface HandlerTargetOptions {
  readonly handler: LoadedHandler
  readonly order: Order
  readonly concurrency: number
  readonly batchRecords: number | undefined
  readonly retry: RetrySettings
  readonly application: string
  readonly producer: ProducerPort
  readonly isExactlyOnce: boolean
}

export class HandlerTarget implements Target, HeldOutputs {
  readonly #options: HandlerTargetOptions
  readonly #concurrency: Concurrency
  readonly #lanes = new TopicPartitionMap<HandlerLane>()

  constructor(options: HandlerTargetOptions) {
    this.#options = options
    this.#concurrency = new Concurrency(options.concurrency)
  }

  async open(): Promise<Opened> {
    return { guarantee: this.#options.isExactlyOnce ? 'idempotent' : 'at-least-once' }
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]> {
    return partitions.map(({ topicPartition }) => ({ topicPartition, next: undefined }))
  }

  newLane(topicPartition: TopicPartition, start: number | undefined, context: LaneContext): Lane {
    const { handler, order, batchRecords, retry, application, producer, isExactlyOnce } = this.#options
    const lane = new HandlerLane(topicPartition, start, {
      ...context,
      handler,
      order,
      batchRecords: batchRecords ?? DEFAULT_BATCH_RECORDS,
      retry,
      application,
      concurrency: this.#concurrency,
      send: isExactlyOnce ? undefined : (record, signal) => producer.send(record, signal),
      afterRecord: context.afterFlush,
    })
    this.#lanes.set(topicPartition, lane)
    return lane
  }

  outputsUpTo(topicPartition: TopicPartition, next: number): readonly ProducerRecord[] {
    return this.#lanes.get(topicPartition)?.outputsUpTo(next) ?? []
  }

  forgetOutputs(topicPartition: TopicPartition, next: number): void {
    this.#lanes.get(topicPartition)?.forgetOutputs(next)
  }

  /** What the lanes say is durable is all that is. What they hold of partitions that are revoked is needed for the last commit, which follows. */
  async revoked(
    topicPartitions: readonly TopicPartition[],
    why: 'revoked' | 'lost',
  ): Promise<readonly DurablePosition[]> {
    if (why === 'lost') for (const topicPartition of topicPartitions) this.#lanes.delete(topicPartition)
    return topicPartitions.map((topicPartition) => ({ topicPartition, durable: undefined }))
  }

  async close(): Promise<void> {
    await this.#options.producer.close(0)
  }
}
