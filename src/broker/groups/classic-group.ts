/**
 * One classic consumer group (JoinGroup, SyncGroup, Heartbeat, LeaveGroup) as a state machine without I/O: events in,
 * actions out, time as a number. Writing records, arming timers and answering requests is group-coordinator.ts' part.
 *
 *                      a member joins
 *        ┌───────► Empty ─────────────────► PreparingRebalance ◄──────────────────────────┐
 *        │                                    │      ▲                                    │
 *        │  nobody is left                    │      │ join, leave, expiry,               │ join with other metadata,
 *        └────────────────────────────────────┤      │ other metadata                     │ leader joins, leave, expiry,
 *                                             │      │                                    │ a sync that never came
 *          everybody joined, or the rebalance │      │                                    │
 *          timeout passed: generation + 1     ▼      │        the leader's assignment     │
 *                                        CompletingRebalance ────────────────────────► Stable
 *                                                              is stored
 *        (any) ── deleted ──► Dead
 *
 * Follows GroupMetadataManager.classicGroup* and ClassicGroup of Apache Kafka 4.3 (group-coordinator, Apache-2.0).
 * Two things are stricter here: a join or sync that the same member repeats answers the earlier one with
 * REBALANCE_IN_PROGRESS instead of forgetting it, and the session timer of a replaced static member is cancelled at once.
 */
import { type ErrorName } from '../../protocol/error-codes.ts'
import {
  type GroupAction,
  type GroupEvent,
  type GroupSnapshot,
  type HeartbeatRequest,
  type JoinReply,
  type JoinRequest,
  joinError,
  type LeaveReply,
  type LeavingMember,
  NO_ASSIGNMENT,
  type SyncRequest,
  syncError,
  type TimerName,
} from './group-events.ts'
import { GroupData, type GroupSettings, type GroupState } from './group-data.ts'
import { matches, type Member, memberOf } from './membership.ts'
import { subscribedTopicsOf } from './subscribed-topics.ts'

/** Why a snapshot is written, and so what follows when it is on disk. */
type Storing =
  | { readonly why: 'record' }
  | { readonly why: 'assignment'; readonly generationId: number; readonly assignments: ReadonlyMap<string, Buffer> }
  | {
      readonly why: 'static member'
      readonly previous: Member
      readonly memberId: string
      readonly skip: boolean
      readonly leader: string | null
    }

export class ClassicGroup extends GroupData {
  readonly #settings: GroupSettings
  readonly #storing = new Map<number, Storing>()
  #nextStoreId = 1
  #actions: GroupAction[] = []
  #now = 0

  constructor(groupId: string, settings: GroupSettings, now: number) {
    super(groupId, now)
    this.#settings = settings
  }

  /** The group as its metadata record tells it: stable if it has members. Send `loaded` when all records are read. */
  static restore(groupId: string, settings: GroupSettings, snapshot: GroupSnapshot): ClassicGroup {
    const group = new ClassicGroup(groupId, settings, snapshot.stateTimestamp)
    group.fill(snapshot)
    return group
  }

