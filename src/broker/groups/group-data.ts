/**
 * What a classic group is at this moment: members, generation, chosen protocol, state. Answers questions about it and
 * changes nothing; classic-group.ts does.
 */
import { type ErrorName } from '../../protocol/error-codes.ts'
import { type GroupSnapshot, type JoinReply, NO_ASSIGNMENT } from './group-events.ts'
import { type Member, memberOf, Membership, metadataOf } from './membership.ts'
import { subscribedTopicsOf } from './subscribed-topics.ts'

export interface GroupSettings {
  /** group.initial.rebalance.delay.ms: how long an empty group waits for further members. */
  readonly initialRebalanceDelayMs: number
  /** group.max.size */
  readonly maxSize: number
  /** How long the join of a new member may wait; Kafka's constant is five minutes. */
  readonly newMemberJoinTimeoutMs: number
}

export type GroupState =
  | { readonly name: 'Empty' }
  /** `initial`: the group was empty before, and waits for further members rather than for known ones. */
  | { readonly name: 'PreparingRebalance'; readonly initial: InitialDelay | undefined }
  | { readonly name: 'CompletingRebalance'; readonly pendingSync: Set<string> }
  | { readonly name: 'Stable'; readonly pendingSync: Set<string> }
  | { readonly name: 'Dead' }

interface InitialDelay {
  newMemberAdded: boolean
  delayMs: number
  remainingMs: number
}

export class GroupData {
  readonly groupId: string
  protected readonly membership = new Membership()
  protected current: GroupState = { name: 'Empty' }
  protected enteredAt: number
  protected generation = 0
  protected selectedProtocol: string | null = null
  /** undefined: not known, as the members do not speak the consumer protocol or not readably. */
  protected subscriptions: ReadonlySet<string> | undefined

  constructor(groupId: string, now: number) {
    this.groupId = groupId
    this.enteredAt = now
  }

  get state(): GroupState['name'] {
    return this.current.name
  }

  /** Milliseconds since 1970 at which the group came into its state; -1 if an old record did not say. */
  get stateTimestamp(): number {
    return this.enteredAt
  }

  get generationId(): number {
    return this.generation
  }

  get protocolType(): string | null {
    return this.membership.protocolType
  }

  get protocolName(): string | null {
    return this.selectedProtocol
  }

  get leader(): string | null {
    return this.membership.leader
  }

  get members(): readonly Member[] {
    return [...this.membership.all()]
  }

  /** Members that were given an id and have not joined with it. */
  get pendingMemberCount(): number {
    return this.membership.pending.size
  }

  get subscribedTopics(): ReadonlySet<string> | undefined {
    return this.subscriptions
  }

  /** Whether deleting this topic's offsets would pull them from under the members' feet. Unknown subscriptions count as yes. */
  isSubscribedTo(topic: string): boolean {
    return this.subscriptions?.has(topic) ?? this.protocolType === 'consumer'
  }

  /** NONE if a commit from this member is to be taken. */
  checkCommit(
    memberId: string,
    groupInstanceId: string | null,
    generationId: number,
    transactional: boolean,
  ): ErrorName {
    const state = this.current.name
    if (state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    // Generation -1 is an admin client, or a consumer that assigns itself: taken while nobody is in the group.
    if (generationId < 0 && state === 'Empty') return 'NONE'
    if (generationId >= 0 || memberId !== '' || groupInstanceId !== null) {
      const error = this.membership.check(memberId, groupInstanceId)
      if (error !== 'NONE') return error
      if (generationId !== this.generation) return 'ILLEGAL_GENERATION'
    } else if (!transactional && state !== 'Empty') {
      return 'UNKNOWN_MEMBER_ID'
    }
    // The member knows the generation from its join, but has no assignment in it yet: what it commits is the last one's.
    if (!transactional && state === 'CompletingRebalance') return 'REBALANCE_IN_PROGRESS'
    return 'NONE'
  }

  snapshot(assignments?: ReadonlyMap<string, Buffer>): GroupSnapshot {
    return {
      protocolType: this.protocolType,
      generationId: this.generation,
      protocolName: this.selectedProtocol,
      leader: this.membership.leader,
      stateTimestamp: this.enteredAt,
      members: this.members.map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        sessionTimeoutMs: member.sessionTimeoutMs,
        subscription: metadataOf(member, this.selectedProtocol),
        assignment: assignments ? (assignments.get(member.memberId) ?? NO_ASSIGNMENT) : member.assignment,
      })),
    }
  }

  protected currentGeneration(member: Member): JoinReply {
    const isLeader = this.membership.leader === member.memberId
    const members = this.members.map((one) => ({
      memberId: one.memberId,
      groupInstanceId: one.groupInstanceId,
      metadata: metadataOf(one, this.selectedProtocol),
    }))
    return {
      error: 'NONE',
      memberId: member.memberId,
      generationId: this.generation,
      protocolType: this.protocolType,
      protocolName: this.selectedProtocol,
      leader: this.membership.leader ?? '',
      skipAssignment: false,
      members: isLeader ? members : [],
    }
  }

  protected fill(snapshot: GroupSnapshot): void {
    for (const one of snapshot.members) {
      const { subscription, assignment, ...who } = one
      const protocols = [{ name: snapshot.protocolName ?? '', metadata: subscription }]
      const member = memberOf({ ...who, protocolType: snapshot.protocolType ?? '', protocols })
      this.membership.add({ ...member, assignment })
    }
    const hasMembers = snapshot.members.length > 0
    this.membership.protocolType = snapshot.protocolType
    this.membership.leader = hasMembers ? snapshot.leader : null
    this.generation = snapshot.generationId
    this.selectedProtocol = snapshot.protocolName
    if (hasMembers) this.current = { name: 'Stable', pendingSync: new Set() }
    this.subscriptions = subscribedTopicsOf(this.membership, this.selectedProtocol)
  }
}
