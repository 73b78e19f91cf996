/**
 * The answer that says one error to everything that a request asked for, wherever the API's response has room for it: what
 * Kafka's `getErrorResponse` gives. Used by the intercept rules.
 */
import { type Api } from '../protocol/api.ts'
import { errorOf } from '../protocol/error-codes.ts'
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  apiVersions,
  createPartitions,
  createTopics,
  deleteGroups,
  deleteRecords,
  deleteTopics,
  describeCluster,
  describeConfigs,
  describeGroups,
  endTxn,
  fetch,
  findCoordinator,
  heartbeat,
  incrementalAlterConfigs,
  initProducerId,
  joinGroup,
  leaveGroup,
  listGroups,
  listOffsets,
  metadata,
  offsetCommit,
  offsetDelete,
  offsetFetch,
  offsetForLeaderEpoch,
  produce,
  syncGroup,
  txnOffsetCommit,
} from '../protocol/messages/index.ts'

type Builder = (request: any, errorCode: number, version: number) => unknown

const builders = new Map<number, Builder>()

function answers<Request, ResponseInput>(
  api: Api<Request, any, any, ResponseInput>,
  build: (request: Request, errorCode: number, version: number) => ResponseInput,
): void {
  builders.set(api.key, build)
}

const throttleTimeMs = 0

