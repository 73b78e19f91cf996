/** The admin client's conformance suite over Apache Kafka, and over three nodes, where every broker has groups of its own. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Admin } from '../../src/client/admin/index.ts'
import { adminConformance } from '../client/admin/admin-conformance.ts'
import { startKafka } from './kafka.ts'

const kafka = startKafka()
after(async () => (await kafka).stop())
adminConformance(() => kafka)

test('three nodes: groups of every coordinator are listed and described, topics spread over all brokers', async (t) => {
  const cluster = await startKafka({ nodes: 3 })
  t.after(() => cluster.stop())
  const admin = new Admin({ 'bootstrap.servers': cluster.bootstrapServers })
  t.after(() => admin.close())
  await admin.createTopics([{ name: 'spread', partitions: 6, replicationFactor: 3 }])
  const groups = Array.from({ length: 12 }, (_, index) => `group-${index}`)
  for (const group of groups) await admin.alterGroupOffsets(group, [[{ topic: 'spread', partition: 0 }, { offset: 0 }]])
  assert.deepEqual(
    (await admin.listGroups()).map(({ groupId }) => groupId),
    groups.toSorted(),
  )
  const described = (await admin.describeGroups(groups)).orThrow()
  assert.ok(new Set([...described.values()].map(({ coordinator }) => coordinator)).size > 1)
  const specs = Array.from({ length: 6 }, (_, partition) => [{ topic: 'spread', partition }, 'latest'] as const)
  assert.equal((await admin.listOffsets(specs)).orThrow().size, 6)
  await admin.deleteGroups(groups)
})
