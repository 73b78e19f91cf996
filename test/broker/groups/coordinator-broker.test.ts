/** Groups and commits through raw requests against a broker that is killed and started again. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import {
  deleteGroups,
  describeGroups,
  findCoordinator,
  heartbeat,
  joinGroup,
  listGroups,
  offsetCommit,
  offsetFetch,
  syncGroup,
} from '../../../src/protocol/messages/index.ts'
import { codeOf } from '../../../src/protocol/error-codes.ts'
import { consumerProtocolSubscription } from '../../../src/protocol/stored/consumer-protocol.ts'
import { seededRandom } from '../../../src/seams/random.ts'
import { startBroker, type StartBrokerOptions, type TestBroker } from '../../../src/testing/start-broker.ts'
import { until } from '../../support/until.ts'
import { WireClient } from '../../support/wire-client.ts'

async function setup(t: TestContext, options: StartBrokerOptions = {}) {
  const broker = await startBroker({ topics: { clicks: 3 }, ...options })
  t.after(() => broker.stop())
  return { broker, client: await WireClient.connect(broker.bootstrapServers, t) }
}

async function crash(broker: TestBroker, t: TestContext): Promise<WireClient> {
  await broker.kill()
  await broker.restart()
  return WireClient.connect(broker.bootstrapServers, t)
}

async function commit(client: WireClient, groupId: string, partition: number, offset: number, more = {}) {
  const partitions = [{ partitionIndex: partition, committedOffset: offset, committedMetadata: `at ${offset}` }]
  const body = { groupId, memberId: '', topics: [{ name: 'clicks', partitions }], ...more }
  return (await client.request(offsetCommit, 8, body)).topics[0]!.partitions[0]!.errorCode
}

async function committed(client: WireClient, groupId: string): Promise<Record<number, number>> {
  const { topics } = await client.request(offsetFetch, 5, { groupId, topics: null })
  return Object.fromEntries(
    topics.flatMap(({ partitions }) => partitions.map((one) => [one.partitionIndex, one.committedOffset])),
  )
}

/** Joins as the only member of a group and syncs. */
async function joinAlone(client: WireClient, groupId: string, more = {}) {
  const metadata = consumerProtocolSubscription.encode(1, { topics: ['clicks'], ownedPartitions: [] })
  const { memberId, generationId } = await client.request(joinGroup, 3, {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata }],
    ...more,
  })
  const assignments = [{ memberId, assignment: Buffer.from('all') }]
  const { errorCode } = await client.request(syncGroup, 2, { groupId, generationId, memberId, assignments })
  assert.equal(errorCode, 0)
  return { memberId, generationId }
}

async function stateOf(client: WireClient, groupId: string) {
  return (await client.request(describeGroups, 5, { groups: [groupId] })).groups[0]!
}

describe('a broker that is killed', () => {
  it('has every commit that it answered', async (t) => {
    const { broker, client } = await setup(t)
    assert.equal(await commit(client, 'g', 0, 10), 0)
    assert.equal(await commit(client, 'g', 1, 20), 0)
    assert.equal(await commit(client, 'g', 0, 11), 0)
    const again = await crash(broker, t)
    assert.deepEqual(await committed(again, 'g'), { 0: 11, 1: 20 })
    const { topics } = await again.request(offsetFetch, 5, { groupId: 'g', topics: null })
    assert.equal(topics[0]!.partitions.find((one) => one.partitionIndex === 0)!.metadata, 'at 11')
  })

  it('knows the members of a stable group, who go on as if nothing had been', async (t) => {
    const { broker, client } = await setup(t)
    const { memberId, generationId } = await joinAlone(client, 'g')
    const again = await crash(broker, t)
    assert.equal((await again.request(heartbeat, 2, { groupId: 'g', generationId, memberId })).errorCode, 0)
    const described = await stateOf(again, 'g')
    assert.equal(described.groupState, 'Stable')
    assert.equal(described.members[0]!.memberAssignment.toString(), 'all')
    assert.equal(await commit(again, 'g', 0, 5, { memberId, generationIdOrMemberEpoch: generationId }), 0)
    const stale = { memberId, generationIdOrMemberEpoch: generationId - 1 }
    assert.equal(await commit(again, 'g', 0, 6, stale), codeOf('ILLEGAL_GENERATION'))
  })

  it('expires the members that do not come back within their session timeout', async (t) => {
    const properties = { 'group.min.session.timeout.ms': 1, 'group.initial.rebalance.delay.ms': 0 }
    const { broker, client } = await setup(t, { properties })
    await joinAlone(client, 'g', { sessionTimeoutMs: 100 })
    const again = await crash(broker, t)
    await until(async () => (await stateOf(again, 'g')).groupState === 'Empty')
    assert.deepEqual((await stateOf(again, 'g')).members, [])
  })

  it('has forgotten the groups that were deleted, and no others', async (t) => {
    const { broker, client } = await setup(t)
    await commit(client, 'kept', 0, 1)
    await commit(client, 'deleted', 0, 1)
    const { results } = await client.request(deleteGroups, 2, { groupsNames: ['deleted'] })
    assert.deepEqual(results, [{ groupId: 'deleted', errorCode: 0 }])
    await commit(client, 'deleted and new', 0, 1)
    await client.request(deleteGroups, 2, { groupsNames: ['deleted and new'] })
    await commit(client, 'deleted and new', 1, 7)
    const again = await crash(broker, t)
    const { groups } = await again.request(listGroups, 4, { statesFilter: [] })
    assert.deepEqual(groups.map(({ groupId }) => groupId).sort(), ['deleted and new', 'kept'])
    assert.deepEqual(await committed(again, 'deleted and new'), { 1: 7 })
  })

  it('loses no acknowledged commit over many random crashes', async (t) => {
    const random = seededRandom(7)
    const { broker, client: first } = await setup(t)
    let client = first
    const acknowledged = new Map<string, number>()
    const sent = new Map<string, number>()
    let next = 1
    for (let round = 0; round < 15; round++) {
      const steps = Array.from({ length: 20 }, async () => {
        const group = `g${Math.floor(random.next() * 5)}`
        const partition = Math.floor(random.next() * 3)
        const key = `${group} ${partition}`
        const offset = next++
        sent.set(key, offset)
        const error = await commit(client, group, partition, offset)
        if (error === 0) acknowledged.set(key, Math.max(offset, acknowledged.get(key) ?? 0))
      })
      const some = Math.floor(random.next() * steps.length)
      await Promise.all(steps.slice(0, some))
      const rest = Promise.allSettled(steps)
      client = await crash(broker, t)
      await rest
      for (const [key, offset] of acknowledged) {
        const [group, partition] = key.split(' ') as [string, string]
        const found = (await committed(client, group))[Number(partition)]!
        assert.ok(found >= offset && found <= sent.get(key)!, `${key}: ${offset} was acknowledged, ${found} is there`)
      }
    }
    assert.ok(acknowledged.size > 10)
  })
})

