/**
 * The coordinator of all consumer groups of this broker: what the handlers call. Owns `__consumer_offsets`, the groups
 * (group-directory.ts) and their commits (offset-coordinator.ts), and reads both back when the broker starts.
 *
 * Who calls: handlers, concurrently. Errors are values (Kafka's names); a throw is a bug.
 *
 *     new ──start()──► loading ──all partitions read──► active ──stop()──► stopped
 */
import { DecodeError } from '../../protocol/decode-error.ts'
import { type ErrorName } from '../../protocol/error-codes.ts'
import { type RecordBatch } from '../../protocol/records/record-batch.ts'
import { type ConsumerRecord } from '../../protocol/records/consumer-record.ts'
import { type Clock, type Timer } from '../../seams/clock.ts'
import { type Logger } from '../../seams/logger.ts'
import { type Random } from '../../seams/random.ts'
import { type BrokerConfig } from '../broker-config.ts'
import { type LogDirectory } from '../log/log-directory.ts'
import { type ClassicGroup } from './classic-group.ts'
import { GroupDirectory } from './group-directory.ts'
import {
  type HeartbeatRequest,
  joinError,
  type JoinReply,
  type JoinRequest,
  type LeaveReply,
  type LeavingMember,
  type SyncReply,
  syncError,
  type SyncRequest,
} from './group-events.ts'
import { decodeGroupRecord } from './group-records.ts'
import { InternalTopic, type ProducerIdAndEpoch } from './internal-topic.ts'
import { type Committer, OffsetCoordinator, type PartitionCommit } from './offset-coordinator.ts'

export interface CoordinatorOptions {
  readonly logs: LogDirectory
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly config: BrokerConfig
}

/** Kafka's constant: how long the join of a new member may wait. */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000

export class GroupCoordinator {
  readonly #config: BrokerConfig
  readonly #clock: Clock
  readonly #random: Random
  readonly #logger: Logger
  readonly #logs: LogDirectory
  readonly #topic: InternalTopic
  readonly #groups: GroupDirectory
  readonly #offsets: OffsetCoordinator
  #state: 'new' | 'loading' | 'active' | 'stopped' = 'new'
  #expiry: Timer | undefined
  #stopListening = () => {}

