/**
 * A broker for a test: on a free port of the loopback interface, in a temporary folder, ready in milliseconds, gone without a trace.
 *
 *     await using broker = await startBroker({ topics: { clicks: 3 } })
 *     broker.intercept('OffsetCommit', once(error('NOT_COORDINATOR')))
 *     const consumer = new Consumer({ 'bootstrap.servers': broker.bootstrapServers, … })
 *
 * Who starts it stops it: `await using`, `stop()`, or `t.after(() => broker.stop())`.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker, interceptByName } from '../broker/broker.ts'
import { type BrokerProperties } from '../broker/broker-config.ts'
import { type BrokerSeams } from '../broker/broker-context.ts'
import { type Interception, Interceptors, type Rule } from '../broker/intercept.ts'
import { systemDisk } from '../seams/disk.ts'
import { systemRandom } from '../seams/random.ts'
import { type KillableDisk, killableDisk } from './killable-disk.ts'

export interface TestTopic {
  /** Default: the broker's `num.partitions`, 1. */
  readonly partitions?: number
  /** Kafka's topic properties. */
  readonly config?: Readonly<Record<string, string | number | boolean>>
}

export interface StartBrokerOptions {
  /** Default: a temporary one, removed by `stop`. One that is given stays. */
  readonly directory?: string
  /** Default: one that is free, and the same again after `restart`. */
  readonly port?: number
  readonly host?: string
  /** Kafka's broker properties. Beside its defaults, groups do not wait for more members and internal topics have 4 partitions. */
  readonly properties?: BrokerProperties
  /** Topics to begin with: their partitions, or more about them. */
  readonly topics?: Readonly<Record<string, number | TestTopic>> | readonly string[]
  /** Clock, disk and so on, where a test hands in its own. */
  readonly seams?: Partial<BrokerSeams>
}

/** What a test wants of Kafka's defaults changed: no waiting, few files. */
const quickProperties: BrokerProperties = {
  'group.initial.rebalance.delay.ms': 0,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.num.partitions': 4,
}

/** One run of the broker, from a start to a stop or kill. */
interface Life {
  readonly broker: Broker
  readonly disk: KillableDisk
}

export class TestBroker {
  readonly directory: string
  readonly port: number
  readonly #options: StartBrokerOptions
  readonly #interceptors: Interceptors
  #life: Life

  private constructor(life: Life, directory: string, options: StartBrokerOptions, interceptors: Interceptors) {
    this.#life = life
    this.port = life.broker.port
    this.directory = directory
    this.#options = options
    this.#interceptors = interceptors
  }

  /** As `startBroker`. */
  static async start(options: StartBrokerOptions): Promise<TestBroker> {
    const directory = options.directory ?? join(tmpdir(), `sluice-broker-${systemRandom.uuid()}`)
    const interceptors = new Interceptors()
    const life = await launch(directory, options.port ?? 0, options, interceptors)
    const started = new TestBroker(life, directory, options, interceptors)
    try {
      await createTopics(life.broker, options.topics ?? {})
    } catch (error) {
      await started.stop()
      throw error
    }
    return started
  }

  /** The broker that runs, for a look inside. Another one after `restart`. */
  get broker(): Broker {
    return this.#life.broker
  }

  get host(): string {
    return this.broker.host
  }

  get bootstrapServers(): string {
    return this.broker.bootstrapServers
  }

  /** Sets a rule for an API, by Kafka's name of it, until its handle is removed. Stays over `restart`. */
  intercept(apiName: string, rule: Rule): Interception {
    return interceptByName(this.#interceptors, apiName, rule)
  }

  /** As kill -9 would: connections break, nothing more is written or synced, the next start has to recover. */
  async kill(): Promise<void> {
    const { broker, disk } = this.#life
    const gone = disk.kill()
    // Its disk is gone, so that its clean shutdown cannot succeed, and must not.
    await broker.stop().catch(() => {})
    await gone
  }

  /** Starts again, on the same port and folder; a broker that still runs is stopped first. */
  async restart(): Promise<void> {
    await this.broker.stop().catch(() => {})
    this.#life = await launch(this.directory, this.port, this.#options, this.#interceptors)
  }

  /** Stops, and removes the folder unless it was given. */
  async stop(): Promise<void> {
    if (!this.#life.disk.killed) await this.broker.stop()
    if (this.#options.directory === undefined) await systemDisk.removeDirectory(this.directory)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

/** Starts a broker and creates its topics; resolves when it can be used. */
export function startBroker(options: StartBrokerOptions = {}): Promise<TestBroker> {
  return TestBroker.start(options)
}

async function launch(
  directory: string,
  port: number,
  { host, properties, seams }: StartBrokerOptions,
  interceptors: Interceptors,
): Promise<Life> {
  const disk = killableDisk(seams?.disk ?? systemDisk)
  const broker = await Broker.start({
    directory,
    port,
    host,
    seams: { ...seams, disk: disk.disk },
    interceptors,
    properties: { ...quickProperties, ...properties },
  })
  return { broker, disk }
}

async function createTopics(broker: Broker, topics: NonNullable<StartBrokerOptions['topics']>): Promise<void> {
  const named: [string, number | TestTopic][] = Array.isArray(topics)
    ? topics.map((name: string) => [name, {}])
    : Object.entries(topics as Readonly<Record<string, number | TestTopic>>)
  const { logs, config } = broker.context
  for (const [name, about] of named) {
    const { partitions = config['num.partitions'], config: given = {} } =
      typeof about === 'number' ? { partitions: about } : about
    const topicConfig = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, String(value)]))
    await logs.createTopic(name, partitions, topicConfig)
  }
}
