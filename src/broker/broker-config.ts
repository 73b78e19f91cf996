/**
 * The broker's properties: Kafka's names, types, defaults and descriptions in one table, from which validation, the
 * answer to DescribeConfigs and the documentation are taken. A name that is not here has no effect in Sluice's broker and is
 * an error, never passed over.
 *
 * What a topic may override is not here but with the log (log/topic-config.ts); `topicDefaultOf` names the pairs.
 */
import { SluiceError } from '../error.ts'

export type PropertyType = 'boolean' | 'int' | 'short' | 'long' | 'double' | 'string' | 'list'

interface PropertyRow {
  readonly type: PropertyType
  /** null: not set, and another property says it instead. */
  readonly default: boolean | number | string | null
  readonly min?: number
  readonly oneOf?: readonly string[]
  readonly description: string
}

/** Kafka's way to say "no limit" in a `long`: 2^63 - 1, which JavaScript holds as Infinity. */
const UNLIMITED = Number.POSITIVE_INFINITY
const LONGEST = '9223372036854775807'
const INT_MAX = 0x7fffffff
const codecs = ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd', 'producer']

export const brokerProperties = {
  'node.id': { type: 'int', default: 1, min: 0, description: 'The id by which clients know this broker.' },
  'auto.create.topics.enable': {
    type: 'boolean',
    default: true,
    description: 'Whether a topic is created when a client asks for its metadata and allows that.',
  },
  'delete.topic.enable': {
    type: 'boolean',
    default: true,
    description: 'Whether topics can be deleted by a client; if not, such a request is refused.',
  },
  'num.partitions': {
    type: 'int',
    default: 1,
    min: 1,
    description: 'Partitions of a topic that is created without saying how many.',
  },
  'default.replication.factor': {
    type: 'int',
    default: 1,
    min: 1,
    description: 'Taken for compatibility. One broker holds one replica, whatever this says.',
  },
  'min.insync.replicas': {
    type: 'int',
    default: 1,
    min: 1,
    description: 'Taken for compatibility. The one replica is always in sync, and is enough (KIP-966).',
  },
  'message.max.bytes': {
    type: 'int',
    default: 1048588,
    min: 0,
    description: 'The largest record batch that is taken, after compression.',
  },
  'compression.type': {
    type: 'string',
    default: 'producer',
    oneOf: codecs,
    description: 'The compression in which records are stored; "producer" keeps what the producer chose.',
  },
  'log.cleanup.policy': {
    type: 'list',
    default: 'delete',
    oneOf: ['delete', 'compact'],
    description: 'What becomes of old segments: deleted, compacted by key, or both.',
  },
  'log.retention.ms': {
    type: 'long',
    default: null,
    min: -1,
    description: 'How long a segment is kept after its last record; -1 for ever. Unset: log.retention.minutes.',
  },
  'log.retention.minutes': {
    type: 'int',
    default: null,
    description: 'As log.retention.ms. Unset: log.retention.hours.',
  },
  'log.retention.hours': { type: 'int', default: 168, description: 'As log.retention.ms, in hours.' },
  'log.retention.bytes': {
    type: 'long',
    default: -1,
    min: -1,
    description: 'How large a partition may grow before its oldest segments are deleted; -1 is without limit.',
  },
  'log.retention.check.interval.ms': {
    type: 'long',
    default: 300000,
    min: 1,
    description: 'How often segments are looked at for retention.',
  },
  'log.segment.bytes': { type: 'int', default: 1073741824, min: 1048576, description: 'The size of a segment.' },
  'log.segment.delete.delay.ms': {
    type: 'long',
    default: 60000,
    min: 0,
    description: 'How long a deleted segment stays on disk for those who still read it.',
  },
  'log.roll.ms': {
    type: 'long',
    default: null,
    min: 1,
    description: 'The age at which a segment is closed. Unset: log.roll.hours.',
  },
  'log.roll.hours': { type: 'int', default: 168, min: 1, description: 'As log.roll.ms, in hours.' },
  'log.index.interval.bytes': {
    type: 'int',
    default: 4096,
    min: 0,
    description: 'Bytes of log between two index entries.',
  },
  'log.index.size.max.bytes': {
    type: 'int',
    default: 10485760,
    min: 4,
    description: 'The largest size of an offset index.',
  },
  'log.flush.interval.messages': {
    type: 'long',
    default: UNLIMITED,
    min: 1,
    description: 'Records after which a partition is synced to disk.',
  },
  'log.flush.interval.ms': {
    type: 'long',
    default: null,
    description: 'Time after which what was appended is synced to disk. Unset: when the system does it.',
  },
  'log.message.timestamp.type': {
    type: 'string',
    default: 'CreateTime',
    oneOf: ['CreateTime', 'LogAppendTime'],
    description: "Whether a record carries its producer's timestamp or the broker's.",
  },
  'log.message.timestamp.before.max.ms': {
    type: 'long',
    default: UNLIMITED,
    min: 0,
    description: "How far a record's timestamp may lie in the past.",
  },
  'log.message.timestamp.after.max.ms': {
    type: 'long',
    default: 3600000,
    min: 0,
    description: "How far a record's timestamp may lie in the future.",
  },
  'log.cleaner.backoff.ms': {
    type: 'long',
    default: 15000,
    min: 0,
    description: 'How often compacted topics are looked at.',
  },
  'log.cleaner.min.cleanable.ratio': {
    type: 'double',
    default: 0.5,
    min: 0,
    description: 'The share of a log that must be new before it is compacted.',
  },
  'log.cleaner.delete.retention.ms': {
    type: 'long',
    default: 86400000,
    min: 0,
    description: 'How long a tombstone stays in a compacted topic.',
  },
  'log.cleaner.min.compaction.lag.ms': {
    type: 'long',
    default: 0,
    min: 0,
    description: 'How long a record stays out of compaction.',
  },
  'log.cleaner.max.compaction.lag.ms': {
    type: 'long',
    default: UNLIMITED,
    min: 1,
    description: 'After how long a record is compacted at the latest.',
  },
  'socket.request.max.bytes': {
    type: 'int',
    default: 104857600,
    min: 1,
    description: 'The largest request; a larger one closes the connection.',
  },
  'connections.max.idle.ms': {
    type: 'long',
    default: 600000,
    description: 'After how long without a request a connection is closed; negative is never.',
  },
  'max.connections': {
    type: 'int',
    default: INT_MAX,
    min: 0,
    description: 'Connections at a time; one more is closed at once.',
  },
  'max.incremental.fetch.session.cache.slots': {
    type: 'int',
    default: 1000,
    min: 0,
    description: 'Fetch sessions that are remembered.',
  },
  'fetch.max.bytes': {
    type: 'int',
    default: 57671680,
    min: 1024,
    description: 'The most bytes that one fetch returns.',
  },
  'offsets.topic.num.partitions': {
    type: 'int',
    default: 50,
    min: 1,
    description: 'Partitions of __consumer_offsets.',
  },
  'offsets.topic.segment.bytes': {
    type: 'int',
    default: 104857600,
    min: 1,
    description: 'The size of a segment of __consumer_offsets.',
  },
  'offsets.topic.replication.factor': {
    type: 'short',
    default: 1,
    min: 1,
    description: 'Taken for compatibility. One broker holds one replica, whatever this says.',
  },
  'offsets.retention.minutes': {
    type: 'int',
    default: 10080,
    min: 1,
    description: 'How long the offsets of a group without members are kept.',
  },
  'offsets.retention.check.interval.ms': {
    type: 'long',
    default: 600000,
    min: 1,
    description: 'How often offsets are looked at for expiration.',
  },
  'offset.metadata.max.bytes': {
    type: 'int',
    default: 4096,
    description: 'The longest text that a commit may carry with an offset.',
  },
  'group.min.session.timeout.ms': {
    type: 'int',
    default: 6000,
    description: 'The shortest session timeout of a member.',
  },
  'group.max.session.timeout.ms': {
    type: 'int',
    default: 1800000,
    description: 'The longest session timeout of a member.',
  },
  'group.initial.rebalance.delay.ms': {
    type: 'int',
    default: 3000,
    description: 'How long a new group waits for more members before its first rebalance.',
  },
  'group.max.size': { type: 'int', default: INT_MAX, min: 1, description: 'The most members of a group.' },
  'transaction.state.log.num.partitions': {
    type: 'int',
    default: 50,
    min: 1,
    description: 'Partitions of __transaction_state.',
  },
  'transaction.state.log.segment.bytes': {
    type: 'int',
    default: 104857600,
    min: 1,
    description: 'The size of a segment of __transaction_state.',
  },
  'transaction.state.log.replication.factor': {
    type: 'short',
    default: 1,
    min: 1,
    description: 'Taken for compatibility. One broker holds one replica, whatever this says.',
  },
  'transaction.state.log.min.isr': {
    type: 'int',
    default: 1,
    min: 1,
    description: 'Taken for compatibility. The one replica is always in sync.',
  },
  'transaction.max.timeout.ms': {
    type: 'int',
    default: 900000,
    min: 1,
    description: 'The longest transaction timeout.',
  },
  'transactional.id.expiration.ms': {
    type: 'int',
    default: 604800000,
    min: 1,
    description: 'After how long without use a transactional id is forgotten.',
  },
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': {
    type: 'int',
    default: 10000,
    min: 1,
    description: 'How often transactions are looked at for their timeout.',
  },
  'transaction.remove.expired.transaction.cleanup.interval.ms': {
    type: 'int',
    default: 3600000,
    min: 1,
    description: 'How often transactional ids are looked at for expiration.',
  },
  'producer.id.expiration.ms': {
    type: 'int',
    default: 86400000,
    min: 1,
    description: 'After how long without a write a partition forgets a producer id.',
  },
} as const satisfies Record<string, PropertyRow>

