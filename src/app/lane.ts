/**
 * One partition's way from poll into the sink: decode, write, flush, one after the other, while other partitions go
 * their own way beside it. Knows the sink and the clock; of the consumer only what the pipeline pushes, and the pipeline
 * (pipeline.ts) seeks, pauses and commits by what it reads here.
 *
 *     running ──flush: SinkFencedError──▶ fenced     ask the sink where it stands, begin a new lane there
 *        │ ────flush: SinkRecordError──▶ refused    the same, and the new lane stops at that record
 *        │ ──poison record, other error─▶ failed     the application stops with `error`
 *        │ ───────SinkEndedError────────▶ ended      the application shuts down in good order
 *        └ ───────close(), abort()──────▶ closed
 *
 * Why nothing is lost or repeated: `pending` is in offset order and leaves only by a `write` that returned; `next` moves only with it;
 * `durable` moves only by what `flush` answers. A lane that is left for whatever reason takes its pending records with it; the partition
 * is read again from the store's own position, or from Kafka's commit, which is never ahead of `durable`.
 */
import { SluiceError } from '../error.ts'
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { topicPartitionKey, type TopicPartition } from '../protocol/records/topic-partition.ts'
import type { Clock, Timer } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import type { Random } from '../seams/random.ts'
import { SinkEndedError, SinkFencedError, SinkRecordError, SinkUnavailableError, type Sink } from '../sinks/sink.ts'
import { backoffMs } from './backoff.ts'
import type { DecodedBatch, RecordDecoder } from './decode.ts'
import { PoisonRecordError, ValueDecodeError } from './errors.ts'
import type { FailurePolicy, SettleSignals } from './failure-policy.ts'
import { sizeOf, type ClosingLimits, type Lane, type LaneState } from './partition-work.ts'
import { unlessStopped } from '../seams/unless-stopped.ts'

/** When a lane flushes; whatever comes first. */
export interface Cadence {
  readonly records: number
  readonly bytes: number
  /** Since the first record after the last flush. */
  readonly intervalMs: number
  /** Also as soon as there is nothing more to write. */
  readonly whenIdle: boolean
}

/** What all lanes of a pipeline have in common. */
export interface LaneContext {
  /** For messages: `consumer-thread-0`. */
  readonly consumer: string
  readonly sinkName: string
  readonly decoder: RecordDecoder
  readonly failures: FailurePolicy
  readonly cadence: Cadence
  /** A flush that takes longer is aborted, and tried again. */
  readonly flushTimeoutMs: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** What to do about a record that cannot be stored, for the message. */
  readonly poisonAdvice: string
  /** Something changed that the pipeline may have to act on: state, backlog, durable. */
  readonly onChange: () => void
  /** With `commit: record`: resolves when what is durable has been committed. */
  readonly afterFlush?: () => Promise<void>
}

/** Why a record is not decoded: it is no such value, what decodes it is not to be had now (retriable), or it was found to be poison before. */
type DecodeStop = SluiceError & { readonly offset?: number }

/** Anything that is neither a record's failure nor passes by itself stops the lane as it is. */
function stopOf(error: unknown): DecodeStop {
  if (error instanceof ValueDecodeError || (error instanceof SluiceError && error.retriable)) return error
  throw error
}

export interface SinkLaneContext extends LaneContext {
  readonly sink: Sink
}

interface Chunk {
  readonly records: readonly ConsumerRecord[]
  readonly next: number
  /** Index of the first record that is not yet written. */
  at: number
}

/** What may be written at once, at most: a decoded batch is held in memory beside its records. */
const mostRecordsAWrite = 5000

export class PartitionLane implements Lane {
  readonly topicPartition: TopicPartition
  readonly #context: SinkLaneContext
  readonly #key: string
  readonly #closing = new AbortController()
  /** A record that is known to be poison, from an earlier lane or a write. */
  #poison: (SluiceError & { offset: number }) | undefined
  #pending: Chunk[] = []
  #pendingRecords = 0
  #pendingBytes = 0
  #state: LaneState = { kind: 'running' }
  /** Where the next batch begins; undefined before the first record of a partition that has no position anywhere. */
  #next: number | undefined
  #flushed: number | undefined
  #durable: number | undefined
  #recordsSinceFlush = 0
  #bytesSinceFlush = 0
  #isFlushDue = false
  #isClosing = false
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #storedRecords = 0
  /** In a row, for the backoff. */
  #decodeAttempts = 0
  #start: number | undefined
  /** Aborts when the lane is told to close, for waits that have no point any more then. */
  readonly #stopping = new AbortController()
  readonly #signals: SettleSignals = { signal: this.#closing.signal, stopping: this.#stopping.signal }

