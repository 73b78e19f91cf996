/**
 * What leaves the monitor before those who take it: InfluxDB 1.6 and Prometheus from Debian, promtool, and a StatsD server. Groups with names of every kind: what was sent
 * is asked for again, and must come back under the same name.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { startMonitorServer } from '../../src/lag/http/server.ts'
import { Monitor } from '../../src/lag/monitor.ts'
import type { MetricNames } from '../../src/lag/monitor-conf.ts'
import { type NotifierConf, type NotifierType, shapeOf } from '../../src/lag/notify/notifier-conf.ts'
import { Notifiers } from '../../src/lag/notify/notifiers.ts'
import { systemClock } from '../../src/seams/clock.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { SimulatedCluster } from '../lag/simulated-cluster.ts'
import { until } from '../support/until.ts'
import { startInfluxDb } from './influxdb.ts'
import { ensurePrometheus, promtool, startPrometheus } from './prometheus.ts'
import { startStatsd } from './statsd-exporter.ts'

const TICKS = 12
const names = ['plain', '결제 그룹', 'a=b, c', '"quoted"', 'a\\b', 'last\\', 'x:y|z#t', '100%', "it's", 'a\\,b', 'ü€𝄞']

/** Each group has a lag of its own, 10 for the first, 20 for the second …; the last partition is read to its end. */
async function watched(conf?: NotifierConf) {
  const cluster = new SimulatedCluster()
  const logs = cluster.topic('orders.v1', [1000, 1000])
  for (const [index, name] of names.entries()) {
    cluster
      .group(name)
      .assign('m', ['orders.v1', 0], ['orders.v1', 1])
      .commit('orders.v1', 0, 1000 + TICKS - 1 - 10 * (index + 1))
      .commit('orders.v1', 1, 1000)
  }
  const one = cluster.watch()
  const monitor = new Monitor({
    clusters: [one.monitor],
    version: '1',
    store: undefined,
    clock: cluster.clock,
    logger: silentLogger,
  })
  const clock = { ...systemClock, now: () => cluster.clock.now() }
  const notifiers = new Notifiers(conf ? [conf] : [], monitor, { clock, logger: silentLogger, random: seededRandom(1) })
  const tick = async (index: number) => {
    logs[0]!.end = 1000 + index
    one.monitor.publish(await one.tick())
    await notifiers.idle()
  }
  return { monitor, notifiers, tick }
}

function confOf(type: NotifierType, values: Record<string, unknown>): NotifierConf {
  return { name: type, type, settings: z.object(shapeOf(type)).parse(values) }
}

test('InfluxDB: every figure of every group is there under its own name', async (t) => {
  const influx = await startInfluxDb(t)
  await influx.query('', 'CREATE DATABASE kafka')
  const { notifiers, tick } = await watched(confOf('influxdb', { url: `${influx.url}/write?db=kafka` }))
  t.after(() => notifiers.close())
  for (let index = 0; index < TICKS; index++) await tick(index)
  assert.deepEqual(
    notifiers.states.map(({ sent, lost, problem }) => [sent, lost, problem]),
    [[TICKS, 0, undefined]],
  )
  const series = await influx.query(
    'kafka',
    'SELECT total_lag, max_lag, members, status FROM kafka_consumer_group GROUP BY "group", "cluster"',
  )
  // InfluxDB can hold no tag that ends with a backslash.
  const named = (name: string) => (name.endsWith('\\') ? `${name}_` : name)
  const lags = Object.fromEntries(names.map((name, index) => [named(name), 10 * (index + 1)]))
  assert.deepEqual(Object.fromEntries(series.map(({ tags, rows }) => [tags['group'], rows.at(-1)!['total_lag']])), lags)
  assert.ok(series.every(({ tags, rows }) => tags['cluster'] === 'local' && rows.length === TICKS))
  assert.ok(series.every(({ rows }) => rows.at(-1)!['status'] === 'ERROR' && rows.at(-1)!['members'] === 1))
  const partitions = await influx.query(
    'kafka',
    `SELECT committed, lag, lag_seconds FROM kafka_consumer_partition WHERE "partition" = '0' AND topic = 'orders.v1' GROUP BY "group"`,
  )
  assert.deepEqual(Object.fromEntries(partitions.map(({ tags, rows }) => [tags['group'], rows.at(-1)!['lag']])), lags)
  const types = await influx.query('kafka', 'SHOW FIELD KEYS FROM kafka_consumer_partition')
  assert.deepEqual(
    types[0]!.rows.map(({ fieldKey, fieldType }) => [fieldKey, fieldType]),
    [
      ['committed', 'integer'],
      ['lag', 'integer'],
      ['lag_seconds', 'float'],
      ['status', 'string'],
    ],
  )
})

test('InfluxDB: what it refuses is lost with the reason, and the next sample is taken when there is a database', async (t) => {
  const influx = await startInfluxDb(t)
  const { notifiers, tick } = await watched(confOf('influxdb', { url: `${influx.url}/write?db=later` }))
  t.after(() => notifiers.close())
  await tick(0)
  assert.equal(notifiers.states[0]!.lost, 1)
  assert.match(notifiers.states[0]!.problem!, /404.*database not found/)
  await influx.query('', 'CREATE DATABASE later')
  await tick(1)
  assert.deepEqual([notifiers.states[0]!.sent, notifiers.states[0]!.problem], [1, undefined])
  const [count] = await influx.query('later', 'SELECT count(total_lag) FROM kafka_consumer_group')
  assert.equal(count!.rows[0]!['count'], names.length)
})

