import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearestName, parseAdminConfig, parseConsumerConfig, parseProducerConfig } from '../../src/client/config.ts'
import { ConfigError } from '../../src/client/errors.ts'

const servers = { 'bootstrap.servers': '127.0.0.1:9092' }

function problemsOf(parse: () => unknown): readonly string[] {
  try {
    parse()
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    assert.equal(error.code, 'SLUICE_CONFIG')
    return error.problems
  }
  return assert.fail('nothing was wrong')
}

test('config: strings become what the property is, as in a .properties file', () => {
  const config = parseConsumerConfig({
    'bootstrap.servers': ' a:1 , b:2,[::1]:3',
    'group.id': 'g',
    'max.poll.records': '7',
    'enable.auto.commit': 'False',
    'partition.assignment.strategy': 'org.apache.kafka.clients.consumer.StickyAssignor, roundrobin',
  })
  assert.deepEqual(config['bootstrap.servers'], ['a:1', 'b:2', '[::1]:3'])
  assert.equal(config['max.poll.records'], 7)
  assert.equal(config['enable.auto.commit'], false)
  assert.deepEqual(config['partition.assignment.strategy'], ['sticky', 'roundrobin'])
  assert.equal(config['session.timeout.ms'], 45000, 'a default')
})

test('config: every problem is said at once', () => {
  const problems = problemsOf(() =>
    parseConsumerConfig({
      'boostrap.servers': 'a:1',
      'max.poll.records': 0,
      'fetch.min.bytes': 1.5,
      'isolation.level': 'dirty',
      'check.crcs': 'yes',
      'auto.offset.reset': 'newest',
    }),
  )
  assert.equal(problems.length, 7)
  assert.match(problems[0]!, /boostrap\.servers is not a property of the consumer: did you mean "bootstrap\.servers"\?/)
  assert.match(problems[1]!, /^max\.poll\.records 0 must be at least 1$/)
  assert.match(problems[2]!, /^fetch\.min\.bytes 1\.5 must be a whole number$/)
  assert.match(problems[3]!, /^isolation\.level "dirty" must be one of read_committed, read_uncommitted$/)
  assert.match(problems[4]!, /^check\.crcs "yes" must be true or false$/)
  assert.match(
    problems[5]!,
    /^auto\.offset\.reset "newest" must be one of latest, earliest, none, by_duration:<duration>$/,
  )
  assert.match(problems[6]!, /^bootstrap\.servers is missing/)
})

test('config: a property of another client is named as such', () => {
  const [problem] = problemsOf(() => parseConsumerConfig({ ...servers, acks: 'all' }))
  assert.equal(problem, 'acks is a property of the producer, not of the consumer')
})

test('config: what is not supported yet is refused, and its default is not', () => {
  const problems = problemsOf(() =>
    parseProducerConfig({
      ...servers,
      'ssl.engine.factory.class': 'org.example.Engine',
      'sasl.login.class': 'org.example.Login',
      'sasl.kerberos.service.name': 'kafka',
      'partitioner.class': 'org.example.Mine',
      'transaction.two.phase.commit.enable': 'true',
    }),
  )
  assert.equal(problems.length, 5)
  for (const problem of problems) assert.match(problem, /is not supported yet/)
  parseProducerConfig({ ...servers, 'security.protocol': 'PLAINTEXT', 'sasl.mechanism': 'GSSAPI' })
  assert.match(
    problemsOf(() => parseConsumerConfig({ ...servers, 'group.protocol': 'consumer' }))[0]!,
    /not supported yet/,
  )
  parseConsumerConfig({ ...servers, 'group.protocol': 'CLASSIC' })
})

test('config: (de)serializers that Java brings are known, others are refused', () => {
  const java = 'org.apache.kafka.common.serialization'
  parseConsumerConfig({ ...servers, 'key.deserializer': `${java}.StringDeserializer` })
  parseProducerConfig({ ...servers, 'value.serializer': `${java}.ByteArraySerializer` })
  assert.match(
    problemsOf(() => parseConsumerConfig({ ...servers, 'value.deserializer': `${java}.ListDeserializer` }))[0]!,
    /is not known: string, bytes/,
  )
})

test('consumer config: without a group nothing is committed by itself, and asking for it is an error', () => {
  assert.equal(parseConsumerConfig(servers)['enable.auto.commit'], false)
  assert.equal(parseConsumerConfig({ ...servers, 'group.id': 'g' })['enable.auto.commit'], true)
  assert.equal(problemsOf(() => parseConsumerConfig({ ...servers, 'enable.auto.commit': true })).length, 1)
})

test('consumer config: heartbeats come more often than the session ends', () => {
  const slow = { ...servers, 'group.id': 'g', 'heartbeat.interval.ms': 6000, 'session.timeout.ms': 6000 }
  assert.match(problemsOf(() => parseConsumerConfig(slow))[0]!, /must be lower than session\.timeout\.ms/)
})

test('producer config: idempotence gives way unless it was asked for', () => {
  assert.equal(parseProducerConfig(servers)['enable.idempotence'], true)
  assert.equal(parseProducerConfig({ ...servers, acks: 1 })['enable.idempotence'], false)
  assert.equal(parseProducerConfig({ ...servers, retries: 0 })['enable.idempotence'], false)
  assert.equal(parseProducerConfig({ ...servers, acks: '-1' })['acks'], 'all')
  assert.equal(problemsOf(() => parseProducerConfig({ ...servers, acks: 1, 'enable.idempotence': true })).length, 1)
  assert.equal(
    problemsOf(() => parseProducerConfig({ ...servers, 'max.in.flight.requests.per.connection': 6 })).length,
    1,
  )
  assert.equal(problemsOf(() => parseProducerConfig({ ...servers, 'transactional.id': 't', acks: 0 })).length, 1)
})

test('producer config: delivery.timeout.ms leaves room for lingering and one request', () => {
  const short = { ...servers, 'delivery.timeout.ms': 1000 }
  assert.match(problemsOf(() => parseProducerConfig(short))[0]!, /must be at least linger\.ms \+ request\.timeout\.ms/)
  const long = parseProducerConfig({ ...servers, 'request.timeout.ms': 200_000 })
  assert.equal(long['delivery.timeout.ms'], 200_005, 'as Java: a default that is too short is raised')
})

test('admin config: bootstrap.servers are host:port', () => {
  assert.match(
    problemsOf(() => parseAdminConfig({ 'bootstrap.servers': 'localhost' }))[0]!,
    /each server is said as host:port/,
  )
  assert.match(problemsOf(() => parseAdminConfig({ 'bootstrap.servers': 'a:70000' }))[0]!, /host:port/)
})

test('nearestName: only a name that is near is suggested', () => {
  assert.equal(nearestName('groupId', ['group.id', 'client.id']), 'group.id')
  assert.equal(nearestName('flavour', ['group.id', 'client.id']), undefined)
})
