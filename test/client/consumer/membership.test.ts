/**
 * The membership state machine by itself: what it does about each answer, and a seeded simulation of a whole group over a lossy network in
 * virtual time, with a coordinator of a hundred lines. SEED=n runs one seed.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type JoinAnswer, Membership, type MembershipAction } from '../../../src/client/consumer/membership.ts'
import { codeOf, type ErrorName } from '../../../src/protocol/error-codes.ts'
import { seededRandom } from '../../../src/seams/random.ts'

const answer = (fields: Partial<JoinAnswer> = {}): JoinAnswer => ({
  errorCode: 0,
  generationId: 1,
  protocolName: 'range',
  leader: 'me',
  skipAssignment: false,
  memberId: 'me',
  members: [],
  ...fields,
})
const types = (actions: readonly MembershipAction[]) => actions.map(({ type }) => type)
const code = (name: ErrorName) => codeOf(name)

class Driver {
  readonly membership: Membership
  nowMs = 0

  constructor(groupInstanceId: string | null = null) {
    this.membership = new Membership({ groupInstanceId, backoffMs: () => 100 })
  }

  get attempt(): number {
    const { state } = this.membership
    assert.ok(state.name === 'joining' || state.name === 'syncing', state.name)
    return state.attempt
  }

  poll() {
    return this.membership.handle({ type: 'poll', nowMs: this.nowMs })
  }

  join() {
    this.poll()
    return this.membership.handle({ type: 'prepared' })
  }

  joinAnswered(fields: Partial<JoinAnswer> = {}) {
    return this.membership.handle({
      type: 'join-answered',
      attempt: this.attempt,
      nowMs: this.nowMs,
      answer: answer(fields),
    })
  }

  syncAnswered(errorCode = 0) {
    return this.membership.handle({
      type: 'sync-answered',
      attempt: this.attempt,
      nowMs: this.nowMs,
      errorCode,
      assignment: Buffer.alloc(0),
    })
  }

  stable(): this {
    this.join()
    this.joinAnswered()
    this.syncAnswered()
    this.membership.handle({ type: 'applied' })
    assert.equal(this.membership.state.name, 'stable')
    return this
  }
}

test('membership: only a poll begins a join, and it gives up what was owned first', () => {
  const driver = new Driver()
  assert.equal(driver.membership.state.name, 'unjoined')
  assert.deepEqual(driver.poll(), [{ type: 'prepare', lost: true }])
  assert.deepEqual(driver.poll(), [])
  assert.deepEqual(types(driver.membership.handle({ type: 'prepared' })), ['stop-heartbeats', 'send-join'])
  assert.deepEqual(types(driver.joinAnswered()), ['start-heartbeats', 'send-sync'])
  driver.syncAnswered()
  assert.equal(driver.membership.state.name, 'assigned')
  driver.membership.handle({ type: 'applied' })
  assert.equal(driver.membership.needsPoll, false)
  driver.membership.handle({ type: 'rejoin-wanted', reason: 'test' })
  assert.equal(driver.membership.needsPoll, true)
  assert.deepEqual(driver.poll(), [{ type: 'prepare', lost: false }])
})

test('membership: MEMBER_ID_REQUIRED joins again at once with the id it was given', () => {
  const driver = new Driver()
  driver.join()
  const [, join] = driver.joinAnswered({ errorCode: code('MEMBER_ID_REQUIRED'), memberId: 'given' })
  assert.ok(join?.type === 'send-join' && join.memberId === 'given')
})

test('membership: the leader alone is handed the members, also when the broker says that the assignment stands', () => {
  const members = [{ memberId: 'me', groupInstanceId: null, metadata: Buffer.alloc(0) }]
  const syncOf = (fields: Partial<JoinAnswer>) => {
    const driver = new Driver()
    driver.join()
    const sync = driver.joinAnswered({ members, ...fields })[1]
    assert.ok(sync?.type === 'send-sync')
    return [sync.members, sync.skipAssignment]
  }
  assert.deepEqual(syncOf({}), [members, false])
  assert.deepEqual(syncOf({ leader: 'other' }), [undefined, false])
  assert.deepEqual(syncOf({ skipAssignment: true }), [members, true])
})

for (const name of ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'] as const) {
  test(`membership: ${name} in a heartbeat loses the generation, and the next poll loses what is owned`, () => {
    const driver = new Driver().stable()
    const actions = driver.membership.handle({ type: 'heartbeat-answered', generationId: 1, errorCode: code(name) })
    assert.deepEqual(types(actions), ['stop-heartbeats'])
    assert.equal(driver.membership.generationId, -1)
    assert.equal(driver.membership.memberId, name === 'UNKNOWN_MEMBER_ID' ? '' : 'me')
    assert.deepEqual(driver.poll(), [{ type: 'prepare', lost: true }])
  })
}

test('membership: an answer of a generation or an attempt that is over changes nothing', () => {
  const driver = new Driver().stable()
  driver.membership.handle({ type: 'heartbeat-answered', generationId: 0, errorCode: code('UNKNOWN_MEMBER_ID') })
  driver.membership.handle({ type: 'commit-refused', generationId: 0, errorCode: code('ILLEGAL_GENERATION') })
  driver.membership.handle({ type: 'join-answered', attempt: 1, nowMs: 0, answer: answer({ generationId: 9 }) })
  assert.equal(driver.membership.state.name, 'stable')
  assert.equal(driver.membership.generationId, 1)
})

test('membership: REBALANCE_IN_PROGRESS in a heartbeat asks for a rejoin and keeps the generation', () => {
  const driver = new Driver().stable()
  driver.membership.handle({ type: 'heartbeat-answered', generationId: 1, errorCode: code('REBALANCE_IN_PROGRESS') })
  assert.equal(driver.membership.generationId, 1)
  assert.deepEqual(driver.poll(), [{ type: 'prepare', lost: false }])
})

test('membership: a coordinator that moved is looked up again, after a backoff', () => {
  const driver = new Driver()
  driver.join()
  assert.deepEqual(types(driver.joinAnswered({ errorCode: code('NOT_COORDINATOR') })), ['forget-coordinator'])
  assert.deepEqual(driver.poll(), [])
  driver.nowMs = 100
  assert.deepEqual(types(driver.poll()), ['stop-heartbeats', 'send-join'])
})

test('membership: max.poll.interval.ms makes a dynamic member leave, and a static one only fall silent', () => {
  const dynamic = new Driver().stable()
  assert.deepEqual(types(dynamic.membership.handle({ type: 'poll-interval-expired' })), [
    'stop-heartbeats',
    'send-leave',
  ])
  assert.deepEqual(dynamic.poll(), [{ type: 'prepare', lost: true }])
  const member = new Driver('static').stable()
  assert.deepEqual(types(member.membership.handle({ type: 'poll-interval-expired' })), ['stop-heartbeats'])
  assert.equal(member.membership.generationId, -1)
})

test('membership: FENCED_INSTANCE_ID is final, other refusals can be tried again', () => {
  const fenced = new Driver('static').stable()
  fenced.membership.handle({ type: 'heartbeat-answered', generationId: 1, errorCode: code('FENCED_INSTANCE_ID') })
  assert.equal(fenced.membership.state.name, 'failed')
  assert.deepEqual(fenced.poll(), [])
  const refused = new Driver()
  refused.join()
  refused.joinAnswered({ errorCode: code('GROUP_AUTHORIZATION_FAILED') })
  assert.equal(refused.membership.state.name, 'failed')
  refused.membership.handle({ type: 'restart' })
  assert.deepEqual(types(refused.poll()), ['prepare'])
})

const SESSION_MS = 600

/** What the simulated coordinator knows. Rules of the real one: a rebalance ends when all known members have joined or were put out. */
class Coordinator {
  generation = 0
  leader = ''
  readonly members = new Map<
    string,
    { joined: boolean; heardMs: number; answer?: (fields: Partial<JoinAnswer>) => void }
  >()
  readonly syncs = new Map<string, (errorCode: number, share: number) => void>()
  phase: 'empty' | 'preparing' | 'completing' | 'stable' = 'empty'
  nowMs = 0
  #ids = 0

