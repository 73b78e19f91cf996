/** A classic group with its surroundings played by the test: a clock that is moved by hand, a log that writes when told. */
import { ClassicGroup } from '../../../src/broker/groups/classic-group.ts'
import { type GroupSettings } from '../../../src/broker/groups/group-data.ts'
import {
  type GroupAction,
  type GroupEvent,
  type GroupSnapshot,
  type JoinReply,
  type JoinRequest,
  type LeaveReply,
  type SyncReply,
  type TimerName,
} from '../../../src/broker/groups/group-events.ts'
import { type ErrorName } from '../../../src/protocol/error-codes.ts'

export const settings: GroupSettings = { initialRebalanceDelayMs: 0, maxSize: 100, newMemberJoinTimeoutMs: 300_000 }

export type Reply = JoinReply | SyncReply | LeaveReply | ErrorName

export class GroupBench {
  group: ClassicGroup
  readonly settings: GroupSettings
  now = 1_000_000
  readonly replies = new Map<number, Reply>()
  readonly timers = new Map<TimerName, number>()
  readonly stores: { storeId: number; snapshot: GroupSnapshot }[] = []
  /** Snapshots that are on disk, in order. */
  readonly written: GroupSnapshot[] = []
  /** Whether a store is on disk at once. */
  autoStore = true
  #nextReply = 1
  #nextMember = 1
  #isStoring = false

  constructor(overrides: Partial<GroupSettings> = {}) {
    this.settings = { ...settings, ...overrides }
    this.group = new ClassicGroup('g', this.settings, this.now)
  }

  send(event: GroupEvent): void {
    this.carryOut(this.group.handle(event, this.now))
  }

  carryOut(actions: readonly GroupAction[]): void {
    for (const action of actions) {
      switch (action.type) {
        case 'joined':
        case 'synced':
        case 'left':
          this.#answer(action.replyTo, action.reply)
          break
        case 'beaten':
          this.#answer(action.replyTo, action.error)
          break
        case 'set-timer':
          this.timers.set(action.name, this.now + action.delayMs)
          break
        case 'cancel-timer':
          this.timers.delete(action.name)
          break
        case 'store':
          this.stores.push(action)
          break
        case 'note':
          break
        default:
          action satisfies never
      }
    }
    if (!this.autoStore || this.#isStoring) return
    this.#isStoring = true
    while (this.stores.length > 0) this.finishStore()
    this.#isStoring = false
  }

  #answer(replyTo: number, reply: Reply): void {
    if (this.replies.has(replyTo)) throw new Error(`request ${replyTo} is answered twice`)
    this.replies.set(replyTo, reply)
  }

  finishStore(error: ErrorName | null = null): void {
    const { storeId, snapshot } = this.stores.shift()!
    if (!error) this.written.push(snapshot)
    this.send({ type: 'stored', storeId, error })
  }

  /** Moves the clock, firing timers in their order on the way. */
  advance(ms: number): void {
    const end = this.now + ms
    for (;;) {
      const due = [...this.timers].filter(([, at]) => at <= end).sort((left, right) => left[1] - right[1])[0]
      if (!due) break
      const [name, at] = due
      this.now = Math.max(this.now, at)
      this.timers.delete(name)
      this.send({ type: 'timer', name })
    }
    this.now = end
  }

  nextMemberId(): string {
    return `m${this.#nextMember++}`
  }

  join(request: Partial<JoinRequest> & { topics?: string } = {}): number {
    const replyTo = this.#nextReply++
    const metadata = Buffer.from(request.topics ?? 'topics')
    this.send({
      type: 'join',
      replyTo,
      request: {
        memberId: '',
        newMemberId: this.nextMemberId(),
        groupInstanceId: null,
        clientId: 'client',
        clientHost: '/127.0.0.1',
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 60_000,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata }],
        reason: null,
        requiresKnownMemberId: false,
        supportsSkippingAssignment: false,
        ...request,
      },
    })
    return replyTo
  }

  sync(memberId: string, generationId: number, assignments: Record<string, string> = {}, instance?: string): number {
    const replyTo = this.#nextReply++
    this.send({
      type: 'sync',
      replyTo,
      request: {
        memberId,
        groupInstanceId: instance ?? null,
        generationId,
        protocolType: null,
        protocolName: null,
        assignments: Object.entries(assignments).map(([to, assignment]) => ({
          memberId: to,
          assignment: Buffer.from(assignment),
        })),
      },
    })
    return replyTo
  }

  heartbeat(memberId: string, generationId: number, groupInstanceId: string | null = null): ErrorName {
    const replyTo = this.#nextReply++
    this.send({ type: 'heartbeat', replyTo, request: { memberId, generationId, groupInstanceId } })
    return this.replies.get(replyTo) as ErrorName
  }

  leave(...members: { memberId: string; groupInstanceId?: string }[]): LeaveReply {
    const replyTo = this.#nextReply++
    const all = members.map(({ memberId, groupInstanceId = null }) => ({ memberId, groupInstanceId }))
    this.send({ type: 'leave', replyTo, members: all })
    return this.replies.get(replyTo) as LeaveReply
  }

  joined(replyTo: number): JoinReply {
    const reply = this.replies.get(replyTo)
    if (!reply) throw new Error(`join ${replyTo} is not answered`)
    return reply as JoinReply
  }

  synced(replyTo: number): SyncReply {
    const reply = this.replies.get(replyTo)
    if (!reply) throw new Error(`sync ${replyTo} is not answered`)
    return reply as SyncReply
  }

  isAnswered(replyTo: number): boolean {
    return this.replies.has(replyTo)
  }

  /** A group of `count` dynamic members, stable. Resolves their ids, the leader first. */
  stable(count: number, request: Partial<JoinRequest> = {}): string[] {
    const first = this.join(request)
    this.advance(0)
    const ids = [this.joined(first).memberId]
    for (let more = 1; more < count; more++) {
      const join = this.join(request)
      for (const memberId of ids) this.join({ ...request, memberId })
      ids.push(this.joined(join).memberId)
    }
    const generation = this.group.generationId
    for (const memberId of ids) {
      const plan = Object.fromEntries(ids.map((id) => [id, `${id} of ${generation}`]))
      this.sync(memberId, generation, memberId === this.group.leader ? plan : {})
    }
    return ids
  }
}
