/** The partitions that a sink has been assigned, and what the runner may ask of each: batches that follow one another, flushes of what was taken. */
import { type TopicPartition, TopicPartitionMap } from '../protocol/records/topic-partition.ts'
import type { Logger } from '../seams/logger.ts'
import { type DurablePosition, type SinkBatch, SinkSequenceError } from './sink.ts'

export interface HeldPartition {
  /** Where the next batch must begin; undefined: anywhere. */
  position: number | undefined
  /** undefined: nothing is known to be. */
  durable: number | undefined
}

export interface Release {
  /** As the sink's own. */
  readonly flush: (topicPartition: TopicPartition, next: number) => Promise<unknown>
  readonly forget: (topicPartition: TopicPartition) => void | Promise<void>
  readonly logger: Logger
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

  /** `revoked` of the contract: what was taken is stored if it can be, and all is forgotten. Never throws for a store that is down. */
  release(
    topicPartitions: readonly TopicPartition[],
    why: 'revoked' | 'lost',
    { flush, forget, logger }: Release,
  ): Promise<readonly DurablePosition[]> {
    const release = async (topicPartition: TopicPartition): Promise<DurablePosition> => {
      const partition = this.get(topicPartition)
      if (partition?.position !== undefined && why === 'revoked') {
        await flush(topicPartition, partition.position).catch((error: unknown) => {
          const found = { err: error, ...topicPartition }
          logger.warn(found, 'not stored before revocation; the next owner reads it again')
        })
      }
      await forget(topicPartition)
      return { topicPartition, durable: partition?.durable }
    }
    return Promise.all(topicPartitions.map(release))
  }
}
