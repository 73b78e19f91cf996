import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ClassicGroup } from '../../../src/broker/groups/classic-group.ts'
import { consumerProtocolSubscription } from '../../../src/protocol/stored/consumer-protocol.ts'
import { GroupBench, settings } from './group-bench.ts'

describe('joining', () => {
  it('answers a dynamic member of version 4 with an id first, and takes it when it comes back', () => {
    const bench = new GroupBench()
    const first = bench.joined(bench.join({ requiresKnownMemberId: true, newMemberId: 'a' }))
    assert.equal(first.error, 'MEMBER_ID_REQUIRED')
    assert.equal(first.memberId, 'a')
    assert.equal(bench.group.state, 'Empty')
    const second = bench.join({ requiresKnownMemberId: true, memberId: 'a' })
    bench.advance(0)
    assert.equal(bench.joined(second).error, 'NONE')
    assert.deepEqual(
      bench.joined(second).members.map(({ memberId }) => memberId),
      ['a'],
    )
  })

  it('forgets a member that does not come back with its id within the session timeout', () => {
    const bench = new GroupBench()
    bench.join({ requiresKnownMemberId: true, newMemberId: 'a' })
    bench.advance(10_000)
    assert.equal(bench.timers.size, 0)
    assert.equal(bench.joined(bench.join({ memberId: 'a' })).error, 'UNKNOWN_MEMBER_ID')
  })

  it('waits for a pending member before a rebalance ends', () => {
    const bench = new GroupBench()
    const [leader] = bench.stable(1)
    bench.join({ requiresKnownMemberId: true, newMemberId: 'late' })
    const again = bench.join({ memberId: leader })
    assert.equal(bench.isAnswered(again), false)
    bench.join({ memberId: 'late' })
    assert.equal(bench.joined(again).members.length, 2)
  })

  it('gives the leader all members and the others none, in one generation', () => {
    const bench = new GroupBench({ initialRebalanceDelayMs: 3000 })
    const joins = [bench.join(), bench.join(), bench.join()]
    bench.advance(2999)
    assert.ok(joins.every((join) => !bench.isAnswered(join)))
    bench.advance(3001)
    const replies = joins.map((join) => bench.joined(join))
    assert.deepEqual(
      replies.map(({ members }) => members.length),
      [3, 0, 0],
    )
    assert.deepEqual(
      replies.map(({ generationId }) => generationId),
      [1, 1, 1],
    )
    assert.ok(replies.every(({ leader }) => leader === replies[0]!.memberId))
  })

  it('prolongs the initial delay for each newcomer up to the rebalance timeout', () => {
    const bench = new GroupBench({ initialRebalanceDelayMs: 3000 })
    const first = bench.join({ rebalanceTimeoutMs: 7000 })
    for (let round = 0; round < 2; round++) {
      bench.advance(2000)
      bench.join({ rebalanceTimeoutMs: 7000 })
      bench.advance(1000)
    }
    assert.equal(bench.isAnswered(first), false)
    bench.advance(999)
    assert.equal(bench.isAnswered(first), false)
    bench.advance(1)
    assert.equal(bench.isAnswered(first), true)
  })

  it('refuses a protocol type or protocols that the others do not share', () => {
    const bench = new GroupBench()
    bench.stable(1)
    const metadata = Buffer.from('x')
    const cases = [
      { protocolType: 'connect' },
      { protocols: [{ name: 'other', metadata }] },
      { protocolType: '', protocols: [] },
    ]
    for (const one of cases) assert.equal(bench.joined(bench.join(one)).error, 'INCONSISTENT_GROUP_PROTOCOL')
    const empty = new GroupBench()
    assert.equal(empty.joined(empty.join({ protocols: [] })).error, 'INCONSISTENT_GROUP_PROTOCOL')
    assert.equal(empty.joined(empty.join({ protocolType: '' })).error, 'INCONSISTENT_GROUP_PROTOCOL')
  })

  it('chooses the protocol that most members put first among those that all speak', () => {
    const bench = new GroupBench({ initialRebalanceDelayMs: 100 })
    const speaks = (...names: string[]) => ({ protocols: names.map((name) => ({ name, metadata: Buffer.from(name) })) })
    const joins = [
      bench.join(speaks('range', 'sticky', 'mine')),
      bench.join(speaks('sticky', 'range')),
      bench.join(speaks('sticky', 'range')),
    ]
    bench.advance(200)
    assert.deepEqual(
      joins.map((join) => bench.joined(join).protocolName),
      ['sticky', 'sticky', 'sticky'],
    )
    assert.equal(bench.joined(joins[0]!).members[0]!.metadata.toString(), 'sticky')
  })

  it('takes no more members than group.max.size', () => {
    const bench = new GroupBench({ maxSize: 2 })
    bench.stable(2)
    const refused = bench.joined(bench.join())
    assert.deepEqual([refused.error, refused.memberId], ['GROUP_MAX_SIZE_REACHED', ''])
    assert.equal(bench.group.state, 'Stable')
  })

  it('answers a repeated join of the same generation without a rebalance', () => {
    const bench = new GroupBench()
    const [leader, follower] = bench.stable(2)
    const generation = bench.group.generationId
    const again = bench.joined(bench.join({ memberId: follower! }))
    assert.deepEqual(
      [again.error, again.generationId, again.leader, again.members.length],
      ['NONE', generation, leader, 0],
    )
    assert.equal(bench.group.state, 'Stable')
  })

  it('rebalances when a member changes its metadata or the leader joins again', () => {
    for (const who of [0, 1]) {
      const bench = new GroupBench()
      const ids = bench.stable(2)
      bench.join({ memberId: ids[who]!, topics: who === 1 ? 'other topics' : 'topics' })
      assert.equal(bench.group.state, 'PreparingRebalance')
      assert.equal(bench.heartbeat(ids[1 - who]!, bench.group.generationId), 'REBALANCE_IN_PROGRESS')
    }
  })

  it('drops members that do not rejoin within the rebalance timeout', () => {
    const bench = new GroupBench()
    const [leader, follower] = bench.stable(2, { sessionTimeoutMs: 600_000, rebalanceTimeoutMs: 5000 })
    const again = bench.join({
      memberId: follower!,
      topics: 'other',
      sessionTimeoutMs: 600_000,
      rebalanceTimeoutMs: 5000,
    })
    bench.advance(4999)
    assert.equal(bench.isAnswered(again), false)
    bench.advance(1)
    assert.deepEqual(
      bench.joined(again).members.map(({ memberId }) => memberId),
      [follower],
    )
    assert.equal(bench.joined(again).leader, follower)
    assert.equal(bench.heartbeat(leader!, bench.group.generationId), 'UNKNOWN_MEMBER_ID')
  })

  it('answers the earlier of two joins of one member, so that no request waits for ever', () => {
    const bench = new GroupBench()
    const [leader, follower] = bench.stable(2)
    const first = bench.join({ memberId: leader! })
    const second = bench.join({ memberId: leader! })
    assert.equal(bench.joined(first).error, 'REBALANCE_IN_PROGRESS')
    bench.join({ memberId: follower! })
    assert.equal(bench.joined(second).error, 'NONE')
  })
})

