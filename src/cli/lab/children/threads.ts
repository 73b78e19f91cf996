/**
 * Several consumers of one group in one process, each with a loop and a name of its own. In Java each needs a thread, because poll blocks it; here
 * poll is awaited, and a thread is needed only where the handler's own work keeps the processor busy (`sluice run` starts one a consumer).
 */
import { WakeupError } from '../../../client/consumer/consumer-errors.ts'
import type { Consumer } from '../../../client/consumer/consumer.ts'
import type { ChildLink } from '../child-link.ts'
import { groupConsumer, type GroupOptions } from './group-consumer.ts'

export interface ThreadsOptions extends GroupOptions {
  readonly consumers: number
}

export async function threads(link: ChildLink, options: ThreadsOptions): Promise<void> {
  const consumers = Array.from({ length: options.consumers }, () => groupConsumer(options))
  link.onTermination(() => {
    link.reached('line', { text: 'Bye' })
    for (const consumer of consumers) consumer.wakeup()
  })
  await Promise.all(consumers.map((consumer, index) => loop(link, consumer, options.topic, `consumer-thread-${index}`)))
}

async function loop(link: ChildLink, consumer: Consumer, topic: string, name: string): Promise<void> {
  consumer.subscribe([topic], {
    onPartitionsAssigned: () =>
      link.reached('assigned', { name, partitions: consumer.assignment().map(({ partition }) => partition) }),
  })
  try {
    for (;;) {
      for (const record of await consumer.poll(500)) {
        link.handled(record)
        link.reached('line', { text: `${name} >> ${record.valueText()}` })
      }
      await consumer.commitSync()
    }
  } catch (error) {
    if (!(error instanceof WakeupError)) throw error
    link.reached('line', { text: `${name} trigger WakeupException` })
  } finally {
    await consumer.commitSync()
    await consumer.close()
  }
}
