/** JoinGroup: answered when the rebalance that it takes part in has brought everybody together. */
import { codeOf } from '../../protocol/error-codes.ts'
import { joinGroup } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'

export const joinGroupHandler = defineHandler(joinGroup, [0, 9], async (request, context) => {
  const { broker, version } = context
  const { groupId, protocols, rebalanceTimeoutMs, ...rest } = request
  const { error, ...reply } = await broker.groups.join(groupId, {
    ...rest,
    clientId: context.clientId ?? '',
    clientHost: context.clientHost,
    // Version 0 knows one timeout for both.
    rebalanceTimeoutMs: version === 0 ? request.sessionTimeoutMs : rebalanceTimeoutMs,
    // The group keeps the metadata: views would keep the whole request with them.
    protocols: protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
    requiresKnownMemberId: version >= 4,
    supportsSkippingAssignment: version >= 9,
  })
  return { ...reply, errorCode: codeOf(error), protocolName: reply.protocolName ?? (version >= 7 ? null : '') }
})
