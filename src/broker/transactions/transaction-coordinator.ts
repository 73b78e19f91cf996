/**
 * The coordinator of all transactions of this broker: what the handlers call. Owns `__transaction_state` and the
 * producer ids, writes the markers that end a transaction, and finishes after a crash what had been decided before it.
 *
 * Each transactional id takes one step at a time: while a step is being written every other is refused with
 * CONCURRENT_TRANSACTIONS, which is retriable. A step counts when its record is in the log.
 * Who calls: handlers, concurrently. Errors are values (Kafka's names); a throw is a bug.
 */
import { DecodeError } from '../../protocol/decode-error.ts'
import { type ErrorName, KafkaError } from '../../protocol/error-codes.ts'
import { type TopicPartition } from '../../protocol/records/topic-partition.ts'
import { type Clock, type Timer } from '../../seams/clock.ts'
import { type Disk } from '../../seams/disk.ts'
import { type Logger } from '../../seams/logger.ts'
import { type BrokerConfig } from '../broker-config.ts'
import { type CoordinatorOptions, type GroupCoordinator } from '../groups/group-coordinator.ts'
import { coordinatorError, InternalTopic } from '../groups/internal-topic.ts'
import { type LogDirectory } from '../log/log-directory.ts'
import { ProducerIds } from './producer-ids.ts'
import { decodeTransaction, encodeTransaction } from './transaction-records.ts'
import {
  addPartitions,
  complete,
  initialize,
  isEpochExhausted,
  isExpired,
  isTimedOut,
  mayInitialize,
  needsNewProducerId,
  newTransaction,
  prepareEnd,
  prepareEndAndBump,
  prepareFence,
  type ProducerIdAndEpoch,
  rotate,
  type Step,
  type Transaction,
  verifyPartition,
} from './transaction-state.ts'

export interface TransactionCoordinatorOptions extends CoordinatorOptions {
  /** Holds the next producer ids, in the folder of the logs. */
  readonly disk: Disk
  /** Told when a transaction that committed offsets has ended. Started before this one. */
  readonly groups: GroupCoordinator
}

export interface Producer extends ProducerIdAndEpoch {
  readonly transactionalId: string
}

export interface InitializedProducer extends ProducerIdAndEpoch {
  readonly error: ErrorName
}

interface Entry {
  transaction: Transaction
  /** What is being written: one step, or the end of a transaction with its markers. */
  doing: 'step' | 'end' | undefined
  /** Resolves when the step that is being written is done. */
  step?: Promise<unknown> | undefined
}

const MARKER_RETRY_MS = 100
/** The topic was deleted meanwhile, or a newer producer or coordinator has been there: trying again changes nothing. */
const FINAL_MARKER_ERRORS: ReadonlySet<ErrorName> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'INVALID_PRODUCER_EPOCH',
  'TRANSACTION_COORDINATOR_FENCED',
])

export class TransactionCoordinator {
  readonly #config: BrokerConfig
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #logs: LogDirectory
  readonly #groups: GroupCoordinator
  readonly #topic: InternalTopic
  readonly #producerIds: ProducerIds
  readonly #entries = new Map<string, Entry>()
  readonly #timers = new Set<Timer>()
  readonly #stopping = new AbortController()
  #state: 'new' | 'loading' | 'active' | 'stopped' = 'new'

