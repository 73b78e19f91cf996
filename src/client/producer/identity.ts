/**
 * Under which producer id and epoch batches are written. Three kinds: none (no idempotence), the idempotent producer's (here),
 * and a transactional one (transactions.ts).
 *
 * The idempotent producer may raise its epoch by itself (KIP-360): when a broker has lost its memory of a partition's sequence
 * or there is a gap that can never be filled, the epoch grows by one and that partition's batches are numbered from 0.
 * A broker takes any first sequence of a new epoch as long as it is 0. This waits until nothing of that partition
 * is on the wire, so that no answer to an old number is taken for one to a new number.
 */
import { KafkaError } from '../../protocol/error-codes.ts'
import { initProducerId } from '../../protocol/messages/index.ts'
import { type Cluster } from '../cluster.ts'
import { AbortedError, ClosedError } from '../errors.ts'
import { isRetriable, withRetries } from '../retry.ts'
import { type PartitionQueue } from './partition-queue.ts'
import { type ProducerBatch, type ProducerIdentity } from './producer-batch.ts'

export interface IdentitySource {
  readonly transactionalId: string | null
  /** Whether batches carry sequences. */
  readonly isIdempotent: boolean
  /** The identity to write under; undefined while there is none yet (then it is being fetched). */
  current(): ProducerIdentity | undefined
  /** Nothing can be sent any more, and why. */
  readonly fatalError: Error | undefined
  /** What is not on the wire yet can only fail: the transaction must be aborted. */
  readonly abortError: Error | undefined
  /** Whether records of this partition may be sent now (a transaction must know the partition first). */
  mayWriteTo(queue: PartitionQueue): boolean
  /** The sequence of this partition can only go on under a new epoch. */
  needNewEpoch(queue: PartitionQueue): void
  /** The broker has lost the beginning of the log, and with it what it knew of the sequence, as far as was acknowledged. */
  sequenceWasTruncated(queue: PartitionQueue): void
  /** A batch was given up. */
  batchFailed(queue: PartitionQueue, batch: ProducerBatch, error: Error): void
  /** Called before every round of sending. */
  beforeSending(queues: Iterable<PartitionQueue>): void
}

/** `enable.idempotence=false`. */
export const noIdentity: IdentitySource = {
  transactionalId: null,
  isIdempotent: false,
  fatalError: undefined,
  abortError: undefined,
  current: () => undefined,
  mayWriteTo: () => true,
  needNewEpoch() {},
  sequenceWasTruncated() {},
  batchFailed() {},
  beforeSending() {},
}

const LAST_EPOCH = 32767

export class IdempotentIdentity implements IdentitySource {
  readonly transactionalId = null
  readonly isIdempotent = true
  readonly abortError = undefined
  fatalError: Error | undefined
  readonly #cluster: Cluster
  readonly #wake: () => void
  #identity: ProducerIdentity | undefined
  #isFetching = false

  constructor(cluster: Cluster, wake: () => void) {
    this.#cluster = cluster
    this.#wake = wake
  }

  current(): ProducerIdentity | undefined {
    if (!this.#identity && !this.#isFetching && !this.fatalError) {
      this.#isFetching = true
      void this.#fetch()
    }
    return this.#identity
  }

  mayWriteTo(): boolean {
    return true
  }

  needNewEpoch(queue: PartitionQueue): void {
    queue.needsNewEpoch = true
  }

  sequenceWasTruncated(queue: PartitionQueue): void {
    queue.needsNewEpoch = true
  }

  /** Its number is missing from the sequence now: the batches behind it can only go on under a new epoch. */
  batchFailed(queue: PartitionQueue, batch: ProducerBatch): void {
    if (batch.hasSequence && !queue.isUnresolved) queue.needsNewEpoch = true
  }

  beforeSending(queues: Iterable<PartitionQueue>): void {
    const waiting: PartitionQueue[] = []
    for (const queue of queues) {
      if (queue.isUnresolved && queue.unacknowledged.length === 0) {
        queue.isUnresolved = false
        queue.needsNewEpoch ||= queue.hasGap
      }
      if (queue.needsNewEpoch && queue.sending === 0) waiting.push(queue)
    }
    if (waiting.length === 0 || !this.#identity) return
    const { producerId, producerEpoch } = this.#identity
    if (producerEpoch >= LAST_EPOCH) {
      this.#identity = undefined
      return void this.current()
    }
    this.#identity = { producerId, producerEpoch: producerEpoch + 1 }
    for (const queue of waiting) queue.renumber(this.#identity)
  }

  async #fetch(): Promise<void> {
    const { seams, config, closing } = this.#cluster
    try {
      const doing = 'Fetching a producer id'
      const options = { doing, timeoutMs: Number.MAX_SAFE_INTEGER, signal: closing }
      this.#identity = await withRetries(seams, config, options, async (signal) => {
        const request = { transactionalId: null, transactionTimeoutMs: 0x7fffffff }
        const response = await this.#cluster.send(initProducerId, 'any', request, { signal, maxVersion: 4 })
        if (response.errorCode !== 0) throw new KafkaError(response.errorCode, doing)
        return { producerId: response.producerId, producerEpoch: response.producerEpoch }
      })
    } catch (error) {
      if (!(error instanceof AbortedError) && !(error instanceof ClosedError) && !isRetriable(error)) {
        this.fatalError = error as Error
      }
    } finally {
      this.#isFetching = false
      this.#wake()
    }
  }
}
