/**
 * `on.failure`: what becomes of a record that was given up, be it that its handler failed for good, that its value is not what it should be, or
 * that the store refuses it.
 *
 *     stop          the application ends with the error, at this record
 *     skip          said in the log, and passed
 *     dead-letter   written to another topic first, then passed
 *
 * A record is passed only when this has resolved with true: offsets may then move beyond it.
 */
import { SluiceError } from '../error.ts'
import type { ProducerRecord } from '../client/producer/record.ts'
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import type { Random } from '../seams/random.ts'
import { backoffMs } from './backoff.ts'
import { deadLetterRecord, deadLetterTopicOf, type FailedRecord } from './dead-letters.ts'
import type { ProducerPort } from './producer-port.ts'

export type OnFailure = 'stop' | 'skip' | 'dead-letter'
export const onFailures: readonly OnFailure[] = ['stop', 'skip', 'dead-letter']

export interface FailureCounts {
  /** Attempts of a handler that failed, and those that were made again. */
  failed: number
  retried: number
  deadLettered: number
  skipped: number
}

/** A dead letter that its topic will never take: to pass the record would lose it. */
export class DeadLetterError extends SluiceError {
  constructor({ record, error }: FailedRecord, topic: string, cause: Error) {
    super(
      'SLUICE_DEAD_LETTER',
      `${placeOf(record)}: the record failed (${error.message}) and cannot be written to its dead-letter topic ${topic}: ${cause.message}. ` +
        'Nothing from this offset on is committed: make the topic take it, or name another by "dead.letter.topic", and start again',
      { cause },
    )
  }
}

/** The application reads its own dead letters by its pattern: each would fail again, and make another topic. */
export class EndlessDeadLettersError extends SluiceError {
  constructor({ record, error }: FailedRecord, topic: string) {
    super(
      'SLUICE_ENDLESS_DEAD_LETTERS',
      `${placeOf(record)}: the record failed (${error.message}), and its dead-letter topic ${topic} is read by this application too ("topics.pattern"), ` +
        'as would be the dead letters of that one, for ever. Nothing from this offset on is committed: name a topic that it does not read ' +
        'by "dead.letter.topic", or let "topics.pattern" leave out what ends in "-dlt", and start again',
      { cause: error },
    )
  }
}

function placeOf({ topic, partition, offset }: FailedRecord['record']): string {
  return `topic ${topic}, partition ${partition}, offset ${offset}`
}

export interface SettleSignals {
  readonly signal: AbortSignal
  readonly stopping: AbortSignal
}

export interface FailurePolicyOptions {
  readonly onFailure: OnFailure
  readonly application: string
  readonly consumer: string
  /** undefined: the record's topic with `-dlt` behind it. */
  readonly deadLetterTopic?: string | undefined
  /** Source of the expression that says which topics the application reads, where one does. */
  readonly topicsPattern?: string | undefined
  /** Needed for `dead-letter` only. */
  readonly producer?: ProducerPort | undefined
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

export class FailurePolicy {
  readonly counts: FailureCounts = { failed: 0, retried: 0, deadLettered: 0, skipped: 0 }
  readonly #options: FailurePolicyOptions
  readonly #topics = new Set<string>()

  constructor(options: FailurePolicyOptions) {
    this.#options = options
  }

  /**
   * True when offsets may move past the record, false when the application is to stop at it. With `outputs` a dead letter is put there, for the
   * transaction that passes the record, in place of being sent. Rejects with DeadLetterError, and with a signal's own error: `signal` aborts what is
   * under way, `stopping` ends only the wait for another try.
   */
  async settle(
    failed: FailedRecord,
    { signal, stopping }: SettleSignals,
    outputs?: ProducerRecord[],
  ): Promise<boolean> {
    const { onFailure, logger, consumer, application, deadLetterTopic } = this.#options
    const { record, error, attempts } = failed
    const where = placeOf(record)
    const fields = { consumer, topic: record.topic, partition: record.partition, offset: record.offset, attempts }
    switch (onFailure) {
      case 'stop':
        return false
      case 'skip':
        this.counts.skipped++
        logger.error(fields, `${where}: skipped ("on.failure": "skip"): ${error.message}`)
        return true
      case 'dead-letter': {
        const topic = deadLetterTopicOf(record.topic, deadLetterTopic)
        if (this.#isEndless(topic)) throw new EndlessDeadLettersError(failed, topic)
        const letter = deadLetterRecord(failed, topic, application)
        await this.#deliver(failed, letter, { signal, stopping }, outputs)
        this.counts.deadLettered++
        logger.error(fields, `${where}: written to ${topic}: ${error.message}`)
        return true
      }
      default:
        return onFailure satisfies never
    }
  }

  /** `orders.*` reads `orders-dlt` too, and `orders-dlt-dlt`, each of which would be made of the one before. */
  #isEndless(topic: string): boolean {
    const { topicsPattern } = this.#options
    if (topicsPattern === undefined) return false
    const reads = new RegExp(topicsPattern)
    return reads.test(topic) && reads.test(deadLetterTopicOf(topic, undefined))
  }

  /** Tries for as long as it can help: until then the record is not passed, and nothing behind it is committed. */
  async #deliver(
    failed: FailedRecord,
    letter: ProducerRecord,
    { signal, stopping }: SettleSignals,
    outputs?: ProducerRecord[],
  ): Promise<void> {
    const { clock, random, logger, consumer, producer } = this.#options
    for (let attempt = 1; ; attempt++) {
      try {
        if (!this.#topics.has(letter.topic)) await producer!.ensureTopic(letter.topic, failed.record.topic, signal)
        this.#topics.add(letter.topic)
        if (outputs) outputs.push(letter)
        else await producer!.send(letter, signal)
        return
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof SluiceError && error.retriable)) {
          throw new DeadLetterError(failed, letter.topic, error as Error)
        }
        const waitMs = backoffMs(attempt, random)
        logger.error(
          { consumer, attempt, topic: letter.topic },
          `${placeOf(failed.record)}: cannot write to the dead-letter topic ${letter.topic}: ${error.message}. Trying again in ${(waitMs / 1000).toFixed(1)} s; ` +
            'the record is not passed meanwhile',
        )
        await clock.sleep(waitMs, AbortSignal.any([signal, stopping]))
        signal.throwIfAborted()
        stopping.throwIfAborted()
      }
    }
  }
}
