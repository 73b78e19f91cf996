/** What the admin client must do against any broker: run over the embedded one (admin-embedded.test.ts) and over Apache Kafka (test/compat/admin.compat.ts). */
import assert from 'node:assert/strict'
import { type TestContext } from 'node:test'
import { Admin, AdminError, type CreatedTopic, type NewTopic } from '../../../src/client/admin/index.ts'
import { Consumer } from '../../../src/client/consumer/index.ts'
import { Producer } from '../../../src/client/producer/index.ts'
import { KafkaError } from '../../../src/protocol/error-codes.ts'
import { until } from '../../support/until.ts'
import { type Case, casesOf, type Target } from '../target.ts'

let namesMade = 0
const fresh = (what: string) => `${what}-${process.pid}-${++namesMade}`

function adminOf(t: TestContext, { bootstrapServers }: Target): Admin {
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers, 'default.api.timeout.ms': 20_000 })
  t.after(() => admin.close())
  return admin
}

const isKafkas = (code: string, message?: RegExp) => (error: Error) => {
  assert.ok(error instanceof KafkaError, String(error))
  assert.equal(error.code, `KAFKA_${code}`)
  if (message) assert.match(error.message, message)
  return true
}

/** Brokers hear a moment after the controller of a topic that was made: waits until each has its leaders. */
async function make(admin: Admin, ...topics: readonly NewTopic[]): Promise<ReadonlyMap<string, CreatedTopic>> {
  const created = await admin.createTopics(topics)
  const names = topics.map(({ name }) => name)
  await until(async () => {
    const { values } = await admin.describeTopics(names)
    const partitions = [...values.values()].flatMap((topic) => topic.partitions)
    return values.size === names.length && partitions.every(({ leader }) => leader >= 0)
  })
  return created
}

