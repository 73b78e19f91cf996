/** A member of a group that polls until SIGTERM and tells of every rebalance that it takes part in. */
import { WakeupError } from '../../../client/consumer/consumer-errors.ts'
import type { Consumer } from '../../../client/consumer/consumer.ts'
import type { TopicPartition } from '../../../protocol/records/topic-partition.ts'
import type { ChildLink } from '../child-link.ts'
import { groupConsumer, type GroupOptions, isAtEnd } from './group-consumer.ts'

export interface MemberOptions extends GroupOptions {
  /** Commits what it has handled when partitions are taken away, or never. */
  readonly commits: 'when revoked' | 'never'
  /** Says every callback, and not only reports it. */
  readonly verbose?: boolean
}

export async function member(link: ChildLink, options: MemberOptions): Promise<void> {
  const consumer = groupConsumer(options)
  link.onTermination(() => consumer.wakeup())
  const rebalances = { count: 0 }
  subscribe(link, consumer, options, rebalances)
  link.reached('joining')
  let wasAtEnd = 0
  try {
    for (;;) {
      const records = await consumer.poll(100)
      for (const record of records) link.handled(record)
      // Asked only when nothing came, and once a rebalance: a thousand partitions are a lot to ask about.
      if (records.isEmpty && wasAtEnd < rebalances.count && (await isAtEnd(consumer))) {
        wasAtEnd = rebalances.count
        link.reached('end')
      }
    }
  } catch (error) {
    if (!(error instanceof WakeupError)) throw error
  } finally {
    await consumer.close()
  }
}

function subscribe(
  link: ChildLink,
  consumer: Consumer,
  { topic, commits, verbose }: MemberOptions,
  rebalances: { count: number },
): void {
  const tell = (what: string, partitions: readonly TopicPartition[]) => {
    if (verbose) link.say(`${what}: ${partitions.map(({ partition }) => partition).join(', ') || 'nothing'}`)
  }
  consumer.subscribe([topic], {
    async onPartitionsRevoked(partitions) {
      tell('onPartitionsRevoked', partitions)
      if (commits === 'when revoked') await consumer.commitSync()
      link.reached('revoked', { count: partitions.length })
    },
    // Without it onPartitionsRevoked would be called, and its commit must fail: another member may own them already.
    onPartitionsLost: (partitions) => tell('onPartitionsLost', partitions),
    onPartitionsAssigned(partitions) {
      tell('onPartitionsAssigned', partitions)
      rebalances.count++
      link.reached('assigned', { count: consumer.assignment().length })
    },
  })
}
