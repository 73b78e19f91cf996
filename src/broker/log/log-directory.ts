/**
 * A broker's data directory: the topics, their partitions' logs, and what has to be done to them from time to time. `topic-store.ts` says
 * what stands in the directory; the logs are `PartitionLog`s. Knows nothing of requests, groups or replicas.
 *
 * Changes of topics run one after the other. Each is decided by one atomic write of topics.json: folders are made before it and
 * removed after it, so that a crash leaves at most empty folders, or folders that the next start goes on removing.
 */
import { join } from 'node:path'
import { type Clock } from '../../seams/clock.ts'
import { type Disk, type DiskLock } from '../../seams/disk.ts'
import { type Logger } from '../../seams/logger.ts'
import { type Random } from '../../seams/random.ts'
import { readText, type PartitionOffset } from './atomic-file.ts'
import { Compactor } from './compactor.ts'
import { LogDirectoryError } from './log-directory-error.ts'
import { type LogSurroundings, PartitionLog } from './partition-log.ts'
import { loadPartition } from './partition-loading.ts'
import { refusal, storageRefusal } from './refusal.ts'
import { applyRetention } from './retention.ts'
import { TailMemory } from './tail-cache.ts'
import { type ConfigValues, TopicConfig } from './topic-config.ts'
import { validateNoCollision, validateTopicName } from './topic-name.ts'
import { type CleanEnds, type StoredTopic, TopicStore } from './topic-store.ts'
import { Upkeep } from './upkeep.ts'

const LOCK_FILE = '.lock'
const OWNER_FILE = 'owner'
/** How often `flush.ms` is looked at. */
const FLUSH_CHECK_MS = 500
const DELETED_SUFFIX = '-delete'

export interface LogDirectoryOptions {
  readonly disk: Disk
  readonly directory: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Topic properties (Kafka's topic names, `retention.ms`) for topics that do not set them. */
  readonly defaults?: ConfigValues
  /** `log.retention.check.interval.ms`, default 300000. */
  readonly retentionCheckIntervalMs?: number
  /** `log.cleaner.backoff.ms`, default 15000: how often compaction looks for work. */
  readonly cleanerBackoffMs?: number
  /** `log.flush.offset.checkpoint.interval.ms`, default 60000. */
  readonly checkpointIntervalMs?: number
  /** `producer.id.expiration.ms`, default 86400000. */
  readonly producerIdExpirationMs?: number
  /** Used when the directory is new; otherwise the directory's own stays. */
  readonly clusterId?: string
  /** For the newest batches of all partitions, default 64 MiB. */
  readonly tailMemoryBytes?: number
}

export interface Topic {
  readonly name: string
  /** 16 bytes as base64url, as the protocol's uuid type has them. */
  readonly id: string
  readonly internal: boolean
  readonly config: TopicConfig
  readonly partitions: readonly PartitionLog[]
}

export interface CreateTopicOptions {
  /** `__consumer_offsets` and `__transaction_state`. */
  readonly internal?: boolean
  /** Check everything, create nothing; resolves with a Topic that is not kept (no partitions). */
  readonly validateOnly?: boolean
}

/** null removes the topic's own value, so that the default holds again. */
export type ConfigChanges = Readonly<Record<string, string | null>>

export type TopicChange = 'created' | 'deleted' | 'partitions' | 'config'

class TopicState implements Topic {
  readonly name: string
  readonly id: string
  readonly internal: boolean
  config: TopicConfig
  partitions: readonly PartitionLog[] = []

  constructor(name: string, id: string, internal: boolean, config: TopicConfig) {
    this.name = name
    this.id = id
    this.internal = internal
    this.config = config
  }
}

export class LogDirectory {
  readonly directory: string
  readonly #options: LogDirectoryOptions
  readonly #store: TopicStore
  readonly #lock: DiskLock
  readonly #surroundings: LogSurroundings
  readonly #compactor: Compactor
  readonly #upkeep: Upkeep
  readonly #topics = new Map<string, TopicState>()
  readonly #byId = new Map<string, TopicState>()
  readonly #listeners = new Set<(topic: Topic, change: TopicChange) => void>()
  #clusterId = ''
  #deleting: readonly StoredTopic[] = []
  #queue: Promise<unknown> = Promise.resolve()
  #checkpointing: Promise<unknown> = Promise.resolve()
  #closed = false

