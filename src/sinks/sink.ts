/**
 * The contract between the runner (src/app) and a store. What a store must honour is written here and checked by
 * `sinkConformance` in src/testing; how a store does it is its own file's matter. Nothing here knows Kafka connections.
 *
 * The life of a sink, one object a consumer:
 *
 *     open ─▶ assigned(P) ─▶ { write(p) … flush(p) }* ─▶ revoked(P) ─▶ close
 *                 ▲                   │
 *                 └── SinkFencedError ┘   (and SinkRecordError from flush): assigned([p]) again, seek, read again
 *
 * Concurrency: calls for one partition never overlap, and come in offset order. Calls for different partitions may
 * overlap. `open` is over before anything else begins; `close` begins after everything else is over, and may come
 * without `revoked` (a crash in between is what the guarantee is about).
 *
 * Offsets: a batch covers [first, next). `next` is the consumer's position, not the last offset plus one: compaction,
 * transaction markers and dead-lettered records leave gaps, and a batch may have no records at all.
 * Each batch begins where the one before ended, and the first where `assigned` said (or where Kafka's commit stands).
 */
import type { ZodObject, ZodRawShape, infer as Infer } from 'zod'
import { SluiceError } from '../error.ts'
import type { ConsumerRecord } from '../protocol/records/consumer-record.ts'
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import type { Clock } from '../seams/clock.ts'
import type { Disk } from '../seams/disk.ts'
import type { Logger } from '../seams/logger.ts'
import type { Random } from '../seams/random.ts'

/**
 * What a store promises about a record, strongest first.
 *
 * - `transactional`: rows and the offset in one transaction of the store's.
 * - `create-once`: an output whose name follows from its first offset exists once, whoever tries to make it.
 * - `idempotent`: the same record again changes nothing. Kafka owns the offsets.
 * - `at-least-once`: written before it is committed; a crash in between repeats it.
 * - `best-effort`: the store never holds the commit back.
 */
export type Guarantee = 'transactional' | 'create-once' | 'idempotent' | 'at-least-once' | 'best-effort'

/** Strongest first, for an application that demands at least one of them. */
export const guarantees: readonly Guarantee[] = [
  'transactional',
  'create-once',
  'idempotent',
  'at-least-once',
  'best-effort',
]

/** Records of one partition, in offset order, all within [first, next). */
export interface SinkBatch {
  readonly topicPartition: TopicPartition
  readonly first: number
  readonly next: number
  readonly records: readonly ConsumerRecord[]
  /** The value of `records[i]` as the application's `value` says: text, parsed JSON or a Buffer; null for no value. */
  readonly values: readonly unknown[]
}

export type ValueType = 'string' | 'json' | 'bytes'

/** What the application hands a sink once, in `open`. */
export interface SinkContext {
  /** The application's name: its `group.id`. */
  readonly application: string
  readonly clusterId: string
  /** The id of a topic that this consumer has been assigned; a recreated topic has another one. */
  readonly topicId: (topic: string) => string
  /** This consumer's name, for example `consumer-thread-0`. */
  readonly consumer: string
  /** How many consumers the application runs in this process, this one included. */
  readonly consumerCount: number
  readonly valueType: ValueType
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly logger: Logger
  /** Aborts when the application has no time left: waits and retries end then. */
  readonly signal: AbortSignal
}

/** When the sink wants `flush`; whatever comes first. Absent limits are the runner's own choice. */
export interface FlushHint {
  /** Records of one partition since its last flush. The runner cuts the batch so that it is met exactly. */
  readonly records?: number
  /** Milliseconds since the first record after the last flush of that partition. */
  readonly intervalMs?: number
}

export interface Opened {
  /** What this store really honours here. Never stronger than the definition's. */
  readonly guarantee: Guarantee
  /**
   * A sink whose flush is costly or visible (a file each) sets the pace: the runner then flushes by this hint, on
   * `flushDue`, on revocation and at shutdown, and not more often because of the application's `commit`.
   */
  readonly flushHint?: FlushHint
}

export interface AssignedPartition {
  readonly topicPartition: TopicPartition
  /** Kafka's commit for the group; undefined when there is none. */
  readonly committed: number | undefined
  /** The group's generation (classic) or the member's epoch. */
  readonly generation: number
}

/** Where a store stands with one partition. */
export interface SinkPosition {
  readonly topicPartition: TopicPartition
  /** The runner seeks here, whatever Kafka's commit says. undefined: Kafka's commit, or else `auto.offset.reset`. */
  readonly next: number | undefined
}

export interface DurablePosition {
  readonly topicPartition: TopicPartition
  /** Everything below is durable; the runner may commit it. undefined: nothing is known to be, commit nothing. */
  readonly durable: number | undefined
}

export interface Sink {
  /**
   * Connects, creates what is missing and probes what the store really honours. May lower the guarantee, never raise it.
   * Called once. Any throw stops the application before it joins the group.
   */
  open(context: SinkContext): Promise<Opened>

