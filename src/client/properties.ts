/**
 * The properties that consumer, producer and admin know: Java's names, types, defaults and ranges, as
 * `ConsumerConfig`, `ProducerConfig` and `AdminClientConfig` of Apache Kafka 4.3.1 define them (a compat test compares
 * them with Java's). One table gives validation, defaults and docs.
 *
 * Numbers are in the unit of their name; `long` and `int` differ only in their range.
 */
import { bool, choice, harmless, int, later, list, long, text, type Property } from './property.ts'
import { durationMs } from './iso-duration.ts'
import { securityProperties } from './properties-security.ts'
import { type DeserializerName } from './serialization/deserializers.ts'
import { formatOf } from './serialization/names.ts'

function nonEmpty(value: string | null): string | null {
  if (value === '') throw new Error('must not be empty')
  return value
}

function bootstrapServers(servers: readonly string[]): readonly string[] {
  for (const server of servers) {
    const match = /^(?:\w+:\/\/)?(\[[0-9a-fA-F:.]+\]|[^:[\]/]+):(\d+)$/.exec(server)
    if (!match || Number(match[2]) > 65535) throw new Error(`holds "${server}": each server is said as host:port`)
  }
  return servers
}

/** Java demands both of each client; here bytes are what one gets without. */
function format(kind: 'Serializer' | 'Deserializer', doc: string): Property<DeserializerName | null> {
  return { type: 'class', default: null, required: false, support: 'supported', doc, convert: formatOf(kind) }
}

const assignors = ['range', 'roundrobin', 'sticky', 'cooperative-sticky'] as const
export type AssignorName = (typeof assignors)[number]

/** Java's class of each assignor. */
export const assignorClasses: Readonly<Record<AssignorName, string>> = {
  range: 'org.apache.kafka.clients.consumer.RangeAssignor',
  roundrobin: 'org.apache.kafka.clients.consumer.RoundRobinAssignor',
  sticky: 'org.apache.kafka.clients.consumer.StickyAssignor',
  'cooperative-sticky': 'org.apache.kafka.clients.consumer.CooperativeStickyAssignor',
}

function assignmentStrategy(names: readonly string[]): readonly AssignorName[] {
  if (names.length === 0) throw new Error('must name at least one assignor')
  const found = names.map((name) => {
    const short = assignors.find((one) => one === name || assignorClasses[one] === name)
    if (!short) throw new Error(`holds "${name}": ${assignors.join(', ')} are known`)
    return short
  })
  if (new Set(found).size < found.length) throw new Error('names an assignor twice')
  return found
}

/** `by_duration:P…` begins that long ago (KIP-1106). */
export type OffsetResetPolicy = 'latest' | 'earliest' | 'none' | `by_duration:${string}`

function offsetReset(value: string): string {
  if (['latest', 'earliest', 'none'].includes(value)) return value
  if (!value.startsWith('by_duration:'))
    throw new Error('must be one of latest, earliest, none, by_duration:<duration>')
  const duration = value.slice('by_duration:'.length)
  if (durationMs(duration) !== undefined) return value
  throw new Error(
    `has the duration "${duration}": an ISO 8601 duration from 0 on, for example PT1H or P2DT3H4M, is needed`,
  )
}

const bootstrap = list([], 'Addresses (host:port) from which the cluster is found; all are tried, in random order.', {
  required: true,
  convert: bootstrapServers,
})

