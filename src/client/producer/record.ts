/** What goes into a producer and what comes back. */
import { SluiceError } from '../../error.ts'
import { type RecordInput } from '../../protocol/records/batch-writer.ts'
import { InvalidArgumentError } from '../errors.ts'

/** Bytes as they are, or a string that is sent as UTF-8. A `null` value is a tombstone in a compacted topic. */
export type BytesLike = string | Uint8Array | null | undefined

export interface ProducerRecord<K = BytesLike, V = BytesLike> {
  readonly topic: string
  /** Left out: chosen by the key, or by the producer if there is none. */
  readonly partition?: number | undefined
  readonly key?: K | null | undefined
  readonly value?: V | null | undefined
  readonly headers?: readonly { readonly key: string; readonly value: BytesLike }[] | undefined
  /** Milliseconds since 1970. Left out: now. */
  readonly timestamp?: number | undefined
}

export interface RecordMetadata {
  readonly topic: string
  readonly partition: number
  /** -1 when the broker does not say (acks=0, or a retry whose first copy it acknowledged long ago). */
  readonly offset: number
  /** Milliseconds since 1970: the record's own, or the broker's with `message.timestamp.type=LogAppendTime`. */
  readonly timestamp: number
}

/** One record's fate, told to whoever sent it. `slot` is the record's place among those of that sender. */
export interface Delivery {
  /** The record is in a batch. */
  placed(slot: number, partition: number, timestamp: number): void
  /** @param logAppendTimeMs -1 when the record keeps its own timestamp */
  succeeded(slot: number, offset: number, logAppendTimeMs: number): void
  failed(slot: number, error: Error): void
}

/** A single `send`: a promise. */
export class SingleDelivery implements Delivery {
  readonly promise: Promise<RecordMetadata>
  readonly #topic: string
  readonly #resolve: (metadata: RecordMetadata) => void
  readonly #reject: (error: Error) => void
  partition = -1
  timestamp = -1

  constructor(topic: string) {
    this.#topic = topic
    const { promise, resolve, reject } = Promise.withResolvers<RecordMetadata>()
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
  }

  placed(_slot: number, partition: number, timestamp: number): void {
    this.partition = partition
    this.timestamp = timestamp
  }

  succeeded(_slot: number, offset: number, logAppendTimeMs: number): void {
    const timestamp = logAppendTimeMs === -1 ? this.timestamp : logAppendTimeMs
    this.#resolve({ topic: this.#topic, partition: this.partition, offset, timestamp })
  }

  failed(_slot: number, error: Error): void {
    this.#reject(error)
  }
}

/** Where the records of one `sendBatch` went: as long as the input, index for index. Entries are made when they are read. */
export class SentRecords implements Iterable<RecordMetadata> {
  readonly length: number
  readonly #records: readonly ProducerRecord<unknown, unknown>[]
  readonly #partitions: Int32Array
  readonly #offsets: Float64Array
  readonly #timestamps: Float64Array

  constructor(
    records: readonly ProducerRecord<unknown, unknown>[],
    partitions: Int32Array,
    offsets: Float64Array,
    timestamps: Float64Array,
  ) {
    this.length = records.length
    this.#records = records
    this.#partitions = partitions
    this.#offsets = offsets
    this.#timestamps = timestamps
  }

  at(index: number): RecordMetadata {
    const record = this.#records[index]
    if (!record) throw new InvalidArgumentError(`There is no record ${index}: ${this.length} were sent`)
    return {
      topic: record.topic,
      partition: this.#partitions[index]!,
      offset: this.#offsets[index]!,
      timestamp: this.#timestamps[index]!,
    }
  }

  *[Symbol.iterator](): Generator<RecordMetadata> {
    for (let index = 0; index < this.length; index++) yield this.at(index)
  }
}

export interface RecordFailure {
  /** The record's index in what was sent. */
  readonly index: number
  readonly error: Error
}

/** Some records of a `sendBatch` failed. The others were acknowledged: `sent.at(index)` says where they are. */
export class SendBatchError extends SluiceError {
  readonly failures: readonly RecordFailure[]
  readonly sent: SentRecords

  constructor(failures: readonly RecordFailure[], sent: SentRecords) {
    const [first] = failures
    super(
      'SLUICE_SEND_BATCH',
      `${failures.length} of ${sent.length} records could not be sent; the first is number ${first!.index}: ${first!.error.message}`,
      {
        cause: first!.error,
        retriable: failures.every(({ error }) => error instanceof SluiceError && error.retriable),
      },
    )
    this.failures = failures
    this.sent = sent
  }
}

/** One `sendBatch`: one promise for all its records, and typed arrays instead of an object a record. */
export class BatchDelivery implements Delivery {
  readonly promise: Promise<SentRecords>
  readonly #records: readonly ProducerRecord<unknown, unknown>[]
  readonly #partitions: Int32Array
  readonly #offsets: Float64Array
  readonly #timestamps: Float64Array
  readonly #failures: RecordFailure[] = []
  readonly #resolve: (sent: SentRecords) => void
  readonly #reject: (error: Error) => void
  #pending: number

  constructor(records: readonly ProducerRecord<unknown, unknown>[]) {
    this.#records = records
    this.#pending = records.length
    this.#partitions = new Int32Array(records.length).fill(-1)
    this.#offsets = new Float64Array(records.length).fill(-1)
    this.#timestamps = new Float64Array(records.length)
    const { promise, resolve, reject } = Promise.withResolvers<SentRecords>()
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
    if (records.length === 0) this.#finish()
  }

  placed(slot: number, partition: number, timestamp: number): void {
    this.#partitions[slot] = partition
    this.#timestamps[slot] = timestamp
  }

  succeeded(slot: number, offset: number, logAppendTimeMs: number): void {
    this.#offsets[slot] = offset
    if (logAppendTimeMs !== -1) this.#timestamps[slot] = logAppendTimeMs
    if (--this.#pending === 0) this.#finish()
  }

  failed(slot: number, error: Error): void {
    this.#failures.push({ index: slot, error })
    if (--this.#pending === 0) this.#finish()
  }

  #finish(): void {
    const sent = new SentRecords(this.#records, this.#partitions, this.#offsets, this.#timestamps)
    if (this.#failures.length === 0) return this.#resolve(sent)
    this.#failures.sort((left, right) => left.index - right.index)
    this.#reject(new SendBatchError(this.#failures, sent))
  }
}

export function bytesOf(value: unknown, what: string): Uint8Array | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return value
  throw new InvalidArgumentError(`A record's ${what} must be a string, bytes or null, not ${typeof value}`)
}

type EncodedHeaders = NonNullable<RecordInput['headers']>

export function headersOf(headers: ProducerRecord['headers']): EncodedHeaders | undefined {
  if (!headers || headers.length === 0) return undefined
  return headers.map(({ key, value }) => ({ key, value: bytesOf(value, `header "${key}"`) }))
}
