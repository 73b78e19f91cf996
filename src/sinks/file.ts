/**
 * The `file` sink: one folder a partition, in which each record stands once, in offset order, in files that are whole.
 *
 *     <directory>/<topic>/<partition>/<offset of the first record, 20 digits>.csv      published files, never changed
 *     <directory>/<topic>/<partition>/.sluice/                                         how they came about (intent-chain.ts)
 *
 * A file is published when the runner flushes: after `rotate.records`, `rotate.bytes` or `rotate.ms`, when a partition
 * is revoked, and at shutdown. What is not published is not durable and is read again after a crash: long rotation makes few
 * large files and much to read again, short rotation many small ones. Memory holds no more than a chunk a partition; the rest is in
 * a prepared file that nobody sees.
 *
 * States of a partition: nothing taken ─write─▶ open part ─flush: write, sync─▶ sealed ─claim, publish─▶ nothing taken.
 * A failed flush stays where it is and goes on there; what is written meanwhile opens another part behind the sealed one.
 */
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { z } from 'zod'
import { type TopicPartition, TopicPartitionMap } from '../protocol/records/topic-partition.ts'
import type { Disk, DiskFile } from '../seams/disk.ts'
import { diskError } from './disk-error.ts'
import { createEncoder, type Encoder, recordColumns } from './file-encoding.ts'
import { type Intent, IntentChain, offsetName } from './intent-chain.ts'
import { defineSink } from './registry.ts'
import {
  type AssignedPartition,
  type DurablePosition,
  type Opened,
  type Sink,
  type SinkBatch,
  type SinkContext,
  SinkFencedError,
  type SinkPosition,
  SinkRefusedError,
  SinkSequenceError,
  SinkUnavailableError,
} from './sink.ts'

const compress = promisify(gzip)
/** Characters that a partition gathers before they go to its prepared file. */
const CHUNK_LENGTH = 256 * 1024
/** Each chunk is a gzip member of its own: a larger one compresses better. */
const GZIP_CHUNK_LENGTH = 1024 * 1024