const commonProperties = {
  'bootstrap.servers': bootstrap,
  'client.id': text('', 'Name that the broker shows in its logs, metrics and group listings.'),
  'client.dns.lookup': choice(
    'use_all_dns_ips',
    ['use_all_dns_ips', 'resolve_canonical_bootstrap_servers_only'],
    'How host names are looked up; the addresses of a name are tried in turn.',
    { support: 'default-only' },
  ),
  'config.providers': later<readonly string[]>('list', [], 'Classes that fetch configuration values.'),
  'connections.max.idle.ms': long(540000, 'A connection without traffic for this long is closed.'),
  'enable.metrics.push': harmless('boolean', true, 'Sends metrics to the cluster. Sluice sends none.'),
  'metadata.max.age.ms': long(300000, 'Metadata older than this are fetched again.', { min: 0 }),
  'metadata.recovery.rebootstrap.trigger.ms': long(
    300000,
    'After this long without metadata from the known brokers, bootstrap.servers are asked again.',
    { min: 0 },
  ),
  'metadata.recovery.strategy': choice(
    'rebootstrap',
    ['rebootstrap', 'none'],
    'What to do when no known broker can be reached: ask bootstrap.servers again, or keep trying.',
    { ignoreCase: true },
  ),
  'metric.reporters': harmless<readonly string[]>(
    'list',
    ['org.apache.kafka.common.metrics.JmxReporter'],
    'Classes that report metrics. Without effect.',
  ),
  'metrics.num.samples': harmless('int', 2, 'Samples kept a metric. Without effect.', { min: 1 }),
  'metrics.recording.level': harmless('string', 'INFO', 'Detail of the metrics. Without effect.', {
    oneOf: ['INFO', 'DEBUG', 'TRACE'],
  }),
  'metrics.sample.window.ms': harmless('long', 30000, 'Length of a metrics sample. Without effect.', { min: 0 }),
  'receive.buffer.bytes': harmless('int', 65536, "The socket's receive buffer. The system's own is used.", { min: -1 }),
  'reconnect.backoff.max.ms': long(1000, 'The longest wait before a broker is connected to again.', { min: 0 }),
  'reconnect.backoff.ms': long(50, 'The first wait before a broker is connected to again; doubles each time.', {
    min: 0,
  }),
  'request.timeout.ms': int(30000, 'How long a response is waited for; then the connection is closed.', { min: 0 }),
  'retry.backoff.max.ms': long(1000, 'The longest wait before a request is sent again.', { min: 0 }),
  'retry.backoff.ms': long(100, 'The first wait before a request is sent again; doubles each time.', { min: 0 }),
  'send.buffer.bytes': harmless('int', 131072, "The socket's send buffer. The system's own is used.", { min: -1 }),
  'socket.connection.setup.timeout.max.ms': long(30000, 'The longest wait for a connection after failed attempts.'),
  'socket.connection.setup.timeout.ms': long(10000, 'How long a connection may take to come about.'),
  ...securityProperties,
}

export const consumerProperties = {
  ...commonProperties,
  'allow.auto.create.topics': bool(true, 'Topics that are subscribed to may be created by the broker.'),
  'auto.commit.interval.ms': int(5000, 'How often offsets are committed with enable.auto.commit.', { min: 0 }),
  'auto.offset.reset': {
    ...text(
      'latest',
      'Where to begin without a committed offset: latest, earliest, by_duration:PT1H (that long ago), or none (an error).',
    ),
    convert: offsetReset,
  } as Property<OffsetResetPolicy>,
  'check.crcs': bool(true, 'Checks the CRC of every batch of records.'),
  'client.rack': text('', 'Rack of this client.'),
  'default.api.timeout.ms': int(60000, 'How long a call without a timeout of its own may take.', { min: 0 }),
  'enable.auto.commit': bool(true, 'Commits what earlier polls returned, in the background.'),
  'exclude.internal.topics': bool(true, 'A subscribed pattern does not match internal topics.'),
  'fetch.max.bytes': int(52428800, 'The most bytes that a fetch returns, but for a first batch that is larger.', {
    min: 0,
  }),
  'fetch.max.wait.ms': int(500, 'How long a broker waits for fetch.min.bytes.', { min: 0 }),
  'fetch.min.bytes': int(1, 'The fewest bytes for which a fetch is answered at once.', { min: 0 }),
  'group.id': text(null, 'The consumer group.'),
  'group.instance.id': text(null, 'Name of a static member of the group.', { convert: nonEmpty }),
  'group.protocol': choice('classic', ['consumer', 'classic'], 'The group protocol.', {
    ignoreCase: true,
    support: 'default-only',
  }),
  'group.remote.assignor': later<string | null>('string', null, 'The assignor of the consumer group protocol.'),
  'heartbeat.interval.ms': int(3000, 'Time between heartbeats; lower than session.timeout.ms.'),
  'interceptor.classes': later<readonly string[]>('list', [], 'Java classes that see records go by.'),
  'internal.throw.on.fetch.stable.offset.unsupported': later('boolean', false, 'Internal to Java.'),
  'isolation.level': choice(
    'read_uncommitted',
    ['read_committed', 'read_uncommitted'],
    'Whether records of open and aborted transactions are returned.',
  ),
  'key.deserializer': format(
    'Deserializer',
    'What keys are turned into: string, bytes, json, integer, long, short, float, double, boolean, uuid, or Java’s class for it. Without it, views of their bytes.',
  ),
  'metrics.num.samples': int(2, 'Samples over which rates, averages and maxima are taken.', { min: 1 }),
  'metrics.sample.window.ms': long(30000, 'Length of a metrics sample.', { min: 0 }),
  'max.partition.fetch.bytes': int(1048576, 'The most bytes of one partition in a fetch.', { min: 0 }),
  'max.poll.interval.ms': int(300000, 'The longest time between two polls before the member leaves.', { min: 1 }),
  'max.poll.records': int(500, 'The most records that a poll returns.', { min: 1 }),
  'partition.assignment.strategy': {
    ...list(['range', 'cooperative-sticky'], 'Assignors in order of preference, by short name or Java class.'),
    convert: assignmentStrategy,
  } as Property<readonly AssignorName[]>,
  'session.timeout.ms': int(45000, 'A member that sends no heartbeat for this long is removed.'),
  'share.acknowledgement.mode': later('string', 'implicit', 'Share groups.'),
  'share.acquire.mode': later('string', 'BATCH_OPTIMIZED', 'Share groups.'),
  'value.deserializer': format(
    'Deserializer',
    'What values are turned into: string, bytes, json, integer, long, short, float, double, boolean, uuid, or Java’s class for it. Without it, views of their bytes.',
  ),
}

