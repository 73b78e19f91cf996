/** The experiments, in the order in which they are best read. */
import type { Experiment } from '../experiment.ts'
import { asyncCommit } from './async-commit.ts'
import { asyncThenSync } from './async-then-sync.ts'
import { autoCommit } from './auto-commit.ts'
import { commitFailed } from './commit-failed.ts'
import { consoleExperiment } from './console.ts'
import { exactlyOnce } from './exactly-once.ts'
import { lag } from './lag.ts'
import { multiThread } from './multi-thread.ts'
import { partitions } from './partitions.ts'
import { producer } from './producer.ts'
import { producerExactPartition } from './producer-exact-partition.ts'
import { producerKeyValue } from './producer-key-value.ts'
import { rebalance } from './rebalance.ts'
import { rebalanceListener } from './rebalance-listener.ts'
import { saveMetric } from './save-metric.ts'
import { simpleConsumer } from './simple-consumer.ts'
import { syncCommit } from './sync-commit.ts'
import { syncCommitRecord } from './sync-commit-record.ts'
import { versions } from './versions.ts'
import { wakeup } from './wakeup.ts'

export const experiments: readonly Experiment[] = [
  simpleConsumer,
  producer,
  producerKeyValue,
  producerExactPartition,
  consoleExperiment,
  autoCommit,
  syncCommit,
  syncCommitRecord,
  commitFailed,
  asyncCommit,
  asyncThenSync,
  rebalance,
  rebalanceListener,
  wakeup,
  multiThread,
  saveMetric,
  lag,
  partitions,
  versions,
  exactlyOnce,
]
