/**
 * A topic's configuration: what was set for it, over the broker's defaults, over Kafka's. Checked when it is made, so that whoever reads
 * a value need not ask whether it can be right.
 */
import { refusal } from './refusal.ts'
import { topicProperties, type TopicProperty } from './topic-properties.ts'

/** Where a value comes from, for DescribeConfigs. */
export type ConfigSource = 'topic' | 'broker-default' | 'default'

export interface TopicConfigEntry {
  readonly name: string
  /** As text, as DescribeConfigs gives it. */
  readonly value: string
  readonly source: ConfigSource
  readonly type: TopicProperty['type']
  readonly documentation: string
  /** The broker's property of the same meaning, for synonyms (`log.retention.ms`); empty if there is none. */
  readonly brokerProperty: string
  /** Kafka's default as text. */
  readonly defaultValue: string
}

export type ConfigValues = Readonly<Record<string, string | number | boolean>>

const GREATEST: Partial<Record<TopicProperty['type'], bigint>> = { int: 2n ** 31n - 1n, long: 2n ** 63n - 1n }
const byName = new Map(topicProperties.map((property) => [property.name, property]))

export class TopicConfig {
  /** What was set for this topic itself, as text. */
  readonly overrides: ReadonlyMap<string, string>
  readonly #defaults: ReadonlyMap<string, string>

  readonly cleanupDelete: boolean
  readonly cleanupCompact: boolean
  readonly maxMessageBytes: number
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly indexIntervalBytes: number
  readonly segmentIndexBytes: number
  /** -1: no limit. */
  readonly retentionMs: number
  /** -1: no limit. */
  readonly retentionBytes: number
  readonly deleteRetentionMs: number
  readonly minCompactionLagMs: number
  readonly maxCompactionLagMs: number
  readonly minCleanableDirtyRatio: number
  /** `Number.MAX_SAFE_INTEGER`: never. */
  readonly flushMessages: number
  readonly flushMs: number
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  readonly minInsyncReplicas: number

  /** Throws INVALID_CONFIG. */
  constructor(overrides: ConfigValues = {}, defaults: ConfigValues = {}) {
    this.overrides = checked(overrides)
    this.#defaults = checked(defaults)
    const policies = this.#text('cleanup.policy')
      .split(',')
      .map((policy) => policy.trim())
    this.cleanupDelete = policies.includes('delete')
    this.cleanupCompact = policies.includes('compact')
    this.maxMessageBytes = this.#number('max.message.bytes')
    this.segmentBytes = this.#number('internal.segment.bytes') || this.#number('segment.bytes')
    this.segmentMs = this.#number('segment.ms')
    this.indexIntervalBytes = this.#number('index.interval.bytes')
    this.segmentIndexBytes = this.#number('segment.index.bytes')
    this.retentionMs = this.#number('retention.ms')
    this.retentionBytes = this.#number('retention.bytes')
    this.deleteRetentionMs = this.#number('delete.retention.ms')
    this.minCompactionLagMs = this.#number('min.compaction.lag.ms')
    this.maxCompactionLagMs = this.#number('max.compaction.lag.ms')
    this.minCleanableDirtyRatio = this.#number('min.cleanable.dirty.ratio')
    this.flushMessages = this.#number('flush.messages')
    this.flushMs = this.#number('flush.ms')
    this.timestampType = this.#text('message.timestamp.type') === 'LogAppendTime' ? 'LogAppendTime' : 'CreateTime'
    this.timestampBeforeMaxMs = this.#number('message.timestamp.before.max.ms')
    this.timestampAfterMaxMs = this.#number('message.timestamp.after.max.ms')
    this.minInsyncReplicas = this.#number('min.insync.replicas')
    if (this.minCompactionLagMs > this.maxCompactionLagMs) {
      throw refusal(
        'INVALID_CONFIG',
        'checking a topic config',
        `conflict topic config setting min.compaction.lag.ms (${this.minCompactionLagMs}) > max.compaction.lag.ms (${this.maxCompactionLagMs})`,
      )
    }
  }

  entries(): TopicConfigEntry[] {
    return topicProperties
      .filter(({ name, hidden }) => !hidden || this.overrides.has(name))
      .map(({ name, type, documentation, brokerProperty, defaultValue }) => ({
        name,
        value: this.#text(name),
        source: this.overrides.has(name) ? 'topic' : this.#defaults.has(name) ? 'broker-default' : 'default',
        type,
        documentation,
        brokerProperty,
        defaultValue,
      }))
  }

  #text(name: string): string {
    return this.overrides.get(name) ?? this.#defaults.get(name) ?? byName.get(name)!.defaultValue
  }

  /** Kafka's 64-bit "never" is beyond what a number holds exactly. */
  #number(name: string): number {
    return Math.min(Number(this.#text(name)), Number.MAX_SAFE_INTEGER)
  }
}

/** Every name known, every value within its type and limits; as text. Throws INVALID_CONFIG in Kafka's words. */
function checked(values: ConfigValues): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const [name, value] of Object.entries(values)) {
    const property = byName.get(name)
    if (!property) throw refusal('INVALID_CONFIG', 'checking a topic config', `Unknown topic config name: ${name}`)
    const text = String(value).trim()
    const wrong = objectionTo(text, property)
    if (wrong !== undefined) {
      throw refusal(
        'INVALID_CONFIG',
        'checking a topic config',
        `Invalid value ${shownValue(text, property)} for configuration ${name}: ${wrong}`,
      )
    }
    texts.set(name, text)
  }
  return texts
}

/** A value as Kafka names it in its refusal: the item of a list that is wrong, a number as Java writes it. */
function shownValue(text: string, { type, oneOf }: TopicProperty): string {
  if (type === 'list') return text.split(',').find((item) => !oneOf?.includes(item.trim())) ?? text
  return type === 'double' && /^-?\d+$/.test(text) ? `${text}.0` : text
}

function objectionTo(text: string, { type, atLeast, atMost, oneOf }: TopicProperty): string | undefined {
  switch (type) {
    case 'boolean':
      return /^(?:true|false)$/i.test(text) ? undefined : 'Expected value to be either true or false'
    case 'string':
      return oneOf && !oneOf.includes(text) ? `String must be one of: ${oneOf.join(', ')}` : undefined
    case 'list':
      return oneOf && text !== '' && text.split(',').some((item) => !oneOf.includes(item.trim()))
        ? `String must be one of: ${oneOf.join(', ')}`
        : undefined
    case 'int':
    case 'long': {
      const greatest = GREATEST[type]!
      const whole = /^[+-]?\d+$/.test(text) ? BigInt(text) : undefined
      if (whole === undefined || whole > greatest || whole < -greatest - 1n)
        return `Not a number of type ${type.toUpperCase()}`
      return outside(Number(whole), atLeast, atMost)
    }
    case 'double':
      return text === '' || !Number.isFinite(Number(text))
        ? 'Not a number of type DOUBLE'
        : outside(Number(text), atLeast, atMost)
    default:
      return type satisfies never
  }
}

function outside(value: number, atLeast: number | undefined, atMost: number | undefined): string | undefined {
  if (atLeast !== undefined && value < atLeast) return `Value must be at least ${atLeast}`
  if (atMost !== undefined && value > atMost) return `Value must be no more than ${atMost}`
  return undefined
}
