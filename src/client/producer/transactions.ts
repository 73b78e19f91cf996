/**
 * Transactions over `transactional.id` (KIP-98; epochs raised as in KIP-360; partitions are added explicitly, "transaction
 * version 1" of KIP-890, which every broker speaks).
 *
 *     uninitialized ─init─▶ initializing ─▶ ready ─begin─▶ open ─commit─▶ committing ─▶ ready
 *                                             ▲             │  └──abort──▶ aborting ──┘
 *                                             │           a batch or an operation failed
 *                                             │             ▼
 *                                             └──abort── abortable            any ──fenced, refused for good──▶ fatal
 *
 * - abortable: this transaction cannot be committed; `abort` and the producer goes on, under a new epoch where numbers of a sequence
 *   may be missing or may still arrive late (also after a timeout, whose request the broker may yet carry out).
 * - fatal: a newer producer with this id took over, or it may not be used. The producer must be closed.
 * - A commit or abort that ran out of time may be called again: it goes on where it was.
 */
import { KafkaError } from '../../protocol/error-codes.ts'
import { addPartitionsToTxn, endTxn, initProducerId } from '../../protocol/messages/index.ts'
import { topicPartitionKey, type TopicPartition } from '../../protocol/records/topic-partition.ts'
import { type Cluster } from '../cluster.ts'
import {
  AbortedError,
  IllegalStateError,
  ProducerFencedError,
  TimeoutError,
  TransactionAbortableError,
  TransactionAbortedError,
  TransactionFailedError,
} from '../errors.ts'
import { isRetriable, withRetries } from '../retry.ts'
import { type IdentitySource } from './identity.ts'
import { type PartitionQueue } from './partition-queue.ts'
import { type ProducerBatch, type ProducerIdentity } from './producer-batch.ts'
import { type GroupMetadata, type OffsetToCommit, sendOffsets } from './transaction-offsets.ts'

type State =
  | { kind: 'uninitialized' | 'initializing' | 'ready' | 'open' | 'committing' | 'aborting' }
  | { kind: 'abortable' | 'fatal'; error: Error }

/** What the producer does around a transaction: batches and connections are its own business. */
export interface TransactionHost {
  wake(): void
  /** Resolves when every batch that was sent has its answer. */
  flush(): Promise<void>
}

const fatalErrors = new Set([
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'UNSUPPORTED_VERSION',
  'INVALID_TXN_STATE',
  'INVALID_TRANSACTION_TIMEOUT',
])
const coordinatorErrors = new Set(['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE'])
/** A transaction that just ended is still being written down: Java waits 20 ms, not 100, before it asks again. */
const CONCURRENT_BACKOFF = { 'retry.backoff.ms': 20, 'retry.backoff.max.ms': 1000 }

export class Transactions implements IdentitySource {
  readonly transactionalId: string
  readonly isIdempotent = true
  readonly #cluster: Cluster
  readonly #timeoutMs: number
  readonly #maxBlockMs: number
  readonly #host: TransactionHost
  #state: State = { kind: 'uninitialized' }
  #identity: ProducerIdentity | undefined
  #added = new Set<string>()
  #pending = new Map<string, TopicPartition>()
  #adding: Promise<void> | undefined
  /** Ends what is asked of the coordinator in the background for the transaction that is open. */
  #current = new AbortController()
  /** The coordinator may know of this transaction, so that it must be told of its end. */
  #isKnownToCoordinator = false
  #needsNewEpoch = false
  readonly #toRenumber = new Set<PartitionQueue>()

  constructor(
    cluster: Cluster,
    options: { transactionalId: string; transactionTimeoutMs: number; maxBlockMs: number },
    host: TransactionHost,
  ) {
    this.#cluster = cluster
    this.transactionalId = options.transactionalId
    this.#timeoutMs = options.transactionTimeoutMs
    this.#maxBlockMs = options.maxBlockMs
    this.#host = host
  }

  /** Counts transactions: what was sent in an earlier one is not part of this one. */
  generation = 0

  get state(): State['kind'] {
    return this.#state.kind
  }

  get fatalError(): Error | undefined {
    return this.#state.kind === 'fatal' ? this.#state.error : undefined
  }

