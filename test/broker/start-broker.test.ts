/** What a user's test gets of `startBroker`: a broker, faults on request, kill and restart. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { test, type TestContext } from 'node:test'
import {
  delay,
  disconnect,
  error,
  inOrder,
  once,
  startBroker,
  type StartBrokerOptions,
  type TestBroker,
  times,
  when,
} from '../../src/testing/index.ts'
import { codeOf } from '../../src/protocol/error-codes.ts'
import { heartbeat, metadata } from '../../src/protocol/messages/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { WireClient } from '../support/wire-client.ts'
import { batchOf, offsetOf, produceOne } from '../support/wire-requests.ts'

async function start(t: TestContext, options: StartBrokerOptions = {}): Promise<[TestBroker, WireClient]> {
  const broker = await startBroker(options)
  t.after(() => broker.stop())
  return [broker, await WireClient.connect(`127.0.0.1:${broker.port}`, t)]
}

const beat = (client: WireClient) => client.request(heartbeat, 4, { groupId: 'g', generationId: 1, memberId: 'm' })
const UNKNOWN_MEMBER_ID = codeOf('UNKNOWN_MEMBER_ID')
const NOT_COORDINATOR = codeOf('NOT_COORDINATOR')

test('startBroker: topics to begin with, by name, by count and with properties', async (t) => {
  const [broker, client] = await start(t, { topics: { one: {}, three: 3, small: { config: { 'retention.ms': 5 } } } })
  const { topics } = await client.request(metadata, 12, { topics: null })
  assert.deepEqual(
    topics.map(({ name, partitions }) => [name, partitions.length]),
    [
      ['one', 1],
      ['small', 1],
      ['three', 3],
    ],
  )
  assert.equal(broker.broker.context.logs.topic('small')!.config.retentionMs, 5)
})

test('startBroker: the temporary folder goes with the broker, one that was given stays', async (t) => {
  const broker = await startBroker()
  assert.ok(existsSync(broker.directory))
  await broker.stop()
  assert.ok(!existsSync(broker.directory))
  const directory = await temporaryDirectory(t)
  await (await startBroker({ directory })).stop()
  assert.ok(existsSync(directory))
})

test('startBroker: stops at the end of its scope, and twice is no harm', async (t) => {
  const broker = await startBroker()
  t.after(() => broker.stop())
  const address = broker.bootstrapServers
  // What `await using` calls at the end of its scope; Node 22 has no such declaration.
  await broker[Symbol.asyncDispose]()
  await broker.stop()
  await assert.rejects(WireClient.connect(address), { code: 'ECONNREFUSED' })
})

test('startBroker: a port that is taken is an error that says so, and frees the folder', async (t) => {
  const [broker] = await start(t)
  const directory = await temporaryDirectory(t)
  await assert.rejects(startBroker({ port: broker.port, directory }), /another process listens there/)
  await (await startBroker({ directory })).stop()
})

test('startBroker: a folder is not shared by two', async (t) => {
  const [broker] = await start(t)
  await assert.rejects(startBroker({ directory: broker.directory }), /lock|in use|another broker|process id/i)
})

test('kill: what was acknowledged is there after the restart, on the same port', async (t) => {
  const [broker, client] = await start(t, { topics: ['clicks'] })
  for (let count = 0; count < 20; count++) await produceOne(client, 9, 'clicks', batchOf(['a', 'b', 'c']))
  await broker.kill()
  await client.closed
  const { port } = broker
  await broker.restart()
  assert.equal(broker.port, port)
  const again = await WireClient.connect(broker.bootstrapServers, t)
  assert.equal((await offsetOf(again, 'clicks', -1)).offset, 60)
  assert.equal((await produceOne(again, 9, 'clicks', batchOf(['d']))).baseOffset, 60)
})

test('restart: a clean one keeps everything and the rules that were set', async (t) => {
  const [broker, client] = await start(t, { topics: ['clicks'] })
  await produceOne(client, 9, 'clicks', batchOf(['a']))
  broker.intercept('Heartbeat', error('NOT_COORDINATOR'))
  await broker.restart()
  const again = await WireClient.connect(broker.bootstrapServers, t)
  assert.equal((await offsetOf(again, 'clicks', -1)).offset, 1)
  assert.equal((await beat(again)).errorCode, NOT_COORDINATOR)
})

test('startBroker: clients are told an address that they can reach', async (t) => {
  const [, client] = await start(t)
  const told = await client.request(metadata, 12, { topics: [] })
  assert.equal(told.brokers[0]!.host, '127.0.0.1')
  const [everywhere] = await start(t, { host: '0.0.0.0' })
  const near = await WireClient.connect(`127.0.0.1:${everywhere.port}`, t)
  assert.equal((await near.request(metadata, 12, { topics: [] })).brokers[0]!.host, hostname())
})

test('intercept: once answers the first request only', async (t) => {
  const [broker, client] = await start(t)
  const rule = broker.intercept('Heartbeat', once(error('NOT_COORDINATOR')))
  assert.deepEqual(
    [(await beat(client)).errorCode, (await beat(client)).errorCode],
    [NOT_COORDINATOR, UNKNOWN_MEMBER_ID],
  )
  assert.equal(rule.seen, 2)
})

test('intercept: times counts, and a rule that was removed is gone', async (t) => {
  const [broker, client] = await start(t)
  const rule = broker.intercept('Heartbeat', times(3, error('NOT_COORDINATOR')))
  assert.equal((await beat(client)).errorCode, NOT_COORDINATOR)
  assert.equal((await beat(client)).errorCode, NOT_COORDINATOR)
  rule.remove()
  assert.equal((await beat(client)).errorCode, UNKNOWN_MEMBER_ID)
})

test('intercept: rules of one API are asked in order until one answers', async (t) => {
  const [broker, client] = await start(t)
  broker.intercept('Heartbeat', once(error('NOT_COORDINATOR')))
  broker.intercept('Heartbeat', error('REBALANCE_IN_PROGRESS'))
  const answers = [(await beat(client)).errorCode, (await beat(client)).errorCode]
  assert.deepEqual(answers, [NOT_COORDINATOR, codeOf('REBALANCE_IN_PROGRESS')])
})

test('intercept: delay holds up, when chooses, inOrder goes on until one answers', async (t) => {
  const [broker, client] = await start(t)
  const other = (request: { memberId: string }) => request.memberId === 'other'
  broker.intercept('Heartbeat', when(other, inOrder(delay(5), error('NOT_COORDINATOR'))))
  assert.equal((await beat(client)).errorCode, UNKNOWN_MEMBER_ID)
  const delayed = await client.request(heartbeat, 4, { groupId: 'g', generationId: 1, memberId: 'other' })
  assert.equal(delayed.errorCode, NOT_COORDINATOR)
})

test('intercept: disconnect closes the connection before the request is handled, or after it', async (t) => {
  const [broker, client] = await start(t, { topics: ['clicks'] })
  broker.intercept('Produce', once(disconnect()))
  await assert.rejects(produceOne(client, 9, 'clicks', batchOf(['a'])), /connection closed/)
  const second = await WireClient.connect(broker.bootstrapServers, t)
  assert.equal((await offsetOf(second, 'clicks', -1)).offset, 0)
  broker.intercept('Produce', once(disconnect({ when: 'after' })))
  await assert.rejects(produceOne(second, 9, 'clicks', batchOf(['a'])), /connection closed/)
  const third = await WireClient.connect(broker.bootstrapServers, t)
  assert.equal((await offsetOf(third, 'clicks', -1)).offset, 1)
})

test('intercept: a function sees the request and may answer it', async (t) => {
  const [broker, client] = await start(t)
  const seen: unknown[] = []
  broker.intercept('Heartbeat', (request: { memberId: string }, { version, clientId, api }) => {
    seen.push([api.name, version, clientId, request.memberId])
    return seen.length === 1 ? undefined : { throttleTimeMs: 7, errorCode: 0 }
  })
  assert.equal((await beat(client)).errorCode, UNKNOWN_MEMBER_ID)
  assert.deepEqual(await beat(client), { throttleTimeMs: 7, errorCode: 0 })
  assert.deepEqual(seen[0], ['Heartbeat', 4, 'wire', 'm'])
})

test('intercept: an API that does not exist is an error that names the nearest', async (t) => {
  const [broker] = await start(t)
  assert.throws(() => broker.intercept('OffsetComit', once()), /no API "OffsetComit": did you mean "OffsetCommit"\?/)
})
