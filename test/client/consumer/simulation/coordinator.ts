/**
 * A model of Kafka's group coordinator on two brokers, of which one has the group at a time. When the group moves, members, generation and offsets go with
 * it (they are in `__consumer_offsets`); joins that wait, and timers, do not.
 *
 *     empty ──join──▶ preparing ──all joined, or time is up──▶ completing ──the leader synced──▶ stable ──join, leave, session over──▶ preparing
 */
import { codeOf, type ErrorName } from '../../../../src/protocol/error-codes.ts'
import { type JoinAnswer } from '../../../../src/client/consumer/membership.ts'
import { type History } from './history.ts'
import { type World } from './world.ts'

const SESSION_MS = 3000
const REBALANCE_MS = 6000

interface Known {
  readonly id: string
  heardMs: number
  join: ((answer: JoinAnswer) => void) | undefined
  sync: ((answer: SyncAnswer) => void) | undefined
}

export interface SyncAnswer {
  readonly errorCode: number
  readonly assignment: Buffer
}

const code = (name: ErrorName) => codeOf(name)
const nothing = Buffer.alloc(0)

export class Coordinator {
  readonly #world: World
  readonly #history: History
  readonly #members = new Map<string, Known>()
  /** Ids that were given out (KIP-394) and have not joined yet. */
  readonly #promised = new Set<string>()
  #state: 'empty' | 'preparing' | 'completing' | 'stable' = 'empty'
  #generationId = 0
  #leader = ''
  #assignments = new Map<string, Buffer>()
  #round = 0
  #ids = 0
  /** Which of the brokers has the group. */
  node = 0
  readonly committed: number[]

  constructor(world: World, history: History, partitions: number) {
    this.#world = world
    this.#history = history
    this.committed = Array.from({ length: partitions }, () => 0)
    const look = () => {
      this.#expireSessions()
      world.after(100, look)
    }
    look()
  }

  get generationId(): number {
    return this.#generationId
  }

  get isStable(): boolean {
    return this.#state === 'stable'
  }

