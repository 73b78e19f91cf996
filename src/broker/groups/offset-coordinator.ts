/**
 * Commits: checks who commits, writes the offsets to `__consumer_offsets` before it answers, and hands them out again.
 *
 * An offset counts from the moment at which its record stands in the log; the numbers of the records decide which of two
 * commits is newer. Offsets of a transaction count when its marker stands in the same partition.
 * Follows OffsetMetadataManager of Apache Kafka 4.3 (group-coordinator, Apache-2.0).
 */
import { type ErrorName } from '../../protocol/error-codes.ts'
import { type Clock } from '../../seams/clock.ts'
import { type Logger } from '../../seams/logger.ts'
import { type ClassicGroup } from './classic-group.ts'
import { type CommittedOffset, CommittedOffsets } from './committed-offsets.ts'
import { type GroupDirectory } from './group-directory.ts'
import { encodeGroup, encodeOffset, type KeyedRecord } from './group-records.ts'
import { coordinatorError, type InternalTopic, type ProducerIdAndEpoch } from './internal-topic.ts'

export interface OffsetSettings {
  /** offset.metadata.max.bytes */
  readonly metadataMaxBytes: number
  /** offsets.retention.minutes, in milliseconds */
  readonly retentionMs: number
}

/** Who commits: empty and -1 for a consumer that assigns itself and for an administrator. */
export interface Committer {
  readonly groupId: string
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly generationId: number
}

export interface PartitionCommit {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string | null
}

export const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

export class OffsetCoordinator {
  readonly #topic: InternalTopic
  readonly #groups: GroupDirectory
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #settings: OffsetSettings
  readonly #offsets = new CommittedOffsets()

  constructor(options: {
    topic: InternalTopic
    groups: GroupDirectory
    clock: Clock
    logger: Logger
    settings: OffsetSettings
  }) {
    this.#topic = options.topic
    this.#groups = options.groups
    this.#clock = options.clock
    this.#logger = options.logger
    this.#settings = options.settings
  }

  /** What is committed; for loading, which puts records in, and for those who look. */
  get committed(): CommittedOffsets {
    return this.#offsets
  }

  /**
   * Resolves with one error for each of `commits`, index for index, once those that are taken are on disk.
   * `retentionMs` is -1 unless an old client asks for an expiry of its own.
   */
  async commit(
    committer: Committer,
    commits: readonly PartitionCommit[],
    options: { version: number; retentionMs: number },
  ): Promise<ErrorName[]> {
    const { groupId, memberId, generationId } = committer
    const known = this.#groups.get(groupId)
    if (!known && generationId >= 0)
      return all(commits, options.version >= 9 ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION')
    const group = known ?? this.#groups.create(groupId)
    const error = group.checkCommit(memberId, committer.groupInstanceId, generationId, false)
    if (error !== 'NONE') return all(commits, error)
    this.#groups.tell(groupId, { type: 'alive', memberId })
    const expireTimestamp = options.retentionMs === -1 ? -1 : this.#clock.now() + options.retentionMs
    return this.#write(groupId, commits, expireTimestamp, undefined)
  }

  /** As `commit`, but what is committed counts only once the transaction does. */
  async commitInTransaction(
    committer: Committer,
    commits: readonly PartitionCommit[],
    transaction: ProducerIdAndEpoch,
  ): Promise<ErrorName[]> {
    const { groupId, memberId, groupInstanceId, generationId } = committer
    const known = this.#groups.get(groupId)
    if (!known && generationId >= 0) return all(commits, 'ILLEGAL_GENERATION')
    const group = known ?? this.#groups.create(groupId)
    const error = group.checkCommit(memberId, groupInstanceId, generationId, true)
    if (error !== 'NONE') return all(commits, error)
    return this.#write(groupId, commits, -1, transaction)
  }

  async #write(
    groupId: string,
    commits: readonly PartitionCommit[],
    expireTimestamp: number,
    transaction: ProducerIdAndEpoch | undefined,
  ): Promise<ErrorName[]> {
    const commitTimestamp = this.#clock.now()
    const tooLarge = (metadata: string | null) => metadata !== null && metadata.length > this.#settings.metadataMaxBytes
    const accepted = commits.filter(({ metadata }) => !tooLarge(metadata))
    const values = accepted.map(({ offset, leaderEpoch, metadata, topicId }): CommittedOffset => {
      return { offset, leaderEpoch, metadata: metadata ?? '', commitTimestamp, expireTimestamp, topicId }
    })
    const records = accepted.map(({ topic, partition }, index) =>
      encodeOffset(groupId, topic, partition, values[index]!),
    )
    let offsets: number[]
    try {
      offsets = await this.#topic.append(this.#topic.partitionOf(groupId), records, transaction)
    } catch (cause) {
      const error = coordinatorError(cause)
      this.#logger.warn({ group: groupId, err: cause }, 'a commit could not be written')
      return commits.map(({ metadata }) => (tooLarge(metadata) ? 'OFFSET_METADATA_TOO_LARGE' : error))
    }
    accepted.forEach(({ topic, partition }, index) => {
      const producerId = transaction?.producerId ?? -1
      this.#offsets.put(groupId, topic, partition, values[index]!, offsets[index]!, producerId)
    })
    return commits.map(({ metadata }) => (tooLarge(metadata) ? 'OFFSET_METADATA_TOO_LARGE' : 'NONE'))
  }

