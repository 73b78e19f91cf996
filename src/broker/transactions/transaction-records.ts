/** The records of `__transaction_state` as bytes: key version 0, value version 1 as Apache Kafka 4.3 writes them (0 is read). */
import { DecodeError } from '../../protocol/decode-error.ts'
import { type TopicPartition, topicPartitionKey } from '../../protocol/records/topic-partition.ts'
import { transactionLogKey, transactionLogValue } from '../../protocol/stored/transaction-records.ts'
import { type KeyedRecord } from '../groups/group-records.ts'
import { type Transaction, type TransactionStatus } from './transaction-state.ts'

/** A status' place is its number on disk. 6 and 7 (Dead, PrepareEpochFence) are never written. */
const statuses: readonly TransactionStatus[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
]

/** `transaction.version` of the clients that get a new epoch with the end of every transaction. */
const EPOCH_BUMPING_CLIENT = 2

export function encodeTransaction(transactionalId: string, transaction: Transaction | null): KeyedRecord {
  const key = transactionLogKey.encode(0, { transactionalId })
  if (transaction === null) return { key, value: null }
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of transaction.partitions.values()) {
    const partitionIds = topics.get(topic)
    if (partitionIds) partitionIds.push(partition)
    else topics.set(topic, [partition])
  }
  const transactionPartitions = [...topics].map(([topic, partitionIds]) => ({ topic, partitionIds }))
  const value = transactionLogValue.encode(1, {
    producerId: transaction.producerId,
    previousProducerId: transaction.previousProducerId,
    nextProducerId: transaction.nextProducerId,
    producerEpoch: transaction.producerEpoch,
    transactionTimeoutMs: transaction.timeoutMs,
    transactionStatus: statuses.indexOf(transaction.status),
    transactionPartitions: transaction.status === 'Empty' ? null : transactionPartitions,
    transactionLastUpdateTimestampMs: transaction.lastUpdateTimestamp,
    transactionStartTimestampMs: transaction.startTimestamp,
    clientTransactionVersion: transaction.bumpsEpoch ? EPOCH_BUMPING_CLIENT : 0,
  })
  return { key, value }
}

/** @throws DecodeError for what no broker writes */
export function decodeTransaction(
  key: Buffer,
  value: Buffer | null,
): { transactionalId: string; transaction: Transaction | null } {
  const { transactionalId } = transactionLogKey.decode(key).value
  if (!value) return { transactionalId, transaction: null }
  const stored = transactionLogValue.decode(value).value
  const status = statuses[stored.transactionStatus]
  if (!status) throw new DecodeError(`A transaction has the status ${stored.transactionStatus}`)
  const partitions = new Map<string, TopicPartition>()
  for (const { topic, partitionIds } of stored.transactionPartitions ?? []) {
    for (const partition of partitionIds) partitions.set(topicPartitionKey({ topic, partition }), { topic, partition })
  }
  const transaction: Transaction = {
    transactionalId,
    producerId: stored.producerId,
    previousProducerId: stored.previousProducerId,
    nextProducerId: stored.nextProducerId,
    bumpsEpoch: stored.clientTransactionVersion >= EPOCH_BUMPING_CLIENT,
    producerEpoch: stored.producerEpoch,
    lastProducerEpoch: -1,
    timeoutMs: stored.transactionTimeoutMs,
    status,
    partitions,
    startTimestamp: stored.transactionStartTimestampMs,
    lastUpdateTimestamp: stored.transactionLastUpdateTimestampMs,
  }
  return { transactionalId, transaction }
}