  /**
   * Recovers what an earlier owner left, and answers where the store stands with each of these partitions, in any order.
   * Called after every assignment, before the first fetch of these partitions; and again for one partition after a
   * `SinkFencedError` or after a `SinkRecordError` from `flush`. It forgets what the sink still held of them.
   *
   * Throws `SinkUnavailableError`: the runner retries with backoff. `SinkRefusedError`: the application stops.
   */
  assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]>

  /**
   * Takes one batch. Buffers only; resolving is the backpressure. All of the batch is taken or nothing.
   * `flushDue: true` asks for `flush` of this partition before more is written to it.
   *
   * Throws `SinkRecordError`: nothing of the batch was taken. By its policy the runner stops, or calls again with the
   * same range but without that record. `SinkUnavailableError`: the same call again, after a backoff.
   * `SinkEndedError`: the application shuts down as on SIGTERM.
   */
  write(batch: SinkBatch): Promise<{ readonly flushDue: boolean }>

  /**
   * The only commit point: atomic or idempotent for everything taken so far, which ends at `next`. Answers how far the store is durable: `next`,
   * or less where the sink must first see more (an earlier owner pinned a range that ends later). What is between
   * `durable` and `next` stays with the sink; it is not to be written again. The runner commits to Kafka only up to
   * `durable` and only afterwards. A flush of what is durable already answers at once.
   *
   * Throws `SinkUnavailableError` (retriable; also when `signal` aborts): everything is still held, the runner calls
   * again with the same or a later `next`. `SinkFencedError`: another owner has gone on; the sink holds nothing of the
   * partition any more, the runner calls `assigned` for it and seeks. `SinkRecordError`: the store refused one record and nothing is
   * held any more; the runner stops, or calls `assigned`, seeks, and leaves that record out when it comes again.
   * Any other error stops the application; what was not durable was not committed.
   */
  flush(topicPartition: TopicPartition, next: number, signal: AbortSignal): Promise<{ readonly durable: number }>

  /**
   * `revoked`: these partitions go to another member in good order; flushes what was taken, if it can, and says how
   * far each is durable. `lost`: another member may own them already: aborts, writes nothing. Either way the sink
   * forgets them. It does not throw for a store that is down: what could not be flushed is read again by the next owner.
   */
  revoked(topicPartitions: readonly TopicPartition[], why: 'revoked' | 'lost'): Promise<readonly DurablePosition[]>

  /** Lets go of connections and files. Writes nothing that was not flushed. */
  close(): Promise<void>
}

/**
 * A store declares itself with one of these: validation, defaults, `--help` and the documentation's tables follow from it.
 * Every option has a description, and a default where it is not required.
 */
export interface SinkDefinition<Shape extends ZodRawShape = ZodRawShape> {
  /** The value of `sink.type`. */
  readonly name: string
  /** The strongest that `open` may answer. */
  readonly guarantee: Guarantee
  /** One sentence for lists. */
  readonly summary: string
  readonly options: ZodObject<Shape>
  /** The `sink` object of an application, complete. */
  readonly example: Readonly<Record<string, unknown>>
  create(options: Infer<ZodObject<Shape>>): Sink
}

/** A `sink` object that has been validated, ready to make one sink a consumer. */
export interface ConfiguredSink {
  readonly definition: SinkDefinition
  readonly options: Readonly<Record<string, unknown>>
  create(): Sink
}

/** The stores an application may name: a value that is passed in, never a side effect of an import. */
export interface SinkRegistry {
  readonly definitions: readonly SinkDefinition[]
  find(name: string): SinkDefinition | undefined
  /**
   * Validates a `sink` object (`{ type, …options }`). `path` is where it stands in the configuration, for messages.
   * Throws `SinkOptionsError` for an unknown type or option (with the nearest name) or a value that is not allowed.
   */
  configure(config: Readonly<Record<string, unknown>>, path?: string): ConfiguredSink
}

/** A `sink` object that cannot be used as it stands. A user's mistake: exit code 2, no stack. */
export class SinkOptionsError extends SluiceError {
  constructor(message: string) {
    super('SLUICE_SINK_OPTIONS', message)
  }
}

/** The store cannot be used for this application as things are: somebody has to change something. */
export class SinkRefusedError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_SINK_REFUSED', message, { cause })
  }
}

/** The store is down, locked, full or slow: the same again later can succeed. */
export class SinkUnavailableError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_SINK_UNAVAILABLE', message, { retriable: true, cause })
  }
}

/** Another owner of the partition has gone on in the store. Nothing is lost: `assigned` says where to read again. */
export class SinkFencedError extends SluiceError {
  readonly topicPartition: TopicPartition

  constructor(topicPartition: TopicPartition, message: string, cause?: unknown) {
    super('SLUICE_SINK_FENCED', message, { retriable: true, cause })
    this.topicPartition = topicPartition
  }
}

/** One record that the store cannot take, whoever tries and however often. */
export class SinkRecordError extends SluiceError {
  readonly topic: string
  readonly partition: number
  readonly offset: number

  constructor(record: { topic: string; partition: number; offset: number }, reason: string, cause?: unknown) {
    super(
      'SLUICE_SINK_RECORD',
      `topic ${record.topic}, partition ${record.partition}, offset ${record.offset}: ${reason}`,
      { cause },
    )
    this.topic = record.topic
    this.partition = record.partition
    this.offset = record.offset
  }
}

/** The runner broke the contract: to go on would lose or repeat records. A mistake in the program. */
export class SinkSequenceError extends SluiceError {
  constructor({ topic, partition }: TopicPartition, what: string) {
    super('SLUICE_SINK_SEQUENCE', `topic ${topic}, partition ${partition}: ${what}`)
  }
}

/** Whoever read the output has gone (`| head`): no failure, but nothing is left to do. */
export class SinkEndedError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_SINK_ENDED', message, { cause })
  }
}