  /** Whoever is not waiting for the others and was not heard of is put out. */
  expire(): void {
    for (const [memberId, { joined, heardMs }] of this.members) {
      if (!(this.phase === 'preparing' && joined) && this.nowMs - heardMs > SESSION_MS) this.remove(memberId)
    }
  }

  #heard(memberId: string): void {
    const member = this.members.get(memberId)
    if (member) member.heardMs = this.nowMs
  }

  join(memberId: string, reply: (fields: Partial<JoinAnswer>) => void): void {
    if (memberId === '') return reply({ errorCode: code('MEMBER_ID_REQUIRED'), memberId: `m${++this.#ids}` })
    if (!this.members.has(memberId) && Number(memberId.slice(1)) > this.#ids)
      return reply({ errorCode: code('UNKNOWN_MEMBER_ID') })
    this.rebalance()
    this.members.set(memberId, { joined: true, heardMs: this.nowMs, answer: reply })
    this.completeJoin()
  }

  rebalance(): void {
    if (this.phase === 'preparing') return
    this.phase = 'preparing'
    for (const member of this.members.values()) member.joined = false
    for (const reply of this.syncs.values()) reply(code('REBALANCE_IN_PROGRESS'), 0)
    this.syncs.clear()
  }

  completeJoin(): void {
    if (
      this.phase !== 'preparing' ||
      this.members.size === 0 ||
      [...this.members.values()].some(({ joined }) => !joined)
    )
      return
    this.generation++
    this.phase = 'completing'
    this.leader = [...this.members.keys()][0]!
    for (const [memberId, { answer: reply }] of this.members)
      reply!({ generationId: this.generation, leader: this.leader, memberId })
  }

  sync(memberId: string, generation: number, reply: (errorCode: number, share: number) => void): void {
    if (!this.members.has(memberId)) return reply(code('UNKNOWN_MEMBER_ID'), 0)
    this.#heard(memberId)
    if (generation !== this.generation) return reply(code('ILLEGAL_GENERATION'), 0)
    if (this.phase === 'preparing') return reply(code('REBALANCE_IN_PROGRESS'), 0)
    this.syncs.set(memberId, reply)
    if (memberId !== this.leader && this.phase !== 'stable') return
    this.phase = 'stable'
    for (const [id, answerSync] of this.syncs) answerSync(0, [...this.members.keys()].indexOf(id))
    this.syncs.clear()
  }

  heartbeat(memberId: string, generation: number): number {
    if (!this.members.has(memberId)) return code('UNKNOWN_MEMBER_ID')
    this.#heard(memberId)
    if (generation !== this.generation) return code('ILLEGAL_GENERATION')
    return this.phase === 'preparing' ? code('REBALANCE_IN_PROGRESS') : 0
  }

  remove(memberId: string): void {
    const member = this.members.get(memberId)
    if (!member) return
    this.members.delete(memberId)
    if (this.phase === 'preparing' && member.joined) member.answer!({ errorCode: code('UNKNOWN_MEMBER_ID') })
    this.syncs.get(memberId)?.(code('UNKNOWN_MEMBER_ID'), 0)
    this.syncs.delete(memberId)
    if (this.members.size === 0) this.phase = 'empty'
    else this.rebalance()
    this.completeJoin()
  }
}

