/**
 * A member of a classic consumer group as a state machine: events in, actions out. No sockets, clocks, timers or callbacks, so that a
 * simulation can drive it; `group-member.ts` runs its actions, and what they bring back comes in as events.
 *
 *                  poll, a rejoin is needed              prepared (revoked and committed)
 *     unjoined ───────────────────────────▶ preparing ──────────────────────────────────▶ prepared ◀─────────┐
 *        ▲                                      ▲                                            │ poll, backoff over
 *        │ generation lost                      │ poll, a rejoin is needed                   ▼                │ retriable
 *        │ (any state)                          │                                         joining ───────────┤
 *        │                                   stable                                          │ JoinGroup      │
 *        │                                      ▲ applied (callbacks done)                   ▼                │
 *        └───────────────────────────────── assigned ◀────────────────────────────────── syncing ────────────┘
 *                                                               SyncGroup
 *     any state ── fatal error ──▶ failed        any state ── leave ──▶ left ── poll after subscribe ──▶ preparing
 *
 * Only a poll begins anything: between two polls nothing is revoked and nothing joins. Answers carry the attempt that they answer; one
 * of an attempt that has been given up is passed over, so that a late JoinGroup response cannot bring back a generation that was left.
 *
 * The generation is lost (`generationId` is -1) when the coordinator no longer knows it or the member left by itself. Whatever was owned under it
 * is lost with it, which the next `prepare` action says.
 */
import { codeOf, errorOf } from '../../protocol/error-codes.ts'

export const NO_GENERATION_ID = -1

export type MembershipState =
  | { readonly name: 'unjoined' }
  | { readonly name: 'preparing' }
  | { readonly name: 'prepared'; readonly notBeforeMs: number }
  | { readonly name: 'joining'; readonly attempt: number }
  | { readonly name: 'syncing'; readonly attempt: number }
  | { readonly name: 'assigned'; readonly assignment: Buffer }
  | { readonly name: 'stable' }
  | { readonly name: 'failed'; readonly errorCode: number }
  | { readonly name: 'left' }

export interface JoinedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly metadata: Buffer
}

export interface JoinAnswer {
  readonly errorCode: number
  readonly generationId: number
  readonly protocolName: string | null
  readonly leader: string
  readonly skipAssignment: boolean
  readonly memberId: string
  readonly members: readonly JoinedMember[]
}

export type MembershipEvent =
  /** The user polls. `nowMs` is the monotonic time. */
  | { readonly type: 'poll'; readonly nowMs: number }
  /** Subscription, metadata or the user want another rebalance. */
  | { readonly type: 'rejoin-wanted'; readonly reason: string }
  /** What had to be given up before joining is given up. */
  | { readonly type: 'prepared' }
  | { readonly type: 'join-answered'; readonly attempt: number; readonly nowMs: number; readonly answer: JoinAnswer }
  | {
      readonly type: 'sync-answered'
      readonly attempt: number
      readonly nowMs: number
      readonly errorCode: number
      readonly assignment: Buffer
    }
  /** No answer: disconnected, timed out, coordinator not found. The next one is looked up. */
  | { readonly type: 'request-failed'; readonly attempt: number; readonly nowMs: number }
  | { readonly type: 'heartbeat-answered'; readonly generationId: number; readonly errorCode: number }
  /** A commit of this generation was refused. */
  | { readonly type: 'commit-refused'; readonly generationId: number; readonly errorCode: number }
  /** The assignment is in force and the callbacks have run. */
  | { readonly type: 'applied' }
  /** No poll within `max.poll.interval.ms`. */
  | { readonly type: 'poll-interval-expired' }
  | { readonly type: 'leave'; readonly reason: string; readonly farewell?: Farewell }
  /** The user subscribes anew after leaving, or polls again after a fatal error was thrown. */
  | { readonly type: 'restart' }

