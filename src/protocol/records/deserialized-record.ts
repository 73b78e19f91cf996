/**
 * A record whose key and value have been turned into values when it was taken, and the error for one of which that is not possible.
 *
 * Taken means within the poll: what cannot be deserialized is thrown by it, with the position before the record, as Java does. Each part is
 * deserialized once, however often it is read. Without deserializers none of this is on the way (record-cursor.ts).
 */
import { SluiceError } from '../../error.ts'
import { ConsumerRecord, type RecordParts } from './consumer-record.ts'

export type RecordPart = 'key' | 'value'

/** What a deserializer may know of the record beside its bytes. */
export type RecordContext = Pick<
  ConsumerRecord,
  'topic' | 'partition' | 'offset' | 'timestamp' | 'headers' | 'keyBytes' | 'valueBytes'
>

/**
 * Turns the bytes of a key or a value into what the application works with. Never called for null, which stays null. `data` is a view: whoever keeps
 * it copies it. What it throws becomes the cause of a `RecordDeserializationError`.
 */
export type Deserializer<T> = (data: Buffer, record: RecordContext, part: RecordPart) => T

/** undefined leaves the bytes. */
export interface Deserializers<K = unknown, V = unknown> {
  readonly key: Deserializer<K> | undefined
  readonly value: Deserializer<V> | undefined
}

/**
 * A key or value that its deserializer does not take (KIP-334, KIP-1036). Everything before it has been handed out; the consumer's position is the record
 * itself, and the next poll meets it again. `consumer.seek(error.topicPartition, error.offset + 1)` leaves it out.
 */
export class RecordDeserializationError extends SluiceError {
  /** Which of the two cannot be deserialized. */
  readonly part: RecordPart
  readonly topicPartition: { readonly topic: string; readonly partition: number }
  readonly offset: number
  /** The record as it came: bytes, headers and timestamp, for example to send it to a dead-letter topic. */
  readonly record: ConsumerRecord

  constructor(record: ConsumerRecord, part: RecordPart, cause: unknown) {
    const { topic, partition, offset } = record
    const why = cause instanceof Error ? cause.message : String(cause)
    super(
      'SLUICE_RECORD_DESERIALIZATION',
      `topic ${topic}, partition ${partition}, offset ${offset}: the ${part} cannot be deserialized: ${why}. ` +
        `The position was not moved: seek to ${offset + 1} to leave the record out`,
      { cause },
    )
    this.part = part
    this.topicPartition = { topic, partition }
    this.offset = offset
    this.record = record
  }
}

export class DeserializedRecord<K, V> extends ConsumerRecord<K, V> {
  readonly #key: K | null
  readonly #value: V | null

  /** @throws RecordDeserializationError */
  constructor(deserializers: Deserializers<K, V>, ...parts: RecordParts) {
    super(...parts)
    this.#key = deserialized(this, 'key', this.keyBytes, deserializers.key)
    this.#value = deserialized(this, 'value', this.valueBytes, deserializers.value)
  }

  override get key(): K | null {
    return this.#key
  }

  override get value(): V | null {
    return this.#value
  }
}

function deserialized<T>(
  record: DeserializedRecord<unknown, unknown>,
  part: RecordPart,
  data: Buffer | null,
  deserializer: Deserializer<T> | undefined,
): T | null {
  if (data === null || deserializer === undefined) return data as T | null
  try {
    return deserializer(data, record, part)
  } catch (error) {
    throw new RecordDeserializationError(record.viewedAs(ConsumerRecord), part, error)
  }
}
