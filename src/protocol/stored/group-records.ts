/**
 * Records of `__consumer_offsets`: keys and values of committed offsets and of classic group metadata.
 *
 * A null value is a tombstone. Source: Apache Kafka, group-coordinator/src/main/resources/common/message (Apache-2.0).
 */
import { defineStored } from '../api.ts'
import { array, bytes, int32, int64, nullableString, string, struct, uuid } from '../schema.ts'

export const offsetCommitKey = defineStored({
  name: 'OffsetCommitKey',
  versions: [0, 1],
  flexibleSince: Number.POSITIVE_INFINITY,
  value: struct({
    group: string(),
    topic: string(),
    partition: int32(),
  }),
})

export const offsetCommitValue = defineStored({
  name: 'OffsetCommitValue',
  versions: [0, 4],
  flexibleSince: 4,
  value: struct({
    offset: int64(),
    leaderEpoch: int32({ since: 3, ignorable: true, default: -1 }),
    metadata: string(),
    commitTimestamp: int64(),
    expireTimestamp: int64({ since: 1, until: 1, ignorable: true, default: -1 }),
    /** The topic id of the committed offset, from Kafka 4.1 on. */
    topicId: uuid({ since: 4, tag: 0, ignorable: true }),
  }),
})

export const groupMetadataKey = defineStored({
  name: 'GroupMetadataKey',
  versions: [2, 2],
  flexibleSince: Number.POSITIVE_INFINITY,
  value: struct({
    group: string(),
  }),
})

export const groupMetadataValue = defineStored({
  name: 'GroupMetadataValue',
  versions: [0, 4],
  flexibleSince: 4,
  value: struct({
    protocolType: string(),
    generation: int32(),
    protocol: nullableString(),
    leader: nullableString(),
    currentStateTimestamp: int64({ since: 2, ignorable: true, default: -1 }),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: nullableString({ since: 3, ignorable: true, default: null }),
        clientId: string(),
        clientHost: string(),
        rebalanceTimeout: int32({ since: 1, ignorable: true, default: -1 }),
        sessionTimeout: int32(),
        subscription: bytes(),
        assignment: bytes(),
      }),
    ),
  }),
})
