/**
 * What stands in the data directory beside the logs:
 *
 *     .lock                                 empty; the system's lock on it says that a broker is using the directory
 *     owner                                 the process id of that broker, for the error message of the next one
 *     meta.properties                       cluster id and version, as in Kafka
 *     topics.json                           every topic: id, partition count, own config; the only list of what exists
 *     recovery-point-offset-checkpoint      per partition, up to where everything is synced (Kafka's file and format)
 *     log-start-offset-checkpoint           per partition, where the log begins if not at its first segment (Kafka's)
 *     clean-shutdown                        there only after a clean stop: where each log ended; removed at start
 *
 * A topic that is being deleted stays in topics.json as `deleting` until its folders are gone, so that a crash in between cannot leave
 * records to a later topic of the same name.
 */
import { join } from 'node:path'
import { type Disk } from '../../seams/disk.ts'
import { decodeCheckpoint, encodeCheckpoint, type PartitionOffset, readText, writeAtomically } from './atomic-file.ts'
import { LogDirectoryError } from './log-directory-error.ts'

const VERSION = 1
const META_FILE = 'meta.properties'
const TOPICS_FILE = 'topics.json'
const RECOVERY_POINT_FILE = 'recovery-point-offset-checkpoint'
const LOG_START_FILE = 'log-start-offset-checkpoint'
const CLEAN_SHUTDOWN_FILE = 'clean-shutdown'

export interface StoredTopic {
  readonly name: string
  readonly id: string
  readonly partitions: number
  readonly internal: boolean
  readonly config: Readonly<Record<string, string>>
}

export interface StoredTopics {
  readonly topics: readonly StoredTopic[]
  readonly deleting: readonly StoredTopic[]
}

/** By `topic-partition`: where the log ended and how long its last segment was. */
export type CleanEnds = Readonly<Record<string, readonly [offset: number, sizeInBytes: number]>>

export class TopicStore {
  readonly #disk: Disk
  readonly directory: string

  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.directory = directory
  }

  /** The cluster id of the directory, made by `create` if it is new. */
  async clusterId(create: () => string): Promise<string> {
    const path = join(this.directory, META_FILE)
    const text = await readText(this.#disk, path)
    if (text === undefined) {
      const clusterId = create()
      await writeAtomically(this.#disk, path, `version=${VERSION}\ncluster.id=${clusterId}\nnode.id=1\n`)
      return clusterId
    }
    const properties = new Map(text.split('\n').map((line) => line.split('=', 2) as [string, string]))
    const clusterId = properties.get('cluster.id')
    if (properties.get('version') !== String(VERSION) || !clusterId) {
      throw new LogDirectoryError(
        `${path} is not of a version that this broker reads (${VERSION}): it says ${JSON.stringify(text)}`,
      )
    }
    return clusterId
  }

  async topics(): Promise<StoredTopics> {
    const path = join(this.directory, TOPICS_FILE)
    const text = await readText(this.#disk, path)
    if (text === undefined) return { topics: [], deleting: [] }
    try {
      const stored = JSON.parse(text) as StoredTopics & { version: number }
      if (stored.version === VERSION) return stored
    } catch (error) {
      throw new LogDirectoryError(`${path} cannot be read: restore it, it lists the topics of this broker`, {
        cause: error,
      })
    }
    throw new LogDirectoryError(`${path} is not of a version that this broker reads (${VERSION})`)
  }

  async storeTopics({ topics, deleting }: StoredTopics): Promise<void> {
    await writeAtomically(
      this.#disk,
      join(this.directory, TOPICS_FILE),
      `${JSON.stringify({ version: VERSION, topics, deleting }, undefined, 1)}\n`,
    )
  }

  recoveryPoints(): Promise<Map<string, number>> {
    return this.#checkpoint(RECOVERY_POINT_FILE)
  }

  storeRecoveryPoints(offsets: readonly PartitionOffset[]): Promise<void> {
    return writeAtomically(this.#disk, join(this.directory, RECOVERY_POINT_FILE), encodeCheckpoint(offsets))
  }

  logStarts(): Promise<Map<string, number>> {
    return this.#checkpoint(LOG_START_FILE)
  }

  storeLogStarts(offsets: readonly PartitionOffset[]): Promise<void> {
    return writeAtomically(this.#disk, join(this.directory, LOG_START_FILE), encodeCheckpoint(offsets))
  }

  async #checkpoint(file: string): Promise<Map<string, number>> {
    return decodeCheckpoint(await readText(this.#disk, join(this.directory, file)))
  }

  /** What the last stop wrote, if it was clean. The mark is gone afterwards: from now on the directory is in use. */
  async takeCleanShutdown(): Promise<CleanEnds> {
    const path = join(this.directory, CLEAN_SHUTDOWN_FILE)
    const text = await readText(this.#disk, path)
    if (text === undefined) return {}
    await this.#disk.remove(path)
    await this.#disk.syncDirectory(this.directory)
    try {
      return JSON.parse(text) as CleanEnds
    } catch {
      return {}
    }
  }

  storeCleanShutdown(ends: CleanEnds): Promise<void> {
    return writeAtomically(this.#disk, join(this.directory, CLEAN_SHUTDOWN_FILE), JSON.stringify(ends))
  }
}
