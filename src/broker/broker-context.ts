/**
 * What the parts of a broker see of each other: the value that every handler gets. Types only, so that handlers,
 * coordinators and the log can name it without importing the broker.
 */
import { type Clock } from '../seams/clock.ts'
import { type Disk } from '../seams/disk.ts'
import { type Logger } from '../seams/logger.ts'
import { type Random } from '../seams/random.ts'
import { type Transport } from '../seams/transport.ts'
import { type BrokerConfig } from './broker-config.ts'
import { type FetchSessionCache } from './fetch-session.ts'
import { type GroupCoordinator } from './groups/group-coordinator.ts'
import { type LogDirectory } from './log/log-directory.ts'
import { type TransactionCoordinator } from './transactions/transaction-coordinator.ts'

/** The world, as the broker sees it. Each has a default that is the system's own. */
export interface BrokerSeams {
  readonly clock: Clock
  readonly random: Random
  readonly transport: Transport
  readonly disk: Disk
  readonly logger: Logger
}

export interface BrokerContext {
  /** Topics and their partitions on disk. */
  readonly logs: LogDirectory
  readonly groups: GroupCoordinator
  readonly transactions: TransactionCoordinator
  readonly fetchSessions: FetchSessionCache
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Kafka's property names and their values: `config['offsets.topic.num.partitions']`. */
  readonly config: BrokerConfig
  /** The names of those that were given; the others have their defaults. */
  readonly configured: ReadonlySet<string>
  readonly nodeId: number
  /** The address that clients are told: the one the broker listens at. */
  readonly host: string
  readonly port: number
  readonly clusterId: string
}