const options = z.strictObject({
  directory: z.string().min(1).describe('Folder for the files; created when missing. One application a directory.'),
  format: z
    .enum(['csv', 'tsv', 'log', 'jsonl'])
    .default('csv')
    .describe(
      'csv (RFC 4180 quoting), tsv (backslash escapes), log (one value a line) or jsonl (one JSON object a line).',
    ),
  columns: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      `Fields of the JSON value, in this order; ${recordColumns.join(', ')} are the record's own. ` +
        'Without it: topic, partition, offset, timestamp, key, value.',
    ),
  header: z.boolean().default(false).describe('Begins every csv and tsv file with a row of column names.'),
  delimiter: z
    .string()
    .length(1)
    .refine((character) => !/["\r\n]/.test(character), 'expected one character that is no quote and no line break')
    .default(',')
    .describe('What stands between two fields of a csv file.'),
  gzip: z.boolean().default(false).describe('Compresses the files; their names end with .gz.'),
  'rotate.records': z.int().positive().default(500_000).describe('Publishes a file after this many records.'),
  'rotate.bytes': z
    .int()
    .positive()
    .default(128 * 1024 * 1024)
    .describe('Publishes a file that has reached this size; the batch that reaches it is still inside.'),
  'rotate.ms': z
    .int()
    .positive()
    .default(10_000)
    .describe('Publishes a file this long after its first record, however small it is.'),
})

type FileOptions = z.infer<typeof options>

/** Records of [start, ?) on their way into a prepared file. */
interface OpenPart {
  readonly name: string
  readonly start: number
  file: DiskFile | undefined
  /** Bytes that the prepared file holds for certain. */
  written: number
  /** Bytes on their way to `written`. After a failure the same bytes go to the same place again, over what is torn there. */
  chunk: Buffer | undefined
  pending: string
  records: number
}

interface Sealed {
  readonly intent: Intent
  /** A claim was tried: the intent may stand, and the prepared file with it. */
  tried: boolean
}

interface Partition {
  readonly topicPartition: TopicPartition
  readonly chain: IntentChain
  begun: boolean
  durable: number | undefined
  /** Where the next batch must begin. */
  position: number | undefined
  /** Where what is taken and not sealed begins. */
  start: number | undefined
  open: OpenPart | undefined
  sealed: Sealed | undefined
}

class FileSink implements Sink {
  readonly #options: FileOptions
  readonly #partitions = new TopicPartitionMap<Partition>()
  #context!: SinkContext
  #disk!: Disk
  #encoder!: Encoder

  constructor(fileOptions: FileOptions) {
    this.#options = fileOptions
  }

  async open(context: SinkContext): Promise<Opened> {
    this.#context = context
    this.#disk = context.disk
    const { columns, format, delimiter, directory } = this.#options
    const field = columns?.find((column) => !recordColumns.some((own) => own === column))
    if (field !== undefined && context.valueType !== 'json' && format !== 'log') {
      throw new SinkRefusedError(
        `the file sink has the column "${field}", and values are read as ${context.valueType}: set "value": "json"`,
      )
    }
    this.#encoder = createEncoder({ format, columns, delimiter, valueType: context.valueType })
    try {
      await this.#probe(directory)
    } catch (error) {
      throw diskError(error, 'cannot write to the directory', directory)
    }
    return {
      guarantee: 'create-once',
      flushHint: { records: this.#options['rotate.records'], intervalMs: this.#options['rotate.ms'] },
    }
  }

  /** Create-once stands on links that refuse a taken name: not every network file system has them. */
  async #probe(directory: string): Promise<void> {
    await this.#disk.makeDirectory(directory)
    await this.#disk.list(directory)
    await this.#syncAbove(resolve(directory))
    const first = join(directory, `.sluice-probe-${this.#context.random.uuid()}`)
    const second = `${first}-link`
    try {
      await (await this.#disk.open(first, 'create')).close()
      await this.#disk.link(first, second)
      const refused = await this.#disk.link(first, second).then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === 'EEXIST',
      )
      if (!refused) throw new SinkRefusedError(`the file system of ${directory} does not refuse a taken name`)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK') throw error
      const why = 'has no hard links, and without them no file is created once'
      throw new SinkRefusedError(`the file system of ${directory} ${why}: use a local one`, error)
    } finally {
      await this.#disk.remove(second)
      await this.#disk.remove(first)
    }
  }

  /** A new folder is on disk when every folder above it is. One that we may not read is none that we made. */
  async #syncAbove(directory: string): Promise<void> {
    for (let folder = dirname(directory); ; folder = dirname(folder)) {
      await this.#disk.syncDirectory(folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EACCES' && error.code !== 'EPERM' && error.code !== 'EROFS') throw error
      })
      if (folder === dirname(folder)) return
    }
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]> {
    return Promise.all(partitions.map(({ topicPartition }) => this.#recover(topicPartition)))
  }

  async #recover(topicPartition: TopicPartition): Promise<SinkPosition> {
    await this.#forget(topicPartition)
    const { topic, partition } = topicPartition
    const { application, clusterId, random } = this.#context
    const folder = join(this.#options.directory, topic, String(partition))
    const topicId = this.#context.topicId(topic)
    const identity = { application, clusterId, topicId, topic, partition }
    const chain = new IntentChain(this.#disk, folder, identity, () => random.uuid())
    try {
      const { next } = await chain.recover()
      this.#partitions.set(topicPartition, {
        topicPartition,
        chain,
        begun: next !== undefined,
        durable: next,
        position: next,
        start: next,
        open: undefined,
        sealed: undefined,
      })
      return { topicPartition, next }
    } catch (error) {
      throw diskError(error, 'cannot recover the files of an earlier owner', folder)
    }
  }

  async write(batch: SinkBatch): Promise<{ flushDue: boolean }> {
    const partition = this.#held(batch.topicPartition)
    if (partition.position !== undefined && batch.first !== partition.position) {
      throw new SinkSequenceError(
        batch.topicPartition,
        `a batch begins at ${batch.first}, and ${partition.position} comes next`,
      )
    }
    const { open } = partition
    if (open && open.pending.length >= (this.#options.gzip ? GZIP_CHUNK_LENGTH : CHUNK_LENGTH)) {
      await this.#drain(partition, open)
    }
    const lines = this.#encoder.encode(batch)
    partition.start ??= batch.first
    partition.position = batch.next
    if (batch.records.length === 0) return { flushDue: false }
    const part = (partition.open ??= this.#newPart(partition.start))
    part.pending += lines
    part.records += batch.records.length
    return {
      flushDue:
        part.records >= this.#options['rotate.records'] ||
        part.written + part.pending.length >= this.#options['rotate.bytes'],
    }
  }

  #newPart(start: number): OpenPart {
    const name = `${offsetName(start)}.${this.#context.random.uuid()}.part`
    const pending = this.#options.header ? this.#encoder.header : ''
    return { name, start, file: undefined, written: 0, chunk: undefined, pending, records: 0 }
  }

  async #takePending(part: OpenPart): Promise<Buffer> {
    const text = Buffer.from(part.pending)
    const bytes = this.#options.gzip ? await compress(text) : text
    part.pending = ''
    return bytes
  }

  /** Moves what is pending to the prepared file. After an error it is all still held. */
  async #drain({ chain }: Partition, part: OpenPart): Promise<void> {
    const path = chain.path(part.name)
    try {
      if (!part.file) {
        await chain.makeFolders()
        part.file = await this.#disk.open(path, 'create')
      }
      while (part.chunk || part.pending !== '') {
        part.chunk ??= await this.#takePending(part)
        await part.file.write([part.chunk], part.written)
        part.written += part.chunk.length
        part.chunk = undefined
      }
    } catch (error) {
      throw diskError(error, 'cannot write', path)
    }
  }

  async flush(topicPartition: TopicPartition, next: number, signal: AbortSignal): Promise<{ durable: number }> {
    const partition = this.#held(topicPartition)
    if (partition.position !== undefined && next > partition.position) {
      throw new SinkSequenceError(
        topicPartition,
        `a flush to ${next} goes beyond ${partition.position}, which was written last`,
      )
    }
    if (partition.sealed) await this.#finish(partition, partition.sealed, signal)
    if (partition.position !== undefined && partition.position !== partition.durable) {
      if (partition.open || partition.position !== partition.start) {
        partition.sealed = await this.#seal(partition)
        await this.#finish(partition, partition.sealed, signal)
      }
    }
    return { durable: partition.durable ?? next }
  }

  async #seal(partition: Partition): Promise<Sealed> {
    const { open: part, chain } = partition
    const [start, end] = [partition.start!, partition.position!]
    if (part) {
      await this.#drain(partition, part)
      try {
        await part.file!.sync()
        await part.file!.close()
      } catch (error) {
        throw syncFailed(chain.path(part.name), error)
      }
    }
    const extension = `${this.#options.format}${this.#options.gzip ? '.gz' : ''}`
    partition.open = undefined
    partition.start = end
    const file = part ? `${offsetName(start)}.${extension}` : null
    return { intent: { start, end, prepared: part?.name ?? null, file }, tried: false }
  }

  async #finish(partition: Partition, sealed: Sealed, signal: AbortSignal): Promise<void> {
    const { chain, topicPartition } = partition
    const { intent } = sealed
    try {
      if (signal.aborted) throw new SinkUnavailableError(`publishing in ${chain.partitionFolder} was aborted`)
      if (!partition.begun) {
        const begins = await chain.begin(intent.start)
        if (begins !== intent.start) await this.#fenced(partition, `the files begin at ${begins}, not ${intent.start}`)
        partition.begun = true
      }
      sealed.tried = true
      if (!(await chain.claim(intent))) {
        sealed.tried = false
        await this.#fenced(partition, `it has published what follows ${intent.start}`)
      }
      await chain.publish(intent)
      partition.durable = intent.end
      partition.sealed = undefined
    } catch (error) {
      const path = join(chain.partitionFolder, intent.file ?? '')
      throw (error as NodeJS.ErrnoException).code === 'EIO'
        ? syncFailed(path, error)
        : diskError(error, 'cannot publish', path)
    }
    await chain.sweep(intent.end).catch((error: unknown) => {
      this.#context.logger.warn({ err: error, ...topicPartition, folder: chain.folder }, 'old files not removed yet')
    })
  }

  async #fenced({ topicPartition, chain }: Partition, found: string): Promise<never> {
    await this.#forget(topicPartition)
    const { topic, partition } = topicPartition
    throw new SinkFencedError(
      topicPartition,
      `topic ${topic}, partition ${partition} has another owner in ${chain.partitionFolder}: ${found}`,
    )
  }

  async revoked(
    topicPartitions: readonly TopicPartition[],
    why: 'revoked' | 'lost',
  ): Promise<readonly DurablePosition[]> {
    return Promise.all(
      topicPartitions.map(async (topicPartition) => {
        const partition = this.#partitions.get(topicPartition)
        if (partition?.position !== undefined && why === 'revoked') {
          await this.flush(topicPartition, partition.position, this.#context.signal).catch((error: unknown) => {
            const found = { err: error, ...topicPartition }
            this.#context.logger.warn(found, 'not published before revocation; the next owner reads it again')
          })
        }
        await this.#forget(topicPartition)
        return { topicPartition, durable: partition?.durable }
      }),
    )
  }

  async close(): Promise<void> {
    for (const topicPartition of this.#partitions.keys()) await this.#forget(topicPartition)
  }

  /** Lets go of what was not published. A prepared file whose claim may stand is not ours alone any more, and stays. */
  async #forget(topicPartition: TopicPartition): Promise<void> {
    const partition = this.#partitions.get(topicPartition)
    if (!partition) return
    this.#partitions.delete(topicPartition)
    const { open, sealed, chain } = partition
    const dead = [open?.file ? open.name : undefined, sealed?.tried ? undefined : sealed?.intent.prepared]
    try {
      await open?.file?.close()
      for (const name of dead) if (name) await this.#disk.remove(chain.path(name))
    } catch (error) {
      this.#context.logger.warn(
        { err: error, ...topicPartition, folder: chain.folder },
        'prepared file not removed yet',
      )
    }
  }

  #held(topicPartition: TopicPartition): Partition {
    const partition = this.#partitions.get(topicPartition)
    if (!partition) throw new SinkSequenceError(topicPartition, 'it is not assigned')
    return partition
  }
}

/** After a failed sync the system may have thrown the data away, and say at the next sync that all is well. */
function syncFailed(path: string, error: unknown): SinkRefusedError {
  const said = `${path} did not reach the disk: ${(error as Error).message}. Nothing was lost`
  return new SinkRefusedError(`${said}; look at the disk, then start again`, error)
}

export const fileSink = defineSink({
  name: 'file',
  guarantee: 'create-once',
  summary: 'Files of lines (csv, tsv, log, jsonl), a folder a partition, each record once and in order.',
  options,
  example: {
    type: 'file',
    directory: 'out',
    format: 'csv',
    columns: ['time', 'delay', 'distance'],
    'rotate.ms': 60_000,
  },
  create: (fileOptions) => new FileSink(fileOptions),
})
