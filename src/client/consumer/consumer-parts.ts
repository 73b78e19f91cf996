/** Puts a consumer's parts together. Kept apart from consumer.ts, which is the surface and the loop. */
import { Cluster } from '../cluster.ts'
import { parseConsumerConfig, type ConsumerConfig, type PropertyBag } from '../config.ts'
import { type Deserializer, type Deserializers } from '../../protocol/records/deserialized-record.ts'
import { type ClientSeams, systemSeams } from '../seams.ts'
import { deserializers } from '../serialization/deserializers.ts'
import { systemClock } from '../../seams/clock.ts'
import { systemTransport } from '../../seams/transport.ts'
import { Commits } from './commits.ts'
import { ConsumerMetrics } from './consumer-metrics.ts'
import { countedTransport } from './counted-transport.ts'
import { Fetcher } from './fetcher.ts'
import { GroupMember } from './group-member.ts'
import { type CommitIdentity, GroupOffsets } from './group-offsets.ts'
import { OffsetLookup } from './offset-lookup.ts'
import { Positions } from './positions.ts'
import { ListenerCalls } from './rebalance-listener.ts'
import { SubscriptionState } from './subscription-state.ts'
import { WakeSignal } from './wake-signal.ts'

/** What exists only with a `group.id`. */
export interface GroupParts {
  readonly groupId: string
  readonly member: GroupMember
  readonly offsets: GroupOffsets
  readonly commits: Commits
}

/** Beside the properties: functions of one's own, which go before the properties' names, and the outside world. */
export interface ConsumerOptions<K = Buffer, V = Buffer> extends Partial<ClientSeams> {
  readonly keyDeserializer?: Deserializer<K> | undefined
  readonly valueDeserializer?: Deserializer<V> | undefined
}

export interface ConsumerParts {
  readonly config: ConsumerConfig
  readonly cluster: Cluster
  readonly subscriptions: SubscriptionState
  readonly signal: WakeSignal
  readonly calls: ListenerCalls
  readonly metrics: ConsumerMetrics
  /** Clock or transport were handed in: nothing may happen outside of them, and heartbeats stay on this event loop. */
  readonly isOwnLoopUsed: boolean
  readonly lookup: OffsetLookup
  readonly positions: Positions
  readonly fetcher: Fetcher
  readonly group: GroupParts | undefined
}

let consumersMade = 0

export function makeConsumerParts(properties: PropertyBag, options: ConsumerOptions<unknown, unknown>): ConsumerParts {
  const { keyDeserializer, valueDeserializer, ...overrides } = options
  const parsed = parseConsumerConfig(properties)
  const clientId = parsed['client.id'] || `consumer-${parsed['group.id'] ?? 'alone'}-${++consumersMade}`
  const config: ConsumerConfig = { ...parsed, 'client.id': clientId }
  const seams = systemSeams(overrides)
  const window = { sampleMs: config['metrics.sample.window.ms'], samples: config['metrics.num.samples'] }
  const { transport, counts } = countedTransport(seams.transport, seams.clock, window)
  const cluster = new Cluster(config, { ...seams, transport })
  const signal = new WakeSignal(cluster.seams.clock)
  cluster.onMetadata(() => signal.notify())
  const isReadCommitted = config['isolation.level'] === 'read_committed'
  const common = {
    config,
    cluster,
    signal,
    subscriptions: new SubscriptionState(
      config['check.crcs'],
      deserializersOf({
        key: keyDeserializer ?? named(config['key.deserializer']),
        value: valueDeserializer ?? named(config['value.deserializer']),
      }),
    ),
    calls: new ListenerCalls(),
    metrics: new ConsumerMetrics(config, counts),
    isOwnLoopUsed: seams.clock !== systemClock || seams.transport !== systemTransport,
    lookup: new OffsetLookup(cluster, isReadCommitted),
  }
  const groupId = config['group.id']
  const group = groupId === null ? undefined : makeGroup(groupId, isReadCommitted, common)
  return {
    ...common,
    group,
    positions: new Positions({ ...common, groupOffsets: group?.offsets }),
    fetcher: new Fetcher(common),
  }
}

const named = (name: ConsumerConfig['key.deserializer']) => (name === null ? undefined : deserializers[name])

/** undefined when both parts stay bytes: then records are nothing but views. */
function deserializersOf({ key, value }: Deserializers): Deserializers | undefined {
  const isBytes = (one: Deserializers['key']) => one === undefined || one === deserializers.bytes
  return isBytes(key) && isBytes(value) ? undefined : { key, value }
}

function makeGroup(
  groupId: string,
  isReadCommitted: boolean,
  common: Omit<ConsumerParts, 'group' | 'positions' | 'fetcher'>,
): GroupParts {
  const { cluster, config, subscriptions } = common
  // Partitions that the user assigned belong to no generation.
  const alone: CommitIdentity = { generationId: -1, memberId: '', groupInstanceId: config['group.instance.id'] }
  const offsets: GroupOffsets = new GroupOffsets({
    cluster,
    groupId,
    isReadCommitted,
    metrics: common.metrics,
    identity: () => (subscriptions.subscription.kind === 'assigned' ? alone : member.identity()),
    onRefused: (identity, errorCode) =>
      identity.generationId < 0 ? { isRejoining: false } : member.commitRefused(identity, errorCode),
  })
  const commits = new Commits({ ...common, groupOffsets: offsets })
  const member: GroupMember = new GroupMember({
    ...common,
    groupId,
    commitBeforeRebalance: (timeoutMs) => commits.beforeRebalance(timeoutMs),
    onAssigned: () => commits.assigned(),
  })
  return { groupId, member, offsets, commits }
}