  /** Takes one event at `now` (milliseconds since 1970) and says what is to be done, in order. */
  handle(event: GroupEvent, now: number): GroupAction[] {
    this.#now = now
    this.#actions = []
    switch (event.type) {
      case 'join':
        this.#join(event.replyTo, event.request)
        break
      case 'sync':
        this.#sync(event.replyTo, event.request)
        break
      case 'heartbeat':
        this.#do({ type: 'beaten', replyTo: event.replyTo, error: this.#heartbeat(event.request) })
        break
      case 'leave':
        this.#do({ type: 'left', replyTo: event.replyTo, reply: this.#leave(event.members) })
        break
      case 'alive':
        this.#alive(event.memberId)
        break
      case 'timer':
        this.#timer(event.name)
        break
      case 'stored':
        this.#stored(event.storeId, event.error)
        break
      case 'loaded':
        for (const member of this.membership.all()) this.#restartSession(member)
        if (this.membership.size > this.#settings.maxSize)
          this.#prepareRebalance('the group is larger than group.max.size')
        break
      case 'deleted':
        this.#die()
        break
      default:
        event satisfies never
    }
    return this.#actions
  }

  /** A new group leaves a record before anybody is in it, so that it is still known after a crash. */
  storeAsNew(): GroupAction[] {
    this.#actions = []
    const nobody = { protocolType: null, generationId: 0, protocolName: null, leader: null, members: [] }
    this.#store({ why: 'record' }, { ...nobody, stateTimestamp: this.enteredAt })
    return this.#actions
  }

  #join(replyTo: number, request: JoinRequest): void {
    const { memberId, groupInstanceId } = request
    const refuse = (error: ErrorName, as = memberId) => this.#answerJoin(replyTo, joinError(error, as))
    if (this.current.name === 'Dead') return refuse('COORDINATOR_NOT_AVAILABLE')
    if (!this.#accepts(memberId)) {
      this.#remove(memberId)
      return refuse('GROUP_MAX_SIZE_REACHED', '')
    }
    if (!this.membership.supports(request.protocolType, request.protocols, this.current.name === 'Empty')) {
      return refuse('INCONSISTENT_GROUP_PROTOCOL')
    }
    if (memberId === '') return this.#joinUnknown(replyTo, request)
    if (this.membership.pending.has(memberId) && groupInstanceId === null)
      return this.#addMember(replyTo, memberId, request)
    const error = this.membership.check(memberId, groupInstanceId)
    if (error !== 'NONE') return refuse(error)
    this.#rejoin(replyTo, this.membership.get(memberId)!, request)
  }

