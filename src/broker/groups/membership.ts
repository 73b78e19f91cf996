/**
 * Who is in a classic group: members, static instance ids, the leader, and which protocols all of them can speak.
 * Bookkeeping only; when a rebalance begins and ends is decided in classic-group.ts.
 *
 * Follows ClassicGroup and ClassicGroupMember of Apache Kafka 4.3 (group-coordinator, Apache-2.0). Where Kafka leaves
 * an order to a HashMap, here it is the order of joining.
 */
import { type ErrorName } from '../../protocol/error-codes.ts'
import { type MemberProtocol, NO_ASSIGNMENT } from './group-events.ts'

export interface Member {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  readonly protocolType: string
  protocols: readonly MemberProtocol[]
  assignment: Buffer
  /** The join and the sync that this member waits for. */
  awaitingJoin: number | undefined
  awaitingSync: number | undefined
  /** Until its first join is answered. Such a member can be expired while it waits, as it cannot send heartbeats. */
  isNew: boolean
}

export interface NewMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly MemberProtocol[]
}

export function memberOf(from: NewMember): Member {
  return { ...from, assignment: NO_ASSIGNMENT, awaitingJoin: undefined, awaitingSync: undefined, isNew: false }
}

/** The subscription for one protocol; empty if the member does not speak it. */
export function metadataOf(member: Member, protocolName: string | null): Buffer {
  return member.protocols.find(({ name }) => name === protocolName)?.metadata ?? NO_ASSIGNMENT
}

/** Whether the member says the same as before, in the same order. */
export function matches(member: Member, protocols: readonly MemberProtocol[]): boolean {
  if (member.protocols.length !== protocols.length) return false
  return protocols.every(({ name, metadata }, index) => {
    const known = member.protocols[index]!
    return known.name === name && known.metadata.equals(metadata)
  })
}

export class Membership {
  readonly #members = new Map<string, Member>()
  readonly #instances = new Map<string, string>()
  readonly #supported = new Map<string, number>()
  /** Members that were told an id and have not come back with it yet. */
  readonly pending = new Set<string>()
  leader: string | null = null
  protocolType: string | null = null

  get size(): number {
    return this.#members.size
  }

  get awaitingJoinCount(): number {
    let count = 0
    for (const member of this.#members.values()) if (member.awaitingJoin !== undefined) count++
    return count
  }

  get rebalanceTimeoutMs(): number {
    let longest = 0
    for (const member of this.#members.values()) longest = Math.max(longest, member.rebalanceTimeoutMs)
    return longest
  }

  all(): IterableIterator<Member> {
    return this.#members.values()
  }

  get(memberId: string): Member | undefined {
    return this.#members.get(memberId)
  }

  has(memberId: string): boolean {
    return this.#members.has(memberId)
  }

  memberIdOf(groupInstanceId: string): string | undefined {
    return this.#instances.get(groupInstanceId)
  }

  hasAllJoined(): boolean {
    return this.pending.size === 0 && this.awaitingJoinCount === this.size
  }

  add(member: Member): void {
    if (member.groupInstanceId !== null) this.#instances.set(member.groupInstanceId, member.memberId)
    if (this.#members.size === 0) this.protocolType = member.protocolType
    this.leader ??= member.memberId
    this.#members.set(member.memberId, member)
    this.#count(member, 1)
    this.pending.delete(member.memberId)
  }

  remove(memberId: string): void {
    this.pending.delete(memberId)
    const member = this.#members.get(memberId)
    if (member) {
      this.#members.delete(memberId)
      this.#count(member, -1)
      if (member.groupInstanceId !== null) this.#instances.delete(member.groupInstanceId)
    }
    if (this.leader === memberId) this.leader = this.#members.keys().next().value ?? null
  }

  /** Gives a static member the id of its new incarnation, in its old place; what the old one waited for is the caller's. */
  replace(oldMemberId: string, newMemberId: string): Member {
    const old = this.#members.get(oldMemberId)!
    const replacement: Member = { ...old, memberId: newMemberId, awaitingJoin: undefined, awaitingSync: undefined }
    const inOrder = [...this.#members].map(([memberId, member]) => (memberId === oldMemberId ? replacement : member))
    this.#members.clear()
    for (const member of inOrder) this.#members.set(member.memberId, member)
    if (this.leader === oldMemberId) this.leader = newMemberId
    this.#instances.set(old.groupInstanceId!, newMemberId)
    return replacement
  }

  update(member: Member, protocols: readonly MemberProtocol[], sessionTimeoutMs: number, rebalanceTimeoutMs: number) {
    this.#count(member, -1)
    member.protocols = protocols
    this.#count(member, 1)
    member.sessionTimeoutMs = sessionTimeoutMs
    member.rebalanceTimeoutMs = rebalanceTimeoutMs
  }

  /** A leader that did not rejoin hands over to a member that did. False when nobody did. */
  electJoinedLeader(): boolean {
    if (this.leader === null) return false
    if (this.#members.get(this.leader)?.awaitingJoin !== undefined) return true
    for (const member of this.#members.values()) {
      if (member.awaitingJoin === undefined) continue
      this.leader = member.memberId
      return true
    }
    return false
  }

  /** Whether a member that speaks these protocols can be with those that are here; anybody can begin an empty group. */
  supports(protocolType: string, protocols: readonly MemberProtocol[], groupIsEmpty: boolean): boolean {
    if (groupIsEmpty) return protocolType !== '' && protocols.length > 0
    if (this.protocolType !== protocolType) return false
    return protocols.some(({ name }) => (this.#supported.get(name) ?? 0) === this.size)
  }

  /** Each member votes for the first of its protocols that all can speak; the most votes win, the earliest named at a draw. */
  selectProtocol(): string {
    const votes = new Map<string, number>()
    for (const { protocols } of this.#members.values()) {
      const choice = protocols.find(({ name }) => this.#supported.get(name) === this.size)
      if (choice) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1)
    }
    let selected: string | undefined
    for (const [name, count] of votes) {
      if (selected === undefined || count > votes.get(selected)!) selected = name
    }
    if (selected === undefined) throw new Error('The members of the group share no protocol')
    return selected
  }

  /** NONE, or why this is not a member: a static one is fenced by a newer incarnation of the same instance. */
  check(memberId: string, groupInstanceId: string | null): ErrorName {
    if (groupInstanceId !== null) {
      const current = this.#instances.get(groupInstanceId)
      if (current === undefined) return 'UNKNOWN_MEMBER_ID'
      if (current !== memberId) return 'FENCED_INSTANCE_ID'
    }
    return this.#members.has(memberId) ? 'NONE' : 'UNKNOWN_MEMBER_ID'
  }

  #count(member: Member, by: number): void {
    for (const name of new Set(member.protocols.map((protocol) => protocol.name))) {
      const count = (this.#supported.get(name) ?? 0) + by
      if (count === 0) this.#supported.delete(name)
      else this.#supported.set(name, count)
    }
  }
}
