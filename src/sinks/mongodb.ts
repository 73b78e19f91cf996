/**
 * The `mongodb` sink: documents and the offset they reach in one transaction.
 *
 *     sluice_offsets { _id: { application, cluster, topicId, partition }, topic, next }       one document a partition and application
 *
 *     start ─▶ compare-and-set on `next` ─▶ bulk of documents, in order ─▶ commit
 *                     │ none matched            │ refused: the index of the operation names the record
 *                     ▼                         ▼
 *                  fenced                     abort
 *
 * Two owners alive at once: both would move `next` from 500. MongoDB refuses the second one's write with a conflict while the first one's transaction is open, and it
 * is tried again; then it finds 900 there, matches nothing, has written nothing, and is fenced. What a broken connection leaves open is settled the same way:
 * stored-offset.ts. A transaction whose owner has vanished is given up by the server (transactionLifetimeLimitSeconds, 60), until when its partition waits.
 *
 * Reads are of a snapshot that most members have, and commits are confirmed by most of them: what is durable here survives the loss of a primary.
 */
import type * as mongodb from 'mongodb'
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import { readAuthorities } from './authority-file.ts'
import { type LoadPackage, loadDriver } from './driver-package.ts'
import { HeldPartitions } from './held-partitions.ts'
import { type Change, DocumentEncoder } from './mongodb-documents.ts'
import {
  isDuplicate,
  isThereAlready,
  isUncertain,
  type MongoError,
  mongodbError,
  refusedIndex,
} from './mongodb-errors.ts'
import { checkOptions, type MongodbOptions, type MongodbTarget, options, targetOf } from './mongodb-options.ts'
import { whenAvailable } from './open-retry.ts'
import { defineSink } from './registry.ts'
import { masked } from './server-errors.ts'
import {
  type AssignedPartition,
  type DurablePosition,
  type Opened,
  type Sink,
  type SinkBatch,
  type SinkContext,
  SinkFencedError,
  type SinkPosition,
  SinkRecordError,
  SinkRefusedError,
  SinkUnavailableError,
} from './sink.ts'
import {
  assertDoneBefore,
  markStored,
  offsetKey,
  type OffsetKey,
  type StoredPartition,
  storedPartition,
} from './stored-offset.ts'

const MOST_CONNECTIONS = 10

export type MongodbDriver = typeof mongodb

/** @throws SinkRefusedError when the package is missing, with the command that installs it */
export const loadMongodbDriver = (load?: LoadPackage): Promise<MongodbDriver> =>
  loadDriver({ name: 'mongodb', sink: 'mongodb' }, load)

type Partition = StoredPartition & {
  readonly collection: string
  readonly idPrefix: string
  changes: Change[]
  bytes: number
}

interface OffsetId {
  readonly application: string
  readonly cluster: string
  readonly topicId: string
  readonly partition: number
}

interface OffsetDocument {
  readonly _id: OffsetId
  readonly topic: string
  readonly next: number
}

export class MongodbSink implements Sink {
  readonly #options: MongodbOptions
  readonly #target: MongodbTarget
  readonly #loadDriver: () => Promise<MongodbDriver>
  readonly #partitions = new HeldPartitions<Partition>()
  readonly #prepared = new Map<string, Promise<void>>()
  #context!: SinkContext
  #client: mongodb.MongoClient | undefined
  #encoder!: DocumentEncoder

  /** @param load for tests: another driver */
  constructor(given: MongodbOptions, load: () => Promise<MongodbDriver> = loadMongodbDriver) {
    checkOptions(given)
    this.#target = targetOf(given)
    this.#options = given
    this.#loadDriver = load
  }

  async open(context: SinkContext): Promise<Opened> {
    this.#context = context
    const { columns, mode, collection, id = mode === 'append' ? '$record' : '$key' } = this.#options
    const { valueType } = context
    const field = [...(columns ?? []), ...[id].flat()].find((one) => !one.startsWith('$'))
    if (field !== undefined && valueType !== 'json') {
      throw new SinkRefusedError(
        `the mongodb sink takes "${field}" out of the value, and values are read as ${valueType}: set "value": "json"`,
      )
    }
    const driver = await this.#loadDriver()
    const { Long, Binary, BSON } = driver
    const bson = { Long, Binary, calculateObjectSize: BSON.calculateObjectSize }
    this.#encoder = new DocumentEncoder({ id, columns, mode, valueType }, bson)
    this.#client ??= new driver.MongoClient(this.#target.url, await this.#clientOptions())
    await whenAvailable(context, this.#options['open.timeout.ms'], async () => {
      await this.#explained('connect', () => this.#checkServer())
      await this.#prepare(this.#options['offsets.collection'])
      if (collection !== undefined) await this.#prepare(collection)
    })
    return {
      guarantee: 'transactional',
      flushHint: { records: this.#options['flush.records'], intervalMs: this.#options['flush.ms'] },
    }
  }