  #joinUnknown(replyTo: number, request: JoinRequest): void {
    const { newMemberId, groupInstanceId } = request
    if (groupInstanceId !== null) {
      const known = this.membership.memberIdOf(groupInstanceId)
      if (known === undefined) return this.#addMember(replyTo, newMemberId, request)
      return this.#replaceStatic(replyTo, known, request)
    }
    if (!request.requiresKnownMemberId) return this.#addMember(replyTo, newMemberId, request)
    this.membership.pending.add(newMemberId)
    this.#setTimer(`session:${newMemberId}`, request.sessionTimeoutMs)
    this.#answerJoin(replyTo, joinError('MEMBER_ID_REQUIRED', newMemberId))
  }

  #addMember(replyTo: number, memberId: string, request: JoinRequest): void {
    const member: Member = { ...memberOf({ ...request, memberId }), awaitingJoin: replyTo, isNew: true }
    if (this.current.name === 'PreparingRebalance' && this.current.initial) this.current.initial.newMemberAdded = true
    this.membership.add(member)
    // A new member cannot send heartbeats yet. If its client gave up waiting it joins anew, so that this one must not
    // stay for ever; if it is still there, it is expected to try again.
    this.#setTimer(`session:${memberId}`, this.#settings.newMemberJoinTimeoutMs)
    this.#rebalanceOrComplete(`member ${memberId} joined${reasonOf(request.reason)}`)
  }

  #rejoin(replyTo: number, member: Member, request: JoinRequest): void {
    const update = (why: string) => {
      this.#await(member, replyTo, request)
      this.#rebalanceOrComplete(`member ${member.memberId} ${why}${reasonOf(request.reason)}`)
    }
    const state = this.current
    switch (state.name) {
      case 'PreparingRebalance':
        return update('rejoined')
      case 'CompletingRebalance':
        if (!matches(member, request.protocols)) return update('changed its metadata')
        // It may not have received the answer to the first join: here it is again.
        return this.#answerJoin(replyTo, this.currentGeneration(member))
      case 'Stable':
        // A leader may rejoin for reasons that its metadata do not show, such as new partitions.
        if (this.membership.leader === member.memberId) return update('is the leader and rejoined')
        if (!matches(member, request.protocols)) return update('changed its metadata')
        return this.#answerJoin(replyTo, { ...this.currentGeneration(member), members: [] })
      case 'Empty':
      case 'Dead':
        return this.#answerJoin(replyTo, joinError('UNKNOWN_MEMBER_ID', member.memberId))
      default:
        state satisfies never
    }
  }

  /** A static member whose process was started anew: it takes its old place under a new id, and the old id is fenced. */
  #replaceStatic(replyTo: number, oldMemberId: string, request: JoinRequest): void {
    const previous = { ...this.membership.get(oldMemberId)! }
    const leaderBefore = this.membership.leader
    this.#answerAwaiting(this.membership.get(oldMemberId)!, 'FENCED_INSTANCE_ID')
    const member = this.membership.replace(oldMemberId, request.newMemberId)
    this.#do({ type: 'cancel-timer', name: `session:${oldMemberId}` })
    this.#await(member, replyTo, request)
    this.#restartSession(member)
    const state = this.current
    switch (state.name) {
      case 'Stable':
        if (state.pendingSync.delete(oldMemberId)) state.pendingSync.add(member.memberId)
        if (this.selectedProtocol === this.membership.selectProtocol()) {
          // Nothing changes for the others, so there is no rebalance; but the new id has to survive a crash.
          const skip = request.supportsSkippingAssignment
          const why = { why: 'static member', previous, memberId: member.memberId, skip, leader: leaderBefore } as const
          return this.#store(why, this.snapshot())
        }
        return this.#rebalanceOrComplete(
          `static member ${member.memberId} changed the protocol${reasonOf(request.reason)}`,
        )
      case 'CompletingRebalance':
        // The leader may be assigning to the old id at this moment: begin anew.
        return this.#prepareRebalance(`static member ${member.memberId} came back${reasonOf(request.reason)}`)
      case 'PreparingRebalance':
        return this.#maybeComplete()
      case 'Empty':
      case 'Dead':
        throw new Error(`Group ${this.groupId} has a static member although it is ${state.name}`)
      default:
        state satisfies never
    }
  }

  #sync(replyTo: number, request: SyncRequest): void {
    const refuse = (error: ErrorName) => this.#do({ type: 'synced', replyTo, reply: syncError(error) })
    const { memberId } = request
    const state = this.current
    if (state.name === 'Dead') return refuse('COORDINATOR_NOT_AVAILABLE')
    if (state.name === 'Empty') return refuse('UNKNOWN_MEMBER_ID')
    const error = this.membership.check(memberId, request.groupInstanceId)
    if (error !== 'NONE') return refuse(error)
    if (request.generationId !== this.generation) return refuse('ILLEGAL_GENERATION')
    if (differs(request.protocolType, this.protocolType) || differs(request.protocolName, this.selectedProtocol)) {
      return refuse('INCONSISTENT_GROUP_PROTOCOL')
    }
    if (state.name === 'PreparingRebalance') return refuse('REBALANCE_IN_PROGRESS')
    const member = this.membership.get(memberId)!
    this.#synced(state.pendingSync, memberId)
    if (state.name === 'Stable') {
      const { protocolType } = this
      const reply = {
        error: 'NONE',
        protocolType,
        protocolName: this.selectedProtocol,
        assignment: member.assignment,
      } as const
      return this.#do({ type: 'synced', replyTo, reply })
    }
    if (member.awaitingSync !== undefined) this.#answerSync(member, 'REBALANCE_IN_PROGRESS')
    member.awaitingSync = replyTo
    if (this.membership.leader !== memberId) return
    const assignments = new Map(request.assignments.map((one) => [one.memberId, one.assignment]))
    this.#store({ why: 'assignment', generationId: this.generation, assignments }, this.snapshot(assignments))
  }

  #heartbeat({ memberId, groupInstanceId, generationId }: HeartbeatRequest): ErrorName {
    if (this.current.name === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    const error = this.membership.check(memberId, groupInstanceId)
    if (error !== 'NONE') return error
    if (generationId !== this.generation) return 'ILLEGAL_GENERATION'
    if (this.current.name === 'Empty') return 'UNKNOWN_MEMBER_ID'
    this.#restartSession(this.membership.get(memberId)!)
    return this.current.name === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE'
  }

  #leave(leaving: readonly LeavingMember[]): LeaveReply {
    if (this.current.name === 'Dead') return { error: 'COORDINATOR_NOT_AVAILABLE', members: [] }
    const members = leaving.map((one) => ({
      memberId: one.memberId,
      groupInstanceId: one.groupInstanceId,
      error: this.#leaveOne(one),
    }))
    const left = members.filter(({ error }) => error === 'NONE').map(({ memberId }) => memberId)
    if (left.length > 0) {
      if (this.current.name === 'PreparingRebalance') this.#maybeComplete()
      else if (this.current.name !== 'Empty') this.#rebalanceOrComplete(`members left: ${left.join(', ')}`)
    }
    return { error: 'NONE', members }
  }

  #leaveOne({ memberId, groupInstanceId }: LeavingMember): ErrorName {
    let leavingId = memberId
    if (memberId === '') {
      // An administrator removes a static member by its instance id alone.
      const known = groupInstanceId === null ? undefined : this.membership.memberIdOf(groupInstanceId)
      if (known === undefined) return 'UNKNOWN_MEMBER_ID'
      leavingId = known
    } else if (!this.membership.pending.has(memberId)) {
      const error = this.membership.check(memberId, groupInstanceId)
      if (error !== 'NONE') return error
    }
    const member = this.membership.get(leavingId)
    if (member) this.#answerAwaiting(member, 'UNKNOWN_MEMBER_ID')
    this.#remove(leavingId)
    return 'NONE'
  }

  #alive(memberId: string): void {
    const member = this.membership.get(memberId)
    if (member && (this.current.name === 'Stable' || this.current.name === 'PreparingRebalance')) {
      this.#restartSession(member)
    }
  }

  #timer(name: TimerName): void {
    if (name === 'join') return this.#joinTimer()
    if (name === 'sync') return this.#syncTimer()
    const memberId = name.slice('session:'.length)
    const member = this.membership.get(memberId)
    if (this.membership.pending.has(memberId)) {
      this.#note('a member that was given an id did not come back with it', { memberId })
    } else if (!member || (!member.isNew && (member.awaitingJoin !== undefined || member.awaitingSync !== undefined))) {
      // Whoever waits for the group to rebalance is alive as far as anybody can tell.
      return
    } else {
      this.#note('a member was not heard of within its session timeout', { memberId })
      this.#answerAwaiting(member, 'UNKNOWN_MEMBER_ID')
    }
    this.#remove(memberId)
    if (this.current.name === 'PreparingRebalance') {
      if (this.membership.hasAllJoined()) this.#completeJoin()
    } else if (member) {
      this.#rebalanceOrComplete(`the session of member ${memberId} timed out`)
    }
  }

  #joinTimer(): void {
    if (this.current.name !== 'PreparingRebalance') return
    const { initial } = this.current
    if (!initial?.newMemberAdded || initial.remainingMs === 0) return this.#completeJoin()
    // Each newcomer prolongs the wait once more, up to the rebalance timeout altogether.
    const delayMs = Math.min(this.#settings.initialRebalanceDelayMs, initial.remainingMs)
    initial.newMemberAdded = false
    initial.remainingMs = Math.max(initial.remainingMs - initial.delayMs, 0)
    initial.delayMs = delayMs
    this.#setTimer('join', delayMs)
  }

  /** Members that joined this generation and never asked for their assignment hold its partitions for nothing. */
  #syncTimer(): void {
    const state = this.current
    if (state.name !== 'CompletingRebalance' && state.name !== 'Stable') return
    const missing = [...state.pendingSync]
    if (missing.length === 0) return
    for (const memberId of missing) this.#remove(memberId)
    this.#prepareRebalance(`members did not sync within the rebalance timeout: ${missing.join(', ')}`)
  }

  #stored(storeId: number, error: ErrorName | null): void {
    const storing = this.#storing.get(storeId)
    if (!storing) return
    this.#storing.delete(storeId)
    switch (storing.why) {
      case 'record':
        if (error) this.#note('the group could not be written', { error })
        return
      case 'assignment':
        return this.#assignmentStored(storing, error)
      case 'static member':
        return this.#staticMemberStored(storing, error)
      default:
        storing satisfies never
    }
  }

  #assignmentStored(storing: Storing & { why: 'assignment' }, error: ErrorName | null): void {
    // While it was written somebody may have joined, and the next rebalance begun: then these assignments are void, and
    // those who waited for them have been told so.
    if (this.current.name !== 'CompletingRebalance' || storing.generationId !== this.generation) return
    if (error) {
      this.#resetAssignments(error)
      return this.#rebalanceOrComplete(`the assignment could not be written: ${error}`)
    }
    for (const member of this.membership.all()) {
      member.assignment = storing.assignments.get(member.memberId) ?? NO_ASSIGNMENT
    }
    for (const member of this.membership.all()) this.#answerSync(member, 'NONE')
    this.#enter({ name: 'Stable', pendingSync: this.current.pendingSync })
  }

  #staticMemberStored(
    { previous, memberId, skip, leader }: Storing & { why: 'static member' },
    error: ErrorName | null,
  ): void {
    const member = this.membership.get(memberId)
    if (member?.awaitingJoin === undefined) return
    // A rebalance that began meanwhile answers the join in its own time.
    if (this.current.name !== 'Stable') return
    if (error) {
      const refused = { ...this.currentGeneration(member), memberId: '', leader: leader ?? '', members: [] }
      this.#finishJoin(member, { ...refused, error: error })
      this.#do({ type: 'cancel-timer', name: `session:${memberId}` })
      const old = this.membership.replace(memberId, previous.memberId)
      this.membership.update(old, previous.protocols, previous.sessionTimeoutMs, previous.rebalanceTimeoutMs)
      return this.#restartSession(old)
    }
    const current = this.currentGeneration(member)
    if (skip) return this.#finishJoin(member, { ...current, skipAssignment: current.members.length > 0 })
    // Before version 9 a leader that came back is told that its former self leads, so that it does not assign: the
    // others would never ask for what it computed.
    this.#finishJoin(member, { ...current, leader: leader ?? '', members: [] })
  }

  /** Existing members are always let in, new ones up to group.max.size; who waits already, counts while preparing. */
  #accepts(memberId: string): boolean {
    const { maxSize } = this.#settings
    const state = this.current.name
    switch (state) {
      case 'Empty':
      case 'Dead':
        return true
      case 'PreparingRebalance':
        if (this.membership.get(memberId)?.awaitingJoin !== undefined) return true
        return this.membership.awaitingJoinCount < maxSize
      case 'CompletingRebalance':
      case 'Stable':
        return this.membership.has(memberId) || this.membership.size < maxSize
      default:
        return state satisfies never
    }
  }

  #rebalanceOrComplete(reason: string): void {
    if (this.current.name === 'PreparingRebalance') this.#maybeComplete()
    else this.#prepareRebalance(reason)
  }

  #prepareRebalance(reason: string): void {
    if (this.current.name === 'CompletingRebalance') this.#resetAssignments('REBALANCE_IN_PROGRESS')
    this.#do({ type: 'cancel-timer', name: 'sync' })
    this.#note('a rebalance begins', { reason, generation: this.generation, state: this.current.name })
    if (this.current.name === 'Empty') {
      const delayMs = this.#settings.initialRebalanceDelayMs
      const remainingMs = Math.max(this.membership.rebalanceTimeoutMs - delayMs, 0)
      this.#enter({ name: 'PreparingRebalance', initial: { newMemberAdded: false, delayMs, remainingMs } })
      this.#setTimer('join', delayMs)
      return
    }
    this.#enter({ name: 'PreparingRebalance', initial: undefined })
    if (this.membership.hasAllJoined()) this.#completeJoin()
    else this.#setTimer('join', this.membership.rebalanceTimeoutMs)
  }

  /** An initial rebalance ends only by its timer. */
  #maybeComplete(): void {
    if (this.current.name !== 'PreparingRebalance' || this.current.initial) return
    if (this.membership.hasAllJoined()) this.#completeJoin()
  }

  #completeJoin(): void {
    this.#do({ type: 'cancel-timer', name: 'join' })
    for (const member of this.members) {
      if (member.awaitingJoin === undefined && member.groupInstanceId === null) this.#remove(member.memberId)
    }
    if (this.membership.size > 0 && !this.membership.electJoinedLeader()) {
      // Only static members are left and none has come back: their session timeouts decide.
      this.#note('nobody rejoined within the rebalance timeout', {})
      return this.#setTimer('join', this.membership.rebalanceTimeoutMs)
    }
    this.generation++
    if (this.membership.size === 0) {
      this.selectedProtocol = null
      this.subscriptions = subscribedTopicsOf(this.membership, null)
      this.#enter({ name: 'Empty' })
      return this.#store({ why: 'record' }, this.snapshot())
    }
    this.selectedProtocol = this.membership.selectProtocol()
    this.subscriptions = subscribedTopicsOf(this.membership, this.selectedProtocol)
    this.#enter({ name: 'CompletingRebalance', pendingSync: new Set(this.members.map(({ memberId }) => memberId)) })
    this.#note('a generation begins', { generation: this.generation, members: this.membership.size })
    for (const member of this.membership.all()) {
      if (member.awaitingJoin !== undefined) this.#finishJoin(member, this.currentGeneration(member))
      this.#restartSession(member)
      member.isNew = false
    }
    this.#setTimer('sync', this.membership.rebalanceTimeoutMs)
  }

  #resetAssignments(error: ErrorName): void {
    for (const member of this.membership.all()) {
      member.assignment = NO_ASSIGNMENT
      this.#answerSync(member, error)
    }
  }

  #synced(pendingSync: Set<string>, memberId: string): void {
    pendingSync.delete(memberId)
    if (pendingSync.size === 0) this.#do({ type: 'cancel-timer', name: 'sync' })
  }

  #die(): void {
    for (const member of this.members) {
      this.#answerAwaiting(member, 'COORDINATOR_NOT_AVAILABLE')
      this.#remove(member.memberId)
    }
    for (const memberId of this.membership.pending) this.#remove(memberId)
    this.#do({ type: 'cancel-timer', name: 'join' })
    this.#do({ type: 'cancel-timer', name: 'sync' })
    this.#storing.clear()
    this.#enter({ name: 'Dead' })
  }

  #await(member: Member, replyTo: number, request: JoinRequest): void {
    if (member.awaitingJoin !== undefined) this.#finishJoin(member, joinError('REBALANCE_IN_PROGRESS', member.memberId))
    this.membership.update(member, request.protocols, request.sessionTimeoutMs, request.rebalanceTimeoutMs)
    member.awaitingJoin = replyTo
  }

  #remove(memberId: string): void {
    this.membership.remove(memberId)
    if (memberId === '') return
    const state = this.current
    if (state.name === 'CompletingRebalance' || state.name === 'Stable') state.pendingSync.delete(memberId)
    this.#do({ type: 'cancel-timer', name: `session:${memberId}` })
  }

  /** Answers what a member that goes still waits for. */
  #answerAwaiting(member: Member, error: ErrorName): void {
    const known = error === 'FENCED_INSTANCE_ID' ? member.memberId : ''
    if (member.awaitingJoin !== undefined) this.#finishJoin(member, joinError(error, known))
    if (member.awaitingSync === undefined) return
    this.#do({ type: 'synced', replyTo: member.awaitingSync, reply: syncError(error) })
    member.awaitingSync = undefined
  }

  #answerSync(member: Member, error: ErrorName): void {
    if (member.awaitingSync === undefined) return
    const { protocolType } = this
    const { assignment } = member
    const given = { error, protocolType, protocolName: this.selectedProtocol, assignment }
    this.#do({ type: 'synced', replyTo: member.awaitingSync, reply: error === 'NONE' ? given : syncError(error) })
    member.awaitingSync = undefined
    this.#restartSession(member)
  }

  #answerJoin(replyTo: number, reply: JoinReply): void {
    this.#do({ type: 'joined', replyTo, reply })
  }

  #finishJoin(member: Member, reply: JoinReply): void {
    this.#answerJoin(member.awaitingJoin!, reply)
    member.awaitingJoin = undefined
  }

  #restartSession(member: Member): void {
    this.#setTimer(`session:${member.memberId}`, member.sessionTimeoutMs)
  }

  #enter(state: GroupState): void {
    this.current = state
    this.enteredAt = this.#now
  }

  #store(storing: Storing, snapshot: GroupSnapshot): void {
    const storeId = this.#nextStoreId++
    this.#storing.set(storeId, storing)
    this.#do({ type: 'store', storeId, snapshot })
  }

  #setTimer(name: TimerName, delayMs: number): void {
    this.#do({ type: 'set-timer', name, delayMs })
  }

  #note(what: string, fields: object): void {
    this.#do({ type: 'note', what, fields: { group: this.groupId, ...fields } })
  }

  #do(action: GroupAction): void {
    this.#actions.push(action)
  }
}

function reasonOf(reason: string | null): string {
  return reason ? `; the client says: ${reason}` : ''
}

/** A member that does not say (before version 5) agrees. */
function differs(said: string | null, actual: string | null): boolean {
  return said !== null && actual !== null && said !== actual
}
