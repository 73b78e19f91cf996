/** The monitor's HTTP: its own API held to its description, the event stream, and Burrow's API held to what Burrow answers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get } from 'node:http'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type * as z from 'zod'
import type { GroupDetail, GroupHistory, MonitorEvent, Overview } from '../../src/lag/api-types.ts'
import { changeEndpoints } from '../../src/lag/http/changes-api.ts'
import { endpoints } from '../../src/lag/http/rest-api.ts'
import { errorSchema, eventSchemas } from '../../src/lag/http/schemas.ts'
import { type MonitorServerSettings, startMonitorServer } from '../../src/lag/http/server.ts'
import { Monitor } from '../../src/lag/monitor.ts'
import { Store, storeDefaults } from '../../src/lag/store.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { SimulatedCluster, START, type Watched } from './simulated-cluster.ts'

interface Served {
  readonly url: string
  readonly monitor: Monitor
  readonly watched: Watched
  readonly cluster: SimulatedCluster
  /** A sample, told to everybody who listens. */
  tick(): Promise<void>
  json<T = any>(path: string): Promise<{ status: number; body: T }>
}

/** A stopped group, one that is well, and names that have to be written with care. */
async function serve(t: TestContext, over: Partial<MonitorServerSettings> = {}): Promise<Served> {
  const cluster = new SimulatedCluster()
  cluster.topic('orders', [500, 500])
  cluster.group('stopped').leave().commit('orders', 0, 100)
  cluster
    .group('주문 소비자/1')
    .assign('m', ['orders', 0], ['orders', 1])
    .commit('orders', 0, 500)
    .commit('orders', 1, 500)
  const watched = cluster.watch()
  const path = join(await temporaryDirectory(t), 'lag.db')
  const store = await Store.open({ path, ...storeDefaults }, { disk: systemDisk, logger: silentLogger })
  const monitor = new Monitor({
    clusters: [watched.monitor],
    version: '1.2.3',
    store,
    clock: cluster.clock,
    logger: silentLogger,
  })
  t.after(() => monitor.stop())
  const server = await startMonitorServer(monitor, {
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger,
    token: undefined,
    ...over,
  })
  t.after(() => server.close())
  return {
    url: server.url,
    monitor,
    watched,
    cluster,
    async tick() {
      watched.monitor.publish(await watched.tick())
    },
    async json(path) {
      const response = await fetch(`${server.url}${path}`)
      return { status: response.status, body: await response.json() } as any
    },
  }
}

async function ticks(served: Served, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await served.tick()
}

const korean = encodeURIComponent('주문 소비자/1')

test('api: every answer is what the description says', async (t) => {
  const served = await serve(t)
  await ticks(served, 12)
  const values: Record<string, string> = { cluster: 'local', group: 'stopped', topic: 'orders', partition: '0' }
  for (const { path, response } of endpoints) {
    const { status, body } = await served.json(path.replaceAll(/:(\w+)/g, (_, name: string) => values[name]!))
    assert.equal(status, 200, path)
    const parsed = (response as z.ZodType).safeParse(body)
    assert.ok(parsed.success, `${path}: ${parsed.error?.message}`)
  }
})

test('api: the description is OpenAPI, names every path, and is served', async (t) => {
  const served = await serve(t)
  const { body } = await served.json('/api/v1/openapi.json')
  assert.match(body.openapi, /^3\.1\./)
  assert.equal(body.info.version, '1.2.3')
  assert.deepEqual(
    Object.keys(body.paths).sort(),
    [
      ...new Set([...endpoints, ...changeEndpoints].map(({ path }) => path.replaceAll(/:(\w+)/g, '{$1}'))),
      '/api/v1/events',
    ].sort(),
  )
  const operations = Object.entries<any>(body.paths).flatMap(([path, methods]) =>
    Object.values<any>(methods).map((operation) => [path, operation] as const),
  )
  assert.equal(operations.length, endpoints.length + changeEndpoints.length + 1)
  for (const [path, operation] of operations) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
    const inPath = operation.parameters.filter((one: any) => one.in === 'path')
    assert.deepEqual(
      inPath.map((one: any) => one.name),
      named,
      path,
    )
    assert.ok(inPath.every((one: any) => one.required))
    assert.ok(operation.responses[200].content)
  }
})

