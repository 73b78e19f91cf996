/** The part of a consumer.conf that says what a handler is, how it is called, and what becomes of what fails. */
import { dirname, resolve } from 'node:path'
import { parseProducerConfig, type PropertyBag } from '../client/config.ts'
import { ConfigError } from '../client/errors.ts'
import { type Guarantee, guarantees } from '../sinks/sink.ts'
import { step } from './conf-references.ts'
import { shown } from './conf-shown.ts'
import type { EntryReader } from './conf.ts'
import { type OnFailure, onFailures } from './failure-policy.ts'
import { isTopicName, topicNameRule } from './topic-name.ts'
import { type Order, orders, type RetrySettings } from './handler-lane.ts'

/** Plain data. */
export interface HandlerConf {
  /** As it was written. */
  readonly module: string
  /** The same, absolute: a relative one begins at the conf's folder. */
  readonly file: string
  readonly order: Order
  /** Handlers of one consumer that run at once; Infinity for one a partition. */
  readonly concurrency: number
  /** For a batch handler, which the module alone says whether it is; undefined where the conf says nothing. */
  readonly batchRecords: number | undefined
  readonly retry: RetrySettings
  /** Output and offsets in one transaction. */
  readonly isExactlyOnce: boolean
}

export interface Handling {
  readonly handler: HandlerConf | undefined
  readonly onFailure: OnFailure
  readonly deadLetterTopic: string | undefined
  readonly producer: PropertyBag
  /** What holds for the consumer unless its own entry says otherwise. */
  readonly consumerDefaults: PropertyBag
}

export const handlerNames = {
  handler: 'Module whose function gets each record, in place of a sink: a path from the folder of this file.',
  order:
    'What is handled one after the other: the records of a `partition` (default), those with the same `key`, or nothing (`unordered`).',
  concurrency:
    'Handlers of one consumer that run at once (default 100 with `order` `key` or `unordered`; one a partition otherwise).',
  'batch.records': 'Records of one partition that `handleBatch` is given at most (default 500).',
  'handler.retries': 'Attempts after the first that failed (default 9).',
  'handler.retry.backoff.ms': 'Wait before the second attempt, doubling, spread by a fifth (default 500).',
  'handler.retry.backoff.max.ms': 'The longest such wait (default 30000).',
  'on.failure':
    'What becomes of a record whose handler failed for good, whose value cannot be read, or that the store refuses: `stop` (default), `skip` or `dead-letter`.',
  'dead.letter.topic': 'Where such records go with `dead-letter` (default: the topic with `-dlt` behind it).',
  'exactly.once':
    'Whether what a handler sends and the offsets are committed in one Kafka transaction (default false). Implies `isolation.level` `read_committed`.',
  producer: 'Properties of the producer for what handlers send and for dead letters: an object of Kafka’s names.',
} as const

const onlyWithHandler = [
  'order',
  'concurrency',
  'batch.records',
  'handler.retries',
  'handler.retry.backoff.ms',
  'handler.retry.backoff.max.ms',
  'exactly.once',
] as const

/** Say how often a store is flushed, and there is none. */
const onlyWithSink = ['flush.records', 'flush.bytes', 'flush.interval.ms'] as const

const DEFAULT_CONCURRENCY = 100
export const DEFAULT_BATCH_RECORDS = 500
/** Kafka Streams' own: what is committed is what others see. */
const EXACTLY_ONCE_COMMIT_MS = 100

export function readHandling(entry: EntryReader, file: string, reads: ReadTopics): Handling {
  const module = entry.text('handler', 'the path of a module, for example "./charge.ts"')
  const order = entry.choice('order', orders) ?? 'partition'
  const concurrency = entry.integer('concurrency', 1, 10_000)
  const batchRecords = entry.integer('batch.records', 1, 1_000_000)
  const retries = entry.integer('handler.retries', 0) ?? 9
  const backoffMs = entry.integer('handler.retry.backoff.ms', 0) ?? 500
  const backoffMaxMs = entry.integer('handler.retry.backoff.max.ms', 0) ?? Math.max(30_000, backoffMs)
  const isExactlyOnce = entry.boolean('exactly.once') ?? false
  const onFailure = entry.choice('on.failure', onFailures) ?? 'stop'
  const deadLetterTopic = readDeadLetterTopic(entry, onFailure, reads)
  const producer = readProducer(entry)
  if (backoffMaxMs < backoffMs) {
    entry.problem(
      'handler.retry.backoff.max.ms',
      `is ${backoffMaxMs}, and "handler.retry.backoff.ms" is ${backoffMs}: the longest wait is below the first`,
    )
  }
  if (module !== undefined && entry.has('sink')) {
    entry.problem('sink', `stands beside "handler": ${shown(module)}, and records go to one of them: leave one out`)
  }
  checkBeside(entry, isExactlyOnce)
  if (isExactlyOnce && entry.has('isolation.level') && entry.values['isolation.level'] !== 'read_committed') {
    entry.problem(
      'isolation.level',
      `is ${shown(entry.values['isolation.level'])}, and must be read_committed with "exactly.once", or what others aborted is handled: leave it out`,
    )
  }
  const handler =
    module === undefined
      ? undefined
      : {
          module,
          file: resolve(dirname(resolve(file)), module),
          order,
          concurrency: concurrency ?? (order === 'partition' ? Number.POSITIVE_INFINITY : DEFAULT_CONCURRENCY),
          batchRecords,
          retry: { retries, backoffMs, backoffMaxMs },
          isExactlyOnce,
        }
  const consumerDefaults = isExactlyOnce
    ? { 'isolation.level': 'read_committed', 'auto.commit.interval.ms': EXACTLY_ONCE_COMMIT_MS }
    : {}
  return { handler, onFailure, deadLetterTopic, producer, consumerDefaults }
}