it('a topic that is deleted takes its commits with it', async (t) => {
  const { broker, client } = await setup(t, { topics: { clicks: 3, other: 1 } })
  await commit(client, 'g', 0, 10)
  await broker.broker.context.logs.deleteTopic('clicks')
  await until(async () => Object.keys(await committed(client, 'g')).length === 0)
  await broker.broker.context.logs.createTopic('clicks', 3)
  const again = await crash(broker, t)
  assert.deepEqual(await committed(again, 'g'), {})
})

it('what was committed for another topic of the same name is not handed out', async (t) => {
  const { broker, client } = await setup(t)
  await commit(client, 'g', 0, 10)
  const { groups, logs } = broker.broker.context
  const before = groups.committed.get('g', 'clicks', 0)!
  groups.committed.put('g', 'clicks', 1, { ...before, topicId: 'aaaaaaaaaaaaaaaaaaaaaQ' }, 1000, -1)
  assert.notEqual(logs.topic('clicks')!.id, 'aaaaaaaaaaaaaaaaaaaaaQ')
  assert.deepEqual(await committed(client, 'g'), { 0: 10, 1: -1 })
})

it('the topic of the offsets is there once somebody looks for a coordinator, internal and compacted', async (t) => {
  const { broker, client } = await setup(t)
  const { logs } = broker.broker.context
  assert.equal(logs.topic('__consumer_offsets'), undefined)
  const { errorCode, port } = await client.request(findCoordinator, 2, { key: 'g' })
  assert.deepEqual([errorCode, port], [0, broker.port])
  const topic = logs.topic('__consumer_offsets')!
  assert.deepEqual([topic.internal, topic.config.cleanupCompact, topic.partitions.length], [true, true, 4])
})

it('a compacted topic of offsets reads back the same', async (t) => {
  const { broker, client } = await setup(t)
  for (let offset = 1; offset <= 50; offset++) await commit(client, 'g', offset % 3, offset)
  const { memberId, generationId } = await joinAlone(client, 'members')
  await broker.broker.context.logs.compact({ force: true })
  const again = await crash(broker, t)
  assert.deepEqual(await committed(again, 'g'), { 0: 48, 1: 49, 2: 50 })
  assert.equal((await again.request(heartbeat, 2, { groupId: 'members', generationId, memberId })).errorCode, 0)
})

it('a broker that stops answers the requests that wait', async (t) => {
  const { broker, client } = await setup(t)
  const { memberId } = await joinAlone(client, 'g')
  const other = await WireClient.connect(broker.bootstrapServers, t)
  const waiting = other.request(joinGroup, 3, {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
  })
  waiting.catch(() => {})
  await until(async () => (await stateOf(client, 'g')).groupState === 'PreparingRebalance')
  const { groups } = broker.broker.context
  assert.equal(groups.unansweredCount, 1)
  await broker.stop()
  assert.equal(groups.unansweredCount, 0)
  assert.ok(memberId)
})
