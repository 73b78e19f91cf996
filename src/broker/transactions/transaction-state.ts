/**
 * One transactional id as a value, and the steps that it may take: each a function from the present state to the next
 * one, or to the error that the client gets. No I/O; that the next state is written before it counts is
 * transaction-coordinator.ts' part.
 *
 *                    InitProducerId (fences: epoch + 1)
 *      ┌───────────────────────────────────────────────────────────┐
 *      ▼                                                           │
 *    Empty ──partitions added──► Ongoing ──EndTxn──► PrepareCommit ──markers──► CompleteCommit ──┐
 *                                 ▲    │                                                         │ partitions added
 *                                 │    └──EndTxn, timeout, ────► PrepareAbort ──markers──► CompleteAbort
 *                                 │       InitProducerId                                         │
 *                                 └──────────────────────────────────────────────────────────────┘
 *
 * From a Prepare state there is only one way out, whatever happens: what is on disk decides, and the markers are written
 * again after a crash. Follows TransactionMetadata and TransactionCoordinator of Apache Kafka 4.3 (Apache-2.0).
 *
 * There are two generations of clients. Those of EndTxn 5 (KIP-890, part 2) get a new epoch with the end of every
 * transaction, so that nothing late of the last one can be taken for the next; they may also abort when nothing is open,
 * as they add partitions by writing and cannot know whether a write arrived. For older ones the epoch stays.
 */
import { type ErrorName } from '../../protocol/error-codes.ts'
import { type TopicPartition, topicPartitionKey } from '../../protocol/records/topic-partition.ts'

export type TransactionStatus =
  | 'Empty'
  | 'Ongoing'
  | 'PrepareCommit'
  | 'PrepareAbort'
  | 'CompleteCommit'
  | 'CompleteAbort'

export interface Transaction {
  readonly transactionalId: string
  readonly producerId: number
  /** The id before the last change of it; -1 if there was none. */
  readonly previousProducerId: number
  /** The id that follows when the present transaction has ended, as its epochs are used up; otherwise -1. */
  readonly nextProducerId: number
  /** Whether the last end was asked for by a client that gets a new epoch with it. */
  readonly bumpsEpoch: boolean
  /** -1 until the first InitProducerId is answered. */
  readonly producerEpoch: number
  /** The epoch before the last bump that the producer itself asked for, so that it may ask again; -1 otherwise. Not stored. */
  readonly lastProducerEpoch: number
  readonly timeoutMs: number
  readonly status: TransactionStatus
  /** By their names, `topic-partition`. */
  readonly partitions: ReadonlyMap<string, TopicPartition>
  /** Milliseconds since 1970; -1 while none has begun. */
  readonly startTimestamp: number
  readonly lastUpdateTimestamp: number
}

export interface ProducerIdAndEpoch {
  readonly producerId: number
  readonly producerEpoch: number
}

export type Step = { readonly next: Transaction } | { readonly error: ErrorName }

export const NO_PARTITIONS: ReadonlyMap<string, TopicPartition> = new Map()
const LARGEST_EPOCH = 0x7fff

/** The last epoch is kept for fencing. */
export function isEpochExhausted(epoch: number): boolean {
  return epoch >= LARGEST_EPOCH - 1
}

export function newTransaction(
  transactionalId: string,
  producerId: number,
  timeoutMs: number,
  now: number,
): Transaction {
  return {
    transactionalId,
    producerId,
    previousProducerId: -1,
    nextProducerId: -1,
    bumpsEpoch: false,
    producerEpoch: -1,
    lastProducerEpoch: -1,
    timeoutMs,
    status: 'Empty',
    partitions: NO_PARTITIONS,
    startTimestamp: -1,
    lastUpdateTimestamp: now,
  }
}

/** Whether InitProducerId comes from somebody who may have this transactional id; its epoch is looked at later. */
export function mayInitialize(transaction: Transaction, expected: ProducerIdAndEpoch | undefined): boolean {
  if (!expected || transaction.producerEpoch === -1) return true
  if (expected.producerId === transaction.producerId) return true
  // A retry of the call that changed the producer id, of which the producer never saw the answer.
  return expected.producerId === transaction.previousProducerId && isEpochExhausted(expected.producerEpoch)
}

/** Whether InitProducerId has to be given a new producer id, as there are no epochs left. */
export function needsNewProducerId(transaction: Transaction, expected: ProducerIdAndEpoch | undefined): boolean {
  if (!isEpochExhausted(transaction.producerEpoch)) return false
  return !expected || expected.producerEpoch === transaction.producerEpoch
}

