/** Where a group's offsets are to be set, and what that means for each partition, as Kafka's own tool has it. Reads the cluster, changes nothing. */
import { SluiceError } from '../../error.ts'
import { topicPartitionKey, TopicPartitionMap, type TopicPartition } from '../../protocol/records/topic-partition.ts'
import type { Admin } from './admin.ts'
import type { OffsetSpec } from './partitions.ts'

export type OffsetTarget =
  | { readonly kind: 'spec'; readonly spec: OffsetSpec }
  | { readonly kind: 'current' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'shift'; readonly by: number }

export interface PlacedOffset {
  /** Of the log: the first offset there is, and the next one to be written. */
  readonly start: number
  readonly end: number
  readonly offset: number
}

/**
 * The new offsets, brought into each log: what lies before its start or behind its end becomes that.
 *
 * @throws SluiceError `SLUICE_NO_COMMITTED_OFFSET` where a target begins from a commit that is not there
 */
export async function placeOffsets(
  admin: Admin,
  partitions: readonly TopicPartition[],
  committed: TopicPartitionMap<{ readonly offset: number }>,
  target: OffsetTarget,
): Promise<TopicPartitionMap<PlacedOffset>> {
  if (partitions.length === 0) return new TopicPartitionMap()
  const offsetsOf = async (spec: OffsetSpec) => {
    const found = (await admin.listOffsets(partitions.map((one) => [one, spec] as const))).orThrow()
    return (one: TopicPartition) => found.get(topicPartitionKey(one))!.offset
  }
  const start = await offsetsOf('earliest')
  const end = await offsetsOf('latest')
  const found = target.kind === 'spec' ? await offsetsOf(target.spec) : undefined
  return new TopicPartitionMap(
    partitions.map((one) => {
      const wanted = wantedOffset(target, one, committed.get(one)?.offset, found)
      // A time after the last record finds none: -1, which is the end.
      const isBeyond = wanted < 0 && target.kind === 'spec'
      const offset = isBeyond ? end(one) : Math.min(end(one), Math.max(start(one), wanted))
      return [one, { start: start(one), end: end(one), offset }]
    }),
  )
}

function wantedOffset(
  target: OffsetTarget,
  one: TopicPartition,
  current: number | undefined,
  found: ((one: TopicPartition) => number) | undefined,
): number {
  if (target.kind === 'spec') return found!(one)
  if (target.kind === 'offset') return target.offset
  if (current === undefined) {
    throw new SluiceError(
      'SLUICE_NO_COMMITTED_OFFSET',
      `the group has no committed offset of ${topicPartitionKey(one)} to begin from`,
    )
  }
  return target.kind === 'current' ? current : current + target.by
}
