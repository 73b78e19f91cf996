/**
 * Takes ready batches from the accumulator to the leaders of their partitions, and deals with the answers. One request to a broker
 * carries one batch of each partition that is ready, at most `max.in.flight.requests.per.connection` requests at a time.
 *
 * `run` is one round, synchronous: give up what is too old, see which batches may go where, send, and set the timer for
 * the next moment at which something changes by itself. It is called after every event (`wake`), and within a long `sendBatch`.
 */
import { SluiceError } from '../../error.ts'
import { errorOf, KafkaError } from '../../protocol/error-codes.ts'
import { produce } from '../../protocol/messages/index.ts'
import { type RequestInputOf, type ResponseOf } from '../../protocol/api.ts'
import { type Timer } from '../../seams/clock.ts'
import { type Cluster } from '../cluster.ts'
import { ClosedError, DeliveryTimeoutError, RecordTooLargeError } from '../errors.ts'
import { backoffMs } from '../retry.ts'
import { type Accumulator } from './accumulator.ts'
import { type IdentitySource } from './identity.ts'
import { type PartitionQueue } from './partition-queue.ts'
import { type ProducerBatch } from './producer-batch.ts'

export interface SenderSettings {
  readonly acks: -1 | 0 | 1
  readonly maxInFlight: number
  readonly maxRequestSize: number
  readonly requestTimeoutMs: number
  readonly deliveryTimeoutMs: number
  readonly retries: number
}

type PartitionResponse = ResponseOf<typeof produce>['responses'][number]['partitionResponses'][number]

interface Shipment {
  readonly queue: PartitionQueue
  readonly batch: ProducerBatch
}

interface Node {
  inFlight: number
  isConnecting: boolean
  lastError: Error | undefined
}

/** Newer versions name topics by id, or add partitions to a transaction by themselves (KIP-890); AddPartitionsToTxn does it here. */
const PRODUCE_MAX_VERSION = 11
const MESSAGE_TOO_LARGE = 10

export class Sender {
  readonly #cluster: Cluster
  readonly #accumulator: Accumulator
  readonly #identity: IdentitySource
  readonly #settings: SenderSettings
  readonly #nodes = new Map<number, Node>()
  #timer: Timer | undefined
  #isWoken = false
  #isStopped = false

  constructor(cluster: Cluster, accumulator: Accumulator, identity: IdentitySource, settings: SenderSettings) {
    this.#cluster = cluster
    this.#accumulator = accumulator
    this.#identity = identity
    this.#settings = settings
    cluster.onMetadata(() => this.wake())
  }

