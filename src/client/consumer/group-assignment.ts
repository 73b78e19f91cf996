/**
 * The bytes of the consumer protocol: what a member tells the leader when it joins, and what the leader makes of everybody's subscription.
 */
import { consumerProtocolAssignment, consumerProtocolSubscription } from '../../protocol/stored/consumer-protocol.ts'
import { type TopicPartition } from '../../protocol/records/topic-partition.ts'
import { type Assignor, type LastAssignment, type MemberSubscription } from './assignors/index.ts'
import { type JoinedMember } from './membership.ts'

/** Version 3 holds the rack; the others' leaders read a newer version as the newest that they know. */
const SUBSCRIPTION_VERSION = 3
const ASSIGNMENT_VERSION = 0

function grouped(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, of]) => ({
    topic,
    partitions: of.map(({ partition }) => partition).sort((left, right) => left - right),
  }))
}

function flattened(topics: readonly { topic: string; partitions: readonly number[] }[]): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
}

/** What this member sends in JoinGroup for one assignor. */
export function encodeSubscription(
  assignor: Assignor,
  member: {
    topics: Iterable<string>
    owned: readonly TopicPartition[]
    last: LastAssignment | undefined
    rackId: string
  },
): Buffer {
  return consumerProtocolSubscription.encode(SUBSCRIPTION_VERSION, {
    topics: [...member.topics].sort(),
    userData: assignor.subscriptionUserData(member.last),
    ownedPartitions: grouped(member.owned),
    generationId: member.last?.generationId ?? -1,
    rackId: member.rackId === '' ? null : member.rackId,
  })
}

export function decodeMembers(members: readonly JoinedMember[]): MemberSubscription[] {
  return members.map(({ memberId, groupInstanceId, metadata }) => {
    const { value } = consumerProtocolSubscription.decode(metadata)
    const { topics, userData, ownedPartitions, generationId } = value
    return {
      memberId,
      groupInstanceId,
      topics,
      userData: userData && userData.length > 0 ? userData : null,
      ownedPartitions: flattened(ownedPartitions),
      generationId,
    }
  })
}

export function encodeAssignments(
  assignments: ReadonlyMap<string, readonly TopicPartition[]>,
): { memberId: string; assignment: Buffer }[] {
  return [...assignments].map(([memberId, partitions]) => ({
    memberId,
    assignment: consumerProtocolAssignment.encode(ASSIGNMENT_VERSION, {
      assignedPartitions: grouped(partitions),
      userData: null,
    }),
  }))
}

/** An empty answer is what a member gets that was assigned nothing. */
export function decodeAssignment(bytes: Buffer): TopicPartition[] {
  if (bytes.length === 0) return []
  return flattened(consumerProtocolAssignment.decode(bytes).value.assignedPartitions)
}
