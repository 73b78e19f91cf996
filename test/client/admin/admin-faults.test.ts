/** Every call of the admin client in a cluster in trouble: what passes is tried again and succeeds, what does not is told as it is, at once, and nothing waits for longer than it may. */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { Admin } from '../../../src/client/admin/index.ts'
import { TimeoutError } from '../../../src/client/errors.ts'
import { Producer } from '../../../src/client/producer/index.ts'
import { type ErrorName, KafkaError } from '../../../src/protocol/error-codes.ts'
import {
  delay,
  disconnect,
  error,
  inOrder,
  once,
  startBroker,
  type TestBroker,
  times,
} from '../../../src/testing/index.ts'

interface Prepared {
  readonly admin: Admin
  /** One partition with three records. */
  readonly topic: string
  /** Has an offset of that topic, and no members. */
  readonly group: string
  /** A name that nothing has yet. */
  readonly unused: string
}

interface Call {
  readonly name: string
  /** What the broker is asked by it, in the end. */
  readonly api: string
  /** The error by which a node says that another is to be asked. */
  readonly misplaced: ErrorName
  readonly refusal: ErrorName
  run(prepared: Prepared, timeoutMs?: number): Promise<unknown>
}

const at = (topic: string) => ({ topic, partition: 0 })

const calls: readonly Call[] = [
  {
    name: 'createTopics',
    api: 'CreateTopics',
    misplaced: 'NOT_CONTROLLER',
    refusal: 'TOPIC_AUTHORIZATION_FAILED',
    run: async ({ admin, unused }, timeoutMs) => {
      await admin.createTopics([{ name: unused, partitions: 2 }], { timeoutMs })
      return assert.equal((await admin.describeTopics([unused])).get(unused).partitions.length, 2)
    },
  },
  {
    name: 'deleteTopics',
    api: 'DeleteTopics',
    misplaced: 'NOT_CONTROLLER',
    refusal: 'TOPIC_AUTHORIZATION_FAILED',
    run: async ({ admin, topic }, timeoutMs) => {
      await admin.deleteTopics([topic], { timeoutMs })
      return assert.ok((await admin.describeTopics([topic])).failures.has(topic))
    },
  },
  {
    name: 'createPartitions',
    api: 'CreatePartitions',
    misplaced: 'NOT_CONTROLLER',
    refusal: 'TOPIC_AUTHORIZATION_FAILED',
    run: async ({ admin, topic }, timeoutMs) => {
      await admin.createPartitions({ [topic]: 3 }, { timeoutMs })
      return assert.equal((await admin.describeTopics([topic])).get(topic).partitions.length, 3)
    },
  },
  {
    name: 'incrementalAlterConfigs',
    api: 'IncrementalAlterConfigs',
    misplaced: 'NOT_CONTROLLER',
    refusal: 'TOPIC_AUTHORIZATION_FAILED',
    run: async ({ admin, topic }, timeoutMs) => {
      const resource = { type: 'topic', name: topic } as const
      await admin.incrementalAlterConfigs(
        [{ ...resource, changes: [{ name: 'retention.ms', operation: 'set', value: '4321' }] }],
        { timeoutMs },
      )
      const found = (await admin.describeConfigs([resource])).get(topic)
      return assert.equal(found.get('retention.ms')!.value, '4321')
    },
  },
  {
    name: 'describeConfigs',
    api: 'DescribeConfigs',
    misplaced: 'REQUEST_TIMED_OUT',
    refusal: 'TOPIC_AUTHORIZATION_FAILED',
    run: async ({ admin, topic }, timeoutMs) =>
      assert.ok((await admin.describeConfigs([{ type: 'topic', name: topic }], { timeoutMs })).get(topic).size > 0),
  },
  {
    name: 'describeTopics',
    api: 'Metadata',
    misplaced: 'LEADER_NOT_AVAILABLE',
    refusal: 'TOPIC_AUTHORIZATION_FAILED',
    run: async ({ admin, topic }, timeoutMs) =>
      assert.equal((await admin.describeTopics([topic], { timeoutMs })).get(topic).partitions.length, 1),
  },
  {
    name: 'describeCluster',
    api: 'DescribeCluster',
    misplaced: 'REQUEST_TIMED_OUT',
    refusal: 'CLUSTER_AUTHORIZATION_FAILED',
    run: async ({ admin }, timeoutMs) => assert.equal((await admin.describeCluster({ timeoutMs })).brokers.length, 1),
  },
  {
    name: 'listGroups',
    api: 'ListGroups',
    misplaced: 'COORDINATOR_LOAD_IN_PROGRESS',
    refusal: 'CLUSTER_AUTHORIZATION_FAILED',
    run: async ({ admin, group }, timeoutMs) =>
      assert.ok((await admin.listGroups({ timeoutMs })).some(({ groupId }) => groupId === group)),
  },
  {
    name: 'describeGroups',
    api: 'DescribeGroups',
    misplaced: 'NOT_COORDINATOR',
    refusal: 'GROUP_AUTHORIZATION_FAILED',
    run: async ({ admin, group }, timeoutMs) =>
      assert.equal((await admin.describeGroups([group], { timeoutMs })).get(group).state, 'Empty'),
  },
  {
    name: 'deleteGroups',
    api: 'DeleteGroups',
    misplaced: 'NOT_COORDINATOR',
    refusal: 'GROUP_AUTHORIZATION_FAILED',
    run: async ({ admin, group }, timeoutMs) => {
      await admin.deleteGroups([group], { timeoutMs })
      return assert.equal((await admin.listGroupOffsets(group)).size, 0)
    },
  },
  {
    name: 'listGroupOffsets',
    api: 'OffsetFetch',
    misplaced: 'NOT_COORDINATOR',
    refusal: 'GROUP_AUTHORIZATION_FAILED',
    run: async ({ admin, group, topic }, timeoutMs) =>
      assert.equal((await admin.listGroupOffsets(group, { timeoutMs })).get(at(topic))!.offset, 1),
  },
  {
    name: 'alterGroupOffsets',
    api: 'OffsetCommit',
    misplaced: 'NOT_COORDINATOR',
    refusal: 'GROUP_AUTHORIZATION_FAILED',
    run: async ({ admin, group, topic }, timeoutMs) => {
      await admin.alterGroupOffsets(group, [[at(topic), { offset: 2 }]], { timeoutMs })
      return assert.equal((await admin.listGroupOffsets(group)).get(at(topic))!.offset, 2)
    },
  },
  {
    name: 'deleteGroupOffsets',
    api: 'OffsetDelete',
    misplaced: 'NOT_COORDINATOR',
    refusal: 'GROUP_AUTHORIZATION_FAILED',
    run: async ({ admin, group, topic }, timeoutMs) => {
      await admin.deleteGroupOffsets(group, [at(topic)], { timeoutMs })
      return assert.equal((await admin.listGroupOffsets(group)).get(at(topic)), undefined)
    },
  },
  {
    name: 'listOffsets',
    api: 'ListOffsets',
    misplaced: 'NOT_LEADER_OR_FOLLOWER',
    refusal: 'TOPIC_AUTHORIZATION_FAILED',
    run: async ({ admin, topic }, timeoutMs) =>
      assert.equal((await admin.listOffsets([[at(topic), 'latest']], { timeoutMs })).get(`${topic}-0`).offset, 3),
  },
  {
    name: 'deleteRecords',
    api: 'DeleteRecords',
    misplaced: 'NOT_LEADER_OR_FOLLOWER',
    refusal: 'TOPIC_AUTHORIZATION_FAILED',
    run: async ({ admin, topic }, timeoutMs) =>
      assert.equal((await admin.deleteRecords([[at(topic), 2]], { timeoutMs })).get(`${topic}-0`), 2),
  },
]