test('api: the worst group comes first, with the reason; a group in Korean is found by its name', async (t) => {
  const served = await serve(t)
  await ticks(served, 12)
  const { body } = await served.json<Overview>('/api/v1/overview')
  assert.deepEqual(
    body.groups.map(({ group, status }) => [group, status]),
    [
      ['stopped', 'ERROR'],
      ['주문 소비자/1', 'OK'],
    ],
  )
  assert.match(body.groups[0]!.evidence!, /400 records wait/)
  assert.deepEqual(body.clusters[0]!.counts, { OK: 1, WARNING: 0, ERROR: 1, UNKNOWN: 0 })
  const group = await served.json<GroupDetail>(`/api/v1/clusters/local/groups/${korean}`)
  assert.deepEqual([group.body.group, group.body.partitionList.length], ['주문 소비자/1', 2])
  assert.equal(group.body.memberList[0]!.host, '10.0.0.1')
  const found = await served.json(`/api/v1/clusters/local/groups?search=STOP&status=ERROR&topic=orders`)
  assert.deepEqual([found.body.total, found.body.groups[0].group], [1, 'stopped'])
  const none = await served.json('/api/v1/clusters/local/groups?limit=1&offset=1')
  assert.deepEqual([none.body.total, none.body.groups.length], [2, 1])
})

test('api: history comes from the store, by time range', async (t) => {
  const served = await serve(t)
  await ticks(served, 12)
  const { body } = await served.json<GroupHistory>('/api/v1/clusters/local/groups/stopped/history')
  assert.ok(body.points.length >= 3, `${body.points.length} points`)
  assert.equal(body.points.at(-1)!.totalLag, 400)
  const early = await served.json<GroupHistory>(
    `/api/v1/clusters/local/groups/stopped/history?from=${START}&to=${START}`,
  )
  assert.equal(early.body.points.length, 1)
})

test('api: what is not there or wrongly asked for is said, in one form', async (t) => {
  const served = await serve(t)
  await ticks(served, 1)
  const cases: [path: string, status: number, says: RegExp][] = [
    ['/api/v1/clusters/nowhere', 404, /no cluster nowhere is watched; there are local/],
    ['/api/v1/overview?cluster=nowhere', 404, /no cluster nowhere/],
    ['/api/v1/clusters/local/groups/nobody', 404, /has no group nobody/],
    ['/api/v1/clusters/local/groups/stopped/topics/orders/partitions/1', 404, /committed nothing on orders-1/],
    ['/api/v1/clusters/local/groups/stopped/topics/orders/partitions/x', 400, /path\.partition/],
    ['/api/v1/clusters/local/topics/none', 404, /has no topic none/],
    ['/api/v1/clusters/local/groups?status=BAD', 400, /query\.status: .*"OK"\|"WARNING"/],
    ['/api/v1/clusters/local/groups?colour=red', 400, /query: .*colour/],
    ['/api/v1/clusters/local/groups/stopped/history?from=5&to=1', 400, /from \(5\) is after to \(1\)/],
    ['/api/v1/events?group=stopped', 400, /takes a cluster/],
    ['/api/v2', 404, /there is nothing at \/api\/v2/],
  ]
  for (const [path, status, says] of cases) {
    const answer = await served.json(path)
    assert.equal(answer.status, status, path)
    assert.match(errorSchema.parse(answer.body).error.message, says)
  }
})

test('api: health, and readiness after the first sample', async (t) => {
  const served = await serve(t)
  assert.deepEqual([(await served.json('/healthz')).status, (await served.json('/readyz')).status], [200, 503])
  assert.equal(await (await fetch(`${served.url}/burrow/admin/ready`)).text(), 'STARTING')
  await served.tick()
  assert.equal((await served.json('/readyz')).status, 200)
  assert.equal(await (await fetch(`${served.url}/burrow/admin/ready`)).text(), 'READY')
  assert.equal(await (await fetch(`${served.url}/burrow/admin`)).text(), 'GOOD')
})

