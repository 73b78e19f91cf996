/**
 * One partition's records on their way through a handler. Several may be under way at once; `durable` follows the longest run without a gap.
 *
 *     window    offset order:   done  done  done │ running  done  waiting for a retry  done  ready  ready …
 *                                                └ durable: what is committed never passes this point
 *     strands   by `order`: one for the partition, one a key, or none. A strand's next record begins when the one before it is done.
 *
 *     ready ──room──▶ running ──resolved──▶ done
 *                        │ ▲
 *                  failed│ └─backoff── waiting        its room goes to others meanwhile
 *                        └──given up──▶ on.failure ──passed──▶ done
 *                                            └─────stop──────▶ the lane fails, and with it the application
 *
 * The window is bounded: nothing joins a strand that is MOST_AHEAD records past the gap; it waits outside, so that what is ready may always begin, above
 * all the record that closes the gap. What is done keeps no record, only a mark.
 * What is not done when the lane is left is handled again by whoever reads the partition next.
 */
import type { ProducerRecord } from '../client/producer/record.ts'
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import { SluiceError } from '../error.ts'
import { topicPartitionKey, type TopicPartition } from '../protocol/records/topic-partition.ts'
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import type { Random } from '../seams/random.ts'
import { backoffMs } from './backoff.ts'
import type { Concurrency } from './concurrency.ts'
import type { DecodedBatch, RecordDecoder } from './decode.ts'
import { HandlerFailedError, ValueDecodeError } from './errors.ts'
import { classOf } from './dead-letters.ts'
import type { FailurePolicy, SettleSignals } from './failure-policy.ts'
import { Fifo } from './fifo.ts'
import { HandlerRecord, type HandlerContext, type HandlerProducer } from './handler.ts'
import { isFatal, failedIndex, causeOf, errorOf, hold, tooLate, stackOf, placed } from './handler-errors.ts'
import type { LoadedHandler } from './handler-module.ts'
import { sizeOf, sizeOfOutputs, type ClosingLimits, type Lane, type LaneState } from './partition-work.ts'
import { unlessStopped } from '../seams/unless-stopped.ts'

export type Order = 'partition' | 'key' | 'unordered'
export const orders: readonly Order[] = ['partition', 'key', 'unordered']

export interface RetrySettings {
  /** Attempts after the first. */
  readonly retries: number
  readonly backoffMs: number
  readonly backoffMaxMs: number
}

/** What all lanes of a consumer have in common. */
export interface HandlerLaneContext {
  readonly handler: LoadedHandler
  readonly order: Order
  /** Most records that a batch handler is given at once. */
  readonly batchRecords: number
  readonly retry: RetrySettings
  readonly concurrency: Concurrency
  readonly failures: FailurePolicy
  readonly decoder: RecordDecoder
  readonly application: string
  readonly consumer: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Sends what a handler gives; undefined with `exactly.once`, where it is held for the transaction. */
  readonly send: ((record: ProducerRecord, signal: AbortSignal) => Promise<void>) | undefined
  readonly onChange: () => void
  /** With `commit: record`: resolves when what is durable has been committed. */
  readonly afterRecord: (() => Promise<void>) | undefined
}

interface Entry {
  /** undefined when it is done. */
  record: ConsumerRecord | undefined
  readonly offset: number
  /** The position after it; behind the last one of a poll there may be a gap. */
  next: number
  readonly bytes: number
  /** Counts entries of this lane. */
  readonly sequence: number
  strand: string | undefined
  /** What comes next in the same strand. */
  follower: Entry | undefined
  outputs: readonly ProducerRecord[] | undefined
}

type Outcome =
  | { readonly kind: 'done'; readonly outputs: readonly ProducerRecord[] | undefined }
  | { readonly kind: 'failed'; readonly error: Error; readonly index: number }

/** Measured: an entry with its places in the window and in its strand. */
const ENTRY_BYTES = 160

/** How far work may run ahead of the oldest record that is not done. */
export const MOST_AHEAD = 10_000
/** How long a lane that closes waits for retries and turns that close a gap. */
const PATIENCE_MS = 10_000
/** How many records are done before the pipeline is told, if nothing else tells it. */
const TELL_EVERY = 256

