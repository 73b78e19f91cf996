/**
 * The consumer, with the contract of Java's `KafkaConsumer`. This file is its surface and the loop of `poll`; what it does lies beside it:
 *
 *     poll ─┬─ group-member.ts   joins, revokes, assigns (membership.ts decides)
 *           ├─ positions.ts      where each partition is read from
 *           ├─ fetcher.ts        fetches ahead, hands out
 *           └─ commits.ts        auto-commit, asynchronous commits
 *
 * A consumer's life:
 *
 *     open ──subscribe / assign──▶ open, polled ──close()──▶ closing ──▶ closed
 *
 * It does one thing at a time. A second `poll`, `subscribe`, `commitSync()` of its positions … while one runs throws ConcurrentUseError, as
 * Java does; `wakeup`, `close`, `seek`, `pause`, `resume`, commits of given offsets and everything that only looks may be called meanwhile.
 *
 * The rule that must not break: between the moment at which positions advance and the return of the records there is no await, no wakeup and no
 * throw. `fetcher.collect` is that moment.
 */
import { type TopicPartition, TopicPartitionMap } from '../../protocol/records/topic-partition.ts'
import { type ConsumerConfig, type PropertyBag } from '../config.ts'
import { AbortedError, IllegalStateError, InvalidArgumentError, TimeoutError } from '../errors.ts'
import { type PartitionMetadata, type TopicMetadata } from '../metadata.ts'
import { withRetries } from '../retry.ts'
import { CallGuard, type ConsumerCallOptions } from './call-guard.ts'
import { type OffsetCommitCallback } from './commits.ts'
import { topicError, WakeupError } from './consumer-errors.ts'
import { lagOf, type Metric } from './consumer-metrics.ts'
import { type ConsumerOptions, type ConsumerParts, type GroupParts, makeConsumerParts } from './consumer-parts.ts'
import { ConsumerRecords, type OffsetAndMetadata } from './consumer-records.ts'
import { type OffsetEntry } from './group-offsets.ts'
import { EARLIEST_TIMESTAMP, type FoundOffset, LATEST_TIMESTAMP } from './offset-lookup.ts'
import { type Farewell } from './membership.ts'
import { type RebalanceListener } from './rebalance-listener.ts'

/** Offsets to commit: a map, or pairs of partition and offset. */
export type OffsetsToCommit = Iterable<OffsetEntry>

export interface ConsumerGroupMetadata {
  readonly groupId: string
  /** -1 while the consumer belongs to no generation. */
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export interface CloseOptions {
  /** Milliseconds; default 30 s. */
  readonly timeoutMs?: number
  /** Whether the group is left. */
  readonly membership?: Farewell
}

/** With data buffered a poll takes no turn of the event loop; after this long it takes one, so that heartbeats and sockets get theirs. */
const TURN_MS = 5
const CLOSE_TIMEOUT_MS = 30_000
/** How long one poll of `for await` waits. */
const ITERATION_MS = 1000

/** `K` and `V` are what records' keys and values are: bytes, or what the deserializers give. */
export class Consumer<K = Buffer, V = Buffer> {
  readonly config: ConsumerConfig
  readonly #parts: ConsumerParts
  readonly #maxRecords: number
  readonly #calls: CallGuard
  #closing: Promise<void> | undefined
  #turnMs = 0
  #learning: AbortController | undefined

  /** @throws ConfigError with everything that is wrong. Connects with the first call that needs a broker. */
  constructor(properties: PropertyBag, options: ConsumerOptions<K, V> = {}) {
    this.#parts = makeConsumerParts(properties, options)
    this.config = this.#parts.config
    this.#calls = new CallGuard(this.#parts.signal, this.#parts.calls, this.config['default.api.timeout.ms'])
    this.#maxRecords = this.config['max.poll.records']
  }

