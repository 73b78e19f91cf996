/**
 * What a partition knows of the producers that wrote to it: for idempotence the last batches of each producer id, for transactions which
 * are open. Memory only and without I/O; `producer-snapshot.ts` gives it bytes.
 *
 * Behaviour is that of Kafka's ProducerStateManager and ProducerAppendInfo:
 * - The epoch may not go back (INVALID_PRODUCER_EPOCH). A new epoch begins at sequence 0, the same goes on where it stopped
 *   (OUT_OF_ORDER_SEQUENCE_NUMBER). A producer that is not known here may begin anywhere: its records may have been deleted by retention.
 * - One of the last five batches, sent again, is a duplicate and is answered with where it was stored.
 * - Whoever has a transaction open may write only within it (INVALID_TXN_STATE).
 *
 * Appends are staged: `begin()`, then any number of `append`/`endTransaction`, then `commit()`, or `rollBack()` if the disk refused
 * the bytes.
 */
import { type RecordBatch } from '../../protocol/records/record-batch.ts'
import { type AppendOrigin, type ProducerSummary } from './partition-types.ts'
import { refusal } from './refusal.ts'

/** Kafka's NUM_BATCHES_TO_RETAIN: as many as an idempotent producer may have in flight. */
const BATCHES_KEPT = 5
const GREATEST_SEQUENCE = 0x7fffffff

export interface ProducerBatch {
  readonly lastSequence: number
  readonly lastOffset: number
  /** Last offset minus first offset, which is the last sequence minus the first too. */
  readonly offsetDelta: number
  readonly timestamp: number
}

export interface ProducerEntry {
  readonly producerId: number
  epoch: number
  /** Oldest first. Empty after a marker of a new epoch. */
  batches: ProducerBatch[]
  lastTimestamp: number
  coordinatorEpoch: number
  /** First offset of the transaction that is open, or -1. */
  transactionFirstOffset: number
}

export interface CompletedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** The marker's. */
  readonly lastOffset: number
  readonly aborted: boolean
}

export interface Marker {
  readonly type: 'commit' | 'abort'
  readonly producerId: number
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
  readonly timestamp: number
}

export class ProducerStates {
  readonly #partition: string
  readonly #entries = new Map<number, ProducerEntry>()
  /** First offsets of the open transactions by producer id, ascending: whoever began later stands later. */
  #open = new Map<number, number>()
  /** Entries as they were before the staged changes; undefined for those that were not there. */
  #undo: Map<number, ProducerEntry | undefined> | undefined

  constructor(partition: string) {
    this.#partition = partition
  }

  get size(): number {
    return this.#entries.size
  }

  get(producerId: number): ProducerEntry | undefined {
    return this.#entries.get(producerId)
  }

  entries(): IterableIterator<ProducerEntry> {
    return this.#entries.values()
  }