/** Settings that say nothing where a handler stands, or where none does: to take them in silence would promise what is not done. */
function checkBeside(entry: EntryReader, isExactlyOnce: boolean): void {
  const said = (name: string) => `is ${shown(entry.values[name])}, and`
  if (!entry.has('handler')) {
    for (const name of onlyWithHandler)
      if (entry.has(name)) entry.problem(name, `${said(name)} is of use with a "handler" only, and there is none`)
    return
  }
  for (const name of onlyWithSink) {
    if (!entry.has(name)) continue
    entry.problem(
      name,
      `${said(name)} says how often a store is flushed; a "handler" has none: leave it out ("commit" and "auto.commit.interval.ms" say when offsets are committed)`,
    )
  }
  const promised: Guarantee = isExactlyOnce ? 'idempotent' : 'at-least-once'
  const demanded = entry.values['guarantee']
  if (typeof demanded === 'string' && rankOf(demanded) !== -1 && rankOf(demanded) < rankOf(promised)) {
    const allowed = guarantees.slice(rankOf(promised)).join(', ')
    entry.problem(
      'guarantee',
      `${said('guarantee')} a handler ${isExactlyOnce ? 'with "exactly.once"' : 'without "exactly.once"'} promises "${promised}": it must be one of ${allowed}`,
    )
  }
}

/** What an application reads, by name or by pattern. */
export interface ReadTopics {
  readonly topics: readonly string[]
  readonly topicsPattern: string | undefined
}

function readDeadLetterTopic(
  entry: EntryReader,
  onFailure: OnFailure,
  { topics, topicsPattern }: ReadTopics,
): string | undefined {
  const name = entry.text('dead.letter.topic', topicNameRule)
  if (name === undefined) return undefined
  const said = `is ${shown(name)}, and`
  if (!isTopicName(name)) return entry.problem('dead.letter.topic', `${said} must be ${topicNameRule}`)
  if (onFailure !== 'dead-letter') {
    return entry.problem(
      'dead.letter.topic',
      `${said} is of use with "on.failure": "dead-letter" only, and that is "${onFailure}"`,
    )
  }
  const isRead = topics.includes(name) || (topicsPattern !== undefined && new RegExp(topicsPattern).test(name))
  if (!isRead) return name
  const by = topics.includes(name) ? '"topic"' : `"topics.pattern"`
  return entry.problem(
    'dead.letter.topic',
    `${said} is read by this application (${by}): what fails would come back for ever. Name a topic that it does not read`,
  )
}

function rankOf(guarantee: string): number {
  return (guarantees as readonly string[]).indexOf(guarantee)
}

/** Sluice decides on these: a dead letter or an output that is not safe would lose a record. */
const decided = ['transactional.id', 'acks', 'enable.idempotence', 'key.serializer', 'value.serializer'] as const

function readProducer(entry: EntryReader): PropertyBag {
  const properties = (entry.object('producer', '{"compression.type": "lz4"}') ?? {}) as PropertyBag
  const at = entry.at('producer')
  const problem = (name: string, message: string) => entry.nested(step(at, name), message)
  for (const name of decided)
    if (name in properties) problem(name, `is ${shown(properties[name])}, and is decided by Sluice: leave it out`)
  if (entry.has('producer') && !entry.has('handler') && entry.values['on.failure'] !== 'dead-letter') {
    entry.problem(
      'producer',
      'is of use with a "handler" or with "on.failure": "dead-letter" only, and there is neither',
    )
  }
  const own = Object.entries(properties).filter(([name]) => !(decided as readonly string[]).includes(name))
  // One at a time first, so that each problem has its place in the file; then together.
  const problemsBefore = entry.problemCount
  for (const [name, value] of own) {
    for (const one of problemsOf({ 'bootstrap.servers': 'any:9092', [name]: value })) {
      if (one.startsWith(`${name} `) && !one.startsWith(`${name} (`)) problem(name, one.slice(name.length + 1))
    }
  }
  if (entry.problemCount > problemsBefore) return properties
  for (const one of problemsOf({ 'bootstrap.servers': 'any:9092', ...Object.fromEntries(own) })) entry.nested(at, one)
  return properties
}

function problemsOf(properties: PropertyBag): readonly string[] {
  try {
    parseProducerConfig(properties)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}
