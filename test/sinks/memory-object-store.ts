/** An object store in memory, which several owners share, each over a disk of its own that stops, kills and fails it at every request. */
import { createHash } from 'node:crypto'
import type { Disk } from '../../src/seams/disk.ts'
import {
  type ObjectStore,
  type PutCondition,
  type SmallObject,
  type Upload,
  type UploadedPart,
} from '../../src/sinks/object-store.ts'
import { SinkUnavailableError } from '../../src/sinks/sink.ts'

interface Stored {
  readonly bytes: Buffer
  readonly etag: string
  readonly metadata: Readonly<Record<string, string>>
}

/** What outlives owners. */
export class Bucket {
  readonly objects = new Map<string, Stored>()
  readonly uploads = new Map<
    string,
    Upload & { metadata: Readonly<Record<string, string>>; parts: Map<number, Buffer> }
  >()
  readonly honoursConditions: boolean
  isDown = false
  #uploads = 0

  constructor({ honoursConditions = true } = {}) {
    this.honoursConditions = honoursConditions
  }

  newUploadId(): string {
    return `upload-${++this.#uploads}`
  }

  set(key: string, bytes: Buffer, metadata: Readonly<Record<string, string>> = {}): string {
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`
    this.objects.set(key, { bytes, etag, metadata })
    return etag
  }

  /** Keys outside of `.sluice`, in order. */
  get published(): string[] {
    return [...this.objects.keys()].filter((key) => !key.includes('/.sluice/')).sort()
  }
}

/** Each request is a step of `disk`: before it has arrived, and when its answer is on the way. */
export class MemoryObjectStore implements ObjectStore {
  readonly place = 's3://memory'
  readonly #bucket: Bucket
  readonly #disk: Disk

  constructor(bucket: Bucket, disk: Disk) {
    this.#bucket = bucket
    this.#disk = disk
  }

  async #request<T>(name: string, signal: AbortSignal, run: () => T): Promise<T> {
    let outcome: { value: T } | undefined
    try {
      await this.#disk.stat(name)
      if (this.#bucket.isDown || signal.aborted) throw new SinkUnavailableError(`${name}: the store does not answer`)
      outcome = { value: run() }
      await this.#disk.stat(name)
      return outcome.value
    } catch (error) {
      // The disk that stands in for the network is full: the request failed, or its answer was lost.
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw new SinkUnavailableError(`${name} failed`, error)
      throw error
    }
  }

  read(key: string, signal: AbortSignal): Promise<SmallObject | undefined> {
    return this.#request(`read ${key}`, signal, () => {
      const found = this.#bucket.objects.get(key)
      return found && { text: found.bytes.toString(), etag: found.etag }
    })
  }

  put(key: string, text: string, condition: PutCondition, signal: AbortSignal): Promise<string | undefined> {
    return this.#request(`put ${key}`, signal, () => {
      const found = this.#bucket.objects.get(key)
      const holds =
        condition.kind === 'any' || (condition.kind === 'absent' ? found === undefined : found?.etag === condition.etag)
      return holds || !this.#bucket.honoursConditions ? this.#bucket.set(key, Buffer.from(text)) : undefined
    })
  }

  remove(key: string, signal: AbortSignal): Promise<void> {
    return this.#request(`remove ${key}`, signal, () => void this.#bucket.objects.delete(key))
  }

  metadata(key: string, signal: AbortSignal): Promise<Readonly<Record<string, string>> | undefined> {
    return this.#request(`look at ${key}`, signal, () => this.#bucket.objects.get(key)?.metadata)
  }

  firstKey(prefix: string, after: string, signal: AbortSignal): Promise<string | undefined> {
    return this.#request(`list ${prefix}`, signal, () =>
      [...this.#bucket.objects.keys()].sort().find((key) => key.startsWith(prefix) && key > after),
    )
  }

  begin(key: string, metadata: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Upload> {
    return this.#request(`begin ${key}`, signal, () => {
      const upload = { key, uploadId: this.#bucket.newUploadId() }
      this.#bucket.uploads.set(upload.uploadId, { ...upload, metadata, parts: new Map() })
      return upload
    })
  }

  uploadPart({ uploadId }: Upload, number: number, bytes: Buffer, signal: AbortSignal): Promise<UploadedPart | 'gone'> {
    return this.#request(`upload part ${number}`, signal, () => {
      const upload = this.#bucket.uploads.get(uploadId)
      if (!upload) return 'gone'
      upload.parts.set(number, bytes)
      return { number, etag: `"${createHash('md5').update(bytes).digest('hex')}"` }
    })
  }

  complete(
    { key, uploadId }: Upload,
    parts: readonly UploadedPart[],
    signal: AbortSignal,
  ): Promise<'done' | 'gone' | 'taken'> {
    return this.#request(`complete ${key}`, signal, () => {
      const upload = this.#bucket.uploads.get(uploadId)
      if (!upload) return 'gone'
      if (this.#bucket.objects.has(key) && this.#bucket.honoursConditions) return 'taken'
      this.#bucket.set(key, Buffer.concat(parts.map(({ number }) => upload.parts.get(number)!)), upload.metadata)
      this.#bucket.uploads.delete(uploadId)
      return 'done'
    })
  }

  abort({ uploadId }: Upload, signal: AbortSignal): Promise<void> {
    return this.#request(`abort ${uploadId}`, signal, () => void this.#bucket.uploads.delete(uploadId))
  }

  uploads(prefix: string, signal: AbortSignal): Promise<readonly Upload[]> {
    return this.#request(`list uploads ${prefix}`, signal, () =>
      [...this.#bucket.uploads.values()].filter(({ key }) => key.startsWith(prefix)),
    )
  }

  close(): void {}
}