  private constructor(options: LogDirectoryOptions, lock: DiskLock) {
    const { disk, clock, logger, directory } = options
    this.directory = directory
    this.#options = options
    this.#lock = lock
    this.#store = new TopicStore(disk, directory)
    this.#surroundings = {
      disk,
      clock,
      logger,
      tailMemory: new TailMemory(options.tailMemoryBytes),
      storeLogStarts: () => this.#storeLogStarts(),
    }
    this.#compactor = new Compactor({ disk, clock, logger })
    this.#upkeep = new Upkeep(clock, logger, [
      { what: 'retention', everyMs: options.retentionCheckIntervalMs ?? 300_000, work: () => this.applyRetention() },
      { what: 'compaction', everyMs: options.cleanerBackoffMs ?? 15_000, work: () => this.compact() },
      { what: 'checkpoint', everyMs: options.checkpointIntervalMs ?? 60_000, work: () => this.checkpoint() },
      { what: 'flush', everyMs: FLUSH_CHECK_MS, work: () => this.#flush() },
    ])
  }

  /**
   * Locks the directory (made if missing), loads and recovers everything.
   * Throws `LogDirectoryError`: SLUICE_DATA_DIRECTORY_LOCKED, SLUICE_DATA_DIRECTORY (unreadable, or of another version).
   */
  static async open(options: LogDirectoryOptions): Promise<LogDirectory> {
    const lock = await lockDirectory(options)
    try {
      const logs = new LogDirectory(options, lock)
      await logs.#load()
      logs.#upkeep.start()
      return logs
    } catch (error) {
      lock.release()
      if (error instanceof LogDirectoryError) throw error
      const why = error instanceof Error ? error.message : String(error)
      throw new LogDirectoryError(`The data directory ${options.directory} cannot be opened: ${why}`, { cause: error })
    }
  }

  /** Base64url uuid, made when the directory was new. */
  get clusterId(): string {
    return this.#clusterId
  }

  async #load(): Promise<void> {
    const { disk, logger, clock } = this.#options
    const startedMs = clock.monotonic()
    this.#clusterId = await this.#store.clusterId(() => this.#options.clusterId ?? this.#newId())
    const { topics, deleting } = await this.#store.topics()
    const [recoveryPoints, logStarts] = await Promise.all([this.#store.recoveryPoints(), this.#store.logStarts()])
    const cleanEnds = await this.#store.takeCleanShutdown()
    const names = await disk.list(this.directory)
    await this.#removeDeleted(names)
    if (deleting.length > 0) {
      await this.#removeFolders(deleting)
      await this.#store.storeTopics({ topics, deleting: [] })
    }
    for (const stored of topics) {
      const state = this.#add(stored)
      state.partitions = await Promise.all(
        Array.from({ length: stored.partitions }, (_, partition) => {
          const name = `${stored.name}-${partition}`
          const recovery = { recoveryPoint: recoveryPoints.get(name) ?? 0, logStartOffset: logStarts.get(name) ?? 0 }
          return this.#loadLog(state, partition, names.includes(name), { ...recovery, cleanEnds })
        }),
      )
    }
    await this.#compactor.load(this.directory)
    const ms = Math.round(clock.monotonic() - startedMs)
    logger.debug({ directory: this.directory, topics: topics.length, ms }, 'the data directory is open')
  }

  #add({ name, id, internal, config }: Omit<StoredTopic, 'partitions'>): TopicState {
    const state = new TopicState(name, id, internal, new TopicConfig(config, this.#options.defaults))
    this.#topics.set(name, state)
    this.#byId.set(id, state)
    return state
  }

  async #loadLog(
    topic: TopicState,
    partition: number,
    isThere: boolean,
    known: { recoveryPoint: number; logStartOffset: number; cleanEnds: CleanEnds },
  ): Promise<PartitionLog> {
    const { disk, logger } = this.#options
    const name = `${topic.name}-${partition}`
    const directory = join(this.directory, name)
    const end = known.cleanEnds[name]
    if (!isThere) {
      if (known.recoveryPoint > 0)
        logger.error({ partition: name, directory }, 'the folder of a partition is gone, and its records with it')
      await disk.makeDirectory(directory)
    }
    const loaded = await loadPartition({
      disk,
      logger,
      directory,
      name,
      indexIntervalBytes: () => topic.config.indexIntervalBytes,
      recoveryPoint: known.recoveryPoint,
      logStartOffset: known.logStartOffset,
      cleanEnd: end && { offset: end[0], sizeInBytes: end[1] },
    })
    return new PartitionLog(topic.name, partition, directory, () => topic.config, this.#surroundings, loaded)
  }

  /** Bytes of the newest batches that are held in memory. */
  get tailSizeInBytes(): number {
    return this.#surroundings.tailMemory.sizeInBytes
  }

  topic(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  topicById(id: string): Topic | undefined {
    return this.#byId.get(id)
  }

  /** Sorted by name. */
  topics(): Topic[] {
    return [...this.#topics.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
  }

  partition(topic: string, partition: number): PartitionLog | undefined {
    return this.#topics.get(topic)?.partitions[partition]
  }

  /** Rejects with a LogRefusal: INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, INVALID_CONFIG, KAFKA_STORAGE_ERROR. */
  createTopic(
    name: string,
    partitionCount: number,
    config: Readonly<Record<string, string>> = {},
    options: CreateTopicOptions = {},
  ): Promise<Topic> {
    return this.#change(`creating the topic "${name}"`, async (doing) => {
      validateTopicName(name)
      if (this.#topics.has(name)) throw refusal('TOPIC_ALREADY_EXISTS', doing, `Topic '${name}' already exists.`)
      validateNoCollision(name, this.#topics.keys())
      if (!Number.isInteger(partitionCount) || partitionCount < 1) {
        throw refusal('INVALID_PARTITIONS', doing, 'Number of partitions was set to an invalid non-positive value.')
      }
      const internal = options.internal ?? false
      const checked = new TopicConfig(config, this.#options.defaults)
      const state = new TopicState(name, this.#newId(), internal, checked)
      if (options.validateOnly) return state
      state.partitions = await this.#makeLogs(state, 0, partitionCount)
      await this.#storeWith([...this.#topics.values(), state])
      this.#topics.set(name, state)
      this.#byId.set(state.id, state)
      this.#tell(state, 'created')
      return state
    })
  }

  /** `total` is the new count. Rejects: UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS in Kafka's words. */
  addPartitions(name: string, total: number, options: { readonly validateOnly?: boolean } = {}): Promise<Topic> {
    return this.#change(`adding partitions to the topic "${name}"`, async (doing) => {
      const state = this.#mustHave(name, doing)
      const current = state.partitions.length
      if (!(total > current)) {
        const reason =
          total === current
            ? `Topic already has ${current} partition(s).`
            : `The topic ${name} currently has ${current} partition(s); ${total} would not be an increase.`
        throw refusal('INVALID_PARTITIONS', doing, reason)
      }
      if (options.validateOnly) return state
      const before = state.partitions
      const added = await this.#makeLogs(state, current, total)
      state.partitions = [...before, ...added]
      try {
        await this.#storeWith(this.#topics.values())
      } catch (error) {
        state.partitions = before
        throw error
      }
      this.#tell(state, 'partitions')
      return state
    })
  }

  /** Rejects: UNKNOWN_TOPIC_OR_PARTITION. The partitions are closed (their `onAppend` listeners are called) before this resolves. */
  deleteTopic(name: string): Promise<void> {
    return this.#change(`deleting the topic "${name}"`, async (doing) => {
      const state = this.#mustHave(name, doing)
      const stored = storedOf(state)
      this.#deleting = [...this.#deleting, stored]
      try {
        await this.#storeWith([...this.#topics.values()].filter((topic) => topic !== state))
      } catch (error) {
        this.#deleting = this.#deleting.filter((topic) => topic !== stored)
        throw error
      }
      this.#topics.delete(name)
      this.#byId.delete(state.id)
      await Promise.all(state.partitions.map((log) => log.close('deleted')))
      this.#compactor.forget(state.partitions)
      await this.#removeFolders([stored])
      this.#deleting = this.#deleting.filter((topic) => topic !== stored)
      await this.#storeWith(this.#topics.values())
      this.#tell(state, 'deleted')
    })
  }

  /** Rejects: UNKNOWN_TOPIC_OR_PARTITION, INVALID_CONFIG. */
  alterConfig(name: string, changes: ConfigChanges, options: { readonly validateOnly?: boolean } = {}): Promise<Topic> {
    return this.#change(`configuring the topic "${name}"`, async (doing) => {
      const state = this.#mustHave(name, doing)
      const overrides = new Map(state.config.overrides)
      for (const [property, value] of Object.entries(changes)) {
        if (value === null) overrides.delete(property)
        else overrides.set(property, value)
      }
      const config = new TopicConfig(Object.fromEntries(overrides), this.#options.defaults)
      if (options.validateOnly) return state
      const before = state.config
      state.config = config
      try {
        await this.#storeWith(this.#topics.values())
      } catch (error) {
        state.config = before
        throw error
      }
      this.#tell(state, 'config')
      return state
    })
  }

  /** Called after a topic was created, deleted, given partitions or another config. Returns the way to stop it. */
  onChange(listener: (topic: Topic, change: TopicChange) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #tell(topic: Topic, change: TopicChange): void {
    // A copy: a listener may take itself off, or put another one on.
    const listeners = [...this.#listeners]
    for (const listener of listeners) listener(topic, change)
  }

  /** Runs changes of topics one after the other; what the disk refuses becomes KAFKA_STORAGE_ERROR. */
  #change<T>(doing: string, change: (doing: string) => Promise<T>): Promise<T> {
    const done = this.#queue.then(async () => {
      if (this.#closed) throw refusal('BROKER_NOT_AVAILABLE', doing, 'The broker is stopping.')
      try {
        return await change(doing)
      } catch (error) {
        if (!isSystemError(error)) throw error
        this.#options.logger.error({ err: error, directory: this.directory }, `the disk refused ${doing}`)
        throw storageRefusal(doing, this.directory, error)
      }
    })
    this.#queue = done.catch(() => {})
    return done
  }

  #mustHave(name: string, doing: string): TopicState {
    const state = this.#topics.get(name)
    if (!state) throw refusal('UNKNOWN_TOPIC_OR_PARTITION', doing, `The topic '${name}' does not exist.`)
    return state
  }

  async #makeLogs(topic: TopicState, from: number, to: number): Promise<PartitionLog[]> {
    const { disk, logger } = this.#options
    const partitions = Array.from({ length: to - from }, (_, at) => from + at)
    const names = new Set(await disk.list(this.directory))
    for (const partition of partitions) {
      const name = `${topic.name}-${partition}`
      if (!names.has(name) || (await disk.list(join(this.directory, name))).length === 0) continue
      // Nobody's, as no topic says it is its own: kept for whoever knows, but not taken over.
      logger.warn({ folder: name }, 'a folder that belongs to no topic is put aside')
      await disk.rename(join(this.directory, name), join(this.directory, `${name}.${this.#newId()}-stray`))
    }
    const known = { recoveryPoint: 0, logStartOffset: 0, cleanEnds: {} }
    const logs = await Promise.all(partitions.map((partition) => this.#loadLog(topic, partition, false, known)))
    await disk.syncDirectory(this.directory)
    return logs
  }

  async #storeWith(topics: Iterable<TopicState>): Promise<void> {
    const stored = [...topics].sort((one, other) => (one.name < other.name ? -1 : 1)).map(storedOf)
    await this.#store.storeTopics({ topics: stored, deleting: this.#deleting })
  }

  /** Renamed first: a folder that is half removed never has a partition's name. */
  async #removeFolders(topics: readonly StoredTopic[]): Promise<void> {
    const { disk } = this.#options
    const names = new Set(await disk.list(this.directory))
    for (const { name, partitions } of topics) {
      for (let partition = 0; partition < partitions; partition++) {
        if (!names.has(`${name}-${partition}`)) continue
        const folder = join(this.directory, `${name}-${partition}`)
        await disk.rename(folder, join(this.directory, `${this.#newId()}${DELETED_SUFFIX}`))
      }
    }
    await disk.syncDirectory(this.directory)
    await this.#removeDeleted(await disk.list(this.directory))
  }

  async #removeDeleted(names: readonly string[]): Promise<void> {
    const deleted = names.filter((name) => DELETED_FOLDER.test(name))
    await Promise.all(deleted.map((name) => this.#options.disk.removeDirectory(join(this.directory, name))))
  }

  #newId(): string {
    // As Kafka: an id that begins with a dash would look like an option on a command line.
    for (;;) {
      const id = Buffer.from(this.#options.random.uuid().replaceAll('-', ''), 'hex').toString('base64url')
      if (!id.startsWith('-')) return id
    }
  }

  #logs(): PartitionLog[] {
    return [...this.#topics.values()].flatMap(({ partitions }) => [...partitions])
  }

  /** Deletes what is older or larger than the topics' retention allows, and forgets producers. Also done every `retentionCheckIntervalMs`. */
  async applyRetention(): Promise<void> {
    const now = this.#options.clock.now()
    for (const log of this.#logs()) {
      await this.#guarded('applying the retention', log, () => applyRetention(log, now))
      log.expireProducers(now - (this.#options.producerIdExpirationMs ?? 86_400_000))
    }
  }

  /** Compacts what is dirty enough (`force`: whatever can be). Also done every `cleanerBackoffMs`. */
  async compact(options: { readonly force?: boolean } = {}): Promise<void> {
    for (const log of this.#logs()) {
      if (log.config.cleanupCompact)
        await this.#guarded('compacting', log, () => this.#compactor.compact(log, options.force ?? false))
    }
    await this.#compactor.store(this.directory)
  }

  /** Syncs every log and writes the checkpoints. Also done every `checkpointIntervalMs`. */
  checkpoint(): Promise<void> {
    const done = this.#checkpointing.then(async () => {
      let changed = false
      for (const log of this.#logs()) {
        await this.#guarded('syncing', log, async () => {
          changed = (await log.checkpoint()) || changed
        })
      }
      if (!changed) return
      await this.#storeLogStarts()
      await this.#store.storeRecoveryPoints(this.#offsets((log) => log.recoveryPoint))
    })
    this.#checkpointing = done.catch(() => {})
    return done
  }

  async #flush(): Promise<void> {
    if (this.#logs().some((log) => log.isFlushDue)) await this.checkpoint()
  }

  #offsets(offsetOf: (log: PartitionLog) => number): PartitionOffset[] {
    return this.#logs()
      .map((log) => ({ topic: log.topic, partition: log.partition, offset: offsetOf(log) }))
      .filter(({ offset }) => offset > 0)
  }

  #storingLogStarts: Promise<unknown> = Promise.resolve()

  #storeLogStarts(): Promise<void> {
    const done = this.#storingLogStarts.then(() =>
      this.#store.storeLogStarts(this.#offsets((log) => log.logStartOffset)),
    )
    this.#storingLogStarts = done.catch(() => {})
    return done
  }

  /** One log that the disk refuses does not keep the others from their upkeep. */
  async #guarded(doing: string, log: PartitionLog, work: () => Promise<void>): Promise<void> {
    try {
      if (!log.closed) await work()
    } catch (error) {
      if (log.closed) return
      this.#options.logger.error(
        { err: error, partition: `${log.topic}-${log.partition}` },
        `${doing} failed; it is tried again`,
      )
    }
  }

  /** Refuses what comes from now on, waits for appends under way, syncs, writes the checkpoints and the mark of a clean stop, unlocks. */
  async close(): Promise<void> {
    if (!(await this.#stop())) return
    try {
      const logs = this.#logs()
      await Promise.all(logs.map((log) => log.close('stopped')))
      await this.#storeLogStarts()
      await this.#store.storeRecoveryPoints(this.#offsets((log) => log.recoveryPoint))
      const ends = logs.map((log) => [
        `${log.topic}-${log.partition}`,
        [log.logEndOffset, log.segments.at(-1)?.sizeInBytes ?? 0],
      ])
      await this.#store.storeCleanShutdown(Object.fromEntries(ends) as CleanEnds)
    } finally {
      this.#lock.release()
    }
  }

  /** As if the process had been killed: nothing is synced, no checkpoint and no mark of a clean stop written. For tests of recovery. */
  async abandon(): Promise<void> {
    if (!(await this.#stop())) return
    try {
      await Promise.all(this.#logs().map((log) => log.close('abandoned')))
    } finally {
      this.#lock.release()
    }
  }

  /** False if it was stopped before. */
  async #stop(): Promise<boolean> {
    if (this.#closed) return false
    this.#closed = true
    await this.#upkeep.stop()
    await this.#queue
    await this.#checkpointing
    return true
  }
}

/** Only what this class names so, never a topic that happens to be called `…-delete`: those end in a number. */
const DELETED_FOLDER = new RegExp(`^[A-Za-z0-9_-]{22}${DELETED_SUFFIX}$`)

function storedOf({ name, id, internal, partitions, config }: TopicState): StoredTopic {
  return { name, id, internal, partitions: partitions.length, config: Object.fromEntries(config.overrides) }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'errno' in error && 'syscall' in error
}

async function lockDirectory({ disk, directory }: LogDirectoryOptions): Promise<DiskLock> {
  const owner = join(directory, OWNER_FILE)
  let lock: DiskLock | undefined
  try {
    await disk.makeDirectory(directory)
    lock = await disk.lock(join(directory, LOCK_FILE))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new LogDirectoryError(`The data directory ${directory} cannot be used: ${why}`, { cause: error })
  }
  if (!lock) {
    const pid = (await readText(disk, owner))?.trim()
    const who = pid ? `a broker with the process id ${pid}` : 'another broker'
    throw new LogDirectoryError(
      `The data directory ${directory} is in use by ${who}: stop it, or choose another directory`,
      {
        code: 'SLUICE_DATA_DIRECTORY_LOCKED',
      },
    )
  }
  try {
    const file = await disk.open(owner, 'replace')
    await file.write([Buffer.from(`${process.pid}\n`)], 0)
    await file.close()
    return lock
  } catch (error) {
    lock.release()
    throw new LogDirectoryError(`The data directory ${directory} cannot be written to: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
