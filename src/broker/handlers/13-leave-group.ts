/** LeaveGroup: one member (to version 2) or several, each with its own error. */
import { codeOf } from '../../protocol/error-codes.ts'
import { leaveGroup } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'

export const leaveGroupHandler = defineHandler(leaveGroup, [0, 5], async (request, { broker, version }) => {
  const leaving = version >= 3 ? request.members : [{ memberId: request.memberId, groupInstanceId: null }]
  const { error, members } = await broker.groups.leave(request.groupId, leaving)
  if (version < 3) return { errorCode: codeOf(members[0]?.error ?? error) }
  return {
    errorCode: codeOf(error),
    members: members.map((member) => ({ ...member, errorCode: codeOf(member.error) })),
  }
})