export type BrokerPropertyName = keyof typeof brokerProperties

type ValueOfType<Type> = Type extends 'boolean' ? boolean : Type extends 'string' | 'list' ? string : number
type ValueOf<Row extends PropertyRow> = ValueOfType<Row['type']> | (Row['default'] extends null ? null : never)

/** Every property with its value, given or default. `long` values without limit are `Infinity`. */
export type BrokerConfig = { readonly [Name in BrokerPropertyName]: ValueOf<(typeof brokerProperties)[Name]> }
/** Values as text, as in a .properties file, are taken too. */
export type BrokerProperties = Readonly<Record<string, string | number | boolean | null | undefined>>

/** A property that does not exist, or a value that it does not take. */
export class BrokerConfigError extends SluiceError {
  constructor(message: string) {
    super('SLUICE_BROKER_CONFIG', message)
  }
}

const rows: ReadonlyMap<string, PropertyRow> = new Map(Object.entries(brokerProperties))

/** @throws BrokerConfigError for an unknown name, with the nearest known one, and for a value out of its range. */
export function parseBrokerConfig(properties: BrokerProperties): BrokerConfig {
  const config: Record<string, unknown> = {}
  for (const [name, row] of rows) config[name] = row.default
  for (const [name, value] of Object.entries(properties)) {
    const row = rows.get(name === 'broker.id' ? 'node.id' : name)
    if (!row) throw new BrokerConfigError(unknownProperty(name))
    if (value !== undefined && value !== null)
      config[name === 'broker.id' ? 'node.id' : name] = parseValue(name, row, value)
  }
  const parsed = config as BrokerConfig
  if (parsed['group.min.session.timeout.ms'] > parsed['group.max.session.timeout.ms']) {
    throw new BrokerConfigError('group.min.session.timeout.ms is greater than group.max.session.timeout.ms')
  }
  return parsed
}