  constructor({ logs, clock, logger, config, disk, groups }: TransactionCoordinatorOptions) {
    this.#config = config
    this.#clock = clock
    this.#logger = logger
    this.#logs = logs
    this.#groups = groups
    this.#topic = new InternalTopic({
      logs,
      clock,
      name: '__transaction_state',
      partitionCount: config['transaction.state.log.num.partitions'],
      segmentBytes: config['transaction.state.log.segment.bytes'],
    })
    this.#producerIds = new ProducerIds({ disk, directory: logs.directory })
  }

  /** Reads `__transaction_state` and goes on with the markers of transactions whose end was decided. */
  async start(): Promise<void> {
    this.#state = 'loading'
    for (let partition = 0; this.#topic.exists && partition < this.#topic.partitionCount; partition++) {
      await this.#load(partition)
    }
    await this.#producerIds.load(this.#greatestProducerId())
    if (this.#state !== 'loading') return
    this.#state = 'active'
    for (const entry of this.#entries.values()) {
      const { status } = entry.transaction
      if (status === 'PrepareCommit' || status === 'PrepareAbort') {
        entry.doing = 'end'
        void this.#finish(entry)
      }
    }
    const { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': abortInterval } = this.#config
    this.#repeat(abortInterval, () => this.abortTimedOut())
    this.#repeat(this.#config['transaction.remove.expired.transaction.cleanup.interval.ms'], () => this.removeExpired())
  }

  async stop(): Promise<void> {
    this.#state = 'stopped'
    this.#stopping.abort()
    for (const timer of this.#timers) timer.cancel()
  }

  get availability(): 'NONE' | 'COORDINATOR_LOAD_IN_PROGRESS' | 'COORDINATOR_NOT_AVAILABLE' {
    if (this.#state === 'active') return 'NONE'
    return this.#state === 'stopped' ? 'COORDINATOR_NOT_AVAILABLE' : 'COORDINATOR_LOAD_IN_PROGRESS'
  }

  /** For a lookup: NONE when `__transaction_state` exists, which it does afterwards if it can. */
  async ready(): Promise<ErrorName> {
    if (this.#state === 'stopped') return 'COORDINATOR_NOT_AVAILABLE'
    try {
      await this.#topic.ensure()
      return 'NONE'
    } catch (error) {
      this.#logger.error({ err: error }, 'the topic __transaction_state could not be created')
      return 'COORDINATOR_NOT_AVAILABLE'
    }
  }

  /** A transactional id as it stands; for those who look. */
  transaction(transactionalId: string): Transaction | undefined {
    return this.#entries.get(transactionalId)?.transaction
  }

  /** `expected`: what a producer that goes on after an error has (KIP-360). */
  async initProducerId(
    transactionalId: string | null,
    timeoutMs: number,
    expected: ProducerIdAndEpoch | undefined,
  ): Promise<InitializedProducer> {
    if (transactionalId === '') return failed('INVALID_REQUEST')
    const error = transactionalId === null ? this.availability : await this.#available()
    if (error !== 'NONE') return failed(error)
    try {
      if (transactionalId === null)
        return { error: 'NONE', producerId: await this.#producerIds.next(), producerEpoch: 0 }
      if (timeoutMs <= 0 || timeoutMs > this.#config['transaction.max.timeout.ms']) {
        return failed('INVALID_TRANSACTION_TIMEOUT')
      }
      const entry = this.#entries.get(transactionalId) ?? (await this.#create(transactionalId, timeoutMs))
      return await this.#initialize(entry, timeoutMs, expected)
    } catch (cause) {
      this.#logger.error({ transactionalId, err: cause }, 'a producer id could not be given')
      return failed('UNKNOWN_SERVER_ERROR')
    }
  }

  async #create(transactionalId: string, timeoutMs: number): Promise<Entry> {
    const producerId = await this.#producerIds.next()
    // Two producers may have come at once: the first one's stands.
    let entry = this.#entries.get(transactionalId)
    if (!entry) {
      entry = {
        transaction: newTransaction(transactionalId, producerId, timeoutMs, this.#clock.now()),
        doing: undefined,
      }
      this.#entries.set(transactionalId, entry)
    }
    return entry
  }

  async #initialize(
    entry: Entry,
    timeoutMs: number,
    expected: ProducerIdAndEpoch | undefined,
  ): Promise<InitializedProducer> {
    if (entry.doing) return failed('CONCURRENT_TRANSACTIONS')
    const { transaction } = entry
    if (!mayInitialize(transaction, expected)) return failed('PRODUCER_FENCED')
    const { status } = transaction
    switch (status) {
      case 'PrepareCommit':
      case 'PrepareAbort':
        return failed('CONCURRENT_TRANSACTIONS')
      case 'Ongoing': {
        // The open one is aborted first. The client comes again, and its next epoch is one more than the fence's.
        const error = await this.#end(entry, { next: prepareFence(transaction, this.#clock.now()) })
        return failed(error === 'NONE' ? 'CONCURRENT_TRANSACTIONS' : error)
      }
      case 'Empty':
      case 'CompleteCommit':
      case 'CompleteAbort': {
        entry.doing = 'step'
        let step: Step
        try {
          step = needsNewProducerId(transaction, expected)
            ? { next: rotate(transaction, await this.#producerIds.next(), !!expected, timeoutMs, this.#clock.now()) }
            : initialize(transaction, expected, timeoutMs, this.#clock.now())
        } finally {
          entry.doing = undefined
        }
        const error = await this.#take(entry, step)
        if (error !== 'NONE') return failed(error)
        const { producerId, producerEpoch } = entry.transaction
        return { error, producerId, producerEpoch }
      }
      default:
        return status satisfies never
    }
  }

  addPartitions(producer: Producer, partitions: readonly TopicPartition[]): Promise<ErrorName> {
    return this.#add(producer, partitions, false)
  }

  /** The partition of `__consumer_offsets` that holds the group joins the transaction, as the group's commits will stand there. */
  async addOffsets(producer: Producer, groupId: string): Promise<ErrorName> {
    const error = await this.#groups.ready()
    return error === 'NONE' ? this.#add(producer, [this.#offsetsPartition(groupId)], false) : error
  }

  /**
   * For a write (Produce 12 on) that adds its partition itself. Errors are those of a write: `verifyPartition`'s. A
   * producer writes to many partitions at once, and each of these steps waits for the one before.
   */
  async addByWriting(producer: Producer, topicPartition: TopicPartition): Promise<ErrorName> {
    for (;;) {
      const error = await this.#add(producer, [topicPartition], true)
      const entry = this.#entries.get(producer.transactionalId)
      if (error === 'CONCURRENT_TRANSACTIONS' && entry?.step) await entry.step
      else return error === 'PRODUCER_FENCED' ? 'INVALID_PRODUCER_EPOCH' : error
    }
  }

  /** The same for a commit (TxnOffsetCommit 5 on). */
  async addByCommitting(producer: Producer, groupId: string): Promise<ErrorName> {
    const error = await this.#groups.ready()
    return error === 'NONE' ? this.addByWriting(producer, this.#offsetsPartition(groupId)) : error
  }

  async #add(producer: Producer, partitions: readonly TopicPartition[], bumpsEpoch: boolean): Promise<ErrorName> {
    const error = await this.#available()
    if (error !== 'NONE') return error
    if (producer.transactionalId === '') return 'INVALID_REQUEST'
    const entry = this.#entries.get(producer.transactionalId)
    if (!entry) return 'INVALID_PRODUCER_ID_MAPPING'
    return this.#take(entry, addPartitions(entry.transaction, producer, partitions, this.#clock.now(), bumpsEpoch))
  }

  /**
   * undefined if this producer may write to this partition as part of its transaction, now: call it in the same turn as
   * the append, so that no marker can come between. TRANSACTION_ABORTABLE is for the clients that know it.
   */
  verifyPartition(producer: Producer & TopicPartition): ErrorName | undefined {
    if (this.availability !== 'NONE') return this.availability
    const entry = this.#entries.get(producer.transactionalId)
    if (!entry) return 'INVALID_PRODUCER_ID_MAPPING'
    const error = verifyPartition(entry.transaction, producer, producer)
    // Of this Kafka tells a producer by its epoch.
    if (error !== 'NONE') return error === 'PRODUCER_FENCED' ? 'INVALID_PRODUCER_EPOCH' : error
    // The record of its end is on its way to the log, and the marker follows.
    return entry.doing === 'end' ? 'CONCURRENT_TRANSACTIONS' : undefined
  }

  /** As `verifyPartition`, for a group's commits. */
  verifyOffsets(producer: Producer, groupId: string): ErrorName | undefined {
    return this.verifyPartition({ ...producer, ...this.#offsetsPartition(groupId) })
  }

  /** Resolves when the decision is on disk and the markers were written once over; what failed goes on behind. */
  async endTransaction(producer: Producer, result: 'commit' | 'abort'): Promise<ErrorName> {
    const error = await this.#available()
    if (error !== 'NONE') return error
    if (producer.transactionalId === '') return 'INVALID_REQUEST'
    const entry = this.#entries.get(producer.transactionalId)
    if (!entry) return 'INVALID_PRODUCER_ID_MAPPING'
    return this.#end(entry, prepareEnd(entry.transaction, producer, result, this.#clock.now()))
  }

  /** As `endTransaction`, for clients that go on with the epoch (and producer id) that this resolves with (KIP-890, part 2). */
  async endTransactionAndBump(producer: Producer, result: 'commit' | 'abort'): Promise<InitializedProducer> {
    const error = await this.#available()
    if (error !== 'NONE') return failed(error)
    if (producer.transactionalId === '') return failed('INVALID_REQUEST')
    const entry = this.#entries.get(producer.transactionalId)
    if (!entry) return failed('INVALID_PRODUCER_ID_MAPPING')
    try {
      const newProducerId = isEpochExhausted(entry.transaction.producerEpoch) ? await this.#producerIds.next() : -1
      const step = prepareEndAndBump(entry.transaction, producer, result, this.#clock.now(), newProducerId)
      const refused = await this.#end(entry, step)
      if (refused !== 'NONE') return failed(refused)
    } catch (cause) {
      this.#logger.error({ ...producer, err: cause }, 'a producer id could not be given')
      return failed('UNKNOWN_SERVER_ERROR')
    }
    // While the markers are still being written, the client is told what will be when they are.
    const { producerId, producerEpoch, nextProducerId } = entry.transaction
    if (nextProducerId !== -1) return { error: 'NONE', producerId: nextProducerId, producerEpoch: 0 }
    return { error: 'NONE', producerId, producerEpoch }
  }

  /** Aborts what is open for longer than its timeout. Done every `transaction.abort.timed.out.transaction.cleanup.interval.ms`. */
  async abortTimedOut(): Promise<void> {
    for (const entry of this.#entries.values()) {
      const now = this.#clock.now()
      if (entry.doing || !isTimedOut(entry.transaction, now)) continue
      const { transactionalId, timeoutMs } = entry.transaction
      this.#logger.info({ transactionalId, timeoutMs }, 'a transaction is aborted, as its timeout has passed')
      await this.#end(entry, { next: prepareFence(entry.transaction, now) })
    }
  }

  /** Forgets transactional ids that were not used for `transactional.id.expiration.ms`. */
  async removeExpired(): Promise<void> {
    const expirationMs = this.#config['transactional.id.expiration.ms']
    for (const [transactionalId, entry] of this.#entries) {
      if (entry.doing || !isExpired(entry.transaction, expirationMs, this.#clock.now())) continue
      entry.doing = 'step'
      try {
        await this.#topic.append(this.#topic.partitionOf(transactionalId), [encodeTransaction(transactionalId, null)])
        this.#entries.delete(transactionalId)
      } catch (error) {
        this.#logger.warn({ transactionalId, err: error }, 'a transactional id could not be removed')
      } finally {
        entry.doing = undefined
      }
    }
  }

  async #end(entry: Entry, step: Step): Promise<ErrorName> {
    const refused = refusalOf(entry, step)
    if (refused) return refused
    entry.doing = 'end'
    const error = await this.#write(entry, (step as { next: Transaction }).next)
    if (error !== 'NONE') {
      entry.doing = undefined
      return error
    }
    const done = (await this.#writeMarkers(entry)) && (await this.#complete(entry))
    if (!done) void this.#finish(entry)
    return 'NONE'
  }

  /** Goes on until the markers stand in every partition and that is on record. */
  async #finish(entry: Entry): Promise<void> {
    for (;;) {
      if (this.#state === 'stopped') return
      if ((await this.#writeMarkers(entry)) && (await this.#complete(entry))) return
      await this.#clock.sleep(MARKER_RETRY_MS, this.#stopping.signal)
    }
  }

  /** False if any partition has to be tried again. A marker that is written twice changes nothing. */
  async #writeMarkers({ transaction }: Entry): Promise<boolean> {
    const { transactionalId, producerId, producerEpoch } = transaction
    const type = transaction.status === 'PrepareCommit' ? 'commit' : 'abort'
    const coordinatorEpoch = this.#topic.partition(this.#topic.partitionOf(transactionalId))?.leaderEpoch ?? 0
    const write = async ({ topic, partition }: TopicPartition): Promise<boolean> => {
      const log = this.#logs.partition(topic, partition)
      // The topic was deleted, and the transaction's records with it.
      if (!log) return true
      try {
        await log.appendControl({ type, producerId, producerEpoch, coordinatorEpoch })
      } catch (error) {
        this.#logger.warn({ transactionalId, topic, partition, err: error }, 'a transaction marker was not written')
        return error instanceof KafkaError && FINAL_MARKER_ERRORS.has(error.error.name)
      }
      if (topic === '__consumer_offsets') this.#groups.transactionEnded(producerId, type)
      return true
    }
    const outcomes = await Promise.all([...transaction.partitions.values()].map(write))
    return outcomes.every(Boolean)
  }

  async #complete(entry: Entry): Promise<boolean> {
    const error = await this.#write(entry, complete(entry.transaction, this.#clock.now()))
    if (error === 'NONE') entry.doing = undefined
    return error === 'NONE'
  }

  async #take(entry: Entry, step: Step): Promise<ErrorName> {
    const refused = refusalOf(entry, step)
    if (refused) return refused
    entry.doing = 'step'
    const written = this.#write(entry, (step as { next: Transaction }).next)
    entry.step = written
    const error = await written
    // Before those who wait for the step go on: they came later.
    entry.step = undefined
    entry.doing = undefined
    return error
  }

  /** Writes the next state, then lets it count. */
  async #write(entry: Entry, next: Transaction): Promise<ErrorName> {
    const { transactionalId } = next
    try {
      await this.#topic.append(this.#topic.partitionOf(transactionalId), [encodeTransaction(transactionalId, next)])
      entry.transaction = next
      return 'NONE'
    } catch (cause) {
      this.#logger.error({ transactionalId, err: cause }, 'the state of a transaction could not be written')
      return coordinatorError(cause)
    }
  }

  #offsetsPartition(groupId: string): TopicPartition {
    return { topic: '__consumer_offsets', partition: this.#groups.partitionOf(groupId) }
  }

  async #available(): Promise<ErrorName> {
    return this.availability === 'NONE' ? this.ready() : this.availability
  }

  #repeat(intervalMs: number, work: () => Promise<void>): void {
    if (this.#state !== 'active') return
    const run = () => {
      this.#timers.delete(timer)
      void work().finally(() => this.#repeat(intervalMs, work))
    }
    const timer = this.#clock.setTimer(intervalMs, run, { background: true })
    this.#timers.add(timer)
  }

  /** What stands in the logs and among the transactional ids; -1 if nobody has one. */
  #greatestProducerId(): number {
    let greatest = -1
    for (const { transaction } of this.#entries.values()) greatest = Math.max(greatest, transaction.producerId)
    for (const { partitions } of this.#logs.topics()) {
      for (const log of partitions) {
        for (const { producerId } of log.producers()) greatest = Math.max(greatest, producerId)
      }
    }
    return greatest
  }

  async #load(partition: number): Promise<void> {
    for await (const { records } of this.#topic.read(partition)) {
      for (const { key, value, offset } of records) {
        try {
          if (!key) continue
          const { transactionalId, transaction } = decodeTransaction(key, value)
          if (transaction) this.#entries.set(transactionalId, { transaction, doing: undefined })
          else this.#entries.delete(transactionalId)
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error
          this.#logger.warn({ partition, offset, err: error }, 'a record of __transaction_state is passed over')
        }
      }
    }
  }
}

/** Why a step is not taken: first who asks, then whether another step is under way, then the state. */
function refusalOf({ doing }: Entry, step: Step): ErrorName | undefined {
  const error = 'error' in step ? step.error : undefined
  if (error === 'INVALID_PRODUCER_ID_MAPPING' || error === 'PRODUCER_FENCED') return error
  return doing ? 'CONCURRENT_TRANSACTIONS' : error
}

function failed(error: ErrorName): InitializedProducer {
  return { error, producerId: -1, producerEpoch: -1 }
}
