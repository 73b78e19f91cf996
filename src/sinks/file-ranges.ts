/**
 * Outputs of a create-once sink as files of a folder:
 *
 *     <directory>/<topic>/<partition>/<offset of the first record, 20 digits>.csv      published files, never changed
 *     <directory>/<topic>/<partition>/.sluice/                                         how they came about (intent-chain.ts)
 */
import { dirname, join, resolve } from 'node:path'
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import type { Disk, DiskFile } from '../seams/disk.ts'
import { type RangeChain, type RangePart, type RangeStore, type SealedRange } from './create-once-sink.ts'
import { diskError } from './disk-error.ts'
import { type Intent, IntentChain, offsetName } from './intent-chain.ts'
import { type Guarantee, type SinkContext, SinkRefusedError } from './sink.ts'

export class FileRanges implements RangeStore {
  readonly #directory: string
  readonly #extension: string
  #context!: SinkContext

  constructor(directory: string, extension: string) {
    this.#directory = directory
    this.#extension = extension
  }

  async open(context: SinkContext): Promise<Guarantee> {
    this.#context = context
    try {
      await probe(this.#directory, context)
    } catch (error) {
      throw diskError(error, 'cannot write to the directory', this.#directory)
    }
    return 'create-once'
  }

  chain({ topic, partition }: TopicPartition): RangeChain {
    const { application, clusterId, random, disk } = this.#context
    const identity = { application, clusterId, topicId: this.#context.topicId(topic), topic, partition }
    const folder = join(this.#directory, topic, String(partition))
    const chain = new IntentChain(disk, folder, identity, () => random.uuid())
    return new FileChain(chain, disk, this.#extension, () => random.uuid())
  }

  async close(): Promise<void> {}
}

/** Create-once stands on links that refuse a taken name: not every network file system has them. */
async function probe(directory: string, { disk, random }: SinkContext): Promise<void> {
  await disk.makeDirectory(directory)
  await disk.list(directory)
  await syncAbove(disk, resolve(directory))
  const first = join(directory, `.sluice-probe-${random.uuid()}`)
  const second = `${first}-link`
  try {
    await (await disk.open(first, 'create')).close()
    await disk.link(first, second)
    const refused = await disk.link(first, second).then(
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
    await disk.remove(second)
    await disk.remove(first)
  }
}

/** A new folder is on disk when every folder above it is. One that we may not read is none that we made. */
async function syncAbove(disk: Disk, directory: string): Promise<void> {
  for (let folder = dirname(directory); ; folder = dirname(folder)) {
    await disk.syncDirectory(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EACCES' && error.code !== 'EPERM' && error.code !== 'EROFS') throw error
    })
    if (folder === dirname(folder)) return
  }
}

class FileChain implements RangeChain {
  readonly place: string
  readonly #chain: IntentChain
  readonly #disk: Disk
  readonly #extension: string
  readonly #newId: () => string
  #begun = false

  constructor(chain: IntentChain, disk: Disk, extension: string, newId: () => string) {
    this.place = chain.partitionFolder
    this.#chain = chain
    this.#disk = disk
    this.#extension = extension
    this.#newId = newId
  }

  async recover(): Promise<number | undefined> {
    try {
      const { next } = await this.#chain.recover()
      this.#begun = next !== undefined
      return next
    } catch (error) {
      throw diskError(error, 'cannot recover the files of an earlier owner', this.place)
    }
  }

  newPart(start: number): FilePart {
    return new FilePart(this.#chain, this.#disk, `${offsetName(start)}.${this.#newId()}.part`)
  }

  async seal(start: number, end: number, part: FilePart | undefined): Promise<FileRange> {
    await part?.seal()
    const file = part ? `${offsetName(start)}.${this.#extension}` : null
    return new FileRange({ start, end, prepared: part?.name ?? null, file }, part)
  }

  async claim({ intent }: FileRange): Promise<string | undefined> {
    try {
      if (!this.#begun) {
        const begins = await this.#chain.begin(intent.start)
        if (begins !== intent.start) return `the files begin at ${begins}, not ${intent.start}`
        this.#begun = true
      }
      return (await this.#chain.claim(intent)) ? undefined : `it has published what follows ${intent.start}`
    } catch (error) {
      throw this.#publishingFailed(intent, error)
    }
  }

  async publish({ intent }: FileRange): Promise<void> {
    try {
      await this.#chain.publish(intent)
    } catch (error) {
      throw this.#publishingFailed(intent, error)
    }
  }

  tidy(next: number): Promise<void> {
    return this.#chain.sweep(next)
  }

  #publishingFailed(intent: Intent, error: unknown): Error {
    const path = join(this.place, intent.file ?? '')
    return (error as NodeJS.ErrnoException).code === 'EIO'
      ? syncFailed(path, error)
      : diskError(error, 'cannot publish', path)
  }
}

class FileRange implements SealedRange {
  readonly intent: Intent
  readonly #part: FilePart | undefined

  constructor(intent: Intent, part: FilePart | undefined) {
    this.intent = intent
    this.#part = part
  }

  get start(): number {
    return this.intent.start
  }

  get end(): number {
    return this.intent.end
  }

  async discard(): Promise<void> {
    await this.#part?.discard()
  }
}

class FilePart implements RangePart {
  readonly name: string
  readonly #chain: IntentChain
  readonly #disk: Disk
  #file: DiskFile | undefined
  #written = 0
  #isMade = false

  constructor(chain: IntentChain, disk: Disk, name: string) {
    this.#chain = chain
    this.#disk = disk
    this.name = name
  }

  async append(bytes: Buffer): Promise<void> {
    const path = this.#chain.path(this.name)
    try {
      if (!this.#file) {
        await this.#chain.makeFolders()
        this.#isMade = true
        this.#file = await this.#disk.open(path, 'create')
      }
      // Again after a failure: over what is torn there.
      await this.#file.write([bytes], this.#written)
      this.#written += bytes.length
    } catch (error) {
      throw diskError(error, 'cannot write', path)
    }
  }

  async seal(): Promise<void> {
    try {
      await this.#file!.sync()
      await this.#file!.close()
      this.#file = undefined
    } catch (error) {
      throw syncFailed(this.#chain.path(this.name), error)
    }
  }

  async discard(): Promise<void> {
    await this.#file?.close()
    if (this.#isMade) await this.#disk.remove(this.#chain.path(this.name))
  }
}

/** After a failed sync the system may have thrown the data away, and say at the next sync that all is well. */
function syncFailed(path: string, error: unknown): SinkRefusedError {
  const said = `${path} did not reach the disk: ${(error as Error).message}. Nothing was lost`
  return new SinkRefusedError(`${said}; look at the disk, then start again`, error)
}