/** Reads the stream as a browser does. */
async function listen(t: TestContext, url: string): Promise<MonitorEvent[]> {
  const events: MonitorEvent[] = []
  const request = get(url)
  t.after(() => request.destroy())
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage]
  assert.equal(response.headers['content-type'], 'text/event-stream')
  let text = ''
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, type, data] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end)) ?? []
      text = text.slice(end + 2)
      if (type === undefined) continue
      const event = JSON.parse(data!) as MonitorEvent
      assert.equal(event.type, type)
      assert.doesNotThrow(() => eventSchemas[event.type].parse(event))
      events.push(event)
    }
  })
  response.on('error', () => {})
  return events
}

test('events: an overview at once, then what changes, and a status that changes by name', async (t) => {
  const served = await serve(t)
  await served.tick()
  const events = await listen(t, `${served.url}/api/v1/events`)
  await until(() => events.length === 1)
  assert.equal(events[0]!.type, 'overview')
  await ticks(served, 11)
  await until(() => events.filter(({ type }) => type === 'sample').length === 11)
  const samples = events.filter((event) => event.type === 'sample')
  assert.equal(samples[0]!.groups.length, 2, 'the first sample brings everybody')
  assert.ok(
    samples.slice(1).every(({ groups }) => groups.every(({ group }) => group === 'stopped')),
    'then only who changed',
  )
  const status = events.find((event) => event.type === 'status')!
  assert.deepEqual([status.group, status.before, status.status], ['stopped', 'OK', 'ERROR'])
  served.cluster.groups.delete('stopped')
  await served.tick()
  await until(() => events.some((event) => event.type === 'sample' && event.gone.includes('stopped')))
})

test('events: whoever looks at one group gets its partitions with each sample', async (t) => {
  const served = await serve(t)
  await served.tick()
  const events = await listen(t, `${served.url}/api/v1/events?cluster=local&group=stopped`)
  await served.tick()
  await until(() => events.filter(({ type }) => type === 'group').length === 2)
  const detail = events.findLast((event) => event.type === 'group')!.detail
  assert.deepEqual(
    detail.partitionList.map(({ lag }) => lag),
    [400],
  )
})

test('events: a client that does not read is passed by, and gets an overview when it reads again', async (t) => {
  const served = await serve(t)
  for (let index = 0; index < 400; index++)
    served.cluster.group(`group-${index}-${'x'.repeat(200)}`).commit('orders', 0, index)
  await served.tick()
  const request = get(`${served.url}/api/v1/events`)
  t.after(() => request.destroy())
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage]
  response.pause()
  const before = process.memoryUsage().arrayBuffers
  for (let index = 0; index < 100; index++) {
    for (const [groupId, group] of served.cluster.groups)
      if (groupId.startsWith('group-')) group.commit('orders', 0, index)
    await served.tick()
  }
  const held = process.memoryUsage().arrayBuffers - before
  assert.ok(held < 64 * 1024 * 1024, `${held} bytes are held`)
  let text = ''
  response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  response.on('error', () => {})
  response.resume()
  await until(async () => {
    await served.tick()
    return text.split('event: overview').length >= 3
  })
})

test('burrow: a consumer’s lag, as Burrow answers it', async (t) => {
  const served = await serve(t)
  await served.tick()
  served.cluster.groups.get('stopped')!.commit('orders', 0, 150)
  await served.tick()
  const { status, body } = await served.json('/v3/kafka/local/consumer/stopped/lag')
  const partition = {
    topic: 'orders',
    partition: 0,
    owner: '',
    client_id: '',
    status: 'OK',
    start: { offset: 100, timestamp: START, observedAt: START, lag: 400 },
    end: { offset: 150, timestamp: START + 10_000, observedAt: START + 10_000, lag: 350 },
    current_lag: 350,
    complete: 0.2,
  }
  assert.equal(status, 200)
  // The form of Burrow 1.2.1's answer on Kafka 2.8.2; `observedAt` came with Burrow 1.4.
  assert.deepEqual(body, {
    error: false,
    message: 'consumer status returned',
    status: {
      cluster: 'local',
      group: 'stopped',
      status: 'OK',
      complete: 0,
      partitions: [
        partition,
        {
          topic: 'orders',
          partition: 1,
          owner: '',
          client_id: '',
          status: 'OK',
          start: null,
          end: null,
          current_lag: 0,
          complete: 0,
        },
      ],
      partition_count: 2,
      maxlag: partition,
      totallag: 350,
    },
    request: { url: '/v3/kafka/local/consumer/stopped/lag', host: hostname() },
  })
})

