/**
 * One consumer and its target, a sink or a handler: poll, hand each partition's records to its lane (lane.ts), commit what lanes made durable,
 * and nothing that they did not. Whoever runs it (worker.ts) made the port and the sink.
 *
 *     starting ─open─▶ running ─stop()─▶ stopping ─▶ stopped
 *                         │                 ▲
 *                         └── a failure ────┘        run() then rejects with it, after the same orderly end
 *
 * A partition's own way, from assignment on:
 *
 *     assigned ─▶ unplaced (paused) ─sink.assigned, seek─▶ placed (a lane) ─▶ revoked: flush, commit, before the rejoin
 *                     ▲                                       │           └─▶ lost: abort, write nothing, commit nothing
 *                     └──── fenced, or refused a record ──────┘
 *
 * Why placing happens between polls and not in the listener: the store may be down for longer than a poll may take, and
 * the membership must not depend on it. Until it is placed a partition is paused and nothing of it is fetched.
 *
 * All calls to the consumer come from the loop or the listener inside its poll, never both at once, as Java demands.
 * Lanes run beside the loop and touch the sink only; they tell the loop through `#changed`.
 */
import { SluiceError } from '../error.ts'
import { topicPartitionKey, TopicPartitionMap, type TopicPartition } from '../protocol/records/topic-partition.ts'
import type { Clock } from '../seams/clock.ts'
import type { Disk } from '../seams/disk.ts'
import type { Logger } from '../seams/logger.ts'
import type { Random } from '../seams/random.ts'
import { guarantees, type Guarantee, type Opened } from '../sinks/sink.ts'
import { backoffMs } from './backoff.ts'
import { Committer, type DurableOffset } from './committer.ts'
import type { AssignmentListener, CommitChannel, ConsumerPort } from './consumer-port.ts'
import type { CommitStrategy } from './conf.ts'
import type { RecordDecoder } from './decode.ts'
import { GuaranteeError, OffsetOutsideLogError, TopicRecreatedError } from './errors.ts'
import { FailurePolicy, type FailureCounts } from './failure-policy.ts'
import type { Cadence, LaneContext } from './lane.ts'
import type { Target } from './target.ts'
import type { ClosingLimits } from './partition-work.ts'
import { newPartition, type Partition, type PartitionProgress } from './pipeline-partition.ts'

export interface PipelineOptions {
  readonly port: ConsumerPort
  readonly target: Target
  /** For messages: `file`, `handler`. */
  readonly targetName: string
  /** In place of the port's own commits. */
  readonly commits?: CommitChannel
  /** What becomes of records that cannot be dealt with; without it they stop the application. */
  readonly failures?: FailurePolicy
  readonly application: string
  readonly consumer: string
  readonly consumerCount: number
  readonly clusterId: string
  readonly decoder: RecordDecoder
  readonly commit: CommitStrategy
  readonly guarantee: Guarantee | undefined
  readonly flush: { readonly records?: number; readonly bytes?: number; readonly intervalMs?: number }
  readonly bufferBytes: number
  readonly shutdownTimeoutMs: number
  readonly maxPollIntervalMs: number
  readonly autoCommitIntervalMs: number
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly logger: Logger
  /** Called after each assignment and release with what is now owned. */
  readonly onAssignment?: (owned: readonly TopicPartition[]) => void
}

export interface PipelineCounts extends Readonly<FailureCounts> {
  readonly polled: number
  readonly stored: number
  readonly committed: number
}

/** How long a poll waits for records when nothing else is to be done. */
const POLL_MS = 500
/** How long it waits when something is to be looked at soon: a placement that failed, a commit that is due. */
const SHORT_POLL_MS = 50
/** The commit comes sooner than `auto.commit.interval.ms` says when partitions wait for it. */
const HELD_UP_COMMIT_MS = 100
/** A flush is aborted when this part of max.poll.interval.ms is over, so that a revocation can still commit in time. */
const FLUSH_SHARE = 0.6
const COMMIT_SHARE = 0.2
/** Part of shutdown.timeout.ms for writing what was read. */
const DRAIN_SHARE = 0.5
/** Part of it after which nothing under way is waited for any more: what others have done is still to be committed. */
const WORK_SHARE = 0.8
const FLUSH_BYTES = 16 * 1024 * 1024

