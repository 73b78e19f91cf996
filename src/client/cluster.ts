/**
 * A Kafka cluster as a client sees it: a connection to each broker that is needed, metadata that are kept fresh, and the
 * coordinators of groups and transactions. Consumer, producer and admin stand on it; none of them opens a socket.
 *
 * - Connections belong to an address and a channel, not to a node id: the one over which the cluster was found goes on as that
 *   broker's. A channel is a second connection to the same broker, for requests that must not wait behind others: a
 *   broker answers a connection's requests one after the other, so a heartbeat would wait for a long fetch.
 * - `send` tries once. Who calls it knows whether and how to try again (`withRetries` in retry.ts).
 * - Metadata are refreshed after `metadata.max.age.ms` and when somebody calls `markStale` (NOT_LEADER …), in the background, with backoff.
 * - When no known broker can be reached, the bootstrap servers are asked again (`metadata.recovery.strategy`).
 * - After `close` nothing is left: no socket, no timer, no pending promise.
 */
import { type Api, type RequestInputOf, type ResponseOf } from '../protocol/api.ts'
import { KafkaError } from '../protocol/error-codes.ts'
import { metadata as metadataApi } from '../protocol/messages/index.ts'
import { type TopicPartition } from '../protocol/records/topic-partition.ts'
import { type Timer } from '../seams/clock.ts'
import { BrokerLink } from './broker-link.ts'
import { type ClusterConfig } from './config.ts'
import { type BrokerConnection } from './connection.ts'
import { CoordinatorLookup, type CoordinatorType } from './coordinator-lookup.ts'
import { BrokerUnavailableError, ClosedError } from './errors.ts'
import { ClusterMetadata, type LeaderAndEpoch, type TopicMetadata } from './metadata.ts'
import { backoffMs, isRetriable, orAborted, withRetries } from './retry.ts'
import { type ClientSeams } from './seams.ts'

export interface SendOptions {
  readonly signal?: AbortSignal | undefined
  /** Instead of `request.timeout.ms`. */
  readonly timeoutMs?: number | undefined
  readonly minVersion?: number | undefined
  readonly maxVersion?: number | undefined
  /** Requests of one channel share a connection and are answered in order. Default `main`. */
  readonly channel?: string | undefined
}

export interface Exchange<A extends Api> {
  readonly response: ResponseOf<A>
  readonly version: number
  readonly connection: BrokerConnection
}

export type RequestFor<A extends Api> = RequestInputOf<A> | ((version: number) => RequestInputOf<A>)

export interface RefreshOptions {
  /** null asks for all topics; left out, for the topics of interest. */
  readonly topics?: readonly string[] | null | undefined
  readonly allowAutoTopicCreation?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

const REBOOTSTRAP_REQUIRED = 129
/** Older brokers than Kafka 0.11 cannot be told not to create topics. */
const METADATA_MIN_VERSION = 4

export class Cluster {
  readonly config: ClusterConfig
  readonly seams: ClientSeams
  readonly metadata = new ClusterMetadata()
  readonly #bootstrap: readonly { host: string; port: number }[]
  readonly #links = new Map<string, BrokerLink>()
  readonly #coordinators = new CoordinatorLookup(this)
  readonly #closing = new AbortController()
  readonly #missing = new Map<string, 'once' | 'said'>()
  readonly #listeners = new Set<(metadata: ClusterMetadata) => void>()
  readonly #refreshing = new Map<string, Promise<void>>()
  #interest: Set<string> | 'all' = new Set()
  #allowAutoTopicCreation = false
  #ageTimer: Timer | undefined
  #staleLoop: Promise<void> | undefined
  /** Said since the last answer was taken in: what that answer told does not settle it. */
  #isStale = false
  #refreshedMs = Number.NEGATIVE_INFINITY
  #triedSinceMs: number | undefined

  constructor(config: ClusterConfig, seams: ClientSeams) {
    this.config = config
    this.seams = seams
    this.#bootstrap = config['bootstrap.servers'].map(parseAddress)
  }

  /** Aborts when `close` is called. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Finds the cluster: one round over the bootstrap servers. Rejects with BrokerUnavailableError that names each and its cause. */
  async connect(signal?: AbortSignal): Promise<void> {
    if (this.metadata.version === 0) await this.refreshMetadata({ signal })
  }

