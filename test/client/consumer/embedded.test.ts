/** The consumer's suites over the embedded broker. */
import { after, before } from 'node:test'
import { startBroker, type TestBroker } from '../../../src/testing/index.ts'
import { commitSuite } from './suite/commit-suite.ts'
import { groupSuite } from './suite/group-suite.ts'
import { kafkaCasesSuite } from './suite/kafka-cases-suite.ts'
import { pollSuite } from './suite/poll-suite.ts'

let broker: TestBroker
before(async () => {
  broker = await startBroker({ properties: { 'group.min.session.timeout.ms': 100 } })
})
after(() => broker?.stop())

const environment = { bootstrapServers: () => broker.bootstrapServers }
pollSuite(environment)
commitSuite(environment)
groupSuite(environment)
kafkaCasesSuite(environment)
