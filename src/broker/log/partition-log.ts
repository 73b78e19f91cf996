/**
 * One partition's log: appends, reads, and what is known about its records. The files are `Segment`s, what producers did is in
 * `ProducerStates`; this brings them together and decides who may write and how far is read.
 *
 * Concurrency. Everything that changes files runs one after the other (`#exclusive`): groups of appends, rolls, deletion, the swap after
 * compaction. Reads run beside that. They take the list of segments as it is (it is replaced, never changed), and a segment that
 * was deleted or replaced meanwhile refuses to be opened: then the read begins again with the new list.
 *
 * Appends. `append` checks the records at once and queues them. While one group is being written others queue up, and go to disk
 * together in one write. Only when they are written the log's end moves: nobody reads what was not written, and if the disk refuses
 * (no space left, for instance) all appends of the group are refused with KAFKA_STORAGE_ERROR, the file is cut back, the producers' states too, and
 * the log goes on.
 *
 * Durability is Kafka's: what was written survives the death of this process, as the system's page cache has it. What was
 * synced survives the machine's: at checkpoints, when the log is closed, and by `flush.messages`.
 */
import { type RecordBatch } from '../../protocol/records/record-batch.ts'
import { type Clock } from '../../seams/clock.ts'
import { type Disk } from '../../seams/disk.ts'
import { type Logger } from '../../seams/logger.ts'
import { CONTROL_BATCH_BYTES, type PendingAppend, stageAppend, type Staging } from './append-staging.ts'
import { validateRecords } from './batch-validation.ts'
import { type LeaderEpochs } from './leader-epochs.ts'
import { type LogKnowledge, PartitionFiles, type Upcoming } from './partition-files.ts'
import { maxTimestampIn, offsetForTimestampIn } from './timestamp-lookup.ts'
import {
  type AbortedTransaction,
  type AppendOptions,
  type AppendResult,
  type ControlAppend,
  type EpochEndOffset,
  type IsolationLevel,
  type ProducerSummary,
  type ReadOptions,
  type ReadResult,
  type TimestampAndOffset,
} from './partition-types.ts'
import { type CompletedTransaction, type ProducerStates } from './producer-state.ts'
import { beyondHighWatermark, LogRefusal, outOfRange, refusal, storageRefusal } from './refusal.ts'
import { type Segment, SegmentRetiredError } from './segment.ts'
import { PartitionTail, type TailMemory } from './tail-cache.ts'
import { type TopicConfig } from './topic-config.ts'
import { abortedAmong, type TransactionIndex } from './transaction-index.ts'

export * from './partition-types.ts'

/** What a log shares with the others of its directory. */
export interface LogSurroundings {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  readonly tailMemory: TailMemory
  /** Stores the start offsets of all logs, before records below them are deleted. */
  readonly storeLogStarts: () => Promise<void>
}

/** What `partition-loading.ts` found in the folder. */
export interface LoadedLog extends LogKnowledge {
  readonly segments: readonly Segment[]
  readonly logStartOffset: number
  readonly nextOffset: number
  readonly recoveryPoint: number
}

interface Pending extends PendingAppend {
  readonly resolve: (result: AppendResult) => void
  readonly reject: (error: unknown) => void
}

interface Staged {
  readonly pending: Pending
  readonly result: AppendResult
}

