/** ListGroups: all groups, or those of the states and types that are asked for, in whatever case they are written. */
import { codeOf } from '../../protocol/error-codes.ts'
import { listGroups } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'

export const listGroupsHandler = defineHandler(listGroups, [0, 5], (request, { broker }) => {
  const { availability } = broker.groups
  if (availability !== 'NONE') return { errorCode: codeOf(availability), groups: [] }
  const states = new Set(request.statesFilter.map((state) => state.trim().toLowerCase()))
  const types = new Set(request.typesFilter.map((type) => type.trim().toLowerCase()))
  const groups = broker.groups
    .groups()
    .filter(({ state }) => states.size === 0 || states.has(state.toLowerCase()))
    .filter(() => types.size === 0 || types.has('classic'))
    .map(({ groupId, protocolType, state }) => ({
      groupId,
      protocolType: protocolType ?? '',
      groupState: state,
      groupType: 'classic',
    }))
  return { errorCode: 0, groups }
})
