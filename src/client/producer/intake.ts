/**
 * Takes the records of one `send` or `sendBatch` into the accumulator: finds the partition, checks the size, waits for metadata and
 * memory. Runs synchronously for as long as nothing has to be waited for; a record costs no promise and no closure.
 *
 * What fails, fails for as many records as it concerns: one that is too large, all of a topic that does not exist, all that are left
 * when the buffer stays full.
 */
import { RecordBatchWriter, type RecordInput } from '../../protocol/records/batch-writer.ts'
import { type Cluster } from '../cluster.ts'
import { type ProducerConfig } from '../config.ts'
import { ClosedError, InvalidArgumentError, RecordTooLargeError, TransactionAbortedError } from '../errors.ts'
import { type Accumulator, aloneBytes } from './accumulator.ts'
import { partitionOfKey, StickyPartition } from './partitioner.ts'
import { type PartitionQueue } from './partition-queue.ts'
import { type Delivery, headersOf, type ProducerRecord } from './record.ts'
import { type Sender } from './sender.ts'
import { type Transactions } from './transactions.ts'

/** What the producer knows of a topic that it sends to. */
export interface TopicState {
  readonly name: string
  metadataVersion: number
  partitionCount: number
  /** Partitions with a leader. */
  available: number[]
  readonly sticky: StickyPartition
  readonly queues: PartitionQueue[]
  lastUsedMs: number
}

/** What all intakes of one producer share. */
export interface IntakeContext {
  readonly cluster: Cluster
  readonly config: ProducerConfig
  readonly accumulator: Accumulator
  readonly sender: Sender
  readonly transactions: Transactions | undefined
  readonly topics: Map<string, TopicState>
  readonly isClosed: () => boolean
  readonly encodeKey: RecordEncoder
  readonly encodeValue: RecordEncoder
}

/** The bytes of a key or a value of a record to this topic. */
export type RecordEncoder = (value: unknown, topic: string) => Uint8Array | null

/** After this many bytes others get a turn of the event loop: responses must be read for the buffer to drain. */
const YIELD_EVERY_BYTES = 1024 * 1024

export class Intake {
  readonly #context: IntakeContext
  readonly #records: readonly ProducerRecord<unknown, unknown>[]
  readonly #delivery: Delivery
  readonly #signal: AbortSignal | undefined
  readonly #generation: number | undefined
  readonly #failedTopics = new Map<string, Error>()
  #index = 0
  #topic: TopicState | undefined
  #bytesSinceYield = 0

  constructor(
    context: IntakeContext,
    records: readonly ProducerRecord<unknown, unknown>[],
    delivery: Delivery,
    signal?: AbortSignal,
  ) {
    this.#context = context
    this.#records = records
    this.#delivery = delivery
    this.#signal = signal
    this.#generation = context.transactions?.generation
  }

  /** Takes everything in. undefined if that was possible at once, otherwise a promise that never rejects. */
  run(): Promise<void> | undefined {
    const { clock } = this.#context.cluster.seams
    const refusal = this.#refusal()
    if (refusal) {
      this.#failRest(refusal)
      return undefined
    }
    const now = clock.now()
    while (this.#index < this.#records.length) {
      let blocked: Promise<void> | undefined
      try {
        blocked = this.#takeNext(now)
      } catch (error) {
        this.#delivery.failed(this.#index++, error as Error)
      }
      if (!blocked && this.#bytesSinceYield > YIELD_EVERY_BYTES) {
        this.#bytesSinceYield = 0
        blocked = clock.yield()
      }
      if (blocked) return blocked.then(() => this.run())
    }
    this.#context.sender.wake()
    return undefined
  }

  /** Why nothing more can be taken in; looked at again after every wait. */
  #refusal(): Error | undefined {
    const { transactions, isClosed } = this.#context
    if (isClosed()) return new ClosedError('The producer')
    if (!transactions) return undefined
    if (transactions.fatalError ?? transactions.abortError) return transactions.fatalError ?? transactions.abortError
    if (transactions.state === 'open' && transactions.generation === this.#generation) return undefined
    return new TransactionAbortedError('The transaction ended before the record was sent')
  }

  #failRest(error: Error): void {
    while (this.#index < this.#records.length) this.#delivery.failed(this.#index++, error)
  }

