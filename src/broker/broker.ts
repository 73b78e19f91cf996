/**
 * The broker: one Kafka node in this process. Puts log, coordinators, handlers and listener together, starts them and stops them.
 *
 *     start:  logs are recovered ─▶ address is taken ─▶ coordinators load (their clients wait, all others are served)
 *     stop:   connections dropped ─▶ coordinators stop ─▶ logs synced, checkpoints and the mark of a clean shutdown written
 */
import { hostname } from 'node:os'
import { SluiceError } from '../error.ts'
import { apis } from '../protocol/messages/index.ts'
import { systemClock } from '../seams/clock.ts'
import { systemDisk } from '../seams/disk.ts'
import { silentLogger } from '../seams/logger.ts'
import { systemRandom } from '../seams/random.ts'
import { type Listening, systemTransport } from '../seams/transport.ts'
import { type BrokerProperties, nearestName, parseBrokerConfig } from './broker-config.ts'
import { type BrokerContext, type BrokerSeams } from './broker-context.ts'
import { createDispatcher } from './dispatcher.ts'
import { FetchSessionCache } from './fetch-session.ts'
import { GroupCoordinator } from './groups/group-coordinator.ts'
import { handlers } from './handlers/index.ts'
import { type Interception, Interceptors, type Rule } from './intercept.ts'
import { BrokerListener, type ServeFrame } from './listener.ts'
import { LogDirectory } from './log/log-directory.ts'
import { topicDefaultsOf } from './topic-defaults.ts'
import { TransactionCoordinator } from './transactions/transaction-coordinator.ts'

export interface BrokerOptions {
  /** Where the data are kept; created if missing, locked while the broker runs. */
  readonly directory: string
  /** The address to listen at. Default 127.0.0.1: nobody from elsewhere. */
  readonly host?: string
  /** The name by which clients find the broker. Default `host`, and this machine's name when that stands for every address. */
  readonly advertisedHost?: string
  /** Default 0: one that is free. */
  readonly port?: number
  /** Kafka's broker properties. */
  readonly properties?: BrokerProperties
  readonly seams?: Partial<BrokerSeams>
  /** Rules that outlive this broker, for one that is killed and started again. */
  readonly interceptors?: Interceptors
}

export class Broker {
  readonly context: BrokerContext
  readonly #listener: BrokerListener
  readonly #interceptors: Interceptors
  #stopping: Promise<void> | undefined

  private constructor(context: BrokerContext, listener: BrokerListener, interceptors: Interceptors) {
    this.context = context
    this.#listener = listener
    this.#interceptors = interceptors
  }

  /**
   * Resolves when clients are served. Rejects with `BrokerConfigError` for a property that is wrong, the log's
   * `LogDirectoryError` for a folder that cannot be had, `BrokerStartError` for an address that cannot.
   */
  static async start(options: BrokerOptions): Promise<Broker> {
    const { directory, host = '127.0.0.1', port = 0, properties = {}, interceptors = new Interceptors() } = options
    const seams = systemSeams(options.seams)
    const config = parseBrokerConfig(properties)
    const logs = await LogDirectory.open({
      ...seams,
      directory,
      defaults: topicDefaultsOf(properties, config),
      retentionCheckIntervalMs: config['log.retention.check.interval.ms'],
      cleanerBackoffMs: config['log.cleaner.backoff.ms'],
      producerIdExpirationMs: config['producer.id.expiration.ms'],
    })
    let serve: ServeFrame = () => Promise.reject(new Error('the broker is starting'))
    const listener = new BrokerListener({ ...seams, config, serve: (frame, connection) => serve(frame, connection) })
    let listening: Listening
    try {
      listening = await listener.listen(host, port)
    } catch (error) {
      await logs.close()
      throw new BrokerStartError(host, port, error)
    }
    const groups = new GroupCoordinator({ ...seams, logs, config })
    const transactions = new TransactionCoordinator({ ...seams, logs, config, groups })
    const context: BrokerContext = {
      logs,
      groups,
      transactions,
      fetchSessions: new FetchSessionCache({ ...seams, slots: config['max.incremental.fetch.session.cache.slots'] }),
      clock: seams.clock,
      random: seams.random,
      logger: seams.logger,
      config,
      configured: new Set(Object.keys(properties).filter((name) => properties[name] != null)),
      nodeId: config['node.id'],
      host: options.advertisedHost ?? (isEveryAddress(listening.host) ? hostname() : listening.host),
      port: listening.port,
      clusterId: logs.clusterId,
    }
    serve = createDispatcher(handlers, context, interceptors)
    const broker = new Broker(context, listener, interceptors)
    try {
      await groups.start()
      await transactions.start()
    } catch (error) {
      await broker.stop()
      throw error
    }
    return broker
  }

  get host(): string {
    return this.context.host
  }

  get port(): number {
    return this.context.port
  }

  /** What a client's `bootstrap.servers` takes. */
  get bootstrapServers(): string {
    return this.host.includes(':') ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`
  }

  get connectionCount(): number {
    return this.#listener.connectionCount
  }

  /** Sets a rule for an API, by Kafka's name of it (`OffsetCommit`), until it is removed. */
  intercept(apiName: string, rule: Rule): Interception {
    return interceptByName(this.#interceptors, apiName, rule)
  }

  /** Drops every connection and closes the logs. Called again, waits for the same. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(): Promise<void> {
    await this.#listener.close()
    await this.context.transactions.stop()
    await this.context.groups.stop()
    await this.context.logs.close()
  }
}

/** The address could not be taken: in use, not this machine's, or not allowed. */
export class BrokerStartError extends SluiceError {
  constructor(host: string, port: number, cause: unknown) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause)
    const words = reason === 'EADDRINUSE' ? 'another process listens there' : reason
    super('SLUICE_BROKER_START', `The broker cannot listen at ${host}:${port}: ${words}`, { cause })
  }
}

export function interceptByName(interceptors: Interceptors, apiName: string, rule: Rule): Interception {
  const api = apis.find(({ name }) => name === apiName)
  if (api) return interceptors.add(api, rule)
  const names = new Map(apis.map(({ name }) => [name.toLowerCase(), name]))
  const nearest = names.get(nearestName(apiName, [...names.keys()]) ?? '')
  throw new Error(`There is no API "${apiName}"${nearest ? `: did you mean "${nearest}"?` : ''}`)
}

/** Whether this is a way to say every address of the machine, which no client could connect to. */
function isEveryAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function systemSeams(given: Partial<BrokerSeams> = {}): BrokerSeams {
  return {
    clock: systemClock,
    random: systemRandom,
    transport: systemTransport,
    disk: systemDisk,
    logger: silentLogger,
    ...given,
  }
}