/** Runs a group of members with losses and delays, then without; returns how many rebalances there were. */
function simulate(seed: number): number {
  const random = seededRandom(seed)
  const coordinator = new Coordinator()
  const queue: { atMs: number; run: () => void }[] = []
  let nowMs = 0
  let isFaulty = true
  const after = (delayMs: number, run: () => void) => void queue.push({ atMs: nowMs + delayMs, run })
  const travel = (run: () => void, lost: () => void = () => {}) => {
    if (isFaulty && random.next() < 0.1) after(200, lost)
    else after(1 + random.next() * (isFaulty ? 60 : 5), run)
  }
  const members = Array.from({ length: 4 }, () => {
    const membership = new Membership({ groupInstanceId: null, backoffMs: () => 20 })
    const member = { membership, owned: undefined as string | undefined, beating: 0 }
    const dispatch = (event: Parameters<Membership['handle']>[0]): void => membership.handle(event).forEach(run)
    const run = (action: MembershipAction): void => {
      switch (action.type) {
        case 'prepare':
          member.owned = undefined
          return after(random.next() * 20, () => dispatch({ type: 'prepared' }))
        case 'send-join': {
          const { attempt, memberId } = action
          const failed = () => dispatch({ type: 'request-failed', attempt, nowMs })
          return travel(
            () =>
              coordinator.join(memberId, (fields) =>
                travel(() => dispatch({ type: 'join-answered', attempt, nowMs, answer: answer(fields) }), failed),
              ),
            failed,
          )
        }
        case 'send-sync': {
          const { attempt, memberId, generationId } = action
          const failed = () => dispatch({ type: 'request-failed', attempt, nowMs })
          return travel(
            () =>
              coordinator.sync(memberId, generationId, (errorCode, share) =>
                travel(() => {
                  dispatch({ type: 'sync-answered', attempt, nowMs, errorCode, assignment: Buffer.from([share]) })
                }, failed),
              ),
            failed,
          )
        }
        case 'start-heartbeats':
          return beat(++member.beating, action.generationId, action.memberId)
        case 'stop-heartbeats':
          member.beating++
          return
        case 'send-leave':
          return travel(() => coordinator.remove(action.memberId))
        case 'forget-coordinator':
          return
        default:
          return action satisfies never
      }
    }
    const beat = (beating: number, generationId: number, memberId: string): void => {
      if (member.beating !== beating) return
      travel(() => {
        const errorCode = coordinator.heartbeat(memberId, generationId)
        travel(() => member.beating === beating && dispatch({ type: 'heartbeat-answered', generationId, errorCode }))
      })
      after(50, () => beat(beating, generationId, memberId))
    }
    const poll = () => {
      dispatch({ type: 'poll', nowMs })
      const { state } = membership
      if (state.name === 'assigned') {
        member.owned = `${membership.generationId}:${state.assignment[0]}`
        dispatch({ type: 'applied' })
      }
      after(5 + random.next() * 20, poll)
    }
    after(random.next() * 100, poll)
    if (random.next() < 0.5) after(random.next() * 3000, () => dispatch({ type: 'poll-interval-expired' }))
    return member
  })
  const expire = () => {
    coordinator.expire()
    after(50, expire)
  }
  after(50, expire)
  after(1500, () => coordinator.members.size > 0 && coordinator.remove([...coordinator.members.keys()][0]!))
  after(4000, () => (isFaulty = false))
  let highest = 0
  while (queue.length > 0 && nowMs < 8000) {
    queue.sort((left, right) => left.atMs - right.atMs)
    const next = queue.shift()!
    nowMs = next.atMs
    coordinator.nowMs = nowMs
    next.run()
    highest = Math.max(highest, coordinator.generation)
    // Within one generation no two members own the same share.
    const owned = members.flatMap((member) => member.owned ?? [])
    assert.equal(new Set(owned).size, owned.length, `two owners of ${owned.join(' ')}`)
  }
  for (const { membership, owned } of members) {
    assert.equal(membership.state.name, 'stable')
    assert.equal(membership.generationId, coordinator.generation)
    assert.ok(owned?.startsWith(`${coordinator.generation}:`))
  }
  return highest
}

test('membership: a simulated group comes to rest in one generation, whatever was lost on the way', () => {
  const seeds =
    process.env['SEED'] === undefined ? Array.from({ length: 60 }, (_, seed) => seed) : [Number(process.env['SEED'])]
  let rebalances = 0
  for (const seed of seeds) {
    try {
      rebalances += simulate(seed)
    } catch (error) {
      throw new Error(`SEED=${seed}`, { cause: error })
    }
  }
  assert.ok(rebalances > seeds.length, 'the faults caused no rebalance: the simulation sees nothing')
})
