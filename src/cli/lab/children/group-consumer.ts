/** What the consumers of all child processes have in common. */
import type { PropertyBag } from '../../../client/config.ts'
import { Consumer } from '../../../client/consumer/consumer.ts'

export interface GroupOptions {
  readonly bootstrapServers: string
  readonly topic: string
  readonly group: string
  /**
   * `group.instance.id`: whoever comes after a killed process takes its place at once. A member without one is missed only
   * after `session.timeout.ms`, and its successor waits as long.
   */
  readonly instance?: string
  readonly properties?: PropertyBag
}

/** Reads from the beginning, commits only when told to. */
export function groupConsumer({ bootstrapServers, group, instance, properties }: GroupOptions): Consumer {
  return new Consumer({
    'bootstrap.servers': bootstrapServers,
    'group.id': group,
    'auto.offset.reset': 'earliest',
    'enable.auto.commit': false,
    ...(instance === undefined ? {} : { 'group.instance.id': instance }),
    ...properties,
  })
}

/** True when everything that was there when asked has been read. */
export async function isAtEnd(consumer: Consumer): Promise<boolean> {
  const partitions = consumer.assignment()
  if (partitions.length === 0) return false
  const ends = await consumer.endOffsets(partitions)
  for (const tp of partitions) if ((await consumer.position(tp)) < (ends.get(tp) ?? 0)) return false
  return true
}
