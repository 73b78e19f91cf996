/** How long commits are kept: against a real log, under a clock that is moved by hand. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it, type TestContext } from 'node:test'
import { parseBrokerConfig } from '../../../src/broker/broker-config.ts'
import { GroupCoordinator } from '../../../src/broker/groups/group-coordinator.ts'
import { NO_TOPIC_ID } from '../../../src/broker/groups/offset-coordinator.ts'
import { LogDirectory } from '../../../src/broker/log/log-directory.ts'
import { consumerProtocolSubscription } from '../../../src/protocol/stored/consumer-protocol.ts'
import { type Clock, systemClock } from '../../../src/seams/clock.ts'
import { systemDisk } from '../../../src/seams/disk.ts'
import { silentLogger } from '../../../src/seams/logger.ts'
import { systemRandom } from '../../../src/seams/random.ts'

const DAY = 24 * 60 * 60 * 1000

async function setup(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-expiry-'))
  const common = { clock: systemClock, random: systemRandom, logger: silentLogger }
  const logs = await LogDirectory.open({ ...common, disk: systemDisk, directory })
  const time = { now: 1_000_000_000_000 }
  // Timers that would take a while never fire: what they would do is called by the test.
  const clock: Clock = {
    ...systemClock,
    now: () => time.now,
    setTimer: (delayMs, callback) => (delayMs === 0 ? systemClock.setTimer(0, callback) : { cancel() {} }),
  }
  const config = parseBrokerConfig({
    'offsets.retention.minutes': 7 * 24 * 60,
    'offsets.topic.num.partitions': 2,
    'group.initial.rebalance.delay.ms': 0,
  })
  const groups = new GroupCoordinator({ ...common, clock, logs, config })
  await groups.start()
  t.after(async () => {
    await groups.stop()
    await logs.close()
    await rm(directory, { recursive: true, force: true })
  })
  const commit = async (
    groupId: string,
    topic: string,
    member = { memberId: '', generationId: -1 },
    retentionMs = -1,
  ) => {
    const commits = [{ topic, topicId: NO_TOPIC_ID, partition: 0, offset: 5, leaderEpoch: -1, metadata: '' }]
    const committer = { groupId, groupInstanceId: null, ...member }
    assert.deepEqual(await groups.commit(committer, commits, { version: 4, retentionMs }), ['NONE'])
  }
  const has = (groupId: string, topic: string) => groups.committed.get(groupId, topic, 0) !== undefined
  return { groups, time, commit, has }
}

it('a consumer that assigns itself: its commits are kept from the last one on, then the group goes too', async (t) => {
  const { groups, time, commit, has } = await setup(t)
  await commit('simple', 'a')
  time.now += 4 * DAY
  await commit('simple', 'b')
  time.now += 3 * DAY
  await groups.expireOffsets()
  assert.deepEqual([has('simple', 'a'), has('simple', 'b')], [false, true])
  assert.ok(groups.group('simple'))
  time.now += 4 * DAY
  await groups.expireOffsets()
  assert.equal(groups.group('simple'), undefined)
})

it('an old client may ask for a time of its own', async (t) => {
  const { groups, time, commit, has } = await setup(t)
  await commit('old', 'a', undefined, DAY)
  time.now += DAY - 1
  await groups.expireOffsets()
  assert.equal(has('old', 'a'), true)
  time.now += 1
  await groups.expireOffsets()
  assert.equal(has('old', 'a'), false)
})

it('a group with members keeps what they subscribe to, however old, and counts from when the last one left', async (t) => {
  const { groups, time, commit, has } = await setup(t)
  const metadata = consumerProtocolSubscription.encode(1, { topics: ['a'], ownedPartitions: [] })
  const { memberId, generationId } = await groups.join('members', {
    memberId: '',
    groupInstanceId: null,
    clientId: 'c',
    clientHost: '/127.0.0.1',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata }],
    reason: null,
    requiresKnownMemberId: false,
    supportsSkippingAssignment: false,
  })
  const who = { memberId, groupInstanceId: null, generationId, protocolType: null, protocolName: null }
  await groups.sync('members', { ...who, assignments: [] })
  await commit('members', 'a', { memberId, generationId })
  await commit('members', 'b', { memberId, generationId })
  time.now += 8 * DAY
  await groups.expireOffsets()
  assert.deepEqual([has('members', 'a'), has('members', 'b')], [true, false])
  await groups.leave('members', [{ memberId, groupInstanceId: null }])
  await groups.expireOffsets()
  assert.equal(has('members', 'a'), true)
  time.now += 7 * DAY
  await groups.expireOffsets()
  assert.equal(has('members', 'a'), false)
  assert.equal(groups.group('members'), undefined)
})
