/**
 * A topic's configuration as CreateTopics and DescribeConfigs give it: each property with its value, where that comes from, and
 * what would hold without it (synonyms).
 */
import { brokerProperties, type BrokerConfig, propertyText } from './broker-config.ts'
import { type TopicConfig, type TopicConfigEntry } from './log/topic-config.ts'

/** Kafka's numbers of where a value comes from. */
export const configSource = { topic: 1, 'broker-default': 4, default: 5 } as const
/** Kafka's numbers of types. */
export const configType = { boolean: 1, string: 2, int: 3, short: 4, long: 5, double: 6, list: 7 } as const

export interface DescribeOptions {
  /** null or empty: every property. */
  readonly keys: readonly string[] | null
  readonly synonyms: boolean
  readonly documentation: boolean
}

interface Synonym {
  readonly name: string
  readonly value: string | null
  readonly source: number
}

export interface ConfigDescription {
  readonly name: string
  readonly value: string | null
  readonly readOnly: boolean
  readonly configSource: number
  readonly isSensitive: boolean
  readonly synonyms: readonly Synonym[]
  readonly configType: number
  readonly documentation: string | null
}

/** The properties of the broker that were given, rather than left at their defaults. */
export type Configured = ReadonlySet<string>

function isAsked(name: string, keys: readonly string[] | null): boolean {
  return keys === null || keys.length === 0 || keys.includes(name)
}

export function describeTopicConfig(
  topic: TopicConfig,
  broker: { config: BrokerConfig; configured: Configured },
  options: DescribeOptions,
): ConfigDescription[] {
  return topic
    .entries()
    .filter(({ name }) => isAsked(name, options.keys))
    .map((entry) => ({
      name: entry.name,
      value: entry.value,
      readOnly: false,
      configSource: configSource[entry.source],
      isSensitive: false,
      synonyms: options.synonyms ? topicSynonyms(entry, broker) : [],
      configType: configType[entry.type],
      documentation: options.documentation ? entry.documentation : null,
    }))
}

/** Properties of Kafka's broker that are not set by default, as a coarser one says it instead (hours). */
const unsetInKafka = new Set(['log.roll.jitter.ms'])

function topicSynonyms(
  { name, value, source, brokerProperty, defaultValue }: TopicConfigEntry,
  broker: { config: BrokerConfig; configured: Configured },
): Synonym[] {
  const own = source === 'topic' ? [{ name, value, source: configSource.topic }] : []
  if (brokerProperty === '') return own
  if (Object.hasOwn(brokerProperties, brokerProperty)) {
    return [...own, ...brokerSynonyms(brokerProperty as keyof BrokerConfig, broker)]
  }
  if (unsetInKafka.has(brokerProperty)) return own
  return [...own, { name: brokerProperty, value: defaultValue, source: configSource.default }]
}

function brokerSynonyms(
  name: keyof BrokerConfig,
  { config, configured }: { config: BrokerConfig; configured: Configured },
): Synonym[] {
  const synonyms: Synonym[] = []
  if (configured.has(name)) {
    synonyms.push({ name, value: propertyText(config[name]), source: configSource['broker-default'] })
  }
  const standard = propertyText(brokerProperties[name].default)
  if (standard !== null) synonyms.push({ name, value: standard, source: configSource.default })
  return synonyms
}

export function describeBrokerConfig(
  broker: { config: BrokerConfig; configured: Configured },
  options: DescribeOptions,
): ConfigDescription[] {
  const { config, configured } = broker
  return (Object.keys(brokerProperties) as (keyof BrokerConfig)[])
    .filter((name) => isAsked(name, options.keys))
    .map((name) => ({
      name,
      value: propertyText(config[name]),
      readOnly: true,
      configSource: configured.has(name) ? configSource['broker-default'] : configSource.default,
      isSensitive: false,
      synonyms: options.synonyms ? brokerSynonyms(name, broker) : [],
      configType: configType[brokerProperties[name].type],
      documentation: options.documentation ? brokerProperties[name].description : null,
    }))
}
