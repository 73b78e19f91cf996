/**
 * The records of `__consumer_offsets` as bytes, in the versions that Apache Kafka 4.3 writes: offsets with key version 1
 * and value version 4 (3 and older are read), group metadata with key version 2 and value version 3. A null value is a
 * tombstone. Keys of newer group types (versions 3 on) are passed over, as an older broker does.
 */
import {
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../../protocol/stored/group-records.ts'
import { type CommittedOffset } from './committed-offsets.ts'
import { type GroupSnapshot } from './group-events.ts'

export interface KeyedRecord {
  readonly key: Buffer
  readonly value: Buffer | null
}

export type GroupRecord =
  | {
      readonly type: 'offset'
      readonly group: string
      readonly topic: string
      readonly partition: number
      readonly committed: CommittedOffset | null
    }
  | { readonly type: 'group'; readonly group: string; readonly snapshot: GroupSnapshot | null }
  | { readonly type: 'unknown'; readonly keyVersion: number }

export function encodeOffset(
  group: string,
  topic: string,
  partition: number,
  committed: CommittedOffset | null,
): KeyedRecord {
  const key = offsetCommitKey.encode(1, { group, topic, partition })
  if (committed === null) return { key, value: null }
  // Only version 1 has room for an expiry of its own, which OffsetCommit 2 to 4 could ask for.
  const version = committed.expireTimestamp === -1 ? 4 : 1
  return { key, value: offsetCommitValue.encode(version, committed) }
}

export function encodeGroup(group: string, snapshot: GroupSnapshot | null): KeyedRecord {
  const key = groupMetadataKey.encode(2, { group })
  if (snapshot === null) return { key, value: null }
  const value = groupMetadataValue.encode(3, {
    protocolType: snapshot.protocolType ?? '',
    generation: snapshot.generationId,
    protocol: snapshot.protocolName,
    leader: snapshot.leader,
    currentStateTimestamp: snapshot.stateTimestamp,
    members: snapshot.members.map(({ rebalanceTimeoutMs, sessionTimeoutMs, ...member }) => ({
      ...member,
      rebalanceTimeout: rebalanceTimeoutMs,
      sessionTimeout: sessionTimeoutMs,
    })),
  })
  return { key, value }
}

/** Throws `DecodeError` for a record that no broker writes. */
export function decodeGroupRecord(key: Buffer, value: Buffer | null): GroupRecord {
  const keyVersion = key.length >= 2 ? key.readInt16BE(0) : -1
  if (keyVersion === 0 || keyVersion === 1) {
    const { group, topic, partition } = offsetCommitKey.decode(key).value
    return { type: 'offset', group, topic, partition, committed: value && offsetCommitValue.decode(value).value }
  }
  if (keyVersion !== 2) return { type: 'unknown', keyVersion }
  const { group } = groupMetadataKey.decode(key).value
  if (!value) return { type: 'group', group, snapshot: null }
  const stored = groupMetadataValue.decode(value).value
  const snapshot: GroupSnapshot = {
    protocolType: stored.protocolType === '' ? null : stored.protocolType,
    generationId: stored.generation,
    protocolName: stored.protocol,
    leader: stored.leader,
    stateTimestamp: stored.currentStateTimestamp,
    // Views of a batch would keep the whole batch in memory.
    members: stored.members.map(({ rebalanceTimeout, sessionTimeout, ...member }) => ({
      ...member,
      subscription: Buffer.from(member.subscription),
      assignment: Buffer.from(member.assignment),
      sessionTimeoutMs: sessionTimeout,
      rebalanceTimeoutMs: rebalanceTimeout === -1 ? sessionTimeout : rebalanceTimeout,
    })),
  }
  return { type: 'group', group, snapshot }
}