  get memberIds(): string[] {
    return [...this.#members.keys()]
  }

  move(): void {
    this.node = 1 - this.node
    for (const member of this.#members.values()) {
      member.join?.(refusedJoin('NOT_COORDINATOR'))
      member.sync?.({ errorCode: code('NOT_COORDINATOR'), assignment: nothing })
      member.join = undefined
      member.sync = undefined
      member.heardMs = this.#world.nowMs
    }
    this.#promised.clear()
    // A rebalance that was under way is not written down: it begins anew.
    if (this.#state === 'preparing' || this.#state === 'completing') this.#prepare()
  }

  join(node: number, memberId: string, reply: (answer: JoinAnswer) => void): void {
    if (node !== this.node) return reply(refusedJoin('NOT_COORDINATOR'))
    if (memberId === '') {
      const id = `member-${++this.#ids}`
      this.#promised.add(id)
      return reply({ ...refusedJoin('MEMBER_ID_REQUIRED'), memberId: id })
    }
    let member = this.#members.get(memberId)
    if (!member) {
      if (!this.#promised.delete(memberId)) return reply(refusedJoin('UNKNOWN_MEMBER_ID'))
      member = { id: memberId, heardMs: this.#world.nowMs, join: undefined, sync: undefined }
      this.#members.set(memberId, member)
    }
    member.heardMs = this.#world.nowMs
    member.join = reply
    if (this.#state === 'preparing') this.#completeIfAllJoined()
    else this.#prepare()
  }

  sync(
    node: number,
    memberId: string,
    generationId: number,
    assignments: ReadonlyMap<string, Buffer> | undefined,
    reply: (answer: SyncAnswer) => void,
  ): void {
    const refuse = (name: ErrorName) => reply({ errorCode: code(name), assignment: nothing })
    if (node !== this.node) return refuse('NOT_COORDINATOR')
    const member = this.#members.get(memberId)
    if (!member) return refuse('UNKNOWN_MEMBER_ID')
    if (generationId !== this.#generationId) return refuse('ILLEGAL_GENERATION')
    member.heardMs = this.#world.nowMs
    if (this.#state === 'preparing') return refuse('REBALANCE_IN_PROGRESS')
    if (this.#state === 'stable') {
      return reply({ errorCode: 0, assignment: this.#assignments.get(memberId) ?? nothing })
    }
    member.sync = reply
    if (memberId !== this.#leader || !assignments) return
    this.#assignments = new Map(assignments)
    this.#history.assigned(this.#generationId, assignments)
    this.#state = 'stable'
    for (const one of this.#members.values()) {
      one.sync?.({ errorCode: 0, assignment: this.#assignments.get(one.id) ?? nothing })
      one.sync = undefined
      one.heardMs = this.#world.nowMs
    }
  }

  heartbeat(node: number, memberId: string, generationId: number): number {
    if (node !== this.node) return code('NOT_COORDINATOR')
    const member = this.#members.get(memberId)
    if (!member) return code('UNKNOWN_MEMBER_ID')
    if (generationId !== this.#generationId) return code('ILLEGAL_GENERATION')
    member.heardMs = this.#world.nowMs
    return this.#state === 'preparing' ? code('REBALANCE_IN_PROGRESS') : 0
  }

  leave(node: number, memberId: string): void {
    if (node === this.node && this.#remove(memberId)) this.#lostMember()
  }

  commit(node: number, memberId: string, generationId: number, offsets: ReadonlyMap<number, number>): number {
    if (node !== this.node) return code('NOT_COORDINATOR')
    const member = this.#members.get(memberId)
    if (!member) return code('UNKNOWN_MEMBER_ID')
    if (generationId !== this.#generationId) return code('ILLEGAL_GENERATION')
    if (this.#state === 'completing') return code('REBALANCE_IN_PROGRESS')
    member.heardMs = this.#world.nowMs
    for (const [partition, offset] of offsets) {
      this.#history.committed(partition, offset)
      this.committed[partition] = offset
    }
    return 0
  }

  #prepare(): void {
    for (const member of this.#members.values()) {
      member.sync?.({ errorCode: code('REBALANCE_IN_PROGRESS'), assignment: nothing })
      member.sync = undefined
    }
    this.#state = 'preparing'
    const round = ++this.#round
    this.#world.after(REBALANCE_MS, () => {
      if (this.#state !== 'preparing' || this.#round !== round) return
      // Who has not joined by now is out.
      for (const { id, join } of this.#members.values()) if (!join) this.#remove(id)
      this.#completeIfAllJoined()
    })
    this.#completeIfAllJoined()
  }

  #completeIfAllJoined(): void {
    const members = [...this.#members.values()]
    if (members.length === 0) {
      this.#state = 'empty'
      return
    }
    if (members.some(({ join }) => !join)) return
    this.#generationId++
    this.#state = 'completing'
    this.#leader = this.#members.has(this.#leader) ? this.#leader : members[0]!.id
    const everybody = members.map(({ id }) => ({ memberId: id, groupInstanceId: null, metadata: nothing }))
    for (const member of members) {
      const answer: JoinAnswer = {
        errorCode: 0,
        generationId: this.#generationId,
        protocolName: 'simulated',
        leader: this.#leader,
        skipAssignment: false,
        memberId: member.id,
        members: member.id === this.#leader ? everybody : [],
      }
      const { join } = member
      member.join = undefined
      member.heardMs = this.#world.nowMs
      join!(answer)
    }
    const generation = this.#generationId
    this.#world.after(REBALANCE_MS, () => {
      // A leader that never syncs holds up the group: it is put out.
      if (this.#state !== 'completing' || this.#generationId !== generation) return
      for (const { id, sync } of this.#members.values()) if (!sync) this.#remove(id)
      this.#prepare()
    })
  }

  #expireSessions(): void {
    for (const member of this.#members.values()) {
      if (member.join || this.#world.nowMs - member.heardMs < SESSION_MS) continue
      this.#remove(member.id)
      this.#lostMember()
    }
  }

  #remove(memberId: string): boolean {
    const member = this.#members.get(memberId)
    member?.join?.(refusedJoin('UNKNOWN_MEMBER_ID'))
    member?.sync?.({ errorCode: code('UNKNOWN_MEMBER_ID'), assignment: nothing })
    return this.#members.delete(memberId)
  }

  #lostMember(): void {
    if (this.#members.size === 0) this.#state = 'empty'
    else if (this.#state === 'preparing') this.#completeIfAllJoined()
    else this.#prepare()
  }
}

function refusedJoin(name: ErrorName): JoinAnswer {
  return {
    errorCode: code(name),
    generationId: -1,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    memberId: '',
    members: [],
  }
}
