/**
 * Which of the broker's properties are defaults for topics, under the topics' own names. Only what was given is handed on: a topic's
 * configuration tells a default that somebody chose from Kafka's own.
 */
import {
  type BrokerConfig,
  type BrokerProperties,
  type BrokerPropertyName,
  propertyText,
  retentionMsOf,
  rollMsOf,
} from './broker-config.ts'

const topicNames: Partial<Record<BrokerPropertyName, string>> = {
  'message.max.bytes': 'max.message.bytes',
  'compression.type': 'compression.type',
  'min.insync.replicas': 'min.insync.replicas',
  'log.cleanup.policy': 'cleanup.policy',
  'log.retention.bytes': 'retention.bytes',
  'log.segment.bytes': 'segment.bytes',
  'log.segment.delete.delay.ms': 'file.delete.delay.ms',
  'log.index.interval.bytes': 'index.interval.bytes',
  'log.index.size.max.bytes': 'segment.index.bytes',
  'log.flush.interval.messages': 'flush.messages',
  'log.flush.interval.ms': 'flush.ms',
  'log.message.timestamp.type': 'message.timestamp.type',
  'log.message.timestamp.before.max.ms': 'message.timestamp.before.max.ms',
  'log.message.timestamp.after.max.ms': 'message.timestamp.after.max.ms',
  'log.cleaner.min.cleanable.ratio': 'min.cleanable.dirty.ratio',
  'log.cleaner.delete.retention.ms': 'delete.retention.ms',
  'log.cleaner.min.compaction.lag.ms': 'min.compaction.lag.ms',
  'log.cleaner.max.compaction.lag.ms': 'max.compaction.lag.ms',
}

export function topicDefaultsOf(given: BrokerProperties, config: BrokerConfig): Record<string, string> {
  const isGiven = (name: string) => given[name] !== undefined && given[name] !== null
  const defaults: Record<string, string> = {}
  for (const [name, topicName] of Object.entries(topicNames)) {
    if (isGiven(name)) defaults[topicName] = propertyText(config[name as BrokerPropertyName])!
  }
  if (['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'].some(isGiven)) {
    defaults['retention.ms'] = String(retentionMsOf(config))
  }
  if (['log.roll.ms', 'log.roll.hours'].some(isGiven)) defaults['segment.ms'] = String(rollMsOf(config))
  return defaults
}
