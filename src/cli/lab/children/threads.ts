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
  const names = Array.from({ length: options.consumers }, (_, index) => `consumer-thread-${index}`)
  const consumers = names.map((name) => groupConsumer({ ...options, properties: { 'client.id': name } }))
  link.onTermination(() => {
    link.reached('line', { text: 'Bye' })
    for (const consumer of consumers) consumer.wakeup()
  })
  await Promise.all(consumers.map((consumer, index) => loop(link, consumer, options.topic, names[index]!)))
  // All commit before the first one leaves: leaving begins a rebalance, during which the others could not.
  await Promise.all(consumers.map((consumer) => consumer.commitSync()))
  await Promise.all(consumers.map((consumer) => consumer.close()))
}

async function loop(link: ChildLink, consumer: Consumer, topic: string, name: string): Promise<void> {
  consumer.subscribe([topic], {
    onPartitionsAssigned: () =>
      link.reached('assigned', { name, partitions: consumer.assignment().map(({ partition }) => partition) }),
  })
  try {
    for (;;) {
      const records = await consumer.poll(500)
      for (const record of records) {
        link.handled(record)
        link.reached('line', { text: `${name} >> ${record.valueText()}` })
      }
      if (!records.isEmpty) await consumer.commitSync()
    }
  } catch (error) {
    if (!(error instanceof WakeupError)) throw error
    link.reached('line', { text: `${name} trigger WakeupException` })
  }
}
