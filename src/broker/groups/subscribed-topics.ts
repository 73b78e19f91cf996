/**
 * The topics that the members of a consumer group subscribe to, read from their metadata, for the two decisions that
 * depend on it: whether a topic's offsets may be deleted, and whether they may expire.
 */
import { DecodeError } from '../../protocol/decode-error.ts'
import { consumerProtocolSubscription } from '../../protocol/stored/consumer-protocol.ts'
import { type Membership, metadataOf } from './membership.ts'

/** undefined when it cannot be known: another protocol than the consumer's, or metadata that do not read as such. */
export function subscribedTopicsOf(members: Membership, protocolName: string | null): ReadonlySet<string> | undefined {
  if (members.protocolType !== 'consumer') return undefined
  const topics = new Set<string>()
  if (members.size === 0) return topics
  if (protocolName === null) return undefined
  try {
    for (const member of members.all()) {
      const metadata = metadataOf(member, protocolName)
      for (const topic of consumerProtocolSubscription.decode(metadata).value.topics) topics.add(topic)
    }
    return topics
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
