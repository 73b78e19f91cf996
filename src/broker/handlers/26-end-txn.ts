/** EndTxn: commit or abort. From version 5 on the answer carries the epoch for the next transaction (KIP-890, part 2). */
import { codeOf } from '../../protocol/error-codes.ts'
import { endTxn } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'
import { fencedBefore } from '../transactions/fenced-before.ts'

export const endTxnHandler = defineHandler(endTxn, [0, 5], async (request, { broker, version }) => {
  const { committed, ...producer } = request
  const result = committed ? 'commit' : 'abort'
  if (version >= 5) {
    const { error, ...given } = await broker.transactions.endTransactionAndBump(producer, result)
    return { ...given, errorCode: codeOf(error), throttleTimeMs: 0 }
  }
  const error = await broker.transactions.endTransaction(producer, result)
  return { errorCode: codeOf(fencedBefore(2, version, error)), throttleTimeMs: 0 }
})