export function adminConformance(start: () => Promise<Target>): void {
  const check = casesOf(start)
  check('admin: topics are created, listed, described and deleted', async (t, target) => {
    const admin = adminOf(t, target)
    const [one, two] = [fresh('topic'), fresh('topic')]
    const created = await make(
      admin,
      { name: one, partitions: 3, replicationFactor: 1, configs: { 'retention.ms': '123456' } },
      { name: two },
    )
    assert.equal(created.get(one)!.partitions, 3)
    assert.equal(created.get(one)!.replicationFactor, 1)
    const names = (await admin.listTopics()).map(({ name }) => name)
    assert.ok(names.includes(one) && names.includes(two))
    const description = (await admin.describeTopics([one])).get(one)
    assert.equal(description.topicId, created.get(one)!.topicId)
    assert.deepEqual(
      description.partitions.map(({ partition }) => partition),
      [0, 1, 2],
    )
    assert.ok(description.partitions.every(({ leader, inSyncReplicas }) => inSyncReplicas.includes(leader)))
    await admin.deleteTopics([one, two])
    // A broker hears of it a moment after the controller.
    await until(async () => (await admin.describeTopics([one])).failures.has(one))
    const gone = await admin.describeTopics([one])
    assert.throws(() => gone.get(one), isKafkas('UNKNOWN_TOPIC_OR_PARTITION'))
    await assert.rejects(admin.deleteTopics([one]), isKafkas('UNKNOWN_TOPIC_OR_PARTITION'))
  })

  check('admin: what fails of several is said by name, and the rest is done', async (t, target) => {
    const admin = adminOf(t, target)
    const [old, young] = [fresh('topic'), fresh('topic')]
    await make(admin, { name: old })
    await assert.rejects(
      admin.createTopics([{ name: old }, { name: young }, { name: 'a bad/name' }]),
      (error: AdminError) => {
        assert.ok(error instanceof AdminError)
        assert.deepEqual([...error.failures.keys()].sort(), ['a bad/name', old])
        assert.deepEqual([...error.values.keys()], [young])
        return true
      },
    )
    await assert.rejects(admin.createTopics([{ name: old }]), isKafkas('TOPIC_ALREADY_EXISTS', /already exists/))
    await assert.rejects(admin.createTopics([{ name: fresh('topic'), partitions: 0 }]), isKafkas('INVALID_PARTITIONS'))
    await assert.rejects(
      admin.createTopics([{ name: fresh('topic'), configs: { 'no.such.config': '1' } }]),
      isKafkas('INVALID_CONFIG'),
    )
  })

  check('admin: validateOnly changes nothing', async (t, target) => {
    const admin = adminOf(t, target)
    const name = fresh('topic')
    await admin.createTopics([{ name, partitions: 2 }], { validateOnly: true })
    assert.ok(!(await admin.listTopics()).some((topic) => topic.name === name))
    await make(admin, { name, partitions: 2 })
    await admin.createPartitions({ [name]: 4 }, { validateOnly: true })
    assert.equal((await admin.describeTopics([name])).get(name).partitions.length, 2)
    const changes = [{ name: 'retention.ms', value: '777' }]
    await admin.incrementalAlterConfigs([{ type: 'topic', name, changes }], { validateOnly: true })
    const configs = (await admin.describeConfigs([{ type: 'topic', name }])).get(name)
    assert.notEqual(configs.get('retention.ms')!.value, '777')
  })

  check('admin: partitions can only be added, in the words of Kafka', async (t, target) => {
    const admin = adminOf(t, target)
    const name = fresh('topic')
    await make(admin, { name, partitions: 3 })
    await admin.createPartitions({ [name]: 5 })
    // The controller knows at once, other brokers a moment later.
    await until(async () => (await admin.describeTopics([name])).get(name).partitions.length === 5)
    await assert.rejects(
      admin.createPartitions({ [name]: 2 }),
      isKafkas(
        'INVALID_PARTITIONS',
        new RegExp(`The topic ${name} currently has 5 partition\\(s\\); 2 would not be an increase`),
      ),
    )
  })

  check('admin: configurations are set, deleted and described with their source', async (t, target) => {
    const admin = adminOf(t, target)
    const name = fresh('topic')
    await make(admin, { name, configs: { 'cleanup.policy': 'compact' } })
    const describe = async (key: string) => {
      const described = await admin.describeConfigs([{ type: 'topic', name }], { keys: [key] })
      assert.deepEqual([...described.get(name).keys()], [key])
      return described.get(name).get(key)!
    }
    await admin.incrementalAlterConfigs([{ type: 'topic', name, changes: [{ name: 'retention.ms', value: '5000' }] }])
    await until(async () => (await describe('retention.ms')).value === '5000')
    assert.equal((await describe('retention.ms')).source, 'topic')
    const append = { name: 'cleanup.policy', operation: 'append' as const, value: 'delete' }
    await admin.incrementalAlterConfigs([{ type: 'topic', name, changes: [append] }])
    await until(async () => (await describe('cleanup.policy')).value === 'compact,delete')
    const remove = { name: 'retention.ms', operation: 'delete' as const }
    await admin.incrementalAlterConfigs([{ type: 'topic', name, changes: [remove] }])
    await until(async () => (await describe('retention.ms')).source !== 'topic')
    const { brokers } = await admin.describeCluster()
    const node = String(brokers[0]!.nodeId)
    const broker = (await admin.describeConfigs([{ type: 'broker', name: node }])).get(`broker ${node}`)
    assert.ok(broker.has('num.partitions'))
  })

  check('admin: the cluster is described', async (t, target) => {
    const cluster = await adminOf(t, target).describeCluster()
    assert.match(cluster.clusterId, /^[\w-]{22}$/)
    assert.ok(cluster.brokers.some(({ host, port }) => target.bootstrapServers.includes(`${host}:${port}`)))
  })

  check('admin: offsets by place and time, and records deleted before one', async (t, target) => {
    const admin = adminOf(t, target)
    const topic = fresh('topic')
    await make(admin, { name: topic, partitions: 2 })
    const producer = new Producer({ 'bootstrap.servers': target.bootstrapServers })
    t.after(() => producer.close())
    const base = Date.now() - 100_000
    await producer.sendBatch(
      Array.from({ length: 10 }, (_, index) => ({ topic, partition: 0, value: 'x', timestamp: base + 1000 * index })),
    )
    const zero = { topic, partition: 0 }
    const offset = async (
      spec: Parameters<Admin['listOffsets']>[0] extends Iterable<readonly [any, infer S]> ? S : never,
    ) => (await admin.listOffsets([[zero, spec]])).get(`${topic}-0`).offset
    assert.deepEqual([await offset('earliest'), await offset('latest')], [0, 10])
    assert.equal(await offset(base + 3500), 4)
    assert.equal(await offset(base + 999_999), -1)
    const max = (await admin.listOffsets([[zero, 'max-timestamp']])).get(`${topic}-0`)
    assert.deepEqual([max.offset, max.timestamp], [9, base + 9000])
    const listed = await admin.listOffsets([
      [zero, 'latest'],
      [{ topic, partition: 1 }, 'latest'],
      [{ topic, partition: 9 }, 'latest'],
    ])
    assert.deepEqual([listed.get(`${topic}-1`).offset, [...listed.failures.keys()]], [0, [`${topic}-9`]])
    const deleted = await admin.deleteRecords([
      [zero, 4],
      [{ topic, partition: 1 }, -1],
    ])
    assert.deepEqual(
      deleted,
      new Map([
        [`${topic}-0`, 4],
        [`${topic}-1`, 0],
      ]),
    )
    assert.equal(await offset('earliest'), 4)
    await assert.rejects(admin.deleteRecords([[zero, 99]]), isKafkas('OFFSET_OUT_OF_RANGE'))
  })

  groupConformance(check)
}

