/** DeleteGroups: groups without members, with everything that they have committed. */
import { codeOf } from '../../protocol/error-codes.ts'
import { deleteGroups } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'

export const deleteGroupsHandler = defineHandler(deleteGroups, [0, 2], async (request, { broker }) => {
  const deleteOne = async (groupId: string) => ({
    groupId,
    errorCode: codeOf(await broker.groups.deleteGroup(groupId)),
  })
  return { throttleTimeMs: 0, results: await Promise.all([...new Set(request.groupsNames)].map(deleteOne)) }
})