answers(produce, ({ topicData }, errorCode) => ({
  responses: topicData.map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(({ index }) => ({ index, errorCode, baseOffset: -1, recordErrors: [] })),
  })),
  nodeEndpoints: [],
}))
answers(fetch, ({ topics }, errorCode, version) => ({
  throttleTimeMs,
  errorCode: version >= 7 ? errorCode : 0,
  // From version 7 on one error for all is said at the top (KIP-227); before there is no such place.
  responses: (version >= 7 ? [] : topics).map(({ topic, topicId, partitions }) => ({
    topic,
    topicId,
    partitions: partitions.map(({ partition }) => ({
      partitionIndex: partition,
      errorCode,
      highWatermark: -1,
      abortedTransactions: null,
      records: Buffer.alloc(0),
    })),
  })),
}))
answers(listOffsets, ({ topics }, errorCode) => ({
  throttleTimeMs,
  topics: topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  })),
}))
answers(metadata, ({ topics }, errorCode) => ({
  throttleTimeMs,
  brokers: [],
  topics: (topics ?? []).map(({ name, topicId }) => ({ errorCode, name, topicId, partitions: [] })),
  errorCode,
}))
answers(offsetCommit, ({ topics }, errorCode) => ({
  throttleTimeMs,
  topics: topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  })),
}))
answers(offsetFetch, ({ groups, topics }, errorCode, version) => {
  if (version >= 8) {
    return { throttleTimeMs, groups: groups.map(({ groupId }) => ({ groupId, topics: [], errorCode })) }
  }
  // Version 1 has no place for an error but the partitions.
  const perPartition = (topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1,
      metadata: '',
      errorCode,
    })),
  }))
  return { throttleTimeMs, topics: version < 2 ? perPartition : [], errorCode }
})
answers(findCoordinator, ({ coordinatorKeys }, errorCode, version) => {
  const nobody = { nodeId: -1, host: '', port: -1, errorCode, errorMessage: errorOf(errorCode).message }
  if (version < 4) return { throttleTimeMs, ...nobody, errorMessage: version < 1 ? undefined : nobody.errorMessage }
  return { throttleTimeMs, coordinators: coordinatorKeys.map((key) => ({ key, ...nobody })) }
})
answers(joinGroup, ({ memberId }, errorCode, version) => ({
  throttleTimeMs,
  errorCode,
  protocolName: version >= 7 ? null : '',
  leader: '',
  memberId,
  members: [],
}))
answers(heartbeat, (_request, errorCode) => ({ throttleTimeMs, errorCode }))
answers(leaveGroup, (_request, errorCode) => ({ throttleTimeMs, errorCode, members: [] }))
answers(syncGroup, (_request, errorCode) => ({ throttleTimeMs, errorCode, assignment: Buffer.alloc(0) }))
answers(describeGroups, ({ groups }, errorCode) => ({
  throttleTimeMs,
  groups: groups.map((groupId) => ({
    errorCode,
    groupId,
    groupState: '',
    protocolType: '',
    protocolData: '',
    members: [],
  })),
}))
answers(listGroups, (_request, errorCode) => ({ throttleTimeMs, errorCode, groups: [] }))
answers(apiVersions, (_request, errorCode) => ({ errorCode, apiKeys: [] }))
answers(createTopics, ({ topics }, errorCode) => ({
  throttleTimeMs,
  topics: topics.map(({ name }) => ({ name, errorCode, errorMessage: errorOf(errorCode).message, configs: null })),
}))
answers(deleteTopics, ({ topics, topicNames }, errorCode, version) => ({
  throttleTimeMs,
  responses: (version >= 6 ? topics : topicNames.map((name) => ({ name, topicId: undefined }))).map(
    ({ name, topicId }) => ({ name, topicId, errorCode, errorMessage: errorOf(errorCode).message }),
  ),
}))
answers(deleteRecords, ({ topics }, errorCode) => ({
  throttleTimeMs,
  topics: topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, lowWatermark: -1, errorCode })),
  })),
}))
answers(initProducerId, (_request, errorCode) => ({ throttleTimeMs, errorCode, producerEpoch: -1 }))
answers(offsetForLeaderEpoch, ({ topics }, errorCode) => ({
  throttleTimeMs,
  topics: topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition }) => ({ errorCode, partition })),
  })),
}))
answers(addPartitionsToTxn, ({ v3AndBelowTopics }, errorCode, version) => ({
  throttleTimeMs,
  errorCode,
  resultsByTopicV3AndBelow: (version >= 4 ? [] : v3AndBelowTopics).map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({ partitionIndex, partitionErrorCode: errorCode })),
  })),
}))
answers(addOffsetsToTxn, (_request, errorCode) => ({ throttleTimeMs, errorCode }))
answers(endTxn, (_request, errorCode) => ({ throttleTimeMs, errorCode }))
answers(txnOffsetCommit, ({ topics }, errorCode) => ({
  throttleTimeMs,
  topics: topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  })),
}))
answers(describeConfigs, ({ resources }, errorCode) => ({
  throttleTimeMs,
  results: resources.map(({ resourceType, resourceName }) => ({
    errorCode,
    errorMessage: errorOf(errorCode).message,
    resourceType,
    resourceName,
    configs: [],
  })),
}))
answers(createPartitions, ({ topics }, errorCode) => ({
  throttleTimeMs,
  results: topics.map(({ name }) => ({ name, errorCode, errorMessage: errorOf(errorCode).message })),
}))
answers(deleteGroups, ({ groupsNames }, errorCode) => ({
  throttleTimeMs,
  results: groupsNames.map((groupId) => ({ groupId, errorCode })),
}))
answers(incrementalAlterConfigs, ({ resources }, errorCode) => ({
  throttleTimeMs,
  responses: resources.map(({ resourceType, resourceName }) => ({
    errorCode,
    errorMessage: errorOf(errorCode).message,
    resourceType,
    resourceName,
  })),
}))
answers(offsetDelete, (_request, errorCode) => ({ errorCode, throttleTimeMs, topics: [] }))
answers(describeCluster, (_request, errorCode) => ({
  throttleTimeMs,
  errorCode,
  errorMessage: errorOf(errorCode).message,
  clusterId: '',
  brokers: [],
}))

export function errorAnswer(api: Api, request: unknown, version: number, errorCode: number): unknown {
  const build = builders.get(api.key)
  if (!build) throw new Error(`No error can be said to ${api.name}`)
  return build(request, errorCode, version)
}