describe('syncing', () => {
  it('hands out the assignments only when they are on disk', () => {
    const bench = new GroupBench({ initialRebalanceDelayMs: 10 })
    bench.autoStore = false
    const joins = [bench.join(), bench.join()]
    bench.advance(20)
    const [leader, follower] = joins.map((join) => bench.joined(join).memberId)
    const waiting = bench.sync(follower!, 1)
    const led = bench.sync(leader!, 1, { [leader!]: 'one', [follower!]: 'two' })
    assert.equal(bench.isAnswered(waiting), false)
    assert.equal(bench.group.state, 'CompletingRebalance')
    bench.finishStore()
    assert.equal(bench.synced(waiting).assignment.toString(), 'two')
    assert.equal(bench.synced(led).assignment.toString(), 'one')
    assert.equal(bench.group.state, 'Stable')
    assert.deepEqual(
      bench.written.at(-1)!.members.map(({ assignment }) => assignment.toString()),
      ['one', 'two'],
    )
  })

  it('sends everybody back when the assignments cannot be written', () => {
    const bench = new GroupBench()
    bench.autoStore = false
    const join = bench.join()
    bench.advance(0)
    const { memberId } = bench.joined(join)
    const sync = bench.sync(memberId, 1, { [memberId]: 'all' })
    bench.finishStore('NOT_COORDINATOR')
    assert.equal(bench.synced(sync).error, 'NOT_COORDINATOR')
    assert.equal(bench.group.state, 'PreparingRebalance')
  })

  it('voids assignments that a new rebalance has overtaken', () => {
    const bench = new GroupBench()
    bench.autoStore = false
    const join = bench.join()
    bench.advance(0)
    const { memberId } = bench.joined(join)
    const sync = bench.sync(memberId, 1, { [memberId]: 'all' })
    const newcomer = bench.join()
    assert.equal(bench.synced(sync).error, 'REBALANCE_IN_PROGRESS')
    bench.finishStore()
    assert.equal(bench.group.state, 'PreparingRebalance')
    bench.join({ memberId })
    assert.equal(bench.joined(newcomer).generationId, 2)
  })

  it('drops members that joined and never sync', () => {
    const bench = new GroupBench({ initialRebalanceDelayMs: 10 })
    const joins = [bench.join({ sessionTimeoutMs: 600_000 }), bench.join({ sessionTimeoutMs: 600_000 })]
    bench.advance(20)
    const [leader, silent] = joins.map((join) => bench.joined(join).memberId)
    bench.sync(leader!, 1, { [leader!]: 'one', [silent!]: 'two' })
    bench.advance(60_000)
    assert.equal(bench.group.state, 'PreparingRebalance')
    assert.equal(bench.heartbeat(silent!, 1), 'UNKNOWN_MEMBER_ID')
    assert.equal(bench.heartbeat(leader!, 1), 'REBALANCE_IN_PROGRESS')
  })

  const refusals = [
    { name: 'an unknown member', memberId: 'x', generation: 1, error: 'UNKNOWN_MEMBER_ID' },
    { name: 'an old generation', memberId: 'm1', generation: 0, error: 'ILLEGAL_GENERATION' },
  ] as const
  for (const { name, memberId, generation, error } of refusals) {
    it(`refuses ${name} with ${error}`, () => {
      const bench = new GroupBench()
      bench.stable(1)
      assert.equal(bench.synced(bench.sync(memberId, generation)).error, error)
    })
  }
})