let broker: TestBroker
before(async () => {
  broker = await startBroker()
})
after(() => broker?.stop())

let made = 0

async function prepare(t: TestContext, properties: Record<string, number> = {}): Promise<Prepared> {
  const [topic, group, unused] = ['topic', 'group', 'unused'].map((what) => `${what}-${++made}`) as [
    string,
    string,
    string,
  ]
  const { bootstrapServers } = broker
  const common = { 'bootstrap.servers': bootstrapServers, 'retry.backoff.ms': 1 }
  const admin = new Admin({ ...common, 'default.api.timeout.ms': 60_000, ...properties })
  t.after(() => admin.close())
  await admin.createTopics([{ name: topic, partitions: 1 }])
  const producer = new Producer(common)
  await producer.sendBatch(['0', '1', '2'].map((value) => ({ topic, value })))
  await producer.close()
  await admin.alterGroupOffsets(group, [[at(topic), { offset: 1 }]])
  return { admin, topic, group, unused }
}

for (const call of calls) {
  const { name, api, misplaced, refusal } = call
  describe(`admin: ${name}`, () => {
    test(`${misplaced} and lost connections are tried again`, async (t) => {
      const prepared = await prepare(t)
      const rule = broker.intercept(
        api,
        times(4, once(error(misplaced)), once(disconnect()), times(2, error(misplaced))),
      )
      t.after(() => rule.remove())
      await call.run(prepared)
      assert.ok(rule.seen >= 5, `asked ${rule.seen} times`)
    })

    test('an answer that does not come within request.timeout.ms is asked for again', async (t) => {
      const prepared = await prepare(t, { 'request.timeout.ms': 300 })
      const rule = broker.intercept(api, once(delay(3_600_000), disconnect()))
      t.after(() => rule.remove())
      await call.run(prepared)
      assert.ok(rule.seen >= 2, `asked ${rule.seen} times`)
    })

    test(`${refusal} is told at once`, async (t) => {
      const prepared = await prepare(t)
      const rule = broker.intercept(api, error(refusal))
      t.after(() => rule.remove())
      await assert.rejects(call.run(prepared), (failure: Error) => {
        assert.ok(failure instanceof KafkaError, String(failure))
        assert.deepEqual([failure.error.name, failure.retriable], [refusal, false])
        return true
      })
      assert.equal(rule.seen, 1)
    })

    test('a request that the end of the time cuts off is a TimeoutError too', async (t) => {
      const prepared = await prepare(t)
      const rule = broker.intercept(api, inOrder(once(error(misplaced)), delay(3_600_000)))
      t.after(() => rule.remove())
      await assert.rejects(call.run(prepared, 300), (failure: Error) => {
        assert.ok(failure instanceof TimeoutError, String(failure))
        assert.match(failure.message, new RegExp(`did not succeed within 300 ms.*${misplaced}`))
        return true
      })
    })

    test('what does not pass in time is a TimeoutError that says what failed last', async (t) => {
      const prepared = await prepare(t)
      const rule = broker.intercept(api, error(misplaced))
      t.after(() => rule.remove())
      await assert.rejects(call.run(prepared, 300), (failure: Error) => {
        assert.ok(failure instanceof TimeoutError, String(failure))
        assert.match(failure.message, new RegExp(`did not succeed within 300 ms.*${misplaced}`))
        return true
      })
    })
  })
}

const ofGroups = ['describeGroups', 'deleteGroups', 'listGroupOffsets', 'alterGroupOffsets', 'deleteGroupOffsets']
for (const call of calls.filter(({ name }) => ofGroups.includes(name))) {
  test(`admin: ${call.name}: a coordinator that is being elected is waited for`, async (t) => {
    const prepared = await prepare(t)
    const api = broker.intercept(call.api, once(error('NOT_COORDINATOR')))
    const lookup = broker.intercept('FindCoordinator', times(3, error('COORDINATOR_NOT_AVAILABLE')))
    t.after(() => {
      api.remove()
      lookup.remove()
    })
    await call.run(prepared)
    assert.ok(lookup.seen >= 4, `looked up ${lookup.seen} times`)
  })
}
