/**
 * Records that wait to be sent, by topic and partition, within `buffer.memory`.
 *
 * A batch takes records until `batch.size` (uncompressed) or `max.request.size`; a record that is larger than a batch gets one of its own.
 * It is ready to be sent when it is full, when it has waited `linger.ms`, when somebody flushes, or when memory is short.
 */
import { type RecordInput } from '../../protocol/records/batch-writer.ts'
import { RECORD_BATCH_OVERHEAD } from '../../protocol/records/record-batch.ts'
import { type Clock } from '../../seams/clock.ts'
import { AbortedError, BufferExhaustedError, ClosedError } from '../errors.ts'
import { PartitionQueue } from './partition-queue.ts'
import { type Compression, ProducerBatch } from './producer-batch.ts'
import { type Delivery } from './record.ts'

export interface AccumulatorSettings {
  readonly batchSize: number
  readonly lingerMs: number
  readonly bufferMemory: number
  readonly maxRequestSize: number
  readonly compression: Compression
}

interface Waiter {
  readonly bytes: number
  wake(): void
}

export class Accumulator {
  readonly settings: AccumulatorSettings
  readonly #clock: Clock
  readonly #limit: number
  readonly #topics = new Map<string, PartitionQueue[]>()
  /** Queues with something in them, the longest waiting first. */
  readonly active = new Set<PartitionQueue>()
  readonly #incomplete = new Set<ProducerBatch>()
  readonly #waiters: Waiter[] = []
  #usedBytes = 0
  #flushes = 0
  #isClosed = false

  constructor(settings: AccumulatorSettings, clock: Clock) {
    this.settings = settings
    this.#clock = clock
    this.#limit = Math.min(settings.batchSize, settings.maxRequestSize)
  }

  queueOf(topic: string, partition: number): PartitionQueue {
    let queues = this.#topics.get(topic)
    if (!queues) this.#topics.set(topic, (queues = []))
    return (queues[partition] ??= new PartitionQueue(topic, partition))
  }

