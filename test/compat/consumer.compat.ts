/** The consumer's suites over Apache Kafka itself. */
import { after, before } from 'node:test'
import { commitSuite } from '../client/consumer/suite/commit-suite.ts'
import { groupSuite } from '../client/consumer/suite/group-suite.ts'
import { kafkaCasesSuite } from '../client/consumer/suite/kafka-cases-suite.ts'
import { pollSuite } from '../client/consumer/suite/poll-suite.ts'
import { type KafkaCluster, startKafka } from './kafka.ts'

let kafka: KafkaCluster
before(async () => {
  kafka = await startKafka({ properties: { 'group.min.session.timeout.ms': 100 } })
})
after(() => kafka?.stop())

const environment = { bootstrapServers: () => kafka.bootstrapServers }
pollSuite(environment)
commitSuite(environment)
groupSuite(environment)
kafkaCasesSuite(environment)
