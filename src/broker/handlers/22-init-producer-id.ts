/** InitProducerId: an id for an idempotent producer; for a transactional one also the epoch that fences its predecessors. */
import { codeOf } from '../../protocol/error-codes.ts'
import { initProducerId } from '../../protocol/messages/index.ts'
import { defineHandler } from '../handler.ts'
import { fencedBefore } from '../transactions/fenced-before.ts'

export const initProducerIdHandler = defineHandler(initProducerId, [0, 5], async (request, { broker, version }) => {
  const { producerId, producerEpoch } = request
  if ((producerId === -1) !== (producerEpoch === -1)) {
    return { errorCode: codeOf('INVALID_REQUEST'), throttleTimeMs: 0, producerId: -1, producerEpoch: -1 }
  }
  const { error, ...given } = await broker.transactions.initProducerId(
    request.transactionalId,
    request.transactionTimeoutMs,
    producerId === -1 ? undefined : { producerId, producerEpoch },
  )
  return { ...given, errorCode: codeOf(fencedBefore(4, version, error)), throttleTimeMs: 0 }
})
