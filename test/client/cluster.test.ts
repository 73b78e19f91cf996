import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { Cluster } from '../../src/client/cluster.ts'
import { parseAdminConfig, type PropertyBag } from '../../src/client/config.ts'
import {
  AbortedError,
  BrokerUnavailableError,
  ClosedError,
  DisconnectedError,
  RequestTimeoutError,
  UnsupportedVersionError,
} from '../../src/client/errors.ts'
import { systemSeams } from '../../src/client/seams.ts'
import { describeCluster, fetch, listGroups, metadata } from '../../src/protocol/messages/index.ts'
import { until } from '../support/until.ts'
import { metadataOf, scriptedBroker } from './scripted-broker.ts'

function clusterOf(t: TestContext, bootstrapServers: string, properties: PropertyBag = {}): Cluster {
  const config = parseAdminConfig({ 'bootstrap.servers': bootstrapServers, 'client.id': 'test', ...properties })
  const cluster = new Cluster(config, systemSeams())
  t.after(() => cluster.close())
  return cluster
}

const listing = { statesFilter: [], typesFilter: [] }
const noGroups = { throttleTimeMs: 0, errorCode: 0, groups: [] }

test('connect: names every address and its cause when none can be reached', async (t) => {
  const cluster = clusterOf(t, '127.0.0.1:9,localhost:10')
  await assert.rejects(cluster.connect(), (error: BrokerUnavailableError) => {
    assert.ok(error instanceof BrokerUnavailableError)
    assert.equal(error.code, 'SLUICE_BROKER_UNAVAILABLE')
    assert.ok(error.retriable)
    assert.match(error.message, /127\.0\.0\.1:9 refused the connection \(ECONNREFUSED\)/)
    assert.match(error.message, /localhost:10 refused the connection \(ECONNREFUSED\)/)
    return true
  })
})

test('connect: one bootstrap server that answers is enough', async (t) => {
  const broker = await scriptedBroker(t)
  const cluster = clusterOf(t, `127.0.0.1:9,${broker.bootstrapServers}`)
  await cluster.connect()
  assert.equal(cluster.metadata.clusterId, 'scripted')
  assert.deepEqual([...cluster.metadata.brokers.keys()], [1])
})

test('connect: the bootstrap connection goes on as the broker its address belongs to', async (t) => {
  const broker = await scriptedBroker(t)
  broker.on('ListGroups', () => noGroups)
  const cluster = clusterOf(t, broker.bootstrapServers)
  await cluster.connect()
  await cluster.send(listGroups, 1, listing)
  assert.equal(broker.connections, 1)
  await cluster.send(listGroups, 1, listing, { channel: 'coordinator' })
  assert.equal(broker.connections, 2, 'another channel is another connection')
  assert.equal(broker.requests('ListGroups')[0]!.clientId, 'test')
})

test('versions: a broker that does not know ApiVersions 4 is asked again in the version it names', async (t) => {
  const broker = await scriptedBroker(t)
  const known = [
    { apiKey: 18, minVersion: 0, maxVersion: 2 },
    { apiKey: 3, minVersion: 0, maxVersion: 8 },
  ]
  broker.on('ApiVersions', (_request, version) => {
    if (version <= 2) return { errorCode: 0, apiKeys: known, throttleTimeMs: 0 }
    // Version 0: error code, then the array, whatever the request's version was.
    const body = Buffer.from([0, 0, 0, 16, 0, 0, 0, 1, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 2])
    return body
  })
  broker.on('Metadata', (request) => {
    const { errorCode: _, ...answer } = metadataOf(broker.port, { orders: 1 }, request)
    return { ...answer, topics: answer.topics.map((topic) => ({ ...topic, topicId: undefined })) }
  })
  const cluster = clusterOf(t, broker.bootstrapServers)
  await cluster.topic('orders', { timeoutMs: 5000 })
  assert.deepEqual(
    broker.requests('ApiVersions').map(({ version }) => version),
    [4, 2],
  )
  assert.equal(broker.requests('Metadata')[0]!.version, 8)
})

