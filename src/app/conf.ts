/**
 * consumer.conf: which applications a process runs. Three forms:
 *
 *     {"topic": "click_log", "group.id": "hadoop-consumers"}                       one consumer
 *     {"topic": "click_log", "group.id": "hadoop-consumers", "consumer.no": 20}    n consumers, one group
 *     [ {…, "consumer.no": 20}, {…, "consumer.no": 1} ]                            n consumers, many groups
 *
 * Any Java consumer property stands beside these. The whole file is checked before anything is started, and every problem is said at
 * once, with its place in the file. The answer is plain data, fit to be sent to another thread or process.
 */
import { nearestName, parseConsumerConfig, type PropertyBag, type PropertyValue } from '../client/config.ts'
import { ConfigError } from '../client/errors.ts'
import { consumerProperties } from '../client/properties.ts'
import { guarantees, type Guarantee, SinkOptionsError, type SinkRegistry } from '../sinks/sink.ts'
import { type HandlerConf, handlerNames, readHandling } from './conf-handler.ts'
import { type ReferenceSources, resolveReferences, step } from './conf-references.ts'
import { shown } from './conf-shown.ts'
import { parseConfText } from './conf-text.ts'
import { readValues, registryNames, type ValuesConf } from './conf-values.ts'
import { ConfError, type ConfProblem } from './errors.ts'
import type { OnFailure } from './failure-policy.ts'
import type { RestartBound } from './restarts.ts'
import { isSecretName, redactor, secretsIn } from './secrets.ts'
import { isTopicName, topicNameRule } from './topic-name.ts'

export type CommitStrategy = 'auto' | 'sync' | 'async' | 'record'

/** One application: one group, `consumers` members of it in this process. Plain data. */
export interface ApplicationConf extends ValuesConf {
  /** Where it stands in the file: `[1]`, or empty when it is the only one. */
  readonly path: string
  readonly groupId: string
  /** Topics by name; empty when `topicsPattern` says which. */
  readonly topics: readonly string[]
  /** Source of the regular expression that whole topic names must match. */
  readonly topicsPattern: string | undefined
  readonly consumers: number
  readonly commit: CommitStrategy
  /** The least that the store must promise; undefined takes what it does. */
  readonly guarantee: Guarantee | undefined
  /** The `sink` object as it was written, validated; `{ type: 'stdout' }` when there is neither it nor a handler; undefined with a handler. */
  readonly sink: Readonly<Record<string, unknown>> | undefined
  readonly handler: HandlerConf | undefined
  /** What becomes of a record whose handler failed for good, that cannot be decoded, or that the store refuses. */
  readonly onFailure: OnFailure
  /** undefined: the record's topic with `-dlt` behind it. */
  readonly deadLetterTopic: string | undefined
  /** Properties of the producer that handlers and dead letters are sent with, above those of the consumer that it has too. */
  readonly producer: PropertyBag
  readonly shutdownTimeoutMs: number
  /** Each consumer in a thread of its own; false keeps them on the main thread. */
  readonly threads: boolean
  /** Megabytes of JavaScript objects a thread may hold; undefined leaves it to Node. */
  readonly threadMemoryMb: number | undefined
  /** How often a consumer that crashed is started again. */
  readonly restart: RestartBound
  readonly flush: { readonly records?: number; readonly bytes?: number; readonly intervalMs?: number }
  /** Bytes of records that one consumer holds before it stops fetching. */
  readonly bufferBytes: number
  /** Properties of the consumer, Java's names, defaults of applications filled in. */
  readonly properties: PropertyBag
  /** Texts out of the conf that nobody may read: never printed, and searched for in what is. */
  readonly secrets: readonly string[]
}

export interface ConfOptions {
  readonly sinks: SinkRegistry
  /** Properties for every application that does not say them itself. */
  readonly defaults?: PropertyBag
  /** Where `${NAME}` and `${file:/path}` are looked up. Without it, nothing is set and no file can be read. */
  readonly references?: ReferenceSources
}