  /** A round soon: what happens until then (more sends in the same turn) is part of it. */
  wake(): void {
    if (this.#isWoken || this.#isStopped) return
    this.#isWoken = true
    queueMicrotask(() => {
      this.#isWoken = false
      this.run()
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** Batches on the wire. */
  get sending(): number {
    let count = 0
    for (const queue of this.#accumulator.queues()) count += queue.sending
    return count
  }

  run(): void {
    if (this.#isStopped) return
    const { fatalError, abortError } = this.#identity
    if (fatalError) this.#accumulator.failAll(fatalError)
    else if (abortError) this.#dropUnsent(abortError)
    const { active } = this.#accumulator
    if (active.size === 0) return
    const nowMs = this.#cluster.seams.clock.monotonic()
    let nextMs = this.#expire(nowMs)
    this.#identity.beforeSending(active)
    const identity = this.#identity.isIdempotent ? this.#identity.current() : undefined
    const byNode = new Map<number, PartitionQueue[]>()
    for (const queue of active) {
      if (queue.isIdle) active.delete(queue)
      if (!queue.head || (this.#identity.isIdempotent && !identity)) continue
      const readyMs = this.#accumulator.readyAt(queue, nowMs)
      if (readyMs > nowMs) {
        nextMs = Math.min(nextMs, readyMs)
        continue
      }
      if (!this.#mayDrain(queue)) continue
      const leader = this.#cluster.leader(queue)
      if (!leader) {
        this.#cluster.markStale()
        continue
      }
      const queues = byNode.get(leader.nodeId)
      if (queues) queues.push(queue)
      else byNode.set(leader.nodeId, [queue])
    }
    for (const [nodeId, queues] of byNode) this.#sendTo(nodeId, queues, nowMs)
    this.#setTimer(nextMs, nowMs)
  }

  /** Of a transaction that is to be aborted. A number that is missing from a sequence afterwards needs another epoch. */
  #dropUnsent(error: Error): void {
    this.#accumulator.failAll(error, (batch) => {
      if (batch.isSending) return false
      if (batch.hasSequence) this.#identity.needNewEpoch(this.#accumulator.queueOf(batch.topic, batch.partition))
      return true
    })
  }

  #mayDrain(queue: PartitionQueue): boolean {
    if (this.#settings.maxInFlight === 1 && queue.sending > 0) return false
    const identity = this.#identity.isIdempotent ? this.#identity.current() : undefined
    return queue.mayDrain(identity) && this.#identity.mayWriteTo(queue)
  }

  #setTimer(nextMs: number, nowMs: number): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (nextMs === Number.POSITIVE_INFINITY) return
    this.#timer = this.#cluster.seams.clock.setTimer(Math.max(1, Math.ceil(nextMs - nowMs)), () => this.run())
  }

  /** Fails what is older than `delivery.timeout.ms`, on the wire or not. Returns when the next one is. */
  #expire(nowMs: number): number {
    const { deliveryTimeoutMs } = this.#settings
    let nextMs = Number.POSITIVE_INFINITY
    for (const queue of this.#accumulator.active) {
      for (const batch of [...queue.unacknowledged, ...queue.queue]) {
        if (batch.isDone) continue
        const expiresMs = batch.createdMs + deliveryTimeoutMs
        if (expiresMs > nowMs) {
          nextMs = Math.min(nextMs, expiresMs)
          // Both lists are in the order of creation, so what follows is younger.
          if (batch === queue.queue[0]) break
          continue
        }
        this.#giveUp(queue, batch, deliveryTimeoutMs)
      }
    }
    return nextMs
  }

  #giveUp(queue: PartitionQueue, batch: ProducerBatch, deliveryTimeoutMs: number): void {
    // It may have been written: whether its sequence numbers are used is only known later.
    if (batch.hasSequence) queue.isUnresolved = true
    const where = `${queue.topic}-${queue.partition}`
    const node = this.#nodes.get(this.#cluster.leader(queue)?.nodeId ?? -1)
    const cause = batch.lastError ?? node?.lastError
    const because = cause ? ` The last attempt failed: ${cause.message}` : ''
    this.#fail(
      queue,
      batch,
      new DeliveryTimeoutError(
        `${batch.count} records for ${where} were not acknowledged within ${deliveryTimeoutMs} ms (delivery.timeout.ms).${because}`,
        cause,
      ),
    )
  }

  #fail(queue: PartitionQueue, batch: ProducerBatch, error: Error): void {
    queue.remove(batch)
    this.#identity.batchFailed(queue, batch, error)
    batch.fail(error)
  }

  #node(nodeId: number): Node {
    let node = this.#nodes.get(nodeId)
    if (!node) this.#nodes.set(nodeId, (node = { inFlight: 0, isConnecting: false, lastError: undefined }))
    return node
  }

  #sendTo(nodeId: number, queues: readonly PartitionQueue[], nowMs: number): void {
    const node = this.#node(nodeId)
    if (!this.#cluster.readyConnection(nodeId)) return this.#connect(nodeId, node)
    while (node.inFlight < this.#settings.maxInFlight) {
      const shipments = this.#load(queues, nowMs)
      if (shipments.length === 0) return
      this.#ship(nodeId, node, shipments)
    }
  }