function parseValue(name: string, row: PropertyRow, given: string | number | boolean): boolean | number | string {
  const refuse = (wanted: string) => new BrokerConfigError(`${name} is ${JSON.stringify(given)}: it takes ${wanted}`)
  const text = String(given).trim()
  if (row.type === 'boolean') {
    if (text !== 'true' && text !== 'false') throw refuse('true or false')
    return text === 'true'
  }
  if (row.type === 'string' || row.type === 'list') {
    const parts = (row.type === 'list' ? text.split(',') : [text]).map((part) => part.trim())
    const unknown = parts.find((part) => row.oneOf && part !== '' && !row.oneOf.includes(part))
    if (unknown !== undefined) throw refuse(row.oneOf!.join(', '))
    return parts.filter((part) => part !== '').join(',')
  }
  if (row.type === 'long' && (text === LONGEST || text === String(UNLIMITED))) return UNLIMITED
  const value = text === '' ? Number.NaN : Number(text)
  if (row.type === 'double' ? !Number.isFinite(value) : !Number.isSafeInteger(value)) {
    throw refuse(row.type === 'double' ? 'a number' : 'a whole number')
  }
  if (row.min !== undefined && value < row.min) throw refuse(`at least ${row.min}`)
  if (row.type === 'int' && value > INT_MAX) throw refuse(`at most ${INT_MAX}`)
  return value
}

function unknownProperty(name: string): string {
  const nearest = nearestName(name, [...rows.keys()])
  return `The broker has no property "${name}"${nearest === undefined ? '' : `: did you mean "${nearest}"?`}`
}

/** The known name with the fewest edits to `name`, if they are few enough for a slip of the hand. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined
  let fewest = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const edits = editDistance(name.toLowerCase(), candidate)
    if (edits < fewest) [fewest, nearest] = [edits, candidate]
  }
  return nearest
}

function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const substituted = previous[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1)
      current.push(Math.min(substituted, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous[right.length]!
}

/** A value as Kafka prints it in an answer to DescribeConfigs. */
export function propertyText(value: boolean | number | string | null): string | null {
  if (value === null) return null
  return value === UNLIMITED ? LONGEST : String(value)
}

/** How long segments are kept by default: the finest unit that is set wins. -1 is for ever. */
export function retentionMsOf(config: BrokerConfig): number {
  const { 'log.retention.ms': ms, 'log.retention.minutes': minutes, 'log.retention.hours': hours } = config
  const found = ms ?? (minutes === null ? hours * 3_600_000 : minutes * 60_000)
  return found < 0 ? -1 : found
}

export function rollMsOf(config: BrokerConfig): number {
  return config['log.roll.ms'] ?? config['log.roll.hours'] * 3_600_000
}
