/**
 * The producer, with the contract of Java's `KafkaProducer`. This file is its surface and puts its parts together:
 *
 *     send ─▶ intake ─▶ accumulator (a queue a partition) ─▶ sender ─▶ cluster
 *                                                              │
 *                                              identity / transactions: under which id, epoch and sequence
 *
 * Order: two sends to one partition are written in the order of the calls, whether or not the first was awaited. When a
 * send has to wait (metadata, memory), later ones of the same topics wait behind it.
 */
import { type Timer } from '../../seams/clock.ts'
import { Cluster } from '../cluster.ts'
import { parseProducerConfig, type ProducerConfig, type PropertyBag } from '../config.ts'
import { ClosedError, IllegalStateError } from '../errors.ts'
import { type PartitionMetadata } from '../metadata.ts'
import { type ClientSeams, systemSeams } from '../seams.ts'
import { Accumulator } from './accumulator.ts'
import { type IdentitySource, IdempotentIdentity, noIdentity } from './identity.ts'
import { Intake, type IntakeContext, type RecordEncoder } from './intake.ts'
import { type Serializer, serializers } from '../serialization/serializers.ts'
import {
  BatchDelivery,
  bytesOf,
  type BytesLike,
  type ProducerRecord,
  type RecordMetadata,
  type SentRecords,
  SingleDelivery,
} from './record.ts'
import { Sender } from './sender.ts'
import { type GroupMetadata, type OffsetToCommit } from './transaction-offsets.ts'
import { Transactions } from './transactions.ts'

export interface CallOptions {
  /** Ends the waiting for metadata, memory or a coordinator. What is already on its way is still sent. */
  readonly signal?: AbortSignal | undefined
}

let producersMade = 0

/** Beside the properties: functions of one's own, which go before the properties' names, and the outside world. */
export interface ProducerOptions<K = BytesLike, V = BytesLike> extends Partial<ClientSeams> {
  readonly keySerializer?: Serializer<K> | undefined
  readonly valueSerializer?: Serializer<V> | undefined
}

/** `K` and `V` are what records' keys and values are given as: bytes and strings, or what the serializers take. */
export class Producer<K = BytesLike, V = BytesLike> {
  readonly config: ProducerConfig
  readonly #cluster: Cluster
  readonly #accumulator: Accumulator
  readonly #sender: Sender
  readonly #transactions: Transactions | undefined
  readonly #intake: IntakeContext
  /** For each topic, the last intake that had to wait. */
  readonly #tails = new Map<string, Promise<void>>()
  #closing: Promise<void> | undefined
  /** The time for what was already accepted is over, too. */
  #isClosed = false

