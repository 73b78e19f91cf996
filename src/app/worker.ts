/**
 * One consumer of an application, from its first connection to its last. What goes in (`WorkerSpec`, `WorkerCommand`) and
 * what comes out (`WorkerMessage`) is plain data, so that a worker can as well live in a thread or a process of its own; who launches it and
 * where is worker-host.ts.
 *
 *     launched ─▶ connecting ─▶ running ─stop─▶ stopping ─▶ stopped
 *                     └───────────┴── a failure ──────────▶ failed
 */
import type { PropertyBag } from '../client/config.ts'
import type { ClientSeams } from '../client/seams.ts'
import { SluiceError } from '../error.ts'
import { topicPartitionKey } from '../protocol/records/topic-partition.ts'
import type { Disk } from '../seams/disk.ts'
import { systemHttp } from '../seams/http.ts'
import type { Logger } from '../seams/logger.ts'
import type { SinkRegistry } from '../sinks/sink.ts'
import type { ApplicationConf } from './conf.ts'
import { FailurePolicy } from './failure-policy.ts'
import { KafkaPort } from './kafka-port.ts'
import { Pipeline, type PipelineCounts, type PipelineOptions } from './pipeline.ts'
import { sinkTarget } from './target.ts'
import { reportOf, type WorkerReport } from './worker-report.ts'
import type { ProducerPort } from './producer-port.ts'
import { loadDecoder } from './value-decoders.ts'

/** Plain data: all that a worker is told. */
export interface WorkerSpec {
  /** `consumer-thread-0`. */
  readonly consumer: string
  readonly application: ApplicationConf
}

export type WorkerCommand = { readonly type: 'stop' } | { readonly type: 'report' }

/**
 * Records that polls returned, that the store has or a handler is done with, offsets that were committed, attempts of handlers that failed and were
 * made again, records that went to a dead-letter topic or were skipped: since the start.
 */
export type WorkerCounts = PipelineCounts

export interface WorkerFailure {
  /** `SLUICE_…` for what Sluice foresaw; undefined for what nobody did, which then has a stack. */
  readonly code: string | undefined
  readonly message: string
  readonly stack: string | undefined
  /** The same again later can succeed without anybody changing anything. What nobody foresaw counts as such. */
  readonly isRetriable: boolean
}

export type WorkerMessage =
  | { readonly type: 'assigned'; readonly partitions: readonly string[] }
  /** The answer to `report`; without a report of its own while the consumer is not yet connected. */
  | { readonly type: 'report'; readonly counts: WorkerCounts; readonly report?: WorkerReport }
  /** Topics of the subscription that do not exist: when they change. */
  | { readonly type: 'missing'; readonly topics: readonly string[] }
  | { readonly type: 'stopped'; readonly counts: WorkerCounts }
  | { readonly type: 'failed'; readonly counts: WorkerCounts; readonly failure: WorkerFailure }
  /** Its thread ended without a last word: said by the host in its place. */
  | { readonly type: 'crashed'; readonly failure: WorkerFailure }

/** What a worker takes from where it runs, in place of being told. */
export interface WorkerEnvironment {
  readonly seams: ClientSeams
  readonly disk: Disk
  readonly sinks: SinkRegistry
}

const CONNECT_MS = 10_000
export const noCounts: WorkerCounts = {
  polled: 0,
  stored: 0,
  committed: 0,
  failed: 0,
  retried: 0,
  deadLettered: 0,
  skipped: 0,
}

export class Worker {
  readonly #spec: WorkerSpec
  readonly #environment: WorkerEnvironment
  readonly #post: (message: WorkerMessage) => void
  readonly #stop = new AbortController()
  #port: KafkaPort | undefined
  #pipeline: Pipeline | undefined

  constructor(spec: WorkerSpec, environment: WorkerEnvironment, post: (message: WorkerMessage) => void) {
    this.#spec = spec
    const seams = { ...environment.seams, logger: namedLogger(environment.seams.logger, spec) }
    this.#environment = { ...environment, seams }
    this.#post = post
    void this.#run()
  }

  receive(command: WorkerCommand): void {
    switch (command.type) {
      case 'stop':
        this.#stop.abort()
        this.#pipeline?.stop()
        break
      case 'report':
        this.#post({ type: 'report', counts: this.#counts, report: this.#report() })
        break
    }
  }