  constructor(
    topicPartition: TopicPartition,
    next: number | undefined,
    context: SinkLaneContext,
    poison?: SluiceError & { offset: number },
  ) {
    this.topicPartition = topicPartition
    this.#context = context
    this.#key = topicPartitionKey(topicPartition)
    this.#start = next
    this.#next = next
    this.#flushed = next
    this.#poison = poison
  }

  get state(): LaneState {
    return this.#state
  }

  /** Everything below is in the store for good. */
  get durable(): number | undefined {
    return this.#durable
  }

  /** Where reading begins again when the store does not say: nothing from here on is known to be stored. */
  get restartAt(): number | undefined {
    return this.#durable ?? this.#start
  }

  /** Bytes of records that were pushed and are not yet with the sink. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  get pendingRecords(): number {
    return this.#pendingRecords
  }

  /** Records that the sink has flushed. */
  get storedRecords(): number {
    return this.#storedRecords
  }

  /** Nothing to write, nothing being written or flushed. */
  get isIdle(): boolean {
    return this.#running === undefined
  }

  get isWaiting(): boolean {
    return false
  }

  push(records: readonly ConsumerRecord[], next: number): void {
    if (this.#state.kind !== 'running' || this.#isClosing) return
    this.#start ??= records[0]?.offset ?? next
    this.#next ??= this.#start
    this.#flushed ??= this.#start
    this.#pending.push({ records, next, at: 0 })
    this.#pendingRecords += records.length
    for (const record of records) this.#pendingBytes += sizeOf(record)
    this.#kick()
  }

  /**
   * Takes nothing more, flushes what is with the sink unless `signal` aborts first, and closes. Records that were not
   * yet written are dropped, as nobody has committed them; with `drain` they are written first, until it aborts.
   */
  async close({ signal, drain }: ClosingLimits): Promise<void> {
    // With `commit: record` each record waits for its commit, which only the loop does: what is left of one poll is dropped.
    if (drain && !drain.aborted && !this.#context.afterFlush) {
      const drained = Promise.withResolvers<void>()
      drain.addEventListener('abort', () => drained.resolve(), { once: true })
      await Promise.race([this.#running, drained.promise])
    }
    this.#stopTaking()
    const abort = () => this.#closing.abort()
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    try {
      await this.#running
      if (this.#hasUnflushed && this.#state.kind === 'running' && !signal.aborted) await this.#flush()
    } finally {
      signal.removeEventListener('abort', abort)
      if (this.#state.kind === 'running') this.#state = { kind: 'closed' }
    }
  }

  /** Another member may own the partition: starts nothing more, aborts what is under way, resolves when it has ended. */
  async abort(): Promise<void> {
    this.#stopTaking()
    this.#closing.abort()
    await this.#running
    if (this.#state.kind === 'running') this.#state = { kind: 'closed' }
  }

  get #hasUnflushed(): boolean {
    return this.#next !== this.#flushed
  }

  /** From here on only what is under way, and the flush of `close`, still reach the sink. */
  #stopTaking(): void {
    this.#isClosing = true
    this.#stopping.abort()
    this.#timer?.cancel()
    this.#dropPending()
  }

  #dropPending(): void {
    this.#pending = []
    this.#pendingRecords = 0
    this.#pendingBytes = 0
  }

  #kick(): void {
    if (this.#isClosing) return
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      // What was pushed after the last look of `#run` and before this line found it still running.
      if (this.#state.kind === 'running' && (this.#pending.length > 0 || this.#isFlushNow())) this.#kick()
      else this.#context.onChange()
    })
  }

  async #run(): Promise<void> {
    try {
      while (this.#state.kind === 'running' && !this.#closing.signal.aborted) {
        if (this.#isFlushNow()) await this.#flush()
        else if (this.#pending.length > 0) await this.#writeNext()
        else return
      }
    } catch (error) {
      this.#settle({ kind: 'failed', error: error as Error })
    }
  }

  #isFlushNow(): boolean {
    if (!this.#hasUnflushed) return false
    const { cadence } = this.#context
    return (
      this.#isFlushDue ||
      this.#recordsSinceFlush >= cadence.records ||
      this.#bytesSinceFlush >= cadence.bytes ||
      (cadence.whenIdle && this.#pending.length === 0)
    )
  }

  /** Decodes and writes the next piece: to the end of its chunk, the sink's limit, or the record before one that cannot be stored. */
  async #writeNext(): Promise<void> {
    const chunk = this.#pending[0]!
    const room = Math.min(this.#context.cadence.records - this.#recordsSinceFlush, mostRecordsAWrite)
    const last = Math.min(chunk.records.length, chunk.at + room)
    const batch: DecodedBatch = { records: [], values: [] }
    let stop: DecodeStop | undefined
    let end = chunk.at
    for (; end < last && !stop; end++) {
      const record = chunk.records[end]!
      const found = record.offset === this.#poison?.offset ? this.#poison : this.#decodeInto(batch, record)
      stop = found instanceof Promise ? await this.#decoded(found) : found
      if (this.#isClosing) return
      if (stop) break
    }
    if (stop && end === chunk.at) return this.#meetStop(stop, chunk)
    const { records, values } = batch
    const next = end === chunk.records.length ? chunk.next : records.at(-1)!.offset + 1
    if (!(await this.#write({ first: Math.min(this.#next!, records[0]?.offset ?? next), next, records, values })))
      return
    chunk.at = end
    if (end === chunk.records.length) this.#pending.shift()
    this.#decodeAttempts = 0
    this.#taken(records, next)
  }

  #decodeInto(batch: DecodedBatch, record: ConsumerRecord): DecodeStop | undefined | Promise<void> {
    try {
      return this.#context.decoder.decode(record, batch) ?? undefined
    } catch (error) {
      return stopOf(error)
    }
  }

  /** Waits for a schema or for the user's own function; no longer than the lane lives. */
  #decoded(decoding: Promise<void>): Promise<DecodeStop | undefined> {
    const outcome = decoding.then(() => undefined, stopOf)
    return unlessStopped(outcome, this.#stopping.signal)
  }

  /** What stands first cannot be decoded: now, or ever. */
  async #meetStop(stop: DecodeStop, chunk: Chunk): Promise<void> {
    if (stop instanceof ValueDecodeError || !stop.retriable) return this.#meetPoison(stop, chunk)
    const attempt = ++this.#decodeAttempts
    const waitMs = backoffMs(attempt, this.#context.random)
    const { consumer, logger, clock } = this.#context
    logger.error(
      { consumer, partition: this.#key, attempt, waiting: this.#pendingRecords },
      `${this.#key}: records cannot be decoded: ${stop.message}. ` +
        `Trying again in ${(waitMs / 1000).toFixed(1)} s; nothing is lost or committed meanwhile`,
    )
    await clock.sleep(waitMs, this.#stopping.signal)
  }

  /** Stops, after everything before it has reached the store; or leaves it out, once it is dealt with: then the next batch spans its offset. */
  async #meetPoison(error: SluiceError, chunk: Chunk): Promise<void> {
    const { failures, poisonAdvice } = this.#context
    const record = chunk.records[chunk.at]!
    try {
      const isPassed = await failures.settle({ record, error, attempts: 1 }, this.#signals)
      if (isPassed) {
        chunk.at++
        this.#poison = undefined
        this.#pendingRecords = Math.max(0, this.#pendingRecords - 1)
        this.#pendingBytes = Math.max(0, this.#pendingBytes - sizeOf(record))
        return
      }
    } catch (failure) {
      if (this.#isClosing) return
      throw failure
    }
    if (this.#hasUnflushed) await this.#flush()
    if (this.#state.kind === 'running' && !this.#closing.signal.aborted) {
      this.#settle({ kind: 'failed', error: new PoisonRecordError(error, poisonAdvice) })
    }
  }

  /** True when the sink has taken the batch. */
  async #write(batch: { first: number; next: number; records: readonly ConsumerRecord[]; values: unknown[] }) {
    for (let attempt = 1; ; attempt++) {
      try {
        const { flushDue } = await this.#context.sink.write({ topicPartition: this.topicPartition, ...batch })
        if (flushDue) this.#isFlushDue = true
        return !this.#closing.signal.aborted
      } catch (error) {
        if (error instanceof SinkRecordError && batch.records.some(({ offset }) => offset === error.offset)) {
          // Nothing of the batch was taken: it is cut before that record, which then stands first.
          this.#poison = error
          return false
        }
        if (!(await this.#isToRetry(error, attempt, 'taking records'))) return false
      }
    }
  }

  #taken(records: readonly ConsumerRecord[], next: number): void {
    this.#next = next
    this.#recordsSinceFlush += records.length
    let bytes = 0
    for (const record of records) bytes += sizeOf(record)
    this.#bytesSinceFlush += bytes
    // Both are 0 already when the lane was told to close while this batch was being written.
    this.#pendingRecords = Math.max(0, this.#pendingRecords - records.length)
    this.#pendingBytes = Math.max(0, this.#pendingBytes - bytes)
    if (this.#isClosing) return
    this.#timer ??= this.#context.clock.setTimer(this.#context.cadence.intervalMs, () => {
      this.#isFlushDue = true
      this.#kick()
    })
    this.#context.onChange()
  }

  async #flush(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const limit = new AbortController()
      const timer = this.#context.clock.setTimer(this.#context.flushTimeoutMs, () => limit.abort())
      const signal = AbortSignal.any([this.#closing.signal, limit.signal])
      try {
        const next = this.#next!
        const { durable } = await this.#context.sink.flush(this.topicPartition, next, signal)
        return await this.#flushedTo(next, durable)
      } catch (error) {
        const reason = limit.signal.aborted && !this.#closing.signal.aborted ? this.#tooSlow(error) : error
        if (!(await this.#isToRetry(reason, attempt, 'flushing'))) return
      } finally {
        timer.cancel()
      }
    }
  }

  #tooSlow(error: unknown): unknown {
    // What the store says for itself decides; only an abort that carries no meaning of its own is a slow store.
    if (error instanceof SluiceError && !(error instanceof SinkUnavailableError)) return error
    return new SinkUnavailableError(
      `the flush took longer than ${this.#context.flushTimeoutMs} ms and was aborted`,
      error,
    )
  }

  async #flushedTo(next: number, durable: number): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#isFlushDue = false
    this.#storedRecords += this.#recordsSinceFlush
    this.#recordsSinceFlush = 0
    this.#bytesSinceFlush = 0
    this.#flushed = next
    // A flush that ended after the partition was lost must not be committed by this member.
    if (this.#durable === undefined || durable > this.#durable) this.#durable = durable
    this.#context.onChange()
    const { afterFlush } = this.#context
    if (afterFlush && !this.#isClosing) await unlessStopped(afterFlush(), this.#stopping.signal)
  }

  /** Sorts out an error of the sink's; after the backoff of one that is worth another try, answers true. */
  async #isToRetry(error: unknown, attempt: number, doing: string): Promise<boolean> {
    if (error instanceof SinkUnavailableError) {
      if (this.#closing.signal.aborted) return false
      const waitMs = backoffMs(attempt, this.#context.random)
      const { consumer, sinkName, logger, clock } = this.#context
      logger.error(
        { consumer, sink: sinkName, partition: this.#key, attempt, waiting: this.#pendingRecords },
        `${this.#key}: the ${sinkName} sink is unavailable for ${doing}: ${error.message}. ` +
          `Trying again in ${(waitMs / 1000).toFixed(1)} s; nothing is lost or committed meanwhile`,
      )
      await clock.sleep(waitMs, this.#closing.signal)
      return !this.#closing.signal.aborted
    }
    if (error instanceof SinkFencedError) this.#settle({ kind: 'fenced', error })
    else if (error instanceof SinkRecordError) this.#settle({ kind: 'refused', error })
    else if (error instanceof SinkEndedError) this.#settle({ kind: 'ended', error })
    else this.#settle({ kind: 'failed', error: error as Error })
    return false
  }

  #settle(state: LaneState): void {
    if (this.#state.kind !== 'running') return
    this.#state = state
    this.#timer?.cancel()
    this.#dropPending()
    this.#context.onChange()
  }
}