test('versions: none in common is an error that names broker, API and both ranges', async (t) => {
  const broker = await scriptedBroker(t, { versions: { Fetch: [0, 3] } })
  const cluster = clusterOf(t, broker.bootstrapServers)
  await cluster.connect()
  const request = () => assert.fail('no request can be made')
  await assert.rejects(cluster.send(fetch, 1, request), (error: UnsupportedVersionError) => {
    assert.ok(error instanceof UnsupportedVersionError)
    assert.match(
      error.message,
      new RegExp(`127.0.0.1:${broker.port} speaks Fetch in the versions 0 to 3, and 4 to 18 are needed`),
    )
    return true
  })
})

test('connect: a port that speaks another protocol is said to', async (t) => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const cluster = clusterOf(t, `127.0.0.1:${port}`)
  await assert.rejects(
    cluster.connect(),
    /did not agree on versions: .*not Kafka's protocol.*plain-text Kafka listener/s,
  )
})

test('connect: a server that accepts and says nothing is given up', async (t) => {
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const cluster = clusterOf(t, `127.0.0.1:${port}`, { 'socket.connection.setup.timeout.ms': 50 })
  await assert.rejects(cluster.connect(), BrokerUnavailableError)
})

test('send: a request without a response ends its connection, and what was sent behind it', async (t) => {
  const broker = await scriptedBroker(t)
  broker.on('DescribeCluster', () => 'silence')
  broker.on('ListGroups', () => 'silence')
  const cluster = clusterOf(t, broker.bootstrapServers, { 'request.timeout.ms': 30_000 })
  await cluster.connect()
  const request = { includeClusterAuthorizedOperations: false, includeFencedBrokers: false }
  const late = cluster.send(describeCluster, 1, request, { timeoutMs: 50 })
  const behind = cluster.send(listGroups, 1, listing)
  await assert.rejects(late, RequestTimeoutError)
  await assert.rejects(behind, DisconnectedError)
  broker.on('ListGroups', () => noGroups)
  await cluster.send(listGroups, 1, listing)
  assert.ok(broker.connections >= 2, 'another connection')
})

test('send: requests are pipelined, and each gets its own response', async (t) => {
  const broker = await scriptedBroker(t, { topics: { a: 1, b: 2, c: 3 } })
  const cluster = clusterOf(t, broker.bootstrapServers)
  await cluster.connect()
  const answers = await Promise.all(
    ['a', 'b', 'c', 'a', 'c'].map((name) => cluster.send(metadata, 1, { topics: [{ name, topicId: undefined }] })),
  )
  assert.deepEqual(
    answers.map(({ topics }) => topics[0]!.partitions.length),
    [1, 2, 3, 1, 3],
  )
})

test('send: a response that belongs to no request ends the connection', async (t) => {
  const broker = await scriptedBroker(t)
  broker.on('ListGroups', () => Buffer.from([0, 0, 0, 4, 9, 9, 9, 9]))
  const cluster = clusterOf(t, broker.bootstrapServers)
  await cluster.connect()
  await assert.rejects(
    cluster.send(listGroups, 1, listing),
    /not Kafka's protocol: a response that belongs to no request/,
  )
})

test('send: an aborted request is rejected at once, and its late response is dropped', async (t) => {
  const broker = await scriptedBroker(t)
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  broker.on('ListGroups', async (_request, _version, count) => {
    if (count === 0) await released
    return noGroups
  })
  const cluster = clusterOf(t, broker.bootstrapServers)
  await cluster.connect()
  const controller = new AbortController()
  const aborted = cluster.send(listGroups, 1, listing, { signal: controller.signal })
  const next = cluster.send(listGroups, 1, listing)
  await until(() => broker.requests('ListGroups').length === 1)
  controller.abort()
  await assert.rejects(aborted, AbortedError)
  release()
  assert.deepEqual((await next).groups, [])
  assert.equal(broker.connections, 1)
})

test('close: rejects what is under way, refuses what comes later, and leaves nothing', async (t) => {
  const broker = await scriptedBroker(t)
  broker.on('ListGroups', () => 'silence')
  const cluster = clusterOf(t, broker.bootstrapServers)
  await cluster.connect()
  const underway = cluster.send(listGroups, 1, listing)
  const rejected = assert.rejects(underway, ClosedError)
  await until(() => broker.requests('ListGroups').length === 1)
  await cluster.close()
  await rejected
  await assert.rejects(cluster.send(listGroups, 1, listing), ClosedError)
  await cluster.close()
})