/** InitProducerId while no transaction is open: the epoch goes up, which fences everybody who had the old one. */
export function initialize(
  transaction: Transaction,
  expected: ProducerIdAndEpoch | undefined,
  timeoutMs: number,
  now: number,
): Step {
  const { producerEpoch, lastProducerEpoch } = transaction
  const fresh = {
    timeoutMs,
    status: 'Empty',
    partitions: NO_PARTITIONS,
    startTimestamp: -1,
    lastUpdateTimestamp: now,
  } as const
  const bumped = (last: number): Step => ({
    next: {
      ...transaction,
      ...fresh,
      producerEpoch: producerEpoch + 1,
      lastProducerEpoch: last,
      previousProducerId: transaction.producerId,
    },
  })
  if (!expected) return bumped(-1)
  if (producerEpoch === -1 || expected.producerEpoch === producerEpoch) return bumped(producerEpoch)
  // A retry: the answer was lost, the epoch has been bumped.
  if (expected.producerEpoch === lastProducerEpoch) {
    return { next: { ...transaction, ...fresh, previousProducerId: transaction.producerId } }
  }
  return { error: 'PRODUCER_FENCED' }
}

/** InitProducerId when the epochs of the present producer id are used up. */
export function rotate(
  transaction: Transaction,
  newProducerId: number,
  keepEpoch: boolean,
  timeoutMs: number,
  now: number,
): Transaction {
  return {
    ...transaction,
    producerId: newProducerId,
    previousProducerId: transaction.producerId,
    nextProducerId: -1,
    bumpsEpoch: false,
    producerEpoch: 0,
    lastProducerEpoch: keepEpoch ? transaction.producerEpoch : -1,
    timeoutMs,
    status: 'Empty',
    partitions: NO_PARTITIONS,
    startTimestamp: -1,
    lastUpdateTimestamp: now,
  }
}

function checkProducer(transaction: Transaction, producer: ProducerIdAndEpoch): ErrorName {
  if (transaction.producerId !== producer.producerId) return 'INVALID_PRODUCER_ID_MAPPING'
  if (transaction.producerEpoch !== producer.producerEpoch) return 'PRODUCER_FENCED'
  return 'NONE'
}

/** `error: NONE` when all of them are in the transaction already and nothing has to be written. */
export function addPartitions(
  transaction: Transaction,
  producer: ProducerIdAndEpoch,
  added: readonly TopicPartition[],
  now: number,
  bumpsEpoch = false,
): Step {
  const error = checkProducer(transaction, producer)
  if (error !== 'NONE') return { error }
  const { status } = transaction
  switch (status) {
    case 'PrepareCommit':
    case 'PrepareAbort':
      return { error: 'CONCURRENT_TRANSACTIONS' }
    case 'Ongoing':
      if (added.every((one) => transaction.partitions.has(topicPartitionKey(one)))) return { error: 'NONE' }
      return { next: { ...withPartitions(transaction, added, transaction.startTimestamp, now), bumpsEpoch } }
    case 'Empty':
    case 'CompleteCommit':
    case 'CompleteAbort':
      return { next: { ...withPartitions(transaction, added, now, now), bumpsEpoch } }
    default:
      return status satisfies never
  }
}

function withPartitions(
  transaction: Transaction,
  added: readonly TopicPartition[],
  startTimestamp: number,
  now: number,
) {
  const partitions = new Map(transaction.partitions)
  for (const one of added) partitions.set(topicPartitionKey(one), one)
  return { ...transaction, status: 'Ongoing' as const, partitions, startTimestamp, lastUpdateTimestamp: now }
}

/** NONE if records of this producer may be written to this partition as part of its open transaction. */
export function verifyPartition(
  transaction: Transaction,
  producer: ProducerIdAndEpoch,
  topicPartition: TopicPartition,
): ErrorName {
  const error = checkProducer(transaction, producer)
  if (error !== 'NONE') return error
  if (transaction.status === 'PrepareCommit' || transaction.status === 'PrepareAbort') return 'CONCURRENT_TRANSACTIONS'
  const isOpen = transaction.status === 'Ongoing' && transaction.partitions.has(topicPartitionKey(topicPartition))
  return isOpen ? 'NONE' : 'TRANSACTION_ABORTABLE'
}