/** The names of an application's own, which are no properties of Java's. */
export const applicationNames = {
  topic: 'Topic to read: a name, or a list of names.',
  'topics.pattern': 'Regular expression of topics to read, in place of `topic`; a whole name must match.',
  'consumer.no': 'Consumers of this group in this process (default 1).',
  sink: 'Where records go: `{"type": …}` with the options of that sink. Without it, standard output.',
  value:
    'What a value is: `string` (default), `json`, `bytes`, `integer`, `long`, `short`, `float`, `double`, `boolean`, `uuid`; with a schema registry `avro`, `protobuf`, `json-schema`; or the path of a module of your own, relative to this file: [values](values.md).',
  key: 'What a key is, likewise. Without it, text; bytes where `value` is `bytes`.',
  ...registryNames,
  commit: 'When offsets are committed: `auto` (default), `sync`, `async` or `record`.',
  guarantee:
    'The least the store must promise: `transactional`, `create-once`, `idempotent`, `at-least-once`, `best-effort`.',
  'shutdown.timeout.ms': 'How long a shutdown may take (default 30000).',
  'flush.records': 'Records of one partition after which the store is flushed, in place of the sink’s own pace.',
  'flush.bytes': 'Bytes of one partition after which the store is flushed (default 16777216).',
  'flush.interval.ms': 'Milliseconds after which the store is flushed, in place of the sink’s own pace.',
  threads: 'Whether each consumer runs in a thread of its own (default true); `false` keeps them on one thread.',
  'thread.memory.mb':
    'Megabytes of JavaScript objects that a consumer’s thread may hold; records on their way are not among them. Without it, Node decides.',
  'restart.max':
    'How often a consumer that crashed is started again within the window, before the process stops with its error (default 10; 0: never).',
  'restart.window.ms': 'The window in which restarts are counted (default 600000).',
  'buffer.bytes': 'Bytes of records that one consumer holds before it stops fetching (default 67108864).',
  ...handlerNames,
} as const

const mostConsumers = 1000
const knownNames = [...Object.keys(applicationNames), ...Object.keys(consumerProperties)]

/** Reads a consumer.conf. `file` names it in messages and by its extension. Throws `ConfError` with every problem in it. */
export function parseConf(text: string, file: string, options: ConfOptions): readonly ApplicationConf[] {
  return checkConf(parseConfText(text, file), file, options)
}

/** The same for values that have been parsed already. */
export function checkConf(values: unknown, file: string, options: ConfOptions): readonly ApplicationConf[] {
  const problems: ConfProblem[] = []
  const resolved = resolveReferences(values, options.references ?? noReferences, problems)
  const entries = Array.isArray(resolved.values) ? resolved.values : [resolved.values]
  if (entries.length === 0) problems.push({ path: '', message: 'is an empty list: at least one application is needed' })
  const applications = entries.map((entry, index) => {
    const reader = new EntryReader(entry, Array.isArray(values) ? `[${index}]` : '', problems)
    return readApplication(reader, options, file)
  })
  const secrets = [...secretsIn(resolved.secrets, () => true), ...secretsIn(resolved.values, isNearSecret)]
  for (const secret of resolved.secrets) secrets.push(secret)
  if (problems.length > 0) {
    const redact = redactor(secrets)
    throw new ConfError(
      file,
      problems.map(({ path, message }) => ({ path, message: redact(message) })),
    )
  }
  return applications.map((application) => ({ ...application!, secrets }))
}

const noReferences: ReferenceSources = {
  env: {},
  readText: () => {
    throw new Error('files are not read here')
  },
}

/** A name with a typing error in it still holds what it was meant to hold. */
function isNearSecret(name: string): boolean {
  return isSecretName(nearestName(name, knownNames) ?? '')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Reads one entry's values by name and notes what is wrong with them. */
export class EntryReader {
  readonly path: string
  readonly values: Readonly<Record<string, unknown>>
  readonly #problems: ConfProblem[]
  readonly #problemsBefore: number

  constructor(entry: unknown, path: string, problems: ConfProblem[]) {
    this.path = path
    this.#problems = problems
    this.#problemsBefore = problems.length
    this.values = isObject(entry) ? entry : {}
    if (!isObject(entry)) {
      problems.push({ path, message: `is ${shown(entry)}, and must be an object: {"topic": …, "group.id": …}` })
    }
  }

  get sound(): boolean {
    return this.#problems.length === this.#problemsBefore
  }

  get problemCount(): number {
    return this.#problems.length
  }

  at(name: string): string {
    if (name === '') return this.path
    return step(this.path, name)
  }

  problem(name: string, message: string): undefined {
    this.#problems.push({ path: this.at(name), message })
  }

  nested(path: string, message: string): void {
    this.#problems.push({ path, message })
  }

  has(name: string): boolean {
    return this.values[name] !== undefined
  }

  choice<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.values[name]
    if (value === undefined) return undefined
    if (typeof value === 'string' && (allowed as readonly string[]).includes(value)) return value as T
    const nearest = typeof value === 'string' ? nearestName(value, allowed) : undefined
    return this.problem(
      name,
      `is ${shown(value)}, and must be one of ${allowed.join(', ')}${nearest ? `; did you mean "${nearest}"?` : ''}`,
    )
  }

  text(name: string, what: string): string | undefined {
    const value = this.values[name]
    if (value === undefined) return undefined
    if (typeof value === 'string' && value !== '') return value
    return this.problem(name, `is ${shown(value)}, and must be ${what}`)
  }

  object(name: string, what: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.values[name]
    if (value === undefined) return undefined
    return isObject(value) ? value : this.problem(name, `is ${shown(value)}, and must be an object: ${what}`)
  }

  /** `"true"` and `"false"` are taken too. */
  boolean(name: string): boolean | undefined {
    const value = this.values[name]
    if (value === undefined) return undefined
    const text = typeof value === 'string' ? value.trim().toLowerCase() : value
    if (text === true || text === 'true') return true
    if (text === false || text === 'false') return false
    return this.problem(name, `is ${shown(value)}, and must be true or false`)
  }

  /** Numbers as strings are taken too, as everywhere in Kafka's own configuration. */
  integer(name: string, min: number, max = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.values[name]
    if (value === undefined) return undefined
    const number = typeof value === 'string' && /^[+-]?\d+$/.test(value.trim()) ? Number(value) : value
    if (typeof number === 'number' && Number.isSafeInteger(number) && number >= min && number <= max) return number
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
    return this.problem(name, `is ${shown(value)}, and must be a whole number ${range}`)
  }
}