export type MembershipAction =
  /** Revoke (`lost: false`) or lose (`lost: true`) what is owned and commit, then answer `prepared`. */
  | { readonly type: 'prepare'; readonly lost: boolean }
  | { readonly type: 'send-join'; readonly attempt: number; readonly memberId: string; readonly reason: string }
  /** `members` is there for the leader, who assigns and sends everybody's assignment along. */
  | {
      readonly type: 'send-sync'
      readonly attempt: number
      readonly generationId: number
      readonly memberId: string
      readonly protocolName: string | null
      readonly members: readonly JoinedMember[] | undefined
      /** The leader assigns nothing: what the members have stands. */
      readonly skipAssignment: boolean
    }
  | { readonly type: 'start-heartbeats'; readonly generationId: number; readonly memberId: string }
  | { readonly type: 'stop-heartbeats' }
  | { readonly type: 'forget-coordinator' }
  | { readonly type: 'send-leave'; readonly memberId: string; readonly reason: string }

/** Whether a member that ends says so: by default a dynamic one does and a static one does not (KIP-345, KIP-1092). */
export type Farewell = 'default' | 'leave' | 'stay'

export interface MembershipOptions {
  readonly groupInstanceId: string | null
  /** Milliseconds to wait before the attempt after this many failed ones. */
  readonly backoffMs: (failures: number) => number
}

const none: readonly MembershipAction[] = []

export class Membership {
  readonly #options: MembershipOptions
  #state: MembershipState = { name: 'unjoined' }
  #memberId = ''
  #generationId = NO_GENERATION_ID
  #protocolName: string | null = null
  #rejoinReason: string | undefined = 'initial join'
  #attempt = 0
  #failures = 0

  constructor(options: MembershipOptions) {
    this.#options = options
  }

  get state(): MembershipState {
    return this.#state
  }

  /** Empty until the coordinator has given one. */
  get memberId(): string {
    return this.#memberId
  }

  /** -1 while the member belongs to no generation. */
  get generationId(): number {
    return this.#generationId
  }

  get protocolName(): string | null {
    return this.#protocolName
  }

  /** True if a poll would have to do something: join again, or hand out an assignment. */
  get needsPoll(): boolean {
    return this.#state.name !== 'stable' || this.#rejoinReason !== undefined
  }

