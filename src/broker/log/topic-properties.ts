/**
 * The table of the properties that a topic can have: name, type, default, limits, the broker's property of the same meaning, and Kafka's
 * own words. Printed from Apache Kafka 4.3.1 (`LogConfig`, Apache-2.0), not typed by hand. Validation, defaults and DescribeConfigs
 * all come from here.
 *
 * Accepted and without effect on one node that stores batches as they come: the replication throttles, tiered storage (`remote.*`, `local.*`),
 * `unclean.leader.election.enable`, `preallocate`, `file.delete.delay.ms` (files go at once; who reads them reads on),
 * `segment.jitter.ms`, and `compression.*` (the producer's compression stays).
 */
export interface TopicProperty {
  readonly name: string
  readonly type: 'boolean' | 'string' | 'int' | 'long' | 'double' | 'list'
  readonly defaultValue: string
  /** The broker's property that gives the default; empty if there is none. */
  readonly brokerProperty: string
  readonly atLeast?: number
  readonly atMost?: number
  readonly oneOf?: readonly string[]
  /** Not shown by DescribeConfigs. */
  readonly hidden?: boolean
  readonly documentation: string
}

export const topicProperties: readonly TopicProperty[] = [
  {
    name: 'cleanup.policy',
    type: 'list',
    defaultValue: 'delete',
    brokerProperty: 'log.cleanup.policy',
    oneOf: ['compact', 'delete'],
    documentation:
      'This config designates the retention policy to use on log segments. The "delete" policy (which is the default) will discard old segments when their retention time or size limit has been reached. The "compact" policy will enable log compaction, which retains the latest value for each key. It is also possible to specify both policies in a comma-separated list (e.g. "delete,compact"). In this case, old segments will be discarded per the retention time and size configuration, while retained segments will be compacted. An empty list means infinite retention - no cleanup policies will be applied and log segments will be retained indefinitely. Note that with remote storage enabled, local retention limits (log.local.retention.ms and log.local.retention.bytes) are still applied to local segments.',
  },
  {
    name: 'compression.gzip.level',
    type: 'int',
    defaultValue: '-1',
    brokerProperty: 'compression.gzip.level',
    atLeast: -1,
    atMost: 9,
    documentation: 'The compression level to use if compression.type is set to gzip.',
  },
  {
    name: 'compression.lz4.level',
    type: 'int',
    defaultValue: '9',
    brokerProperty: 'compression.lz4.level',
    atLeast: 1,
    atMost: 17,
    documentation: 'The compression level to use if compression.type is set to lz4.',
  },
  {
    name: 'compression.type',
    type: 'string',
    defaultValue: 'producer',
    brokerProperty: 'compression.type',
    oneOf: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
    documentation:
      "Specify the final compression type for a given topic. This configuration accepts the standard compression codecs ('gzip', 'snappy', 'lz4', 'zstd'). It additionally accepts 'uncompressed' which is equivalent to no compression; and 'producer' which means retain the original compression codec set by the producer.",
  },
  {
    name: 'compression.zstd.level',
    type: 'int',
    defaultValue: '3',
    brokerProperty: 'compression.zstd.level',
    atLeast: -131072,
    atMost: 22,
    documentation: 'The compression level to use if compression.type is set to zstd.',
  },
  {
    name: 'delete.retention.ms',
    type: 'long',
    defaultValue: '86400000',
    brokerProperty: 'log.cleaner.delete.retention.ms',
    atLeast: 0,
    documentation:
      'The amount of time to retain delete tombstone markers for log compacted topics. This setting also gives a bound on the time in which a consumer must complete a read if they begin from offset 0 to ensure that they get a valid snapshot of the final stage (otherwise delete tombstones may be collected before they complete their scan).',
  },
  {
    name: 'file.delete.delay.ms',
    type: 'long',
    defaultValue: '60000',
    brokerProperty: 'log.segment.delete.delay.ms',
    atLeast: 0,
    documentation: 'The time to wait before deleting a file from the filesystem',
  },
  {
    name: 'flush.messages',
    type: 'long',
    defaultValue: '9223372036854775807',
    brokerProperty: 'log.flush.interval.messages',
    atLeast: 1,
    documentation:
      "This setting allows specifying an interval at which we will force an fsync of data written to the log. For example if this was set to 1 we would fsync after every message; if it were 5 we would fsync after every five messages. In general we recommend you not set this and use replication for durability and allow the operating system's background flush capabilities as it is more efficient. This setting can be overridden on a per-topic basis (see the per-topic configuration section).",
  },
  {
    name: 'flush.ms',
    type: 'long',
    defaultValue: '9223372036854775807',
    brokerProperty: 'log.flush.interval.ms',
    atLeast: 0,
    documentation:
      "This setting allows specifying a time interval at which we will force an fsync of data written to the log. For example if this was set to 1000 we would fsync after 1000 ms had passed. Note that this setting depends on the broker-level configuration log.flush.scheduler.interval.ms, which controls how frequently the flush check occurs. In general we recommend you not set this and use replication for durability and allow the operating system's background flush capabilities as it is more efficient.",
  },
  {
    name: 'follower.replication.throttled.replicas',
    type: 'list',
    defaultValue: '',
    brokerProperty: '',
    documentation:
      "A list of replicas for which log replication should be throttled on the follower side. The list should describe a set of replicas in the form [PartitionId]:[BrokerId],[PartitionId]:[BrokerId]:... or alternatively the wildcard '*' can be used to throttle all replicas for this topic.",
  },
  {
    name: 'index.interval.bytes',
    type: 'int',
    defaultValue: '4096',
    brokerProperty: 'log.index.interval.bytes',
    atLeast: 0,
    documentation:
      "This setting controls how frequently Kafka adds entries to its offset index and, conditionally, to its time index. The default setting ensures that we index a message roughly every 4096 bytes. More frequent indexing allows reads to jump closer to the exact position in the log but results in larger index files. You probably don't need to change this. Note: the time index will be inserted only when the timestamp is greater than the last indexed timestamp.",
  },
  {
    name: 'leader.replication.throttled.replicas',
    type: 'list',
    defaultValue: '',
    brokerProperty: '',
    documentation:
      "A list of replicas for which log replication should be throttled on the leader side. The list should describe a set of replicas in the form [PartitionId]:[BrokerId],[PartitionId]:[BrokerId]:... or alternatively the wildcard '*' can be used to throttle all replicas for this topic.",
  },
  {
    name: 'local.retention.bytes',
    type: 'long',
    defaultValue: '-2',
    brokerProperty: 'log.local.retention.bytes',
    atLeast: -2,
    documentation:
      'The maximum size of local log segments that can grow for a partition before it deletes the old segments. Default value is -2, it represents retention.bytes value to be used. The effective value should always be less than or equal to retention.bytes value.',
  },
  {
    name: 'local.retention.ms',
    type: 'long',
    defaultValue: '-2',
    brokerProperty: 'log.local.retention.ms',
    atLeast: -2,
    documentation:
      'The number of milliseconds to keep the local log segment before it gets deleted. Default value is -2, it represents retention.ms value is to be used. The effective value should always be less than or equal to retention.ms value.',
  },
  {
    name: 'max.compaction.lag.ms',
    type: 'long',
    defaultValue: '9223372036854775807',
    brokerProperty: 'log.cleaner.max.compaction.lag.ms',
    atLeast: 1,
    documentation:
      'The maximum time a message will remain ineligible for compaction in the log. Only applicable for logs that are being compacted.',
  },
  {
    name: 'max.message.bytes',
    type: 'int',
    defaultValue: '1048588',
    brokerProperty: 'message.max.bytes',
    atLeast: 0,
    documentation: 'The largest record batch size allowed by Kafka (after compression if compression is enabled).',
  },
  {
    name: 'message.timestamp.after.max.ms',
    type: 'long',
    defaultValue: '3600000',
    brokerProperty: 'log.message.timestamp.after.max.ms',
    atLeast: 0,
    documentation:
      "This configuration sets the allowable timestamp difference between the message timestamp and the broker's timestamp. The message timestamp can be later than or equal to the broker's timestamp, with the maximum allowable difference determined by the value set in this configuration. If message.timestamp.type=CreateTime, the message will be rejected if the difference in timestamps exceeds this specified threshold. This configuration is ignored if message.timestamp.type=LogAppendTime.",
  },
  {
    name: 'message.timestamp.before.max.ms',
    type: 'long',
    defaultValue: '9223372036854775807',
    brokerProperty: 'log.message.timestamp.before.max.ms',
    atLeast: 0,
    documentation:
      "This configuration sets the allowable timestamp difference between the broker's timestamp and the message timestamp. The message timestamp can be earlier than or equal to the broker's timestamp, with the maximum allowable difference determined by the value set in this configuration. If message.timestamp.type=CreateTime, the message will be rejected if the difference in timestamps exceeds this specified threshold. This configuration is ignored if message.timestamp.type=LogAppendTime.",
  },
  {
    name: 'message.timestamp.type',
    type: 'string',
    defaultValue: 'CreateTime',
    brokerProperty: 'log.message.timestamp.type',
    oneOf: ['CreateTime', 'LogAppendTime'],
    documentation: 'Define whether the timestamp in the message is message create time or log append time.',
  },
  {
    name: 'min.cleanable.dirty.ratio',
    type: 'double',
    defaultValue: '0.5',
    brokerProperty: 'log.cleaner.min.cleanable.ratio',
    atLeast: 0,
    atMost: 1,
    documentation:
      'This configuration controls how frequently the log compactor will attempt to clean the log (assuming log compaction is enabled). By default we will avoid cleaning a log where more than 50% of the log has been compacted. This ratio bounds the maximum space wasted in the log by duplicates (at 50% at most 50% of the log could be duplicates). A higher ratio will mean fewer, more efficient cleanings but will mean more wasted space in the log. If the max.compaction.lag.ms or the min.compaction.lag.ms configurations are also specified, then the log compactor considers the log to be eligible for compaction as soon as either: (i) the dirty ratio threshold has been met and the log has had dirty (uncompacted) records for at least the min.compaction.lag.ms duration, or (ii) if the log has had dirty (uncompacted) records for at most the max.compaction.lag.ms period.',
  },
  {
    name: 'min.compaction.lag.ms',
    type: 'long',
    defaultValue: '0',
    brokerProperty: 'log.cleaner.min.compaction.lag.ms',
    atLeast: 0,
    documentation:
      'The minimum time a message will remain uncompacted in the log. Only applicable for logs that are being compacted.',
  },
  {
    name: 'min.insync.replicas',
    type: 'int',
    defaultValue: '1',
    brokerProperty: 'min.insync.replicas',
    atLeast: 1,
    documentation:
      'Specifies the minimum number of in-sync replicas (including the leader) required for a write to succeed when a producer sets acks to "all" (or "-1"). In the acks=all case, every in-sync replica must acknowledge a write for it to be considered successful. E.g., if a topic has replication.factor of 3 and the ISR set includes all three replicas, then all three replicas must acknowledge an acks=all write for it to succeed, even if min.insync.replicas happens to be less than 3. If acks=all and the current ISR set contains fewer than min.insync.replicas members, then the producer will raise an exception (either NotEnoughReplicas or NotEnoughReplicasAfterAppend). Regardless of the acks setting, the messages will not be visible to the consumers until they are replicated to all in-sync replicas and the min.insync.replicas condition is met. When used together, min.insync.replicas and acks allow you to enforce greater durability guarantees. A typical scenario would be to create a topic with a replication factor of 3, set min.insync.replicas to 2, and produce with acks of "all". This ensures that a majority of replicas must persist a write before it\'s considered successful by the producer and it\'s visible to consumers.Note that when the Eligible Leader Replicas feature is enabled, the semantics of this config changes. Please refer to the ELR section for more info.',
  },
  {
    name: 'preallocate',
    type: 'boolean',
    defaultValue: 'false',
    brokerProperty: 'log.preallocate',
    documentation: 'True if we should preallocate the file on disk when creating a new log segment.',
  },
  {
    name: 'remote.log.copy.disable',
    type: 'boolean',
    defaultValue: 'false',
    brokerProperty: '',
    documentation:
      'Determines whether tiered data for a topic should become read only, and no more data uploading on a topic. Once this config is set to true, the local retention configuration (i.e. local.retention.ms/bytes) becomes irrelevant, and all data expiration follows the topic-wide retention configuration(i.e. retention.ms/bytes).',
  },
  {
    name: 'remote.log.delete.on.disable',
    type: 'boolean',
    defaultValue: 'false',
    brokerProperty: '',
    documentation:
      'Determines whether tiered data for a topic should be deleted after tiered storage is disabled on a topic. This configuration should be enabled when trying to set remote.storage.enable from true to false',
  },
  {
    name: 'remote.storage.enable',
    type: 'boolean',
    defaultValue: 'false',
    brokerProperty: '',
    documentation:
      'To enable tiered storage for a topic, set this configuration to true. To disable tiered storage for a topic that has it enabled, set this configuration to false. When disabling, you must also set remote.log.delete.on.disable to true.',
  },
  {
    name: 'retention.bytes',
    type: 'long',
    defaultValue: '-1',
    brokerProperty: 'log.retention.bytes',
    documentation:
      'This configuration controls the maximum size a partition (which consists of log segments) can grow to before we will discard old log segments to free up space if we are using the "delete" retention policy. By default there is no size limit only a time limit. Since this limit is enforced at the partition level, multiply it by the number of partitions to compute the topic retention in bytes. Additionally, retention.bytes configuration operates independently of "segment.ms" and "segment.bytes" configurations. Moreover, it triggers the rolling of new segment if the retention.bytes is configured to zero.',
  },
  {
    name: 'retention.ms',
    type: 'long',
    defaultValue: '604800000',
    brokerProperty: 'log.retention.ms',
    atLeast: -1,
    documentation:
      'This configuration controls the maximum time we will retain a log before we will discard old log segments to free up space if we are using the "delete" retention policy. This represents an SLA on how soon consumers must read their data. If set to -1, no time limit is applied. Additionally, retention.ms configuration operates independently of "segment.ms" and "segment.bytes" configurations. Moreover, it triggers the rolling of new segment if the retention.ms condition is satisfied.',
  },
  {
    name: 'segment.bytes',
    type: 'int',
    defaultValue: '1073741824',
    brokerProperty: 'log.segment.bytes',
    atLeast: 1048576,
    documentation:
      'This configuration controls the segment file size for the log. Retention and cleaning is always done a file at a time so a larger segment size means fewer files but less granular control over retention.',
  },
  {
    name: 'segment.index.bytes',
    type: 'int',
    defaultValue: '10485760',
    brokerProperty: 'log.index.size.max.bytes',
    atLeast: 4,
    documentation:
      'This configuration controls the size of the index that maps offsets to file positions. We preallocate this index file and shrink it only after log rolls. You generally should not need to change this setting.',
  },
  {
    name: 'segment.jitter.ms',
    type: 'long',
    defaultValue: '0',
    brokerProperty: 'log.roll.jitter.ms',
    atLeast: 0,
    documentation:
      'The maximum random jitter subtracted from the scheduled segment roll time to avoid thundering herds of segment rolling',
  },
  {
    name: 'segment.ms',
    type: 'long',
    defaultValue: '604800000',
    brokerProperty: 'log.roll.ms',
    atLeast: 1,
    documentation:
      "This configuration controls the period of time after which Kafka will force the log to roll even if the segment file isn't full to ensure that retention can delete or compact old data.",
  },
  {
    name: 'unclean.leader.election.enable',
    type: 'boolean',
    defaultValue: 'false',
    brokerProperty: 'unclean.leader.election.enable',
    documentation:
      'Indicates whether to enable replicas not in the ISR set to be elected as leader as a last resort, even though doing so may result in data loss.Note: In KRaft mode, when enabling this config dynamically, it needs to wait for the unclean leader electionthread to trigger election periodically (default is 5 minutes). Please run kafka-leader-election.sh with unclean option to trigger the unclean leader election immediately if needed.',
  },
  {
    name: 'internal.segment.bytes',
    type: 'int',
    defaultValue: '',
    brokerProperty: '',
    atLeast: 1,
    hidden: true,
    documentation: 'The maximum size of a single log file, below what segment.bytes allows. For tests, as in Kafka.',
  },
]
