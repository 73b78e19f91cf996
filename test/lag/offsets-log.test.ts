/** What the records of `__consumer_offsets` say, one by one: bytes that Kafka's own classes wrote where there are such, ours where they are short. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OffsetsLog } from '../../src/lag/offsets-log.ts'
import { consumerProtocolAssignment } from '../../src/protocol/stored/consumer-protocol.ts'
import * as modern from '../../src/protocol/stored/consumer-group-records.ts'
import {
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../../src/protocol/stored/group-records.ts'
import { messageVectors } from '../protocol/vectors.ts'

const everybody = () => true
const sampled = (log: OffsetsLog) =>
  log.sampled(
    (id) => ({ AAAAAAAAAAAAAAAAAAAAAQ: 'orders' })[id],
    () => true,
  )
const key = (group: string, topic = 'orders', partition = 0) => offsetCommitKey.encode(1, { group, topic, partition })
const commit = (offset: number, version = 3) =>
  offsetCommitValue.encode(version, { offset, metadata: '', commitTimestamp: 1000 + offset })

test('offsets log: every version of a commit that Kafka ever wrote is read', () => {
  for (const { version, bytes, value } of messageVectors('stored/OffsetCommitValue.json')) {
    const log = new OffsetsLog(everybody)
    log.apply(3, key('g'), bytes, 7)
    const { offset, commitTimestamp } = value as { offset: number; commitTimestamp: number }
    const [seen] = log.takeSeen()
    assert.deepEqual([seen!.offset, seen!.timestamp], [offset, commitTimestamp], `version ${version}`)
    assert.equal(log.committed('g', 'orders', 0), offset)
    assert.equal(log.unreadable, 0)
  }
  // Metadata of 127 bytes and more: what Burrow reads wrongly in version 4.
  const log = new OffsetsLog(everybody)
  log.apply(0, key('g'), offsetCommitValue.encode(4, { offset: 5, metadata: 'm'.repeat(5000), commitTimestamp: 1 }), 7)
  assert.equal(log.committed('g', 'orders', 0), 5)
})

test('offsets log: complaint 7 (#818): a tombstone of an offset takes it away, the last one the group', () => {
  const log = new OffsetsLog(everybody)
  log.apply(1, key('g', 'orders', 0), commit(5), 1)
  log.apply(1, key('g', 'orders', 1), commit(6), 1)
  log.apply(1, key('g', 'orders', 0), null, 2)
  assert.deepEqual([...sampled(log).get('g')!.commits!.get('orders')!], [[1, 6]])
  log.apply(1, key('g', 'orders', 1), null, 3)
  assert.equal(sampled(log).has('g'), false)
  log.apply(1, key('never', 'orders', 1), null, 3)
  assert.equal(log.groups, 0)
})

test('offsets log: every commit is seen once, in order, with its own time', () => {
  const log = new OffsetsLog((groupId) => groupId !== 'unwanted')
  for (const offset of [5, 5, 6]) log.apply(0, key('g'), commit(offset), 50 + offset)
  log.apply(0, key('unwanted'), commit(1), 1)
  assert.deepEqual(
    log.takeSeen().map(({ groupId, offset, timestamp, observedAt }) => [groupId, offset, timestamp, observedAt]),
    [
      ['g', 5, 1005, 55],
      ['g', 5, 1005, 55],
      ['g', 6, 1006, 56],
    ],
  )
  assert.deepEqual(log.takeSeen(), [])
})

test('offsets log: classic groups of every version have their members, and are deleted by a tombstone', () => {
  const assignment = consumerProtocolAssignment.encode(0, {
    assignedPartitions: [{ topic: 'orders', partitions: [0, 2] }],
    userData: null,
  })
  for (let version = 0; version <= 4; version++) {
    const log = new OffsetsLog(everybody)
    const member = {
      memberId: 'm',
      clientId: 'shop',
      clientHost: '/10.0.0.1',
      sessionTimeout: 1,
      subscription: Buffer.alloc(0),
      assignment,
    }
    const value = groupMetadataValue.encode(version, {
      protocolType: 'consumer',
      generation: 1,
      protocol: 'range',
      leader: 'm',
      members: [member],
    })
    log.apply(0, groupMetadataKey.encode(2, { group: 'g' }), value, 1)
    const { state, description, protocolType } = sampled(log).get('g')!
    assert.deepEqual([state, protocolType, description!.members[0]!.clientId], ['Stable', 'consumer', 'shop'])
    assert.deepEqual(description!.members[0]!.assignment, [
      { topic: 'orders', partition: 0 },
      { topic: 'orders', partition: 2 },
    ])
    log.apply(0, groupMetadataKey.encode(2, { group: 'g' }), null, 2)
    assert.equal(log.groups, 0)
  }
})

test('offsets log: a group of KIP-848 has its members and what they are assigned, until they leave', () => {
  const log = new OffsetsLog(everybody)
  log.apply(2, modern.consumerGroupMetadataKey.encode(3, { groupId: 'g' }), Buffer.from([0, 0, 0, 0, 0, 1, 0]), 1)
  const ofMember = { groupId: 'g', memberId: 'm' }
  const metadata = {
    instanceId: null,
    rackId: null,
    clientId: 'shop',
    clientHost: '/10.0.0.1',
    subscribedTopicNames: ['orders'],
    subscribedTopicRegex: null,
    serverAssignor: null,
  }
  log.apply(
    2,
    modern.consumerGroupMemberMetadataKey.encode(5, ofMember),
    modern.consumerGroupMemberMetadataValue.encode(0, metadata),
    1,
  )
  const assigned = {
    memberEpoch: 1,
    previousMemberEpoch: 0,
    state: 0,
    assignedPartitions: [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitions: [1] }],
    partitionsPendingRevocation: [],
  }
  const value = modern.consumerGroupCurrentMemberAssignmentValue.encode(0, assigned)
  log.apply(2, modern.consumerGroupCurrentMemberAssignmentKey.encode(8, ofMember), value, 1)
  const { state, type, description } = sampled(log).get('g')!
  assert.deepEqual([state, type], ['Stable', 'consumer'])
  assert.deepEqual(description!.members[0]!.assignment, [{ topic: 'orders', partition: 1 }])
  log.apply(2, modern.consumerGroupMemberMetadataKey.encode(5, ofMember), null, 2)
  assert.equal(sampled(log).get('g')!.state, 'Empty')
  log.apply(2, modern.consumerGroupMetadataKey.encode(3, { groupId: 'g' }), null, 3)
  assert.equal(log.groups, 0)
})

test('offsets log: keys of the coordinator’s own are passed over, what cannot be read is counted, nothing throws', () => {
  const log = new OffsetsLog(everybody)
  for (const version of [4, 6, 7, 9, 10, 99]) log.apply(0, Buffer.from([0, version, 1, 2, 3]), Buffer.from([1]), 1)
  log.apply(0, null, Buffer.from([1]), 1)
  log.apply(0, Buffer.from([0]), Buffer.from([1]), 1)
  assert.deepEqual([log.groups, log.unreadable], [0, 0])
  log.apply(0, key('g'), Buffer.from([0, 9, 1]), 1)
  log.apply(0, Buffer.from([0, 1, 0]), commit(1), 1)
  assert.equal(log.unreadable, 2)
})

test('offsets log: groups whose partition has not been read to its end have no commits to judge by', () => {
  const log = new OffsetsLog(everybody)
  log.apply(0, key('known'), commit(1), 1)
  log.apply(1, key('half'), commit(1), 1)
  const groups = log.sampled(
    () => undefined,
    (home) => home === 0,
  )
  assert.ok(groups.get('known')!.commits)
  assert.equal(groups.get('half')!.commits, undefined)
  log.forget(1)
  assert.equal(log.groups, 1)
})