  get abortError(): Error | undefined {
    if (this.#state.kind === 'abortable') return this.#state.error
    if (this.#state.kind !== 'aborting') return undefined
    return new TransactionAbortedError('The transaction was aborted before the record was sent')
  }

  current(): ProducerIdentity | undefined {
    return this.#identity
  }

  /** Fences every older producer with this id and finishes what it left. Must be called once, before the first `begin`. */
  async init(signal?: AbortSignal): Promise<void> {
    this.#expect('initTransactions', 'uninitialized')
    this.#state = { kind: 'initializing' }
    try {
      await this.#initProducerId(-1, -1, signal)
      this.#state = { kind: 'ready' }
    } catch (error) {
      if (this.#state.kind === 'initializing') this.#state = { kind: 'uninitialized' }
      throw error
    }
  }

  begin(): void {
    this.#expect('beginTransaction', 'ready')
    this.#added.clear()
    this.#pending.clear()
    this.#isKnownToCoordinator = false
    this.#current = new AbortController()
    this.generation++
    this.#state = { kind: 'open' }
  }

  /** Throws unless records may be sent now. */
  checkOpen(doing: string): void {
    this.#expect(doing, 'open')
  }

  /** Makes everything that was sent since `begin` visible, together with the offsets, or throws. */
  async commit(signal?: AbortSignal): Promise<void> {
    this.#expect('commitTransaction', 'open', 'committing')
    if (this.#state.kind === 'open') {
      await this.#host.flush()
      // Not `open` any more if one of those batches failed.
      this.#expect('commitTransaction', 'open')
      this.#state = { kind: 'committing' }
    }
    await this.#end(true, signal)
    this.#state = { kind: 'ready' }
  }

  /** Gives up everything since `begin`. Records that were not sent yet fail with TransactionAbortedError. */
  async abort(signal?: AbortSignal): Promise<void> {
    this.#expect('abortTransaction', 'open', 'abortable', 'aborting')
    this.#state = { kind: 'aborting' }
    this.#current.abort()
    await this.#adding
    // Fails what is not on the wire (see abortError), and waits for what is.
    this.#host.wake()
    await this.#host.flush()
    await this.#end(false, signal)
    if (this.#needsNewEpoch) {
      await this.#initProducerId(this.#identity!.producerId, this.#identity!.producerEpoch, signal)
      this.#needsNewEpoch = false
    }
    this.#state = { kind: 'ready' }
  }

  /** Commits a consumer's offsets as part of the transaction: they count only if it is committed. */
  async sendOffsets(offsets: readonly OffsetToCommit[], group: GroupMetadata, signal?: AbortSignal): Promise<void> {
    this.#expect('sendOffsetsToTransaction', 'open')
    if (offsets.length === 0) return
    this.#isKnownToCoordinator = true
    const { transactionalId } = this
    const context = { transactionalId, identity: this.#identity!, timeoutMs: this.#maxBlockMs, signal }
    try {
      await sendOffsets(this.#cluster, context, offsets, group)
    } catch (error) {
      throw this.#judge(error as Error, 'Sending offsets to the transaction')
    }
  }

  mayWriteTo(queue: PartitionQueue): boolean {
    const key = topicPartitionKey(queue)
    if (this.#added.has(key)) return true
    if (this.#state.kind !== 'open') return false
    this.#pending.set(key, queue)
    // After this round, so that one request adds every partition of it.
    this.#adding ??= Promise.resolve()
      .then(() => this.#addPending())
      .finally(() => {
        this.#adding = undefined
        // Only now: a partition that comes up in the round of this wake begins an adding of its own.
        this.#host.wake()
      })
    return false
  }

  needNewEpoch(): void {
    this.#needsNewEpoch = true
  }

  sequenceWasTruncated(queue: PartitionQueue): void {
    this.#toRenumber.add(queue)
  }

  beforeSending(): void {
    for (const queue of this.#toRenumber) {
      if (queue.sending > 0) continue
      this.#toRenumber.delete(queue)
      queue.renumber(this.#identity!)
    }
  }

  batchFailed(_queue: PartitionQueue, batch: ProducerBatch, error: Error): void {
    if (batch.hasSequence) this.#needsNewEpoch = true
    if (this.#state.kind === 'open') this.#judge(error, 'Producing in a transaction')
  }

  /** Turns an error into the state that it leads to, and returns what the caller is told. */
  #judge(error: Error, doing: string): Error {
    if (error instanceof TimeoutError || error instanceof AbortedError) {
      this.#needsNewEpoch = true
      return this.#becomeAbortable(error, doing)
    }
    const name = error instanceof KafkaError ? error.error.name : undefined
    const isProducing = doing === 'Producing in a transaction'
    if (name === 'PRODUCER_FENCED' || (name === 'INVALID_PRODUCER_EPOCH' && !isProducing)) {
      return this.#becomeFatal(
        new ProducerFencedError(
          `${doing}: a newer producer with the transactional.id ${this.transactionalId} has taken over. Close this one.`,
          error,
        ),
      )
    }
    if (name && fatalErrors.has(name)) {
      return this.#becomeFatal(new TransactionFailedError(`${doing} failed for good: ${error.message}`, error))
    }
    if (name === 'INVALID_PRODUCER_ID_MAPPING' || name === 'UNKNOWN_PRODUCER_ID') this.#needsNewEpoch = true
    return this.#becomeAbortable(error, doing)
  }

  #becomeFatal(error: Error): Error {
    this.#state = { kind: 'fatal', error }
    this.#current.abort()
    this.#host.wake()
    return error
  }

  #becomeAbortable(cause: Error, doing: string): Error {
    const message = `${doing} failed, so that this transaction must be aborted: ${cause.message}`
    const error = new TransactionAbortableError(message, cause)
    if (this.#state.kind === 'open') this.#state = { kind: 'abortable', error }
    this.#host.wake()
    return error
  }

  #expect(doing: string, ...allowed: State['kind'][]): void {
    const state = this.#state
    if (allowed.includes(state.kind)) return
    switch (state.kind) {
      case 'fatal':
        throw state.error
      case 'abortable':
        throw state.error
      case 'uninitialized':
        throw new IllegalStateError(`${doing}: call initTransactions() first`)
      case 'ready':
        throw new IllegalStateError(`${doing}: no transaction is open, or it was initialised already`)
      case 'initializing':
      case 'open':
      case 'committing':
      case 'aborting':
        throw new IllegalStateError(`${doing} is not possible while the transaction is ${state.kind}`)
    }
  }

  async #initProducerId(producerId: number, producerEpoch: number, signal?: AbortSignal): Promise<void> {
    const doing = `Initialising the transactional.id ${this.transactionalId}`
    const { transactionalId } = this
    try {
      const response = await this.#ask(doing, signal, async (node, signal) => {
        const request = { transactionalId, transactionTimeoutMs: this.#timeoutMs, producerId, producerEpoch }
        const answer = await this.#cluster.send(initProducerId, node, request, { signal })
        if (answer.errorCode !== 0) throw new KafkaError(answer.errorCode, doing)
        return answer
      })
      this.#identity = { producerId: response.producerId, producerEpoch: response.producerEpoch }
    } catch (error) {
      if (isRetriable(error) || error instanceof AbortedError) throw error
      throw this.#becomeFatal(this.#judge(error as Error, doing))
    }
  }

  async #end(committed: boolean, signal?: AbortSignal): Promise<void> {
    if (!this.#isKnownToCoordinator) return
    const doing = `${committed ? 'Committing' : 'Aborting'} a transaction of ${this.transactionalId}`
    const request = { transactionalId: this.transactionalId, ...this.#identity!, committed }
    try {
      await this.#ask(doing, signal, async (node, signal) => {
        const answer = await this.#cluster.send(endTxn, node, request, { signal, maxVersion: 4 })
        if (answer.errorCode !== 0) throw new KafkaError(answer.errorCode, doing)
      })
    } catch (error) {
      const name = error instanceof KafkaError ? error.error.name : undefined
      if (!name || isRetriable(error)) throw error
      // The coordinator has forgotten the id: there is nothing to abort, and a new id is needed.
      const isForgotten = name === 'INVALID_PRODUCER_ID_MAPPING' || name === 'UNKNOWN_PRODUCER_ID'
      if (!committed && isForgotten) {
        this.#needsNewEpoch = true
        return
      }
      this.#state = { kind: 'open' }
      throw this.#judge(error as Error, doing)
    }
    this.#isKnownToCoordinator = false
  }

  async #addPending(): Promise<void> {
    const { transactionalId } = this
    while (this.#pending.size > 0 && this.#state.kind === 'open') {
      const adding = [...this.#pending]
      this.#pending.clear()
      const topics = Map.groupBy(adding, ([, { topic }]) => topic)
      const request = {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: this.#identity!.producerId,
        v3AndBelowProducerEpoch: this.#identity!.producerEpoch,
        v3AndBelowTopics: [...topics].map(([name, entries]) => ({
          name,
          partitions: entries.map(([, { partition }]) => partition),
        })),
      }
      const doing = `Adding partitions to a transaction of ${transactionalId}`
      this.#isKnownToCoordinator = true
      try {
        const options = { timeoutMs: Number.MAX_SAFE_INTEGER, signal: this.#current.signal }
        await this.#ask(
          doing,
          options.signal,
          async (node, signal) => {
            const answer = await this.#cluster.send(addPartitionsToTxn, node, request, { signal, maxVersion: 3 })
            for (const { name, resultsByPartition } of answer.resultsByTopicV3AndBelow) {
              // Those that stand beside the one that failed say OPERATION_NOT_ATTEMPTED: not the cause.
              const failed = resultsByPartition.find(({ partitionErrorCode: code }) => code !== 0 && code !== 55)
              if (failed) throw new KafkaError(failed.partitionErrorCode, `${doing} (${name}-${failed.partitionIndex})`)
            }
          },
          options.timeoutMs,
        )
        for (const [key] of adding) this.#added.add(key)
      } catch (error) {
        if (this.#state.kind === 'open') this.#judge(error as Error, doing)
        return
      }
    }
  }

  /** Asks the transaction coordinator, wherever it is, until it has answered or `max.block.ms` is over. */
  #ask<T>(
    doing: string,
    signal: AbortSignal | undefined,
    request: (node: number, signal: AbortSignal) => Promise<T>,
    timeoutMs = this.#maxBlockMs,
  ): Promise<T> {
    const cluster = this.#cluster
    const ends = signal ? AbortSignal.any([signal, cluster.closing]) : cluster.closing
    const onRetry = (error: Error) => {
      const isKafkas = error instanceof KafkaError
      if (!isKafkas || coordinatorErrors.has(error.error.name)) {
        cluster.forgetCoordinator('transaction', this.transactionalId)
      }
    }
    const options = { doing, timeoutMs, signal: ends, onRetry }
    return withRetries(cluster.seams, CONCURRENT_BACKOFF, options, async (signal) => {
      const node = await cluster.coordinatorOnce('transaction', this.transactionalId, signal)
      return request(node, signal)
    })
  }
}
