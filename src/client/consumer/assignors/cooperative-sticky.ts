/**
 * The cooperative sticky assignor (KIP-429): the sticky placement, but a partition that moves is given to nobody in this generation. Its
 * owner sees it missing, revokes it and joins again; the generation after that gives it to its new owner. So a partition never has two.
 */
import { type Assignor } from './assignor.ts'
import { stickyAssignment } from './sticky-assignment.ts'
import { decodeCooperativeGeneration, encodeCooperativeUserData, NO_GENERATION } from './sticky-user-data.ts'

export const cooperativeStickyAssignor: Assignor = {
  name: 'cooperative-sticky',
  protocols: ['cooperative', 'eager'],
  subscriptionUserData: (last) => encodeCooperativeUserData(last?.generationId ?? NO_GENERATION),
  assign(partitionCounts, members) {
    const assignment = stickyAssignment(partitionCounts, members, ({ ownedPartitions, generationId, userData }) => ({
      owned: ownedPartitions,
      generationId: generationId === NO_GENERATION ? decodeCooperativeGeneration(userData) : generationId,
    }))
    const owners = new Map<string, string[]>()
    for (const { memberId, ownedPartitions } of members) {
      for (const { topic, partition } of ownedPartitions) {
        const key = `${topic}:${partition}`
        const others = owners.get(key)
        if (others) others.push(memberId)
        else owners.set(key, [memberId])
      }
    }
    // A member with an old generation may still be reading what it says it owns: even a claim that does not count is one to wait for.
    for (const [memberId, partitions] of assignment) {
      const free = partitions.filter(({ topic, partition }) =>
        (owners.get(`${topic}:${partition}`) ?? []).every((owner) => owner === memberId),
      )
      assignment.set(memberId, free)
    }
    return assignment
  },
}
