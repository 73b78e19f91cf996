/**
 * The placement behind both sticky assignors: as balanced as the subscriptions allow, and of all such placements one that leaves with each member as
 * much of what it owned as can be.
 *
 * Three steps:
 *
 * 1. Claims. A partition stays where the member with the newest generation says it owns it. Two claims of the same generation cancel each other,
 *    because nobody can tell which of them is true.
 * 2. Dealing. Members keep at most their share; what is left over goes, scarcest first, to the least loaded subscriber.
 * 3. Balancing. While a partition can wander from a member to one with at least two fewer, directly or by way of others that
 *    pass one on each, it does. Each such chain lowers the sum of the squared loads, so this ends, and when no chain is left the loads are as even as they can be.
 */
import { type TopicPartition } from '../../../protocol/records/topic-partition.ts'
import { isSameSet } from '../subscription-state.ts'
import { compareMembers, compareText, emptyAssignment, type MemberSubscription } from './assignor.ts'

/** What a member owned, and when. */
export interface Claim {
  readonly owned: readonly TopicPartition[]
  readonly generationId: number
}

interface Place {
  readonly memberId: string
  readonly topics: ReadonlySet<string>
  /** Keyed by `topic:partition`, in the order in which they came. */
  readonly held: Map<string, TopicPartition>
  readonly claimed: ReadonlySet<string>
}

const keyOf = ({ topic, partition }: TopicPartition) => `${topic}:${partition}`

export function stickyAssignment(
  partitionCounts: ReadonlyMap<string, number>,
  members: readonly MemberSubscription[],
  claimOf: (member: MemberSubscription) => Claim,
): Map<string, TopicPartition[]> {
  const owners = validOwners(partitionCounts, members, claimOf)
  const places = members.toSorted(compareMembers).map((member): Place => {
    const claimed = new Set<string>()
    for (const [key, owner] of owners) if (owner === member.memberId) claimed.add(key)
    return { memberId: member.memberId, topics: new Set(member.topics), held: new Map(), claimed }
  })
  keepOwned(partitionCounts, places, claimOf, members)
  dealRest(partitionCounts, places)
  while (shiftOne(places));
  const assignment = emptyAssignment(members)
  for (const { memberId, held } of places) assignment.set(memberId, [...held.values()])
  return assignment
}

/** Who may keep which partition: the newest generation's word, if there is only one of it. */
function validOwners(
  partitionCounts: ReadonlyMap<string, number>,
  members: readonly MemberSubscription[],
  claimOf: (member: MemberSubscription) => Claim,
): Map<string, string> {
  const best = new Map<string, { memberId: string; generationId: number; disputed: boolean }>()
  for (const member of members) {
    const { owned, generationId } = claimOf(member)
    for (const topicPartition of owned) {
      if (topicPartition.partition >= (partitionCounts.get(topicPartition.topic) ?? 0)) continue
      if (!member.topics.includes(topicPartition.topic)) continue
      const key = keyOf(topicPartition)
      const other = best.get(key)
      if (other && other.generationId === generationId && other.memberId !== member.memberId) other.disputed = true
      if (other && other.generationId >= generationId) continue
      best.set(key, { memberId: member.memberId, generationId, disputed: false })
    }
  }
  const owners = new Map<string, string>()
  for (const [key, { memberId, disputed }] of best) if (!disputed) owners.set(key, memberId)
  return owners
}

/**
 * With equal subscriptions the share of a member is known beforehand, and it keeps no more than that: `floor`, and one more
 * for as many members as do not divide evenly. With different subscriptions everything is kept and step 3 takes away what is too much.
 */
function keepOwned(
  partitionCounts: ReadonlyMap<string, number>,
  places: readonly Place[],
  claimOf: (member: MemberSubscription) => Claim,
  members: readonly MemberSubscription[],
): void {
  const byId = new Map(members.map((member) => [member.memberId, member]))
  const first = places[0]
  const equal = first !== undefined && places.every(({ topics }) => isSameSet(topics, first.topics))
  let total = 0
  if (equal) for (const topic of first.topics) total += partitionCounts.get(topic) ?? 0
  const least = equal ? Math.floor(total / places.length) : Number.POSITIVE_INFINITY
  let larger = equal ? total % places.length : 0
  for (const place of places) {
    const owned = claimOf(byId.get(place.memberId)!).owned.filter((one) => place.claimed.has(keyOf(one)))
    let limit = least
    if (owned.length > least && larger > 0) {
      limit++
      larger--
    }
    for (const one of owned.slice(0, limit)) place.held.set(keyOf(one), one)
  }
}

function dealRest(partitionCounts: ReadonlyMap<string, number>, places: readonly Place[]): void {
  const taken = new Set(places.flatMap(({ held }) => [...held.keys()]))
  const rest: { topicPartition: TopicPartition; takers: readonly Place[] }[] = []
  for (const [topic, count] of [...partitionCounts].sort(([left], [right]) => compareText(left, right))) {
    const takers = places.filter(({ topics }) => topics.has(topic))
    if (takers.length === 0) continue
    for (let partition = 0; partition < count; partition++) {
      if (!taken.has(`${topic}:${partition}`)) rest.push({ topicPartition: { topic, partition }, takers })
    }
  }
  rest.sort((left, right) => left.takers.length - right.takers.length)
  for (const { topicPartition, takers } of rest) {
    const key = keyOf(topicPartition)
    let taker = takers[0]!
    for (const one of takers) {
      const fewer = one.held.size - taker.held.size
      // Among equally loaded members the one that had it before: this is what returns a partition that step 1 took.
      if (fewer < 0 || (fewer === 0 && one.claimed.has(key) && !taker.claimed.has(key))) taker = one
    }
    taker.held.set(key, topicPartition)
  }
}

/** Finds one chain from a loaded member to one with at least two fewer and shifts a partition along it; false when there is none. */
function shiftOne(places: readonly Place[]): boolean {
  const fewest = Math.min(...places.map(({ held }) => held.size))
  for (const from of places.toSorted((left, right) => right.held.size - left.held.size)) {
    if (from.held.size - fewest < 2) return false
    const cameFrom = new Map<Place, { giver: Place; key: string }>()
    const queue = [from]
    for (let giver = queue.shift(); giver; giver = queue.shift()) {
      for (const taker of places) {
        if (taker === from || cameFrom.has(taker)) continue
        const key = movable(giver, taker)
        if (key === undefined) continue
        cameFrom.set(taker, { giver, key })
        if (taker.held.size <= from.held.size - 2) {
          shift(from, taker, cameFrom)
          return true
        }
        queue.push(taker)
      }
    }
  }
  return false
}

/** A partition of the giver's that the taker may have: rather one that the taker owned before, or else one that the giver did not. */
function movable(giver: Place, taker: Place): string | undefined {
  let found: string | undefined
  let bestRank = -1
  for (const [key, { topic }] of giver.held) {
    if (!taker.topics.has(topic)) continue
    const rank = taker.claimed.has(key) ? 2 : giver.claimed.has(key) ? 0 : 1
    if (rank <= bestRank) continue
    found = key
    bestRank = rank
    if (rank === 2) break
  }
  return found
}

function shift(from: Place, last: Place, cameFrom: ReadonlyMap<Place, { giver: Place; key: string }>): void {
  for (let taker = last; taker !== from;) {
    const { giver, key } = cameFrom.get(taker)!
    taker.held.set(key, giver.held.get(key)!)
    giver.held.delete(key)
    taker = giver
  }
}