function groupConformance(check: Case): void {
  check('groups: offsets are set, listed and deleted, and the group with them', async (t, target) => {
    const admin = adminOf(t, target)
    const [topic, group] = [fresh('topic'), fresh('group')]
    await make(admin, { name: topic, partitions: 3 })
    await admin.alterGroupOffsets(group, [
      [
        { topic, partition: 0 },
        { offset: 5, metadata: 'why' },
      ],
      [{ topic, partition: 2 }, { offset: 7 }],
    ])
    const offsets = await admin.listGroupOffsets(group)
    assert.equal(offsets.size, 2)
    assert.deepEqual(offsets.get({ topic, partition: 0 }), { offset: 5, metadata: 'why', leaderEpoch: undefined })
    const some = await admin.listGroupOffsets(group, {
      partitions: [
        { topic, partition: 1 },
        { topic, partition: 2 },
      ],
    })
    assert.deepEqual(
      [...some].map(([{ partition }, { offset }]) => [partition, offset]),
      [[2, 7]],
    )
    assert.equal((await admin.listGroups()).find(({ groupId }) => groupId === group)?.state, 'Empty')
    assert.equal((await admin.describeGroups([group])).get(group).state, 'Empty')
    await admin.deleteGroupOffsets(group, [{ topic, partition: 0 }])
    assert.equal((await admin.listGroupOffsets(group)).size, 1)
    await admin.deleteGroups([group])
    assert.ok(!(await admin.listGroups()).some(({ groupId }) => groupId === group))
    await assert.rejects(admin.deleteGroups([group]), isKafkas('GROUP_ID_NOT_FOUND'))
    const described = await admin.describeGroups([group])
    assert.throws(() => described.get(group), isKafkas('GROUP_ID_NOT_FOUND'))
  })

  check('groups: each broker lists its own, and whoever was listed needs no lookup', async (t, target) => {
    const admin = adminOf(t, target)
    const [topic, group] = [fresh('topic'), fresh('group')]
    await make(admin, { name: topic })
    await admin.alterGroupOffsets(group, [[{ topic, partition: 0 }, { offset: 0 }]])
    const { brokers } = await admin.describeCluster()
    const byBroker = await admin.listGroupsByBroker()
    assert.deepEqual(
      [...byBroker.orThrow().keys()],
      brokers.map(({ nodeId }) => String(nodeId)),
    )
    const listed = [...byBroker.values.values()].flat().find(({ groupId }) => groupId === group)!
    assert.equal(listed.coordinator, brokers[0]!.nodeId)
    assert.equal((await admin.describeGroups([group])).get(group).coordinator, listed.coordinator)
  })

  check(
    'admin: leaders that are known need no metadata, and what may be done with the cluster is named',
    async (t, target) => {
      const admin = adminOf(t, target)
      const topic = fresh('topic')
      await make(admin, { name: topic })
      const ends = await admin.listOffsets([[{ topic, partition: 0 }, 'latest']], { refresh: false })
      assert.equal(ends.get(`${topic}-0`).offset, 0)
      const { authorizedOperations } = await admin.describeCluster({ includeAuthorizedOperations: true })
      assert.ok(authorizedOperations!.includes('DESCRIBE'), String(authorizedOperations))
      assert.equal((await admin.describeCluster()).authorizedOperations, undefined)
    },
  )

  check('groups: many groups in one call', async (t, target) => {
    const admin = adminOf(t, target)
    const topic = fresh('topic')
    await make(admin, { name: topic })
    const groups = Array.from({ length: 8 }, () => fresh('group'))
    for (const [index, group] of groups.entries()) {
      await admin.alterGroupOffsets(group, [[{ topic, partition: 0 }, { offset: index }]])
    }
    const offsets = (await admin.listOffsetsOfGroups(groups)).orThrow()
    assert.deepEqual(
      groups.map((group) => offsets.get(group)!.get({ topic, partition: 0 })!.offset),
      [0, 1, 2, 3, 4, 5, 6, 7],
    )
    assert.equal((await admin.describeGroups(groups)).orThrow().size, 8)
    await admin.deleteGroups(groups)
  })

  check('groups: members and their assignment are described; a group in use is protected', async (t, target) => {
    const admin = adminOf(t, target)
    const [topic, group] = [fresh('topic'), fresh('group')]
    await make(admin, { name: topic, partitions: 2 })
    const consumer = new Consumer({
      'bootstrap.servers': target.bootstrapServers,
      'group.id': group,
      'client.id': 'reader',
    })
    t.after(() => consumer.close())
    consumer.subscribe([topic])
    await until(async () => (await consumer.poll(100), consumer.assignment().length === 2))
    const description = (await admin.describeGroups([group])).get(group)
    assert.equal(description.state, 'Stable')
    assert.equal(description.protocolType, 'consumer')
    const [member] = description.members
    assert.equal(description.members.length, 1)
    assert.equal(member!.clientId, 'reader')
    assert.deepEqual(member!.assignment, [
      { topic, partition: 0 },
      { topic, partition: 1 },
    ])
    assert.ok((await admin.listGroups({ states: ['Stable'] })).some(({ groupId }) => groupId === group))
    assert.ok(!(await admin.listGroups({ states: ['Empty'] })).some(({ groupId }) => groupId === group))
    await assert.rejects(admin.deleteGroups([group]), isKafkas('NON_EMPTY_GROUP'))
    await assert.rejects(
      admin.alterGroupOffsets(group, [[{ topic, partition: 0 }, { offset: 0 }]]),
      isKafkas('UNKNOWN_MEMBER_ID'),
    )
    await assert.rejects(
      admin.deleteGroupOffsets(group, [{ topic, partition: 0 }]),
      isKafkas('GROUP_SUBSCRIBED_TO_TOPIC'),
    )
  })
}
