/** AddOffsetsToTxn: the transaction is about to commit offsets for a group. */
import { codeOf } from '../../protocol/error-codes.ts'
import { addOffsetsToTxn } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'
import { fencedBefore } from '../transactions/fenced-before.ts'

export const addOffsetsToTxnHandler = defineHandler(addOffsetsToTxn, [0, 4], async (request, { broker, version }) => {
  const { groupId, ...producer } = request
  const error = await broker.transactions.addOffsets(producer, groupId)
  return { errorCode: codeOf(fencedBefore(2, version, error)), throttleTimeMs: 0 }
})