  /** Removes what is committed for these partitions: one error each, or one for all if the group does not allow it. */
  async delete(
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<ErrorName | ErrorName[]> {
    const group = this.#groups.get(groupId)
    if (!group) return 'GROUP_ID_NOT_FOUND'
    if (group.state !== 'Empty' && group.protocolType !== 'consumer') return 'NON_EMPTY_GROUP'
    const errors = partitions.map(({ topic }): ErrorName =>
      group.isSubscribedTo(topic) ? 'GROUP_SUBSCRIBED_TO_TOPIC' : 'NONE',
    )
    const removed = partitions.filter(({ topic, partition }, index) => {
      if (errors[index] !== 'NONE') return false
      return this.#offsets.get(groupId, topic, partition) ?? this.#offsets.isUnstable(groupId, topic, partition)
    })
    const error = await this.#bury(groupId, removed)
    return error === 'NONE' ? errors : error
  }

  /** Writes tombstones for everything that is known of a group, and for the group itself. */
  async deleteGroup(groupId: string): Promise<ErrorName> {
    const committed = this.#offsets.all(groupId)
    const partitions = committed.flatMap(({ topic, partitions: found }) =>
      found.map(({ partition }) => ({ topic, partition })),
    )
    for (const [topic, partition] of this.#offsets.pendingPartitions(groupId)) partitions.push({ topic, partition })
    return this.#bury(groupId, partitions, [encodeGroup(groupId, null)])
  }

  /** A topic is gone, and with it what groups have committed for it. */
  async forgetTopic(topic: string): Promise<void> {
    for (const groupId of this.#offsets.groupIds()) {
      const found = this.#offsets.all(groupId).find((one) => one.topic === topic)
      if (found)
        await this.#bury(
          groupId,
          found.partitions.map(({ partition }) => ({ topic, partition })),
        )
    }
  }

  /**
   * Removes the offsets of a group whose time has come. True when nothing is left that would keep an empty group.
   *
   * The time runs from when the group became empty; where nobody ever joined, from each commit; and for a group with
   * members only for topics that none of them subscribes to any more.
   */
  async expire(group: ClassicGroup): Promise<boolean> {
    const { groupId } = group
    const since = expiryBase(group)
    if (!since) return false
    const now = this.#clock.now()
    const expired: { topic: string; partition: number }[] = []
    let kept = 0
    for (const { topic, partitions } of this.#offsets.all(groupId)) {
      for (const { partition, committed } of partitions) {
        const { expireTimestamp } = committed
        const due =
          expireTimestamp === -1 ? now - since(committed) >= this.#settings.retentionMs : now >= expireTimestamp
        if (due && !group.isSubscribedTo(topic) && !this.#offsets.isUnstable(groupId, topic, partition)) {
          expired.push({ topic, partition })
        } else kept++
      }
    }
    if (expired.length > 0) {
      this.#logger.info({ group: groupId, partitions: expired.length }, 'committed offsets expired')
      if ((await this.#bury(groupId, expired)) !== 'NONE') return false
    }
    return kept === 0 && !this.#offsets.hasOpenTransactions(groupId) && !this.#offsets.hasGroup(groupId)
  }

  async #bury(
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
    more: readonly KeyedRecord[] = [],
  ): Promise<ErrorName> {
    const tombstones = partitions.map(({ topic, partition }) => encodeOffset(groupId, topic, partition, null))
    if (tombstones.length + more.length === 0) return 'NONE'
    let offsets: number[]
    try {
      offsets = await this.#topic.append(this.#topic.partitionOf(groupId), [...tombstones, ...more])
    } catch (cause) {
      this.#logger.warn({ group: groupId, err: cause }, 'offsets could not be removed')
      return coordinatorError(cause)
    }
    partitions.forEach(({ topic, partition }, index) => {
      this.#offsets.remove(groupId, topic, partition, offsets[index]!)
    })
    return 'NONE'
  }
}

function all(commits: readonly PartitionCommit[], error: ErrorName): ErrorName[] {
  return commits.map(() => error)
}

/** The moment from which an offset's time runs; undefined while the group keeps everything. */
function expiryBase(group: ClassicGroup): ((committed: CommittedOffset) => number) | undefined {
  if (group.protocolType === null) return ({ commitTimestamp }) => commitTimestamp
  if (group.state === 'Empty') {
    const { stateTimestamp } = group
    return ({ commitTimestamp }) => (stateTimestamp === -1 ? commitTimestamp : stateTimestamp)
  }
  if (group.protocolType === 'consumer' && group.subscribedTopics && group.state === 'Stable') {
    return ({ commitTimestamp }) => commitTimestamp
  }
  return undefined
}