  summaries(): ProducerSummary[] {
    return [...this.#entries.values()].map((entry) => ({
      producerId: entry.producerId,
      producerEpoch: entry.epoch,
      lastSequence: entry.batches.at(-1)?.lastSequence ?? -1,
      lastTimestamp: entry.lastTimestamp,
      coordinatorEpoch: entry.coordinatorEpoch,
      currentTransactionFirstOffset: entry.transactionFirstOffset,
    }))
  }

  load(entries: Iterable<ProducerEntry>): void {
    this.#entries.clear()
    for (const entry of entries) this.#entries.set(entry.producerId, entry)
    this.settle()
  }

  /** To be called after `replay`. */
  settle(): void {
    this.#open = new Map()
    this.#noteOpen(this.#entries.keys())
  }

  begin(): void {
    this.#undo = new Map()
  }

  commit(): void {
    const changed = this.#undo
    this.#undo = undefined
    if (changed && changed.size > 0) this.#noteOpen(changed.keys())
  }

  #noteOpen(producerIds: Iterable<number>): void {
    const opened: ProducerEntry[] = []
    for (const producerId of producerIds) {
      const entry = this.#entries.get(producerId)
      const first = entry?.transactionFirstOffset ?? -1
      if (this.#open.get(producerId) === first) continue
      this.#open.delete(producerId)
      if (entry && first >= 0) opened.push(entry)
    }
    opened.sort((one, other) => one.transactionFirstOffset - other.transactionFirstOffset)
    for (const { producerId, transactionFirstOffset } of opened) this.#open.set(producerId, transactionFirstOffset)
  }

  rollBack(): void {
    for (const [producerId, before] of this.#undo ?? []) {
      if (before) this.#entries.set(producerId, before)
      else this.#entries.delete(producerId)
    }
    this.#undo = undefined
  }

  /** Where this very batch is stored already, if it is one of the producer's last. */
  duplicateOf(batch: RecordBatch): ProducerBatch | undefined {
    const entry = this.#entries.get(batch.producerId)
    if (!entry || entry.epoch !== batch.producerEpoch) return undefined
    const { baseSequence, lastSequence } = batch
    return entry.batches.find(
      (stored) => stored.lastSequence === lastSequence && firstSequence(stored) === baseSequence,
    )
  }

  /** Checks a batch of an idempotent producer's and remembers it, at its offsets. Throws LogRefusal. */
  append(batch: RecordBatch, origin: AppendOrigin): void {
    const known = this.#entries.get(batch.producerId)
    this.#checkEpoch(known, batch.producerId, batch.producerEpoch, batch.baseOffset)
    if (origin === 'client') this.#checkSequence(known, batch)
    if (known && known.transactionFirstOffset >= 0 && !batch.isTransactional) {
      throw refusal(
        'INVALID_TXN_STATE',
        `appending to ${this.#partition}`,
        `Expected transactional write from producer ${batch.producerId} at offset ${batch.baseOffset} in partition ${this.#partition}`,
      )
    }
    this.#remember(batch)
  }

  /** For records that stand in the log already: no checks. */
  replay(batch: RecordBatch): CompletedTransaction | undefined {
    if (batch.producerId < 0) return undefined
    if (!batch.isControl) {
      this.#remember(batch)
      return undefined
    }
    const type = batch.controlType()
    if (type === 'unknown') return undefined
    const { producerId, producerEpoch } = batch
    const marker = {
      type,
      producerId,
      producerEpoch,
      coordinatorEpoch: batch.coordinatorEpoch,
      timestamp: batch.maxTimestamp,
    }
    return this.#end(marker, batch.lastOffset)
  }

  /** Checks and remembers a transaction's end. undefined if the producer had no transaction open here. Throws LogRefusal. */
  endTransaction(marker: Marker, offset: number): CompletedTransaction | undefined {
    const known = this.#entries.get(marker.producerId)
    this.#checkEpoch(known, marker.producerId, marker.producerEpoch, offset)
    if (known && known.coordinatorEpoch > marker.coordinatorEpoch) {
      throw refusal(
        'TRANSACTION_COORDINATOR_FENCED',
        `appending a marker to ${this.#partition}`,
        `Invalid coordinator epoch for producerId ${marker.producerId} at offset ${offset} in partition ${this.#partition}: ` +
          `${marker.coordinatorEpoch} (zombie), ${known.coordinatorEpoch} (current)`,
      )
    }
    return this.#end(marker, offset)
  }

  /** First offset of the oldest transaction that is open. */
  firstOpenOffset(): number | undefined {
    return this.#open.values().next().value
  }

  /** Forgets who has not written since then and has no transaction open (`producer.id.expiration.ms`). */
  expire(olderThanMs: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.lastTimestamp < olderThanMs && entry.transactionFirstOffset < 0) this.#entries.delete(entry.producerId)
    }
  }

  #checkEpoch(known: ProducerEntry | undefined, producerId: number, epoch: number, offset: number): void {
    if (!known || epoch >= known.epoch) return
    throw refusal(
      'INVALID_PRODUCER_EPOCH',
      `appending to ${this.#partition}`,
      `Epoch of producer ${producerId} at offset ${offset} in ${this.#partition} is ${epoch}, which is smaller than the last seen epoch ${known.epoch}`,
    )
  }

  #checkSequence(known: ProducerEntry | undefined, batch: RecordBatch): void {
    if (!known) return
    const { producerId, producerEpoch, baseSequence } = batch
    const doing = `appending to ${this.#partition}`
    if (producerEpoch !== known.epoch) {
      if (baseSequence === 0) return
      throw refusal(
        'OUT_OF_ORDER_SEQUENCE_NUMBER',
        doing,
        `Invalid sequence number for new epoch of producer ${producerId} at offset ${batch.baseOffset} in partition ${this.#partition}: ` +
          `${producerEpoch} (request epoch), ${baseSequence} (seq. number), ${known.epoch} (current producer epoch)`,
      )
    }
    const last = known.batches.at(-1)?.lastSequence ?? -1
    if (baseSequence === last + 1 || (baseSequence === 0 && last === GREATEST_SEQUENCE)) return
    throw refusal(
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      doing,
      `Out of order sequence number for producer ${producerId} at offset ${batch.baseOffset} in partition ${this.#partition}: ` +
        `${baseSequence} (incoming seq. number), ${last} (current end sequence number)`,
    )
  }

  #remember(batch: RecordBatch): void {
    const { producerId, producerEpoch, lastOffset, maxTimestamp } = batch
    const entry = this.#change(producerId, producerEpoch)
    if (entry.epoch !== producerEpoch) {
      entry.epoch = producerEpoch
      entry.batches = []
    }
    if (batch.baseSequence >= 0) {
      entry.batches.push({
        lastSequence: batch.lastSequence,
        lastOffset,
        offsetDelta: lastOffset - batch.baseOffset,
        timestamp: maxTimestamp,
      })
      if (entry.batches.length > BATCHES_KEPT) entry.batches.shift()
    }
    entry.lastTimestamp = maxTimestamp
    if (batch.isTransactional && entry.transactionFirstOffset < 0) entry.transactionFirstOffset = batch.baseOffset
  }

  #end(marker: Marker, offset: number): CompletedTransaction | undefined {
    const entry = this.#change(marker.producerId, marker.producerEpoch)
    if (entry.epoch !== marker.producerEpoch) {
      entry.epoch = marker.producerEpoch
      entry.batches = []
    }
    const firstOffset = entry.transactionFirstOffset
    entry.transactionFirstOffset = -1
    entry.coordinatorEpoch = marker.coordinatorEpoch
    entry.lastTimestamp = marker.timestamp
    if (firstOffset < 0) return undefined
    return { producerId: marker.producerId, firstOffset, lastOffset: offset, aborted: marker.type === 'abort' }
  }

  /** The entry to be changed; what it was stays with the staged changes. */
  #change(producerId: number, epoch: number): ProducerEntry {
    const before = this.#entries.get(producerId)
    const undo = this.#undo
    if (before && (!undo || undo.has(producerId))) return before
    undo?.set(producerId, before)
    const entry: ProducerEntry = before
      ? { ...before, batches: [...before.batches] }
      : { producerId, epoch, batches: [], lastTimestamp: -1, coordinatorEpoch: -1, transactionFirstOffset: -1 }
    this.#entries.set(producerId, entry)
    return entry
  }
}

export function firstSequence({ lastSequence, offsetDelta }: ProducerBatch): number {
  // Sequences start again at 0 after 2^31 - 1.
  return lastSequence >= offsetDelta ? lastSequence - offsetDelta : GREATEST_SEQUENCE - (offsetDelta - lastSequence) + 1
}
