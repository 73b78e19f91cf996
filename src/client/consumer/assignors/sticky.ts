/** The sticky assignor: balanced, and as much as can be stays where it was. Eager: what was owned travels in the user data. */
import { type Assignor } from './assignor.ts'
import { stickyAssignment } from './sticky-assignment.ts'
import { decodeStickyUserData, encodeStickyUserData } from './sticky-user-data.ts'

export const stickyAssignor: Assignor = {
  name: 'sticky',
  protocols: ['eager'],
  subscriptionUserData: (last) => (last === undefined ? null : encodeStickyUserData(last)),
  assign(partitionCounts, members) {
    // What is owned is read from the user data alone: an eager member has revoked everything before it joins, so its own list is empty.
    const claims = new Map(members.map(({ memberId, userData }) => [memberId, decodeStickyUserData(userData)]))
    return stickyAssignment(partitionCounts, members, ({ memberId }) => claims.get(memberId)!)
  },
}