/** Label values of a text for Prometheus, as it escapes them. */
function labelsOf(line: string): Record<string, string> {
  const pairs = [...line.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
  return Object.fromEntries(
    pairs.map(([, name, value]) => [
      name!,
      value!.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char)),
    ]),
  )
}

function series(text: string, name: string): { labels: Record<string, string>; value: number }[] {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  return lines.map((line) => ({ labels: labelsOf(line), value: Number(line.slice(line.lastIndexOf(' ') + 1)) }))
}

test('DogStatsD: every gauge is understood, with its tags', async (t) => {
  const statsd = await startStatsd(t)
  const { notifiers, tick } = await watched(confOf('statsd', { port: statsd.port }))
  t.after(() => notifiers.close())
  for (let index = 0; index < TICKS; index++) await tick(index)
  // Groups whose names differ in what a tag cannot hold have to differ in the rest.
  const wanted = Object.fromEntries(names.map((name, index) => [name.replaceAll(/[\s,|#:]/g, '_'), 10 * (index + 1)]))
  let text = ''
  const lags = () =>
    Object.fromEntries(
      series(text, 'kafka_consumer_lag')
        .filter(({ labels }) => labels['partition'] === '0')
        .map(({ labels, value }) => [labels['consumer_group'], value]),
    )
  await until(
    async () => {
      text = await statsd.metrics()
      return isDeepStrictEqual(lags(), wanted)
    },
    { everyMs: 100, withinMs: 20_000, what: 'the last lag of every group' },
  ).catch(() => {})
  assert.deepEqual(lags(), wanted)
  assert.deepEqual(
    series(text, 'kafka_broker_offset').map(({ labels, value }) => [labels['topic'], labels['partition'], value]),
    [
      ['orders.v1', '0', 1000 + TICKS - 1],
      ['orders.v1', '1', 1000],
    ],
  )
  for (const name of ['kafka_consumer_offset', 'kafka_consumer_group_members', 'kafka_estimated_consumer_lag'])
    assert.ok(series(text, name).length > 0, name)
  for (const { labels, value } of series(text, 'statsd_exporter_tag_errors_total')) assert.equal(value, 0, labels['x'])
  for (const { labels, value } of series(text, 'statsd_exporter_sample_errors_total'))
    assert.equal(value, 0, labels['reason'])
})

test('StatsD: without tags the names carry them, and all are understood', async (t) => {
  const statsd = await startStatsd(t)
  const { notifiers, tick } = await watched(
    confOf('statsd', { port: statsd.port, format: 'statsd', prefix: 'sluice.' }),
  )
  t.after(() => notifiers.close())
  for (let index = 0; index < TICKS; index++) await tick(index)
  let text = ''
  await until(
    async () => /^sluice_kafka_consumer_lag_local_plain_orders_v1_0 10$/m.test((text = await statsd.metrics())),
    {
      everyMs: 100,
      what: 'the lag of a group by its name',
    },
  )
  for (const { labels, value } of series(text, 'statsd_exporter_sample_errors_total'))
    assert.equal(value, 0, labels['reason'])
})

async function scraped(t: TestContext, metrics: MetricNames) {
  ensurePrometheus()
  const { monitor, tick } = await watched()
  for (let index = 0; index < TICKS; index++) await tick(index)
  const server = await startMonitorServer(monitor, {
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger,
    token: undefined,
    metrics,
  })
  t.after(() => server.close())
  const { isSound, findings } = promtool(await (await fetch(`${server.url}/metrics`)).text())
  assert.ok(isSound, findings.join('\n'))
  const prometheus = await startPrometheus(t, server.url.slice('http://'.length))
  return { prometheus, findings }
}

const metricsOf = {
  burrow: { lag: 'burrow_kafka_consumer_lag_total', group: 'consumer_group', only: 'burrow_kafka_consumer_status' },
  'kafka-lag-exporter': {
    lag: 'kafka_consumergroup_group_sum_lag',
    group: 'group',
    only: 'kafka_consumergroup_group_max_lag_seconds',
  },
} as const

for (const option of ['burrow', 'kafka-lag-exporter', 'both'] as const) {
  test(`Prometheus: promtool and Prometheus take the names of ${option}, and no others`, async (t) => {
    const { prometheus, findings } = await scraped(t, option)
    t.diagnostic(findings.join('\n') || 'promtool has nothing to say')
    const lags = Object.fromEntries(names.map((name, index) => [name, 10 * (index + 1)]))
    for (const [of, { lag, group, only }] of Object.entries(metricsOf)) {
      const isWanted = option === 'both' || option === of
      if (!isWanted) {
        assert.deepEqual(await prometheus.query(only), [], only)
        continue
      }
      let found: Record<string, number> = {}
      await until(
        async () => {
          const all = await prometheus.query(lag)
          found = Object.fromEntries(all.map(({ labels, value }) => [labels[group]!, value]))
          return Object.keys(found).length === names.length
        },
        { everyMs: 250, withinMs: 60_000, what: `${lag} of ${names.length} groups` },
      )
      assert.deepEqual(found, lags)
      assert.equal((await prometheus.query(only)).length, names.length, only)
    }
  })
}
