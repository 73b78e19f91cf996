/** DescribeGroups: state and members. Metadata and the chosen protocol are told only while the group is stable. */
import { codeOf } from '../../protocol/error-codes.ts'
import { describeGroups } from '../../protocol/messages/index.ts'
import { type ClassicGroup } from '../groups/classic-group.ts'
import { NO_ASSIGNMENT } from '../groups/group-events.ts'
import { metadataOf } from '../groups/membership.ts'
import { defineHandler } from '../handler.ts'

/** READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS as a bit field: all that can be done to a group, as nobody is denied anything. */
const ALL_OPERATIONS = (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11)
const NOT_ASKED = -0x80000000

export const describeGroupsHandler = defineHandler(describeGroups, [0, 6], (request, { broker, version }) => {
  const { availability } = broker.groups
  const groups = request.groups.map((groupId) => {
    const error = availability === 'NONE' ? undefined : availability
    const group = broker.groups.group(groupId)
    if (error || !group) return unknownGroup(groupId, version, error)
    const asked = version >= 3 && request.includeAuthorizedOperations
    return { ...describe(groupId, group), authorizedOperations: asked ? ALL_OPERATIONS : NOT_ASKED }
  })
  return { groups }
})

function unknownGroup(groupId: string, version: number, error: Parameters<typeof codeOf>[0] | undefined) {
  const nothing = { groupId, protocolType: '', protocolData: '', members: [] }
  if (error) return { ...nothing, groupState: '', errorCode: codeOf(error) }
  // Until version 6 a group that does not exist is one that is dead.
  if (version < 6) return { ...nothing, groupState: 'Dead', errorCode: 0 }
  const errorMessage = `Group ${groupId} not found.`
  return { ...nothing, groupState: 'Dead', errorCode: codeOf('GROUP_ID_NOT_FOUND'), errorMessage }
}

function describe(groupId: string, group: ClassicGroup) {
  const stable = group.state === 'Stable'
  return {
    errorCode: 0,
    groupId,
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: stable ? (group.protocolName ?? '') : '',
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: stable ? metadataOf(member, group.protocolName) : NO_ASSIGNMENT,
      memberAssignment: member.assignment,
    })),
  }
}
