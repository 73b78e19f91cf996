/** DescribeCluster: the one broker there is, which is its own controller. */
import { codeOf } from '../../protocol/error-codes.ts'
import { describeCluster } from '../../protocol/messages/60-describe-cluster.ts'
import { authorizedClusterOperations } from '../authorized-operations.ts'
import { defineHandler } from '../handler.ts'

const BROKERS = 1

export const describeClusterHandler = defineHandler(describeCluster, [0, 2], (request, { broker }) => {
  if (request.endpointType !== BROKERS) {
    const known = request.endpointType === 2
    return {
      throttleTimeMs: 0,
      errorCode: codeOf(known ? 'MISMATCHED_ENDPOINT_TYPE' : 'UNSUPPORTED_ENDPOINT_TYPE'),
      errorMessage: known
        ? 'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER'
        : `Unsupported endpoint type ${request.endpointType}`,
      clusterId: '',
      brokers: [],
    }
  }
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    clusterId: broker.clusterId,
    controllerId: broker.nodeId,
    brokers: [{ brokerId: broker.nodeId, host: broker.host, port: broker.port, rack: null }],
    clusterAuthorizedOperations: authorizedClusterOperations(request.includeClusterAuthorizedOperations),
  }
})