export class HandlerLane implements Lane {
  readonly topicPartition: TopicPartition
  readonly #context: HandlerLaneContext
  readonly #closing = new AbortController()
  /** Aborts when the lane is told to close: who waits looks whether it is still worth it. */
  readonly #halting = new AbortController()
  /** Aborts when nothing is waited for any more. */
  readonly #leaving = new AbortController()
  readonly #signals: SettleSignals = { signal: this.#closing.signal, stopping: this.#leaving.signal }
  readonly #window = new Fifo<Entry>()
  /** What is too far ahead to join a strand. */
  readonly #outside = new Fifo<Entry>()
  readonly #ready = new Fifo<Entry>()
  /** The last entry of each strand that is not worked off. */
  readonly #strands = new Map<string, Entry>()
  /** What done records of the run without a gap sent, until it is committed. */
  #outputs: { readonly next: number; readonly records: readonly ProducerRecord[] }[] = []
  /** Of all that done records sent, committed with the run without a gap or still behind it. */
  #outputBytes = 0
  #state: LaneState = { kind: 'running' }
  #start: number | undefined
  #durable: number | undefined
  #sequences = 0
  /** The latest entry that was begun. */
  #latest = -1
  #oldest = 0
  #running = 0
  #waiting = 0
  /** Runs that gave their room away for a retry, and end without one. */
  #roomless = 0
  #isAsking = false
  #pendingBytes = 0
  #notDone = 0
  #doneRecords = 0
  #isStopping = false
  #isFrozen = false
  #idle: (() => void) | undefined

  constructor(topicPartition: TopicPartition, start: number | undefined, context: HandlerLaneContext) {
    this.topicPartition = topicPartition
    this.#start = start
    this.#context = context
  }

  get state(): LaneState {
    return this.#state
  }

  get durable(): number | undefined {
    return this.#durable
  }

  get restartAt(): number | undefined {
    return this.#durable ?? this.#start
  }

  get pendingBytes(): number {
    return this.#pendingBytes + this.#outputBytes
  }

  get storedRecords(): number {
    return this.#doneRecords
  }

  get isIdle(): boolean {
    return this.#running === 0 && (this.#notDone === 0 || this.#isStopping)
  }

  get isWaiting(): boolean {
    return this.#waiting > 0 && this.#waiting === this.#running
  }

  push(records: readonly ConsumerRecord[], next: number): void {
    if (this.#state.kind !== 'running' || this.#isStopping) return
    this.#start ??= records[0]?.offset ?? next
    for (const record of records) this.#add(record)
    const last = this.#window.last()
    if (last) last.next = next
    else this.#durable = next
    this.#admit()
    this.#pump()
  }

  #add(record: ConsumerRecord): void {
    const { offset } = record
    const bytes = sizeOf(record) + ENTRY_BYTES
    const strand = this.#strandOf(record)
    const entry: Entry = {
      record,
      offset,
      next: offset + 1,
      bytes,
      sequence: this.#sequences++,
      strand,
      follower: undefined,
      outputs: undefined,
    }
    this.#window.push(entry)
    this.#outside.push(entry)
    this.#notDone++
    this.#pendingBytes += bytes
  }

  #admit(): void {
    if (this.#isStopping) return
    for (let entry = this.#outside.peek(); entry; entry = this.#outside.peek()) {
      if (entry.sequence - this.#oldest >= MOST_AHEAD) return
      this.#outside.shift()
      this.#join(entry)
    }
  }

  #join(entry: Entry): void {
    const { strand } = entry
    if (strand === undefined) return this.#ready.push(entry)
    const before = this.#strands.get(strand)
    this.#strands.set(strand, entry)
    if (before) before.follower = entry
    else this.#ready.push(entry)
  }

