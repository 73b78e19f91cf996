/**
 * Producers as an application needs them: one for what is sent at once, one for transactions, each made when it is first used.
 *
 * A transaction is open only while its records and offsets, which are all known already, are sent. So its `transactional.id` can be new with each
 * process (no two processes may share one): what fences a stale owner is the group's generation, sent with the offsets, and what a dead
 * process left open ends after `transaction.timeout.ms`.
 */
import { SluiceError } from '../error.ts'
import { Admin } from '../client/admin/index.ts'
import type { PropertyBag } from '../client/config.ts'
import { KafkaError } from '../protocol/error-codes.ts'
import { InvalidArgumentError, RecordTooLargeError, TimeoutError, TransactionAbortableError } from '../client/errors.ts'
import { Producer } from '../client/producer/index.ts'
import { type ProducerRecord, SendBatchError } from '../client/producer/record.ts'
import type { GroupMetadata, OffsetToCommit } from '../client/producer/transaction-offsets.ts'
import { adminProperties, producerProperties } from '../client/properties.ts'
import { isRetriable } from '../client/retry.ts'
import type { ClientSeams } from '../client/seams.ts'
import type { PartitionOffset } from './consumer-port.ts'
import { OutputRefusedError, TransactionBrokenError, TransactionsRefusedError } from './errors.ts'
import type { ProducerPort } from './producer-port.ts'

/** Kafka Streams' own, for the same use: a member that died holds up readers of its output, and its successor, for this long. */
const TRANSACTION_TIMEOUT_MS = 10_000

export interface KafkaProducerPortOptions {
  /** Of the consumer, and the application's `producer` above them. */
  readonly consumer: PropertyBag
  readonly producer: PropertyBag
  readonly transactionalIdPrefix: string
  readonly seams: ClientSeams
}

export class KafkaProducerPort implements ProducerPort {
  readonly #options: KafkaProducerPortOptions
  #plain: Producer | undefined
  #transactional: Promise<Producer> | undefined
  /** Aborts when nobody waits for what is under way any more. */
  readonly #closing = new AbortController()

  constructor(options: KafkaProducerPortOptions) {
    this.#options = options
  }

  async send(record: ProducerRecord, signal: AbortSignal): Promise<void> {
    this.#plain ??= new Producer(this.#properties(), this.#options.seams)
    await this.#plain.send(record, { signal })
  }

  async ensureTopic(topic: string, like: string, signal: AbortSignal): Promise<void> {
    const { consumer, seams } = this.#options
    const admin = new Admin(shared(consumer, adminProperties), seams)
    try {
      const described = await admin.describeTopics([topic, like], { signal })
      if (described.values.has(topic)) return
      const failure = described.failures.get(topic)
      if (failure && !isUnknownTopic(failure)) throw failure
      const partitions = described.values.get(like)?.partitions.length
      await admin.createTopics([{ name: topic, partitions }], { signal })
    } catch (error) {
      if (error instanceof KafkaError && error.error.name === 'TOPIC_ALREADY_EXISTS') return
      throw error
    } finally {
      await admin.close()
    }
  }

  /** A failure before the end is asked for aborts it, so that nothing of it counts; one of the end itself leaves that open. */
  async transact(
    records: readonly ProducerRecord[],
    offsets: readonly PartitionOffset[],
    group: GroupMetadata,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const producer = await this.#transactionalProducer()
    signal?.throwIfAborted()
    try {
      producer.beginTransaction()
    } catch (error) {
      // Fenced or failed for good, earlier: only a new producer goes on.
      throw new TransactionBrokenError('beginning a transaction', error as Error)
    }
    try {
      if (records.length > 0) await producer.sendBatch(records, { signal })
      await producer.sendOffsetsToTransaction(offsets.map(toCommit), group, { signal })
    } catch (error) {
      await this.#abort(producer, error as Error)
      const refusal = refusalIn(error as Error)
      throw refusal ? new OutputRefusedError(refusal) : error
    }
    await this.#commit(producer, signal)
  }

  /** Once the end is asked for, only its answer tells whether it counts: an abort of the caller's does not end the waiting at once. */
  async #commit(producer: Producer, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      try {
        return await producer.commitTransaction({ signal: this.#closing.signal })
      } catch (error) {
        // Asked again, it goes on where it was.
        if (error instanceof TimeoutError && !signal?.aborted) continue
        if (error instanceof TransactionAbortableError) {
          await this.#abort(producer, error)
          throw error
        }
        throw new TransactionBrokenError('committing a transaction', error as Error)
      }
    }
  }

  async #abort(producer: Producer, cause: Error): Promise<void> {
    try {
      await producer.abortTransaction({ signal: this.#closing.signal })
    } catch (error) {
      throw new TransactionBrokenError(`aborting a transaction (after: ${cause.message})`, error as Error)
    }
  }

  /** Its making is nobody's own: the one who asked first may have given up while others still wait. */
  #transactionalProducer(): Promise<Producer> {
    this.#transactional ??= this.#begin().catch((error: Error) => {
      this.#transactional = undefined
      throw error
    })
    return this.#transactional
  }

  async #begin(): Promise<Producer> {
    const { transactionalIdPrefix, seams } = this.#options
    const id = `${transactionalIdPrefix}-${seams.random.uuid()}`
    const producer = new Producer(
      { 'transaction.timeout.ms': TRANSACTION_TIMEOUT_MS, ...this.#properties(), 'transactional.id': id },
      seams,
    )
    try {
      await producer.initTransactions({ signal: this.#closing.signal })
      return producer
    } catch (error) {
      await producer.close({ timeoutMs: 0 })
      if (this.#closing.signal.aborted || isRetriable(error)) throw error
      throw new TransactionsRefusedError(transactionalIdPrefix, error as Error)
    }
  }

  #properties(): PropertyBag {
    if (this.#closing.signal.aborted) throw new SluiceError('SLUICE_CLOSED', 'the application’s producer is closed')
    const { consumer, producer } = this.#options
    return { ...shared(consumer, producerProperties), ...producer }
  }

  async close(timeoutMs: number): Promise<void> {
    this.#closing.abort()
    const transactional = await this.#transactional?.catch(() => undefined)
    await Promise.all([this.#plain?.close({ timeoutMs }), transactional?.close({ timeoutMs })])
  }
}

/** What no repetition cures, and what is the record's or its topic's own. */
const refusals: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_TOPIC_EXCEPTION',
  'TOPIC_AUTHORIZATION_FAILED',
  'INVALID_TIMESTAMP',
  'INVALID_RECORD',
])

/** A batch's other records fail with it, by an error that has its cause in that one. */
function refusalIn(error: Error): Error | undefined {
  const all = error instanceof SendBatchError ? error.failures.map((failure) => failure.error) : [error]
  const causes = all.flatMap((one) => (one.cause instanceof Error ? [one, one.cause] : [one]))
  return causes.find(
    (one) =>
      one instanceof RecordTooLargeError ||
      one instanceof InvalidArgumentError ||
      (one instanceof KafkaError && refusals.has(one.error.name)),
  )
}

function toCommit({ topicPartition, offset }: PartitionOffset): OffsetToCommit {
  return [topicPartition, { offset }]
}

/** The consumer's properties that the other client has too: where the cluster is, and how to speak to it. */
function shared(properties: PropertyBag, known: Readonly<Record<string, unknown>>): PropertyBag {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => Object.hasOwn(known, name)))
}

function isUnknownTopic(error: Error): boolean {
  return error instanceof KafkaError && error.error.name === 'UNKNOWN_TOPIC_OR_PARTITION'
}
