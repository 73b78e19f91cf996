/** The broker is not there when an application starts, or goes away and comes back: said with address and cause, nothing lost, and a signal ends it all the same. */
import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { spawnBroker } from '../sluice-process.ts'
import {
  brokerProperties as properties,
  confFile,
  createTopic,
  endsInOrder,
  numbered,
  produce,
  range,
  runConf,
  sceneOf,
  sqliteSink,
  tableIds,
  untilStored,
} from './fixtures.ts'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const options = { 'auto.offset.reset': 'earliest' }

await test('no broker at the start: said with address and cause, tried again, and goes on when it appears', async (t) => {
  const directory = await temporaryDirectory(t)
  const port = await freePort()
  const bootstrapServers = `127.0.0.1:${port}`
  const conf = await confFile({ directory, bootstrapServers }, { ...options, sink: sqliteSink(directory) })
  const process = runConf(t, conf)
  await process.says(
    new RegExp(
      `no broker can be reached at ${bootstrapServers} \\(connection refused: nothing listens there, ECONNREFUSED\\). Trying again every 3 s`,
    ),
    'stderr',
  )
  await spawnBroker(t, join(directory, 'data'), { properties, port })
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, numbered(0, 50))
  await untilStored(process, () => tableIds(directory), 50)
  await endsInOrder(process)
  assert.deepEqual(tableIds(directory), range(0, 50))
})

await test('no broker at the start: SIGTERM ends it in good order', async (t) => {
  const directory = await temporaryDirectory(t)
  const bootstrapServers = `127.0.0.1:${await freePort()}`
  const process = runConf(
    t,
    await confFile({ directory, bootstrapServers }, { ...options, sink: sqliteSink(directory) }),
  )
  await process.says(/no broker can be reached/, 'stderr')
  await endsInOrder(process)
})

await test('no broker at the start, --fail-fast: exit code 1 with address and cause', async (t) => {
  const directory = await temporaryDirectory(t)
  const bootstrapServers = `127.0.0.1:${await freePort()}`
  const conf = await confFile({ directory, bootstrapServers }, { sink: sqliteSink(directory) })
  const process = runConf(t, conf, { arguments: ['--fail-fast'] })
  const { code, stderr } = await process.ended
  assert.equal(code, 1)
  assert.match(
    stderr,
    new RegExp(`^sluice: no broker can be reached at ${bootstrapServers} \\(connection refused`, 'm'),
  )
})

await test('a server that accepts and never answers: said, and SIGTERM ends it in good order', async (t) => {
  const directory = await temporaryDirectory(t)
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const bootstrapServers = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const process = runConf(
    t,
    await confFile({ directory, bootstrapServers }, { ...options, sink: sqliteSink(directory) }),
  )
  await process.says(/the cluster does not answer: .*Trying again/, 'stderr')
  await endsInOrder(process)
})

await test('the broker dies in the middle and comes back: each record once', async (t) => {
  const scene = await sceneOf(t)
  const { directory, bootstrapServers, port, data } = scene
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, numbered(0, 50))
  const process = runConf(t, await confFile(scene, { ...options, sink: sqliteSink(directory) }))
  await untilStored(process, () => tableIds(directory), 50)
  scene.broker.kill('SIGKILL')
  await scene.broker.ended
  await process.says(new RegExp(`${bootstrapServers}.*ECONNREFUSED|ECONNREFUSED.*${bootstrapServers}`), 'stderr')
  await spawnBroker(t, data, { properties, port })
  await produce(bootstrapServers, numbered(50, 100))
  await untilStored(process, () => tableIds(directory), 100)
  await endsInOrder(process)
  assert.deepEqual(tableIds(directory), range(0, 100))
})

await test('the broker is away: SIGTERM ends it within shutdown.timeout.ms, and what was stored is not stored again', async (t) => {
  const scene = await sceneOf(t)
  const { directory, bootstrapServers, port, data } = scene
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, numbered(0, 50))
  const conf = await confFile(scene, { ...options, 'shutdown.timeout.ms': 3000, sink: sqliteSink(directory) })
  const process = runConf(t, conf)
  await untilStored(process, () => tableIds(directory), 50)
  scene.broker.kill('SIGKILL')
  await scene.broker.ended
  await endsInOrder(process)
  await spawnBroker(t, data, { properties, port })
  await produce(bootstrapServers, numbered(50, 60))
  const next = runConf(t, conf)
  await untilStored(next, () => tableIds(directory), 60)
  await endsInOrder(next)
  assert.deepEqual(tableIds(directory), range(0, 60))
})