  /**
   * Sends one request to one broker and resolves with its response, whatever error codes that holds.
   *
   * @param node a node id of the metadata, or `any`: a broker that is connected, else any that can be reached
   * @param request the request, or a function that makes it for the version that was agreed on
   * @throws BrokerUnavailableError, DisconnectedError, RequestTimeoutError (all retriable; metadata are refreshed),
   *   UnsupportedVersionError, AbortedError, ClosedError
   */
  async send<A extends Api>(
    api: A,
    node: number | 'any',
    request: RequestFor<A>,
    options: SendOptions = {},
  ): Promise<ResponseOf<A>> {
    return (await this.exchange(api, node, request, options)).response
  }

  /** As `send`, and says in which version and over which connection. */
  async exchange<A extends Api>(
    api: A,
    node: number | 'any',
    request: RequestFor<A>,
    options: SendOptions = {},
  ): Promise<Exchange<A>> {
    try {
      const connection = await this.connectionTo(node, options)
      const version = connection.versionFor(api, options)
      const body =
        typeof request === 'function' ? (request as (version: number) => RequestInputOf<A>)(version) : request
      const response = await connection.send(api, version, body, options)
      return { response, version, connection }
    } catch (error) {
      if (node !== 'any' && isRetriable(error)) this.markStale()
      throw error
    }
  }

  /** An open connection to a broker. */
  connectionTo(node: number | 'any', { signal, channel = 'main' }: SendOptions = {}): Promise<BrokerConnection> {
    if (this.isClosed) return Promise.reject(new ClosedError('The client'))
    if (node === 'any') return this.#anyConnection(signal)
    const broker = this.metadata.brokers.get(node)
    if (broker) return this.#link(broker, channel).acquire(signal)
    return Promise.reject(
      new BrokerUnavailableError(
        `node ${node}`,
        `The broker with the node id ${node} is not part of the cluster (any more)`,
      ),
    )
  }

  /** The open connection to a broker, if there is one right now; never opens one. */
  readyConnection(node: number, channel = 'main'): BrokerConnection | undefined {
    const broker = this.metadata.brokers.get(node)
    return broker && this.#links.get(linkKey(broker, channel))?.ready
  }

  leader(topicPartition: TopicPartition): LeaderAndEpoch | undefined {
    return this.metadata.leader(topicPartition)
  }

  /** Topics that are kept fresh; `all` for patterns and listings. */
  setTopics(topics: Iterable<string> | 'all', { allowAutoTopicCreation = false } = {}): void {
    this.#interest = topics === 'all' ? 'all' : new Set(topics)
    this.#allowAutoTopicCreation = allowAutoTopicCreation
  }

