/** A handler that takes longer than `max.poll.interval.ms` allows, as long as the lab wants; then commits what it did. */
import { CommitFailedError } from '../../../client/consumer/consumer-errors.ts'
import type { ChildLink } from '../child-link.ts'
import { groupConsumer, type GroupOptions, isAtEnd } from './group-consumer.ts'

export async function slowHandler(link: ChildLink, options: GroupOptions): Promise<void> {
  const consumer = groupConsumer(options)
  consumer.subscribe([options.topic], {
    onPartitionsLost: () => link.say('onPartitionsLost: the partition may have another owner already'),
  })
  let isFirst = true
  do {
    const records = await consumer.poll(200)
    for (const record of records) link.handled(record)
    if (records.isEmpty) continue
    link.say(`${records.count} records are handled`)
    // From the second time on the handler is quick: what was slow (a store, a service) has recovered.
    if (isFirst) await link.halt('slow')
    isFirst = false
    try {
      await consumer.commitSync()
      link.say('commitSync() is acknowledged')
    } catch (error) {
      if (!(error instanceof CommitFailedError)) throw error
      link.say(`CommitFailedError: ${error.message}`)
      link.say('polls again: it joins anew, and gets the same records once more')
      // The rejoining begins with the next poll; until then the old position says nothing.
      await consumer.poll(0)
    }
  } while (!(await isAtEnd(consumer)))
  await consumer.close()
}