  #connect(nodeId: number, node: Node): void {
    if (node.isConnecting) return
    node.isConnecting = true
    this.#cluster
      .connectionTo(nodeId)
      .then(
        () => (node.lastError = undefined),
        (error: Error) => {
          node.lastError = error
          this.#cluster.markStale()
        },
      )
      .finally(() => {
        node.isConnecting = false
        this.wake()
      })
  }

  /** One batch of each partition, as far as they fit into a request. */
  #load(queues: readonly PartitionQueue[], nowMs: number): Shipment[] {
    const { maxRequestSize } = this.#settings
    const shipments: Shipment[] = []
    let bytes = 0
    for (const queue of queues) {
      const { head } = queue
      if (!head || this.#accumulator.readyAt(queue, nowMs) > nowMs || !this.#mayDrain(queue)) continue
      if (shipments.length > 0 && bytes + head.sizeInBytes > maxRequestSize) continue
      const batch = queue.take(this.#identity.isIdempotent ? this.#identity.current() : undefined)
      bytes += batch.bytes(this.#identity.transactionalId !== null).length
      shipments.push({ queue, batch })
      // The others come first in the next request, so that none starves when a request cannot carry all.
      this.#accumulator.active.delete(queue)
      this.#accumulator.active.add(queue)
    }
    return shipments
  }

  #ship(nodeId: number, node: Node, shipments: readonly Shipment[]): void {
    const { acks, requestTimeoutMs } = this.#settings
    const request = this.#requestOf(shipments)
    try {
      if (acks === 0) {
        const connection = this.#cluster.readyConnection(nodeId)!
        const version = connection.versionFor(produce, { maxVersion: PRODUCE_MAX_VERSION })
        connection.sendWithoutResponse(produce, version, request)
        for (const { queue, batch } of shipments) {
          queue.landed(batch)
          queue.acknowledged(batch, -1)
          batch.succeed(-1, -1)
        }
        return
      }
    } catch (error) {
      return this.#onError(shipments, error as Error)
    }
    node.inFlight++
    const options = { timeoutMs: requestTimeoutMs, maxVersion: PRODUCE_MAX_VERSION }
    this.#cluster
      .send(produce, nodeId, request, options)
      .then(
        (response) => this.#onResponse(shipments, response),
        (error: Error) => this.#onError(shipments, error),
      )
      .finally(() => {
        node.inFlight--
        this.wake()
      })
  }

  #requestOf(shipments: readonly Shipment[]): RequestInputOf<typeof produce> {
    const { acks, requestTimeoutMs } = this.#settings
    const isTransactional = this.#identity.transactionalId !== null
    const topics = new Map<string, { index: number; records: Buffer }[]>()
    for (const { batch } of shipments) {
      const partition = { index: batch.partition, records: batch.bytes(isTransactional) }
      const partitions = topics.get(batch.topic)
      if (partitions) partitions.push(partition)
      else topics.set(batch.topic, [partition])
    }
    return {
      transactionalId: this.#identity.transactionalId,
      acks,
      timeoutMs: requestTimeoutMs,
      topicData: [...topics].map(([name, partitionData]) => ({ name, topicId: undefined, partitionData })),
    }
  }

  #onResponse(shipments: readonly Shipment[], response: ResponseOf<typeof produce>): void {
    const answers = new Map<string, PartitionResponse>()
    for (const topic of response.responses) {
      for (const one of topic.partitionResponses) answers.set(`${topic.name}-${one.index}`, one)
    }
    for (const { queue, batch } of shipments) {
      queue.landed(batch)
      const answer = answers.get(`${batch.topic}-${batch.partition}`)
      if (answer) this.#onAnswer(queue, batch, answer)
      else this.#retryOrFail(queue, batch, new KafkaError(-1, `Producing to ${batch.topic}-${batch.partition}`), true)
    }
  }

  #onAnswer(queue: PartitionQueue, batch: ProducerBatch, answer: PartitionResponse): void {
    const error = errorOf(answer.errorCode)
    if (error.name === 'NONE' || error.name === 'DUPLICATE_SEQUENCE_NUMBER') {
      // A duplicate was acknowledged so long ago that the broker has forgotten its offset: written it is.
      const baseOffset = error.name === 'NONE' ? answer.baseOffset : -1
      queue.acknowledged(batch, baseOffset)
      return batch.succeed(baseOffset, answer.logAppendTimeMs)
    }
    if (batch.isDone) return
    const doing = `Producing to ${batch.topic}-${batch.partition}`
    if (answer.errorCode === MESSAGE_TOO_LARGE && batch.count > 1) return this.#split(queue, batch)
    const failure =
      answer.errorCode === MESSAGE_TOO_LARGE
        ? new RecordTooLargeError(
            `A record for ${batch.topic}-${batch.partition} is larger than the broker takes (max.message.bytes of the topic)`,
            new KafkaError(answer.errorCode, doing, answer.errorMessage),
          )
        : new KafkaError(answer.errorCode, doing, answer.errorMessage)
    if (error.refreshMetadata) {
      const { leaderId, leaderEpoch } = answer.currentLeader
      const isNews = this.#cluster.metadata.applyLeader(batch.topic, batch.partition, { nodeId: leaderId, leaderEpoch })
      if (!isNews) this.#cluster.markStale()
    }
    this.#retryOrFail(queue, batch, failure, this.#canRetry(queue, batch, answer))
  }

  /** Java's TransactionManager.canRetry: what the errors about sequences mean. */
  #canRetry(queue: PartitionQueue, batch: ProducerBatch, answer: PartitionResponse): boolean {
    const error = errorOf(answer.errorCode)
    const isTransactional = this.#identity.transactionalId !== null
    if (!batch.hasSequence) return error.retriable
    if (error.name === 'UNKNOWN_PRODUCER_ID') {
      // The partition moved while the answer was made: the next answer says where the log begins.
      if (answer.logStartOffset === -1 || batch.sequenceWasReset) return true
      if (queue.lastAckedOffset < answer.logStartOffset) {
        // What we wrote was removed by retention, and the broker's memory of us with it: nothing is lost.
        this.#identity.sequenceWasTruncated(queue)
        return true
      }
      if (isTransactional) return false
      this.#identity.needNewEpoch(queue)
      return true
    }
    if (error.name === 'OUT_OF_ORDER_SEQUENCE_NUMBER') {
      const isNext = queue.isNext(batch.baseSequence)
      // A batch before this one failed and is sent again first; then this one is in order.
      if (!queue.isUnresolved && (batch.sequenceWasReset || !isNext)) return true
      if (isTransactional) return false
      const isFirst = queue.unacknowledged[0] === batch
      if (!queue.isUnresolved || isFirst) this.#identity.needNewEpoch(queue)
      return true
    }
    return error.retriable
  }

  #onError(shipments: readonly Shipment[], error: Error): void {
    const canRetry = error instanceof SluiceError && error.retriable
    const cause = this.#cluster.isClosed ? new ClosedError('The producer') : error
    for (const { queue, batch } of shipments) {
      queue.landed(batch)
      this.#retryOrFail(queue, batch, cause, canRetry && !this.#cluster.isClosed)
    }
  }

  #retryOrFail(queue: PartitionQueue, batch: ProducerBatch, error: Error, canRetry: boolean): void {
    if (batch.isDone) return
    batch.lastError = error
    const { clock, random, logger } = this.#cluster.seams
    if (!canRetry || batch.attempts > this.#settings.retries) return this.#fail(queue, batch, error)
    const { 'retry.backoff.ms': initialMs, 'retry.backoff.max.ms': maxMs } = this.#cluster.config
    batch.notBeforeMs = clock.monotonic() + backoffMs(batch.attempts - 1, initialMs, maxMs, random)
    logger.debug(
      { topic: batch.topic, partition: batch.partition, attempts: batch.attempts, error: error.message },
      'retry',
    )
    queue.putBack(batch)
    this.#accumulator.active.add(queue)
  }

  #split(queue: PartitionQueue, batch: ProducerBatch): void {
    const parts = batch.split()
    this.#accumulator.replace(batch, parts)
    queue.replace(batch, parts)
    this.#accumulator.active.add(queue)
  }
}
