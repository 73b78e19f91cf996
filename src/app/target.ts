/** What a pipeline hands records to. */
import type { SluiceError } from '../error.ts'
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import type { Sink } from '../sinks/sink.ts'
import { PartitionLane, type LaneContext } from './lane.ts'
import type { Lane } from './partition-work.ts'

/** Where records go: a store, or a handler (handler-target.ts). */
export interface Target extends Pick<Sink, 'open' | 'assigned' | 'revoked' | 'close'> {
  /** `poison`: a record that an earlier lane of this partition could not get rid of. */
  newLane(
    topicPartition: TopicPartition,
    start: number | undefined,
    context: LaneContext,
    poison: (SluiceError & { offset: number }) | undefined,
  ): Lane
}

export function sinkTarget(sink: Sink): Target {
  return {
    open: (context) => sink.open(context),
    assigned: (partitions) => sink.assigned(partitions),
    revoked: (topicPartitions, why) => sink.revoked(topicPartitions, why),
    close: () => sink.close(),
    newLane: (topicPartition, start, context, poison) =>
      new PartitionLane(topicPartition, start, { ...context, sink }, poison),
  }
}
