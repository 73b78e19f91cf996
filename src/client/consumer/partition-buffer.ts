/**
 * What has been fetched of one partition and not yet been handed out: the hot path of the consumer.
 *
 *     position                    fetchOffset
 *        ▼                             ▼
 *     ───[ chunk: batch batch batch ][ chunk: batch batch ]· · · in flight · · ·
 *
 * A chunk is one partition's part of a fetch response. The next fetch begins where the last whole batch of the last chunk ends, so it is on its way
 * while records are handed out. An error stands behind the good data: it is met only when everything before it is handed out.
 *
 * Under read_committed, records of aborted transactions are passed over here: the response lists each aborted transaction with its first
 * offset; from there on that producer's transactional batches are skipped, until its abort marker.
 */
import { type ConsumerRecord } from '../../protocol/records/consumer-record.ts'
import { type RecordBatch, recordBatches } from '../../protocol/records/record-batch.ts'
import { type Deserializers } from '../../protocol/records/deserialized-record.ts'
import { RecordCursor, type RecordCursorOptions } from '../../protocol/records/record-cursor.ts'
import { type FetchTally } from './fetch-tally.ts'

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

interface Chunk {
  readonly batches: readonly RecordBatch[]
  /** Index of the batch that comes next. */
  next: number
  /** In order of their first offset; emptied from the front. */
  readonly aborted: AbortedTransaction[]
  readonly abortedProducers: Set<number>
  readonly tally: FetchTally | undefined
}

const noAborted: readonly AbortedTransaction[] = []

export class PartitionBuffer {
  readonly topic: string
  readonly partition: number
  readonly #cursorOptions: RecordCursorOptions
  readonly #chunks: Chunk[] = []
  #cursor: RecordCursor | undefined
  #cursorBytes = 0
  /** The chunk of the cursor, told of what is taken. It leaves the list with its last batch and is drained when the cursor is, too. */
  #cursorChunk: Chunk | undefined
  #error: unknown
  /** Bytes of batches that are not handed out whole. */
  bytes = 0
  /** Bytes of all records that were ever taken, uncompressed. */
  takenBytes = 0
  /** Next offset to hand out; -1 while it is not known. */
  position = -1
  /** Leader epoch of the last batch that was passed, or what the position was set with; -1 if unknown. */
  positionEpoch = -1
  /** Where the next fetch begins, and the epoch of the batch before that. */
  fetchOffset = -1
  fetchEpoch = -1

  constructor(topic: string, partition: number, checkCrcs: boolean, deserializers?: Deserializers) {
    this.topic = topic
    this.partition = partition
    this.#cursorOptions = { checkCrcs, deserializers }
  }

  get isEmpty(): boolean {
    return this.#cursor === undefined && this.#chunks.length === 0
  }

  /** Behind the batch that is being handed out; undefined between two. */
  get openUntil(): number | undefined {
    return this.#cursor?.batch.nextOffset
  }

  /** Set once nothing may be fetched behind what is here. */
  get error(): unknown {
    return this.#error
  }

