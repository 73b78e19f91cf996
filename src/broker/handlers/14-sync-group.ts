/** SyncGroup: the leader brings the assignments, everybody else waits for its own. */
import { codeOf } from '../../protocol/error-codes.ts'
import { syncGroup } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'

export const syncGroupHandler = defineHandler(syncGroup, [0, 5], async (request, { broker, version }) => {
  const { groupId, assignments, ...rest } = request
  // From version 5 on a member has to say what it believes the group's protocol to be.
  if (version >= 5 && (rest.protocolType === null || rest.protocolName === null)) {
    return { errorCode: codeOf('INCONSISTENT_GROUP_PROTOCOL'), assignment: Buffer.alloc(0) }
  }
  const { error, ...reply } = await broker.groups.sync(groupId, {
    ...rest,
    assignments: assignments.map(({ memberId, assignment }) => ({ memberId, assignment: Buffer.from(assignment) })),
  })
  return { ...reply, errorCode: codeOf(error) }
})