test('burrow: status shows bad partitions only, and a group that is not there is NOTFOUND with 404', async (t) => {
  const served = await serve(t)
  await ticks(served, 12)
  const { body } = await served.json('/v3/kafka/local/consumer/stopped/status')
  assert.equal(body.status.status, 'ERR')
  assert.deepEqual(
    body.status.partitions.map((one: any) => [one.partition, one.status]),
    [[0, 'STOP']],
  )
  const well = await served.json(`/v3/kafka/local/consumer/${korean}/status`)
  assert.deepEqual(
    [well.body.status.status, well.body.status.partitions, well.body.status.partition_count],
    ['OK', [], 2],
  )
  const missing = await served.json('/v3/kafka/local/consumer/nobody/lag')
  assert.equal(missing.status, 404)
  assert.deepEqual(missing.body.status, {
    cluster: 'local',
    group: 'nobody',
    status: 'NOTFOUND',
    complete: 1,
    partitions: [],
    partition_count: 0,
    maxlag: null,
    totallag: 0,
  })
})

test('burrow: lists, topics, consumers and modules', async (t) => {
  const served = await serve(t)
  await served.tick()
  const answers: [path: string, status: number, body: object][] = [
    ['/v3/kafka', 200, { error: false, message: 'cluster list returned', clusters: ['local'] }],
    ['/v3/kafka/local/topic', 200, { error: false, message: 'topic list returned', topics: ['orders'] }],
    ['/v3/kafka/local/topic/orders', 200, { error: false, message: 'topic offsets returned', offsets: [500, 500] }],
    [
      '/v3/kafka/local/topic/orders/consumers',
      200,
      { error: false, message: 'consumers of topic returned', consumers: ['stopped', '주문 소비자/1'] },
    ],
    [
      '/v3/kafka/local/consumer',
      200,
      { error: false, message: 'consumer list returned', consumers: ['stopped', '주문 소비자/1'] },
    ],
    ['/v3/kafka/nowhere/consumer', 404, { error: true, message: 'cluster not found' }],
    ['/v3/kafka/local/topic/none', 404, { error: true, message: 'cluster or topic not found' }],
    ['/v3/kafka/local/consumer/nobody', 404, { error: true, message: 'cluster or consumer not found' }],
    [
      '/v3/config/cluster',
      200,
      { error: false, message: 'module list returned', coordinator: 'cluster', modules: ['local'] },
    ],
    ['/v3/config/storage/none', 404, { error: true, message: 'storage module not found' }],
    ['/v3/admin/loglevel', 200, { error: false, message: 'log level returned', level: 'info' }],
  ]
  for (const [path, status, expected] of answers) {
    const { status: code, body } = await served.json(path)
    const { request, ...rest } = body
    assert.deepEqual([code, rest, request.url], [status, expected, path])
  }
  const { body } = await served.json('/v3/kafka/local')
  assert.deepEqual(body.module, {
    'class-name': 'kafka',
    servers: ['127.0.0.1:9092'],
    'client-profile': { name: 'sluice', 'client-id': 'sluice-monitor', 'kafka-version': '', tls: null, sasl: null },
    'topic-refresh': 60,
    'offset-refresh': 10,
  })
  const consumer = await served.json('/v3/kafka/local/consumer/stopped')
  const { orders } = consumer.body.topics
  assert.equal(orders[0].offsets.length, 10)
  assert.deepEqual(orders[0].offsets.slice(8), [null, { offset: 100, timestamp: START, observedAt: START, lag: 400 }])
  assert.deepEqual([orders[0]['current-lag'], orders[0].owner, orders[1].offsets], [400, '', []])
  const unknown = await served.json('/v3/nothing')
  assert.deepEqual([unknown.status, unknown.body], [404, { error: true, message: 'invalid request type', result: {} }])
})