  /** Drops everything and begins anew at `offset`. */
  reset(offset: number, epoch = -1): void {
    if (this.#cursorChunk && !this.#chunks.includes(this.#cursorChunk)) this.#cursorChunk.tally?.partitionDone()
    for (const { tally } of this.#chunks) tally?.partitionDone()
    this.#chunks.length = 0
    this.#cursor = undefined
    this.#cursorChunk = undefined
    this.#cursorBytes = 0
    this.#error = undefined
    this.bytes = 0
    this.position = offset
    this.positionEpoch = epoch
    this.fetchOffset = offset
    this.fetchEpoch = epoch
  }

  /** Drops what is buffered; the position stays. */
  discard(): void {
    this.reset(this.position, this.positionEpoch)
  }

  /** Takes a fetch's records that begin at `fetchOffset`. A last batch that is cut off comes whole with the next fetch. */
  add(records: Buffer, aborted: readonly AbortedTransaction[] = noAborted, tally?: FetchTally): void {
    const batches: RecordBatch[] = []
    try {
      for (const batch of recordBatches(records)) {
        if (batch.nextOffset <= this.fetchOffset) continue
        batches.push(batch)
        this.bytes += batch.sizeInBytes
        this.fetchOffset = batch.nextOffset
        this.fetchEpoch = batch.partitionLeaderEpoch
      }
    } catch (error) {
      this.#error = error
    }
    if (batches.length === 0) {
      tally?.partitionDone()
      return
    }
    const sorted = aborted.toSorted((left, right) => left.firstOffset - right.firstOffset)
    this.#chunks.push({ batches, next: 0, aborted: sorted, abortedProducers: new Set(), tally })
  }

  /** Puts an error behind the buffered data. */
  fail(error: unknown): void {
    this.#error = error
  }

  /** Forgets the error, so that the same may be tried again. */
  clearError(): unknown {
    const error = this.#error
    this.#error = undefined
    return error
  }

  /**
   * Appends at most `max` records to `into`, moves the position behind them and behind whatever holds no record, and returns how many.
   * Throws what cannot be read only with nothing taken, and then leaves the position before it.
   */
  take(into: ConsumerRecord[], max: number): number {
    let taken = 0
    while (taken < max) {
      const cursor = this.#cursor ?? this.#openNext()
      if (cursor === undefined) break
      const passedBefore = cursor.passedBytes
      try {
        const count = cursor.take(into, max - taken, this.position)
        const bytes = cursor.passedBytes - passedBefore
        taken += count
        this.takenBytes += bytes
        this.#cursorChunk?.tally?.add(this.topic, count, bytes)
      } catch (error) {
        if (taken > 0) return taken
        throw error
      }
      const next = cursor.nextOffset
      if (next > this.position) this.position = next
      this.positionEpoch = cursor.batch.partitionLeaderEpoch
      if (!cursor.exhausted) continue
      this.#cursor = undefined
      this.bytes -= this.#cursorBytes
      this.#leaveChunk()
    }
    return taken
  }

  /** The cursor's batch is done with; if it was its chunk's last, so is the chunk. */
  #leaveChunk(): void {
    const chunk = this.#cursorChunk
    this.#cursorChunk = undefined
    if (chunk && chunk.next === chunk.batches.length) chunk.tally?.partitionDone()
  }

  /** The next batch with records for the application; batches without are passed, position included. */
  #openNext(): RecordCursor | undefined {
    for (let chunk = this.#chunks[0]; chunk; chunk = this.#chunks[0]) {
      while (chunk.next < chunk.batches.length) {
        const batch = chunk.batches[chunk.next++]!
        if (chunk.next === chunk.batches.length) this.#chunks.shift()
        if (!isSkipped(chunk, batch)) {
          this.#cursorBytes = batch.sizeInBytes
          this.#cursorChunk = chunk
          return (this.#cursor = new RecordCursor(batch, this.topic, this.partition, this.#cursorOptions))
        }
        this.bytes -= batch.sizeInBytes
        if (batch.nextOffset > this.position) this.position = batch.nextOffset
        this.positionEpoch = batch.partitionLeaderEpoch
        if (chunk.next === chunk.batches.length) chunk.tally?.partitionDone()
      }
    }
    return undefined
  }
}

function isSkipped({ aborted, abortedProducers }: Chunk, batch: RecordBatch): boolean {
  if (aborted.length > 0) {
    const { lastOffset } = batch
    while (aborted.length > 0 && aborted[0]!.firstOffset <= lastOffset)
      abortedProducers.add(aborted.shift()!.producerId)
  }
  if (batch.isControl) {
    if (abortedProducers.size > 0 && batch.controlType() === 'abort') abortedProducers.delete(batch.producerId)
    return true
  }
  return batch.isTransactional && abortedProducers.size > 0 && abortedProducers.has(batch.producerId)
}