describe('session timeouts and leaving', () => {
  it('drops a member that is not heard of, and the others rebalance', () => {
    const bench = new GroupBench()
    const [leader, follower] = bench.stable(2)
    const generation = bench.group.generationId
    for (let round = 0; round < 3; round++) {
      bench.advance(4000)
      bench.heartbeat(follower!, generation)
    }
    assert.equal(bench.group.state, 'PreparingRebalance')
    assert.equal(bench.heartbeat(leader!, generation), 'UNKNOWN_MEMBER_ID')
    const again = bench.join({ memberId: follower! })
    assert.equal(bench.joined(again).leader, follower)
  })

  it('does not expire a member that waits for the others to join', () => {
    const bench = new GroupBench()
    const [leader, follower] = bench.stable(2, { rebalanceTimeoutMs: 60_000, sessionTimeoutMs: 10_000 })
    const waiting = bench.join({ memberId: leader!, rebalanceTimeoutMs: 60_000 })
    for (let elapsed = 0; elapsed < 50_000; elapsed += 5000) {
      bench.advance(5000)
      bench.heartbeat(follower!, bench.group.generationId)
    }
    assert.equal(bench.isAnswered(waiting), false)
    bench.join({ memberId: follower! })
    assert.equal(bench.joined(waiting).error, 'NONE')
  })

  it('becomes empty with a new generation when the last member leaves, and leaves no timer', () => {
    const bench = new GroupBench()
    const [only] = bench.stable(1)
    assert.deepEqual(
      bench.leave({ memberId: only! }).members.map(({ error }) => error),
      ['NONE'],
    )
    assert.equal(bench.group.state, 'Empty')
    assert.equal(bench.group.generationId, 2)
    assert.equal(bench.timers.size, 0)
    assert.deepEqual(bench.written.at(-1)!.members, [])
  })

  it('answers each of several leaving members for itself', () => {
    const bench = new GroupBench()
    bench.join({ groupInstanceId: 'i', newMemberId: 's' })
    bench.advance(0)
    bench.sync('s', 1, {}, 'i')
    const reply = bench.leave(
      { memberId: 'nobody' },
      { memberId: 'old', groupInstanceId: 'i' },
      { memberId: '', groupInstanceId: 'other' },
      { memberId: '', groupInstanceId: 'i' },
    )
    assert.deepEqual(
      reply.members.map(({ error }) => error),
      ['UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID', 'UNKNOWN_MEMBER_ID', 'NONE'],
    )
    assert.equal(bench.group.state, 'Empty')
  })

  it('answers what waits and cancels all timers when the group is deleted', () => {
    const bench = new GroupBench()
    const waiting = bench.join()
    bench.join({ requiresKnownMemberId: true })
    bench.send({ type: 'deleted' })
    assert.equal(bench.joined(waiting).error, 'COORDINATOR_NOT_AVAILABLE')
    assert.equal(bench.timers.size, 0)
    assert.equal(bench.joined(bench.join()).error, 'COORDINATOR_NOT_AVAILABLE')
  })
})