  get #counts(): WorkerCounts {
    return this.#pipeline?.counts ?? noCounts
  }

  #report(): WorkerReport | undefined {
    if (!this.#port || !this.#pipeline) return undefined
    return reportOf(this.#port, this.#pipeline, this.#port.rebalances.counts)
  }

  async #run(): Promise<void> {
    try {
      await this.#consume()
      this.#post({ type: 'stopped', counts: this.#counts })
    } catch (error) {
      this.#post({ type: 'failed', counts: this.#counts, failure: failureOf(error) })
    }
  }

  async #consume(): Promise<void> {
    const { application, consumer } = this.#spec
    const { seams, disk } = this.#environment
    const { clock, random, logger } = seams
    const properties = { 'client.id': `${application.groupId}-${consumer}`, ...application.properties }
    const loaded = await loadDecoder(application, { ...seams, http: systemHttp })
    const port = new KafkaPort(application, properties, seams, (topics) => this.#post({ type: 'missing', topics }))
    this.#port = port
    const producer = await this.#producer(properties)
    try {
      const clusterId = await connect(port, this.#environment, this.#stop.signal)
      if (clusterId === undefined) return
      const { onFailure, deadLetterTopic, groupId } = application
      this.#pipeline = new Pipeline({
        port,
        ...(await this.#target(port, producer)),
        failures: new FailurePolicy({
          onFailure,
          application: groupId,
          consumer,
          deadLetterTopic,
          topicsPattern: application.topicsPattern,
          producer,
          clock,
          random,
          logger,
        }),
        application: groupId,
        consumer,
        consumerCount: application.consumers,
        clusterId,
        decoder: loaded.decoder,
        commit: application.commit,
        guarantee: application.guarantee,
        flush: application.flush,
        bufferBytes: application.bufferBytes,
        shutdownTimeoutMs: application.shutdownTimeoutMs,
        maxPollIntervalMs: port.config['max.poll.interval.ms'],
        autoCommitIntervalMs: port.config['auto.commit.interval.ms'],
        clock,
        random,
        disk,
        logger,
        onAssignment: (owned) => this.#post({ type: 'assigned', partitions: owned.map(topicPartitionKey) }),
      })
      await this.#pipeline.run()
    } finally {
      loaded.close()
      await producer?.close(0)
      await port.close(0)
    }
  }

  /** Only for applications that may send something: a worker loads what it needs. */
  async #producer(properties: PropertyBag): Promise<ProducerPort | undefined> {
    const { application, consumer } = this.#spec
    if (!application.handler && application.onFailure !== 'dead-letter') return undefined
    const { KafkaProducerPort } = await import('./kafka-producer-port.ts')
    return new KafkaProducerPort({
      consumer: properties,
      producer: application.producer,
      transactionalIdPrefix: `${application.groupId}-${consumer}`,
      seams: this.#environment.seams,
    })
  }

  async #target(
    port: KafkaPort,
    producer: ProducerPort | undefined,
  ): Promise<Pick<PipelineOptions, 'target' | 'targetName' | 'commits'>> {
    const { application } = this.#spec
    const { sink, handler } = application
    if (!handler) {
      const target = sinkTarget(this.#environment.sinks.configure(sink!).create())
      return { target, targetName: String(sink!['type']) }
    }
    const [{ HandlerTarget }, { loadHandler }, { TransactionalCommits }] = await Promise.all([
      import('./handler-target.ts'),
      import('./handler-module.ts'),
      import('./transactional-commits.ts'),
    ])
    const { file, ...settings } = handler
    const loaded = await loadHandler(file)
    const target = new HandlerTarget({
      ...settings,
      handler: loaded,
      application: application.groupId,
      producer: producer!,
    })
    const commits = settings.isExactlyOnce
      ? new TransactionalCommits(producer!, target, () => port.groupMetadata(), this.#environment.seams.clock)
      : undefined
    return { target, targetName: 'handler', ...(commits ? { commits } : {}) }
  }
}

/** Twenty consumers in one log: each line says whose it is. */
function namedLogger(logger: Logger, { consumer, application: { groupId } }: WorkerSpec): Logger {
  const at = (level: keyof Logger) => (fields: object, message: string) =>
    logger[level]({ application: groupId, consumer, ...fields }, `${groupId} ${consumer}: ${message}`)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** The cluster's id is needed before anything is read. Tries until a broker answers; undefined when the worker is told to stop. */
async function connect(
  port: KafkaPort,
  { seams }: WorkerEnvironment,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return (await port.clusterId({ timeoutMs: CONNECT_MS, signal })) ?? ''
    } catch (error) {
      if (signal.aborted) return undefined
      if (!(error instanceof SluiceError && error.retriable)) throw error
      // The supervisor has said where no broker can be reached; this is one that accepts connections and does not answer.
      seams.logger.warn({ attempt }, `the cluster does not answer: ${error.message}. Trying again`)
      await seams.clock.sleep(1000, signal)
    }
  }
  return undefined
}

function failureOf(error: unknown): WorkerFailure {
  if (error instanceof SluiceError) {
    return { code: error.code, message: error.message, stack: undefined, isRetriable: error.retriable }
  }
  const stack = error instanceof Error ? error.stack : undefined
  return { code: undefined, message: error instanceof Error ? error.message : String(error), stack, isRetriable: true }
}
