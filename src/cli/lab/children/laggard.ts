/** A consumer that falls behind: ten records a poll, and a look at its own lag after each. Goes on when it is told to. */
import type { ChildLink } from '../child-link.ts'
import { groupConsumer, type GroupOptions } from './group-consumer.ts'

export async function laggard(link: ChildLink, options: GroupOptions): Promise<void> {
  const consumer = groupConsumer({ ...options, properties: { 'max.poll.records': 10 } })
  consumer.subscribe([options.topic])
  for (;;) {
    const records = await consumer.poll(200)
    if (records.isEmpty) continue
    for (const record of records) link.handled(record)
    // Before the commit: the position is ahead of it, and the two lags differ by what is in work.
    await link.halt('behind', {
      lagMax: consumer.metrics().get('consumer-fetch-manager-metrics:records-lag-max')?.value,
    })
    await consumer.commitSync()
  }
}
