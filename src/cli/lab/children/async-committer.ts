/**
 * Two polls, two asynchronous commits, of which one is held back as a slow or broken network would hold it. Nothing else about
 * it is played: what reaches the broker, and in which order, is what the table shows.
 */
import type { Consumer } from '../../../client/consumer/consumer.ts'
import type { OffsetAndMetadata } from '../../../client/consumer/consumer-records.ts'
import type { TopicPartition } from '../../../protocol/records/topic-partition.ts'
import type { ChildLink } from '../child-link.ts'
import { groupConsumer, type GroupOptions } from './group-consumer.ts'

export interface AsyncCommitterOptions extends GroupOptions {
  readonly records: number
  /** Which of the two commits does not get through at first. */
  readonly heldBack: 'first' | 'last'
  /** Sends the held one again whatever came after it; or only if nothing newer was committed meanwhile; or never. */
  readonly retry: 'blindly' | 'newest only' | 'never'
  /** `commitSync` in the `finally` of the loop. */
  readonly syncAtEnd: boolean
}

export async function asyncCommitter(link: ChildLink, options: AsyncCommitterOptions): Promise<void> {
  const consumer = groupConsumer({ ...options, properties: { 'max.poll.records': Math.ceil(options.records / 2) } })
  consumer.subscribe([options.topic])
  let sequence = 0
  let held: { offsets: [TopicPartition, OffsetAndMetadata][]; sequence: number } | undefined
  for (let handled = 0; handled < options.records;) {
    const records = await consumer.poll(200)
    for (const record of records) link.handled(record)
    if (records.isEmpty) continue
    handled += records.count
    const offsets = [...records.nextOffsets()]
    const own = ++sequence
    if ((options.heldBack === 'first') === (own === 1)) {
      held = { offsets, sequence: own }
      link.say(`commitAsync(${handled}) is held back on the way`)
    } else {
      await committed(consumer, offsets)
      link.say(`commitAsync(${handled}) is acknowledged`)
    }
  }
  const isNewest = held!.sequence === sequence
  if (options.retry === 'blindly' || (options.retry === 'newest only' && isNewest)) {
    await committed(consumer, held!.offsets)
    link.say(`the held commit arrives: ${held!.offsets[0]![1].offset}`)
  } else if (options.retry === 'newest only') {
    link.say('a newer commit was acknowledged: the held one is given up')
  }
  if (options.syncAtEnd) {
    await consumer.commitSync()
    link.say('commitSync() at the end is acknowledged')
  }
  await link.halt('halt')
  await consumer.close()
}

/** Resolves with the callback. Callbacks run inside the consumer's calls, so the loop has to go on. */
async function committed(consumer: Consumer, offsets: [TopicPartition, OffsetAndMetadata][]): Promise<void> {
  const answer: { error?: Error }[] = []
  consumer.commitAsync(offsets, (_, error) => void answer.push({ error }))
  consumer.pause(consumer.assignment())
  while (answer.length === 0) await consumer.poll(10)
  consumer.resume(consumer.paused())
  if (answer[0]?.error) throw answer[0].error
}