  constructor({ logs, clock, random, logger, config }: CoordinatorOptions) {
    this.#config = config
    this.#clock = clock
    this.#random = random
    this.#logger = logger
    this.#logs = logs
    this.#topic = new InternalTopic({
      logs,
      clock,
      name: '__consumer_offsets',
      partitionCount: config['offsets.topic.num.partitions'],
      segmentBytes: config['offsets.topic.segment.bytes'],
    })
    const settings = {
      initialRebalanceDelayMs: config['group.initial.rebalance.delay.ms'],
      maxSize: config['group.max.size'],
      newMemberJoinTimeoutMs: NEW_MEMBER_JOIN_TIMEOUT_MS,
    }
    this.#groups = new GroupDirectory({ topic: this.#topic, clock, logger, settings })
    this.#offsets = new OffsetCoordinator({
      topic: this.#topic,
      groups: this.#groups,
      clock,
      logger,
      settings: {
        metadataMaxBytes: config['offset.metadata.max.bytes'],
        retentionMs: config['offsets.retention.minutes'] * 60_000,
      },
    })
  }

  /** Reads `__consumer_offsets`; requests that come before it resolves are answered COORDINATOR_LOAD_IN_PROGRESS. */
  async start(): Promise<void> {
    this.#state = 'loading'
    if (this.#topic.exists) {
      for (let partition = 0; partition < this.#topic.partitionCount; partition++) await this.#load(partition)
    }
    if (this.#state !== 'loading') return
    this.#state = 'active'
    for (const { groupId } of this.#groups.all()) this.#groups.tell(groupId, { type: 'loaded' })
    this.#stopListening = this.#logs.onChange((topic, change) => {
      if (change === 'deleted') void this.#offsets.forgetTopic(topic.name)
    })
    this.#scheduleExpiry()
  }

  /** Requests that wait are answered COORDINATOR_NOT_AVAILABLE. */
  async stop(): Promise<void> {
    this.#state = 'stopped'
    this.#expiry?.cancel()
    this.#stopListening()
    this.#groups.removeAll()
  }

  /** NONE when requests are answered, otherwise the error that they get. */
  get availability(): 'NONE' | 'COORDINATOR_LOAD_IN_PROGRESS' | 'COORDINATOR_NOT_AVAILABLE' {
    if (this.#state === 'active') return 'NONE'
    return this.#state === 'stopped' ? 'COORDINATOR_NOT_AVAILABLE' : 'COORDINATOR_LOAD_IN_PROGRESS'
  }

  /** For a lookup: NONE when `__consumer_offsets` exists, which it does afterwards if it can. */
  async ready(): Promise<ErrorName> {
    if (this.#state === 'stopped') return 'COORDINATOR_NOT_AVAILABLE'
    try {
      await this.#topic.ensure()
      return 'NONE'
    } catch (error) {
      this.#logger.error({ err: error }, 'the topic __consumer_offsets could not be created')
      return 'COORDINATOR_NOT_AVAILABLE'
    }
  }

  /** The partition of `__consumer_offsets` that holds the group. */
  partitionOf(groupId: string): number {
    return this.#topic.partitionOf(groupId)
  }

  /** The offsets of all groups, for those who look. */
  get committed(): OffsetCoordinator['committed'] {
    return this.#offsets.committed
  }

  /** Requests whose answers wait for other members. */
  get unansweredCount(): number {
    return this.#groups.unansweredCount
  }

  group(groupId: string): ClassicGroup | undefined {
    return this.#groups.get(groupId)
  }

  groups(): ClassicGroup[] {
    return this.#groups.all()
  }

  async join(groupId: string, request: Omit<JoinRequest, 'newMemberId'>): Promise<JoinReply> {
    const error = await this.#check(groupId)
    if (error !== 'NONE') return joinError(error, request.memberId)
    const { sessionTimeoutMs, memberId, groupInstanceId, clientId } = request
    const shortest = this.#config['group.min.session.timeout.ms']
    const longest = this.#config['group.max.session.timeout.ms']
    if (sessionTimeoutMs < shortest || sessionTimeoutMs > longest) return joinError('INVALID_SESSION_TIMEOUT', memberId)
    let isNew = false
    if (!this.#groups.get(groupId)) {
      // Whoever has an id is of a group that exists no more.
      if (memberId !== '') return joinError('UNKNOWN_MEMBER_ID', memberId)
      this.#groups.create(groupId)
      isNew = true
    }
    const newMemberId = `${groupInstanceId ?? clientId}-${this.#random.uuid()}`
    const reply = this.#groups.ask(groupId, { type: 'join', request: { ...request, newMemberId } })
    if (isNew) this.#groups.storeAsNew(groupId)
    return reply
  }

  async sync(groupId: string, request: SyncRequest): Promise<SyncReply> {
    const error = await this.#check(groupId)
    if (error !== 'NONE') return syncError(error)
    if (!this.#groups.get(groupId)) return syncError('UNKNOWN_MEMBER_ID')
    return this.#groups.ask(groupId, { type: 'sync', request })
  }

  async heartbeat(groupId: string, request: HeartbeatRequest): Promise<ErrorName> {
    // Nobody is to lose a membership because it is being read back.
    if (this.availability === 'COORDINATOR_LOAD_IN_PROGRESS') return 'NONE'
    const error = await this.#check(groupId)
    if (error !== 'NONE') return error
    if (!this.#groups.get(groupId)) return 'UNKNOWN_MEMBER_ID'
    return this.#groups.ask(groupId, { type: 'heartbeat', request })
  }

  async leave(groupId: string, members: readonly LeavingMember[]): Promise<LeaveReply> {
    const error = await this.#check(groupId)
    if (error !== 'NONE') return { error, members: [] }
    if (this.#groups.get(groupId)) return this.#groups.ask(groupId, { type: 'leave', members })
    const unknown = members.map(({ memberId, groupInstanceId }) => {
      return { memberId, groupInstanceId, error: 'UNKNOWN_MEMBER_ID' as const }
    })
    return { error: 'NONE', members: unknown }
  }

  /** One error for each commit, index for index; those with NONE are on disk. The empty group id is allowed. */
  async commit(
    committer: Committer,
    commits: readonly PartitionCommit[],
    options: { version: number; retentionMs: number },
  ): Promise<ErrorName[]> {
    const error = await this.#available()
    if (error !== 'NONE') return commits.map(() => error)
    return this.#offsets.commit(committer, commits, options)
  }

  /**
   * As `commit`, in a transaction that its coordinator was asked about: `verify` says, at the moment at which the place
   * in the log is taken, whether the transaction still holds the group's partition. That no marker can come between is
   * what keeps a late commit from hanging for ever.
   */
  async commitInTransaction(
    committer: Committer,
    commits: readonly PartitionCommit[],
    transaction: ProducerIdAndEpoch,
    verify: () => ErrorName,
  ): Promise<ErrorName[]> {
    const error = await this.#check(committer.groupId)
    const refused = error === 'NONE' ? verify() : error
    if (refused !== 'NONE') return commits.map(() => refused)
    return this.#offsets.commitInTransaction(committer, commits, transaction)
  }

  /** A transaction's marker stands in `__consumer_offsets`: its commits count from now on, or never did. */
  transactionEnded(producerId: number, result: 'commit' | 'abort'): void {
    for (const groupId of this.#offsets.committed.endTransaction(producerId, result)) {
      if (!this.#groups.get(groupId)) this.#groups.create(groupId)
    }
  }

  async deleteOffsets(
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<ErrorName | ErrorName[]> {
    const error = await this.#check(groupId)
    if (error !== 'NONE') return error
    return this.#offsets.delete(groupId, partitions)
  }

  async deleteGroup(groupId: string): Promise<ErrorName> {
    const error = await this.#available()
    if (error !== 'NONE') return error
    const group = this.#groups.get(groupId)
    if (!group) return 'GROUP_ID_NOT_FOUND'
    if (group.state !== 'Empty') return group.state === 'Dead' ? 'GROUP_ID_NOT_FOUND' : 'NON_EMPTY_GROUP'
    return this.#bury(group)
  }

  /**
   * The group goes out of the directory before its tombstones are written: a member that joins meanwhile begins a new
   * group, whose records stand behind them. If they cannot be written, the old one comes back.
   */
  async #bury(group: ClassicGroup): Promise<ErrorName> {
    const { groupId } = group
    const snapshot = group.snapshot()
    this.#groups.remove(groupId)
    const error = await this.#offsets.deleteGroup(groupId)
    if (error !== 'NONE' && !this.#groups.get(groupId)) this.#groups.restore(groupId, snapshot)
    return error
  }

  async #available(): Promise<ErrorName> {
    return this.availability === 'NONE' ? this.ready() : this.availability
  }

  async #check(groupId: string): Promise<ErrorName> {
    return groupId === '' && this.#state !== 'stopped' ? 'INVALID_GROUP_ID' : this.#available()
  }

  #scheduleExpiry(): void {
    const interval = this.#config['offsets.retention.check.interval.ms']
    const expire = () => void this.expireOffsets().finally(() => this.#scheduleExpiry())
    if (this.#state === 'active') this.#expiry = this.#clock.setTimer(interval, expire, { background: true })
  }

  /** Removes offsets that are too old, and empty groups without any. Done every `offsets.retention.check.interval.ms`. */
  async expireOffsets(): Promise<void> {
    for (const group of this.#groups.all()) {
      if (this.#state !== 'active') return
      const nothingLeft = await this.#offsets.expire(group)
      const unused = group.state === 'Empty' && group.pendingMemberCount === 0
      if (nothingLeft && unused && this.#groups.get(group.groupId) === group) await this.#bury(group)
    }
  }

  async #load(partition: number): Promise<void> {
    let count = 0
    try {
      for await (const { batch, records } of this.#topic.read(partition)) {
        this.#apply(batch, records)
        count += records.length
      }
      if (count > 0) this.#logger.info({ partition, records: count }, 'groups and offsets were read back')
    } catch (error) {
      this.#logger.error({ partition, err: error }, '__consumer_offsets could not be read')
      throw error
    }
  }

  #apply(batch: RecordBatch, records: readonly ConsumerRecord[]): void {
    if (batch.isControl) {
      const type = batch.controlType()
      if (type !== 'unknown') this.transactionEnded(batch.producerId, type)
      return
    }
    const producerId = batch.isTransactional ? batch.producerId : -1
    for (const { key, value, offset } of records) {
      try {
        if (key) this.#applyRecord(key, value, offset, producerId)
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error
        this.#logger.warn({ offset, err: error }, 'a record of __consumer_offsets cannot be read and is passed over')
      }
    }
  }

  #applyRecord(key: Buffer, value: Buffer | null, offset: number, producerId: number): void {
    const record = decodeGroupRecord(key, value)
    switch (record.type) {
      case 'offset': {
        const { group, topic, partition, committed } = record
        if (!committed) return this.#offsets.committed.remove(group, topic, partition, offset)
        if (!this.#groups.get(group)) this.#groups.create(group)
        return this.#offsets.committed.put(group, topic, partition, committed, offset, producerId)
      }
      case 'group':
        if (record.snapshot) return this.#groups.restore(record.group, record.snapshot)
        return this.#groups.remove(record.group)
      case 'unknown':
        return
      default:
        record satisfies never
    }
  }
}