export const producerProperties = {
  ...commonProperties,
  acks: choice('all', ['all', '-1', '0', '1'], 'Who must have a record before it is acknowledged.', {
    convert: (value: string) => (value === '-1' ? 'all' : value),
  }) as Property<'all' | '0' | '1'>,
  'batch.size': int(16384, 'Bytes of records (uncompressed) that go into one batch.', { min: 0 }),
  'buffer.memory': long(33554432, 'Bytes of records that may wait to be sent.', { min: 0 }),
  'compression.gzip.level': int(-1, "gzip's level: 1 to 9, or -1 for its default.", {
    convert: (level: number) => {
      if (level !== -1 && (level < 1 || level > 9)) throw new Error('must be 1 to 9, or -1')
      return level
    },
  }),
  'compression.lz4.level': harmless('int', 9, "lz4's level. Without effect: Sluice's lz4 has one.", {
    min: 1,
    max: 17,
  }),
  'compression.type': choice('none', ['none', 'gzip', 'snappy', 'lz4', 'zstd'], 'How batches are compressed.'),
  'compression.zstd.level': int(3, "zstd's level.", { min: -131072, max: 22 }),
  'delivery.timeout.ms': int(120000, 'A record is acknowledged or failed within this time.', { min: 0 }),
  'enable.idempotence': bool(true, 'Retries neither repeat nor reorder records.'),
  'interceptor.classes': later<readonly string[]>('list', [], 'Java classes that see records go by.'),
  'key.serializer': format(
    'Serializer',
    'What keys are made of: string, bytes, json, integer, long, short, float, double, boolean, uuid, or Java’s class for it. Without it, bytes and strings.',
  ),
  'linger.ms': long(5, 'How long a batch that is not full waits for more records.', { min: 0 }),
  'max.block.ms': long(60000, 'How long a send waits for metadata and memory.', { min: 0 }),
  'max.in.flight.requests.per.connection': int(5, 'Requests to one broker that may be unanswered.', { min: 1 }),
  'max.request.size': int(1048576, 'The largest record and request, in bytes.', { min: 0 }),
  'metadata.max.idle.ms': long(300000, 'A topic that is not sent to for this long is forgotten.', { min: 5000 }),
  'partitioner.adaptive.partitioning.enable': harmless(
    'boolean',
    true,
    'Sends more to faster brokers. Sluice spreads records without a key evenly.',
  ),
  'partitioner.availability.timeout.ms': later('long', 0, 'Passes over partitions of a slow broker.'),
  'partitioner.class': later<string | null>('class', null, 'A partitioner other than the default.'),
  'partitioner.ignore.keys': bool(false, 'Chooses the partition as if there were no key.'),
  'receive.buffer.bytes': harmless('int', 32768, "The socket's receive buffer. The system's own is used.", { min: -1 }),
  retries: int(2147483647, 'How often a batch is sent again; delivery.timeout.ms is the better bound.', {
    min: 0,
    max: 2147483647,
  }),
  'transaction.timeout.ms': int(60000, 'The broker aborts a transaction that is open for longer.'),
  'transaction.two.phase.commit.enable': later('boolean', false, 'Two-phase commit with another system.'),
  'transactional.id': text(null, 'Name under which transactions survive a restart.', { convert: nonEmpty }),
  'value.serializer': format(
    'Serializer',
    'What values are made of: string, bytes, json, integer, long, short, float, double, boolean, uuid, or Java’s class for it. Without it, bytes and strings.',
  ),
}

export const adminProperties = {
  ...commonProperties,
  'bootstrap.controllers': later<readonly string[]>('list', [], 'Addresses of KRaft controllers.'),
  'connections.max.idle.ms': long(300000, 'A connection without traffic for this long is closed.'),
  'default.api.timeout.ms': int(60000, 'How long a call without a timeout of its own may take.', { min: 0 }),
  'enable.metrics.push': harmless('boolean', false, 'Sends metrics to the cluster. Sluice sends none.'),
  retries: int(2147483647, 'How often a call is tried again; default.api.timeout.ms is the better bound.', {
    min: 0,
    max: 2147483647,
  }),
}