  /** Finds the cluster now instead of with the first poll. Rejects with BrokerUnavailableError after one round of trying. */
  connect({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    return this.#parts.cluster.connect(signal)
  }

  /**
   * Joins the group for these topics, or for all whose name the pattern matches (`RegExp.test`: anchor it to match whole names), with the next poll. Replaces an
   * earlier subscription; an empty list is `unsubscribe`, without the waiting. Partitions of topics that come to match later are added.
   *
   * @throws InvalidArgumentError without `group.id`; IllegalStateError after `assign` or the other kind of subscription
   */
  subscribe(topics: readonly string[] | string | RegExp, listener?: RebalanceListener): void {
    this.#calls.mustBeIdle('subscribe')
    const { member } = this.#group('subscribe to topics')
    const { subscriptions, calls, cluster } = this.#parts
    if (topics instanceof RegExp) {
      subscriptions.subscribePattern(topics)
      cluster.setTopics('all')
    } else {
      const names = typeof topics === 'string' ? [topics] : topics
      if (names.some((name) => name.trim() === ''))
        throw new InvalidArgumentError('A topic to subscribe to has no name')
      if (names.length === 0) {
        this.#unsubscribeLater()
        return
      }
      subscriptions.subscribeTopics(names)
      cluster.setTopics(names, { allowAutoTopicCreation: this.config['allow.auto.create.topics'] })
    }
    calls.listener = listener
    member.subscribed()
    this.#learnTopics()
  }

  /** Reads exactly these partitions, without a group's assignment. Replaces an earlier assignment; partitions in both keep their positions. */
  assign(partitions: readonly TopicPartition[]): void {
    this.#calls.mustBeIdle('assign')
    const { subscriptions, cluster, group, positions } = this.#parts
    if (partitions.length === 0) {
      this.#unsubscribeLater()
      return
    }
    // What is read so far is committed while it is still assigned.
    if (subscriptions.subscription.kind === 'assigned') group?.commits.autoCommitNow()
    subscriptions.assignByUser(partitions)
    cluster.setTopics(
      partitions.map(({ topic }) => topic),
      { allowAutoTopicCreation: this.config['allow.auto.create.topics'] },
    )
    positions.unsettle()
    this.#learnTopics()
  }

  /** Gives everything up (`onPartitionsRevoked`, or `onPartitionsLost`) and leaves the group. Does not commit. */
  async unsubscribe(): Promise<void> {
    await this.#giveUpAll()
    this.#parts.calls.throwError()
  }

  /** What a callback throws meanwhile is thrown by the next poll. */
  #unsubscribeLater(): void {
    this.#giveUpAll().catch((error: unknown) => {
      this.#parts.cluster.seams.logger.error({ error: (error as Error).message }, 'unsubscribing failed')
    })
  }

  #giveUpAll(): Promise<void> {
    const { subscriptions, group } = this.#parts
    return this.#calls.exclusively('unsubscribe', async () => {
      if (group && subscriptions.isGroupManaged) {
        await group.member.leave('the consumer unsubscribed from all topics', this.config['default.api.timeout.ms'])
      }
      subscriptions.unsubscribe()
    })
  }

  /**
   * Returns what has been fetched, at most `max.poll.records`, and moves the positions behind it. Takes part in the group's rebalances, runs callbacks, and
   * commits what earlier polls returned (`enable.auto.commit`). Without data it waits up to `timeoutMs`; it returns early, and empty, when a position
   * moved over something that holds no record (transaction markers).
   *
   * @throws WakeupError, AbortedError (`signal`), ConcurrentUseError, ClosedError, IllegalStateError (nothing subscribed or assigned),
   *   RecordDeserializationError, NoOffsetForPartitionError, OffsetOutOfRangeError, LogTruncationError, CorruptRecordsError, FencedInstanceIdError, KafkaError, and what a callback threw.
   *   After each of them positions stand where they stood.
   */
  async poll(timeoutMs: number, { signal }: { signal?: AbortSignal } = {}): Promise<ConsumerRecords<K, V>> {
    if (!(timeoutMs >= 0)) throw new InvalidArgumentError(`${timeoutMs} is no time to wait: milliseconds from 0 on are`)
    this.#calls.enter('poll')
    const { subscriptions, group, metrics, fetcher, cluster, positions } = this.#parts
    const member = subscriptions.isGroupManaged ? group?.member : undefined
    try {
      if (subscriptions.subscription.kind === 'none') {
        throw new IllegalStateError('poll() needs something to read: subscribe to topics or assign partitions first')
      }
      const nowMs = cluster.seams.clock.monotonic()
      metrics.pollBegan(nowMs)
      member?.pollBegan()
      this.#throwIfEnded(signal)
      group?.commits.autoCommitIfDue(nowMs)
      if (nowMs - this.#turnMs > TURN_MS) {
        await cluster.seams.clock.yield()
        this.#turnMs = nowMs
        this.#throwIfEnded(signal)
      }
      if (positions.isSettled && member?.needsStep !== true && group?.commits.hasCallbacks !== true) {
        const records = fetcher.collect(this.#maxRecords)
        if (records !== undefined) {
          fetcher.send()
          return records as ConsumerRecords<never, never>
        }
      }
      return await this.#pollUntil(nowMs + timeoutMs, signal)
    } finally {
      const nowMs = cluster.seams.clock.monotonic()
      metrics.pollEnded(nowMs)
      member?.pollEnded(nowMs)
      this.#calls.leave()
    }
  }

  async #pollUntil(deadlineMs: number, abort: AbortSignal | undefined): Promise<ConsumerRecords<K, V>> {
    const { subscriptions, group, fetcher, cluster, positions, signal } = this.#parts
    const { clock } = cluster.seams
    for (let round = 0; ; round++) {
      this.#throwIfEnded(abort)
      const member = subscriptions.isGroupManaged && !this.#learning ? group?.member : undefined
      const isMoreDue = (await member?.step()) === true
      this.#throwIfEnded(abort)
      group?.commits.runCallbacks()
      group?.commits.autoCommitIfDue(clock.monotonic())
      this.#throwTopicError()
      positions.update()
      const records = fetcher.collect(this.#maxRecords)
      // An offset that turned out not to exist leaves its partition without a position.
      if (records === undefined) positions.update()
      fetcher.send()
      if (records !== undefined) return records as ConsumerRecords<never, never>
      if (this.#closing) return ConsumerRecords.empty
      if (isMoreDue) continue
      const nowMs = clock.monotonic()
      const leftMs = deadlineMs - nowMs
      // A poll without waiting still gives the sockets one turn: what has arrived is taken in.
      if (leftMs <= 0 && round > 0) return ConsumerRecords.empty
      const dueMs = Math.min(leftMs, member?.nextDueMs(nowMs) ?? leftMs, fetcher.nextDueMs(nowMs))
      await signal.wait(dueMs, abort)
      this.#turnMs = clock.monotonic()
    }
  }

  /** Polls for ever: batches of records, until the consumer is closed. Breaking out leaves the consumer open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumerRecords<K, V>, void, undefined> {
    while (!this.#closing) {
      const records = await this.poll(ITERATION_MS)
      if (!records.isEmpty) yield records
    }
  }

  /**
   * Commits the positions (everything that polls have returned), or the given offsets, and waits. Tries again until `default.api.timeout.ms`.
   *
   * @throws CommitFailedError (the partitions belong to somebody else now), RebalanceInProgressError (poll, then commit again), FencedInstanceIdError,
   *   TimeoutError, WakeupError, AbortedError, KafkaError
   */
  async commitSync(offsets?: OffsetsToCommit, options: ConsumerCallOptions = {}): Promise<void> {
    const { commits } = this.#group('commit offsets')
    const commit = async () => {
      const entries = offsets === undefined ? this.#parts.subscriptions.consumed() : checked(offsets)
      await this.#calls.blocking('commitSync', options, (limits) => commits.sync(entries, limits))
    }
    const { metrics, cluster } = this.#parts
    const startMs = cluster.seams.clock.monotonic()
    try {
      if (offsets === undefined) await this.#calls.exclusively('commitSync', commit)
      else await commit()
    } finally {
      metrics.commitSyncTook(cluster.seams.clock.monotonic() - startMs)
    }
  }

  /**
   * Commits without waiting, and never tries again. `callback` runs inside a later poll, commitSync or close, in the order of the commits; its error is a
   * RetriableCommitFailedError when a later commit may succeed.
   */
  commitAsync(offsets?: OffsetsToCommit, callback?: OffsetCommitCallback): void {
    if (offsets === undefined) this.#calls.mustBeIdle('commitAsync')
    else this.#calls.mustBeOpen()
    const { commits } = this.#group('commit offsets')
    commits.async(offsets === undefined ? this.#parts.subscriptions.consumed() : checked(offsets), callback)
  }

  /** The group's committed offsets; undefined in the map's place for partitions without one. */
  async committed(
    partitions: readonly TopicPartition[],
    options: ConsumerCallOptions = {},
  ): Promise<TopicPartitionMap<OffsetAndMetadata>> {
    const { offsets } = this.#group('ask for committed offsets')
    const { metrics, cluster } = this.#parts
    const startMs = cluster.seams.clock.monotonic()
    const all = await this.#calls.blocking('committed', options, (limits) => offsets.fetch(partitions, limits))
    metrics.committedTook(cluster.seams.clock.monotonic() - startMs)
    const found = new TopicPartitionMap<OffsetAndMetadata>()
    for (const [topicPartition, one] of all) if (one) found.set(topicPartition, one)
    return found
  }

  /** The offset of the next record that poll will return from this partition. Waits until it is known. */
  async position(topicPartition: TopicPartition, options: ConsumerCallOptions = {}): Promise<number> {
    const { subscriptions, positions, cluster, signal } = this.#parts
    subscriptions.assigned(topicPartition)
    const { clock } = cluster.seams
    const timeoutMs = options.timeoutMs ?? this.config['default.api.timeout.ms']
    return this.#calls.blocking('position', options, async ({ signal: aborted }) => {
      const deadlineMs = clock.monotonic() + timeoutMs
      for (;;) {
        const partition = subscriptions.assigned(topicPartition)
        if (partition.hasPosition) return partition.buffer.position
        if (aborted?.aborted) throw new AbortedError('position')
        positions.update()
        const leftMs = deadlineMs - clock.monotonic()
        if (leftMs <= 0) {
          throw new TimeoutError(
            `The position of ${topicPartition.topic}-${topicPartition.partition} was not known within ${timeoutMs} ms.`,
            cluster.hindrance,
          )
        }
        await signal.wait(Math.min(leftMs, this.config['retry.backoff.ms']), aborted)
      }
    })
  }

  /** The next poll goes on at `offset` of this partition. What was fetched already is dropped. */
  seek(topicPartition: TopicPartition, offset: number | OffsetAndMetadata): void {
    this.#calls.mustBeOpen()
    const to = typeof offset === 'number' ? { offset } : offset
    if (!Number.isSafeInteger(to.offset) || to.offset < 0) {
      throw new InvalidArgumentError(`${to.offset} is no offset to seek to: whole numbers from 0 on are`)
    }
    this.#parts.subscriptions.assigned(topicPartition).seek(to.offset, to.leaderEpoch)
    this.#parts.positions.unsettle()
  }

  /** The next poll begins at the first offset of these partitions, or of all that are assigned. */
  seekToBeginning(partitions?: readonly TopicPartition[]): void {
    this.#resetTo('earliest', partitions)
  }

  /** The next poll begins behind the last record of these partitions, or of all that are assigned. */
  seekToEnd(partitions?: readonly TopicPartition[]): void {
    this.#resetTo('latest', partitions)
  }

  /** For each partition the first record with this timestamp (ms) or a later one; partitions without such a record are not in the map. */
  async offsetsForTimes(
    times: Iterable<readonly [TopicPartition, number]>,
    options: ConsumerCallOptions = {},
  ): Promise<TopicPartitionMap<FoundOffset>> {
    const questions = [...times]
    const negative = questions.find(([, timestamp]) => !(timestamp >= 0))
    if (negative)
      throw new InvalidArgumentError(`${negative[1]} is no timestamp to look for: milliseconds from 0 on are`)
    const all = await this.#calls.blocking('offsetsForTimes', options, (limits) =>
      this.#parts.lookup.find(questions, limits),
    )
    return new TopicPartitionMap([...all].filter(([, { offset }]) => offset >= 0))
  }

  beginningOffsets(
    partitions: readonly TopicPartition[],
    options: ConsumerCallOptions = {},
  ): Promise<TopicPartitionMap<number>> {
    return this.#boundaries('beginningOffsets', EARLIEST_TIMESTAMP, partitions, options)
  }

  /** One behind the last record that can be read: the high watermark, or the last stable offset under read_committed. */
  endOffsets(
    partitions: readonly TopicPartition[],
    options: ConsumerCallOptions = {},
  ): Promise<TopicPartitionMap<number>> {
    return this.#boundaries('endOffsets', LATEST_TIMESTAMP, partitions, options)
  }

  /** Polls return nothing of these partitions until `resume`. The group does not notice; a rebalance does not keep it. */
  pause(partitions: readonly TopicPartition[]): void {
    this.#calls.mustBeOpen()
    for (const one of partitions) this.#parts.subscriptions.assigned(one).paused = true
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#calls.mustBeOpen()
    for (const one of partitions) this.#parts.subscriptions.assigned(one).paused = false
    this.#parts.signal.notify()
  }

  paused(): TopicPartition[] {
    return this.#parts.subscriptions.partitions.filter(({ paused }) => paused).map(plain)
  }

  assignment(): TopicPartition[] {
    return this.#parts.subscriptions.partitions.map(plain)
  }

  /** The topics that are subscribed to; with a pattern those that it matches. */
  subscription(): string[] {
    return [...this.#parts.subscriptions.topics]
  }

  /** Makes the call that waits now, or else the next one that could, throw a WakeupError. The one method that may be called at any time, from anywhere. */
  wakeup(): void {
    if (this.#closing) return
    this.#parts.signal.wakeup()
    this.#calls.abortLatest()
  }

  /** The next poll joins the group anew. */
  enforceRebalance(reason = 'enforced by the user'): void {
    this.#calls.mustBeIdle('enforceRebalance')
    this.#group('rebalance').member.enforceRebalance(reason)
  }

  /** For a transactional producer's sendOffsetsToTransaction. */
  groupMetadata(): ConsumerGroupMetadata {
    const { groupId, member } = this.#group('be part of a group')
    const { generationId, memberId } = member
    return { groupId, generationId, memberId, groupInstanceId: this.config['group.instance.id'] }
  }

  /** Records between the position and the end of the log as of the last fetch; undefined until one has told it. */
  currentLag(topicPartition: TopicPartition): number | undefined {
    const partition = this.#parts.subscriptions.assigned(topicPartition)
    return lagOf(partition, this.config['isolation.level'] === 'read_committed')
  }

  /** Where reading stands and where the log ended as of the last fetch, without waiting; undefined while that is not known or the partition not assigned. */
  progress(topicPartition: TopicPartition): { position: number; end: number | undefined } | undefined {
    const partition = this.#parts.subscriptions.get(topicPartition)
    if (!partition?.hasPosition) return undefined
    const { position } = partition.buffer
    const lag = this.currentLag(topicPartition)
    return { position, end: lag === undefined ? undefined : position + lag }
  }

  /** Topics of the subscription that do not exist, as of the last answer of a broker. */
  missingTopics(): readonly string[] {
    return this.#parts.cluster.missingTopics
  }

  /**
   * Java's metrics, by `group:name`, of a topic `group:name:topic`, of a partition `group:name:topic-partition`. Rates, averages and maxima cover
   * `metrics.num.samples` times `metrics.sample.window.ms`; NaN where nothing happened within them.
   */
  metrics(): ReadonlyMap<string, Metric> {
    const { metrics, subscriptions, cluster } = this.#parts
    return metrics.snapshot(subscriptions, this.config['client.id'], cluster.seams.clock.monotonic())
  }

  /** The partitions of a topic; empty when it does not exist. */
  async partitionsFor(topic: string, options: ConsumerCallOptions = {}): Promise<readonly PartitionMetadata[]> {
    const { cluster } = this.#parts
    const known = cluster.metadata.topics.get(topic)
    if (known) return known.partitions
    await this.#calls.blocking('partitionsFor', options, (limits) => this.#refreshed([topic], limits))
    return cluster.metadata.topics.get(topic)?.partitions ?? []
  }

  async listTopics(options: ConsumerCallOptions = {}): Promise<ReadonlyMap<string, TopicMetadata>> {
    await this.#calls.blocking('listTopics', options, (limits) => this.#refreshed(null, limits))
    return new Map(this.#parts.cluster.metadata.topics)
  }

  /** The id of the cluster, fetched when it is not known. */
  async clusterId(options: ConsumerCallOptions = {}): Promise<string | undefined> {
    const { metadata } = this.#parts.cluster
    if (metadata.version === 0)
      await this.#calls.blocking('clusterId', options, (limits) => this.#refreshed([], limits))
    return metadata.clusterId
  }

  /** The id of a topic whose metadata are known (subscribed, assigned, asked for); undefined otherwise, and on brokers without topic ids. */
  topicId(topic: string): string | undefined {
    return this.#parts.cluster.metadata.topicId(topic)
  }

  /**
   * Commits (with auto-commit), runs the callbacks, leaves the group and closes every connection. Ends a poll that runs; called again it returns the same
   * promise. What does not succeed within `timeoutMs` (30 s) is left undone. `membership` says whether the group is left (KIP-1092): by
   * default a dynamic member leaves and a static one stays; `leave` gives a static member's place up too, `stay` keeps a dynamic one's until its
   * session times out. Rejects only with what a callback threw, when everything is closed.
   */
  close(options: CloseOptions | number = {}): Promise<void> {
    const { timeoutMs = CLOSE_TIMEOUT_MS, membership = 'default' } =
      typeof options === 'number' ? { timeoutMs: options } : options
    if (this.#closing) return this.#closing
    if (this.#parts.calls.isInside) {
      return Promise.reject(new IllegalStateError('close() inside a rebalance callback would wait for itself'))
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#closing = promise
    const finished = this.#close(timeoutMs, membership)
    resolve(finished)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number, membership: Farewell): Promise<void> {
    const { cluster, signal, group, subscriptions, fetcher, positions, calls } = this.#parts
    const { clock } = cluster.seams
    const startMs = clock.monotonic()
    const leftMs = () => Math.max(0, timeoutMs - (clock.monotonic() - startMs))
    this.#learning?.abort()
    signal.notify()
    await this.#calls.end()
    try {
      fetcher.close()
      if (group) {
        await group.commits.finish(leftMs())
        if (subscriptions.isGroupManaged) await group.member.leave('the consumer is being closed', leftMs(), membership)
      }
      calls.throwError()
    } finally {
      group?.commits.close()
      group?.member.close()
      positions.close()
      await cluster.close()
    }
  }

  #resetTo(strategy: 'earliest' | 'latest', partitions: readonly TopicPartition[] | undefined): void {
    this.#calls.mustBeOpen()
    const { subscriptions, positions } = this.#parts
    const chosen =
      partitions && partitions.length > 0
        ? partitions.map((one) => subscriptions.assigned(one))
        : subscriptions.partitions
    for (const partition of chosen) partition.reset(strategy)
    positions.unsettle()
  }

  async #boundaries(
    name: string,
    timestamp: number,
    partitions: readonly TopicPartition[],
    options: ConsumerCallOptions,
  ): Promise<TopicPartitionMap<number>> {
    const questions = partitions.map((one) => [one, timestamp] as const)
    const all = await this.#calls.blocking(name, options, (limits) => this.#parts.lookup.find(questions, limits))
    return new TopicPartitionMap([...all].map(([topicPartition, { offset }]) => [topicPartition, offset]))
  }

  #refreshed(
    topics: readonly string[] | null,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<void> {
    const { cluster } = this.#parts
    const limits = { doing: 'Fetching metadata', timeoutMs, signal }
    return withRetries(cluster.seams, cluster.config, limits, (attempt) =>
      cluster.refreshMetadata({ topics, signal: attempt, allowAutoTopicCreation: false }),
    )
  }

  /** Until a new subscription's topics are known, the group is not joined: a pattern would match too few. */
  #learnTopics(): void {
    const { cluster, signal } = this.#parts
    this.#learning?.abort()
    const learning = new AbortController()
    this.#learning = learning
    const limits = { doing: 'Fetching metadata', timeoutMs: Number.POSITIVE_INFINITY, signal: learning.signal }
    withRetries(cluster.seams, cluster.config, limits, (attempt) => cluster.refreshMetadata({ signal: attempt }))
      .catch((error: unknown) => {
        if (!learning.signal.aborted)
          cluster.seams.logger.warn({ error: (error as Error).message }, 'topics could not be looked up')
      })
      .finally(() => {
        if (this.#learning === learning) this.#learning = undefined
        signal.notify()
      })
  }

  #group(what: string): GroupParts {
    const { group } = this.#parts
    if (group) return group
    throw new InvalidArgumentError(`To ${what} a consumer needs a group: set group.id`)
  }

  /** A subscribed topic that cannot be read at all: its name is not allowed, or the user may not. */
  #throwTopicError(): void {
    const { cluster, subscriptions } = this.#parts
    const { topicErrors } = cluster.metadata
    if (topicErrors.size === 0 || subscriptions.subscription.kind !== 'topics') return
    for (const topic of subscriptions.topics) {
      const error = topicErrors.get(topic)
      if (error?.name === 'INVALID_TOPIC_EXCEPTION' || error?.name === 'TOPIC_AUTHORIZATION_FAILED') {
        throw topicError(error.code, topic, `Reading the topic ${topic}`)
      }
    }
  }

  #throwIfEnded(signal: AbortSignal | undefined): void {
    if (this.#parts.signal.isWokenUp && this.#parts.signal.takeWakeup()) throw new WakeupError()
    if (signal?.aborted) throw new AbortedError('poll', signal.reason)
  }
}

function plain({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}

function checked(offsets: OffsetsToCommit): readonly OffsetEntry[] {
  const entries = [...offsets]
  for (const [{ topic, partition }, { offset }] of entries) {
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new InvalidArgumentError(
        `${offset} is no offset to commit for ${topic}-${partition}: whole numbers from 0 on are`,
      )
    }
  }
  return entries
}
