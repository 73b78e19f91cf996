/**
 * The same suites while nodes come and go under them: one killed with -9 and started again, then another stopped in good order and started
 * again, over and over, until the suites are through. The first node is the only controller and stays.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Admin } from '../../src/client/admin/admin.ts'
import { commitSuite } from '../client/consumer/suite/commit-suite.ts'
import { groupSuite } from '../client/consumer/suite/group-suite.ts'
import { pollSuite } from '../client/consumer/suite/poll-suite.ts'
import { producerConformance } from '../client/producer/producer-conformance.ts'
import { until } from '../support/until.ts'
import { type KafkaCluster, startKafka } from './kafka.ts'

let kafka: KafkaCluster
let restarting: Promise<void> = Promise.resolve()
let restarts = 0
const over = new AbortController()

async function restartInTurn({ nodes, bootstrapServers }: KafkaCluster): Promise<void> {
  while (!over.signal.aborted) {
    const isKilled = restarts % 2 === 0
    const node = nodes[isKilled ? 1 : 2]!
    await (isKilled ? node.kill() : node.stop())
    await node.start()
    restarts++
    await untilInSync(bootstrapServers)
  }
}

/** Every replica has caught up: only then may the next node go, or its partitions have nobody to lead them. */
async function untilInSync(bootstrapServers: string): Promise<void> {
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  try {
    await until(
      async () => {
        const names = (await admin.listTopics({ includeInternal: true })).map(({ name }) => name)
        // A topic that a case has deleted meanwhile has no description.
        const topics = [...(await admin.describeTopics(names)).values.values()]
        const partitions = topics.flatMap((topic) => topic.partitions)
        return (
          partitions.every(({ inSyncReplicas, replicas }) => inSyncReplicas.length === replicas.length) ||
          over.signal.aborted
        )
      },
      { withinMs: 120_000, everyMs: 300 },
    )
  } finally {
    await admin.close()
  }
}

before(async () => {
  kafka = await startKafka({
    nodes: 3,
    properties: {
      'group.min.session.timeout.ms': 100,
      // A topic is made on the nodes that are there: with three replicas it could not be made while one is away.
      'default.replication.factor': 2,
      'offsets.topic.replication.factor': 2,
      'transaction.state.log.replication.factor': 2,
      'min.insync.replicas': 1,
      'broker.session.timeout.ms': 4000,
    },
  })
  restarting = restartInTurn(kafka)
})
after(async () => {
  over.abort()
  await restarting
  await kafka?.stop()
})

const environment = { bootstrapServers: () => kafka.bootstrapServers, areNodesKilled: true }
pollSuite(environment)
commitSuite(environment)
groupSuite(environment)
producerConformance(() => Promise.resolve(kafka), { areNodesKilled: true })

test('at least one node was killed and one was stopped meanwhile', () => {
  assert.ok(restarts >= 2, `${restarts} restarts`)
})