describe('static members', () => {
  const twoStatic = (supportsSkippingAssignment: boolean) => {
    const bench = new GroupBench({ initialRebalanceDelayMs: 10 })
    const common = { supportsSkippingAssignment }
    bench.join({ ...common, groupInstanceId: 'i1', newMemberId: 'a' })
    bench.join({ ...common, groupInstanceId: 'i2', newMemberId: 'b' })
    bench.advance(20)
    bench.sync('b', 1, {}, 'i2')
    bench.sync('a', 1, { a: 'one', b: 'two' }, 'i1')
    return bench
  }

  it('gives a restarted leader its place, tells it not to assign, and fences its former self', () => {
    const bench = twoStatic(true)
    const back = bench.joined(
      bench.join({ groupInstanceId: 'i1', newMemberId: 'a2', supportsSkippingAssignment: true }),
    )
    assert.deepEqual(
      [back.error, back.generationId, back.leader, back.skipAssignment, back.members.length],
      ['NONE', 1, 'a2', true, 2],
    )
    assert.equal(bench.group.state, 'Stable')
    assert.equal(bench.heartbeat('a', 1, 'i1'), 'FENCED_INSTANCE_ID')
    assert.equal(bench.heartbeat('a2', 1, 'i1'), 'NONE')
    assert.equal(bench.synced(bench.sync('a2', 1, {}, 'i1')).assignment.toString(), 'one')
    assert.equal(bench.written.at(-1)!.leader, 'a2')
    assert.equal(bench.timers.has('session:a'), false)
  })

  it('names the former leader to a restarted one that does not know skipping', () => {
    const bench = twoStatic(false)
    const back = bench.joined(bench.join({ groupInstanceId: 'i1', newMemberId: 'a2' }))
    assert.deepEqual([back.leader, back.members.length, back.skipAssignment], ['a', 0, false])
  })

  it('gives a restarted follower its assignment without a rebalance', () => {
    const bench = twoStatic(true)
    const back = bench.joined(
      bench.join({ groupInstanceId: 'i2', newMemberId: 'b2', supportsSkippingAssignment: true }),
    )
    assert.deepEqual([back.error, back.skipAssignment, back.members.length], ['NONE', false, 0])
    assert.equal(bench.synced(bench.sync('b2', 1, {}, 'i2')).assignment.toString(), 'two')
  })

  it('gives the old one its place back when the new id cannot be written', () => {
    const bench = twoStatic(true)
    bench.autoStore = false
    const back = bench.join({ groupInstanceId: 'i2', newMemberId: 'b2' })
    bench.finishStore('NOT_COORDINATOR')
    assert.equal(bench.joined(back).error, 'NOT_COORDINATOR')
    assert.equal(bench.heartbeat('b', 1, 'i2'), 'NONE')
    assert.equal(bench.timers.has('session:b2'), false)
  })

  it('rebalances when it comes back while the leader assigns', () => {
    const bench = new GroupBench({ initialRebalanceDelayMs: 10 })
    bench.join({ groupInstanceId: 'i1', newMemberId: 'a' })
    bench.join({ groupInstanceId: 'i2', newMemberId: 'b' })
    bench.advance(20)
    const back = bench.join({ groupInstanceId: 'i2', newMemberId: 'b2' })
    assert.equal(bench.group.state, 'PreparingRebalance')
    bench.join({ memberId: 'a', groupInstanceId: 'i1' })
    assert.equal(bench.joined(back).generationId, 2)
  })

  it('fences a waiting former self', () => {
    const bench = new GroupBench({ initialRebalanceDelayMs: 10 })
    const former = bench.join({ groupInstanceId: 'i', newMemberId: 'a' })
    bench.join({ groupInstanceId: 'i', newMemberId: 'a2' })
    assert.equal(bench.joined(former).error, 'FENCED_INSTANCE_ID')
    assert.equal(bench.joined(former).memberId, 'a')
  })

  it('keeps its place through a rebalance that it does not take part in, until its session ends', () => {
    const bench = twoStatic(true)
    const again = bench.join({ memberId: 'a', groupInstanceId: 'i1', rebalanceTimeoutMs: 5000, topics: 'other' })
    bench.join({ memberId: 'b', groupInstanceId: 'i2', rebalanceTimeoutMs: 5000, sessionTimeoutMs: 600_000 })
    const generation = bench.joined(again).generationId
    bench.sync('a', generation, { a: 'x', b: 'y' }, 'i1')
    bench.sync('b', generation, {}, 'i2')
    const next = bench.join({ memberId: 'a', groupInstanceId: 'i1', rebalanceTimeoutMs: 5000 })
    bench.advance(5000)
    assert.deepEqual(
      bench.joined(next).members.map(({ memberId }) => memberId),
      ['a', 'b'],
    )
  })
})