  handle(event: MembershipEvent): readonly MembershipAction[] {
    switch (event.type) {
      case 'poll':
        return this.#poll(event.nowMs)
      case 'rejoin-wanted':
        this.#rejoinReason ??= event.reason
        return none
      case 'prepared':
        if (this.#state.name !== 'preparing') return none
        return this.#join()
      case 'join-answered':
        return this.#isCurrent('joining', event.attempt) ? this.#joinAnswered(event.answer, event.nowMs) : none
      case 'sync-answered':
        if (!this.#isCurrent('syncing', event.attempt)) return none
        return this.#syncAnswered(event.errorCode, event.assignment, event.nowMs)
      case 'request-failed':
        if (!this.#isCurrent('joining', event.attempt) && !this.#isCurrent('syncing', event.attempt)) return none
        return [{ type: 'stop-heartbeats' }, { type: 'forget-coordinator' }, ...this.#retry(event.nowMs)]
      case 'heartbeat-answered':
        return event.generationId === this.#generationId ? this.#heartbeatAnswered(event.errorCode) : none
      case 'commit-refused':
        return event.generationId === this.#generationId ? this.#commitRefused(event.errorCode) : none
      case 'applied':
        if (this.#state.name === 'assigned') this.#state = { name: 'stable' }
        return none
      case 'poll-interval-expired':
        return this.#pollIntervalExpired()
      case 'leave':
        return this.#leave(event.reason, event.farewell ?? 'default')
      case 'restart':
        if (this.#state.name !== 'left' && this.#state.name !== 'failed') return none
        this.#state = { name: 'unjoined' }
        this.#rejoinReason = 'initial join'
        return none
      default:
        return event satisfies never
    }
  }

  #isCurrent(name: 'joining' | 'syncing', attempt: number): boolean {
    return this.#state.name === name && this.#state.attempt === attempt
  }

  #poll(nowMs: number): readonly MembershipAction[] {
    switch (this.#state.name) {
      case 'unjoined':
        this.#state = { name: 'preparing' }
        return [{ type: 'prepare', lost: this.#generationId === NO_GENERATION_ID }]
      case 'stable':
        if (this.#rejoinReason === undefined) return none
        this.#state = { name: 'preparing' }
        return [{ type: 'prepare', lost: false }]
      case 'prepared':
        return nowMs >= this.#state.notBeforeMs ? this.#join() : none
      case 'preparing':
      case 'joining':
      case 'syncing':
      case 'assigned':
      case 'failed':
      case 'left':
        return none
      default:
        return this.#state satisfies never
    }
  }

  /** Heartbeats stop for the time of the join: the coordinator counts the waiting JoinGroup as a sign of life. */
  #join(): readonly MembershipAction[] {
    const attempt = ++this.#attempt
    this.#state = { name: 'joining', attempt }
    const reason = this.#rejoinReason ?? 'rebalance'
    return [{ type: 'stop-heartbeats' }, { type: 'send-join', attempt, memberId: this.#memberId, reason }]
  }

  #joinAnswered(answer: JoinAnswer, nowMs: number): readonly MembershipAction[] {
    const name: string = errorOf(answer.errorCode).name
    switch (name) {
      case 'NONE':
        return this.#joined(answer)
      case 'MEMBER_ID_REQUIRED':
        // The coordinator hands out the id first (KIP-394), so that a member that dies while it joins leaves nothing behind.
        this.#memberId = answer.memberId
        return this.#join()
      case 'UNKNOWN_MEMBER_ID':
        return this.#loseGeneration(true, 'the coordinator does not know the member')
      case 'ILLEGAL_GENERATION':
        return this.#loseGeneration(false, 'the generation is over')
      case 'COORDINATOR_NOT_AVAILABLE':
      case 'NOT_COORDINATOR':
        return [{ type: 'forget-coordinator' }, ...this.#retry(nowMs)]
      case 'COORDINATOR_LOAD_IN_PROGRESS':
      case 'REBALANCE_IN_PROGRESS':
        return this.#retry(nowMs)
      default:
        return this.#fail(answer.errorCode)
    }
  }

  #joined(answer: JoinAnswer): readonly MembershipAction[] {
    const attempt = ++this.#attempt
    this.#failures = 0
    this.#memberId = answer.memberId
    this.#generationId = answer.generationId
    this.#protocolName = answer.protocolName
    // From here on a request to rejoin belongs to the next generation.
    this.#rejoinReason = undefined
    this.#state = { name: 'syncing', attempt }
    const { memberId, generationId, protocolName } = answer
    // A static leader that comes back may be told that the old assignment stands (KIP-814); it watches the topics' partitions all the same.
    const { skipAssignment } = answer
    const members = answer.leader === memberId ? answer.members : undefined
    return [
      { type: 'start-heartbeats', generationId, memberId },
      { type: 'send-sync', attempt, generationId, memberId, protocolName, members, skipAssignment },
    ]
  }

  #syncAnswered(errorCode: number, assignment: Buffer, nowMs: number): readonly MembershipAction[] {
    const name: string = errorOf(errorCode).name
    switch (name) {
      case 'NONE':
        this.#failures = 0
        this.#state = { name: 'assigned', assignment }
        return none
      case 'REBALANCE_IN_PROGRESS':
        return this.#rejoin('another rebalance has begun')
      case 'UNKNOWN_MEMBER_ID':
        return this.#loseGeneration(true, 'the coordinator does not know the member')
      case 'ILLEGAL_GENERATION':
        return this.#loseGeneration(false, 'the generation is over')
      case 'COORDINATOR_NOT_AVAILABLE':
      case 'NOT_COORDINATOR':
        return [{ type: 'stop-heartbeats' }, { type: 'forget-coordinator' }, ...this.#retry(nowMs)]
      case 'COORDINATOR_LOAD_IN_PROGRESS':
        return [{ type: 'stop-heartbeats' }, ...this.#retry(nowMs)]
      default:
        return this.#fail(errorCode)
    }
  }

  #heartbeatAnswered(errorCode: number): readonly MembershipAction[] {
    const name: string = errorOf(errorCode).name
    switch (name) {
      case 'NONE':
        return none
      case 'REBALANCE_IN_PROGRESS':
        // While the member joins or syncs this is the rebalance that it takes part in already.
        if (this.#state.name === 'stable' || this.#state.name === 'assigned')
          this.#rejoinReason ??= 'the group is rebalancing'
        return none
      case 'COORDINATOR_NOT_AVAILABLE':
      case 'NOT_COORDINATOR':
        return [{ type: 'forget-coordinator' }]
      case 'UNKNOWN_MEMBER_ID':
        return this.#loseGeneration(true, 'the coordinator does not know the member')
      case 'ILLEGAL_GENERATION':
        return this.#loseGeneration(false, 'the generation is over')
      case 'COORDINATOR_LOAD_IN_PROGRESS':
        return none
      default:
        return errorOf(errorCode).retriable ? none : this.#fail(errorCode)
    }
  }

  #commitRefused(errorCode: number): readonly MembershipAction[] {
    const name: string = errorOf(errorCode).name
    switch (name) {
      case 'REBALANCE_IN_PROGRESS':
        this.#rejoinReason ??= 'a commit met a rebalance'
        return none
      case 'UNKNOWN_MEMBER_ID':
        return this.#isRebalancing() ? none : this.#loseGeneration(true, 'a commit was refused: unknown member')
      case 'ILLEGAL_GENERATION':
        return this.#isRebalancing()
          ? none
          : this.#loseGeneration(false, 'a commit was refused: the generation is over')
      case 'FENCED_INSTANCE_ID':
        return this.#fail(errorCode)
      case 'COORDINATOR_NOT_AVAILABLE':
      case 'NOT_COORDINATOR':
      case 'REQUEST_TIMED_OUT':
        return [{ type: 'forget-coordinator' }]
      default:
        return none
    }
  }

  /** A join under way settles by itself what a refused commit would say. */
  #isRebalancing(): boolean {
    return this.#state.name === 'joining' || this.#state.name === 'syncing'
  }

  #pollIntervalExpired(): readonly MembershipAction[] {
    if (this.#generationId === NO_GENERATION_ID || this.#state.name === 'failed' || this.#state.name === 'left')
      return none
    const memberId = this.#memberId
    const reason = 'consumer poll timeout has expired.'
    const actions = this.#loseGeneration(true, 'max.poll.interval.ms ran out')
    // A static member says nothing and stops its heartbeats: its place is kept until the session times out (KIP-345).
    return this.#options.groupInstanceId === null ? [...actions, { type: 'send-leave', memberId, reason }] : actions
  }

  #leave(reason: string, farewell: Farewell): readonly MembershipAction[] {
    const memberId = this.#memberId
    const known = memberId !== '' && this.#state.name !== 'left'
    this.#loseGeneration(true, 'initial join')
    this.#state = { name: 'left' }
    const stop = { type: 'stop-heartbeats' } as const
    // A static member's partitions wait for it to come back.
    const leaves = farewell === 'leave' || (farewell === 'default' && this.#options.groupInstanceId === null)
    return known && leaves ? [stop, { type: 'send-leave', memberId, reason }] : [stop]
  }

  /** Joins again at once; the generation stands, so that what is owned can still be committed and revoked in order. */
  #rejoin(reason: string): readonly MembershipAction[] {
    this.#rejoinReason ??= reason
    this.#state = { name: 'prepared', notBeforeMs: 0 }
    return none
  }

  #retry(nowMs: number): readonly MembershipAction[] {
    this.#rejoinReason ??= 'the last attempt failed'
    this.#state = { name: 'prepared', notBeforeMs: nowMs + this.#options.backoffMs(this.#failures++) }
    return none
  }

  #loseGeneration(withMemberId: boolean, reason: string): readonly MembershipAction[] {
    this.#generationId = NO_GENERATION_ID
    this.#protocolName = null
    if (withMemberId) this.#memberId = ''
    this.#attempt++
    this.#rejoinReason = reason
    this.#state = { name: 'unjoined' }
    return [{ type: 'stop-heartbeats' }]
  }

  #fail(errorCode: number): readonly MembershipAction[] {
    const fenced = errorCode === codeOf('FENCED_INSTANCE_ID')
    this.#loseGeneration(fenced, 'a fatal error was thrown')
    this.#state = { name: 'failed', errorCode }
    return [{ type: 'stop-heartbeats' }]
  }
}
