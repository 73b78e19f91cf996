/** FindCoordinator: this broker is the coordinator of every group and transactional id. Creates the topic that holds their state. */
import { codeOf, errorOf, type ErrorName } from '../../protocol/error-codes.ts'
import { findCoordinator } from '../../protocol/messages/index.ts'
import { type BrokerContext } from '../broker-context.ts'
import { defineHandler } from '../handler.ts'

const GROUP = 0
const TRANSACTION = 1

export const findCoordinatorHandler = defineHandler(findCoordinator, [0, 6], async (request, { broker, version }) => {
  const keys = version >= 4 ? request.coordinatorKeys : [request.key]
  const coordinators = []
  for (const key of keys) coordinators.push(await lookUp(broker, request.keyType, key, version))
  return version >= 4 ? { coordinators } : coordinators[0]!
})

async function lookUp(broker: BrokerContext, keyType: number, key: string, version: number) {
  const error = await readiness(broker, keyType)
  const errorCode = codeOf(error)
  // Kafka has words for an error, and for none, until version 3 only.
  const errorMessage = version < 4 ? errorOf(errorCode).message : ''
  if (error !== 'NONE') return { key, nodeId: -1, host: '', port: -1, errorCode, errorMessage }
  return { key, nodeId: broker.nodeId, host: broker.host, port: broker.port, errorCode, errorMessage }
}

async function readiness(broker: BrokerContext, keyType: number): Promise<ErrorName> {
  if (keyType === GROUP) return broker.groups.ready()
  if (keyType === TRANSACTION) return broker.transactions.ready()
  return 'INVALID_REQUEST'
}
