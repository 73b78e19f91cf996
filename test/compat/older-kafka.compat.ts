/**
 * Consumer, producer and admin against the oldest and a middle version that Sluice promises: 2.8 with ZooKeeper, 3.9 with KRaft.
 *
 * The admin suite asks for what 2.8 does not have (the offset of the greatest timestamp, KIP-734) and for the words of today's
 * errors; a static leader that comes back learns that it leads from 3.2 on (KIP-814); over 2.8 the consumer's suites use the admin to make, grow and delete their topics.
 */
import { after, before, describe } from 'node:test'
import { adminConformance } from '../client/admin/admin-conformance.ts'
import { commitSuite } from '../client/consumer/suite/commit-suite.ts'
import { groupSuite } from '../client/consumer/suite/group-suite.ts'
import { pollSuite } from '../client/consumer/suite/poll-suite.ts'
import { producerConformance } from '../client/producer/producer-conformance.ts'
import { startKafka } from './kafka.ts'
import { startZookeeperKafka } from './zookeeper-kafka.ts'

const properties = { 'group.min.session.timeout.ms': 100 }
const versions = [
  {
    version: '2.8.2',
    start: () => startZookeeperKafka('2.8.2', properties),
    hasAdminSuite: false,
    tellsReturningLeaders: false,
  },
  {
    version: '3.9.2',
    start: () => startKafka({ version: '3.9.2', properties }),
    hasAdminSuite: true,
    tellsReturningLeaders: true,
  },
]

for (const { version, start, hasAdminSuite, tellsReturningLeaders } of versions) {
  describe(`Apache Kafka ${version}`, () => {
    let kafka: { bootstrapServers: string; stop(): Promise<void> }
    before(async () => {
      kafka = await start()
    })
    after(() => kafka?.stop())
    const environment = { bootstrapServers: () => kafka.bootstrapServers, tellsReturningLeaders }
    pollSuite(environment)
    commitSuite(environment)
    groupSuite(environment)
    producerConformance(async () => kafka)
    if (hasAdminSuite) adminConformance(async () => kafka)
  })
}
