/** Sends records in one of the producer's three ways, and ends. */
import { Producer } from '../../../client/producer/producer.ts'
import type { ChildLink } from '../child-link.ts'

export interface WriterOptions {
  readonly bootstrapServers: string
  readonly topic: string
  readonly records: number
  /** forget: no look at the outcome, and the process ends at once. wait: one after the other. callback: all at once, each outcome is looked at. */
  readonly way: 'forget' | 'wait' | 'callback'
}

export async function writer(link: ChildLink, { bootstrapServers, topic, records, way }: WriterOptions): Promise<void> {
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers })
  const say = ({ partition, offset }: { partition: number; offset: number }) =>
    link.say(`acknowledged: partition ${partition}, offset ${offset}`)
  // So that no send has to wait for metadata, and the ways differ in nothing else.
  await producer.partitionsFor(topic)
  const values = Array.from({ length: records }, (_, index) => `record ${index}`)
  switch (way) {
    case 'wait':
      for (const value of values) say(await producer.send({ topic, value }))
      break
    case 'callback':
      await Promise.all(
        values.map((value) =>
          producer.send({ topic, value }).then(say, (error: Error) => link.say(`failed: ${error.message}`)),
        ),
      )
      break
    case 'forget':
      for (const value of values) producer.send({ topic, value }).catch(() => {})
      process.exit(0)
  }
  await producer.close()
}
