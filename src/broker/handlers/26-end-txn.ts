/** EndTxn: commit or abort. Version 5 (an epoch of its own for each transaction, KIP-890 part 2) is not served. */
import { codeOf } from '../../protocol/error-codes.ts'
import { endTxn } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'
import { fencedBefore } from '../transactions/fenced-before.ts'

export const endTxnHandler = defineHandler(endTxn, [0, 4], async (request, { broker, version }) => {
  const { committed, ...producer } = request
  const error = await broker.transactions.endTransaction(producer, committed ? 'commit' : 'abort')
  return { errorCode: codeOf(fencedBefore(2, version, error)), throttleTimeMs: 0 }
})
