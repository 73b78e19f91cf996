/** The partitions that a sink has been assigned, and what the runner may ask of each: batches that follow one another, flushes of what was taken. */
import { type TopicPartition, TopicPartitionMap } from '../protocol/records/topic-partition.ts'
import { type SinkBatch, SinkSequenceError } from './sink.ts'

export interface HeldPartition {
  /** Where the next batch must begin; undefined: anywhere. */
  position: number | undefined
}

/** Every method throws SinkSequenceError for a call that the contract does not allow. */
export class HeldPartitions<Partition extends HeldPartition> extends TopicPartitionMap<Partition> {
  held(topicPartition: TopicPartition): Partition {
    const partition = this.get(topicPartition)
    if (!partition) throw new SinkSequenceError(topicPartition, 'it is not assigned')
    return partition
  }

  toWrite({ topicPartition, first }: SinkBatch): Partition {
    const partition = this.held(topicPartition)
    const { position } = partition
    if (position === undefined || position === first) return partition
    throw new SinkSequenceError(topicPartition, `a batch begins at ${first}, and ${position} comes next`)
  }

  toFlush(topicPartition: TopicPartition, next: number): Partition {
    const partition = this.held(topicPartition)
    const { position } = partition
    if (position === undefined || next <= position) return partition
    throw new SinkSequenceError(topicPartition, `a flush to ${next} goes beyond ${position}, which was written last`)
  }
}