  async #clientOptions(): Promise<mongodb.MongoClientOptions> {
    const {
      user,
      password,
      ssl,
      'connect.timeout.ms': connectTimeoutMs,
      'request.timeout.ms': timeoutMs,
    } = this.#options
    const { application, consumer, disk } = this.#context
    const ca = await readAuthorities(disk, this.#options['ssl.ca'])
    const isUnchecked = ssl === 'require'
    return {
      appName: `sluice ${application} ${consumer}`.slice(0, 128),
      ...(user !== undefined && password !== undefined && { auth: { username: user, password } }),
      ...(ssl !== undefined && { tls: ssl !== 'disable' }),
      ...(isUnchecked && { tlsAllowInvalidCertificates: true, tlsAllowInvalidHostnames: true }),
      ...(ca !== undefined && { ca }),
      serverSelectionTimeoutMS: connectTimeoutMs,
      connectTimeoutMS: connectTimeoutMs,
      socketTimeoutMS: timeoutMs,
      maxPoolSize: MOST_CONNECTIONS,
      readPreference: 'primary',
      readConcern: { level: 'majority' },
      writeConcern: { w: 'majority' },
    }
  }

  async #checkServer(): Promise<void> {
    await this.#client!.connect()
    const hello = await this.#database.command({ hello: 1 })
    if (hello['setName'] !== undefined || hello['msg'] === 'isdbgrid') return
    throw new SinkRefusedError(
      `${this.#target.shown} is a server by itself, which has no transactions: start it with --replSet and run rs.initiate() once, one member is enough`,
    )
  }

  get #database(): mongodb.Db {
    return this.#client!.db(this.#target.database)
  }

  get #offsets(): mongodb.Collection<OffsetDocument> {
    return this.#database.collection(this.#options['offsets.collection'])
  }

  /** A collection that is there, and that this user may write to within a transaction. Once each. */
  #prepare(name: string): Promise<void> {
    let preparing = this.#prepared.get(name)
    if (!preparing) {
      preparing = this.#explained(`prepare the collection ${name}`, () => this.#makeCollection(name))
      this.#prepared.set(name, preparing)
      preparing.catch(() => this.#prepared.delete(name))
    }
    return preparing
  }

  async #makeCollection(name: string): Promise<void> {
    const find = async () =>
      ((await this.#database.listCollections({ name }).toArray()) as mongodb.CollectionInfo[]).at(0)
    let found = await find()
    if (!found) {
      await this.#database.createCollection(name).catch((error: unknown) => {
        if (!isThereAlready(error)) throw error
      })
      found = await find()
    }
    const kind = found?.options?.['capped'] === true ? 'capped' : (found?.type ?? 'collection')
    if (kind !== 'collection') {
      throw new SinkRefusedError(
        `${name} in ${this.#target.shown} is a ${kind} one, and transactions need a plain collection`,
      )
    }
    const session = this.#client!.startSession()
    try {
      session.startTransaction()
      const probe = { _id: `sluice-probe-${this.#context.random.uuid()}` }
      await this.#database.collection<{ _id: string }>(name).insertOne(probe, { session })
    } catch (error) {
      // A validator refuses the probe, and may take what records become.
      if ((error as MongoError).code !== 121) throw error
    } finally {
      await session.abortTransaction().catch(() => {})
      await session.endSession()
    }
  }

  async #explained<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw mongodbError(error, { doing, where: this.#target.shown, password: this.#target.password })
    }
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]> {
    return Promise.all(partitions.map(({ topicPartition }) => this.#recover(topicPartition)))
  }

  async #recover(topicPartition: TopicPartition): Promise<SinkPosition> {
    const { topic, partition } = topicPartition
    const collection = this.#options.collection ?? topic
    if (collection === this.#options['offsets.collection']) {
      throw new SinkRefusedError(`the topic ${topic} has the name of the collection of offsets: set "collection"`)
    }
    await this.#prepare(collection)
    const key = offsetKey(this.#context, topicPartition)
    const next = await this.#storedNext(key)
    const [, clusterId, topicId] = key
    const idPrefix = `${clusterId}.${topicId}.${partition}.`
    const nothing = { changes: [], bytes: 0 }
    this.#partitions.set(topicPartition, {
      ...storedPartition(topicPartition, key, next),
      collection,
      idPrefix,
      ...nothing,
    })
    return { topicPartition, next }
  }

  async #storedNext(key: OffsetKey): Promise<number | undefined> {
    const doing = `read the offsets in ${this.#options['offsets.collection']}`
    const found = await this.#explained(doing, () => this.#offsets.findOne({ _id: idOf(key) }))
    return found?.next
  }

  async write(batch: SinkBatch): Promise<{ flushDue: boolean }> {
    const partition = this.#partitions.toWrite(batch)
    const changes = this.#encoder.encode(batch, partition.idPrefix)
    partition.start ??= batch.first
    partition.position = batch.next
    for (const change of changes) {
      partition.changes.push(change)
      partition.bytes += change.record.value?.length ?? 0
    }
    const { 'flush.records': flushRecords, 'flush.bytes': flushBytes } = this.#options
    return { flushDue: partition.changes.length >= flushRecords || partition.bytes >= flushBytes }
  }

  async flush(topicPartition: TopicPartition, next: number, signal: AbortSignal): Promise<{ durable: number }> {
    const partition = this.#partitions.toFlush(topicPartition, next)
    if (partition.position === undefined || partition.position === partition.durable) return { durable: next }
    try {
      await this.#explained(`store into ${partition.collection}`, () => this.#store(partition, signal))
    } catch (error) {
      if (error instanceof SinkFencedError || error instanceof SinkRecordError) this.#partitions.delete(topicPartition)
      throw error
    }
    partition.changes = []
    partition.bytes = 0
    return { durable: markStored(partition)! }
  }

  async #store(partition: Partition, signal: AbortSignal): Promise<void> {
    const session = this.#client!.startSession()
    try {
      session.startTransaction({ readConcern: { level: 'snapshot' } })
      // The offset first: a stale owner is to find out before it has written anything.
      const isMoved = await unlessAborted(this.#moveOffset(session, partition), signal)
      if (!isMoved) {
        await session.abortTransaction()
        return assertDoneBefore(partition, await this.#storedNext(partition.key), this.#target.shown)
      }
      if (partition.changes.length > 0) await unlessAborted(this.#write(session, partition), signal)
      await this.#commit(session, partition, signal)
    } finally {
      // It aborts what was not committed.
      void session.endSession().catch(() => {})
    }
  }

  async #moveOffset(
    session: mongodb.ClientSession,
    { topicPartition, key, durable, position }: Partition,
  ): Promise<boolean> {
    const _id = idOf(key)
    if (durable !== undefined) {
      const found = await this.#offsets.updateOne({ _id, next: durable }, { $set: { next: position! } }, { session })
      return found.matchedCount === 1
    }
    try {
      await this.#offsets.insertOne({ _id, topic: topicPartition.topic, next: position! }, { session })
      return true
    } catch (error) {
      if (isDuplicate(error)) return false
      throw error
    }
  }

  async #write(session: mongodb.ClientSession, partition: Partition): Promise<void> {
    const isUpsert = this.#options.mode === 'upsert'
    const operations = partition.changes.map(({ id, document }): mongodb.AnyBulkWriteOperation => {
      const filter = { _id: id as mongodb.ObjectId }
      if (document === undefined) return { deleteOne: { filter } }
      return isUpsert ? { replaceOne: { filter, replacement: document, upsert: true } } : { insertOne: { document } }
    })
    try {
      await this.#database.collection(partition.collection).bulkWrite(operations, { session, ordered: true })
    } catch (error) {
      const index = refusedIndex(error)
      if (index === undefined) throw error
      const said = masked((error as Error).message, this.#target.password)
      const { code, errmsg = said } = (error as MongoError).writeErrors![0]!
      const reason = `the collection ${partition.collection} refuses the document: ${masked(errmsg, this.#target.password)} (${code})`
      throw new SinkRecordError(partition.changes[index]!.record, reason, error)
    }
  }

  /** Once it is sent, it is waited for: to look away would only hide how it ends. */
  async #commit(session: mongodb.ClientSession, partition: Partition, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw aborted()
    partition.uncertainAt = partition.position
    try {
      await session.commitTransaction()
    } catch (error) {
      if (!isUncertain(error)) partition.uncertainAt = undefined
      throw error
    }
  }

  async revoked(
    topicPartitions: readonly TopicPartition[],
    why: 'revoked' | 'lost',
  ): Promise<readonly DurablePosition[]> {
    return this.#partitions.release(topicPartitions, why, {
      flush: (topicPartition, next) => this.flush(topicPartition, next, this.#context.signal),
      forget: (topicPartition) => void this.#partitions.delete(topicPartition),
      logger: this.#context.logger,
    })
  }

  async close(): Promise<void> {
    this.#partitions.clear()
    this.#prepared.clear()
    const client = this.#client
    this.#client = undefined
    await client?.close().catch(() => {})
  }
}

const idOf = ([application, cluster, topicId, partition]: OffsetKey): OffsetId => ({
  application,
  cluster,
  topicId,
  partition,
})

const aborted = () => new SinkUnavailableError('storing was aborted, as no time is left')

/** The driver's calls know no signal. What goes on behind an abort is never committed. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => {})
    throw aborted()
  }
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => {
    work.catch(() => {})
    reject(aborted())
  }
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

export const mongodbSink = defineSink({
  name: 'mongodb',
  guarantee: 'transactional',
  summary: 'Documents of a MongoDB collection, stored in one transaction with the offset they reach.',
  options,
  example: {
    type: 'mongodb',
    url: 'mongodb://localhost:27017/?replicaSet=rs0',
    database: 'air',
    collection: 'flights',
    mode: 'upsert',
  },
  create: (given) => new MongodbSink(given),
})
