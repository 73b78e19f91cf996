/**
 * The round-robin assignor: all partitions of all topics in order, dealt one by one to the members in order; a member that does not
 * subscribe to the topic is passed over.
 */
import { type Assignor, compareMembers, emptyAssignment } from './assignor.ts'

export const roundRobinAssignor: Assignor = {
  name: 'roundrobin',
  protocols: ['eager'],
  subscriptionUserData: () => null,
  assign(partitionCounts, members) {
    const assignment = emptyAssignment(members)
    const ordered = members
      .toSorted(compareMembers)
      .map(({ memberId, topics }) => ({ memberId, topics: new Set(topics) }))
    const topics = [...new Set(members.flatMap((member) => member.topics))].sort()
    let next = 0
    for (const topic of topics) {
      const count = partitionCounts.get(topic) ?? 0
      for (let partition = 0; partition < count; partition++) {
        while (!ordered[next]!.topics.has(topic)) next = (next + 1) % ordered.length
        assignment.get(ordered[next]!.memberId)!.push({ topic, partition })
        next = (next + 1) % ordered.length
      }
    }
    return assignment
  },
}
