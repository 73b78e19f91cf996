/** What stops a consumer application, beside the errors of its sink and of the client. Each message says what to do now. */
import { SluiceError } from '../error.ts'
import { topicPartitionKey, type TopicPartition } from '../protocol/records/topic-partition.ts'

/** One thing that is wrong in a consumer.conf. */
export interface ConfProblem {
  /** Where: `[1].sink.format`, or empty for the whole file. */
  readonly path: string
  /** What is wrong there, what was seen, and what is allowed. */
  readonly message: string
}

/** A consumer.conf that cannot be used. Holds every problem in it. A user's mistake: exit code 2, no stack. */
export class ConfError extends SluiceError {
  readonly problems: readonly ConfProblem[]

  constructor(file: string, problems: readonly ConfProblem[]) {
    const lines = problems.map(({ path, message }) => `  ${path === '' ? '' : `${path}: `}${message}`)
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
    super('SLUICE_CONF', `${file} has ${count}:\n${lines.join('\n')}`)
    this.problems = problems
  }
}

/** A key or value that is not what the application's `key` or `value` says it is. */
export class ValueDecodeError extends SluiceError {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly part: 'key' | 'value'

  constructor(
    record: { topic: string; partition: number; offset: number },
    part: 'key' | 'value',
    reason: string,
    cause?: unknown,
  ) {
    super(
      'SLUICE_VALUE_DECODE',
      `topic ${record.topic}, partition ${record.partition}, offset ${record.offset}: the ${part} cannot be decoded: ${reason}`,
      { cause },
    )
    this.part = part
    this.topic = record.topic
    this.partition = record.partition
    this.offset = record.offset
  }
}

/** A record that can neither be decoded nor stored, met by an application that stops at such a record. */
export class PoisonRecordError extends SluiceError {
  constructor(cause: SluiceError, whatToDo: string) {
    super(
      'SLUICE_POISON_RECORD',
      `${cause.message}. Every record before it is stored, nothing from it on is committed. ${whatToDo}`,
      {
        cause,
      },
    )
  }
}

/** A handler gave a record up, and the application stops at such a record. */
export class HandlerFailedError extends SluiceError {
  constructor(record: { topic: string; partition: number; offset: number }, cause: Error, attempts: number) {
    const where = `topic ${record.topic}, partition ${record.partition}, offset ${record.offset}`
    const how =
      cause instanceof ValueDecodeError
        ? cause.message
        : `${where}: the handler failed${attempts > 1 ? ` ${attempts} times` : ''}: ${cause.name}: ${cause.message}`
    super(
      'SLUICE_HANDLER_FAILED',
      `${how}. Nothing from this offset on is committed: mend the handler and start again, or let such records pass with ` +
        '"on.failure": "dead-letter" or "skip"',
      { cause },
    )
  }
}

/** With `exactly.once`: what was done since the last commit is another member's to do again. */
export class NotAMemberError extends SluiceError {
  constructor(groupId: string) {
    super('SLUICE_NOT_A_MEMBER', `this consumer is not a member of the group ${groupId} at the moment`, {
      retriable: true,
    })
  }
}

/** With `exactly.once`: nobody knows whether a transaction counts. The consumer begins again from the group's commits, which know. */
export class TransactionBrokenError extends SluiceError {
  constructor(doing: string, cause: Error) {
    super('SLUICE_TRANSACTION_BROKEN', `${doing} failed: ${cause.message}`, { cause, retriable: true })
  }
}

/** With `exactly.once`: the cluster gives this application no transaction, however often it is asked. */
export class TransactionsRefusedError extends SluiceError {
  constructor(transactionalIdPrefix: string, cause: Error) {
    super(
      'SLUICE_TRANSACTIONS_REFUSED',
      `"exactly.once" needs transactions, and the cluster refuses them: ${cause.message}. Nothing is committed: see to what it says ` +
        `(Write and Describe on transactional ids that begin with "${transactionalIdPrefix}-", the brokers' transaction.max.timeout.ms), ` +
        'or leave "exactly.once" out, and start again',
      { cause },
    )
  }
}

/** With `exactly.once`: what handlers sent can be written by no transaction, however often it is tried. To pass its record would lose it. */
export class OutputRefusedError extends SluiceError {
  constructor(cause: Error) {
    super(
      'SLUICE_OUTPUT_REFUSED',
      `what handlers sent cannot be written: ${cause.message}. Nothing of it is committed: mend the handler, the topic or its rights, and start again`,
      { cause },
    )
  }
}

/** The store stands where the log has no records: deleted by retention, or another topic under the same name. */
export class OffsetOutsideLogError extends SluiceError {
  constructor(topicPartition: TopicPartition, next: number, log: { start: number; end: number }) {
    const where = `the store of ${topicPartitionKey(topicPartition)} goes on at offset ${next}, and the log holds ${log.start} to ${log.end}`
    super(
      'SLUICE_OFFSET_OUTSIDE_LOG',
      next < log.start
        ? `${where}: ${log.start - next} offsets were deleted before they were stored. ` +
            `To accept that, move the store to ${log.start}; a longer retention.ms keeps it from happening again.`
        : `${where}: the log is not the one that was stored from (a topic restored or truncated?). ` +
            `Nothing was changed. Compare both, then move the store to an offset that is right, or use a new group.id.`,
    )
  }
}

/** The topic was deleted and created again while it was read. Its offsets begin anew, and those of the store and the group say nothing of it. */
export class TopicRecreatedError extends SluiceError {
  constructor(topicPartition: TopicPartition, before: string, now: string) {
    super(
      'SLUICE_TOPIC_RECREATED',
      `the topic ${topicPartition.topic} was deleted and created again while ${topicPartitionKey(topicPartition)} was read: ` +
        `its id was ${before} and is ${now}. What was read of the old topic is stored, nothing of the new one. ` +
        `Start again to read the new one; a store that holds files of the old one says then what to do with them`,
    )
  }
}

/** The application demands more of its store than the store can promise. */
export class GuaranteeError extends SluiceError {
  constructor(sink: string, demanded: string, given: string) {
    super(
      'SLUICE_GUARANTEE',
      `the ${sink} sink promises "${given}" here, and the application demands "${demanded}": ` +
        `lower "guarantee" in the conf, or use a store that can`,
    )
  }
}
