/** The bookkeeping of fetch sessions (KIP-227) by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FetchPartition, FetchSession } from '../../../src/client/consumer/fetch-session.ts'

const one = (partition: number, fetchOffset = 0, more: Partial<FetchPartition> = {}): FetchPartition => ({
  topic: 't',
  partition,
  topicId: 'id',
  fetchOffset,
  currentLeaderEpoch: 0,
  lastFetchedEpoch: -1,
  partitionMaxBytes: 100,
  ...more,
})
const numbers = (partitions: readonly FetchPartition[]) => partitions.map(({ partition }) => partition)

function established(): FetchSession {
  const session = new FetchSession()
  session.next([one(0), one(1)])
  session.succeeded(7)
  return session
}

test('the first request is a full one, later ones name what changed and what is not wanted any more', () => {
  const session = new FetchSession()
  const first = session.next([one(0), one(1)])
  assert.deepEqual([first.sessionId, first.sessionEpoch, numbers(first.partitions)], [0, 0, [0, 1]])
  session.succeeded(7)
  const second = session.next([one(0, 5), one(1)])
  assert.deepEqual(
    [second.sessionId, second.sessionEpoch, numbers(second.partitions), second.forgotten],
    [7, 1, [0], []],
  )
  session.succeeded(7)
  const third = session.next([one(0, 5), one(2)])
  assert.deepEqual([third.sessionEpoch, numbers(third.partitions), numbers(third.forgotten)], [2, [2], [1]])
})

test('a broker that gives no session gets full requests', () => {
  const session = new FetchSession()
  session.next([one(0)])
  session.succeeded(0)
  const next = session.next([one(0)])
  assert.deepEqual([next.sessionId, next.sessionEpoch, numbers(next.partitions)], [0, 0, [0]])
})

test('a session that the broker forgot is begun anew, one whose answer was lost is replaced', () => {
  const forgotten = established()
  forgotten.next([one(0)])
  forgotten.forgottenByBroker()
  assert.deepEqual([forgotten.next([one(0)]).sessionId, forgotten.sessionId], [0, 0])
  const lost = established()
  lost.next([one(0)])
  lost.lost()
  const next = lost.next([one(0), one(1)])
  assert.deepEqual([next.sessionId, next.sessionEpoch, numbers(next.partitions)], [7, 0, [0, 1]])
})

test('a topic without an id ends the session that named topics by id', () => {
  const session = established()
  const next = session.next([one(0), one(1, 0, { topic: 'u', topicId: undefined })])
  assert.deepEqual([next.usesTopicIds, next.sessionEpoch, next.partitions.length], [false, 0, 2])
})

/** By name, the broker would remove what the same request names: seen with Apache Kafka 2.8.2, where the new topic was never read. */
test('a topic that was created anew begins a new session, which forgets nothing by its name', () => {
  const session = established()
  const next = session.next([one(0, 0, { topicId: 'new' }), one(1)])
  assert.deepEqual([next.sessionId, next.sessionEpoch], [7, 0])
  assert.deepEqual(numbers(next.partitions), [0, 1])
  assert.deepEqual(next.forgotten, [])
})