  #takeNext(now: number): Promise<void> | undefined {
    const record = this.#records[this.#index]!
    let topic = this.#topic
    if (topic?.name !== record.topic || topic.metadataVersion !== this.#context.cluster.metadata.version) {
      const failure = this.#failedTopics.get(record.topic)
      if (failure) throw failure
      topic = this.#topic = topicState(this.#context, record.topic)
      if (!topic) return this.#fetchTopic(record.topic)
    }
    const { partition: wanted } = record
    if (wanted !== undefined && !(wanted >= 0 && wanted < topic.partitionCount)) {
      return this.#missingPartition(topic, wanted)
    }
    const { timestamp = now } = record
    if (!(timestamp >= 0 && Number.isSafeInteger(timestamp))) {
      throw new InvalidArgumentError(`The timestamp ${timestamp} is not a whole number of milliseconds from 0 on`)
    }
    const { encodeKey, encodeValue } = this.#context
    const input: RecordInput = {
      key: encodeKey(record.key, record.topic),
      value: encodeValue(record.value, record.topic),
      headers: record.headers && headersOf(record.headers),
      timestamp,
    }
    const bytes = RecordBatchWriter.sizeUpperBound(input)
    this.#checkSize(bytes)
    const queue = this.#choose(topic, wanted, input, bytes)
    if (this.#context.accumulator.tryReserve(bytes)) {
      this.#append(queue, input, bytes)
      return undefined
    }
    this.#context.sender.run()
    return this.#context.accumulator.reserve(bytes, this.#context.config['max.block.ms'], this.#signal).then(
      () => {
        const refusal = this.#refusal()
        if (!refusal) return this.#append(queue, input, bytes)
        this.#context.accumulator.release(bytes)
        this.#failRest(refusal)
      },
      (error: Error) => this.#failRest(error),
    )
  }

  #append(queue: PartitionQueue, input: RecordInput, bytes: number): void {
    const slot = this.#index++
    this.#delivery.placed(slot, queue.partition, input.timestamp)
    this.#bytesSinceYield += bytes
    const isReady = this.#context.accumulator.append(queue, input, bytes, this.#delivery, slot)
    if (isReady) this.#context.sender.run()
  }

  #checkSize(bytes: number): void {
    const { 'max.request.size': maxRequestSize, 'buffer.memory': bufferMemory } = this.#context.config
    const alone = aloneBytes(bytes)
    if (alone > maxRequestSize) {
      throw new RecordTooLargeError(
        `A record takes up to ${alone} bytes, more than max.request.size (${maxRequestSize}) allows`,
      )
    }
    if (bytes > bufferMemory) {
      throw new RecordTooLargeError(
        `A record takes up to ${bytes} bytes, more than buffer.memory (${bufferMemory}) has`,
      )
    }
  }

  #choose(topic: TopicState, wanted: number | undefined, { key }: RecordInput, bytes: number): PartitionQueue {
    const { accumulator, config } = this.#context
    if (wanted !== undefined) return queueOf(accumulator, topic, wanted)
    if (key && !config['partitioner.ignore.keys']) {
      return queueOf(accumulator, topic, partitionOfKey(key, topic.partitionCount))
    }
    const { sticky, partitionCount, available } = topic
    let queue = queueOf(accumulator, topic, sticky.current(partitionCount, available))
    const isFull = accumulator.isFull(queue, bytes)
    if (isFull || !queue.open) queue = queueOf(accumulator, topic, sticky.next(isFull, partitionCount, available))
    sticky.produced(bytes)
    return queue
  }

  async #fetchTopic(name: string): Promise<void> {
    const { cluster, config } = this.#context
    try {
      await cluster.topic(name, { timeoutMs: config['max.block.ms'], signal: this.#signal })
    } catch (error) {
      this.#failedTopics.set(name, error as Error)
    }
  }

  /** The topic may have been given more partitions since: metadata are fetched once before this is an error. */
  async #missingPartition(topic: TopicState, wanted: number): Promise<void> {
    const slot = this.#index
    try {
      if (!Number.isInteger(wanted) || wanted < 0) throw new InvalidArgumentError(`${wanted} is no partition's number`)
      await this.#context.cluster.refreshMetadata({ topics: [topic.name], signal: this.#signal })
      this.#topic = undefined
      const count = this.#context.cluster.metadata.topics.get(topic.name)?.partitions.length ?? 0
      if (wanted < count) return
      throw new InvalidArgumentError(`The topic ${topic.name} has no partition ${wanted}: it has ${count}`)
    } catch (error) {
      this.#index++
      this.#delivery.failed(slot, error as Error)
    }
  }
}

function queueOf(accumulator: Accumulator, topic: TopicState, partition: number): PartitionQueue {
  return (topic.queues[partition] ??= accumulator.queueOf(topic.name, partition))
}

/** What is known of a topic, brought up to the metadata of now; undefined while nothing is. */
function topicState(context: IntakeContext, name: string): TopicState | undefined {
  const { cluster, topics, config } = context
  if (typeof name !== 'string' || name === '') throw new InvalidArgumentError('A record needs a topic')
  const metadata = cluster.metadata.topics.get(name)
  if (!metadata) return undefined
  let state = topics.get(name)
  if (!state) {
    cluster.addTopic(name)
    const sticky = new StickyPartition(cluster.seams.random, Math.max(1, config['batch.size']))
    state = { name, metadataVersion: -1, partitionCount: 0, available: [], sticky, queues: [], lastUsedMs: 0 }
    topics.set(name, state)
  }
  state.lastUsedMs = cluster.seams.clock.monotonic()
  if (state.metadataVersion !== cluster.metadata.version) {
    state.metadataVersion = cluster.metadata.version
    state.partitionCount = metadata.partitions.length
    state.available = metadata.partitions.filter(({ leader }) => leader >= 0).map(({ partition }) => partition)
  }
  return state
}