describe('commits', () => {
  const cases = [
    ['an empty group from nobody', 'Empty', '', -1, false, 'NONE'],
    ['a group with members from nobody', 'Stable', '', -1, false, 'UNKNOWN_MEMBER_ID'],
    ['a group with members from nobody, in a transaction', 'Stable', '', -1, true, 'NONE'],
    ['a member', 'Stable', 'm1', 1, false, 'NONE'],
    ['a member of an old generation', 'Stable', 'm1', 0, false, 'ILLEGAL_GENERATION'],
    ['somebody else', 'Stable', 'x', 1, false, 'UNKNOWN_MEMBER_ID'],
    ['a member whose assignment is not known yet', 'CompletingRebalance', 'm1', 1, false, 'REBALANCE_IN_PROGRESS'],
    ['the same, in a transaction', 'CompletingRebalance', 'm1', 1, true, 'NONE'],
    ['a member while others rejoin', 'PreparingRebalance', 'm1', 1, false, 'NONE'],
  ] as const
  for (const [name, state, memberId, generation, transactional, expected] of cases) {
    it(`${expected} for ${name}`, () => {
      const bench = new GroupBench()
      if (state === 'CompletingRebalance') {
        bench.join()
        bench.advance(0)
      } else if (state !== 'Empty') {
        bench.stable(1)
        if (state === 'PreparingRebalance') bench.join()
      }
      assert.equal(bench.group.state, state)
      assert.equal(bench.group.checkCommit(memberId, null, generation, transactional), expected)
    })
  }
})

describe('what is stored', () => {
  it('is an empty group at first, whoever has asked to join meanwhile', () => {
    const bench = new GroupBench()
    bench.join()
    assert.equal(bench.group.members.length, 1)
    bench.carryOut(bench.group.storeAsNew())
    const [first] = bench.written
    assert.deepEqual([first!.members, first!.generationId, first!.protocolType, first!.leader], [[], 0, null, null])
  })

  it('restores a group with its members, which expire when they are not heard of', () => {
    const bench = new GroupBench()
    const [leader, follower] = bench.stable(2)
    const generation = bench.group.generationId
    const restored = new GroupBench()
    restored.group = ClassicGroup.restore('g', settings, bench.written.at(-1)!)
    restored.send({ type: 'loaded' })
    assert.equal(restored.group.state, 'Stable')
    assert.equal(restored.group.leader, leader)
    assert.equal(restored.heartbeat(follower!, generation), 'NONE')
    const assignment = restored.synced(restored.sync(leader!, generation)).assignment.toString()
    assert.equal(assignment, `${leader} of ${generation}`)
    restored.advance(10_000)
    assert.equal(restored.group.state, 'Empty')
    assert.equal(restored.timers.size, 0)
  })

  it('knows the topics that consumers subscribe to, and takes unreadable subscriptions for all topics', () => {
    const subscribed = new GroupBench()
    const metadata = consumerProtocolSubscription.encode(1, { topics: ['a', 'b'], ownedPartitions: [] })
    subscribed.stable(1, { protocols: [{ name: 'range', metadata }] })
    assert.deepEqual([...subscribed.group.subscribedTopics!], ['a', 'b'])
    assert.equal(subscribed.group.isSubscribedTo('a'), true)
    assert.equal(subscribed.group.isSubscribedTo('c'), false)
    const unreadable = new GroupBench()
    unreadable.stable(1)
    assert.equal(unreadable.group.isSubscribedTo('c'), true)
    const other = new GroupBench()
    other.stable(1, { protocolType: 'connect' })
    assert.equal(other.group.isSubscribedTo('c'), false)
  })
})
