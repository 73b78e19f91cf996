/**
 * A consumer's side of its group: runs what `membership.ts` decides. Sends JoinGroup, SyncGroup, Heartbeat and LeaveGroup, computes the
 * assignment when it leads, and brings assignments into force with the user's callbacks.
 *
 * Requests run by themselves; their answers move the state machine and wake the poll. Only `step`, which a poll calls, revokes, runs callbacks or
 * begins a join. The order at a rebalance, which keeps two members from working on one partition:
 *
 *     eager         commit, onPartitionsRevoked(all), join, sync, onPartitionsAssigned(all)
 *     cooperative   commit, join, sync, onPartitionsRevoked(what moved away), onPartitionsAssigned(what is new), join again if something was revoked
 */
import { codeOf, KafkaError } from '../../protocol/error-codes.ts'
import { joinGroup, leaveGroup, syncGroup } from '../../protocol/messages/index.ts'
import { type TopicPartition } from '../../protocol/records/topic-partition.ts'
import { type Timer } from '../../seams/clock.ts'
import { type Cluster } from '../cluster.ts'
import { type ConsumerConfig } from '../config.ts'
import { backoffMs, isRetriable } from '../retry.ts'
import {
  type Assignor,
  assignorOf,
  type LastAssignment,
  protocolOf,
  type RebalanceProtocol,
} from './assignors/index.ts'
import {
  CommitFailedError,
  FencedInstanceIdError,
  GroupAuthorizationError,
  groupError,
  RebalanceInProgressError,
} from './consumer-errors.ts'
import { type ConsumerMetrics } from './consumer-metrics.ts'
import { decodeAssignment, decodeMembers, encodeAssignments, encodeSubscription } from './group-assignment.ts'
import { type CommitIdentity, GROUP_CHANNEL } from './group-offsets.ts'
import { type Heartbeats, openHeartbeats } from './heartbeats.ts'
import {
  type Farewell,
  Membership,
  type MembershipAction,
  type MembershipEvent,
  NO_GENERATION_ID,
} from './membership.ts'
import { newPolls, polledAt, pollLeftMs, pollWaits } from './poll-watch.ts'
import { type ListenerCalls, type RebalanceListener } from './rebalance-listener.ts'
import { isSameSet, type SubscriptionState } from './subscription-state.ts'
import { type WakeSignal } from './wake-signal.ts'

const CALLBACKS = {
  onPartitionsRevoked: 'revoked',
  onPartitionsAssigned: 'assigned',
  onPartitionsLost: 'lost',
} as const
const PROTOCOL_TYPE = 'consumer'
/** Java allows a JoinGroup the rebalance timeout and this much more. */
const JOIN_EXTRA_MS = 5000

export interface GroupMemberParts {
  readonly cluster: Cluster
  readonly config: ConsumerConfig
  readonly groupId: string
  readonly subscriptions: SubscriptionState
  readonly signal: WakeSignal
  readonly calls: ListenerCalls
  readonly metrics: ConsumerMetrics
  readonly isOwnLoopUsed: boolean
  /** Commits what was consumed before partitions are given up; never rejects. */
  readonly commitBeforeRebalance: (timeoutMs?: number) => Promise<void>
  /** An assignment came into force. */
  readonly onAssigned: () => void
}

/** What had been decided when the member last joined: another rebalance is wanted when it no longer holds. */
interface JoinedWith {
  readonly topics: ReadonlySet<string>
  /** Partition counts of all the group's topics, kept by the leader alone. */
  counts: ReadonlyMap<string, number> | undefined
}

export class GroupMember {
  readonly #parts: GroupMemberParts
  readonly #assignors: readonly Assignor[]
  readonly #protocol: RebalanceProtocol
  readonly #membership: Membership
  readonly #heartbeats: Heartbeats
  readonly #polls = newPolls()
  readonly #abort = new AbortController()
  #preparation: { lost: boolean; committed: boolean } | undefined
  #joinedWith: JoinedWith | undefined
  #last: LastAssignment | undefined
  #groupTopics: ReadonlySet<string> = new Set()
  #joinError: Error | undefined
  #pollTimer: Timer | undefined
  #isPolling = false
  #checkedMetadataVersion = -1

