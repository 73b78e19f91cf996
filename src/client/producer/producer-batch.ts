/**
 * Records of one partition on their way: filled, then built once into the bytes of a record batch, and sent until it is acknowledged
 * or given up. Who sent the records is kept in two flat arrays (sender, and the record's place with that sender): no closure a record.
 */
import { RecordBatchWriter, type RecordInput } from '../../protocol/records/batch-writer.ts'
import { type CompressionType } from '../../protocol/records/compression.ts'
import { type ConsumerRecord } from '../../protocol/records/consumer-record.ts'
import { RecordBatch } from '../../protocol/records/record-batch.ts'
import { RecordCursor } from '../../protocol/records/record-cursor.ts'
import { type Delivery } from './record.ts'

export interface Compression {
  readonly compression: CompressionType
  readonly compressionLevel?: number | undefined
}

/** A producer id with its epoch; every (partition, id, epoch) has a sequence of its own that begins with 0. */
export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

export class ProducerBatch {
  readonly topic: string
  readonly partition: number
  readonly createdMs: number
  /** Bytes of `buffer.memory` that it holds. */
  reservedBytes = 0
  /** How often it was sent. */
  attempts = 0
  lastError: Error | undefined
  /** Not to be sent again before this moment. */
  notBeforeMs = 0
  isDone = false
  /** On the wire, without a response yet. */
  isSending = false
  identity: ProducerIdentity | undefined
  baseSequence = -1
  /** Its sequence was assigned anew under another epoch: errors about the old one mean nothing. */
  sequenceWasReset = false
  readonly #compression: Compression
  #writer: RecordBatchWriter | undefined
  #bytes: Buffer | undefined
  #count = 0
  #owners: Delivery[] = []
  #slots: number[] = []
  #isTransactional = false
  #onDone: (() => void) | undefined

  constructor(topic: string, partition: number, createdMs: number, compression: Compression) {
    this.topic = topic
    this.partition = partition
    this.createdMs = createdMs
    this.#compression = compression
    this.#writer = new RecordBatchWriter(compression as { compression: CompressionType; compressionLevel?: number })
  }

  get count(): number {
    return this.#count
  }

  /** Takes no more records. */
  get isBuilt(): boolean {
    return this.#bytes !== undefined
  }

  /** Bytes as they will be sent, or (while it still takes records) uncompressed. */
  get sizeInBytes(): number {
    return this.#bytes?.length ?? this.#writer!.sizeInBytes
  }

  get hasSequence(): boolean {
    return this.baseSequence >= 0
  }

  append(record: RecordInput, owner: Delivery, slot: number): void {
    this.#writer!.append(record)
    this.#owners.push(owner)
    this.#slots.push(slot)
    this.#count++
  }

  onDone(listener: () => void): void {
    this.#onDone = listener
  }

  /** The bytes to send. A batch that is sent again under another identity gets another header, nothing else. */
  bytes(isTransactional: boolean): Buffer {
    const { producerId = -1, producerEpoch = -1 } = this.identity ?? {}
    const { baseSequence } = this
    if (!this.#bytes) {
      this.#isTransactional = isTransactional
      this.#bytes = this.#writer!.build({ producerId, producerEpoch, baseSequence, isTransactional })
      this.#writer = undefined
      return this.#bytes
    }
    const header = new RecordBatch(this.#bytes)
    if (
      header.producerId !== producerId ||
      header.producerEpoch !== producerEpoch ||
      header.baseSequence !== baseSequence
    ) {
      header.setProducer(producerId, producerEpoch, baseSequence)
    }
    return this.#bytes
  }

  /** @param baseOffset -1 when the broker does not say */
  succeed(baseOffset: number, logAppendTimeMs: number): void {
    if (this.isDone) return
    this.isDone = true
    const [owners, slots] = [this.#owners, this.#slots]
    for (let index = 0; index < owners.length; index++) {
      owners[index]!.succeeded(slots[index]!, baseOffset === -1 ? -1 : baseOffset + index, logAppendTimeMs)
    }
    this.#release()
  }

  fail(error: Error): void {
    if (this.isDone) return
    this.isDone = true
    const [owners, slots] = [this.#owners, this.#slots]
    for (let index = 0; index < owners.length; index++) owners[index]!.failed(slots[index]!, error)
    this.#release()
  }

  /**
   * Two batches of half the records each, in the same order and with the same sequence numbers, for a broker that finds this one too
   * large. This batch is spent afterwards; its waiting listeners are told by the second half (`onDone` of both is the caller's).
   */
  split(): [ProducerBatch, ProducerBatch] {
    const batch = new RecordBatch(this.bytes(this.#isTransactional))
    const cursor = new RecordCursor(batch, this.topic, this.partition, { checkCrcs: false })
    const records: ConsumerRecord[] = []
    cursor.take(records, this.#count, batch.baseOffset)
    const middle = Math.ceil(this.#count / 2)
    return [this.#part(records, 0, middle), this.#part(records, middle, this.#count)]
  }

  #part(records: readonly ConsumerRecord[], from: number, to: number): ProducerBatch {
    const part = new ProducerBatch(this.topic, this.partition, this.createdMs, this.#compression)
    for (let index = from; index < to; index++) {
      const { key, value, headers, timestamp } = records[index]!
      part.append({ key, value, headers, timestamp }, this.#owners[index]!, this.#slots[index]!)
    }
    part.attempts = this.attempts
    part.identity = this.identity
    part.sequenceWasReset = this.sequenceWasReset
    if (this.hasSequence) part.baseSequence = addToSequence(this.baseSequence, from)
    part.reservedBytes = Math.floor((this.reservedBytes * (to - from)) / this.#count)
    return part
  }

  #release(): void {
    this.#owners = []
    this.#slots = []
    this.#bytes = undefined
    this.#writer = undefined
    this.#onDone?.()
  }
}

/** Sequence numbers run to 2^31 - 1 and begin again with 0. */
export function addToSequence(sequence: number, count: number): number {
  return (sequence + count) % 0x8000_0000
}
