import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordOf } from '../../src/protocol/records/record-of.ts'
import { TopicPartitionMap, topicPartitionKey } from '../../src/protocol/records/topic-partition.ts'

test('TopicPartitionMap: keys are compared by value, and kept in the order in which they came', () => {
  const map = new TopicPartitionMap<string>([[{ topic: 'b', partition: 1 }, 'first']])
  map.set({ topic: 'a', partition: 0 }, 'second').set({ topic: 'b', partition: 1 }, 'first again')
  assert.equal(map.size, 2)
  assert.equal(map.get({ topic: 'b', partition: 1 }), 'first again')
  assert.equal(map.get({ topic: 'b', partition: 2 }), undefined)
  assert.ok(map.has({ topic: 'a', partition: 0 }))
  assert.deepEqual([...map.keys()].map(topicPartitionKey), ['b-1', 'a-0'])
  assert.deepEqual([...map.values()], ['first again', 'second'])
  assert.ok(map.delete({ topic: 'b', partition: 1 }))
  assert.deepEqual([...map], [[{ topic: 'a', partition: 0 }, 'second']])
})

test('TopicPartitionMap: a key is copied, so that its maker may change it', () => {
  const key = { topic: 'a', partition: 0 }
  const map = new TopicPartitionMap([[key, 1]])
  key.partition = 5
  assert.deepEqual([...map.keys()], [{ topic: 'a', partition: 0 }])
})

test('topicPartitionKey: topics with hyphens and digits do not meet', () => {
  assert.notEqual(topicPartitionKey({ topic: 'a-1', partition: 1 }), topicPartitionKey({ topic: 'a', partition: 11 }))
  assert.equal(topicPartitionKey({ topic: 'click-log', partition: 3 }), 'click-log-3')
})

test('recordOf: a record with the parts that were given', () => {
  const headers = [{ key: 'h', value: null }]
  const record = recordOf({
    topic: 't',
    partition: 2,
    offset: 9_000_000_000,
    timestamp: 5,
    key: 'k',
    value: 'ü',
    headers,
    leaderEpoch: 4,
  })
  assert.deepEqual(
    [
      record.topic,
      record.partition,
      record.offset,
      record.timestamp,
      record.keyText(),
      record.valueText(),
      record.leaderEpoch,
    ],
    ['t', 2, 9_000_000_000, 5, 'k', 'ü', 4],
  )
  assert.deepEqual(record.headers, headers)
  const tombstone = recordOf({ topic: 't', partition: 0, offset: 0 })
  assert.deepEqual(
    [tombstone.key, tombstone.value, tombstone.serializedKeySize, tombstone.serializedValueSize],
    [null, null, -1, -1],
  )
  assert.deepEqual([tombstone.keyText(), tombstone.valueText(), tombstone.timestampType], [null, null, 'CreateTime'])
})