function readApplication(
  entry: EntryReader,
  { sinks, defaults, references }: ConfOptions,
  file: string,
): ApplicationConf | undefined {
  if (!entry.sound) return undefined
  for (const name of Object.keys(entry.values)) if (!knownNames.includes(name)) unknownName(entry, name)
  const { topics, topicsPattern } = readTopics(entry)
  const consumers = entry.integer('consumer.no', 1, mostConsumers) ?? 1
  const values = readValues(entry, { confFile: file, readText: references?.readText })
  const commit = readCommit(entry)
  const guarantee = entry.choice('guarantee', guarantees)
  const sink = entry.has('handler') ? undefined : readSink(entry, sinks)
  const shutdownTimeoutMs = entry.integer('shutdown.timeout.ms', 0) ?? 30_000
  const threads = entry.boolean('threads') ?? true
  const threadMemoryMb = entry.integer('thread.memory.mb', 16)
  const restart = {
    max: entry.integer('restart.max', 0) ?? 10,
    windowMs: entry.integer('restart.window.ms', 1) ?? 600_000,
  }
  const flush = {
    records: entry.integer('flush.records', 1),
    bytes: entry.integer('flush.bytes', 1),
    intervalMs: entry.integer('flush.interval.ms', 1),
  }
  const bufferBytes = entry.integer('buffer.bytes', 1024) ?? 64 * 1024 * 1024
  const handling = readHandling(entry, file, { topics, topicsPattern })
  const properties = readProperties(entry, { ...handling.consumerDefaults, ...defaults })
  if (consumers > 1 && properties['group.instance.id'] !== undefined) {
    entry.problem('group.instance.id', `names one member, and "consumer.no" is ${consumers}: leave it out`)
  }
  if (!entry.sound) return undefined
  const groupId = String(entry.values['group.id'])
  return {
    path: entry.path,
    groupId,
    topics,
    topicsPattern,
    consumers,
    ...values,
    commit,
    guarantee,
    sink,
    handler: handling.handler,
    onFailure: handling.onFailure,
    deadLetterTopic: handling.deadLetterTopic,
    producer: handling.producer,
    shutdownTimeoutMs,
    threads,
    threadMemoryMb,
    restart,
    flush,
    bufferBytes,
    properties,
    secrets: [],
  }
}

function unknownName(entry: EntryReader, name: string): void {
  const nearest = nearestName(name, knownNames)
  entry.problem(
    name,
    `is neither a setting of applications nor a property of Kafka's consumer` +
      `${nearest ? `; did you mean "${nearest}"?` : ''} (its value is ${shown(entry.values[name])})`,
  )
}

