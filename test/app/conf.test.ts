import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfError } from '../../src/app/errors.ts'
import { parseConf } from '../../src/app/conf.ts'
import { sinks } from '../../src/sinks/index.ts'

const parse = (values: unknown, file = 'consumer.conf') =>
  parseConf(typeof values === 'string' ? values : JSON.stringify(values), file, { sinks })

function problemsOf(values: unknown, file?: string): string[] {
  try {
    parse(values, file)
  } catch (error) {
    assert.ok(error instanceof ConfError, String(error))
    return error.problems.map(({ path, message }) => `${path}: ${message}`)
  }
  throw new Error('the conf was taken')
}

await test('conf: one consumer, with defaults', () => {
  const [application, ...others] = parse({ topic: 'click_log', 'group.id': 'hadoop-consumers' })
  assert.equal(others.length, 0)
  assert.deepEqual(application, {
    path: '',
    groupId: 'hadoop-consumers',
    topics: ['click_log'],
    topicsPattern: undefined,
    consumers: 1,
    value: 'string',
    key: undefined,
    registry: {},
    commit: 'auto',
    guarantee: undefined,
    sink: { type: 'stdout' },
    handler: undefined,
    onFailure: 'stop',
    deadLetterTopic: undefined,
    producer: {},
    shutdownTimeoutMs: 30_000,
    threads: true,
    threadMemoryMb: undefined,
    restart: { max: 10, windowMs: 600_000 },
    flush: { records: undefined, bytes: undefined, intervalMs: undefined },
    bufferBytes: 64 * 1024 * 1024,
    properties: {
      'bootstrap.servers': '127.0.0.1:9092',
      'auto.offset.reset': 'earliest',
      'group.id': 'hadoop-consumers',
      'enable.auto.commit': false,
    },
    secrets: [],
  })
})

await test('conf: n consumers of one group, and n consumers of many groups', () => {
  assert.equal(parse({ topic: 'click_log', 'group.id': 'a', 'consumer.no': 20 })[0]!.consumers, 20)
  const many = parse([
    { topic: 'click_log', 'group.id': 'a', 'consumer.no': 20 },
    { topic: ['click_log', 'page_log'], 'group.id': 'b' },
    { 'topics.pattern': 'click.*', 'group.id': 'c', 'consumer.no': '5' },
  ])
  assert.deepEqual(
    many.map(({ path, groupId, consumers, topics, topicsPattern }) => ({
      path,
      groupId,
      consumers,
      topics,
      topicsPattern,
    })),
    [
      { path: '[0]', groupId: 'a', consumers: 20, topics: ['click_log'], topicsPattern: undefined },
      { path: '[1]', groupId: 'b', consumers: 1, topics: ['click_log', 'page_log'], topicsPattern: undefined },
      { path: '[2]', groupId: 'c', consumers: 5, topics: [], topicsPattern: '^(?:click.*)$' },
    ],
  )
})

await test('conf: YAML says the same as JSON, by its look or by the name of the file', () => {
  const yaml = 'topic: flights\ngroup.id: file-consumers\nconsumer.no: 3\nsink:\n  type: file\n  directory: out\n'
  const json = {
    topic: 'flights',
    'group.id': 'file-consumers',
    'consumer.no': 3,
    sink: { type: 'file', directory: 'out' },
  }
  assert.deepEqual(parse(yaml), parse(json))
  assert.deepEqual(parse(JSON.stringify(json), 'consumer.yaml'), parse(json))
})

await test('conf: consumer properties go to the consumer, as they were written', () => {
  const [application] = parse({
    topic: 't',
    'group.id': 'g',
    'bootstrap.servers': 'a:1,b:2',
    'session.timeout.ms': '10000',
    'auto.offset.reset': 'latest',
    'isolation.level': 'read_committed',
  })
  assert.deepEqual(application!.properties, {
    'group.id': 'g',
    'bootstrap.servers': 'a:1,b:2',
    'session.timeout.ms': '10000',
    'auto.offset.reset': 'latest',
    'isolation.level': 'read_committed',
    'enable.auto.commit': false,
  })
})

await test('conf: enable.auto.commit chooses the commit strategy where nothing else does', () => {
  const commitOf = (more: object) => parse({ topic: 't', 'group.id': 'g', ...more })[0]!.commit
  assert.equal(commitOf({ 'enable.auto.commit': 'false' }), 'sync')
  assert.equal(commitOf({ 'enable.auto.commit': true }), 'auto')
  assert.equal(commitOf({ 'enable.auto.commit': false, commit: 'record' }), 'record')
  assert.equal(commitOf({ commit: 'async' }), 'async')
})