export class Pipeline {
  readonly #options: PipelineOptions
  readonly #committer: Committer
  readonly #failures: FailurePolicy
  readonly #partitions = new TopicPartitionMap<Partition>()
  readonly #stop = new AbortController()
  /** Aborts when what was read and not yet written is given up, so that the rest of the time is for flush and commit. */
  readonly #drained = new AbortController()
  readonly #worked = new AbortController()
  /** Aborts when the time for an orderly end is over. */
  readonly #deadline = new AbortController()
  #opened: Opened | undefined
  #laneContext: LaneContext | undefined
  #failure: Error | undefined
  /** clock.monotonic() at which an orderly end is to be over; undefined while running. */
  #endsAt: number | undefined
  #changed: { promise: Promise<void>; resolve: () => void } = Promise.withResolvers<void>()
  #polled = 0
  #storedBefore = 0

  constructor(options: PipelineOptions) {
    const { port, commits, clock, random, logger, consumer, application } = options
    this.#options = options
    this.#committer = new Committer(commits ?? port, clock, logger, consumer)
    this.#committer.onBroken = (error) => {
      this.#fail(error)
      port.wakeup()
    }
    this.#failures =
      options.failures ?? new FailurePolicy({ onFailure: 'stop', application, consumer, clock, random, logger })
  }

  get counts(): PipelineCounts {
    let stored = this.#storedBefore
    for (const { lane } of this.#partitions.values()) stored += lane?.storedRecords ?? 0
    return { polled: this.#polled, stored, committed: this.#committer.count, ...this.#failures.counts }
  }

  /** Each partition's work: what is `done` (stored or handled for good), what the group has committed, whether anything is under way. */
  get progress(): PartitionProgress[] {
    return [...this.#partitions.values()].map(({ topicPartition, lane }) => ({
      topicPartition,
      done: lane?.durable ?? lane?.restartAt,
      committed: this.#committer.committed(topicPartition),
      isBusy: !lane?.isIdle,
    }))
  }

  /** Milliseconds since 1970 of the last commit that succeeded. */
  get lastCommitAtMs(): number | undefined {
    return this.#committer.lastAtMs
  }

  /** What the store really promises; undefined before it was opened. */
  get guarantee(): Guarantee | undefined {
    return this.#opened?.guarantee
  }

  /** Ends `run` in good order: no more fetching; flush, commit, leave, within `shutdown.timeout.ms`. */
  stop(): void {
    if (this.#stop.signal.aborted) return
    const { clock, shutdownTimeoutMs, port } = this.#options
    this.#stop.abort()
    this.#endsAt = clock.monotonic() + shutdownTimeoutMs
    clock.setTimer(shutdownTimeoutMs * DRAIN_SHARE, () => this.#drained.abort(), { background: true })
    clock.setTimer(shutdownTimeoutMs * WORK_SHARE, () => this.#worked.abort(), { background: true })
    clock.setTimer(shutdownTimeoutMs, () => this.#deadline.abort(), { background: true })
    this.#signalChange()
    port.wakeup()
  }

  /** Resolves after `stop` when everything has come to rest. Rejects with what stopped the application. */
  async run(): Promise<void> {
    const { port, target } = this.#options
    try {
      await this.#open()
      if (!this.#stop.signal.aborted) port.subscribe(this.#listener)
      while (!this.#stop.signal.aborted && !this.#failure) await this.#turn()
    } catch (error) {
      this.#fail(error as Error)
    }
    if (this.#failure) this.stop()
    try {
      await this.#release([...this.#partitions.keys()], {
        signal: this.#deadline.signal,
        drain: this.#drained.signal,
        work: this.#worked.signal,
      })
    } catch (error) {
      this.#fail(error as Error)
    }
    await port.close(this.#leftMs() ?? 0).catch((error: Error) => this.#fail(error))
    await target.close().catch((error: Error) => this.#fail(error))
    if (this.#failure) throw this.#failure
  }

  #leftMs(): number | undefined {
    return this.#endsAt === undefined ? undefined : Math.max(0, this.#endsAt - this.#options.clock.monotonic())
  }

  async #open(): Promise<void> {
    const { target, targetName, port, guarantee, decoder, logger } = this.#options
    const { application, consumer, consumerCount, clusterId, clock, random, disk } = this.#options
    this.#opened = await target.open({
      application,
      consumer,
      consumerCount,
      clusterId,
      clock,
      random,
      disk,
      logger,
      topicId: (topic) => port.topicId(topic),
      valueType: decoder.valueType,
      signal: this.#deadline.signal,
    })
    if (guarantee && guarantees.indexOf(this.#opened.guarantee) > guarantees.indexOf(guarantee)) {
      throw new GuaranteeError(targetName, guarantee, this.#opened.guarantee)
    }
    this.#laneContext = {
      sinkName: targetName,
      consumer,
      clock,
      random,
      logger,
      decoder,
      failures: this.#failures,
      cadence: this.#cadence(),
      flushTimeoutMs: this.#options.maxPollIntervalMs * FLUSH_SHARE,
      poisonAdvice: this.#poisonAdvice(),
      onChange: () => this.#laneChanged(),
      afterFlush: this.#options.commit === 'record' && !this.#opened.flushHint ? () => this.#nextCommit() : undefined,
    }
    this.#committer.isMirror = this.#storeOwnsOffsets
  }

  /** The sink's own pace where it has one, else the application's `commit`; the conf's `flush.*` above both. */
  #cadence(): Cadence {
    const { flush, commit } = this.#options
    const hint = this.#opened!.flushHint
    const isByRecord = commit === 'record' && !hint
    return {
      records: flush.records ?? hint?.records ?? (isByRecord ? 1 : Number.MAX_SAFE_INTEGER),
      bytes: flush.bytes ?? (hint ? Number.MAX_SAFE_INTEGER : FLUSH_BYTES),
      intervalMs: flush.intervalMs ?? hint?.intervalMs ?? 1000,
      whenIdle: !hint && flush.records === undefined && flush.bytes === undefined && flush.intervalMs === undefined,
    }
  }

  #poisonAdvice(): string {
    const { application } = this.#options
    const change =
      `Change "value" or the sink's options so that it can be stored, and start again; or let such records pass ` +
      'with "on.failure": "dead-letter" or "skip"'
    return this.#storeOwnsOffsets
      ? change
      : `${change}; or leave it out: sluice groups reset-offsets --group ${application} --topic <topic>:<partition> --to-offset <offset + 1> --execute`
  }

  get #storeOwnsOffsets(): boolean {
    return this.#opened?.guarantee === 'transactional' || this.#opened?.guarantee === 'create-once'
  }

  /** After each poll the application waits until what it returned is stored and committed. */
  get #isStepwise(): boolean {
    return this.#options.commit !== 'auto' && !this.#opened?.flushHint
  }

  async #turn(): Promise<void> {
    const { port } = this.#options
    this.#changed = Promise.withResolvers<void>()
    this.#sortOutLanes()
    await this.#place()
    this.#backpressure()
    this.#commitIfDue()
    if (this.#failure || this.#stop.signal.aborted) return
    const polled = await port.poll(this.#pollMs())
    if (this.#isRecreatedTopic()) return
    for (const { topicPartition, records, next } of polled) {
      const partition = this.#partitions.get(topicPartition)
      this.#polled += records.length
      if (partition?.lane) {
        this.#committer.readsFrom(topicPartition, records[0]?.offset ?? next)
        partition.lane.push(records, next)
      } else if (partition) partition.arrived ??= records[0]?.offset ?? next
    }
    if (this.#isStepwise) await this.#finishStep()
  }

  #pollMs(): number {
    for (const { lane, isPaused } of this.#partitions.values()) if (!lane || isPaused) return SHORT_POLL_MS
    return this.#committer.dirty(this.#durable()).length > 0
      ? Math.min(POLL_MS, this.#options.autoCommitIntervalMs)
      : POLL_MS
  }

  /** Lanes that stopped by themselves: begin anew where the store stands, or end the application. */
  #sortOutLanes(): void {
    const { logger, consumer } = this.#options
    for (const partition of this.#partitions.values()) {
      const state = partition.lane?.state
      if (!state) continue
      const key = topicPartitionKey(partition.topicPartition)
      switch (state.kind) {
        case 'running':
        case 'closed':
          break
        case 'fenced':
          logger.warn(
            { consumer, partition: key },
            `${key}: ${state.error.message}. Reading again from where the store stands`,
          )
          this.#unplace(partition)
          break
        case 'refused':
          partition.poison = state.error
          this.#unplace(partition)
          break
        case 'failed':
          this.#fail(state.error)
          break
        case 'ended':
          logger.info({ consumer }, state.error.message)
          this.stop()
          break
      }
    }
  }

  #unplace(partition: Partition): void {
    this.#storedBefore += partition.lane?.storedRecords ?? 0
    partition.restartAt = partition.lane?.restartAt ?? partition.restartAt
    partition.lane = undefined
    partition.arrived = undefined
    this.#pause(partition)
    // Two owners that take turns in fencing each other come to rest by this wait, as one of them loses its session.
    partition.retryAt =
      this.#options.clock.monotonic() + backoffMs(1, this.#options.random) * (partition.attempts > 0 ? 1 : 0.1)
    partition.attempts++
  }

  /** Asks the store where it stands with the partitions that have no lane yet, seeks there, and lets them flow. */
  async #place(): Promise<void> {
    const { clock, port, target, logger, targetName } = this.#options
    const now = clock.monotonic()
    const due = [...this.#partitions.values()].filter(({ lane, retryAt }) => !lane && retryAt <= now)
    if (due.length === 0) return
    const topicPartitions = due.map(({ topicPartition }) => topicPartition)
    const limits = { signal: this.#stop.signal }
    try {
      await port.learnTopicIds([...new Set(topicPartitions.map(({ topic }) => topic))], limits)
      const committed = await port.committed(topicPartitions, limits)
      const generation = port.generation()
      const positions = await target.assigned(
        topicPartitions.map((topicPartition, index) => ({ topicPartition, committed: committed[index], generation })),
      )
      const stored = new TopicPartitionMap(positions.map(({ topicPartition, next }) => [topicPartition, next]))
      await this.#checkBounds(topicPartitions, stored)
      for (const [index, partition] of due.entries()) {
        this.#startLane(partition, stored.get(partition.topicPartition), committed[index])
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return
      if (!(error instanceof SluiceError && error.retriable)) throw error
      for (const partition of due) {
        partition.attempts++
        partition.retryAt = clock.monotonic() + backoffMs(partition.attempts, this.#options.random)
      }
      const names = topicPartitions.map(topicPartitionKey).join(', ')
      logger.error(
        { sink: targetName, partitions: names, attempt: due[0]!.attempts },
        `cannot begin with ${names}: ${error.message}. Trying again; nothing of them is read meanwhile`,
      )
    }
  }

  async #checkBounds(topicPartitions: readonly TopicPartition[], stored: TopicPartitionMap<number | undefined>) {
    const owned = topicPartitions.filter((topicPartition) => stored.get(topicPartition) !== undefined)
    if (owned.length === 0) return
    const bounds = await this.#options.port.logBounds(owned, { signal: this.#stop.signal })
    for (const [index, topicPartition] of owned.entries()) {
      const next = stored.get(topicPartition)!
      const log = bounds[index]!
      if (next < log.start || next > log.end) throw new OffsetOutsideLogError(topicPartition, next, log)
    }
  }

  #startLane(partition: Partition, stored: number | undefined, committed: number | undefined): void {
    const { port } = this.#options
    const { topicPartition, restartAt, arrived, poison } = partition
    const start = stored ?? restartAt ?? committed ?? arrived
    // Without a position anywhere the consumer begins by auto.offset.reset.
    if (start !== undefined) port.seek(topicPartition, start)
    partition.topicId = port.topicId(topicPartition.topic)
    partition.lane = this.#options.target.newLane(topicPartition, start, this.#laneContext!, poison)
    this.#committer.begin(topicPartition, committed)
    partition.arrived = undefined
    partition.isPaused = false
    port.resume([topicPartition])
  }

  /**
   * A recreated topic: the consumer goes on at its old position in the new log, past records that nobody has read. What a poll
   * returned is looked at only after this, as the consumer learns the new id before it can fetch anything by it.
   */
  #isRecreatedTopic(): boolean {
    for (const partition of this.#partitions.values()) {
      const now = this.#foreignTopicId(partition)
      if (now) this.#fail(new TopicRecreatedError(partition.topicPartition, partition.topicId!, now))
    }
    return this.#failure !== undefined
  }

  /** undefined while it is the same topic, and also while there is none: its name then stands in for its id. */
  #foreignTopicId({ topicPartition: { topic }, topicId }: Partition): string | undefined {
    const now = this.#options.port.topicId(topic)
    return topicId === undefined || now === topicId || now === topic ? undefined : now
  }

  #pause(partition: Partition): void {
    if (partition.isPaused) return
    partition.isPaused = true
    this.#options.port.pause([partition.topicPartition])
  }

  /** Bounded memory: what a slow sink has not taken yet is not added to, while polling goes on. */
  #backpressure(): void {
    const { bufferBytes, port } = this.#options
    const most = Math.max(1, bufferBytes / Math.max(1, this.#partitions.size))
    for (const partition of this.#partitions.values()) {
      const { lane, isPaused, topicPartition } = partition
      if (!lane) continue
      if (!isPaused && (this.#isStepwise ? !lane.isIdle : lane.pendingBytes >= most)) {
        this.#pause(partition)
      } else if (isPaused && (this.#isStepwise ? lane.isIdle : lane.pendingBytes <= most / 4)) {
        partition.isPaused = false
        port.resume([topicPartition])
      }
    }
  }

  #laneChanged(): void {
    this.#signalChange()
    const { bufferBytes, port } = this.#options
    const most = Math.max(1, bufferBytes / Math.max(1, this.#partitions.size))
    for (const { lane, isPaused } of this.#partitions.values()) {
      if (!lane) continue
      const { kind } = lane.state
      if (kind === 'closed') continue
      if (kind !== 'running' || (isPaused && lane.pendingBytes <= most / 4)) return port.wakeup()
    }
  }

  #signalChange(): void {
    this.#changed.resolve()
  }

  /** `commit: sync | async | record`: stores and commits what the poll returned before the next one, as long as that takes no longer than a poll may. */
  async #finishStep(): Promise<void> {
    const { clock, maxPollIntervalMs, commit } = this.#options
    const until = clock.monotonic() + maxPollIntervalMs / 4
    const lanes = () => [...this.#partitions.values()].flatMap(({ lane }) => lane ?? [])
    while (
      lanes().some(({ isIdle, isWaiting }) => !isIdle && !isWaiting) &&
      clock.monotonic() < until &&
      !this.#stop.signal.aborted
    ) {
      if (this.#committer.hasWaiters) await this.#commitDurable()
      if (lanes().every(({ isIdle, state }) => isIdle || state.kind !== 'running')) break
      this.#changed = Promise.withResolvers<void>()
      const pause = new AbortController()
      await Promise.race([this.#changed.promise, clock.sleep(SHORT_POLL_MS, pause.signal)])
      pause.abort()
    }
    if (commit === 'async') this.#committer.inBackground(this.#committer.dirty(this.#durable()))
    else await this.#commitDurable()
  }

  /** `commit: record`: what the lane waits for after each flush. A partition that is given up does not wait. */
  #nextCommit(): Promise<void> {
    const committed = this.#committer.next()
    this.#signalChange()
    return committed
  }

  *#durable(among: Iterable<Partition> = this.#partitions.values()): Generator<DurableOffset> {
    for (const partition of among) {
      const durable = this.#cannotCommit(partition) ? undefined : partition.lane?.durable
      yield { topicPartition: partition.topicPartition, durable }
    }
  }

  /** What is durable of the old topic is no offset of the new one; and one that is gone takes none, however long the group waits for it. */
  #cannotCommit(partition: Partition): boolean {
    return this.#options.port.isMissing(partition.topicPartition.topic) || this.#foreignTopicId(partition) !== undefined
  }

  #commitDurable(): Promise<void> {
    return this.#committer.now(this.#committer.dirty(this.#durable()), { signal: this.#stop.signal })
  }

  /** Nothing is under way and nothing fetched, as what handlers sent takes up the room until it is committed. */
  get #isHeldUpByOutputs(): boolean {
    for (const { lane, isPaused } of this.#partitions.values())
      if (isPaused && lane?.isIdle && lane.pendingBytes > 0) return true
    return false
  }

  #commitIfDue(): void {
    const everyMs = this.#isHeldUpByOutputs ? HELD_UP_COMMIT_MS : this.#options.autoCommitIntervalMs
    if (this.#isStepwise || this.#committer.msSinceLast < everyMs) return
    this.#committer.inBackground(this.#committer.dirty(this.#durable()))
  }

  readonly #listener: AssignmentListener = {
    assigned: async (added) => {
      for (const topicPartition of added) {
        this.#partitions.set(topicPartition, newPartition(topicPartition))
        this.#pause(this.#partitions.get(topicPartition)!)
      }
      this.#options.onAssignment?.([...this.#partitions.keys()])
    },
    revoked: async (partitions) => {
      const limit = new AbortController()
      const { clock, maxPollIntervalMs } = this.#options
      const timer = clock.setTimer(maxPollIntervalMs * FLUSH_SHARE, () => limit.abort())
      try {
        await this.#release(partitions, { signal: AbortSignal.any([limit.signal, this.#deadline.signal]) })
      } catch (error) {
        this.#fail(error as Error)
      } finally {
        timer.cancel()
      }
    },
    lost: async (partitions) => {
      try {
        await this.#abandon(partitions)
      } catch (error) {
        this.#fail(error as Error)
      }
    },
  }

  /** Flushes what the sink has of these partitions, commits it and lets go of them. */
  async #release(topicPartitions: readonly TopicPartition[], limits: ClosingLimits): Promise<void> {
    const held = this.#take(topicPartitions)
    if (held.length === 0) return
    this.#committer.releaseWaiters()
    await Promise.all(held.map(async ({ lane }) => lane?.close(limits)))
    this.#committer.releaseWaiters()
    const placed = held.filter(({ lane }) => lane)
    const positions =
      placed.length === 0
        ? []
        : await this.#options.target.revoked(
            placed.map(({ topicPartition }) => topicPartition),
            'revoked',
          )
    // The sink has flushed too, after the lanes: the later of both counts.
    const durable = new TopicPartitionMap([...this.#durable(held)].map((one) => [one.topicPartition, one.durable]))
    for (const one of positions) {
      const known = durable.get(one.topicPartition)
      if (one.durable !== undefined && one.durable > (known ?? -1)) durable.set(one.topicPartition, one.durable)
    }
    for (const partition of held) if (this.#cannotCommit(partition)) durable.delete(partition.topicPartition)
    const offsets = [...durable].map(([topicPartition, durable]) => ({ topicPartition, durable }))
    const dirty = this.#committer.dirty(offsets)
    if (dirty.length > 0) {
      // Lanes may have used up their time; what is durable is committed all the same.
      const timeoutMs = this.#leftMs() ?? this.#options.maxPollIntervalMs * COMMIT_SHARE
      await this.#committer.now(dirty, { timeoutMs, signal: this.#deadline.signal }, true)
    }
    this.#forget(held)
  }

  /** The session is gone: what was not flushed is another member's to read again. */
  async #abandon(topicPartitions: readonly TopicPartition[]): Promise<void> {
    const held = this.#take(topicPartitions)
    if (held.length === 0) return
    this.#committer.releaseWaiters()
    await Promise.all(held.map(async ({ lane }) => lane?.abort()))
    const placed = held.filter(({ lane }) => lane).map(({ topicPartition }) => topicPartition)
    if (placed.length > 0) await this.#options.target.revoked(placed, 'lost')
    this.#forget(held)
  }

  #take(topicPartitions: readonly TopicPartition[]): Partition[] {
    return topicPartitions.flatMap((topicPartition) => this.#partitions.get(topicPartition) ?? [])
  }

  #forget(held: readonly Partition[]): void {
    for (const { topicPartition, lane } of held) {
      this.#storedBefore += lane?.storedRecords ?? 0
      this.#partitions.delete(topicPartition)
      this.#committer.forget(topicPartition)
    }
    this.#options.onAssignment?.([...this.#partitions.keys()])
  }

  #fail(error: Error): void {
    if (!this.#failure) this.#failure = error
    else this.#options.logger.warn({ consumer: this.#options.consumer }, `and then: ${error.message}`)
  }
}
