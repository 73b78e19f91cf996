/**
 * The two topics that belong to the coordinators. Whoever asks for one of them by name gets it as its coordinator creates it, whichever
 * of the two comes first.
 */
import { type BrokerContext } from './broker-context.ts'
import { type Topic } from './log/log-directory.ts'

export const internalTopics: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state'])

/** undefined when `name` is none of them, or cannot be created now. */
export async function createInternalTopic(name: string, broker: BrokerContext): Promise<Topic | undefined> {
  if (!internalTopics.has(name)) return undefined
  await (name === '__consumer_offsets' ? broker.groups : broker.transactions).ready()
  return broker.logs.topic(name)
}
