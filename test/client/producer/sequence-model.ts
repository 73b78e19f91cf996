/**
 * A partition that checks sequence numbers as Kafka's leader does (ProducerAppendInfo and ProducerStateEntry: five batches are
 * remembered, a new epoch begins with 0), and keeps the values in the order in which they were written.
 */
import { RecordBatch, recordBatches } from '../../../src/protocol/records/record-batch.ts'
import { RecordCursor } from '../../../src/protocol/records/record-cursor.ts'
import { type ConsumerRecord } from '../../../src/protocol/records/consumer-record.ts'

const OUT_OF_ORDER = 45
const INVALID_EPOCH = 47

interface Remembered {
  first: number
  last: number
  baseOffset: number
}

export class SequenceModel {
  readonly values: string[] = []
  #epoch = -1
  #batches: Remembered[] = []

  /** Forgets the producer, as a broker does that lost its state. */
  forget(): void {
    this.#epoch = -1
    this.#batches = []
  }

  append(bytes: Buffer): { errorCode: number; baseOffset: number } {
    const [batch] = [...recordBatches(bytes)] as [RecordBatch]
    if (batch.producerId < 0) return { errorCode: 0, baseOffset: this.#write(batch) }
    if (batch.producerEpoch < this.#epoch) return { errorCode: INVALID_EPOCH, baseOffset: -1 }
    if (batch.producerEpoch > this.#epoch) {
      if (batch.baseSequence !== 0 && this.#epoch !== -1) return { errorCode: OUT_OF_ORDER, baseOffset: -1 }
      this.#epoch = batch.producerEpoch
      this.#batches = []
    }
    const again = this.#batches.find(({ first, last }) => first === batch.baseSequence && last === batch.lastSequence)
    if (again) return { errorCode: 0, baseOffset: again.baseOffset }
    const last = this.#batches.at(-1)?.last
    if (last !== undefined && batch.baseSequence !== last + 1) return { errorCode: OUT_OF_ORDER, baseOffset: -1 }
    const baseOffset = this.#write(batch)
    this.#batches.push({ first: batch.baseSequence, last: batch.lastSequence, baseOffset })
    if (this.#batches.length > 5) this.#batches.shift()
    return { errorCode: 0, baseOffset }
  }

  #write(batch: RecordBatch): number {
    const baseOffset = this.values.length
    const records: ConsumerRecord[] = []
    new RecordCursor(batch, 'model', 0).take(records, batch.count, batch.baseOffset)
    for (const record of records) this.values.push(record.valueText() ?? 'null')
    return baseOffset
  }
}