  addTopic(topic: string): void {
    if (this.#interest !== 'all') this.#interest.add(topic)
  }

  forgetTopic(topic: string): void {
    if (this.#interest !== 'all') this.#interest.delete(topic)
    this.metadata.forgetTopic(topic)
  }

  /** Fetches metadata once, now. The same question that is already under way is shared. */
  refreshMetadata(options: RefreshOptions = {}): Promise<void> {
    const topics = options.topics === undefined ? this.#topicsOfInterest() : options.topics
    const allowAutoTopicCreation = options.allowAutoTopicCreation ?? this.#allowAutoTopicCreation
    const question = JSON.stringify([topics && [...topics].sort(), allowAutoTopicCreation])
    let refreshing = this.#refreshing.get(question)
    if (!refreshing) {
      refreshing = this.#fetchMetadata(topics, allowAutoTopicCreation).finally(() => this.#refreshing.delete(question))
      refreshing.catch(() => {})
      this.#refreshing.set(question, refreshing)
    }
    return orAborted(refreshing, options.signal, 'Fetching metadata', () => this.hindrance)
  }

  /** Metadata of one topic, fetched (and waited for, if it is being created) when they are not known. */
  async topic(
    name: string,
    options: { timeoutMs: number; signal?: AbortSignal | undefined; allowAutoTopicCreation?: boolean },
  ): Promise<TopicMetadata> {
    const known = this.metadata.topics.get(name)
    if (known) return known
    this.addTopic(name)
    const { allowAutoTopicCreation = true, timeoutMs, signal } = options
    const doing = `Fetching metadata of the topic ${name}`
    return withRetries(this.seams, this.config, { doing, timeoutMs, signal }, async (signal) => {
      await this.refreshMetadata({ topics: [name], allowAutoTopicCreation, signal })
      const found = this.metadata.topics.get(name)
      if (found) return found
      throw new KafkaError(this.metadata.topicErrors.get(name)?.code ?? 3, doing)
    })
  }

  /**
   * Metadata are known to be wrong: fetches them in the background, with backoff, until it succeeds. Whoever finds an answer no better
   * (still no leader) says so again, even from within a listener: then it is fetched once more.
   */
  markStale(): void {
    this.#isStale = true
    if (this.isClosed || this.#staleLoop) return
    this.#staleLoop = this.#refreshUntilFresh().finally(() => {
      this.#staleLoop = undefined
      // A listener's "still stale" comes before this line: without asking here nobody would fetch again.
      if (this.#isStale) this.markStale()
    })
  }

  /** Calls `listener` after every response with metadata. Returns what ends that. */
  onMetadata(listener: (metadata: ClusterMetadata) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Node id of the coordinator, looked up (with retries) when it is not known. */
  coordinatorFor(
    type: CoordinatorType,
    key: string,
    options: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<number> {
    return this.#coordinators.find(type, key, { timeoutMs: this.config['request.timeout.ms'], ...options })
  }

  /** As `coordinatorFor`, one request and no retries. */
  coordinatorOnce(type: CoordinatorType, key: string, signal?: AbortSignal): Promise<number> {
    return this.#coordinators.findOnce(type, key, signal)
  }

  forgetCoordinator(type: CoordinatorType, key: string): void {
    this.#coordinators.forget(type, key)
  }

  learnCoordinator(type: CoordinatorType, key: string, node: number): void {
    this.#coordinators.learn(type, key, node)
  }

  /** Ends every connection and everything that waits. Never rejects; a second call does nothing. */
  async close(): Promise<void> {
    if (this.isClosed) return
    this.#closing.abort()
    this.#ageTimer?.cancel()
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
    this.#listeners.clear()
    await this.#staleLoop
  }

  /** Why no broker has been reached (yet); undefined while one is connected. Names every address that was tried and what each failed with. */
  get hindrance(): Error | undefined {
    const links = [...this.#links.values()]
    const hindrances = links.flatMap((link) => link.hindrance ?? [])
    return links.some((link) => link.ready) || hindrances.length === 0 ? undefined : noneReached(hindrances)
  }

  #topicsOfInterest(): readonly string[] | null {
    return this.#interest === 'all' ? null : [...this.#interest]
  }

  #link(address: { host: string; port: number }, channel: string): BrokerLink {
    const key = linkKey(address, channel)
    let link = this.#links.get(key)
    if (!link) {
      link = new BrokerLink(this.seams, this.config, address, (cause) => {
        this.seams.logger.debug(
          { broker: `${address.host}:${address.port}`, channel, cause: cause.message },
          'disconnected',
        )
        if (!this.isClosed) this.markStale()
      })
      this.#links.set(key, link)
    }
    return link
  }

  /** Connected brokers first (the least busy one), then known ones in random order, then the bootstrap servers. */
  async #anyConnection(signal?: AbortSignal): Promise<BrokerConnection> {
    const known = shuffled([...this.metadata.brokers.values()], this.seams)
    const links = known.map((broker) => this.#link(broker, 'main'))
    const ready = links.flatMap((link) => link.ready ?? []).sort((left, right) => left.inFlight - right.inFlight)[0]
    if (ready) return ready
    links.sort((left, right) => Number(left.isBackingOff) - Number(right.isBackingOff))
    if (links.length === 0 || this.config['metadata.recovery.strategy'] === 'rebootstrap') {
      for (const address of shuffled(this.#bootstrap, this.seams)) {
        const link = this.#link(address, 'main')
        if (!links.includes(link)) links.push(link)
      }
    }
    const errors: BrokerUnavailableError[] = []
    for (const link of links) {
      try {
        return await link.acquire(signal)
      } catch (error) {
        if (!(error instanceof BrokerUnavailableError)) throw error
        errors.push(error)
      }
    }
    throw noneReached(errors)
  }

  async #fetchMetadata(topics: readonly string[] | null, allowAutoTopicCreation: boolean): Promise<void> {
    this.#triedSinceMs ??= this.seams.clock.monotonic()
    this.#rebootstrapIfOverdue()
    const response = await this.send(
      metadataApi,
      'any',
      { topics: topics && topics.map((name) => ({ name, topicId: undefined })), allowAutoTopicCreation },
      { minVersion: METADATA_MIN_VERSION },
    )
    if (response.errorCode === REBOOTSTRAP_REQUIRED) this.metadata.brokers.clear()
    if (response.errorCode !== 0) throw new KafkaError(response.errorCode, 'Fetching metadata')
    if (this.isClosed) throw new ClosedError('The client')
    this.#triedSinceMs = undefined
    this.#refreshedMs = this.seams.clock.monotonic()
    this.metadata.apply(response, { everyTopic: topics === null })
    this.#sayMissing(topics ?? [])
    this.#scheduleRefresh()
    this.#isStale = false
    for (const listener of this.#listeners) listener(this.metadata)
  }

  /** Topics that were asked for and do not exist, as of the last answer. */
  get missingTopics(): readonly string[] {
    return [...this.#missing].filter(([, state]) => state === 'said').map(([name]) => name)
  }

  /** As Java warns of them, once until they are there again: who waits for such a topic would wait in silence. */
  #sayMissing(asked: readonly string[]): void {
    for (const name of asked) {
      const before = this.#missing.get(name)
      if (this.metadata.topicErrors.get(name)?.name !== 'UNKNOWN_TOPIC_OR_PARTITION') this.#missing.delete(name)
      // A broker that is about to create it answers the first question with the same error.
      else if (before === undefined && this.#allowAutoTopicCreation) this.#missing.set(name, 'once')
      else if (before !== 'said') {
        this.#missing.set(name, 'said')
        const code = 'UNKNOWN_TOPIC_OR_PARTITION'
        this.seams.logger.warn({ topic: name, code }, `the topic ${name} does not exist (${code})`)
      }
    }
  }

  /** KIP-1102: brokers that never answer are given up for the bootstrap servers. */
  #rebootstrapIfOverdue(): void {
    const { clock, logger } = this.seams
    const triggerMs = this.config['metadata.recovery.rebootstrap.trigger.ms']
    if (this.config['metadata.recovery.strategy'] !== 'rebootstrap' || this.metadata.brokers.size === 0) return
    if (clock.monotonic() - this.#triedSinceMs! < triggerMs) return
    logger.warn({ triggerMs }, 'no known broker gave metadata for too long: asking the bootstrap servers again')
    this.metadata.brokers.clear()
  }

  #scheduleRefresh(): void {
    this.#ageTimer?.cancel()
    const maxAgeMs = this.config['metadata.max.age.ms']
    this.#ageTimer = this.seams.clock.setTimer(maxAgeMs, () => this.markStale(), { background: true })
  }

  async #refreshUntilFresh(): Promise<void> {
    const { clock, random, logger } = this.seams
    const [initialMs, maxMs] = [this.config['retry.backoff.ms'], this.config['retry.backoff.max.ms']]
    const sinceMs = clock.monotonic() - this.#refreshedMs
    // Many partitions may say at once that their leader moved: one refresh a backoff is enough for all of them.
    if (sinceMs < initialMs) await clock.sleep(initialMs - sinceMs, this.#closing.signal)
    for (let attempt = 0; !this.isClosed; attempt++) {
      try {
        return await this.refreshMetadata()
      } catch (error) {
        if (this.isClosed) return
        logger.debug({ error: (error as Error).message }, 'metadata could not be refreshed')
        await clock.sleep(backoffMs(attempt, initialMs, maxMs, random), this.#closing.signal)
      }
    }
  }
}

function linkKey({ host, port }: { host: string; port: number }, channel: string): string {
  return `${host}:${port} ${channel}`
}

function noneReached(errors: readonly BrokerUnavailableError[]): BrokerUnavailableError {
  if (errors.length === 1) return errors[0]!
  const addresses = errors.map(({ address }) => address).join(', ')
  const causes = errors.map(({ message }) => message).join('; ')
  return new BrokerUnavailableError(addresses, `No broker of the cluster can be reached: ${causes}`, errors.at(-1))
}

function parseAddress(server: string): { host: string; port: number } {
  const match = /^(?:\w+:\/\/)?(.+):(\d+)$/.exec(server)!
  return { host: match[1]!.replace(/^\[(.*)\]$/, '$1'), port: Number(match[2]) }
}

function shuffled<T>(items: readonly T[], { random }: ClientSeams): T[] {
  const left = [...items]
  const order: T[] = []
  while (left.length > 0) order.push(...left.splice(Math.floor(random.next() * left.length), 1))
  return order
}
