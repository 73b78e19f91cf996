/**
 * A sink of lines in outputs that are whole, each made once: what the `file` and the `s3` sink have in common. How a store prepares, claims and
 * publishes an output is a `RangeStore`'s matter (file-ranges.ts, s3-ranges.ts).
 *
 * An output is published when the runner flushes: after `rotate.records`, `rotate.bytes` or `rotate.ms`, when a partition
 * is revoked, and at shutdown. What is not published is not durable and is read again after a crash: long rotation makes few
 * large outputs and much to read again, short rotation many small ones.
 *
 * States of a partition: nothing taken ─write─▶ open part ─flush: write, seal─▶ sealed ─claim, publish─▶ nothing taken.
 * A failed flush stays where it is and goes on there; what is written meanwhile opens another part behind the sealed one.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import { createEncoder, type Encoder, recordColumns } from './file-encoding.ts'
import { HeldPartitions } from './held-partitions.ts'
import { type LineOptions } from './line-options.ts'
import {
  type AssignedPartition,
  type DurablePosition,
  type Guarantee,
  type Opened,
  type Sink,
  type SinkBatch,
  type SinkContext,
  SinkFencedError,
  type SinkPosition,
  SinkRefusedError,
  SinkUnavailableError,
} from './sink.ts'

/** Where outputs are made. Every method throws in the words and classes of the sink contract. */
export interface RangeStore {
  /** Connects and probes. Called once, before anything else. */
  open(context: SinkContext): Promise<Guarantee>
  chain(topicPartition: TopicPartition): RangeChain
  close(): Promise<void>
}

/** The outputs of one partition: a chain of ranges, each beginning where the one before ends, each claimed by one owner. */
export interface RangeChain {
  /** For messages: the folder, the prefix. */
  readonly place: string
  /**
   * Publishes what the last owner claimed, and says where the next range begins; undefined when there has been none.
   * `committed` is Kafka's word, for a store that cannot be trusted to know best.
   */
  recover(committed: number | undefined): Promise<number | undefined>
  /** Nothing is made in the store before the first `append`. */
  newPart(start: number): RangePart
  /** Makes [start, end) whole in the store, unseen; without a part the range has no records. After an error, again. */
  seal(start: number, end: number, part: RangePart | undefined, signal: AbortSignal): Promise<SealedRange>
  /**
   * Claims a range; undefined when it is this owner's. Otherwise what another owner has done, for people. After an error it is not known
   * whether the claim stands: the same call again finds out.
   */
  claim(range: SealedRange, signal: AbortSignal): Promise<string | undefined>
  /** Gives a claimed range its final name, durably. Any number of times. */
  publish(range: SealedRange, signal: AbortSignal): Promise<void>
  /** Removes what is behind `next` and can never be published. */
  tidy(next: number): Promise<void>
}

export interface SealedRange {
  readonly start: number
  readonly end: number
  /** Removes what was made, if anything was. Not for a range of which a claim was tried: it may be published. */
  discard(): Promise<void>
}

/** One owner's output from `start` on, which nobody else sees. */
export interface RangePart {
  /** Adds bytes at the end; after an error the same bytes again, which then stand there once. */
  append(bytes: Buffer): Promise<void>
  discard(): Promise<void>
}

/** Characters that a partition gathers before they go to its part. */
const CHUNK_LENGTH = 256 * 1024
/** Each chunk is a gzip member of its own: a larger one compresses better. */
const GZIP_CHUNK_LENGTH = 1024 * 1024

const compress = promisify(gzip)

/** Records of [start, ?) on their way into a part. */
interface OpenRange {
  readonly part: RangePart
  /** Bytes that the part holds for certain. */
  written: number
  /** Bytes on their way there. After a failure the same bytes go to the same place again. */
  chunk: Buffer | undefined
  pending: string
  records: number
}

interface ClaimableRange {
  readonly range: SealedRange
  /** A claim was tried: it may stand, and the range be somebody else's to publish. */
  tried: boolean
}

interface Partition {
  readonly topicPartition: TopicPartition
  readonly chain: RangeChain
  durable: number | undefined
  /** Where the next batch must begin. */
  position: number | undefined
  /** Where what is taken and not sealed begins. */
  start: number | undefined
  open: OpenRange | undefined
  sealed: ClaimableRange | undefined
}

export class CreateOnceSink implements Sink {
  readonly #name: string
  readonly #options: LineOptions
  readonly #store: RangeStore
  readonly #partitions = new HeldPartitions<Partition>()
  #context!: SinkContext
  #encoder!: Encoder

  constructor(name: string, options: LineOptions, store: RangeStore) {
    this.#name = name
    this.#options = options
    this.#store = store
  }