  /** @throws ConfigError with everything that is wrong. Connects with the first call that needs a broker. */
  constructor(properties: PropertyBag, options: ProducerOptions<K, V> = {}) {
    const { keySerializer, valueSerializer, ...seams } = options
    const parsed = parseProducerConfig(properties)
    const clientId = parsed['client.id'] || `producer-${parsed['transactional.id'] ?? ++producersMade}`
    this.config = { ...parsed, 'client.id': clientId }
    this.#cluster = new Cluster(this.config, systemSeams(seams))
    this.#accumulator = new Accumulator(accumulatorSettings(this.config), this.#cluster.seams.clock)
    const wake = () => this.#sender.wake()
    this.#transactions = this.#makeTransactions(wake)
    const identity: IdentitySource =
      this.#transactions ??
      (this.config['enable.idempotence'] ? new IdempotentIdentity(this.#cluster, wake) : noIdentity)
    this.#sender = new Sender(this.#cluster, this.#accumulator, identity, senderSettings(this.config))
    this.#intake = {
      cluster: this.#cluster,
      config: this.config,
      accumulator: this.#accumulator,
      sender: this.#sender,
      transactions: this.#transactions,
      topics: new Map(),
      isClosed: () => this.#isClosed,
      encodeKey: encoderOf('key', keySerializer ?? named(this.config['key.serializer'])),
      encodeValue: encoderOf('value', valueSerializer ?? named(this.config['value.serializer'])),
    }
    this.#cluster.onMetadata(() => this.#forgetIdleTopics())
  }

  /** Finds the cluster now instead of with the first send. Rejects with BrokerUnavailableError after one round of trying. */
  connect({ signal }: CallOptions = {}): Promise<void> {
    return this.#cluster.connect(signal)
  }

  /**
   * Sends one record. Resolves when it is acknowledged as `acks` says.
   *
   * @throws RecordTooLargeError, TimeoutError (no metadata within `max.block.ms`), BufferExhaustedError, DeliveryTimeoutError,
   *   KafkaError, InvalidArgumentError, ClosedError; in a transaction also IllegalStateError and the transaction's errors
   */
  send(record: ProducerRecord<K, V>, { signal }: CallOptions = {}): Promise<RecordMetadata> {
    const refusal = this.#refusal('send')
    if (refusal) return Promise.reject(refusal)
    const delivery = new SingleDelivery(record.topic)
    this.#enqueue([record.topic], new Intake(this.#intake, [record], delivery, signal))
    return delivery.promise
  }

  /**
   * Sends any number of records, cut into batches as they fit. Resolves when all are acknowledged, with where each is.
   *
   * @throws SendBatchError when records failed: which ones and why, and where the others are
   */
  sendBatch(records: readonly ProducerRecord<K, V>[], { signal }: CallOptions = {}): Promise<SentRecords> {
    const refusal = this.#refusal('sendBatch')
    if (refusal) return Promise.reject(refusal)
    const delivery = new BatchDelivery(records)
    this.#enqueue(topicsOf(records), new Intake(this.#intake, records, delivery, signal))
    return delivery.promise
  }

  /** Sends what is waiting at once, and resolves when everything sent so far is acknowledged or failed. Never rejects for a record. */
  async flush(): Promise<void> {
    await Promise.all(this.#tails.values())
    await this.#accumulator.flush(() => this.#sender.wake())
  }

  /** The partitions of a topic with their leaders. @throws TimeoutError after `max.block.ms` */
  async partitionsFor(topic: string, { signal }: CallOptions = {}): Promise<readonly PartitionMetadata[]> {
    if (this.#closing) throw new ClosedError('The producer')
    return (await this.#cluster.topic(topic, { timeoutMs: this.config['max.block.ms'], signal })).partitions
  }

  /** Must be called once before transactions: fences older producers with the same `transactional.id`. */
  async initTransactions({ signal }: CallOptions = {}): Promise<void> {
    await this.#transactional('initTransactions').init(signal)
  }

  beginTransaction(): void {
    this.#transactional('beginTransaction').begin()
  }

  /**
   * Sends a consumer's offsets with the transaction, so that they are committed exactly if the records are.
   * @param offsets pairs of partition and next offset, or a TopicPartitionMap
   */
  async sendOffsetsToTransaction(
    offsets: Iterable<OffsetToCommit>,
    group: GroupMetadata,
    { signal }: CallOptions = {},
  ): Promise<void> {
    await this.#transactional('sendOffsetsToTransaction').sendOffsets([...offsets], group, signal)
  }

  /**
   * Waits for every record of the transaction, then commits it.
   * @throws TransactionAbortableError (abort it), ProducerFencedError and TransactionFailedError (close the producer), TimeoutError (call again)
   */
  async commitTransaction({ signal }: CallOptions = {}): Promise<void> {
    await this.#transactional('commitTransaction').commit(signal)
  }

  /** Drops what was not sent yet and aborts the transaction. */
  async abortTransaction({ signal }: CallOptions = {}): Promise<void> {
    await this.#transactional('abortTransaction').abort(signal)
  }

  /**
   * Sends what is waiting, aborts an open transaction, and closes every connection. What is not acknowledged within
   * `timeoutMs` (default: `delivery.timeout.ms` bounds it) fails with ClosedError. Never rejects.
   */
  close({ timeoutMs = Number.MAX_SAFE_INTEGER }: { timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(timeoutMs: number): Promise<void> {
    const { clock } = this.#cluster.seams
    let timer: Timer | undefined
    const timeout = new Promise<void>((resolve) => (timer = clock.setTimer(timeoutMs, resolve)))
    await Promise.race([timeout, this.#finish()])
    timer?.cancel()
    this.#isClosed = true
    this.#accumulator.close()
    this.#sender.stop()
    this.#accumulator.failAll(new ClosedError('The producer'))
    await this.#cluster.close()
  }

  async #finish(): Promise<void> {
    const state = this.#transactions?.state
    if (state === 'open' || state === 'abortable') await this.#transactions!.abort().catch(() => {})
    await this.flush()
  }

  #refusal(doing: string): Error | undefined {
    if (this.#closing) return new ClosedError('The producer')
    try {
      this.#transactions?.checkOpen(doing)
      return undefined
    } catch (error) {
      return error as Error
    }
  }

  #enqueue(topics: readonly string[], intake: Intake): void {
    const before = topics.flatMap((topic) => this.#tails.get(topic) ?? [])
    const waiting = before.length === 0 ? intake.run() : Promise.all(before).then(() => intake.run())
    if (!waiting) return
    for (const topic of topics) this.#tails.set(topic, waiting)
    void waiting.finally(() => {
      for (const topic of topics) if (this.#tails.get(topic) === waiting) this.#tails.delete(topic)
    })
  }

  #transactional(doing: string): Transactions {
    if (this.#closing) throw new ClosedError('The producer')
    if (this.#transactions) return this.#transactions
    throw new IllegalStateError(`${doing} needs the property transactional.id`)
  }

  #makeTransactions(wake: () => void): Transactions | undefined {
    const transactionalId = this.config['transactional.id']
    if (transactionalId === null) return undefined
    const options = {
      transactionalId,
      transactionTimeoutMs: this.config['transaction.timeout.ms'],
      maxBlockMs: this.config['max.block.ms'],
    }
    return new Transactions(this.#cluster, options, { wake, flush: () => this.flush() })
  }

  #forgetIdleTopics(): void {
    const oldestMs = this.#cluster.seams.clock.monotonic() - this.config['metadata.max.idle.ms']
    for (const [name, topic] of this.#intake.topics) {
      const isIdle = topic.lastUsedMs < oldestMs && topic.queues.every((queue) => !queue || queue.isIdle)
      if (!isIdle) continue
      this.#intake.topics.delete(name)
      this.#cluster.forgetTopic(name)
    }
  }
}

const named = (name: ProducerConfig['key.serializer']) =>
  name === null ? undefined : (serializers[name] as Serializer<unknown>)

function encoderOf<T>(
  part: 'key' | 'value',
  serializer: Serializer<T> | Serializer<unknown> | undefined,
): RecordEncoder {
  if (!serializer) return (value) => bytesOf(value, part)
  const serialize = serializer as Serializer<unknown>
  return (value, topic) => (value === null || value === undefined ? null : bytesOf(serialize(value, topic, part), part))
}

function topicsOf(records: readonly ProducerRecord<unknown, unknown>[]): string[] {
  const topics: string[] = []
  let last: string | undefined
  for (const { topic } of records) {
    if (topic === last) continue
    last = topic
    if (!topics.includes(topic)) topics.push(topic)
  }
  return topics
}

function accumulatorSettings(config: ProducerConfig) {
  const compression = config['compression.type']
  const levels = {
    none: undefined,
    snappy: undefined,
    gzip: config['compression.gzip.level'],
    lz4: config['compression.lz4.level'],
    zstd: config['compression.zstd.level'],
  }
  return {
    batchSize: config['batch.size'],
    lingerMs: config['linger.ms'],
    bufferMemory: config['buffer.memory'],
    maxRequestSize: config['max.request.size'],
    compression: { compression, compressionLevel: levels[compression] },
  }
}

function senderSettings(config: ProducerConfig) {
  const acks: Record<typeof config.acks, -1 | 0 | 1> = { all: -1, '1': 1, '0': 0 }
  return {
    acks: acks[config.acks],
    maxInFlight: config['max.in.flight.requests.per.connection'],
    maxRequestSize: config['max.request.size'],
    requestTimeoutMs: config['request.timeout.ms'],
    deliveryTimeoutMs: config['delivery.timeout.ms'],
    retries: config['retries'],
  }
}
