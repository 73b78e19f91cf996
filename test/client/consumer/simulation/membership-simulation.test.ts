/**
 * Group membership under fake time: many members, messages lost and doubled, members stuck, stopped and killed, the coordinator moving. Whatever happens, no
 * partition has two owners in one generation, no commit is ahead of what was delivered, nothing is lost, and everything comes to rest.
 *
 * SEED=n runs one seed, SEEDS=n so many (the default is made for `npm test`).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../../src/seams/random.ts'
import { Coordinator } from './coordinator.ts'
import { History } from './history.ts'
import { SimulatedMember, type Sabotage } from './member.ts'
import { World } from './world.ts'

const LOG = { partitions: 8, records: 40 }
const TROUBLE_MS = 40_000
const REST_MS = 60_000
const seeds =
  process.env['SEED'] === undefined
    ? Array.from({ length: Number(process.env['SEEDS'] ?? 300) }, (_, index) => index + 1)
    : [Number(process.env['SEED'])]

function simulate(seed: number, sabotage?: Sabotage): History {
  const random = seededRandom(seed)
  const world = new World(random, { loss: random.next() * 0.15, double: random.next() * 0.15 })
  const history = new History(LOG.partitions)
  const coordinator = new Coordinator(world, history, LOG.partitions)
  const members: SimulatedMember[] = []
  const start = () => members.push(new SimulatedMember(world, coordinator, history, LOG, sabotage))
  const count = world.between(2, 8)
  for (let index = 0; index < count; index++) world.after(world.between(0, 5000), start)
  for (let atMs = 0; atMs < TROUBLE_MS; atMs += world.between(500, 8000)) {
    world.after(atMs, () => {
      const victim = members[world.between(0, Math.max(0, members.length - 1))]
      const what = world.between(0, 3)
      if (what === 0 && members.length < 12) start()
      else if (what === 1) coordinator.move()
      else if (what === 2 && members.filter(({ isStopped }) => !isStopped).length > 1) victim?.stop()
      else if (members.filter(({ isStopped }) => !isStopped).length > 1) victim?.crash()
    })
  }
  world.runUntil(TROUBLE_MS)
  world.faults = { loss: 0, double: 0 }
  if (members.every(({ isStopped }) => isStopped)) start()
  world.runUntil(TROUBLE_MS + REST_MS)
  assertAtRest(members, coordinator, history)
  return history
}

function assertAtRest(members: readonly SimulatedMember[], coordinator: Coordinator, history: History): void {
  const living = members.filter(({ isStopped }) => !isStopped)
  assert.ok(coordinator.isStable, 'the group is stable')
  for (const { membership } of living) {
    assert.equal(membership.state.name, 'stable')
    assert.equal(membership.generationId, coordinator.generationId)
  }
  assert.deepEqual(coordinator.memberIds.sort(), living.map(({ membership }) => membership.memberId).sort())
  const owned = living.flatMap((member) => [...member.owned.keys()]).sort((left, right) => left - right)
  assert.deepEqual(
    owned,
    Array.from({ length: LOG.partitions }, (_, partition) => partition),
    'each partition has one owner',
  )
  const all = Array.from({ length: LOG.partitions }, () => LOG.records)
  assert.deepEqual(history.delivered, all, 'everything was delivered')
  assert.deepEqual(coordinator.committed, all, 'everything is committed')
}

test(`membership: ${seeds.length} seeds, nothing lost, no partition owned twice, no commit ahead, all at rest`, () => {
  let rebalances = 0
  for (const seed of seeds) {
    try {
      rebalances += simulate(seed).rebalances
    } catch (error) {
      ;(error as Error).message = `SEED=${seed}: ${(error as Error).message}`
      throw error
    }
  }
  assert.ok(rebalances > seeds.length, 'there was something to survive')
})

const canaries: readonly (readonly [Sabotage, RegExp])[] = [
  ['commits ahead', /is committed, and only \d+ delivered/],
  ['assigns twice', /two members own the partition/],
  ['forgets what was committed', /is delivered before what comes before it/],
]
for (const [sabotage, found] of canaries) {
  test(`canary: a member that ${sabotage} is found`, () => {
    assert.throws(() => {
      for (let seed = 1; seed <= 20; seed++) simulate(seed, sabotage)
    }, found)
  })
}

test('the same seed gives the same history', () => {
  const of = ({ deliveries, commits, rebalances }: History) => ({ deliveries, commits, rebalances })
  assert.deepEqual(of(simulate(7)), of(simulate(7)))
})