  async open(context: SinkContext): Promise<Opened> {
    this.#context = context
    const { columns, format, delimiter } = this.#options
    const field = columns?.find((column) => !recordColumns.some((own) => own === column))
    if (field !== undefined && context.valueType !== 'json' && format !== 'log') {
      throw new SinkRefusedError(
        `the ${this.#name} sink has the column "${field}", and values are read as ${context.valueType}: set "value": "json"`,
      )
    }
    this.#encoder = createEncoder({ format, columns, delimiter, valueType: context.valueType })
    const guarantee = await this.#store.open(context)
    return {
      guarantee,
      flushHint: { records: this.#options['rotate.records'], intervalMs: this.#options['rotate.ms'] },
    }
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]> {
    return Promise.all(partitions.map((partition) => this.#recover(partition)))
  }

  async #recover({ topicPartition, committed }: AssignedPartition): Promise<SinkPosition> {
    await this.#forget(topicPartition)
    const chain = this.#store.chain(topicPartition)
    const next = await chain.recover(committed)
    const nothingTaken = { open: undefined, sealed: undefined }
    const partition = { topicPartition, chain, durable: next, position: next, start: next, ...nothingTaken }
    this.#partitions.set(topicPartition, partition)
    return { topicPartition, next }
  }

  async write(batch: SinkBatch): Promise<{ flushDue: boolean }> {
    const partition = this.#partitions.toWrite(batch)
    const { open } = partition
    if (open && open.pending.length >= (this.#options.gzip ? GZIP_CHUNK_LENGTH : CHUNK_LENGTH)) await this.#drain(open)
    const lines = this.#encoder.encode(batch)
    partition.start ??= batch.first
    partition.position = batch.next
    if (batch.records.length === 0) return { flushDue: false }
    const range = (partition.open ??= this.#newRange(partition.chain, partition.start))
    range.pending += lines
    range.records += batch.records.length
    return {
      flushDue:
        range.records >= this.#options['rotate.records'] ||
        range.written + range.pending.length >= this.#options['rotate.bytes'],
    }
  }

  #newRange(chain: RangeChain, start: number): OpenRange {
    const pending = this.#options.header ? this.#encoder.header : ''
    return { part: chain.newPart(start), written: 0, chunk: undefined, pending, records: 0 }
  }

  async #takePending(range: OpenRange): Promise<Buffer> {
    const text = Buffer.from(range.pending)
    const bytes = this.#options.gzip ? await compress(text) : text
    range.pending = ''
    return bytes
  }

  /** Moves what is pending to the part. After an error it is all still held. */
  async #drain(range: OpenRange): Promise<void> {
    while (range.chunk || range.pending !== '') {
      range.chunk ??= await this.#takePending(range)
      await range.part.append(range.chunk)
      range.written += range.chunk.length
      range.chunk = undefined
    }
  }

  async flush(topicPartition: TopicPartition, next: number, signal: AbortSignal): Promise<{ durable: number }> {
    const partition = this.#partitions.toFlush(topicPartition, next)
    if (partition.sealed) await this.#finish(partition, partition.sealed, signal)
    if (partition.position !== undefined && partition.position !== partition.durable) {
      if (partition.open || partition.position !== partition.start) {
        partition.sealed = await this.#seal(partition, signal)
        await this.#finish(partition, partition.sealed, signal)
      }
    }
    return { durable: partition.durable ?? next }
  }

  async #seal(partition: Partition, signal: AbortSignal): Promise<ClaimableRange> {
    const { open, chain } = partition
    const [start, end] = [partition.start!, partition.position!]
    if (open) await this.#drain(open)
    const range = await chain.seal(start, end, open?.part, signal)
    partition.open = undefined
    partition.start = end
    return { range, tried: false }
  }

  async #finish(partition: Partition, sealed: ClaimableRange, signal: AbortSignal): Promise<void> {
    const { chain, topicPartition } = partition
    const { range } = sealed
    if (signal.aborted) throw new SinkUnavailableError(`publishing in ${chain.place} was aborted`)
    sealed.tried = true
    const found = await chain.claim(range, signal)
    if (found !== undefined) {
      sealed.tried = false
      await this.#forget(topicPartition)
      const { topic, partition: number } = topicPartition
      throw new SinkFencedError(
        topicPartition,
        `topic ${topic}, partition ${number} has another owner in ${chain.place}: ${found}`,
      )
    }
    await chain.publish(range, signal)
    partition.durable = range.end
    partition.sealed = undefined
    await chain.tidy(range.end).catch((error: unknown) => {
      this.#context.logger.warn({ err: error, ...topicPartition, place: chain.place }, 'old files not removed yet')
    })
  }

  async revoked(
    topicPartitions: readonly TopicPartition[],
    why: 'revoked' | 'lost',
  ): Promise<readonly DurablePosition[]> {
    return this.#partitions.release(topicPartitions, why, {
      flush: (topicPartition, next) => this.flush(topicPartition, next, this.#context.signal),
      forget: (topicPartition) => this.#forget(topicPartition),
      logger: this.#context.logger,
    })
  }

  async close(): Promise<void> {
    for (const topicPartition of this.#partitions.keys()) await this.#forget(topicPartition)
    await this.#store.close()
  }

  /** Lets go of what was not published. A range whose claim may stand is not ours alone any more, and stays. */
  async #forget(topicPartition: TopicPartition): Promise<void> {
    const partition = this.#partitions.get(topicPartition)
    if (!partition) return
    this.#partitions.delete(topicPartition)
    const { open, sealed, chain } = partition
    try {
      await open?.part.discard()
      if (sealed && !sealed.tried) await sealed.range.discard()
    } catch (error) {
      this.#context.logger.warn({ err: error, ...topicPartition, place: chain.place }, 'prepared file not removed yet')
    }
  }
}