  /** undefined: in no order. A batch handler's records wait in the window's own order. Records without a key have none to keep. */
  #strandOf(record: ConsumerRecord): string | undefined {
    const { order, handler } = this.#context
    if (handler.kind === 'batch' || order === 'unordered') return undefined
    return order === 'partition' ? '' : (record.key?.toString('latin1') ?? undefined)
  }

  get #canStart(): boolean {
    if (this.#isLeft || this.#leaving.signal.aborted) return false
    if (this.#isStopping)
      while (this.#ready.length > 0 && !this.#isWorthWaiting(this.#ready.peek()!)) this.#ready.shift()
    if (this.#context.handler.kind === 'batch' && this.#running > 0) return false
    return this.#ready.length > 0
  }

  #pump(): void {
    const { concurrency } = this.#context
    while (this.#canStart && concurrency.tryTake()) void this.#run(this.#takeUnit())
    if (this.#isAsking || !this.#canStart) return
    this.#isAsking = true
    concurrency.request(() => {
      this.#isAsking = false
      if (this.#canStart) void this.#run(this.#takeUnit())
      else concurrency.release()
      // There may be room for more, that nobody else of this lane asks for.
      this.#pump()
      this.#tellIfIdle()
    })
  }

  #takeUnit(): Entry[] {
    const { handler, batchRecords } = this.#context
    const unit = [this.#ready.shift()!]
    while (handler.kind === 'batch' && unit.length < batchRecords && this.#ready.length > 0)
      unit.push(this.#ready.shift()!)
    this.#latest = Math.max(this.#latest, unit.at(-1)!.sequence)
    return unit
  }

  async #run(unit: readonly Entry[]): Promise<void> {
    this.#running++
    try {
      await this.#work(unit)
    } catch (error) {
      // What is given up by a stop or an abort is read again.
      if (!this.#leaving.signal.aborted) this.#fail(error as Error)
    }
    this.#running--
    if (this.#roomless > 0) this.#roomless--
    else this.#context.concurrency.release()
    this.#pump()
    this.#tellIfIdle()
  }

  #tellIfIdle(): void {
    if (this.#running > 0 || this.#isAsking) return
    this.#idle?.()
    if (this.#notDone === 0) this.#context.onChange()
  }

  /**
   * While the lane closes: what is behind it was begun and is done, or may be. Left where it is, a gap would have all that handled twice, in the cleanest of
   * stops; so gaps are closed first, as long as there is time.
   */
  #isWorthWaiting({ sequence }: Entry): boolean {
    return sequence < this.#latest
  }

  #goesOn(unit: readonly Entry[]): boolean {
    return !this.#leaving.signal.aborted && (!this.#isStopping || this.#isWorthWaiting(unit[0]!))
  }

  /** Resolves when every record of the unit is done, or when the lane is left. */
  async #work(unit: readonly Entry[]): Promise<void> {
    const records: HandlerRecord[] = []
    for (const [index, entry] of unit.entries()) {
      const decoded = await this.#decode(entry.record!)
      if (decoded === undefined) return
      if (decoded instanceof HandlerRecord) records.push(decoded)
      else {
        if (index > 0) await this.#attempts(unit.slice(0, index), records)
        if (this.#isLeft) return
        await this.#giveUp(entry, decoded, 1)
        if (!this.#isLeft && index + 1 < unit.length) await this.#work(unit.slice(index + 1))
        return
      }
    }
    await this.#attempts(unit, records)
  }

  /** undefined when the lane is left before what decodes (a schema registry) can be had. */
  async #decode(record: ConsumerRecord): Promise<HandlerRecord | ValueDecodeError | undefined> {
    const { decoder, clock, random } = this.#context
    for (let attempt = 1; ; attempt++) {
      const batch: DecodedBatch = { records: [], values: [] }
      try {
        const pending = decoder.decode(record, batch)
        if (pending) await unlessStopped(pending, this.#leaving.signal)
        if (batch.records.length === 0) return undefined
        return new HandlerRecord(batch.records[0]!, batch.values[0])
      } catch (error) {
        if (error instanceof ValueDecodeError) return error
        if (!(error instanceof SluiceError && error.retriable)) throw error
        const waitMs = backoffMs(attempt, random)
        this.#cannotDecode(record, error, attempt, waitMs)
        await clock.sleep(waitMs, this.#leaving.signal)
        if (this.#leaving.signal.aborted || this.#isLeft) return undefined
      }
    }
  }

  #cannotDecode({ offset }: ConsumerRecord, error: SluiceError, attempt: number, waitMs: number): void {
    const { consumer, logger } = this.#context
    logger.error(
      { consumer, ...this.topicPartition, offset, attempt },
      `${topicPartitionKey(this.topicPartition)} offset ${offset}: records cannot be decoded: ${error.message}. ` +
        `Trying again in ${(waitMs / 1000).toFixed(1)} s; nothing is lost or committed meanwhile`,
    )
  }

  get #isLeft(): boolean {
    return this.#closing.signal.aborted || this.#state.kind !== 'running'
  }

  async #attempts(given: readonly Entry[], handed: readonly HandlerRecord[]): Promise<void> {
    const { retry, failures } = this.#context
    let unit = given
    let records = handed
    for (let attempt = 1; !this.#isLeft; attempt++) {
      const outcome = await this.#attempt(records, attempt)
      if (outcome.kind === 'done') return this.#done(unit, outcome.outputs)
      if (this.#closing.signal.aborted) return
      failures.counts.failed++
      const { error, index } = outcome
      if (index > 0) {
        await this.#done(unit.slice(0, index), undefined)
        unit = unit.slice(index)
        records = records.slice(index)
        // The first attempt for what now stands first, and it failed.
        attempt = 1
      }
      if (isFatal(error) || attempt > retry.retries) return this.#giveUpOneOf(unit, records, error, attempt)
      if (!this.#goesOn(unit)) return
      await this.#waitForRetry(unit, error, attempt)
      if (!this.#goesOn(unit)) return
      failures.counts.retried++
    }
  }

  /** One of them is the cause, and the others are not to go its way. */
  async #giveUpOneOf(
    unit: readonly Entry[],
    records: readonly HandlerRecord[],
    error: Error,
    attempts: number,
  ): Promise<void> {
    const named = unit.length === 1 ? 0 : failedIndex(error)
    if (named === undefined) {
      for (const [at, entry] of unit.entries()) {
        if (this.#isLeft || this.#leaving.signal.aborted) return
        await this.#attempts([entry], [records[at]!])
      }
      return
    }
    // Those before it are done already, unless their output had to be dropped with that of the one that failed.
    const at = this.#context.send ? 0 : Math.min(named, unit.length - 1)
    if (at > 0) await this.#attempts(unit.slice(0, at), records.slice(0, at))
    if (this.#isLeft || this.#leaving.signal.aborted) return
    await this.#giveUp(unit[at]!, causeOf(error), attempts)
    if (this.#isLeft || this.#leaving.signal.aborted || at + 1 === unit.length) return
    await this.#attempts(unit.slice(at + 1), records.slice(at + 1))
  }

  async #attempt(records: readonly HandlerRecord[], attempt: number): Promise<Outcome> {
    const { handler, send } = this.#context
    const sent: Promise<void>[] = []
    const outputs: ProducerRecord[] = []
    let isOver = false
    const producer: HandlerProducer = {
      send: (record) => {
        const sending = isOver ? tooLate(context) : send ? send(record, this.#closing.signal) : hold(record, outputs)
        // Whoever does not await it still must not pass the record, and nobody's failure to await it may end the process.
        sending.catch(() => {})
        if (!isOver) sent.push(sending)
        return sending
      },
    }
    const context = this.#handlerContext(records[0]!, attempt, producer)
    try {
      await (handler.kind === 'batch' ? handler.handle(records, context) : handler.handle(records[0]!, context))
      isOver = true
      if (sent.length > 0) await Promise.all(sent)
      return { kind: 'done', outputs: send ? undefined : outputs }
    } catch (thrown) {
      isOver = true
      const error = errorOf(thrown)
      // With `exactly.once` what the batch sent cannot be told apart by record: all of it is dropped, and all of it handled again.
      const index = send ? Math.min(failedIndex(error) ?? 0, records.length - 1) : 0
      return { kind: 'failed', error, index }
    }
  }

  #handlerContext(record: HandlerRecord, attempt: number, producer: HandlerProducer): HandlerContext {
    const { application, consumer, logger } = this.#context
    return { application, consumer, attempt, producer, signal: this.#closing.signal, logger: placed(logger, record) }
  }

  /** The room is given to others meanwhile, and polling goes on: a retry costs neither throughput of others nor the membership. */
  async #waitForRetry(unit: readonly Entry[], error: Error, attempt: number): Promise<void> {
    const { retry, random, clock, concurrency, logger, consumer } = this.#context
    const base = Math.min(retry.backoffMaxMs, retry.backoffMs * 2 ** Math.min(attempt - 1, 30))
    const { retryAfterMs } = causeOf(error) as { retryAfterMs?: unknown }
    const least = typeof retryAfterMs === 'number' ? retryAfterMs : 0
    const waitMs = Math.max(least, base * (0.8 + 0.4 * random.next()))
    const { offset } = unit[0]!
    const where = unit.length === 1 ? `offset ${offset}` : `offsets ${offset} to ${unit.at(-1)!.offset}`
    logger.warn(
      {
        consumer,
        ...this.topicPartition,
        offset,
        attempt,
        error: classOf(error),
        ...(attempt === 1 ? stackOf(error) : {}),
      },
      `${topicPartitionKey(this.topicPartition)} ${where}: the handler failed (attempt ${attempt} of ${retry.retries + 1}): ` +
        `${error.message}. Trying again in ${(waitMs / 1000).toFixed(1)} s`,
    )
    concurrency.release()
    this.#waiting++
    this.#context.onChange()
    try {
      const endsAt = clock.monotonic() + waitMs
      await clock.sleep(waitMs, this.#halting.signal)
      if (this.#isStopping && this.#goesOn(unit)) await clock.sleep(endsAt - clock.monotonic(), this.#leaving.signal)
    } finally {
      this.#waiting--
    }
    if (await concurrency.take(this.#halting.signal)) return
    if (!this.#goesOn(unit) || !(await concurrency.take(this.#leaving.signal))) this.#roomless++
  }

  async #giveUp(entry: Entry, error: Error, attempts: number): Promise<void> {
    const { failures, send } = this.#context
    const record = entry.record!
    const outputs: ProducerRecord[] | undefined = send ? undefined : []
    const isPassed = await failures.settle({ record, error, attempts }, this.#signals, outputs)
    if (isPassed) return this.#done([entry], outputs)
    this.#fail(new HandlerFailedError(record, error, attempts))
  }

  async #done(unit: readonly Entry[], outputs: readonly ProducerRecord[] | undefined): Promise<void> {
    // Late results count for nothing: the partition may be another member's.
    if (this.#isFrozen) return
    for (const entry of unit) {
      entry.record = undefined
      if (!this.#isStopping) this.#pendingBytes -= entry.bytes
    }
    this.#notDone -= unit.length
    this.#doneRecords += unit.length
    if (outputs && outputs.length > 0) {
      unit.at(-1)!.outputs = outputs
      this.#outputBytes += sizeOfOutputs(outputs)
    }
    this.#advance()
    const { afterRecord, onChange } = this.#context
    if (this.#doneRecords % TELL_EVERY < unit.length) onChange()
    if (afterRecord && !this.#isStopping) await unlessStopped(afterRecord(), this.#leaving.signal)
    for (const entry of unit) this.#follow(entry)
    this.#pump()
  }

  #advance(): void {
    for (let entry = this.#window.peek(); entry && entry.record === undefined; entry = this.#window.peek()) {
      this.#window.shift()
      this.#oldest = entry.sequence + 1
      this.#durable = entry.next
      if (entry.outputs) this.#outputs.push({ next: entry.next, records: entry.outputs })
    }
    this.#admit()
  }

  #follow(entry: Entry): void {
    if (entry.strand === undefined) return
    if (entry.follower) this.#ready.push(entry.follower)
    else if (this.#strands.get(entry.strand) === entry) this.#strands.delete(entry.strand)
  }

  /** What was sent by records below `next`, in their order, and is not committed. */
  outputsUpTo(next: number): ProducerRecord[] {
    return this.#outputs.flatMap((one) => (one.next <= next ? one.records : []))
  }

  /** A transaction with them is committed. */
  forgetOutputs(next: number): void {
    const committed = this.#outputs.filter((one) => one.next <= next)
    for (const { records } of committed) this.#outputBytes -= sizeOfOutputs(records)
    this.#outputs = this.#outputs.slice(committed.length)
  }

  async close({ signal, drain, work }: ClosingLimits): Promise<void> {
    this.#stop()
    const timer = this.#context.clock.setTimer(PATIENCE_MS, () => this.#leave(), { background: true })
    const abort = () => {
      this.#leave()
      this.#closing.abort()
    }
    const given = [signal, ...(drain ? [drain] : [])]
    for (const one of given) {
      one.addEventListener('abort', abort, { once: true })
      if (one.aborted) abort()
    }
    try {
      await this.#untilIdle(work ? AbortSignal.any([signal, work]) : signal)
    } finally {
      timer.cancel()
      for (const one of given) one.removeEventListener('abort', abort)
      this.#freeze()
    }
  }

  async abort(): Promise<void> {
    this.#stop()
    this.#freeze()
    this.#outputs = []
    this.#outputBytes = 0
  }

  /** A handler that does not heed its signal is not waited for longer than that. */
  async #untilIdle(signal: AbortSignal): Promise<void> {
    if ((this.#running === 0 && !this.#isAsking) || signal.aborted) return
    const idle = Promise.withResolvers<void>()
    this.#idle = idle.resolve
    signal.addEventListener('abort', () => idle.resolve(), { once: true })
    await idle.promise
  }

  #stop(): void {
    this.#isStopping = true
    this.#outside.clear()
    this.#pendingBytes = 0
    this.#halting.abort()
    this.#pump()
  }

  #leave(): void {
    this.#leaving.abort()
    this.#ready.clear()
  }

  #freeze(): void {
    this.#isFrozen = true
    this.#leave()
    this.#closing.abort()
    this.#window.clear()
    this.#strands.clear()
    if (this.#state.kind === 'running') this.#state = { kind: 'closed' }
  }

  #fail(error: Error): void {
    if (this.#state.kind !== 'running') return
    this.#state = { kind: 'failed', error }
    this.#context.onChange()
  }
}