const good = { topic: 't', 'group.id': 'g' }
const refusals: [name: string, conf: unknown, problems: (string | RegExp)[]][] = [
  ['an empty list', [], [/^: is an empty list/]],
  ['no object', 'nonsense', [/^: is "nonsense", and must be an object/]],
  ['one of the list is no object', [good, 7], [/^\[1\]: is 7, and must be an object/]],
  ['nothing said', {}, [/^topic: is missing/, /^\["group\.id"\]: is missing/]],
  ['a topic that is no name', { ...good, topic: 'a b' }, [/^topic: is "a b", and must be a topic's name/]],
  ['one of the topics is no name', { ...good, topic: ['a', 3] }, [/^topic\[1\]: is 3, and must be/]],
  ['no topics', { ...good, topic: [] }, [/^topic: is an empty list/]],
  ['topic and pattern', { ...good, 'topics.pattern': 'a.*' }, [/^\["topics\.pattern"\]: stands beside "topic"/]],
  [
    'a pattern that is none',
    { 'group.id': 'g', 'topics.pattern': '(' },
    [/^\["topics\.pattern"\]: is "\(": Invalid regular/],
  ],
  [
    'consumers by halves',
    { ...good, 'consumer.no': 1.5 },
    [/^\["consumer\.no"\]: is 1\.5, and must be a whole number from 1 to 1000/],
  ],
  ['no consumers', { ...good, 'consumer.no': 0 }, [/is 0, and must be a whole number from 1/]],
  [
    'a value type',
    { ...good, value: 'jason' },
    [
      /^value: is "jason", and must be one of string, bytes, json, .*avro, protobuf, json-schema, or the path of a module of your own \("\.\/decode\.ts"\); did you mean "json"\?/,
    ],
  ],
  [
    'a commit strategy',
    { ...good, commit: 'batch' },
    [/^commit: is "batch", and must be one of auto, sync, async, record/],
  ],
  ['a guarantee', { ...good, guarantee: 'transactionl' }, [/did you mean "transactional"\?/]],
  [
    'an unknown name',
    { ...good, 'gruop.id': 'x' },
    [/^\["gruop\.id"\]: is neither .*; did you mean "group\.id"\? \(its value is "x"\)/],
  ],
  ['an unknown name of the application', { ...good, comit: 'sync' }, [/^comit: is neither .*did you mean "commit"\?/]],
  ['a property of the producer', { ...good, 'linger.ms': 5 }, [/^\["linger\.ms"\]: is neither/]],
  [
    'a property’s value',
    { ...good, 'session.timeout.ms': 'soon' },
    [/^\["session\.timeout\.ms"\]: "soon" must be a whole number/],
  ],
  [
    'properties that contradict each other',
    { ...good, 'heartbeat.interval.ms': 50_000 },
    [/heartbeat\.interval\.ms \(50000\) must be lower/],
  ],
  [
    'commit and enable.auto.commit',
    { ...good, commit: 'sync', 'enable.auto.commit': true },
    [/is true, and "commit" is "sync"/],
  ],
  [
    'one static member many times',
    { ...good, 'consumer.no': 2, 'group.instance.id': 'i' },
    [/^\["group\.instance\.id"\]: names one member/],
  ],
  [
    'a sink that is no object',
    { ...good, sink: 'file' },
    [
      /^sink: is "file", and must be an object: \{"type": one of elasticsearch, file, influxdb, mongodb, mysql, postgres, s3, sqlite/,
    ],
  ],
  [
    'an unknown sink',
    { ...good, sink: { type: 'fil' } },
    [/^sink\.type: is "fil", which is no sink.*did you mean "file"/],
  ],
  [
    'an unknown option of a sink',
    [good, { ...good, sink: { type: 'file', directory: 'o', formt: 'csv' } }],
    [/^\[1\]\.sink\.formt: .*did you mean "format"/],
  ],
  [
    'an option’s value',
    { ...good, sink: { type: 'file', directory: 'o', format: 'cvs' } },
    [/^sink\.format: is "cvs"/],
  ],
  [
    'a missing option',
    { ...good, sink: { type: 'sqlite', table: 't', columns: ['a'] } },
    [/^sink\.database: is missing/],
  ],
  [
    'everything at once',
    { topc: 't', value: 'x', 'consumer.no': -1 },
    [/^topc/, /^topic: is missing/, /consumer/, /^value/, /group/],
  ],
]

for (const [name, conf, expected] of refusals) {
  await test(`conf: refuses ${name}`, () => {
    const problems = problemsOf(conf)
    for (const pattern of expected) {
      assert.ok(
        problems.some((problem) => problem.match(pattern)),
        `${pattern} in\n${problems.join('\n')}`,
      )
    }
    assert.equal(problems.length, expected.length, problems.join('\n'))
  })
}

await test('conf: says where the text breaks', () => {
  assert.match(problemsOf('{"topic": "a",\n "group.id": }')[0]!, /^line 2, column 14: is not JSON/)
  assert.match(problemsOf('topic: [a\ngroup.id: b\n')[0]!, /^line \d+, column \d+: /)
})

await test('conf: a name that stands twice is no silent choice', () => {
  assert.match(problemsOf('{"topic": "a", "topic": "b", "group.id": "g"}')[0]!, /^line 1, column 16: .*unique/i)
})

await test('conf: properties that hang together are checked together', () => {
  const [application] = parse({ ...good, 'session.timeout.ms': 1500, 'heartbeat.interval.ms': 300 })
  assert.equal(application!.properties['session.timeout.ms'], 1500)
})
