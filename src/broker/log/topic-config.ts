/**
 * The properties that a topic can have. (Signatures; the table follows.)
 */

/** Kafka's number of a configuration's source in DescribeConfigs. */
export type ConfigSource = 'topic' | 'broker-default' | 'default'

export interface TopicConfigEntry {
  readonly name: string
  /** As text, as DescribeConfigs gives it. */
  readonly value: string
  readonly source: ConfigSource
  readonly type: 'boolean' | 'string' | 'int' | 'long' | 'double' | 'list'
  readonly documentation: string
  /** The broker's property of the same meaning, for synonyms: `log.retention.ms`. */
  readonly brokerProperty: string
  /** Kafka's default as text. */
  readonly defaultValue: string
}

export interface TopicConfig {
  /** What was set for this topic itself, as text. */
  readonly overrides: ReadonlyMap<string, string>
  entries(): TopicConfigEntry[]
  readonly cleanupDelete: boolean
  readonly cleanupCompact: boolean
  readonly maxMessageBytes: number
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly segmentJitterMs: number
  readonly indexIntervalBytes: number
  readonly segmentIndexBytes: number
  readonly retentionMs: number
  readonly retentionBytes: number
  readonly deleteRetentionMs: number
  readonly fileDeleteDelayMs: number
  readonly minCompactionLagMs: number
  readonly maxCompactionLagMs: number
  readonly minCleanableDirtyRatio: number
  readonly flushMessages: number
  readonly flushMs: number
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  readonly minInsyncReplicas: number
}
