/** What an application needs of producers, and nothing more, so that a simulation can stand in for them. The real one is kafka-producer-port.ts. */
import type { GroupMetadata } from '../client/producer/transaction-offsets.ts'
import type { ProducerRecord } from '../client/producer/record.ts'
import type { PartitionOffset } from './consumer-port.ts'

export interface ProducerPort {
  /** Resolves when the record is acknowledged by all in-sync replicas. */
  send(record: ProducerRecord, signal: AbortSignal): Promise<void>
  /** Makes sure that `topic` exists, with as many partitions as `like` when it must be created. */
  ensureTopic(topic: string, like: string, signal: AbortSignal): Promise<void>
  /**
   * Records and offsets in one transaction: all of them, or after a rejection none of them. Rejects with `TransactionBrokenError` when it is not
   * known which: the consumer must begin again from the group's commits; with `OutputRefusedError` when a record can never be written; with
   * `TransactionsRefusedError` when the cluster gives no transactions at all.
   */
  transact(
    records: readonly ProducerRecord[],
    offsets: readonly PartitionOffset[],
    group: GroupMetadata,
    signal: AbortSignal | undefined,
  ): Promise<void>
  close(timeoutMs: number): Promise<void>
}
