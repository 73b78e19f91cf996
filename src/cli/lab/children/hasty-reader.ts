/**
 * Auto-commit's losing side: what poll returns goes to a queue, and the next poll comes before the queue is done. Auto-commit takes
 * the next poll for a sign that all of it is done. Stands still when the commit is through and `handles` records are.
 */
import type { ChildLink } from '../child-link.ts'
import { groupConsumer, type GroupOptions } from './group-consumer.ts'

export interface HastyReaderOptions extends GroupOptions {
  /** How much of the queue is done when the process dies. */
  readonly handles: number
  /** How many records there are. */
  readonly records: number
}

export async function hastyReader(link: ChildLink, options: HastyReaderOptions): Promise<void> {
  const consumer = groupConsumer({
    ...options,
    properties: { 'enable.auto.commit': true, 'auto.commit.interval.ms': 10 },
  })
  consumer.subscribe([options.topic])
  const tp = { topic: options.topic, partition: 0 }
  const queue = []
  while (queue.length < options.records) queue.push(...(await consumer.poll(200)))
  link.say(`poll returns ${queue.length} records; they go to a queue, and the loop polls again`)
  for (const record of queue.slice(0, options.handles)) link.handled(record)
  let committed = 0
  while (committed < options.records) {
    await consumer.poll(20)
    committed = (await consumer.committed([tp])).get(tp)?.offset ?? 0
  }
  link.say(`auto-commit has committed ${committed}, and ${options.handles} of them are handled`)
  await link.halt('halt')
  await consumer.close()
}
