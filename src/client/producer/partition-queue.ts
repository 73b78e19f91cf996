/**
 * What waits for one partition, in the order in which it must be written, and the partition's sequence numbers.
 *
 *     append → [ retried, with a sequence … | new, without one … | the one that still takes records ]
 *                 │ taken from the front by the sender
 *                 ▼
 *     unacknowledged: every batch that has a sequence and no final answer, on the wire or waiting to be sent again, by sequence
 *
 * Why order survives up to five requests in flight: say 1, 2 and 3 are on the wire and 1 fails. 2 and 3 are then refused too
 * (OUT_OF_ORDER_SEQUENCE_NUMBER). Each goes back to its place by sequence, and a batch with a sequence is only sent while it
 * is the first unacknowledged one: 1 alone, then 2, then 3, and new ones only behind them. If the broker had written 1 after all,
 * it knows the sequence and answers with the offset of the first time.
 */
import { addToSequence, type ProducerBatch, type ProducerIdentity } from './producer-batch.ts'

export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  readonly queue: ProducerBatch[] = []
  readonly unacknowledged: ProducerBatch[] = []
  /** Batches on the wire. */
  sending = 0
  /** Whose sequence `nextSequence` is. */
  identity: ProducerIdentity | undefined
  nextSequence = 0
  lastAckedSequence = -1
  lastAckedOffset = -1
  /** A batch that may have been written was given up: whether the broker counts it is only seen when nothing is under way. */
  isUnresolved = false
  /** Waits for a new epoch, under which its unacknowledged batches are numbered from 0. */
  needsNewEpoch = false

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get head(): ProducerBatch | undefined {
    return this.queue[0]
  }

  /** The batch that still takes records, if the last one does. */
  get open(): ProducerBatch | undefined {
    const last = this.queue.at(-1)
    return last && !last.isBuilt && last.attempts === 0 && !last.hasSequence ? last : undefined
  }

  get isIdle(): boolean {
    return this.queue.length === 0 && this.sending === 0 && this.unacknowledged.length === 0
  }

  /** Whether the head may be sent now as far as order is concerned. */
  mayDrain(identity: ProducerIdentity | undefined): boolean {
    const { head } = this
    if (!head || this.needsNewEpoch) return false
    if (!identity) return true
    if (head.hasSequence) return this.unacknowledged[0] === head
    if (this.isUnresolved) return false
    // A broker that knows nothing of this producer takes any first number: were the second batch written before the first,
    // the first would be out of order for ever. So the first goes alone, until it is acknowledged.
    if (this.lastAckedSequence < 0 && this.unacknowledged.length > 0) return false
    // Under a new epoch the sequence begins with 0, once nothing of the old one is under way.
    return sameIdentity(this.identity, identity) || this.unacknowledged.length === 0
  }

  /** Takes the head off the queue, and gives it a sequence if it has none yet. */
  take(identity: ProducerIdentity | undefined): ProducerBatch {
    const batch = this.queue.shift()!
    batch.attempts++
    batch.isSending = true
    this.sending++
    if (!identity || batch.hasSequence) return batch
    if (!sameIdentity(this.identity, identity)) this.startSequence(identity)
    batch.identity = identity
    batch.baseSequence = this.nextSequence
    this.nextSequence = addToSequence(this.nextSequence, batch.count)
    this.unacknowledged.push(batch)
    return batch
  }

  /** The response (or the connection's end) is there. */
  landed(batch: ProducerBatch): void {
    if (!batch.isSending) return
    batch.isSending = false
    this.sending--
  }

  /** To be sent again: back to its place by sequence; without sequences to the front. */
  putBack(batch: ProducerBatch): void {
    let at = 0
    if (batch.hasSequence) {
      const order = this.unacknowledged.indexOf(batch)
      while (at < this.queue.length && this.#orderOf(this.queue[at]!) < order) at++
    }
    this.queue.splice(at, 0, batch)
  }

  #orderOf(batch: ProducerBatch): number {
    const order = this.unacknowledged.indexOf(batch)
    return order < 0 ? Number.POSITIVE_INFINITY : order
  }

  acknowledged(batch: ProducerBatch, baseOffset: number): void {
    this.remove(batch)
    if (!batch.hasSequence || !sameIdentity(batch.identity, this.identity)) return
    const last = addToSequence(batch.baseSequence, batch.count - 1)
    if (this.lastAckedSequence < 0 || isAfter(last, this.lastAckedSequence)) this.lastAckedSequence = last
    if (baseOffset >= 0) this.lastAckedOffset = Math.max(this.lastAckedOffset, baseOffset + batch.count - 1)
  }

  /** Done with, one way or the other. */
  remove(batch: ProducerBatch): void {
    const waiting = this.queue.indexOf(batch)
    if (waiting >= 0) this.queue.splice(waiting, 1)
    const pending = this.unacknowledged.indexOf(batch)
    if (pending >= 0) this.unacknowledged.splice(pending, 1)
  }

  /** Puts the halves of a batch that was too large in its place, to be sent one after the other. */
  replace(batch: ProducerBatch, parts: readonly ProducerBatch[]): void {
    const at = this.unacknowledged.indexOf(batch)
    if (at >= 0) this.unacknowledged.splice(at, 1, ...parts)
    for (const part of parts.toReversed()) this.putBack(part)
  }

  /** Whether this sequence is the one that the broker must see next. */
  isNext(sequence: number): boolean {
    return this.lastAckedSequence < 0 ? sequence === 0 : sequence === addToSequence(this.lastAckedSequence, 1)
  }

  startSequence(identity: ProducerIdentity | undefined): void {
    this.identity = identity
    this.nextSequence = 0
    this.lastAckedSequence = -1
    this.isUnresolved = false
  }

  /** Numbers everything that is unacknowledged from 0, under another epoch or because the broker has lost its memory of it. */
  renumber(identity: ProducerIdentity): void {
    this.startSequence(identity)
    for (const batch of this.unacknowledged) {
      batch.identity = identity
      batch.baseSequence = this.nextSequence
      batch.sequenceWasReset = true
      this.nextSequence = addToSequence(this.nextSequence, batch.count)
    }
    this.needsNewEpoch = false
  }

  /** Whether everything that was given up turns out to have been acknowledged. Only to be asked when nothing is under way. */
  get hasGap(): boolean {
    return !this.isNext(this.nextSequence)
  }
}

export function sameIdentity(left: ProducerIdentity | undefined, right: ProducerIdentity | undefined): boolean {
  return left?.producerId === right?.producerId && left?.producerEpoch === right?.producerEpoch
}

/** Whether `left` comes after `right`, on a circle of 2^31 numbers. */
function isAfter(left: number, right: number): boolean {
  return (left - right + 0x8000_0000) % 0x8000_0000 < 0x4000_0000 && left !== right
}
