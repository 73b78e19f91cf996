/** Heartbeat: REBALANCE_IN_PROGRESS is how a member learns that it has to join again. */
import { codeOf } from '../../protocol/error-codes.ts'
import { heartbeat } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'

export const heartbeatHandler = defineHandler(heartbeat, [0, 4], async ({ groupId, ...request }, { broker }) => ({
  errorCode: codeOf(await broker.groups.heartbeat(groupId, request)),
}))
