/**
 * A record as a consumer sees it: a view over its batch's bytes, which decodes a part when it is read.
 *
 * A record keeps the buffer of its fetch alive. Whoever holds few records for long copies what is needed (`Buffer.from(record.value)`).
 * Nothing here checks lengths: `RecordCursor` has, before it made the view.
 *
 * The fields are few and small whole numbers, and are declared rather than initialised: an initialised field would be
 * written twice and lose V8's small-integer representation, which costs a third of the time that a record takes.
 */
/** How `console.log` asks an object what to print (`util.inspect.custom`). */
const inspect: unique symbol = Symbol.for('nodejs.util.inspect.custom')

export type TimestampType = 'CreateTime' | 'LogAppendTime'

export interface RecordHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** What the records of one batch have in common. */
export interface RecordSource {
  readonly topic: string
  readonly partition: number
  /** The records' bytes: the batch's own, or what they were decompressed into. */
  readonly buffer: Buffer
  readonly baseOffset: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly timestampType: TimestampType
  readonly leaderEpoch: number
}

/** What a view is made of. A length of -1 is null; headers begin where the value ends. */
export type RecordParts = readonly [
  source: RecordSource,
  offsetDelta: number,
  timestampDelta: number,
  keyStart: number,
  keyLength: number,
  valueStart: number,
  valueLength: number,
]

/** `K` and `V` are bytes, unless the consumer was given deserializers (deserialized-record.ts). */
export class ConsumerRecord<K = Buffer, V = Buffer> {
  declare private readonly source: RecordSource
  declare private readonly offsetDelta: number
  declare private readonly timestampDelta: number
  declare private readonly keyStart: number
  declare private readonly keyLength: number
  declare private readonly valueStart: number
  declare private readonly valueLength: number

  /** For `RecordCursor`. A length of -1 is null; headers begin where the value ends. */
  constructor(
    source: RecordSource,
    offsetDelta: number,
    timestampDelta: number,
    keyStart: number,
    keyLength: number,
    valueStart: number,
    valueLength: number,
  ) {
    this.source = source
    this.offsetDelta = offsetDelta
    this.timestampDelta = timestampDelta
    this.keyStart = keyStart
    this.keyLength = keyLength
    this.valueStart = valueStart
    this.valueLength = valueLength
  }

  get topic(): string {
    return this.source.topic
  }

  get partition(): number {
    return this.source.partition
  }

  get offset(): number {
    return this.source.baseOffset + this.offsetDelta
  }

  /** Milliseconds since 1970; -1 when the producer gave none. */
  get timestamp(): number {
    const { source } = this
    return source.timestampType === 'LogAppendTime' ? source.maxTimestamp : source.baseTimestamp + this.timestampDelta
  }

  /** Who set the timestamp: the producer (`CreateTime`) or the broker (`LogAppendTime`). */
  get timestampType(): TimestampType {
    return this.source.timestampType
  }

  /** The epoch of the leader that appended the batch; -1 when unknown. */
  get leaderEpoch(): number {
    return this.source.leaderEpoch
  }

  /** What `key.deserializer` made of the key; without one a view of its bytes, not a copy. null when the record has none. */
  get key(): K | null {
    if (this.keyLength < 0) return null
    return this.source.buffer.subarray(this.keyStart, this.keyStart + this.keyLength) as K
  }

  /** What `value.deserializer` made of the value; without one a view of its bytes, not a copy. null is a tombstone. */
  get value(): V | null {
    if (this.valueLength < 0) return null
    return this.source.buffer.subarray(this.valueStart, this.valueStart + this.valueLength) as V
  }

  /** A view of the key's bytes, whatever the deserializer. */
  get keyBytes(): Buffer | null {
    if (this.keyLength < 0) return null
    return this.source.buffer.subarray(this.keyStart, this.keyStart + this.keyLength)
  }

  /** A view of the value's bytes, whatever the deserializer. */
  get valueBytes(): Buffer | null {
    if (this.valueLength < 0) return null
    return this.source.buffer.subarray(this.valueStart, this.valueStart + this.valueLength)
  }

  /** The key as UTF-8. */
  keyText(): string | null {
    if (this.keyLength < 0) return null
    return this.source.buffer.toString('utf8', this.keyStart, this.keyStart + this.keyLength)
  }

  /** The value as UTF-8. */
  valueText(): string | null {
    if (this.valueLength < 0) return null
    return this.source.buffer.toString('utf8', this.valueStart, this.valueStart + this.valueLength)
  }

  /** Bytes of the key; -1 when it is null. */
  get serializedKeySize(): number {
    return this.keyLength
  }

  /** Bytes of the value; -1 when it is null. */
  get serializedValueSize(): number {
    return this.valueLength
  }

  /** Bytes of all headers' keys and values, counted without decoding them; 0 when there are none. */
  get serializedHeadersSize(): number {
    const { buffer } = this.source
    let at = this.valueStart + Math.max(0, this.valueLength)
    const varint = () => {
      let raw = 0
      for (let shift = 0; ; shift += 7) {
        const byte = buffer[at++]!
        raw |= (byte & 0x7f) << shift
        if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
      }
    }
    // A count of none is one byte of 0, as it nearly always is.
    if (buffer[at] === 0) return 0
    let size = 0
    for (let parts = 2 * varint(); parts > 0; parts--) {
      const length = Math.max(0, varint())
      at += length
      size += length
    }
    return size
  }

  /** Decoded anew at each read: keep it if it is needed twice. A key may appear more than once. */
  get headers(): readonly RecordHeader[] {
    const { buffer } = this.source
    let at = this.valueStart + Math.max(0, this.valueLength)
    const varint = () => {
      let raw = 0
      for (let shift = 0; ; shift += 7) {
        const byte = buffer[at++]!
        raw |= (byte & 0x7f) << shift
        if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
      }
    }
    const headers: RecordHeader[] = []
    for (let count = varint(); count > 0; count--) {
      const keyLength = varint()
      const key = buffer.toString('utf8', at, at + keyLength)
      at += keyLength
      const valueLength = varint()
      const value = valueLength < 0 ? null : buffer.subarray(at, at + valueLength)
      at += Math.max(0, valueLength)
      headers.push({ key, value })
    }
    return headers
  }

  /** The same bytes under another class of view. */
  viewedAs<R>(View: new (...parts: RecordParts) => R): R {
    const { source, offsetDelta, timestampDelta, keyStart, keyLength, valueStart, valueLength } = this
    return new View(source, offsetDelta, timestampDelta, keyStart, keyLength, valueStart, valueLength)
  }

  [inspect](): unknown {
    const { topic, partition, offset, timestamp, timestampType, headers } = this
    return { topic, partition, offset, timestamp, timestampType, key: this.keyText(), value: this.valueText(), headers }
  }
}