  constructor(parts: GroupMemberParts) {
    const { cluster, config } = parts
    this.#parts = parts
    this.#assignors = config['partition.assignment.strategy'].map((name) => assignorOf(name)!)
    this.#protocol = protocolOf(this.#assignors)
    this.#membership = new Membership({
      groupInstanceId: config['group.instance.id'],
      backoffMs: (failures) =>
        backoffMs(failures, config['retry.backoff.ms'], config['retry.backoff.max.ms'], cluster.seams.random),
    })
    this.#heartbeats = openHeartbeats({
      cluster,
      config,
      groupId: parts.groupId,
      polls: this.#polls,
      signal: this.#abort.signal,
      isOwnLoopUsed: parts.isOwnLoopUsed,
      onAnswer: ({ generationId }, errorCode, latencyMs) => {
        parts.metrics.heartbeatAnswered(latencyMs, cluster.seams.clock.monotonic())
        this.#dispatch({ type: 'heartbeat-answered', generationId, errorCode })
      },
      onFailure: (message) => {
        cluster.seams.logger.debug({ error: message }, 'a heartbeat had no answer')
        this.#forgetCoordinator()
      },
      onPollIntervalExpired: ({ generationId }) => {
        if (generationId === this.#membership.generationId) this.#pollIntervalExpired()
      },
    })
  }

  /** True if a poll has to call `step`: the cheap look of the fast path. */
  get needsStep(): boolean {
    return this.#membership.needsPoll || this.#checkedMetadataVersion !== this.#parts.cluster.metadata.version
  }

  get state(): string {
    return this.#membership.state.name
  }

  get generationId(): number {
    return this.#membership.generationId
  }

  get memberId(): string {
    return this.#membership.memberId
  }

  /** As whom offsets may be committed now. Throws as Java when there is no stable generation. */
  identity(): CommitIdentity {
    const { state, generationId, memberId } = this.#membership
    const groupInstanceId = this.#parts.config['group.instance.id']
    switch (state.name) {
      case 'stable':
      case 'preparing':
      case 'assigned':
        if (generationId === NO_GENERATION_ID) throw new CommitFailedError()
        return { generationId, memberId, groupInstanceId }
      case 'prepared':
      case 'joining':
      case 'syncing':
        throw new RebalanceInProgressError()
      case 'unjoined':
      case 'failed':
      case 'left':
        throw new CommitFailedError()
      default:
        return state satisfies never
    }
  }

  commitRefused({ generationId }: CommitIdentity, errorCode: number): { isRejoining: boolean } {
    const { state } = this.#membership
    const isRejoining =
      generationId !== this.#membership.generationId && (state.name === 'joining' || state.name === 'syncing')
    this.#dispatch({ type: 'commit-refused', generationId, errorCode })
    return { isRejoining }
  }

  /** The user subscribed, to the same or to something else. */
  subscribed(): void {
    this.#dispatch({ type: 'restart' })
    this.#checkedMetadataVersion = -1
  }

  enforceRebalance(reason: string): void {
    this.#dispatch({ type: 'rejoin-wanted', reason })
  }

  pollBegan(): void {
    this.#isPolling = true
    pollWaits(this.#polls, true)
  }

  pollEnded(nowMs: number): void {
    this.#isPolling = false
    polledAt(this.#polls, nowMs)
    pollWaits(this.#polls, false)
  }

  /** Does what is due; true if more is due at once. Called by a poll, again and again while it waits; runs the user's callbacks. */
  async step(): Promise<boolean> {
    const { clock } = this.#parts.cluster.seams
    polledAt(this.#polls, clock.monotonic())
    this.#throwFailure()
    this.#noticeChanges()
    if (this.#parts.subscriptions.subscription.kind === 'pattern' && this.#parts.cluster.metadata.version === 0)
      return false
    this.#watchPolls()
    this.#dispatch({ type: 'poll', nowMs: clock.monotonic() })
    if (this.#preparation?.committed) await this.#finishPreparation()
    const { state } = this.#membership
    if (state.name === 'assigned') await this.#apply(state.assignment)
    this.#parts.calls.throwError()
    this.#throwFailure()
    return this.#isDue()
  }

  /** Something came in while callbacks ran: nobody will notify of it again. */
  #isDue(): boolean {
    const { state, needsPoll } = this.#membership
    if (state.name === 'stable') return needsPoll
    return state.name === 'unjoined' || state.name === 'assigned' || this.#preparation?.committed === true
  }

  /** Milliseconds until `step` has something to do by itself. */
  nextDueMs(nowMs: number): number {
    const { state } = this.#membership
    return state.name === 'prepared' ? Math.max(1, state.notBeforeMs - nowMs) : Number.POSITIVE_INFINITY
  }

  /** Leaves: revokes or loses what is owned, with the callback, then tells the coordinator (a dynamic member only, unless `farewell` says otherwise). */
  async leave(reason: string, timeoutMs: number, farewell: Farewell = 'default'): Promise<void> {
    const { subscriptions } = this.#parts
    const owned = subscriptions.partitions
    const { state, generationId } = this.#membership
    const inOrder = ['stable', 'preparing', 'assigned'].includes(state.name)
    const orderly = generationId !== NO_GENERATION_ID && inOrder
    if (owned.length > 0) await this.#call(orderly ? 'onPartitionsRevoked' : 'onPartitionsLost', owned)
    subscriptions.setPartitions([])
    this.#preparation = undefined
    this.#joinedWith = undefined
    this.#last = undefined
    this.#pollTimer?.cancel()
    this.#pollTimer = undefined
    for (const action of this.#membership.handle({ type: 'leave', reason, farewell })) {
      if (action.type === 'send-leave') await this.#sendLeave(action, timeoutMs)
      else this.#run(action)
    }
  }

  close(): void {
    this.#heartbeats.close()
    this.#pollTimer?.cancel()
    this.#abort.abort()
  }

  #throwFailure(): void {
    const joinError = this.#joinError
    this.#joinError = undefined
    if (joinError) throw joinError
    const { state } = this.#membership
    if (state.name !== 'failed') return
    const { config, groupId } = this.#parts
    if (state.errorCode === codeOf('FENCED_INSTANCE_ID')) {
      throw new FencedInstanceIdError(
        config['group.instance.id'],
        new KafkaError(state.errorCode, `Being a member of the group ${groupId}`),
      )
    }
    // Another poll may try again: somebody may have granted the right that was missing.
    this.#dispatch({ type: 'restart' })
    throw groupError(state.errorCode, groupId, `Joining the group ${groupId}`)
  }

  /** A subscription or, for the leader, partition counts that differ from what the group was joined with. */
  #noticeChanges(): void {
    const { subscriptions, cluster } = this.#parts
    const { subscription } = subscriptions
    const { metadata } = cluster
    this.#checkedMetadataVersion = metadata.version
    if (subscription.kind === 'pattern' && metadata.version > 0) {
      const internal = !this.#parts.config['exclude.internal.topics']
      const matched = [...metadata.topics.values()].filter(
        ({ name, isInternal }) => (internal || !isInternal) && matches(subscription.pattern, name),
      )
      subscriptions.matchedTopics(new Set(matched.map(({ name }) => name)))
    }
    const joined = this.#joinedWith
    if (!joined) return
    if (!isSameSet(joined.topics, subscriptions.topics)) {
      this.#dispatch({ type: 'rejoin-wanted', reason: 'the subscription has changed' })
      return
    }
    if (!joined.counts) return
    for (const topic of this.#groupTopics) {
      if (joined.counts.get(topic) === metadata.topics.get(topic)?.partitions.length) continue
      this.#dispatch({ type: 'rejoin-wanted', reason: `the partitions of ${topic} have changed` })
      return
    }
  }

  #dispatch(event: MembershipEvent): void {
    for (const action of this.#membership.handle(event)) this.#run(action)
    if (event.type !== 'poll') this.#parts.signal.notify()
  }

  #run(action: MembershipAction): void {
    switch (action.type) {
      case 'prepare':
        return this.#prepare(action.lost)
      case 'send-join':
        return void this.#sendJoin(action)
      case 'send-sync':
        return void this.#sendSync(action)
      case 'start-heartbeats':
        return this.#heartbeats.start(action)
      case 'stop-heartbeats':
        return this.#heartbeats.stop()
      case 'forget-coordinator':
        return this.#forgetCoordinator()
      case 'send-leave':
        return void this.#sendLeave(action, this.#parts.config['request.timeout.ms'])
      default:
        return action satisfies never
    }
  }

  /** Begins to give up: what will be revoked is not read any more, and is committed as far as it was handed out. */
  #prepare(lost: boolean): void {
    const { subscriptions, commitBeforeRebalance, signal } = this.#parts
    const preparation = { lost, committed: lost }
    this.#preparation = preparation
    if (lost) return
    for (const partition of subscriptions.partitions) partition.revoking = this.#isGivenUp(partition.topic)
    void commitBeforeRebalance().finally(() => {
      preparation.committed = true
      signal.notify()
    })
  }

  #isGivenUp(topic: string): boolean {
    return this.#protocol === 'eager' || !this.#parts.subscriptions.topics.has(topic)
  }

  async #finishPreparation(): Promise<void> {
    const { lost } = this.#preparation!
    this.#preparation = undefined
    const { subscriptions } = this.#parts
    // The commit before may have shown that the generation is gone: then the next step loses what this one would have revoked.
    if (this.#membership.state.name !== 'preparing') return
    const owned = subscriptions.partitions
    const kept = lost ? [] : owned.filter(({ topic }) => !this.#isGivenUp(topic))
    const given = owned.filter((one) => !kept.includes(one))
    if (lost) {
      if (given.length > 0) await this.#call('onPartitionsLost', given)
      this.#last = undefined
    } else if (this.#protocol === 'eager' || given.length > 0) {
      await this.#call('onPartitionsRevoked', given)
    }
    subscriptions.setPartitions(kept)
    this.#dispatch({ type: 'prepared' })
  }

  /** Brings an assignment into force. */
  async #apply(assignment: Buffer): Promise<void> {
    const { subscriptions, onAssigned } = this.#parts
    const assigned = decodeAssignment(assignment)
    if (assigned.some(({ topic }) => !subscriptions.topics.has(topic))) {
      // The leader knew an older subscription of this member (it has just changed): join again with the present one.
      this.#dispatch({ type: 'applied' })
      this.#dispatch({ type: 'rejoin-wanted', reason: 'the assignment has topics that are not subscribed to' })
      return
    }
    const isAssigned = (one: TopicPartition) =>
      assigned.some(({ topic, partition }) => topic === one.topic && partition === one.partition)
    const gone = subscriptions.partitions.filter((one) => !isAssigned(one))
    if (gone.length > 0) {
      for (const partition of gone) partition.revoking = true
      // While the group rebalanced these were read on: what was returned of them since is committed too.
      await this.#parts.commitBeforeRebalance(this.#parts.config['request.timeout.ms'])
      await this.#call('onPartitionsRevoked', gone)
    }
    // A heartbeat may have said meanwhile that the generation is over: then nothing of it counts.
    if (this.#membership.state.name !== 'assigned') return
    const added = assigned.filter((one) => !subscriptions.get(one))
    subscriptions.setPartitions(assigned)
    this.#last = { partitions: assigned, generationId: this.#membership.generationId }
    onAssigned()
    await this.#call('onPartitionsAssigned', added)
    this.#dispatch({ type: 'applied' })
    if (gone.length > 0) this.#dispatch({ type: 'rejoin-wanted', reason: 'partitions were revoked for other members' })
  }

  async #sendJoin({ attempt, memberId, reason }: MembershipAction & { type: 'send-join' }): Promise<void> {
    const { cluster, config, groupId, subscriptions, metrics } = this.#parts
    const { clock, logger } = cluster.seams
    const topics = new Set(subscriptions.topics)
    this.#joinedWith = { topics, counts: undefined }
    const owned = this.#protocol === 'cooperative' ? subscriptions.partitions : []
    const protocols = this.#assignors.map((assignor) => ({
      name: assignor.name,
      metadata: encodeSubscription(assignor, { topics, owned, last: this.#last, rackId: config['client.rack'] }),
    }))
    logger.debug({ groupId, memberId, reason }, 'joining the group')
    this.#heartbeats.prepare()
    const sentMs = clock.monotonic()
    metrics.rebalanceBegan(sentMs)
    try {
      const nodeId = await cluster.coordinatorOnce('group', groupId, this.#abort.signal)
      const answer = await cluster.send(
        joinGroup,
        nodeId,
        (version) => ({
          groupId,
          sessionTimeoutMs: config['session.timeout.ms'],
          rebalanceTimeoutMs: config['max.poll.interval.ms'],
          memberId,
          ...(version >= 5 ? { groupInstanceId: config['group.instance.id'] } : {}),
          protocolType: PROTOCOL_TYPE,
          protocols,
          reason: reason.slice(0, 255),
        }),
        {
          channel: GROUP_CHANNEL,
          signal: this.#abort.signal,
          timeoutMs: Math.max(config['request.timeout.ms'], config['max.poll.interval.ms'] + JOIN_EXTRA_MS),
        },
      )
      const nowMs = clock.monotonic()
      metrics.joinAnswered(nowMs - sentMs, nowMs)
      if (answer.errorCode !== 0 && answer.errorCode !== codeOf('MEMBER_ID_REQUIRED')) metrics.rebalanceFailed(nowMs)
      this.#dispatch({ type: 'join-answered', attempt, nowMs, answer })
    } catch (error) {
      this.#requestFailed(attempt, error)
    }
  }

  async #sendSync({
    attempt,
    generationId,
    memberId,
    protocolName,
    members,
    skipAssignment,
  }: MembershipAction & { type: 'send-sync' }): Promise<void> {
    const { cluster, config, groupId, metrics } = this.#parts
    let assignments: { memberId: string; assignment: Buffer }[] = []
    try {
      const assigned = members && (await this.#lead(protocolName, decodeMembers(members)))
      if (assigned && !skipAssignment) assignments = assigned
    } catch (error) {
      // The others wait for this member: it steps back by joining anew, and the user hears why.
      return this.#requestFailed(attempt, error)
    }
    const sentMs = cluster.seams.clock.monotonic()
    try {
      const nodeId = await cluster.coordinatorOnce('group', groupId, this.#abort.signal)
      const { errorCode, assignment } = await cluster.send(
        syncGroup,
        nodeId,
        (version) => ({
          groupId,
          generationId,
          memberId,
          ...(version >= 3 ? { groupInstanceId: config['group.instance.id'] } : {}),
          protocolType: PROTOCOL_TYPE,
          protocolName,
          assignments,
        }),
        {
          channel: GROUP_CHANNEL,
          signal: this.#abort.signal,
          timeoutMs: Math.max(config['request.timeout.ms'], config['max.poll.interval.ms'] + JOIN_EXTRA_MS),
        },
      )
      const nowMs = cluster.seams.clock.monotonic()
      metrics.syncAnswered(nowMs - sentMs, nowMs)
      if (errorCode === 0) metrics.rebalanceSucceeded(nowMs)
      else metrics.rebalanceFailed(nowMs)
      this.#dispatch({ type: 'sync-answered', attempt, nowMs, errorCode, assignment })
    } catch (error) {
      this.#requestFailed(attempt, error)
    }
  }

  async #lead(
    protocolName: string | null,
    members: ReturnType<typeof decodeMembers>,
  ): Promise<{ memberId: string; assignment: Buffer }[]> {
    const { cluster, subscriptions } = this.#parts
    const assignor = this.#assignors.find(({ name }) => name === protocolName)
    if (!assignor)
      throw new KafkaError(codeOf('INCONSISTENT_GROUP_PROTOCOL'), `Assigning partitions by ${protocolName}`)
    const topics = new Set(members.flatMap((member) => member.topics))
    this.#groupTopics = topics
    if (subscriptions.subscription.kind !== 'pattern') cluster.setTopics(topics, this.#creation())
    if ([...topics].some((topic) => !cluster.metadata.topics.has(topic))) await cluster.refreshMetadata()
    const counts = new Map<string, number>()
    for (const topic of topics) {
      const known = cluster.metadata.topics.get(topic)
      if (known) counts.set(topic, known.partitions.length)
    }
    if (this.#joinedWith) this.#joinedWith.counts = counts
    return encodeAssignments(assignor.assign(counts, members))
  }

  #creation(): { allowAutoTopicCreation: boolean } {
    return { allowAutoTopicCreation: this.#parts.config['allow.auto.create.topics'] }
  }

  /** Best effort: a member that cannot say farewell is missed after its session timeout. */
  async #sendLeave({ memberId, reason }: { memberId: string; reason: string }, timeoutMs: number): Promise<void> {
    const { cluster, groupId, config } = this.#parts
    const groupInstanceId = config['group.instance.id']
    try {
      const nodeId = await cluster.coordinatorOnce('group', groupId, this.#abort.signal)
      await cluster.send(
        leaveGroup,
        nodeId,
        (version) =>
          version >= 3 ? { groupId, members: [{ memberId, groupInstanceId, reason }] } : { groupId, memberId },
        // On its own way, as a JoinGroup that waits for others holds up the group's connection.
        { timeoutMs, signal: this.#abort.signal },
      )
    } catch (error) {
      cluster.seams.logger.debug({ error: (error as Error).message }, 'the group could not be left in order')
    }
  }

  #requestFailed(attempt: number, error: unknown): void {
    if (this.#abort.signal.aborted) return
    const { cluster, metrics } = this.#parts
    metrics.rebalanceFailed(cluster.seams.clock.monotonic())
    // What does not pass by itself (no right to the group, no common version) is the user's to hear.
    if (!isRetriable(error)) this.#joinError = this.#named(error as Error)
    cluster.seams.logger.debug({ error: (error as Error).message }, 'a request to the group coordinator failed')
    this.#dispatch({ type: 'request-failed', attempt, nowMs: cluster.seams.clock.monotonic() })
  }

  /** A coordinator that must not even be looked up, under the name that a refused join has. */
  #named(error: Error): Error {
    const { groupId } = this.#parts
    const isKnown = error instanceof KafkaError && error.error.name === 'GROUP_AUTHORIZATION_FAILED'
    return isKnown ? new GroupAuthorizationError(groupId, `Joining the group ${groupId}`) : error
  }

  #forgetCoordinator(): void {
    this.#parts.cluster.forgetCoordinator('group', this.#parts.groupId)
  }

  /** One timer at a time looks whether the last poll is longer ago than `max.poll.interval.ms`; a poll itself only notes the time. */
  #watchPolls(): void {
    if (this.#pollTimer) return
    const { clock } = this.#parts.cluster.seams
    const limitMs = this.#parts.config['max.poll.interval.ms']
    polledAt(this.#polls, clock.monotonic())
    const look = () => {
      const leftMs = pollLeftMs(this.#polls, limitMs, clock.monotonic())
      if (leftMs > 0) {
        this.#pollTimer = clock.setTimer(leftMs, look, { background: true })
        return
      }
      this.#pollTimer = undefined
      this.#pollIntervalExpired()
    }
    this.#pollTimer = clock.setTimer(limitMs, look, { background: true })
  }

  #pollIntervalExpired(): void {
    const { groupId, config, cluster } = this.#parts
    cluster.seams.logger.warn(
      { groupId, limitMs: config['max.poll.interval.ms'] },
      'no poll within max.poll.interval.ms: the member leaves its group, and what it owns is lost',
    )
    this.#dispatch({ type: 'poll-interval-expired' })
  }

  /** Runs a callback of the user's; its time counts against `max.poll.interval.ms`. */
  async #call(which: keyof RebalanceListener, partitions: readonly TopicPartition[]): Promise<void> {
    const { calls, metrics, cluster } = this.#parts
    const { clock } = cluster.seams
    pollWaits(this.#polls, false)
    const startMs = clock.monotonic()
    await calls.call(which, partitions)
    const endMs = clock.monotonic()
    metrics.callbackRan(CALLBACKS[which], endMs - startMs, endMs)
    if (this.#isPolling) pollWaits(this.#polls, true)
  }
}

function matches(pattern: RegExp, topic: string): boolean {
  pattern.lastIndex = 0
  return pattern.test(topic)
}
