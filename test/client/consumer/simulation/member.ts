/**
 * A consumer as the simulation sees it: the real membership state machine, and around it what group-member.ts does, with fake time and network. It polls now
 * and then, is stuck now and then, and commits what it has delivered.
 */
import { codeOf } from '../../../../src/protocol/error-codes.ts'
import { Membership, type MembershipAction, type MembershipEvent } from '../../../../src/client/consumer/membership.ts'
import { type Coordinator, type SyncAnswer } from './coordinator.ts'
import { type History } from './history.ts'
import { type World } from './world.ts'

export const MAX_POLL_INTERVAL_MS = 4000
const HEARTBEAT_MS = 500

/** Faults on purpose, for the canaries: each must be found. */
export type Sabotage = 'commits ahead' | 'assigns twice' | 'forgets what was committed'

export interface Log {
  readonly partitions: number
  readonly records: number
}

export class SimulatedMember {
  readonly #world: World
  readonly #coordinator: Coordinator
  readonly #history: History
  readonly #log: Log
  readonly #sabotage: Sabotage | undefined
  readonly membership: Membership
  readonly owned = new Map<number, number>()
  #prepared: boolean | undefined
  #heartbeats = 0
  #node = 0
  #polledMs = 0
  #stopped = false

  constructor(world: World, coordinator: Coordinator, history: History, log: Log, sabotage?: Sabotage) {
    this.#world = world
    this.#coordinator = coordinator
    this.#history = history
    this.#log = log
    this.#sabotage = sabotage
    this.membership = new Membership({ groupInstanceId: null, backoffMs: () => world.between(50, 150) })
    this.#pollLater()
    this.#watchPolls()
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  stop(): void {
    this.owned.clear()
    this.#dispatch({ type: 'leave', reason: 'stopped' })
    this.#stopped = true
  }

  /** Dies without a word. */
  crash(): void {
    this.#stopped = true
    this.owned.clear()
    this.#heartbeats++
  }

  #pollLater(): void {
    const stuck = this.#world.faults.loss > 0 && this.#world.chance(0.01)
    this.#world.after(stuck ? this.#world.between(500, 8000) : this.#world.between(20, 200), () => {
      if (this.#stopped) return
      this.#poll()
      this.#pollLater()
    })
  }

  #poll(): void {
    this.#polledMs = this.#world.nowMs
    this.#dispatch({ type: 'poll', nowMs: this.#world.nowMs })
    if (this.#prepared) {
      this.#prepared = undefined
      if (this.membership.state.name === 'preparing') {
        this.owned.clear()
        this.#dispatch({ type: 'prepared' })
      }
    }
    const { state, generationId } = this.membership
    if (state.name === 'assigned') this.#apply(state.assignment, generationId)
    this.#read()
    if (this.#world.chance(0.3)) this.#commit()
  }

  #apply(assignment: Buffer, generationId: number): void {
    this.owned.clear()
    for (const partition of assignment) {
      this.#history.owned(generationId, partition, this.membership.memberId)
      const committed = this.#coordinator.committed[partition]!
      this.owned.set(partition, this.#sabotage === 'forgets what was committed' ? committed + 1 : committed)
    }
    this.#dispatch({ type: 'applied' })
  }

  #read(): void {
    for (const [partition, position] of this.owned) {
      const end = Math.min(this.#log.records, position + this.#world.between(0, 3))
      for (let offset = position; offset < end; offset++) this.#history.deliveredRecord(partition, offset)
      this.owned.set(partition, end)
    }
  }

  #commit(done: () => void = () => {}): void {
    const { state, generationId, memberId } = this.membership
    if (this.owned.size === 0 || generationId < 0 || !['stable', 'preparing', 'assigned'].includes(state.name))
      return done()
    const ahead = this.#sabotage === 'commits ahead' ? 1 : 0
    const offsets = new Map([...this.owned].map(([partition, position]) => [partition, position + ahead]))
    const node = this.#node
    this.#world.exchange<number>(
      (reply) => reply(this.#coordinator.commit(node, memberId, generationId, offsets)),
      (errorCode) => {
        if (errorCode !== 0) this.#dispatch({ type: 'commit-refused', generationId, errorCode })
        done()
      },
      done,
    )
  }

  #dispatch(event: MembershipEvent): void {
    // Answers that come to the dead.
    if (this.#stopped) return
    for (const action of this.membership.handle(event)) this.#run(action)
  }

  #run(action: MembershipAction): void {
    const { nowMs } = this.#world
    switch (action.type) {
      case 'prepare':
        if (action.lost) this.#prepared = true
        else this.#commit(() => (this.#prepared = true))
        return
      case 'send-join': {
        const { attempt, memberId } = action
        const node = this.#node
        return this.#world.exchange(
          (reply: (answer: Parameters<Parameters<Coordinator['join']>[2]>[0]) => void) =>
            this.#coordinator.join(node, memberId, reply),
          (answer) => this.#dispatch({ type: 'join-answered', attempt, nowMs: this.#world.nowMs, answer }),
          () => this.#dispatch({ type: 'request-failed', attempt, nowMs: this.#world.nowMs }),
        )
      }
      case 'send-sync':
        return this.#sync(action)
      case 'start-heartbeats':
        return this.#beat(++this.#heartbeats, action.memberId, action.generationId)
      case 'stop-heartbeats':
        this.#heartbeats++
        return
      case 'forget-coordinator':
        this.#node = this.#coordinator.node
        return
      case 'send-leave': {
        const { memberId } = action
        const node = this.#node
        return this.#world.exchange<void>(
          () => this.#coordinator.leave(node, memberId),
          () => {},
          () => {},
        )
      }
      default:
        throw new Error(`unknown action at ${nowMs}: ${JSON.stringify(action satisfies never)}`)
    }
  }

  #sync({ attempt, generationId, memberId, members }: MembershipAction & { type: 'send-sync' }): void {
    const node = this.#node
    const assignments = members && this.#assign(members.map((one) => one.memberId).sort())
    this.#world.exchange<SyncAnswer>(
      (reply) => this.#coordinator.sync(node, memberId, generationId, assignments, reply),
      (answer) => this.#dispatch({ type: 'sync-answered', attempt, nowMs: this.#world.nowMs, ...answer }),
      () => this.#dispatch({ type: 'request-failed', attempt, nowMs: this.#world.nowMs }),
    )
  }

  #assign(memberIds: readonly string[]): Map<string, Buffer> {
    const partitions = Array.from({ length: this.#log.partitions }, (_, partition) => partition)
    return new Map(
      memberIds.map((id, index) => {
        const twice = this.#sabotage === 'assigns twice' && memberIds.length > 1
        return [id, Buffer.from(partitions.filter((one) => one % memberIds.length === index || (twice && one === 0)))]
      }),
    )
  }

  /** On a timer of its own, as the heartbeat thread does it: a stuck member's go on. */
  #beat(run: number, memberId: string, generationId: number): void {
    this.#world.after(HEARTBEAT_MS, () => {
      if (this.#heartbeats !== run) return
      const node = this.#node
      this.#world.exchange<number>(
        (reply) => reply(this.#coordinator.heartbeat(node, memberId, generationId)),
        (errorCode) => {
          if (errorCode === codeOf('NOT_COORDINATOR')) this.#node = this.#coordinator.node
          if (this.#heartbeats === run) this.#dispatch({ type: 'heartbeat-answered', generationId, errorCode })
        },
        () => (this.#node = this.#coordinator.node),
      )
      this.#beat(run, memberId, generationId)
    })
  }

  #watchPolls(): void {
    this.#world.after(Math.max(1, this.#polledMs + MAX_POLL_INTERVAL_MS - this.#world.nowMs), () => {
      if (this.#stopped) return
      if (this.#world.nowMs - this.#polledMs >= MAX_POLL_INTERVAL_MS) {
        this.#dispatch({ type: 'poll-interval-expired' })
        this.#polledMs = this.#world.nowMs
      }
      this.#watchPolls()
    })
  }
}
