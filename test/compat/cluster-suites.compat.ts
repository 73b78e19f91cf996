/**
 * The suites of consumer and producer over Apache Kafka with three nodes: leaders, coordinators and the controller are on different nodes,
 * every partition has three replicas, and acks=all waits for two of them.
 */
import { after, before } from 'node:test'
import { commitSuite } from '../client/consumer/suite/commit-suite.ts'
import { groupSuite } from '../client/consumer/suite/group-suite.ts'
import { pollSuite } from '../client/consumer/suite/poll-suite.ts'
import { producerConformance } from '../client/producer/producer-conformance.ts'
import { type KafkaCluster, startKafka } from './kafka.ts'

let kafka: KafkaCluster
before(async () => {
  kafka = await startKafka({
    nodes: 3,
    properties: { 'group.min.session.timeout.ms': 100, 'default.replication.factor': 3, 'min.insync.replicas': 2 },
  })
})
after(() => kafka?.stop())

const environment = { bootstrapServers: () => kafka.bootstrapServers }
pollSuite(environment)
commitSuite(environment)
groupSuite(environment)
producerConformance(() => Promise.resolve(kafka))