function readTopics(entry: EntryReader): { topics: readonly string[]; topicsPattern: string | undefined } {
  const { topic, 'topics.pattern': pattern } = entry.values
  const none = { topics: [], topicsPattern: undefined }
  if (topic !== undefined && pattern !== undefined) {
    entry.problem('topics.pattern', 'stands beside "topic": only one of them can say what to read')
    return none
  }
  if (pattern !== undefined) {
    if (typeof pattern !== 'string' || pattern === '') {
      entry.problem('topics.pattern', `is ${shown(pattern)}, and must be a regular expression`)
      return none
    }
    try {
      return { topics: [], topicsPattern: new RegExp(`^(?:${pattern})$`).source }
    } catch (error) {
      entry.problem('topics.pattern', `is ${shown(pattern)}: ${(error as Error).message}`)
      return none
    }
  }
  if (topic === undefined) {
    entry.problem('topic', 'is missing: say which topic to read, for example "topic": "click_log"')
    return none
  }
  const topics: unknown[] = Array.isArray(topic) ? topic : [topic]
  if (topics.length === 0) entry.problem('topic', 'is an empty list: at least one topic is needed')
  for (const [index, name] of topics.entries()) {
    if (isTopicName(name)) continue
    const where = Array.isArray(topic) ? `${entry.at('topic')}[${index}]` : entry.at('topic')
    entry.nested(where, `is ${shown(name)}, and must be ${topicNameRule}`)
  }
  return { topics: [...new Set(topics as string[])], topicsPattern: undefined }
}

/** `enable.auto.commit` keeps Java's meaning where it stands alone: false is what makes Java programs call commitSync. */
function readCommit(entry: EntryReader): CommitStrategy {
  const commit = entry.choice('commit', ['auto', 'sync', 'async', 'record'])
  const enabled = entry.values['enable.auto.commit']
  if (enabled === undefined) return commit ?? 'auto'
  const text = typeof enabled === 'string' ? enabled.toLowerCase() : shown(enabled)
  // A value that is neither is said by the check of the consumer's properties.
  if (text !== 'true' && text !== 'false') return commit ?? 'auto'
  const isAuto = text === 'true'
  if (commit !== undefined && isAuto !== (commit === 'auto')) {
    entry.problem('enable.auto.commit', `is ${text}, and "commit" is "${commit}": leave one of them out`)
  }
  return commit ?? (isAuto ? 'auto' : 'sync')
}

function readSink(entry: EntryReader, sinks: SinkRegistry): Readonly<Record<string, unknown>> {
  const { sink } = entry.values
  if (sink === undefined || sink === null) return { type: 'stdout' }
  const names = sinks.definitions.map(({ name }) => name).join(', ')
  if (!isObject(sink)) {
    entry.problem('sink', `is ${shown(sink)}, and must be an object: {"type": one of ${names}, …}`)
    return {}
  }
  try {
    sinks.configure(sink, entry.at('sink'))
  } catch (error) {
    if (!(error instanceof SinkOptionsError)) throw error
    for (const line of error.message.split('\n')) {
      // The registry says the place first: `[1].sink.formt is no option …`.
      const at = line.indexOf(' is ')
      if (at > 0) entry.nested(line.slice(0, at), line.slice(at + 1))
      else entry.nested(entry.at('sink'), line)
    }
  }
  return sink
}

/**
 * Java's defaults, but for one: without a committed offset an application begins at the earliest record. Java's `latest` would skip, without
 * a word, what was produced before the first start; an application that stores records must not (docs/decisions).
 */
const applicationDefaults: PropertyBag = { 'bootstrap.servers': '127.0.0.1:9092', 'auto.offset.reset': 'earliest' }

function readProperties(entry: EntryReader, defaults: PropertyBag): PropertyBag {
  const given = Object.entries(entry.values).filter(
    ([name]) =>
      Object.hasOwn(consumerProperties, name) && name !== 'enable.auto.commit' && !name.endsWith('.deserializer'),
  ) as [string, PropertyValue][]
  if (!entry.has('group.id')) {
    entry.problem('group.id', 'is missing: say which group reads, for example "group.id": "file-consumers"')
  }
  const base: PropertyBag = { ...applicationDefaults, ...defaults }
  const problemsBefore = entry.sound
  // One at a time first, so that each problem has its place in the file.
  const checked = [...given]
  if (entry.has('enable.auto.commit')) {
    checked.push(['enable.auto.commit', entry.values['enable.auto.commit'] as PropertyValue])
  }
  for (const [name, value] of checked) {
    const alone = { 'bootstrap.servers': base['bootstrap.servers'], 'group.id': 'any', [name]: value }
    for (const problem of problemsOf(alone)) {
      // `name (…` is how properties are compared with each other; that is for all of them together, below.
      const isOwn = problem.startsWith(`${name} `) && !problem.startsWith(`${name} (`)
      if (isOwn) entry.problem(name, problem.slice(name.length + 1))
    }
  }
  const properties = { ...base, ...Object.fromEntries(given), 'enable.auto.commit': false }
  if (problemsBefore && entry.sound) for (const problem of problemsOf(properties)) entry.problem('', problem)
  return properties
}

function problemsOf(properties: PropertyBag): readonly string[] {
  try {
    parseConsumerConfig(properties)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}
