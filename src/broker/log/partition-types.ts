/**
 * What a partition's log is asked and what it answers: types only, so that everybody can name them without importing the log.
 */

/** Who appends. A client's records are checked in full; a coordinator's own (offset commits, transaction state) only for form. */
export type AppendOrigin = 'client' | 'coordinator'

export interface AppendOptions {
  /** Default `client`. */
  readonly origin?: AppendOrigin
}

export interface AppendResult {
  /** Offset of the first record. For a duplicate: where it was stored the first time. */
  readonly baseOffset: number
  readonly lastOffset: number
  /** Milliseconds since 1970 when the topic's timestamp type is LogAppendTime, otherwise -1. */
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
  /** The producer had sent this batch before; nothing was written. */
  readonly duplicate: boolean
}

export interface ControlAppend {
  readonly type: 'commit' | 'abort'
  readonly producerId: number
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
}

export type IsolationLevel = 'read_uncommitted' | 'read_committed'

export interface ReadOptions {
  readonly maxBytes: number
  readonly isolation: IsolationLevel
  /** Hand out the first batch even if it alone is larger than `maxBytes` (KIP-74). */
  readonly minOneBatch: boolean
}

export interface AbortedTransaction {
  readonly producerId: number
  /** Offset of the transaction's first record in this partition. */
  readonly firstOffset: number
}

export interface ReadResult {
  /** Whole batches as they are stored, in order; together they are the answer's `records`. Must not be changed. */
  readonly records: readonly Buffer[]
  readonly sizeInBytes: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** With `read_committed`: those whose records may be among `records`. Otherwise null. */
  readonly abortedTransactions: readonly AbortedTransaction[] | null
}

export interface TimestampAndOffset {
  readonly timestamp: number
  readonly offset: number
  readonly leaderEpoch: number
}

export interface EpochEndOffset {
  /** -1 when the epoch is not known. */
  readonly leaderEpoch: number
  readonly endOffset: number
}

export interface ProducerSummary {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  /** First offset of the transaction that is open, or -1. */
  readonly currentTransactionFirstOffset: number
}
