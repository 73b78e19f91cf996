/**
 * One partition's log. (Signatures; the body follows.)
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

export class PartitionLog {
  readonly topic: string
  readonly partition: number

  private constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get logStartOffset(): number {
    return notYet()
  }
  /** Next offset to be given. One node: also the high watermark. */
  get logEndOffset(): number {
    return notYet()
  }
  get highWatermark(): number {
    return notYet()
  }
  /** First offset of the oldest open transaction, or the high watermark. */
  get lastStableOffset(): number {
    return notYet()
  }
  get leaderEpoch(): number {
    return notYet()
  }
  get sizeInBytes(): number {
    return notYet()
  }

  /**
   * Appends what a Produce request holds for this partition and resolves when it is written (and synced, if
   * `flush.messages` says so). Offsets are written into `records` in place: the caller gives the buffer away. Appends are stored in the order of the calls.
   * Rejects with a `LogRefusal`: CORRUPT_MESSAGE, INVALID_RECORD, INVALID_TIMESTAMP, UNSUPPORTED_FOR_MESSAGE_FORMAT, MESSAGE_TOO_LARGE,
   * OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, UNKNOWN_PRODUCER_ID, KAFKA_STORAGE_ERROR, UNKNOWN_TOPIC_OR_PARTITION (deleted meanwhile).
   */
  append(_records: Buffer, _options: AppendOptions = {}): Promise<AppendResult> {
    return notYet()
  }

  /** Appends the marker that ends a transaction here. Rejects with INVALID_PRODUCER_EPOCH or TRANSACTION_COORDINATOR_FENCED when a newer one was here. */
  appendControl(_control: ControlAppend): Promise<AppendResult> {
    return notYet()
  }

  /** Rejects with OFFSET_OUT_OF_RANGE below `logStartOffset` and above the end; at the end there are no records. */
  read(_fetchOffset: number, _options: ReadOptions): Promise<ReadResult> {
    return notYet()
  }

  /** Bytes that a `read` from there would find at once; for `min.bytes`. Never touches the disk; an estimate within one index interval. */
  bytesAvailable(_fetchOffset: number, _isolation: IsolationLevel): number {
    return notYet()
  }

  /** Aborted transactions with records in [from, to). */
  abortedTransactions(_from: number, _to: number): Promise<AbortedTransaction[]> {
    return notYet()
  }

  /** The first record whose timestamp is `timestampMs` or later, or undefined. */
  offsetForTimestamp(_timestampMs: number): Promise<TimestampAndOffset | undefined> {
    return notYet()
  }

  /** The record with the greatest timestamp (ListOffsets -3), or undefined in an empty log. */
  maxTimestamp(): Promise<TimestampAndOffset | undefined> {
    return notYet()
  }

  offsetForLeaderEpoch(_epoch: number): EpochEndOffset {
    return notYet()
  }

  /** Moves the log's start up to `before` (-1: the high watermark) and resolves with the new start. OFFSET_OUT_OF_RANGE above the high watermark. */
  deleteRecords(_before: number): Promise<number> {
    return notYet()
  }

  /** Calls `listener` whenever the high watermark or the last stable offset has moved, and once when the log is closed or deleted. Returns the way to stop it. */
  onAppend(_listener: () => void): () => void {
    return notYet()
  }

  /** The topic was deleted or the broker stopped: everything rejects from now on. */
  get closed(): boolean {
    return notYet()
  }

  /** Whether this producer id has a transaction open here. */
  hasOpenTransaction(_producerId: number): boolean {
    return notYet()
  }

  /** What DescribeProducers would show. */
  producers(): ProducerSummary[] {
    return notYet()
  }
}

function notYet(): never {
  throw new Error('not written yet')
}