test('burrow: (#646) nothing is deleted without a token', async (t) => {
  const closed = await serve(t)
  await closed.tick()
  const remove = (served: Served, path: string, headers: Record<string, string> = {}) =>
    fetch(`${served.url}${path}`, { method: 'DELETE', headers })
  const refused = await remove(closed, '/v3/kafka/local/consumer/stopped')
  assert.equal(refused.status, 403)
  assert.match(((await refused.json()) as any).message, /changes are off/)
  const open = await serve(t, { token: 'let me in' })
  await open.tick()
  assert.equal((await remove(open, '/v3/kafka/local/consumer/stopped', { authorization: 'Bearer wrong' })).status, 401)
  assert.ok(open.watched.monitor.state.groups.has('stopped'))
  const done = await remove(open, '/v3/kafka/local/consumer/stopped', { authorization: 'Bearer let me in' })
  assert.deepEqual([done.status, ((await done.json()) as any).message], [200, 'consumer group removed'])
  assert.ok(!open.watched.monitor.state.groups.has('stopped'))
  const level = await fetch(`${closed.url}/v3/admin/loglevel`, {
    method: 'POST',
    body: '{"level":"debug"}',
    headers: { 'content-type': 'application/json' },
  })
  assert.equal(level.status, 403)
})

test('metrics: Burrow’s names, with the partition’s own number, and series that leave with their group', async (t) => {
  const served = await serve(t)
  await ticks(served, 12)
  const scrape = async () => (await fetch(`${served.url}/metrics`)).text()
  const text = await scrape()
  for (const line of [
    'burrow_kafka_consumer_lag_total{cluster="local",consumer_group="stopped"} 400',
    'burrow_kafka_consumer_status{cluster="local",consumer_group="stopped"} 3',
    'burrow_kafka_consumer_status{cluster="local",consumer_group="주문 소비자/1"} 1',
    'burrow_kafka_consumer_partition_lag{cluster="local",consumer_group="stopped",topic="orders",partition="0"} 400',
    'burrow_kafka_consumer_current_offset{cluster="local",consumer_group="stopped",topic="orders",partition="0"} 100',
    'burrow_kafka_topic_partition_status{cluster="local",consumer_group="stopped",topic="orders",partition="0"} 4',
    'burrow_kafka_topic_partition_offset{cluster="local",topic="orders",partition="1"} 500',
    'sluice_monitor_up{cluster="local"} 1',
    'sluice_monitor_groups{cluster="local",status="ERROR"} 1',
  ]) {
    assert.ok(text.includes(`${line}\n`), line)
  }
  assert.doesNotMatch(text, /NaN|kafka_consumergroup/)
  assert.match(text, /process_cpu_seconds_total/)
  served.cluster.groups.delete('stopped')
  await served.tick()
  assert.doesNotMatch(await scrape(), /stopped/)
})

test('metrics: kafka-lag-exporter’s names; a time lag that is not known has no series', async (t) => {
  const served = await serve(t, { metrics: 'kafka-lag-exporter' })
  await ticks(served, 2)
  const text = await (await fetch(`${served.url}/metrics`)).text()
  for (const line of [
    'kafka_partition_latest_offset{cluster_name="local",topic="orders",partition="0"} 500',
    'kafka_partition_earliest_offset{cluster_name="local",topic="orders",partition="0"} 0',
    'kafka_consumergroup_group_sum_lag{cluster_name="local",group="stopped"} 400',
    'kafka_consumergroup_group_max_lag{cluster_name="local",group="stopped"} 400',
    'kafka_consumergroup_group_topic_sum_lag{cluster_name="local",group="stopped",topic="orders"} 400',
    'kafka_consumergroup_group_lag{cluster_name="local",group="stopped",topic="orders",partition="0",member_host="",consumer_id="",client_id=""} 400',
    'kafka_consumergroup_group_lag_seconds{cluster_name="local",group="주문 소비자/1",topic="orders",partition="0",member_host="10.0.0.1",consumer_id="m",client_id="client-m"} 0',
    'kafka_consumergroup_group_max_lag_seconds{cluster_name="local",group="주문 소비자/1"} 0',
  ]) {
    assert.ok(text.includes(`${line}\n`), line)
  }
  assert.doesNotMatch(text, /lag_seconds\{[^}]*group="stopped"|burrow_|NaN/)
})

test('server: an address that is taken is said', async (t) => {
  const served = await serve(t)
  const port = Number(new URL(served.url).port)
  const again = startMonitorServer(served.monitor, { host: '127.0.0.1', port, logger: silentLogger, token: undefined })
  await assert.rejects(again, /the monitor cannot listen on 127\.0\.0\.1:\d+: the port is in use/)
})
