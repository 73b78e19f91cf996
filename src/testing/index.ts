/** What users' own tests import as `sluice/testing`: a broker in the process, and faults on request. */
export { startBroker, TestBroker, type StartBrokerOptions, type TestTopic } from './start-broker.ts'
export {
  delay,
  disconnect,
  error,
  inOrder,
  once,
  times,
  when,
  type Decision,
  type InterceptContext,
  type Interception,
  type Rule,
} from '../broker/intercept.ts'
export {
  sinkConformance,
  sinkConformanceCases,
  type ConformanceCase,
  type SinkConformanceOptions,
  type SinkStore,
  type Teardown,
} from './sink-conformance.ts'
export { ForgetfulDisk } from './forgetful-disk.ts'
