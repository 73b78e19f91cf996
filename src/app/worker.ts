/**
 * One consumer of an application, from its first connection to its last. What goes in (`WorkerSpec`, `WorkerCommand`) and
 * what comes out (`WorkerMessage`) is plain data, so that a worker can as well live in a thread or a process of its own; who launches it and
 * where is worker-host.ts.
 *
 *     launched ─▶ connecting ─▶ running ─stop─▶ stopping ─▶ stopped
 *                     └───────────┴── a failure ──────────▶ failed
 */
import type { ClientSeams } from '../client/seams.ts'
import { SluiceError } from '../error.ts'
import { topicPartitionKey } from '../protocol/records/topic-partition.ts'
import type { Disk } from '../seams/disk.ts'
import type { Logger } from '../seams/logger.ts'
import type { SinkRegistry } from '../sinks/sink.ts'
import type { ApplicationConf } from './conf.ts'
import { KafkaPort } from './kafka-port.ts'
import { Pipeline } from './pipeline.ts'

/** Plain data: all that a worker is told. */
export interface WorkerSpec {
  /** `consumer-thread-0`. */
  readonly consumer: string
  readonly application: ApplicationConf
}

export type WorkerCommand = { readonly type: 'stop' } | { readonly type: 'report' }

export interface WorkerCounts {
  /** Records that polls returned, that the store has, and offsets that were committed, since the start. */
  readonly polled: number
  readonly stored: number
  readonly committed: number
}

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
  | { readonly type: 'report'; readonly counts: WorkerCounts }
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
const noCounts: WorkerCounts = { polled: 0, stored: 0, committed: 0 }

export class Worker {
  readonly #spec: WorkerSpec
  readonly #environment: WorkerEnvironment
  readonly #post: (message: WorkerMessage) => void
  readonly #stop = new AbortController()
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
        this.#post({ type: 'report', counts: this.#counts })
        break
    }
  }

  get #counts(): WorkerCounts {
    return this.#pipeline?.counts ?? noCounts
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
    const { seams, disk, sinks } = this.#environment
    const { clock, random, logger } = seams
    const properties = { 'client.id': `${application.groupId}-${consumer}`, ...application.properties }
    const port = new KafkaPort(application, properties, seams)
    try {
      const clusterId = await connect(port, this.#environment, this.#stop.signal)
      if (clusterId === undefined) return
      this.#pipeline = new Pipeline({
        port,
        sink: sinks.configure(application.sink).create(),
        sinkName: String(application.sink['type']),
        application: application.groupId,
        consumer,
        consumerCount: application.consumers,
        clusterId,
        value: application.value,
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
      await port.close(0)
    }
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