/** EndTxn. `error: NONE` for a retry of one that has been completed. */
export function prepareEnd(
  transaction: Transaction,
  producer: ProducerIdAndEpoch,
  result: 'commit' | 'abort',
  now: number,
): Step {
  const error = checkProducer(transaction, producer)
  if (error !== 'NONE') return { error }
  const same = result === 'commit' ? 'Commit' : 'Abort'
  const { status } = transaction
  switch (status) {
    case 'Ongoing':
      return { next: { ...transaction, status: `Prepare${same}`, bumpsEpoch: false, lastUpdateTimestamp: now } }
    case 'CompleteCommit':
    case 'CompleteAbort':
      return { error: status === `Complete${same}` ? 'NONE' : 'INVALID_TXN_STATE' }
    case 'PrepareCommit':
    case 'PrepareAbort':
      return { error: status === `Prepare${same}` ? 'CONCURRENT_TRANSACTIONS' : 'INVALID_TXN_STATE' }
    case 'Empty':
      return { error: 'INVALID_TXN_STATE' }
    default:
      return status satisfies never
  }
}

/**
 * EndTxn 5: as `prepareEnd`, and the epoch goes up. `newProducerId` is needed when the epochs are used up. A retry is known by
 * the epoch: it is the one before.
 */
export function prepareEndAndBump(
  transaction: Transaction,
  producer: ProducerIdAndEpoch,
  result: 'commit' | 'abort',
  now: number,
  newProducerId = -1,
): Step {
  const { status, producerEpoch, bumpsEpoch } = transaction
  const isBumped = bumpsEpoch && producerEpoch === producer.producerEpoch + 1
  const isRotated =
    bumpsEpoch &&
    producerEpoch === 0 &&
    transaction.previousProducerId === producer.producerId &&
    producer.producerEpoch === LARGEST_EPOCH - 1
  const isRetry = isBumped || isRotated
  if (transaction.producerId !== producer.producerId && !isRotated) return { error: 'INVALID_PRODUCER_ID_MAPPING' }
  const isOpenOrEmpty = status === 'Ongoing' || status === 'Empty'
  const isPresent = producerEpoch === producer.producerEpoch && !(bumpsEpoch && status.startsWith('Prepare'))
  if (!isPresent && !(isRetry && !isOpenOrEmpty)) return { error: 'PRODUCER_FENCED' }
  const same = result === 'commit' ? 'Commit' : 'Abort'
  const bumped = (): Step => ({
    next: {
      ...transaction,
      status: `Prepare${same}`,
      producerEpoch: producerEpoch + 1,
      lastProducerEpoch: producerEpoch,
      nextProducerId: isEpochExhausted(producerEpoch) ? newProducerId : -1,
      bumpsEpoch: true,
      startTimestamp: status === 'Ongoing' ? transaction.startTimestamp : now,
      lastUpdateTimestamp: now,
    },
  })
  switch (status) {
    case 'Ongoing':
      return bumped()
    case 'Empty':
      return result === 'abort' ? bumped() : { error: 'INVALID_TXN_STATE' }
    case 'PrepareCommit':
    case 'PrepareAbort':
      return { error: status === `Prepare${same}` ? 'CONCURRENT_TRANSACTIONS' : 'INVALID_TXN_STATE' }
    case 'CompleteCommit':
    case 'CompleteAbort':
      if (isRetry) return { error: status === `Complete${same}` ? 'NONE' : 'INVALID_TXN_STATE' }
      return result === 'abort' ? bumped() : { error: 'INVALID_TXN_STATE' }
    default:
      return status satisfies never
  }
}

/** Aborts an open transaction over its producer's head; the epoch is one that nobody was ever given. */
export function prepareFence(transaction: Transaction, now: number): Transaction {
  const producerEpoch = Math.min(transaction.producerEpoch + 1, LARGEST_EPOCH)
  const fence = { producerEpoch, lastProducerEpoch: -1, bumpsEpoch: false, nextProducerId: -1 }
  return { ...transaction, ...fence, status: 'PrepareAbort', lastUpdateTimestamp: now }
}

/** The markers stand in every partition. */
export function complete(transaction: Transaction, now: number): Transaction {
  const status = transaction.status === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort'
  const rest = { status, partitions: NO_PARTITIONS, lastUpdateTimestamp: now } as const
  const { producerId, nextProducerId } = transaction
  if (nextProducerId === -1) return { ...transaction, ...rest }
  const rotated = { producerId: nextProducerId, previousProducerId: producerId, nextProducerId: -1, producerEpoch: 0 }
  return { ...transaction, ...rest, ...rotated }
}

export function isTimedOut({ status, startTimestamp, timeoutMs }: Transaction, now: number): boolean {
  return status === 'Ongoing' && startTimestamp + timeoutMs < now
}

export function isExpired({ status, lastUpdateTimestamp }: Transaction, expirationMs: number, now: number): boolean {
  const atRest = status === 'Empty' || status === 'CompleteCommit' || status === 'CompleteAbort'
  return atRest && lastUpdateTimestamp <= now - expirationMs
}
