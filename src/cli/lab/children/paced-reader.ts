/** A consumer with a pace: so many records a poll, a commit, a pause, until SIGTERM. */
import { systemClock } from '../../../seams/clock.ts'
import type { ChildLink } from '../child-link.ts'
import { groupConsumer, type GroupOptions } from './group-consumer.ts'

export interface PacedReaderOptions extends GroupOptions {
  readonly perPoll: number
  readonly pauseMs: number
}

export async function pacedReader(link: ChildLink, options: PacedReaderOptions): Promise<void> {
  const consumer = groupConsumer({ ...options, properties: { 'max.poll.records': options.perPoll } })
  const stop = new AbortController()
  link.onTermination(() => stop.abort())
  consumer.subscribe([options.topic])
  while (!stop.signal.aborted) {
    const records = await consumer.poll(50)
    for (const record of records) link.handled(record)
    if (!records.isEmpty) await consumer.commitSync()
    await systemClock.sleep(options.pauseMs, stop.signal)
  }
  await consumer.close()
}
