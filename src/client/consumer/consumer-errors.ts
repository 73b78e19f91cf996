/**
 * The consumer's own errors, named after Java's. `retriable` means that the same call may simply be made again; a commit that was
 * refused because of a rebalance is not one of them, as the offsets have to be computed anew after the next poll.
 */
import { codeOf, KafkaError } from '../../protocol/error-codes.ts'
import { SluiceError } from '../../error.ts'
import { type TopicPartition } from '../../protocol/records/topic-partition.ts'

/** `wakeup()` was called: while this call ran, or since the last one that could be woken. */
export class WakeupError extends SluiceError {
  constructor() {
    super('SLUICE_WAKEUP', 'The consumer was woken up by wakeup()', { retriable: true })
  }
}

/** Two calls at once on a consumer that allows one. Give each task a consumer of its own, or call one after the other. */
export class ConcurrentUseError extends SluiceError {
  constructor(called: string, running: string) {
    super(
      'SLUICE_CONCURRENT_USE',
      `${called} was called while ${running} is still running: a consumer does one thing at a time (only wakeup and close may be called meanwhile)`,
    )
  }
}

/** The offsets were not committed and cannot be any more: the group gave the partitions to another member. They will be read again there. */
export class CommitFailedError extends SluiceError {
  constructor(cause?: unknown) {
    super(
      'SLUICE_COMMIT_FAILED',
      'Offsets could not be committed: the consumer is not part of an active generation of its group any more. Probably the time between two polls ' +
        'was longer than max.poll.interval.ms. Raise it, or process fewer records a poll (max.poll.records). The records since the last commit come again',
      { cause },
    )
  }
}

/** The offsets were not committed because the group rebalances. Poll, which takes part in the rebalance, then commit what is still owned. */
export class RebalanceInProgressError extends SluiceError {
  constructor(cause?: unknown) {
    super(
      'SLUICE_REBALANCE_IN_PROGRESS',
      'Offsets could not be committed because the group is rebalancing: call poll() to finish the rebalance, then commit the positions of what is still assigned',
      { cause },
    )
  }
}

/** Another member with the same `group.instance.id` took this one's place. This consumer must be closed. */
export class FencedInstanceIdError extends SluiceError {
  constructor(groupInstanceId: string | null, cause?: unknown) {
    super(
      'SLUICE_FENCED_INSTANCE_ID',
      `Another consumer with the group.instance.id "${groupInstanceId}" joined the group in place of this one: close this consumer, and give each one an id of its own`,
      { cause },
    )
  }
}

/** An asynchronous commit failed for a reason that passes. It was not tried again, because a later commit may already have overtaken it. */
export class RetriableCommitFailedError extends SluiceError {
  constructor(cause?: unknown) {
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    super('SLUICE_RETRIABLE_COMMIT_FAILED', `An asynchronous commit failed and may be tried again${why}`, {
      retriable: true,
      cause,
    })
  }
}

const list = (partitions: readonly TopicPartition[]) =>
  partitions.map(({ topic, partition }) => `${topic}-${partition}`).join(', ')

/** `auto.offset.reset` is `none`, and these partitions have neither a position nor a committed offset. Seek, or commit one. */
export class NoOffsetForPartitionError extends SluiceError {
  readonly partitions: readonly TopicPartition[]

  constructor(partitions: readonly TopicPartition[]) {
    super(
      'SLUICE_NO_OFFSET_FOR_PARTITION',
      `No committed offset and auto.offset.reset=none, so it is not known where to begin in ${list(partitions)}: seek to an offset, commit one, or set auto.offset.reset`,
    )
    this.partitions = partitions
  }
}

/** `auto.offset.reset` is `none`, and these positions do not exist in the log: removed by retention, or never written. */
export class OffsetOutOfRangeError extends SluiceError {
  readonly offsets: readonly (readonly [TopicPartition, number])[]

  constructor(offsets: readonly (readonly [TopicPartition, number])[]) {
    const named = offsets
      .map(([{ topic, partition }, offset]) => `${topic}-${partition} at offset ${offset}`)
      .join(', ')
    super(
      'SLUICE_OFFSET_OUT_OF_RANGE',
      `Fetched where the log has nothing, and auto.offset.reset=none: ${named}. Seek to an offset that exists, or set auto.offset.reset`,
    )
    this.offsets = offsets
  }
}

/**
 * The log was cut back behind the position after an unclean leader election (KIP-320), so records that were consumed are not in it any more. With
 * auto.offset.reset=none the application decides where to go on.
 */
export class LogTruncationError extends SluiceError {
  readonly topicPartition: TopicPartition
  readonly position: number
  /** Where the two histories part, or undefined when the broker did not know. */
  readonly divergentOffset: number | undefined

  constructor(topicPartition: TopicPartition, position: number, divergentOffset: number | undefined) {
    super(
      'SLUICE_LOG_TRUNCATION',
      `The log of ${list([topicPartition])} was truncated: the position ${position} belongs to records that are gone` +
        (divergentOffset === undefined ? '' : `, and up to offset ${divergentOffset} the log is what it was`) +
        '. Seek to where to go on, or set auto.offset.reset',
    )
    this.topicPartition = topicPartition
    this.position = position
    this.divergentOffset = divergentOffset
  }
}

/** Bytes of the log that cannot be read: a wrong CRC, a broken length. The position stays before them; seek behind them to leave them out. */
export class CorruptRecordsError extends SluiceError {
  readonly topicPartition: TopicPartition
  /** The position, at which the next poll tries again. */
  readonly offset: number
  /** Behind the broken batch: where to seek to leave it out on purpose. undefined when not even its header can be read. */
  readonly nextOffset: number | undefined

  constructor(topicPartition: TopicPartition, offset: number, cause: unknown, nextOffset?: number) {
    const behind = nextOffset === undefined ? 'seek behind them' : `seek to ${nextOffset} to leave out the broken batch`
    super(
      'SLUICE_CORRUPT_RECORDS',
      `The records of ${list([topicPartition])} at offset ${offset} cannot be read: ${(cause as Error).message}. The position was not moved: poll again, or ${behind}`,
      { cause },
    )
    this.topicPartition = topicPartition
    this.offset = offset
    this.nextOffset = nextOffset
  }
}

/** The user may not read these topics. Thrown again by each poll until somebody grants it; other topics are not read meanwhile. */
export class TopicAuthorizationError extends KafkaError {
  readonly topics: readonly string[]

  constructor(topics: readonly string[], doing: string) {
    super(codeOf('TOPIC_AUTHORIZATION_FAILED'), doing)
    this.topics = topics
  }
}

/** The user may not be a member of this group, or may not commit for it. Another call tries again. */
export class GroupAuthorizationError extends KafkaError {
  readonly groupId: string

  constructor(groupId: string, doing: string) {
    super(codeOf('GROUP_AUTHORIZATION_FAILED'), doing)
    this.groupId = groupId
  }
}

/** A broker's error code about a group, as the class that says most. */
export function groupError(errorCode: number, groupId: string, doing: string): KafkaError {
  if (errorCode === codeOf('GROUP_AUTHORIZATION_FAILED')) return new GroupAuthorizationError(groupId, doing)
  return new KafkaError(errorCode, doing)
}

/** A broker's error code about a topic, as the class that says most. */
export function topicError(errorCode: number, topic: string, doing: string): KafkaError {
  if (errorCode === codeOf('TOPIC_AUTHORIZATION_FAILED')) return new TopicAuthorizationError([topic], doing)
  return new KafkaError(errorCode, doing)
}
