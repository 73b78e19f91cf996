/**
 * What a consumer says about itself when it is asked: plain data, fit to be sent from its thread. Who shows it is status.ts (JSON) and prometheus.ts;
 * who judges it, watchdog.ts.
 */
import type { Metric } from '../client/consumer/consumer-metrics.ts'
import type { KafkaPort } from './kafka-port.ts'
import type { Pipeline } from './pipeline.ts'
import type { PartitionProgress } from './pipeline-partition.ts'
import type { RebalanceCounts } from './rebalances.ts'

export interface PartitionReport extends Omit<PartitionProgress, 'topicPartition'> {
  readonly topic: string
  readonly partition: number
  /** Offset of the next record that is read; undefined until it is known. */
  readonly position: number | undefined
  /** End of the log as of the last fetch; of what is committed by transactions, with `read_committed`. */
  readonly end: number | undefined
}

export interface WorkerReport {
  /** Of the group; below 0 while the consumer is no member of it. */
  readonly generation: number
  readonly memberId: string
  readonly partitions: readonly PartitionReport[]
  /** Milliseconds since 1970 of the last commit that succeeded. */
  readonly lastCommitAtMs: number | undefined
  readonly rebalances: RebalanceCounts
  /** Java's metrics of the consumer; those without a value are left out. */
  readonly metrics: readonly Metric[]
}

export function reportOf(port: KafkaPort, pipeline: Pipeline, rebalances: RebalanceCounts): WorkerReport {
  const { generationId, memberId } = port.groupMetadata()
  return {
    generation: generationId,
    memberId,
    partitions: pipeline.progress.map(({ topicPartition, ...work }) => {
      const { topic, partition } = topicPartition
      const reading = port.progress(topicPartition)
      return { topic, partition, position: reading?.position, end: reading?.end, ...work }
    }),
    lastCommitAtMs: pipeline.lastCommitAtMs,
    rebalances,
    metrics: port.metrics(),
  }
}