export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly directory: string
  readonly #name: string
  readonly #surroundings: LogSurroundings
  readonly #config: () => TopicConfig
  readonly #producers: ProducerStates
  readonly #transactions: TransactionIndex
  readonly #epochs: LeaderEpochs
  readonly #tail: PartitionTail
  readonly #files: PartitionFiles
  readonly #listeners = new Set<() => void>()
  #logStartOffset: number
  #nextOffset: number
  #pending: Pending[] = []
  #writing = false
  #queue: Promise<unknown> = Promise.resolve()
  #closed: 'open' | 'offline' | 'stopped' | 'abandoned' | 'deleted' = 'open'
  /** Everything below is synced, and told by a producer snapshot. */
  #recoveryPoint: number
  #unsyncedRecords = 0
  /** By the monotonic clock. */
  #unsyncedSinceMs: number | undefined

  constructor(
    topic: string,
    partition: number,
    directory: string,
    config: () => TopicConfig,
    surroundings: LogSurroundings,
    loaded: LoadedLog,
  ) {
    this.topic = topic
    this.partition = partition
    this.directory = directory
    this.#name = `${topic}-${partition}`
    this.#config = config
    this.#surroundings = surroundings
    this.#logStartOffset = loaded.logStartOffset
    this.#nextOffset = loaded.nextOffset
    this.#recoveryPoint = loaded.recoveryPoint
    this.#producers = loaded.producers
    this.#transactions = loaded.transactions
    this.#epochs = loaded.epochs
    this.#tail = new PartitionTail(surroundings.tailMemory)
    this.#files = new PartitionFiles(directory, surroundings, config, loaded.segments, loaded)
  }

  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** Next offset to be given. */
  get logEndOffset(): number {
    return this.#nextOffset
  }

  /** One node: what is written is replicated. */
  get highWatermark(): number {
    return this.#nextOffset
  }

  /** First offset of the oldest open transaction, or the high watermark. */
  get lastStableOffset(): number {
    return this.#producers.firstOpenOffset() ?? this.#nextOffset
  }

  get leaderEpoch(): number {
    return this.#epochs.current
  }

  get sizeInBytes(): number {
    return this.#files.sizeInBytes
  }

  /** Oldest first; the last is the one that is written to. Must not be kept across an await. */
  get segments(): readonly Segment[] {
    return this.#files.segments
  }

  get recoveryPoint(): number {
    return this.#recoveryPoint
  }

  /** The topic was deleted or the broker stopped: everything rejects from now on. */
  get closed(): boolean {
    return this.#closed !== 'open'
  }

  get config(): TopicConfig {
    return this.#config()
  }

  get transactions(): TransactionIndex {
    return this.#transactions
  }

  get producerStates(): ProducerStates {
    return this.#producers
  }

  /**
   * Appends what a Produce request holds for this partition and resolves when it is written (and synced, if `flush.messages` says so).
   * Offsets are written into `records` in place: the caller gives the buffer away. Appends are stored in the order of the calls.
   *
   * Rejects with a `LogRefusal`: CORRUPT_MESSAGE, INVALID_RECORD, INVALID_TIMESTAMP, UNSUPPORTED_FOR_MESSAGE_FORMAT,
   * MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE,
   * KAFKA_STORAGE_ERROR (nothing was stored), UNKNOWN_TOPIC_OR_PARTITION (deleted meanwhile), NOT_LEADER_OR_FOLLOWER (the broker stops).
   */
  append(records: Buffer, { origin = 'client' }: AppendOptions = {}): Promise<AppendResult> {
    try {
      this.#mustBeOpen('appending')
      const batches = validateRecords(records, origin, this.#name, this.#config(), this.#surroundings.clock.now())
      return this.#enqueue({ batches, control: undefined, origin, sizeInBytes: records.length })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Appends the marker that ends a transaction here. Rejects with INVALID_PRODUCER_EPOCH or TRANSACTION_COORDINATOR_FENCED, and as `append`.
   */
  appendControl(control: ControlAppend): Promise<AppendResult> {
    if (this.closed) return Promise.reject(this.#closedRefusal('appending a marker'))
    return this.#enqueue({ batches: undefined, control, origin: 'coordinator', sizeInBytes: CONTROL_BATCH_BYTES })
  }

  #enqueue(append: Omit<Pending, 'resolve' | 'reject'>): Promise<AppendResult> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ ...append, resolve, reject })
      if (this.#writing) return
      this.#writing = true
      void this.exclusive(() => this.#writePending())
    })
  }

  /** Runs after everything that was to change files before, and before everything that comes after. */
  exclusive<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(change)
    this.#queue = done.catch(() => {})
    return done
  }

  /** One group, then whoever else waits for the files has a turn. */
  async #writePending(): Promise<void> {
    try {
      await this.#writeGroup()
    } catch (error) {
      // Not the disk, which `#writeGroup` answers for: a mistake of ours must not leave anybody waiting.
      this.#surroundings.logger.error({ err: error, partition: this.#name }, 'an append failed unexpectedly')
      this.#producers.rollBack()
      for (const { reject } of this.#pending.splice(0)) reject(error)
    }
    if (this.#pending.length > 0) void this.exclusive(() => this.#writePending())
    else this.#writing = false
  }

  /** Writes as many of the queued appends as fit into the active segment. */
  async #writeGroup(): Promise<void> {
    const staged: Staged[] = []
    const batches: RecordBatch[] = []
    const completed: CompletedTransaction[] = []
    let end = { offset: this.#nextOffset, sizeInBytes: 0 }
    if (this.closed) return this.#refusePending()
    if (this.#pending.length === 0) return
    if (this.#files.mustRoll(this.#upcoming(this.#pending[0]!, end.offset), 0)) {
      try {
        await this.#files.roll(this.#nextOffset)
      } catch (error) {
        return this.#pending.shift()!.reject(this.#storageError(error))
      }
    }
    this.#producers.begin()
    while (this.#pending.length > 0) {
      const upcoming = this.#upcoming(this.#pending[0]!, end.offset)
      if (staged.length > 0 && this.#files.mustRoll(upcoming, end.sizeInBytes)) break
      const pending = this.#pending.shift()!
      try {
        const { result, added } = stageAppend(pending, end.offset, completed, this.#staging())
        staged.push({ pending, result })
        batches.push(...added)
        for (const batch of added) end = { offset: batch.nextOffset, sizeInBytes: end.sizeInBytes + batch.sizeInBytes }
      } catch (error) {
        pending.reject(error)
      }
    }
    try {
      if (batches.length > 0) await this.#write(batches)
    } catch (error) {
      this.#producers.rollBack()
      const refused = this.#storageError(error)
      for (const { pending } of staged) pending.reject(refused)
      return
    }
    this.#published(batches, completed)
    for (const { pending, result } of staged) pending.resolve(result)
  }

  #staging(): Staging {
    return {
      producers: this.#producers,
      leaderEpoch: this.leaderEpoch,
      logStartOffset: this.#logStartOffset,
      nowMs: this.#surroundings.clock.now(),
      usesLogAppendTime: this.#config().timestampType === 'LogAppendTime',
    }
  }

  async #write(batches: readonly RecordBatch[]): Promise<void> {
    const { flushMessages } = this.#config()
    const records = batches.at(-1)!.nextOffset - this.#nextOffset
    const sync = this.#unsyncedRecords + records >= flushMessages
    await this.#files.append(batches, sync)
    this.#unsyncedRecords = sync ? 0 : this.#unsyncedRecords + records
    this.#unsyncedSinceMs = sync ? undefined : (this.#unsyncedSinceMs ?? this.#surroundings.clock.monotonic())
  }

  /** Everything is written: now it can be seen. */
  #published(batches: readonly RecordBatch[], completed: readonly CompletedTransaction[]): void {
    this.#producers.commit()
    if (batches.length === 0) return
    this.#epochs.note(this.#nextOffset)
    for (const batch of batches) this.#tail.append(batch.baseOffset, batch.nextOffset, batch.bytes())
    this.#nextOffset = batches.at(-1)!.nextOffset
    for (const entry of abortedAmong(completed, this.#producers.firstOpenOffset())) this.#transactions.append(entry)
    this.#notify()
  }

  #notify(): void {
    // A copy: a listener may take itself off, or put another one on.
    for (const listener of Array.from(this.#listeners)) {
      try {
        listener()
      } catch (error) {
        this.#surroundings.logger.error({ err: error, partition: this.#name }, 'a listener of a log failed')
      }
    }
  }

  #storageError(error: unknown): LogRefusal {
    this.#surroundings.logger.error({ err: error, partition: this.#name }, 'the disk refused an append')
    return storageRefusal(`appending to ${this.#name}`, this.directory, error)
  }

  #refusePending(): void {
    for (const { reject } of this.#pending.splice(0)) reject(this.#closedRefusal('appending'))
  }

  /** What the files have to know of an append before it has its offsets. */
  #upcoming({ batches, sizeInBytes }: Pending, offset: number): Upcoming {
    const last = batches?.at(-1)
    const lastOffset = offset + (last ? last.lastOffset - batches![0]!.baseOffset : 0)
    return { sizeInBytes, lastOffset, maxTimestamp: last?.maxTimestamp }
  }

  /**
   * Rejects with OFFSET_OUT_OF_RANGE below `logStartOffset` and above the end, with CORRUPT_MESSAGE where the segment is damaged; at the end
   * there are no records.
   */
  async read(fetchOffset: number, { maxBytes, isolation, minOneBatch }: ReadOptions): Promise<ReadResult> {
    for (;;) {
      this.#mustBeOpen('reading')
      this.#mustBeInRange(fetchOffset)
      // Taken together, before anything is awaited: they belong to each other in the answer.
      const { highWatermark, lastStableOffset, logStartOffset } = this
      const before = isolation === 'read_committed' ? lastStableOffset : highWatermark
      const abortedBetween = this.#transactions.view()
      try {
        const found =
          fetchOffset >= before ? undefined : await this.#readBatches(fetchOffset, before, maxBytes, minOneBatch)
        const pieces = found?.pieces ?? []
        const to = found?.nextOffset ?? fetchOffset
        const aborted = isolation === 'read_committed' ? abortedBetween(fetchOffset, to) : null
        const sizeInBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
        return {
          records: pieces,
          sizeInBytes,
          highWatermark,
          lastStableOffset,
          logStartOffset,
          abortedTransactions: aborted,
        }
      } catch (error) {
        await this.#afterReplacement(error)
      }
    }
  }

  async #readBatches(
    offset: number,
    before: number,
    maxBytes: number,
    minOneBatch: boolean,
  ): Promise<{ pieces: Buffer[]; nextOffset: number } | undefined> {
    const held = this.#tail.read(offset, before, maxBytes, minOneBatch)
    if (held) return held
    return this.#files.read(offset, before, maxBytes, minOneBatch)
  }

  /** A segment was retired: its successor is there when the change that retired it is through. */
  async #afterReplacement(error: unknown): Promise<void> {
    if (!(error instanceof SegmentRetiredError)) throw error
    await this.exclusive(async () => {})
    this.#mustBeOpen('reading')
  }

  /** Bytes that a `read` from there would find at once, for `min.bytes`; right within one index interval, 0 out of range. */
  bytesAvailable(fetchOffset: number, isolation: IsolationLevel): number {
    const before = isolation === 'read_committed' ? this.lastStableOffset : this.highWatermark
    if (this.closed || fetchOffset >= before || fetchOffset < this.#logStartOffset) return 0
    const held = this.#tail.bytesFrom(fetchOffset, before)
    if (held !== undefined) return held
    return this.#files.bytesFrom(fetchOffset)
  }

  /** Aborted transactions with records in [from, to). */
  abortedTransactions(from: number, to: number): AbortedTransaction[] {
    return this.#transactions.between(from, to)
  }

  /** The first record whose timestamp is `timestampMs` or later, or undefined. */
  offsetForTimestamp(timestampMs: number): Promise<TimestampAndOffset | undefined> {
    this.#mustBeOpen('looking for a timestamp')
    return this.#withSegments((segments) => offsetForTimestampIn(segments, timestampMs, this.#logStartOffset, this))
  }

  /** The record with the greatest timestamp (ListOffsets -3), or undefined in an empty log. */
  maxTimestamp(): Promise<TimestampAndOffset | undefined> {
    this.#mustBeOpen('looking for the greatest timestamp')
    return this.#withSegments((segments) => maxTimestampIn(segments, this.#logStartOffset, this))
  }

  async #withSegments<T>(look: (segments: readonly Segment[]) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await look(this.#files.segments)
      } catch (error) {
        await this.#afterReplacement(error)
      }
    }
  }

  offsetForLeaderEpoch(epoch: number): EpochEndOffset {
    return this.#epochs.endOf(epoch, this.#nextOffset)
  }

  /**
   * Moves the log's start up to `before` (-1: the high watermark) and resolves with the new start; it never moves back.
   * Rejects with OFFSET_OUT_OF_RANGE above the high watermark, POLICY_VIOLATION if the topic is only compacted.
   */
  async deleteRecords(before: number): Promise<number> {
    this.#mustBeOpen('deleting records')
    const config = this.#config()
    if (!config.cleanupDelete && config.cleanupCompact) {
      throw refusal('POLICY_VIOLATION', `deleting records of ${this.#name}`)
    }
    const target = before === -1 ? this.highWatermark : before
    if (target < 0 || target > this.highWatermark) {
      throw refusal(
        'OFFSET_OUT_OF_RANGE',
        `deleting records of ${this.#name}`,
        beyondHighWatermark(this.#name, target, this.highWatermark),
      )
    }
    return this.exclusive(async () => {
      await this.#moveLogStart(target)
      return this.#logStartOffset
    })
  }

  /** First the new start is stored, then what lies below goes: a crash in between leaves only files that the next start removes. */
  async #moveLogStart(target: number): Promise<void> {
    if (target <= this.#logStartOffset) return
    const before = this.#logStartOffset
    this.#logStartOffset = target
    try {
      await this.#surroundings.storeLogStarts()
    } catch (error) {
      this.#logStartOffset = before
      throw error
    }
    this.#transactions.removeBefore(target)
    this.#epochs.removeBefore(target)
    await this.#files.removeBelow(target)
    this.#notify()
  }

  /**
   * Deletes the `count` oldest segments (retention). If that is all of them, an empty one is begun first, so that the log's end is
   * told by its name.
   */
  deleteOldest(count: number): Promise<void> {
    return this.exclusive(async () => {
      if (this.closed || count === 0) return
      if (count >= this.segments.length) await this.#files.roll(this.#nextOffset)
      await this.#moveLogStart(this.segments[count]?.baseOffset ?? this.#nextOffset)
    })
  }

  /** Begins a new segment if the active one has records. */
  roll(): Promise<void> {
    return this.exclusive(async () => {
      if (!this.closed && this.segments.length > 0) await this.#files.roll(this.#nextOffset)
    })
  }

  /** The records of these aborted transactions (by their markers' offsets) are gone, and their markers are about to go. */
  forgetAborted(markers: readonly number[]): Promise<void> {
    return this.exclusive(async () => {
      if (markers.length === 0) return
      this.#transactions.remove(new Set(markers))
      await this.#files.storeAborted(this.#nextOffset)
    })
  }

  /**
   * Puts what compaction wrote in the place of what it read. If the disk refuses in the middle of `finish`, nobody can say which files
   * are which: the log is offline until the next start, which finishes it.
   */
  replaceSegments(
    old: readonly Segment[],
    cleaned: Segment,
    { decide, finish }: { decide: () => Promise<void>; finish: () => Promise<void> },
  ): Promise<void> {
    return this.exclusive(async () => {
      this.#mustBeOpen('compacting')
      if (!old.every((segment) => this.segments.includes(segment))) throw new SegmentRetiredError(this.directory)
      await decide()
      try {
        await this.#files.replace(old, cleaned, finish)
        // It still holds what is gone now.
        this.#tail.clear()
      } catch (error) {
        this.#closed = 'offline'
        this.#notify()
        throw error
      }
    })
  }

  /**
   * Syncs what was written up to now and stores what recovery needs to begin there. Resolves with whether there was anything to do.
   * Appends go on while the disk syncs; what they write belongs to the next checkpoint.
   */
  async checkpoint(): Promise<boolean> {
    const captured = await this.exclusive(async () => {
      const end = this.#nextOffset
      const isDirty = this.segments.some(({ dirty }) => dirty)
      if (this.#closed === 'deleted' || (end === this.#recoveryPoint && !isDirty)) return undefined
      this.#unsyncedRecords = 0
      this.#unsyncedSinceMs = undefined
      return { end, dirty: await this.#files.storeKnowledge(end) }
    })
    if (!captured) return false
    for (const segment of captured.dirty) await segment.sync()
    await this.#files.syncNames()
    const previous = this.#recoveryPoint
    this.#recoveryPoint = captured.end
    if (previous !== captured.end) await this.#files.removeSnapshot(previous)
    return true
  }

  /** `flush.ms`: whether something has waited that long for being synced. */
  get isFlushDue(): boolean {
    const since = this.#unsyncedSinceMs
    return since !== undefined && this.#surroundings.clock.monotonic() - since >= this.#config().flushMs
  }

  expireProducers(olderThanMs: number): void {
    this.#producers.expire(olderThanMs)
  }

  /** Calls `listener` whenever the high watermark, the last stable offset or the start has moved, and when the log is closed or deleted. Returns the way to stop it. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Whether this producer id has a transaction open here. */
  hasOpenTransaction(producerId: number): boolean {
    return (this.#producers.get(producerId)?.transactionFirstOffset ?? -1) >= 0
  }

  /** What DescribeProducers would show. */
  producers(): ProducerSummary[] {
    return this.#producers.summaries()
  }

  /**
   * Refuses what comes from now on and waits for what is under way. `stopped`: synced and checkpointed. `abandoned`: neither, as if the
   * process had been killed. `deleted`: the files are about to be removed.
   */
  async close(why: 'stopped' | 'abandoned' | 'deleted'): Promise<void> {
    this.#closed = why
    await this.exclusive(async () => this.#refusePending())
    this.#notify()
    try {
      if (why === 'stopped') await this.checkpoint()
    } finally {
      await this.exclusive(async () => {
        this.#tail.clear()
        await this.#files.close(why === 'deleted')
      })
    }
  }

  #mustBeInRange(offset: number): void {
    if (offset >= this.#logStartOffset && offset <= this.#nextOffset) return
    throw outOfRange(this.#name, offset, this.#logStartOffset, this.#nextOffset)
  }

  #mustBeOpen(doing: string): void {
    if (this.closed) throw this.#closedRefusal(doing)
  }

  #closedRefusal(doing: string): LogRefusal {
    const offline = `The log in ${this.directory} is offline after a disk error; a restart recovers it`
    if (this.#closed === 'offline') return refusal('KAFKA_STORAGE_ERROR', `${doing} ${this.#name}`, offline)
    const name = this.#closed === 'deleted' ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'NOT_LEADER_OR_FOLLOWER'
    return refusal(name, `${doing} ${this.#name}`)
  }
}
