/** A burrow.toml as it is: what is honoured, and that what is not is named. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readBurrowToml } from '../../src/lag/burrow-toml.ts'
import { checkMonitorConf, MonitorConfError } from '../../src/lag/monitor-conf.ts'

function read(text: string) {
  const { values, notes } = readBurrowToml(text, 'burrow.toml')
  return {
    conf: checkMonitorConf(values, 'burrow.toml'),
    notes: notes.map(({ path, message }) => `${path}: ${message}`),
  }
}

const minimal = '[cluster.local]\nclass-name="kafka"\nservers=["a:1","b:2"]\n'

test('burrow.toml: the example that Burrow ships is honoured, and the rest of it named', () => {
  const { conf, notes } = read(readFileSync(new URL('vectors/burrow.toml', import.meta.url), 'utf8'))
  assert.deepEqual([conf.host, conf.port, conf.allowOrigin], ['0.0.0.0', 8000, 'mysite.example.com'])
  const [cluster] = conf.clusters
  assert.equal(conf.clusters.length, 1)
  assert.deepEqual(cluster!.properties, {
    'client.id': 'burrow-test',
    'bootstrap.servers': 'kafka01.example.com:10251,kafka02.example.com:10251,kafka03.example.com:10251',
  })
  const { ruleSet, collectBy, sampleIntervalMs, topicsEveryMs, intervals, minDistanceMs, minimumComplete } = cluster!
  assert.deepEqual([ruleSet, collectBy, sampleIntervalMs, topicsEveryMs], ['burrow', 'both', 30_000, 120_000])
  assert.deepEqual([intervals, minDistanceMs, minimumComplete], [15, 1000, 0])
  assert.ok(cluster!.deny!.test('console-consumer-1') && !cluster!.deny!.test('my-console-consumer-1'))
  const [notifier] = conf.notifiers
  assert.deepEqual([notifier!.name, notifier!.type], ['default', 'webhook'])
  const { url, threshold, 'interval.ms': interval, 'timeout.ms': timeout, 'send.close': close } = notifier!.settings
  assert.deepEqual(
    [url, threshold, interval, timeout, close],
    ['http://someservice.example.com:1467/v1/event', 'WARNING', 60_000, 5000, true],
  )
  for (const note of [
    /^general\.pidfile: is not honoured/,
    /^logging\.level: is not honoured: .*--log-level/,
    /^zookeeper\.servers: is not honoured: no ZooKeeper is needed/,
    /^client-profile\.test\.kafka-version: is not honoured/,
    /^consumer\.local_zk: is not honoured: of the class kafka_zk/,
    /^notifier\.default\.template-open: is not honoured: Go templates/,
    /^notifier\.default\.method-close: is not honoured/,
    /^notifier\.default\.threshold: is 1/,
  ]) {
    assert.ok(
      notes.some((one) => note.test(one)),
      `${note} among\n${notes.join('\n')}`,
    )
  }
})

test('burrow.toml: Burrow’s defaults, and what the evaluator says', () => {
  const { conf, notes } = read(
    `${minimal}[evaluator.default]\nclass-name="caching"\nallowed-lag=3\nminimum-complete=0.5\n`,
  )
  const [{ sampleIntervalMs, intervals, allowedLag, minimumComplete, collectBy }] = conf.clusters as [
    (typeof conf.clusters)[number],
  ]
  assert.deepEqual([sampleIntervalMs, intervals, allowedLag, minimumComplete, collectBy], [10_000, 10, 3, 0.5, 'admin'])
  assert.equal(notes.length, 2, notes.join('\n'))
})

test('burrow.toml: TLS and SASL become Kafka’s own properties', () => {
  const { values } = readBurrowToml(
    `[cluster.local]\nservers=["a:1"]\nclient-profile="p"\n[client-profile.p]\ntls="t"\nsasl="s"\n[tls.t]\ncafile="/ca.pem"\ncertfile="/c.pem"\nkeyfile="/k.pem"\n[sasl.s]\nusername="me"\npassword='a"b'\nmechanism="SCRAM-SHA-512"\n`,
    'burrow.toml',
  )
  const { local } = values['clusters'] as Record<string, Record<string, unknown>>
  assert.deepEqual(
    ['security.protocol', 'sasl.mechanism', 'ssl.truststore.location', 'ssl.keystore.key'].map((name) => local![name]),
    ['SASL_SSL', 'SCRAM-SHA-512', '/ca.pem', '${file:/k.pem}'],
  )
  assert.equal(
    local!['sasl.jaas.config'],
    String.raw`org.apache.kafka.common.security.scram.ScramLoginModule required username="me" password="a\"b";`,
  )
})

test('burrow.toml: an e-mail notifier, one that does nothing, and one of an unknown class', () => {
  const { conf, notes } = read(
    `${minimal}[notifier.mail]\nclass-name="email"\nserver="mx"\nport=2525\nfrom="a@b"\nto="c@d, e@f"\nthreshold=3\nsend-once=true\n[notifier.none]\nclass-name="null"\n[notifier.odd]\nclass-name="pager"\n`,
  )
  assert.deepEqual(
    conf.notifiers.map(({ name, type }) => [name, type]),
    [['mail', 'email']],
  )
  const { host, port, to, threshold, 'send.once': once } = conf.notifiers[0]!.settings
  assert.deepEqual([host, port, to, threshold, once], ['mx', 2525, ['c@d', 'e@f'], 'ERROR', true])
  assert.ok(notes.some((note) => note.startsWith('notifier.odd: is not honoured')))
})

test('burrow.toml: names that Burrow does not know are named with the nearest that it does', () => {
  const { notes } = read(`${minimal}topic-refesh=5\n[sotrage.default]\nintervals=5\n`)
  assert.deepEqual(
    notes.filter((note) => note.includes('not known')),
    [
      'cluster.local.topic-refesh: is not known to Burrow; did you mean "topic-refresh"?',
      'sotrage: is not known to Burrow; did you mean "storage"?',
    ],
  )
})

test('burrow.toml: what cannot be read, or names what is not there, is an error with its place', () => {
  const problem = (text: string): string => {
    try {
      read(text)
      return ''
    } catch (error) {
      assert.ok(error instanceof MonitorConfError)
      return error.message
    }
  }
  assert.match(problem('[cluster.local\n'), /^burrow\.toml has one problem:\n {2}line 1, column \d+: is not TOML/)
  assert.match(
    problem(`${minimal}client-profile="p"\n`),
    /cluster\.local\.client-profile: names "p", and there is no \[client-profile\.p\]/,
  )
  assert.match(problem('[general]\n'), /clusters: .* must name the clusters to watch/)
})