test('metadata: a broken connection makes them stale, and they are fetched over another one', async (t) => {
  const broker = await scriptedBroker(t)
  const cluster = clusterOf(t, broker.bootstrapServers, { 'retry.backoff.ms': 1, 'reconnect.backoff.ms': 1 })
  await cluster.connect()
  const { version } = cluster.metadata
  broker.hangUp()
  await until(() => cluster.metadata.version > version)
  assert.ok(broker.connections >= 2)
})

test('metadata: refreshed after metadata.max.age.ms', async (t) => {
  const broker = await scriptedBroker(t)
  const cluster = clusterOf(t, broker.bootstrapServers, { 'metadata.max.age.ms': 20, 'retry.backoff.ms': 1 })
  await cluster.connect()
  await until(() => cluster.metadata.version >= 3)
})

test('metadata: an older leader epoch is ignored, a new topic id starts afresh', async (t) => {
  const broker = await scriptedBroker(t)
  const cluster = clusterOf(t, broker.bootstrapServers)
  const answer = (options: object) =>
    broker.on('Metadata', (request) => metadataOf(broker.port, { orders: 1 }, request, options))
  answer({ leaderEpoch: 5 })
  await cluster.topic('orders', { timeoutMs: 5000 })
  const orders = { topic: 'orders', partition: 0 }
  answer({ leaderEpoch: 4 })
  await cluster.refreshMetadata({ topics: ['orders'] })
  assert.equal(cluster.leader(orders)?.leaderEpoch, 5)
  answer({ leaderEpoch: 0, topicId: 'AAAAAAAAAAAAAAAAAAAAAg' })
  await cluster.refreshMetadata({ topics: ['orders'] })
  assert.equal(cluster.leader(orders)?.leaderEpoch, 0)
  assert.equal(cluster.metadata.nameOf('AAAAAAAAAAAAAAAAAAAAAg'), 'orders')
  assert.equal(cluster.metadata.nameOf('AAAAAAAAAAAAAAAAAAAAAQ'), undefined)
})

test('rebootstrap: when every known broker is gone, the bootstrap servers are asked again', async (t) => {
  const old = await scriptedBroker(t)
  const cluster = clusterOf(t, old.bootstrapServers, { 'retry.backoff.ms': 1, 'reconnect.backoff.ms': 1 })
  // The cluster names a broker that nobody can reach.
  old.on('Metadata', (request) => metadataOf(9, { orders: 1 }, request, { nodeId: 3 }))
  await cluster.connect()
  assert.deepEqual([...cluster.metadata.brokers.keys()], [3])
  old.on('Metadata', (request) => metadataOf(old.port, { orders: 1 }, request, { nodeId: 4 }))
  old.hangUp()
  await until(() => cluster.metadata.brokers.has(4))
})

test('coordinatorFor: asks once for all who want it, again after forget, and waits while there is none', async (t) => {
  const broker = await scriptedBroker(t)
  const found = { key: 'g', nodeId: 1, host: '127.0.0.1', port: broker.port, errorCode: 0, errorMessage: null }
  broker.on('FindCoordinator', (_request, _version, count) => ({
    coordinators: [count < 2 ? { ...found, nodeId: -1, errorCode: 15 } : found],
  }))
  const cluster = clusterOf(t, broker.bootstrapServers, { 'retry.backoff.ms': 1 })
  await cluster.connect()
  const nodes = await Promise.all([1, 2, 3].map(() => cluster.coordinatorFor('group', 'g')))
  assert.deepEqual(nodes, [1, 1, 1])
  assert.equal(broker.requests('FindCoordinator').length, 3)
  cluster.forgetCoordinator('group', 'g')
  await cluster.coordinatorFor('group', 'g')
  assert.equal(broker.requests('FindCoordinator').length, 4)
})

test('connections.max.idle.ms: an unused connection is closed and opened again when needed', async (t) => {
  const broker = await scriptedBroker(t)
  broker.on('ListGroups', () => noGroups)
  const cluster = clusterOf(t, broker.bootstrapServers, { 'connections.max.idle.ms': 30 })
  await cluster.connect()
  await until(() => cluster.readyConnection(1) === undefined)
  await cluster.send(listGroups, 1, listing)
  assert.ok(broker.connections >= 2)
})
