/**
 * The assignors against those of Apache Kafka's Java client: vectors/assignments.jsonl was printed by the Java classes themselves
 * (kafka-clients 4.3.1, vectors/Assignments.java). Range and round robin must agree exactly. The sticky ones must be as balanced and
 * as sticky, not identical: Java's own result depends on the order of its hash maps.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type MemberSubscription } from '../../../src/client/consumer/assignors/assignor.ts'
import { assignorOf, protocolOf } from '../../../src/client/consumer/assignors/index.ts'
import { decodeStickyUserData } from '../../../src/client/consumer/assignors/sticky-user-data.ts'
import { type TopicPartition } from '../../../src/protocol/records/topic-partition.ts'

type Named = Record<string, string[]>
interface Vector {
  counts: Record<string, number>
  members: {
    memberId: string
    groupInstanceId: string | null
    topics: string[]
    owned: string[]
    generationId: number
    stickyUserData: string
  }[]
  assignments: Record<'range' | 'roundrobin' | 'sticky' | 'cooperative-sticky', Named>
}

const vectors = readFileSync(new URL('vectors/assignments.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector)

const parse = (name: string): TopicPartition => ({ topic: name.split(':')[0]!, partition: Number(name.split(':')[1]) })
const print = ({ topic, partition }: TopicPartition) => `${topic}:${partition}`

function membersOf(vector: Vector, assignor: string): MemberSubscription[] {
  return vector.members.map(({ memberId, groupInstanceId, topics, owned, generationId, stickyUserData }) => ({
    memberId,
    groupInstanceId,
    topics,
    ownedPartitions: assignor === 'cooperative-sticky' ? owned.map(parse) : [],
    generationId: assignor === 'cooperative-sticky' ? generationId : -1,
    userData: assignor === 'sticky' ? Buffer.from(stickyUserData, 'hex') : null,
  }))
}

function assign(vector: Vector, assignor: string): Named {
  const result = assignorOf(assignor)!.assign(new Map(Object.entries(vector.counts)), membersOf(vector, assignor))
  return Object.fromEntries([...result].map(([member, partitions]) => [member, partitions.map(print)]))
}

const sorted = (named: Named): Named =>
  Object.fromEntries(
    Object.keys(named)
      .sort()
      .map((member) => [member, named[member]!.toSorted()]),
  )
const imbalance = (named: Named) => Object.values(named).reduce((sum, { length }) => sum + length * length, 0)

/** Partitions that stay with a member whose claim counts. */
function kept(vector: Vector, named: Named): number {
  const newest = Math.max(...vector.members.map(({ generationId }) => generationId))
  return vector.members
    .filter(({ generationId }) => generationId === newest)
    .reduce((sum, { memberId, owned }) => sum + owned.filter((one) => named[memberId]!.includes(one)).length, 0)
}

for (const name of ['range', 'roundrobin'] as const) {
  test(`${name}: assigns what Java assigns`, () => {
    for (const vector of vectors) assert.deepEqual(sorted(assign(vector, name)), sorted(vector.assignments[name]))
  })
}

test('sticky: everything that somebody subscribes to is assigned once, to a subscriber', () => {
  for (const vector of vectors) {
    const result = assign(vector, 'sticky')
    const wanted = Object.entries(vector.counts).flatMap(([topic, count]) =>
      vector.members.some(({ topics }) => topics.includes(topic))
        ? Array.from({ length: count }, (_, partition) => `${topic}:${partition}`)
        : [],
    )
    assert.deepEqual(Object.values(result).flat().sort(), wanted.sort())
    for (const { memberId, topics } of vector.members) {
      for (const one of result[memberId]!) assert.ok(topics.includes(parse(one).topic))
    }
  }
})

test('sticky: is as balanced as Java, and keeps as much where the balance is the same', () => {
  let ours = 0
  let javas = 0
  for (const vector of vectors) {
    const result = assign(vector, 'sticky')
    const java = vector.assignments.sticky
    assert.ok(imbalance(result) <= imbalance(java), JSON.stringify(vector))
    if (imbalance(result) < imbalance(java)) continue
    ours += kept(vector, result)
    javas += kept(vector, java)
  }
  assert.ok(ours >= javas, `kept ${ours} of what was owned, Java ${javas}`)
})

test('sticky: an assignment that is balanced already does not move', () => {
  for (const vector of vectors) {
    const first = assign(vector, 'cooperative-sticky')
    const owning = (named: Named): Vector => ({
      ...vector,
      members: vector.members.map((member) => ({ ...member, owned: named[member.memberId]!, generationId: 8 })),
    })
    // What had to be given up first is free in the second generation; from then on nothing may move.
    const second = assign(owning(first), 'cooperative-sticky')
    assert.deepEqual(sorted(assign(owning(second), 'cooperative-sticky')), sorted(second))
  }
})

test('cooperative-sticky: a partition that somebody else still owns is given to nobody', () => {
  for (const vector of vectors) {
    const result = assign(vector, 'cooperative-sticky')
    for (const { memberId, owned } of vector.members) {
      for (const [other, partitions] of Object.entries(result)) {
        if (other !== memberId)
          assert.deepEqual(
            partitions.filter((one) => owned.includes(one)),
            [],
          )
      }
    }
  }
})

test('sticky: user data are the bytes that Java writes, and are read back', () => {
  for (const { members } of vectors) {
    for (const { owned, generationId, stickyUserData } of members) {
      const decoded = decodeStickyUserData(Buffer.from(stickyUserData, 'hex'))
      assert.deepEqual(decoded.owned.map(print).sort(), owned.toSorted())
      assert.equal(decoded.generationId, generationId)
      const encoded = assignorOf('sticky')!.subscriptionUserData({ partitions: decoded.owned, generationId })
      assert.equal(encoded!.toString('hex'), stickyUserData)
    }
  }
})

test('sticky: user data cut at any byte count as nothing owned or an older form, and never throw', () => {
  const whole = Buffer.from(vectors.at(-1)!.members[0]!.stickyUserData, 'hex')
  for (let length = 0; length < whole.length; length++) assert.ok(decodeStickyUserData(whole.subarray(0, length)))
})

test('sticky: two members of one generation that claim the same partition both lose it to the placement', () => {
  const claim = {
    groupInstanceId: null,
    topics: ['t'],
    ownedPartitions: [{ topic: 't', partition: 0 }],
    generationId: 3,
    userData: null,
  }
  const result = assignorOf('cooperative-sticky')!.assign(new Map([['t', 1]]), [
    { memberId: 'a', ...claim },
    { memberId: 'b', ...claim },
  ])
  assert.deepEqual([...result.values()].flat(), [])
})

test('protocolOf: cooperative only when every assignor of the list can', () => {
  const named = (...names: string[]) => protocolOf(names.map((name) => assignorOf(name)!))
  assert.equal(named('range', 'cooperative-sticky'), 'eager')
  assert.equal(named('cooperative-sticky'), 'cooperative')
  assert.equal(named('org.apache.kafka.clients.consumer.CooperativeStickyAssignor'), 'cooperative')
})
