/** monitor.yaml: what it means, and what is said of one that is not right. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterDefaults } from '../../src/lag/cluster-conf.ts'
import { checkMonitorConf, MonitorConfError } from '../../src/lag/monitor-conf.ts'

const servers = { 'bootstrap.servers': '127.0.0.1:9092' }

function problemsOf(values: unknown): string[] {
  try {
    checkMonitorConf(values, 'monitor.yaml')
  } catch (error) {
    assert.ok(error instanceof MonitorConfError)
    assert.match(error.message, /^monitor\.yaml has (?:one problem|\d+ problems):\n {2}/)
    return error.problems.map(({ path, message }) => `${path}: ${message}`)
  }
  return []
}

test('monitor.yaml: servers are all it takes', () => {
  const conf = checkMonitorConf({ clusters: { local: servers } }, 'monitor.yaml')
  assert.deepEqual(conf.clusters, [{ name: 'local', properties: servers, ...clusterDefaults }])
  assert.deepEqual([conf.host, conf.port, conf.metrics, conf.allowChanges], ['127.0.0.1', 8000, 'burrow', false])
  assert.equal(conf.store!.path, 'sluice-monitor.db')
})

test('monitor.yaml: everything that can be said', () => {
  const conf = checkMonitorConf(
    {
      listen: '[::1]:0',
      store: 'none',
      token: 'a long one',
      'allow.changes': 'true',
      metrics: 'both',
      clusters: {
        east: {
          ...servers,
          'request.timeout.ms': 5000,
          'sample.interval.ms': '5000',
          'rule.set': 'burrow',
          'allowed.lag': 7,
          'groups.deny': 'test-.*',
          groups: [{ pattern: 'pay.*', 'allowed.lag': 100, 'isolation.level': 'read_committed' }],
        },
        west: servers,
      },
    },
    'monitor.yaml',
  )
  assert.deepEqual(
    [conf.host, conf.port, conf.store, conf.token, conf.allowChanges],
    ['::1', 0, undefined, 'a long one', true],
  )
  const [east, west] = conf.clusters
  assert.deepEqual([east!.name, east!.ruleSet, east!.sampleIntervalMs, east!.allowedLag], ['east', 'burrow', 5000, 7])
  assert.deepEqual(east!.properties, { ...servers, 'request.timeout.ms': 5000 })
  assert.ok(east!.deny!.test('test-1') && !east!.deny!.test('my-test-1'), 'whole names')
  assert.deepEqual([east!.groupRules[0]!.allowedLag, east!.groupRules[0]!.isolation], [100, 'read_committed'])
  assert.equal(west!.ruleSet, 'sluice')
})

const wrong: [name: string, values: unknown, says: RegExp[]][] = [
  ['nothing', undefined, [/^: is undefined, and must be an object with "clusters"/]],
  ['no clusters', {}, [/^clusters: is missing, and must name the clusters/]],
  ['a cluster without servers', { clusters: { a: {} } }, [/^clusters\.a\["bootstrap\.servers"\]: is missing/]],
  ['a cluster that is a text', { clusters: { a: 'x:1' } }, [/^clusters\.a: is "x:1", and must be an object/]],
  [
    'a name with a typing error',
    { lissten: 'x:1', clusters: { a: servers } },
    [/^lissten: is not known here; did you mean "listen"\? \(its value is "x:1"\)/],
  ],
  [
    'names of a cluster with typing errors',
    { clusters: { 'a.b': { ...servers, 'sample.intervall.ms': 1, 'request.timeout': 5 } } },
    [
      /^clusters\["a\.b"\]\["sample\.intervall\.ms"\]: is not known here; did you mean "sample\.interval\.ms"/,
      /did you mean "request\.timeout\.ms"/,
    ],
  ],
  [
    'an address without a port',
    { listen: 'localhost', clusters: { a: servers } },
    [/^listen: is "localhost", and must be host:port/],
  ],
  [
    'a number out of range',
    { clusters: { a: { ...servers, 'sample.interval.ms': 5 } } },
    [/\["sample\.interval\.ms"\]: is 5, and must be at least 100/],
  ],
  [
    'a text for a number',
    { clusters: { a: { ...servers, 'allowed.lag': 'much' } } },
    [/\["allowed\.lag"\]: is "much", and must be a (?:whole )?number/],
  ],
  [
    'a rule set that is none',
    { clusters: { a: { ...servers, 'rule.set': 'borrow' } } },
    [/is "borrow", and must be one of sluice, burrow; did you mean "burrow"\?/],
  ],
  [
    'a pattern that is none',
    { clusters: { a: { ...servers, 'groups.allow': '(' } } },
    [/\["groups\.allow"\]: is "\(", and must be a regular expression/],
  ],
  [
    'a rule for groups without a pattern, and with an unknown name',
    { clusters: { a: { ...servers, groups: [{ 'alowed.lag': 5 }] } } },
    [
      /^clusters\.a\.groups\[0\]\.pattern: is missing, and must be a text/,
      /^clusters\.a\.groups\[0\]\["alowed\.lag"\]: is not known here; did you mean "allowed\.lag"/,
    ],
  ],
  [
    'a property of Kafka’s that is wrong',
    { clusters: { a: { ...servers, 'request.timeout.ms': -1 } } },
    [/^clusters\.a\["request\.timeout\.ms"\]: .*at least/],
  ],
  [
    'a window that is too small',
    { clusters: { a: { ...servers, 'window.samples': 4 } } },
    [/\["minimum\.samples"\]: is 5, and a window has only 4/],
  ],
  [
    'changes without a token',
    { 'allow.changes': true, clusters: { a: servers } },
    [/^\["allow\.changes"\]: is true, and takes a "token"/],
  ],
]

for (const [name, values, says] of wrong) {
  test(`monitor.yaml: ${name} is said with its place`, () => {
    const problems = problemsOf(values)
    assert.equal(problems.length, says.length, problems.join('\n'))
    for (const [index, pattern] of says.entries()) assert.match(problems[index]!, pattern)
  })
}

test('monitor.yaml: a secret that is wrong is not shown', () => {
  const problems = problemsOf({ token: 'short', clusters: { a: servers } })
  assert.equal(problems.length, 1)
  assert.match(problems[0]!, /^token: .*at least 8/)
  assert.doesNotMatch(problems[0]!, /short/)
})