  *queues(): Generator<PartitionQueue> {
    for (const queues of this.#topics.values()) for (const queue of queues) if (queue) yield queue
  }

  /** Room in `buffer.memory`, if there is some now and nobody waits. */
  tryReserve(bytes: number): boolean {
    if (this.#waiters.length > 0 || this.#usedBytes + bytes > this.settings.bufferMemory) return false
    this.#usedBytes += bytes
    return true
  }

  /** Waits for room, first come first served. Rejects with BufferExhaustedError after `timeoutMs`. */
  reserve(bytes: number, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (this.tryReserve(bytes)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const leave = () => {
        timer.cancel()
        signal?.removeEventListener('abort', abort)
        const at = this.#waiters.indexOf(waiter)
        if (at >= 0) this.#waiters.splice(at, 1)
      }
      const abort = () => {
        leave()
        reject(new AbortedError('Waiting for buffer memory', signal?.reason))
      }
      const timer = this.#clock.setTimer(timeoutMs, () => {
        leave()
        reject(
          new BufferExhaustedError(
            `No room for ${bytes} bytes in buffer.memory (${this.settings.bufferMemory}) within ${timeoutMs} ms: the brokers take records more slowly than they are sent`,
          ),
        )
        this.#admit()
      })
      const waiter: Waiter = {
        bytes,
        wake: () => {
          leave()
          if (this.#isClosed) return reject(new ClosedError('The producer'))
          this.#usedBytes += bytes
          resolve()
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiters.push(waiter)
    })
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes
    this.#admit()
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** Whether this record would begin a new batch although there is an open one: the open one is full. */
  isFull(queue: PartitionQueue, recordBytes: number): boolean {
    const { open } = queue
    return open !== undefined && open.sizeInBytes + recordBytes > this.#limit
  }

  /** Adds a record whose room was reserved. Returns whether there is a full batch to be sent now. */
  append(queue: PartitionQueue, record: RecordInput, recordBytes: number, owner: Delivery, slot: number): boolean {
    let batch = queue.open
    let isReady = false
    if (!batch || batch.sizeInBytes + recordBytes > this.#limit) {
      isReady = batch !== undefined
      batch = this.#begin(queue)
    }
    batch.append(record, owner, slot)
    batch.reservedBytes += recordBytes
    return isReady || batch.sizeInBytes >= this.#limit
  }

  /** Whether the queue's head is to be sent as far as filling and waiting are concerned; otherwise when it will be. */
  readyAt(queue: PartitionQueue, nowMs: number): number {
    const batch = queue.head!
    if (batch.attempts > 0) return batch.notBeforeMs
    const isFull = queue.queue.length > 1 || batch.sizeInBytes >= this.#limit
    if (isFull || this.#flushes > 0 || this.#isClosed || this.#waiters.length > 0) return nowMs
    return batch.createdMs + this.settings.lingerMs
  }

  /** Resolves when everything that is in now has been acknowledged or failed. */
  async flush(wake: () => void): Promise<void> {
    const waitFor = [...this.#incomplete]
    if (waitFor.length === 0) return
    this.#flushes++
    try {
      await Promise.all(waitFor.map((batch) => this.#doneOf(batch, wake)))
    } finally {
      this.#flushes--
    }
  }

  get hasIncomplete(): boolean {
    return this.#incomplete.size > 0
  }

  /** Fails every batch that `which` picks; those on the wire finish by themselves unless `which` picks them too. */
  failAll(error: Error, which: (batch: ProducerBatch) => boolean = () => true): void {
    for (const batch of this.#incomplete) {
      if (!which(batch)) continue
      this.queueOf(batch.topic, batch.partition).remove(batch)
      batch.fail(error)
    }
  }

  /** No more waiting for full batches; whoever waits for room is told that the producer is closed. */
  close(): void {
    this.#isClosed = true
    while (this.#waiters.length > 0) this.#waiters[0]!.wake()
  }

  /** Counts a batch as one that a flush waits for (the halves of a batch that was split). */
  track(batch: ProducerBatch): void {
    this.#incomplete.add(batch)
    batch.onDone(() => this.#completed(batch))
  }

  /** Halves take the place of a batch; who waits for it waits for them. */
  replace(batch: ProducerBatch, parts: readonly ProducerBatch[]): void {
    const waiting = this.#doneListeners.get(batch)
    this.#doneListeners.delete(batch)
    this.#incomplete.delete(batch)
    for (const part of parts) this.track(part)
    if (!waiting) return
    let left = parts.length
    const onePart = () => {
      if (--left === 0) for (const listener of waiting) listener()
    }
    for (const part of parts) this.#doneListeners.set(part, [onePart])
  }

  readonly #doneListeners = new Map<ProducerBatch, (() => void)[]>()

  #doneOf(batch: ProducerBatch, wake: () => void): Promise<void> {
    return new Promise((resolve) => {
      const listeners = this.#doneListeners.get(batch)
      if (listeners) listeners.push(resolve)
      else this.#doneListeners.set(batch, [resolve])
      wake()
    })
  }

  #begin(queue: PartitionQueue): ProducerBatch {
    const batch = new ProducerBatch(queue.topic, queue.partition, this.#clock.monotonic(), this.settings.compression)
    queue.queue.push(batch)
    this.active.add(queue)
    this.track(batch)
    return batch
  }

  #completed(batch: ProducerBatch): void {
    this.#incomplete.delete(batch)
    this.release(batch.reservedBytes)
    batch.reservedBytes = 0
    const listeners = this.#doneListeners.get(batch)
    this.#doneListeners.delete(batch)
    if (listeners) for (const listener of listeners) listener()
  }

  #admit(): void {
    while (this.#waiters.length > 0 && this.#usedBytes + this.#waiters[0]!.bytes <= this.settings.bufferMemory) {
      this.#waiters[0]!.wake()
    }
  }
}

/** What a record costs of `max.request.size` at most, in a batch of its own. */
export function aloneBytes(recordBytes: number): number {
  return RECORD_BATCH_OVERHEAD + recordBytes
}
