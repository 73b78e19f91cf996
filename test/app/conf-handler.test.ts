/** What is wrong with the part of a consumer.conf that is about handlers and failures: each with its place, the value that was seen, and what is allowed. */
import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { parseConf } from '../../src/app/conf.ts'
import { ConfError } from '../../src/app/errors.ts'
import { sinks } from '../../src/sinks/index.ts'

const parse = (conf: unknown) => parseConf(JSON.stringify(conf), '/etc/sluice/consumer.conf', { sinks })

function problemsOf(conf: unknown): string[] {
  try {
    parse(conf)
  } catch (error) {
    assert.ok(error instanceof ConfError, String(error))
    return error.problems.map(({ path, message }) => `${path}: ${message}`)
  }
  throw new Error('the conf was taken')
}

const plain = { topic: 'orders', 'group.id': 'g' }
const handled = { ...plain, handler: './charge.ts' }
const buried = { ...handled, 'on.failure': 'dead-letter' }

const refusals: [name: string, conf: unknown, problems: readonly RegExp[]][] = [
  [
    'a handler that is no path',
    { ...plain, handler: 5 },
    [/^handler: is 5, and must be the path of a module, for example "\.\/charge\.ts"$/],
  ],
  ['an empty handler', { ...plain, handler: '' }, [/^handler: is "", and must be the path of a module/]],
  [
    'a handler beside a sink',
    { ...handled, sink: { type: 'stdout' } },
    [/^sink: stands beside "handler": "\.\/charge\.ts", and records go to one of them: leave one out$/],
  ],
  [
    'an order',
    { ...handled, order: 'keys' },
    [/^order: is "keys", and must be one of partition, key, unordered; did you mean "key"\?$/],
  ],
  [
    'numbers',
    {
      ...handled,
      concurrency: 0,
      'batch.records': 'many',
      'handler.retries': -1,
      'handler.retry.backoff.ms': 'soon',
      'handler.retry.backoff.max.ms': 1.5,
    },
    [
      /^concurrency: is 0, and must be a whole number from 1 to 10000$/,
      /^\["batch\.records"\]: is "many", and must be a whole number from 1 to 1000000$/,
      /^\["handler\.retries"\]: is -1, and must be a whole number of at least 0$/,
      /^\["handler\.retry\.backoff\.ms"\]: is "soon", and must be a whole number of at least 0$/,
      /^\["handler\.retry\.backoff\.max\.ms"\]: is 1\.5, and must be a whole number of at least 0$/,
    ],
  ],
  [
    'a longest wait below the first',
    { ...handled, 'handler.retry.backoff.ms': 10, 'handler.retry.backoff.max.ms': 5 },
    [
      /^\["handler\.retry\.backoff\.max\.ms"\]: is 5, and "handler\.retry\.backoff\.ms" is 10: the longest wait is below/,
    ],
  ],
  [
    'settings of handlers without one',
    { ...plain, order: 'key', concurrency: 3, 'exactly.once': true },
    [
      /^order: is "key", and is of use with a "handler" only, and there is none$/,
      /^concurrency: is 3, and is of use with a "handler" only/,
      /^\["exactly\.once"\]: is true, and is of use with a "handler" only/,
    ],
  ],
  [
    'the pace of a store’s flushes beside a handler',
    { ...handled, 'flush.records': 500, 'flush.bytes': '7', 'flush.interval.ms': 9 },
    [
      /^\["flush\.records"\]: is 500, and says how often a store is flushed; a "handler" has none: leave it out \("commit" and "auto\.commit\.interval\.ms" say/,
      /^\["flush\.bytes"\]: is "7", and says how often a store is flushed/,
      /^\["flush\.interval\.ms"\]: is 9, and says how often a store is flushed/,
    ],
  ],
  [
    'a guarantee that no handler gives',
    { ...handled, guarantee: 'transactional' },
    [
      /^guarantee: is "transactional", and a handler without "exactly\.once" promises "at-least-once": it must be one of at-least-once, best-effort$/,
    ],
  ],
  [
    'a guarantee that no transaction of Kafka gives',
    { ...handled, 'exactly.once': true, guarantee: 'create-once' },
    [
      /^guarantee: is "create-once", and a handler with "exactly\.once" promises "idempotent": it must be one of idempotent, at-least-once, best-effort$/,
    ],
  ],
  [
    'exactly.once',
    { ...handled, 'exactly.once': 'yes' },
    [/^\["exactly\.once"\]: is "yes", and must be true or false$/],
  ],
  [
    'exactly.once that reads what was aborted',
    { ...handled, 'exactly.once': true, 'isolation.level': 'read_uncommitted' },
    [
      /^\["isolation\.level"\]: is "read_uncommitted", and must be read_committed with "exactly\.once".*: leave it out$/,
    ],
  ],
  [
    'what becomes of failures',
    { ...plain, 'on.failure': 'deadletter' },
    [/^\["on\.failure"\]: is "deadletter", and must be one of stop, skip, dead-letter; did you mean "dead-letter"\?$/],
  ],
  [
    'a dead-letter topic that nothing goes to',
    { ...handled, 'on.failure': 'skip', 'dead.letter.topic': 'graves' },
    [
      /^\["dead\.letter\.topic"\]: is "graves", and is of use with "on\.failure": "dead-letter" only, and that is "skip"$/,
    ],
  ],
  [
    'a dead-letter topic that is no name',
    { ...buried, 'dead.letter.topic': 'a b' },
    [/^\["dead\.letter\.topic"\]: is "a b", and must be a topic's name: letters, digits/],
  ],
  [
    'a dead-letter topic that is read, by its name',
    { ...buried, 'dead.letter.topic': 'orders' },
    [
      /^\["dead\.letter\.topic"\]: is "orders", and is read by this application \("topic"\): .* for ever\. Name a topic/,
    ],
  ],
  [
    'a dead-letter topic that is read, by the pattern',
    { 'group.id': 'g', 'topics.pattern': 'o.*', 'on.failure': 'dead-letter', 'dead.letter.topic': 'o-dead' },
    [/^\["dead\.letter\.topic"\]: is "o-dead", and is read by this application \("topics\.pattern"\)/],
  ],
  [
    'a producer that is no object',
    { ...handled, producer: 'fast' },
    [/^producer: is "fast", and must be an object: \{"compression\.type": "lz4"\}$/],
  ],
  [
    'properties of the producer, each with its place',
    { ...handled, producer: { 'lingr.ms': 5, acks: '1', 'compression.type': 'lz5' } },
    [
      /^producer\.acks: is "1", and is decided by Sluice: leave it out$/,
      /^producer\["lingr\.ms"\]: is not a property of the producer: did you mean "linger\.ms"\?$/,
      /^producer\["compression\.type"\]: "lz5" must be one of none, gzip, snappy, lz4, zstd$/,
    ],
  ],
  [
    'properties of the producer that contradict each other',
    { ...handled, producer: { 'delivery.timeout.ms': 10 } },
    [/^producer: delivery\.timeout\.ms \(10\) must be at least linger\.ms \+ request\.timeout\.ms/],
  ],
  [
    'a producer that nothing is sent with',
    { ...plain, producer: { 'linger.ms': 5 } },
    [/^producer: is of use with a "handler" or with "on\.failure": "dead-letter" only, and there is neither$/],
  ],
  [
    'names with typing errors',
    [plain, { ...handled, 'handler.retrys': 3, 'on.failures': 'skip', 'exactly-once': true }],
    [
      /^\[1\]\["handler\.retrys"\]: is neither .*; did you mean "handler\.retries"\? \(its value is 3\)$/,
      /^\[1\]\["on\.failures"\]: is neither .*; did you mean "on\.failure"\? \(its value is "skip"\)$/,
      /^\[1\]\["exactly-once"\]: is neither .*; did you mean "exactly\.once"\? \(its value is true\)$/,
    ],
  ],
]

for (const [name, conf, expected] of refusals) {
  await test(`conf of handlers: refuses ${name}`, () => {
    const problems = problemsOf(conf)
    for (const pattern of expected) {
      assert.ok(
        problems.some((problem) => pattern.test(problem)),
        `${pattern} in\n${problems.join('\n')}`,
      )
    }
    assert.equal(problems.length, expected.length, problems.join('\n'))
  })
}

await test('conf of handlers: everything said, and what holds where nothing is', () => {
  const [least] = parse(handled)
  assert.deepEqual(least!.handler, {
    module: './charge.ts',
    file: resolve('/etc/sluice/charge.ts'),
    order: 'partition',
    concurrency: Number.POSITIVE_INFINITY,
    batchRecords: undefined,
    retry: { retries: 9, backoffMs: 500, backoffMaxMs: 30_000 },
    isExactlyOnce: false,
  })
  assert.deepEqual([least!.sink, least!.onFailure, least!.deadLetterTopic], [undefined, 'stop', undefined])
  const [most] = parse({
    ...buried,
    handler: '/opt/charge.mjs',
    order: 'key',
    'batch.records': '7',
    'handler.retries': 0,
    'handler.retry.backoff.ms': 60_000,
    'exactly.once': 'true',
    guarantee: 'idempotent',
    'dead.letter.topic': 'graves',
    producer: { 'linger.ms': 5 },
  })
  assert.deepEqual(most!.handler, {
    module: '/opt/charge.mjs',
    file: resolve('/opt/charge.mjs'),
    order: 'key',
    concurrency: 100,
    batchRecords: 7,
    retry: { retries: 0, backoffMs: 60_000, backoffMaxMs: 60_000 },
    isExactlyOnce: true,
  })
  assert.deepEqual(
    [most!.onFailure, most!.deadLetterTopic, most!.producer],
    ['dead-letter', 'graves', { 'linger.ms': 5 }],
  )
  assert.equal(most!.properties['isolation.level'], 'read_committed')
  assert.equal(most!.properties['auto.commit.interval.ms'], 100)
})

await test('conf of handlers: records of a sink that fail may go to a dead-letter topic, with a producer of its own', () => {
  const [application] = parse({ ...plain, 'on.failure': 'dead-letter', producer: { 'compression.type': 'zstd' } })
  assert.deepEqual([application!.handler, application!.onFailure], [undefined, 'dead-letter'])
})
