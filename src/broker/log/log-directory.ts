/**
 * A broker's folder on disk. (Signatures; the body follows.)
 */
import { type Clock } from '../../seams/clock.ts'
import { type Disk } from '../../seams/disk.ts'
import { type Logger } from '../../seams/logger.ts'
import { type Random } from '../../seams/random.ts'
import { type PartitionLog } from './partition-log.ts'
import { type TopicConfig } from './topic-config.ts'

export interface LogDirectoryOptions {
  readonly disk: Disk
  readonly directory: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Topic properties (Kafka's topic names, `retention.ms`) for topics that do not set them. */
  readonly defaults?: Readonly<Record<string, string | number | boolean>>
  /** `log.retention.check.interval.ms`, default 300000. */
  readonly retentionCheckIntervalMs?: number
  /** `log.cleaner.backoff.ms`, default 15000: how often compaction looks for work. */
  readonly cleanerBackoffMs?: number
  /** `log.flush.offset.checkpoint.interval.ms`, default 60000. */
  readonly checkpointIntervalMs?: number
  /** `producer.id.expiration.ms`, default 86400000. */
  readonly producerIdExpirationMs?: number
  /** Used when the folder is new; otherwise the folder's own stays. */
  readonly clusterId?: string
}

export interface Topic {
  readonly name: string
  /** 16 bytes as base64url, as the protocol's uuid type has them. */
  readonly id: string
  readonly internal: boolean
  readonly config: TopicConfig
  readonly partitions: readonly PartitionLog[]
}

export interface CreateTopicOptions {
  /** `__consumer_offsets` and `__transaction_state`. */
  readonly internal?: boolean
  /** Check everything, create nothing; resolves with a Topic that is not kept (no partitions). */
  readonly validateOnly?: boolean
}

/** null removes the topic's own value, so that the default holds again. */
export type ConfigChanges = Readonly<Record<string, string | null>>

export class LogDirectory {
  /**
   * Locks the folder (created if missing), loads and recovers everything.
   * Throws `LogDirectoryError`: SLUICE_DATA_DIRECTORY_LOCKED, SLUICE_DATA_DIRECTORY (unreadable, of a newer version …).
   */
  static open(_options: LogDirectoryOptions): Promise<LogDirectory> {
    return notYet()
  }

  readonly directory: string = ''
  /** Base64url uuid, made when the folder was new. */
  readonly clusterId: string = ''

  topic(_name: string): Topic | undefined {
    return notYet()
  }
  topicById(_id: string): Topic | undefined {
    return notYet()
  }
  /** Sorted by name. */
  topics(): Topic[] {
    return notYet()
  }
  partition(_topic: string, _partition: number): PartitionLog | undefined {
    return notYet()
  }

  /** Rejects with a LogRefusal: INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, INVALID_CONFIG, KAFKA_STORAGE_ERROR. */
  createTopic(
    _name: string,
    _partitionCount: number,
    _config: Readonly<Record<string, string>> = {},
    _options: CreateTopicOptions = {},
  ): Promise<Topic> {
    return notYet()
  }

  /** `total` is the new count. Rejects: UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS in Kafka's words. */
  addPartitions(_name: string, _total: number, _options: { readonly validateOnly?: boolean } = {}): Promise<Topic> {
    return notYet()
  }

  /** Rejects: UNKNOWN_TOPIC_OR_PARTITION. The partitions are closed (their `onAppend` listeners are called) before this resolves. */
  deleteTopic(_name: string): Promise<void> {
    return notYet()
  }

  /** Rejects: UNKNOWN_TOPIC_OR_PARTITION, INVALID_CONFIG. */
  alterConfig(
    _name: string,
    _changes: ConfigChanges,
    _options: { readonly validateOnly?: boolean } = {},
  ): Promise<Topic> {
    return notYet()
  }

  /** Called after a topic was created, deleted, given partitions or another config. Returns the way to stop it. */
  onChange(_listener: (topic: Topic, change: 'created' | 'deleted' | 'partitions' | 'config') => void): () => void {
    return notYet()
  }

  /** Deletes what is older or larger than the topics' retention allows. Also done every `retentionCheckIntervalMs`. */
  applyRetention(): Promise<void> {
    return notYet()
  }
  /** Compacts what is dirty enough (`force`: whatever can be). Also done every `cleanerBackoffMs`. */
  compact(_options: { readonly force?: boolean } = {}): Promise<void> {
    return notYet()
  }
  /** Syncs every log and writes the checkpoints. Also done every `checkpointIntervalMs`. */
  checkpoint(): Promise<void> {
    return notYet()
  }

  /** Waits for appends under way, syncs, writes the checkpoints and the mark of a clean shutdown, unlocks. */
  close(): Promise<void> {
    return notYet()
  }

  /** As if the process had been killed: timers stop, files and the lock are let go of, nothing is synced, no checkpoint and no mark of a clean shutdown is written. Needed by `Broker.kill`. */
  abandon(): Promise<void> {
    return notYet()
  }
}

function notYet(): never {
  throw new Error('not written yet')
}
