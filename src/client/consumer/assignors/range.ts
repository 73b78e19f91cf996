/**
 * The range assignor: topic by topic, each member gets a run of neighbouring partitions; the first members get one more when
 * it does not divide. As every topic is cut for the same order of members, equal partition numbers of topics
 * with as many partitions and the same subscribers go to the same member (co-partitioning), and to the same one for good when members are static.
 */
import { type Assignor, compareMembers, emptyAssignment } from './assignor.ts'

export const rangeAssignor: Assignor = {
  name: 'range',
  protocols: ['eager'],
  subscriptionUserData: () => null,
  assign(partitionCounts, members) {
    const assignment = emptyAssignment(members)
    const ordered = members.toSorted(compareMembers)
    const topics = [...new Set(members.flatMap((member) => member.topics))].sort()
    for (const topic of topics) {
      const count = partitionCounts.get(topic)
      if (count === undefined) continue
      const subscribers = ordered.filter((member) => member.topics.includes(topic))
      const share = Math.floor(count / subscribers.length)
      const extra = count % subscribers.length
      let partition = 0
      for (const [index, { memberId }] of subscribers.entries()) {
        const end = partition + share + (index < extra ? 1 : 0)
        for (; partition < end; partition++) assignment.get(memberId)!.push({ topic, partition })
      }
    }
    return assignment
  },
}
