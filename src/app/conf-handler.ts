/** The part of a consumer.conf that says what a handler is, how it is called, and what becomes of what fails. */
import { dirname, resolve } from 'node:path'
import { parseProducerConfig, type PropertyBag } from '../client/config.ts'
import { ConfigError } from '../client/errors.ts'
import type { EntryReader } from './conf.ts'
import { type OnFailure, onFailures } from './failure-policy.ts'
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
  readonly batchRecords: number
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

const DEFAULT_CONCURRENCY = 100
/** Kafka Streams' own: what is committed is what others see. */
const EXACTLY_ONCE_COMMIT_MS = 100

export function readHandling(entry: EntryReader, file: string): Handling {
  const module = entry.text('handler', 'the path of a module, for example "./charge.ts"')
  const order = entry.choice('order', orders) ?? 'partition'
  const concurrency = entry.integer('concurrency', 1, 10_000)
  const batchRecords = entry.integer('batch.records', 1, 1_000_000) ?? 500
  const retries = entry.integer('handler.retries', 0) ?? 9
  const backoffMs = entry.integer('handler.retry.backoff.ms', 0) ?? 500
  const backoffMaxMs = entry.integer('handler.retry.backoff.max.ms', 0) ?? Math.max(30_000, backoffMs)
  const isExactlyOnce = entry.boolean('exactly.once') ?? false
  const onFailure = entry.choice('on.failure', onFailures) ?? 'stop'
  const deadLetterTopic = entry.text('dead.letter.topic', "a topic's name")
  const producer = readProducer(entry)
  if (backoffMaxMs < backoffMs) {
    entry.problem(
      'handler.retry.backoff.max.ms',
      `is ${backoffMaxMs}, and "handler.retry.backoff.ms" is ${backoffMs}: the longest wait is below the first`,
    )
  }
  if (module !== undefined && entry.has('sink')) {
    entry.problem('sink', 'stands beside "handler": records go to one of them')
  }
  if (!entry.has('handler')) {
    for (const name of onlyWithHandler)
      if (entry.has(name)) entry.problem(name, 'is of use with a "handler" only, and there is none')
  }
  if (deadLetterTopic !== undefined && onFailure !== 'dead-letter') {
    entry.problem('dead.letter.topic', `is of use with "on.failure": "dead-letter" only, and that is "${onFailure}"`)
  }
  if (isExactlyOnce && entry.has('isolation.level') && entry.values['isolation.level'] !== 'read_committed') {
    entry.problem(
      'isolation.level',
      'must be read_committed with "exactly.once", or what others aborted is handled: leave it out',
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

/** Sluice decides on these: a dead letter or an output that is not safe would lose a record. */
const decided = ['transactional.id', 'acks', 'enable.idempotence', 'key.serializer', 'value.serializer'] as const

function readProducer(entry: EntryReader): PropertyBag {
  const properties = (entry.object('producer', '{"compression.type": "lz4"}') ?? {}) as PropertyBag
  const at = entry.at('producer')
  for (const name of decided)
    if (name in properties) entry.nested(`${at}.${name}`, 'is decided by Sluice: leave it out')
  try {
    parseProducerConfig({ 'bootstrap.servers': 'any:9092', ...properties })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const problem of error.problems) entry.nested(at, problem)
  }
  return properties
}
