/**
 * Topics of the subscription that do not exist. A consumer waits for them in silence, and asks for them again only as often as its metadata grow
 * old (five minutes): here they are asked for every few seconds, so that one that is created is read at once. What is said about them is the supervisor's, once
 * for all consumers of an application.
 */
import type { Consumer } from '../client/consumer/consumer.ts'
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import type { ApplicationConf } from './conf.ts'

const AGAIN_MS = 3000
const ASK_MS = 1000

export class MissingTopics {
  readonly #consumer: Pick<Consumer, 'missingTopics' | 'partitionsFor'>
  readonly #clock: Clock
  readonly #onChange: (topics: readonly string[]) => void
  #known: readonly string[] = []
  #askedAt = 0

  constructor(
    consumer: Pick<Consumer, 'missingTopics' | 'partitionsFor'>,
    clock: Clock,
    onChange: (topics: readonly string[]) => void,
  ) {
    this.#consumer = consumer
    this.#clock = clock
    this.#onChange = onChange
  }

  /** Called before each poll. Asks a broker only when topics were missing, and not each time. Never throws. */
  async look(signal: AbortSignal): Promise<void> {
    if (this.#known.length > 0 && this.#clock.monotonic() - this.#askedAt >= AGAIN_MS) {
      this.#askedAt = this.#clock.monotonic()
      for (const topic of this.#known) {
        // Brokers that do not answer are the poll's to deal with.
        await this.#consumer.partitionsFor(topic, { timeoutMs: ASK_MS, signal }).catch(() => {})
      }
    }
    const missing = this.#consumer.missingTopics()
    if (missing.length === this.#known.length && missing.every((topic) => this.#known.includes(topic))) return
    if (this.#known.length === 0) this.#askedAt = this.#clock.monotonic()
    this.#known = missing
    this.#onChange(missing)
  }
}

interface Waiting {
  readonly application: ApplicationConf
  readonly status: { readonly missingTopics: readonly string[] }
}

/** Says what is missing, once for all consumers of an application, and when it is there. */
export class MissingTopicNotices {
  readonly #logger: Logger
  readonly #said = new Map<ApplicationConf, Set<string>>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  look(application: ApplicationConf, consumers: readonly Waiting[]): void {
    const { groupId, properties } = application
    const own = consumers.filter((one) => one.application === application)
    const missing = new Set(own.flatMap(({ status }) => status.missingTopics))
    const said = this.#said.get(application) ?? new Set()
    this.#said.set(application, said)
    for (const topic of missing) {
      if (said.has(topic)) continue
      said.add(topic)
      this.#logger.warn(
        { application: groupId, topic },
        `${groupId}: the topic ${topic} does not exist, and nothing of it is read. If its name is right, create it: ` +
          `sluice topics create ${topic} --bootstrap-server ${String(properties['bootstrap.servers'])}; it is read as soon as it is there`,
      )
    }
    for (const topic of said) {
      if (missing.has(topic)) continue
      said.delete(topic)
      this.#logger.info({ application: groupId, topic }, `${groupId}: the topic ${topic} exists now, and is read`)
    }
  }
}

/** The client says it too, for each consumer anew and without knowing what to do: that is for who looks closely. */
export function withoutMissingTopics(logger: Logger): Logger {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) =>
      logger[(fields as { code?: unknown }).code === 'UNKNOWN_TOPIC_OR_PARTITION' ? 'debug' : 'warn'](fields, message),
    error: (fields, message) => logger.error(fields, message),
  }
}
