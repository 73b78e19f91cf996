/**
 * The contract of a partition assignor: who of a group reads which partition. Pure: what everybody subscribes to comes in, what
 * everybody gets comes out; nothing is kept between two calls, so one instance may serve any number of consumers.
 *
 * Who calls, and when. Every member calls `subscriptionUserData` before each JoinGroup; what it returns travels to the leader. Only
 * the member that the coordinator made leader calls `assign`, once a generation, between JoinGroup and SyncGroup, never
 * concurrently. A throw of `assign` fails that rebalance for the leader: `poll` rejects with it and the member joins again on the next.
 *
 * Results equal those of the Java class of the same name for the same input (range, round robin), or are as balanced, as sticky
 * and readable to Java members (sticky, cooperative sticky). Racks are not looked at yet.
 */
import { type TopicPartition } from '../../../protocol/records/topic-partition.ts'

/** eager: everything is revoked before a rebalance. cooperative (KIP-429): only what moves is revoked, afterwards. */
export type RebalanceProtocol = 'eager' | 'cooperative'

/** One member of the group, as the leader sees it. */
export interface MemberSubscription {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly topics: readonly string[]
  /** What the member says it owns; empty under the eager protocol. */
  readonly ownedPartitions: readonly TopicPartition[]
  /** The generation in which it owned that, or -1. */
  readonly generationId: number
  readonly userData: Buffer | null
}

/** What a member was given last: the input of sticky assignors' user data. */
export interface LastAssignment {
  readonly partitions: readonly TopicPartition[]
  readonly generationId: number
}

export interface Assignor {
  /** Kafka's name of it, as it stands in JoinGroup: all members of a group must share one. */
  readonly name: string
  readonly protocols: readonly RebalanceProtocol[]
  /** What the member tells the leader beside its topics; null for nothing. */
  subscriptionUserData(last: LastAssignment | undefined): Buffer | null
  /**
   * `partitionCounts` holds the topics that exist; a subscribed topic that is not in it gets nobody. The result has an entry for each member, empty or not.
   */
  assign(
    partitionCounts: ReadonlyMap<string, number>,
    members: readonly MemberSubscription[],
  ): Map<string, TopicPartition[]>
}

/** Static members first, by their instance id, then the others by their member id: the order all of Java's assignors use. */
export function compareMembers(left: MemberSubscription, right: MemberSubscription): number {
  if (left.groupInstanceId !== null && right.groupInstanceId !== null)
    return compareText(left.groupInstanceId, right.groupInstanceId)
  if (left.groupInstanceId !== null) return -1
  if (right.groupInstanceId !== null) return 1
  return compareText(left.memberId, right.memberId)
}

/** By UTF-16 code unit, as Java's `String.compareTo`: never by locale, or members on two machines would disagree. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

/** An empty entry for each member. */
export function emptyAssignment(members: readonly MemberSubscription[]): Map<string, TopicPartition[]> {
  return new Map(members.map(({ memberId }) => [memberId, []]))
}
