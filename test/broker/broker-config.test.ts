import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokerConfigError, parseBrokerConfig, propertyText } from '../../src/broker/broker-config.ts'
import { topicDefaultsOf } from '../../src/broker/topic-defaults.ts'

test('broker properties: what is left out has its default, what is given may be text', () => {
  const config = parseBrokerConfig({ 'num.partitions': '20', 'auto.create.topics.enable': 'false' })
  assert.equal(config['num.partitions'], 20)
  assert.equal(config['auto.create.topics.enable'], false)
  assert.equal(config['offsets.topic.num.partitions'], 50)
  assert.equal(config['message.max.bytes'], 1048588)
})

test('broker properties: an unknown name is an error that names the nearest', () => {
  const expected = new BrokerConfigError('The broker has no property "num.partition": did you mean "num.partitions"?')
  assert.throws(() => parseBrokerConfig({ 'num.partition': 3 }), expected)
  assert.throws(() => parseBrokerConfig({ zookeeper: 'x' }), /has no property "zookeeper"$/)
})

for (const [name, value, message] of [
  ['num.partitions', 0, /num.partitions is 0: it takes at least 1/],
  ['num.partitions', 1.5, /a whole number/],
  ['num.partitions', '', /a whole number/],
  ['num.partitions', 3_000_000_000, /at most 2147483647/],
  ['log.cleaner.min.cleanable.ratio', 'much', /a number/],
  ['auto.create.topics.enable', 'yes', /true or false/],
  ['log.cleanup.policy', 'delete,shred', /it takes delete, compact/],
  ['log.message.timestamp.type', 'Whenever', /it takes CreateTime, LogAppendTime/],
] as const) {
  test(`broker properties: ${name} is not ${JSON.stringify(value)}`, () => {
    assert.throws(() => parseBrokerConfig({ [name]: value }), message)
  })
}

test('broker properties: 2^63 - 1 is no limit, and is printed as Kafka prints it', () => {
  const config = parseBrokerConfig({ 'log.flush.interval.messages': '9223372036854775807' })
  assert.equal(config['log.flush.interval.messages'], Number.POSITIVE_INFINITY)
  assert.equal(propertyText(config['log.flush.interval.messages']), '9223372036854775807')
})

test('broker properties: the session timeouts must leave a range', () => {
  assert.throws(() => parseBrokerConfig({ 'group.min.session.timeout.ms': 10, 'group.max.session.timeout.ms': 9 }))
})

test('topic defaults: only what was given, under the names of topics; the finest unit wins', () => {
  const given = { 'log.retention.hours': 2, 'log.retention.minutes': 3, 'message.max.bytes': 1000, 'num.partitions': 2 }
  assert.deepEqual(topicDefaultsOf(given, parseBrokerConfig(given)), {
    'max.message.bytes': '1000',
    'retention.ms': '180000',
  })
})
