/**
 * Random members against one group under a clock of its own: requests are lost, answers are lost, requests come twice,
 * writes are late or fail, members crash, static ones come back, the broker is restarted. A failure names its seed.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ClassicGroup } from '../../../src/broker/groups/classic-group.ts'
import { type JoinReply, type SyncReply } from '../../../src/broker/groups/group-events.ts'
import { type Random, seededRandom } from '../../../src/seams/random.ts'
import { GroupBench } from './group-bench.ts'

const SEEDS = 1000
const STEPS = 400

interface Client {
  readonly instance: string | null
  memberId: string
  generation: number
  assignment: string | undefined
  waiting: { kind: 'join' | 'sync'; replyTo: number } | undefined
  isLeader: boolean
  members: readonly string[]
  topics: number
  alive: boolean
}

class Simulation {
  readonly random: Random
  readonly bench: GroupBench
  readonly clients: Client[] = []
  /** Requests whose clients or broker are gone: they may stay unanswered only where the broker died. */
  readonly asked = new Map<number, 'join' | 'sync'>()
  /** Who assigned in each generation. */
  readonly authors = new Map<number, string>()
  highestGeneration = 0
  assigned = 0

  constructor(seed: number) {
    this.random = seededRandom(seed)
    this.bench = new GroupBench({ initialRebalanceDelayMs: seed % 3 === 0 ? 3000 : 0, maxSize: 6 })
    this.bench.autoStore = false
    for (let index = 0; index < 7; index++) this.clients.push(client(index % 3 === 0 ? `instance-${index}` : null))
  }

  chance(probability: number): boolean {
    return this.random.next() < probability
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random.next() * from.length)]!
  }

  step(): void {
    const roll = this.random.next()
    if (roll < 0.2) this.bench.advance(Math.floor(this.random.next() * 1200))
    else if (roll < 0.203) this.restart()
    else if (roll < 0.4 && this.bench.stores.length > 0) {
      this.bench.finishStore(this.chance(0.1) ? 'NOT_COORDINATOR' : null)
    } else this.act(this.pick(this.clients))
    this.deliver()
    this.check()
  }

  /** The broker is killed and started: what was not written, and every open request, is gone. */
  restart(): void {
    this.asked.clear()
    for (const one of this.clients) one.waiting = undefined
    this.bench.timers.clear()
    this.bench.stores.length = 0
    const last = this.bench.written.at(-1)
    this.bench.group = last
      ? ClassicGroup.restore('g', this.bench.settings, last)
      : new ClassicGroup('g', this.bench.settings, this.bench.now)
    this.bench.send({ type: 'loaded' })
    this.highestGeneration = this.bench.group.generationId
    for (const generation of this.authors.keys()) {
      if (generation > this.highestGeneration) this.authors.delete(generation)
    }
  }

  act(one: Client): void {
    const roll = this.random.next()
    if (!one.alive) {
      if (roll < 0.3) Object.assign(one, client(one.instance))
      return
    }
    if (roll < 0.005) {
      one.alive = false
      one.waiting = undefined
    } else if (roll < 0.015) {
      // The answer is lost: the client's request timeout has passed.
      one.waiting = undefined
    } else if (roll < 0.025 && one.memberId) {
      this.bench.leave({ memberId: one.memberId, ...(one.instance && { groupInstanceId: one.instance }) })
      Object.assign(one, client(one.instance), { alive: false })
    } else if (!one.waiting) this.proceed(one)
    else if (roll < 0.05) this.proceed({ ...one, waiting: undefined })
  }

  proceed(one: Client): void {
    if (one.generation < 0) return this.join(one)
    if (one.assignment === undefined) return this.sync(one)
    const error = this.bench.heartbeat(one.memberId, one.generation, one.instance)
    if (error === 'REBALANCE_IN_PROGRESS' || this.chance(0.02)) {
      if (this.chance(0.3)) one.topics++
      this.join(one)
    } else if (error !== 'NONE') this.fail(one, error)
  }

  join(one: Client): void {
    if (this.chance(0.05)) return
    const replyTo = this.bench.join({
      memberId: one.memberId,
      groupInstanceId: one.instance,
      topics: `topics ${one.topics}`,
      rebalanceTimeoutMs: 15_000,
      requiresKnownMemberId: true,
      supportsSkippingAssignment: true,
    })
    this.asked.set(replyTo, 'join')
    one.assignment = undefined
    one.waiting = { kind: 'join', replyTo }
  }

  sync(one: Client): void {
    if (this.chance(0.05)) return
    const plan: Record<string, string> = {}
    if (one.isLeader) {
      for (const memberId of one.members) plan[memberId] = `${memberId} in ${one.generation} by ${one.memberId}`
    }
    const replyTo = this.bench.sync(one.memberId, one.generation, plan, one.instance ?? undefined)
    this.asked.set(replyTo, 'sync')
    one.waiting = { kind: 'sync', replyTo }
  }

  deliver(): void {
    for (const one of this.clients) {
      if (!one.waiting || !this.bench.isAnswered(one.waiting.replyTo)) continue
      const { kind, replyTo } = one.waiting
      one.waiting = undefined
      if (kind === 'join') this.joined(one, this.bench.joined(replyTo))
      else this.synced(one, this.bench.synced(replyTo))
    }
  }

  joined(one: Client, reply: JoinReply): void {
    if (reply.error === 'MEMBER_ID_REQUIRED') one.memberId = reply.memberId
    if (reply.error !== 'NONE') return this.fail(one, reply.error)
    one.memberId = reply.memberId
    one.generation = reply.generationId
    one.isLeader = reply.leader === reply.memberId && !reply.skipAssignment
    one.members = reply.members.map(({ memberId }) => memberId)
    assert.equal(new Set(one.members).size, one.members.length, 'a member stands twice in the list')
    assert.ok(one.members.length <= 6, 'the group is larger than allowed')
  }

  synced(one: Client, reply: SyncReply): void {
    if (reply.error !== 'NONE') return this.fail(one, reply.error)
    one.assignment = reply.assignment.toString()
    // All who are in a generation hold what one and the same leader gave out.
    const author = one.assignment.split(' by ')[1]
    if (author === undefined) return
    this.assigned++
    const known = this.authors.get(one.generation)
    assert.ok(known === undefined || known === author, `two leaders assigned in generation ${one.generation}`)
    this.authors.set(one.generation, author)
    assert.match(one.assignment, new RegExp(` in ${one.generation} by `))
  }

  fail(one: Client, error: string): void {
    one.generation = -1
    one.assignment = undefined
    if (['UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID', 'GROUP_MAX_SIZE_REACHED'].includes(error)) one.memberId = ''
  }

  check(): void {
    const { group, timers } = this.bench
    assert.ok(group.generationId >= this.highestGeneration, 'the generation went back')
    this.highestGeneration = group.generationId
    const { members } = group
    const ids = new Set(members.map(({ memberId }) => memberId))
    assert.equal(ids.size, members.length)
    if (members.length > 0) assert.ok(ids.has(group.leader!), 'the leader is no member')
    assert.equal(group.state === 'Empty' && members.length > 0, false, 'an empty group has members')
    const sessions = [...timers.keys()].filter((name) => name.startsWith('session:'))
    assert.ok(sessions.length <= members.length + group.pendingMemberCount, 'a timer is left of somebody who is gone')
    if (group.state === 'PreparingRebalance') assert.ok(timers.has('join'), 'nothing ends the rebalance')
    if (group.state !== 'PreparingRebalance') assert.ok(!timers.has('join'), 'a join timer is left')
    for (const member of members) {
      const waits = member.awaitingJoin !== undefined || member.awaitingSync !== undefined
      assert.ok(waits || timers.has(`session:${member.memberId}`), 'a member that nothing expires')
    }
  }

  /** Everybody falls silent: in the end each request is answered, nobody is left, and no timer is. */
  comeToRest(): void {
    for (let round = 0; round < 50; round++) {
      while (this.bench.stores.length > 0) this.bench.finishStore()
      this.bench.advance(60_000)
    }
    const unanswered = [...this.asked].filter(([replyTo]) => !this.bench.isAnswered(replyTo))
    assert.deepEqual(unanswered, [])
    assert.equal(this.bench.group.state, 'Empty')
    assert.deepEqual([...this.bench.timers.keys()], [])
  }
}

function client(instance: string | null): Client {
  return {
    instance,
    memberId: '',
    generation: -1,
    assignment: undefined,
    waiting: undefined,
    isLeader: false,
    members: [],
    topics: 0,
    alive: true,
  }
}

it(`a group keeps its promises through ${SEEDS} random histories`, () => {
  let assigned = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const simulation = new Simulation(seed)
    try {
      for (let step = 0; step < STEPS; step++) simulation.step()
      assigned += simulation.assigned
      simulation.comeToRest()
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
    }
  }
  // A simulation in which nothing ever works proves nothing.
  assert.ok(assigned > 10 * SEEDS, `only ${assigned} members ever got an assignment`)
})
