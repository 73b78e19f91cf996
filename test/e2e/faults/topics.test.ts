/** Topics that are not there, go away, or come back under the same name as another topic. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../support/until.ts'
import {
  adminOf,
  committedOffset,
  confFile,
  createTopic,
  endsInOrder,
  fileIds,
  fileSink,
  numbered,
  produce,
  range,
  runConf,
  sceneOf,
  sqliteSink,
  tableIds,
  untilStored,
} from './fixtures.ts'

const options = { 'auto.offset.reset': 'earliest', 'metadata.max.age.ms': 500 }

const noAutoCreation = { ...options, 'allow.auto.create.topics': false }

await test('a topic that does not exist: said, waited for, and read once it is there', async (t) => {
  const scene = await sceneOf(t)
  const { directory, bootstrapServers } = scene
  const process = runConf(t, await confFile(scene, { ...noAutoCreation, sink: sqliteSink(directory) }))
  await process.says(/the topic numbers does not exist, and nothing of it is read/, 'stderr')
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, numbered(0, 20))
  await untilStored(process, () => tableIds(directory), 20)
  await endsInOrder(process)
  assert.deepEqual(tableIds(directory), range(0, 20))
})

await test('a topic deleted while it is read: said, and SIGTERM ends it in good order', async (t) => {
  const scene = await sceneOf(t)
  const { directory, bootstrapServers } = scene
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, numbered(0, 20))
  const conf = await confFile(scene, { ...noAutoCreation, 'shutdown.timeout.ms': 5000, sink: sqliteSink(directory) })
  const process = runConf(t, conf)
  await untilStored(process, () => tableIds(directory), 20)
  await adminOf(t, bootstrapServers).deleteTopics(['numbers'])
  await process.says(/the topic numbers does not exist, and nothing of it is read/, 'stderr')
  await endsInOrder(process)
  assert.deepEqual(tableIds(directory), range(0, 20))
})

await test('partitions added while it runs are read too, from their first record', async (t) => {
  const scene = await sceneOf(t)
  const { directory, bootstrapServers } = scene
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, numbered(0, 20))
  // `latest` would leave out what came into a new partition before it was noticed.
  const process = runConf(t, await confFile(scene, { ...noAutoCreation, sink: sqliteSink(directory) }))
  await untilStored(process, () => tableIds(directory), 20)
  await adminOf(t, bootstrapServers).createPartitions({ numbers: 3 })
  for (const partition of [0, 1, 2]) {
    await produce(bootstrapServers, numbered(20 + 10 * partition, 30 + 10 * partition), 'numbers', partition)
  }
  await untilStored(process, () => tableIds(directory), 50)
  await endsInOrder(process)
  assert.deepEqual(
    tableIds(directory).toSorted((left, right) => left - right),
    range(0, 50),
  )
})

for (const { name, sink, ids } of [
  { name: 'sqlite', sink: sqliteSink, ids: tableIds },
  { name: 'file', sink: fileSink, ids: fileIds },
]) {
  await test(`${name}: a topic recreated while it is read stops the application before anything of the new one is stored`, async (t) => {
    const scene = await sceneOf(t)
    const { directory, bootstrapServers } = scene
    await createTopic(t, bootstrapServers)
    await produce(bootstrapServers, numbered(0, 20))
    // So slow to ask again that the consumer never sees the moment in which there is no topic.
    const slow = { 'metadata.max.age.ms': 300_000, 'retry.backoff.ms': 2000, 'retry.backoff.max.ms': 2000 }
    const conf = await confFile(scene, { ...noAutoCreation, ...slow, sink: sink(directory) })
    const process = runConf(t, conf)
    await untilStored(process, () => ids(directory), 20)
    const admin = adminOf(t, bootstrapServers)
    await until(async () => (await committedOffset(t, bootstrapServers)) === 20)
    await admin.deleteTopics(['numbers'])
    await admin.createTopics([{ name: 'numbers', partitions: 1 }])
    await produce(bootstrapServers, numbered(100, 140))
    const { code, stderr } = await process.ended
    assert.equal(code, 1, stderr)
    assert.match(
      stderr,
      /^sluice: .*the topic numbers was deleted and created again while numbers-0 was read: its id was \S+ and is \S+\./m,
    )
    assert.deepEqual(ids(directory), range(0, 20))
    const next = runConf(t, conf)
    if (name === 'file') {
      const ended = await next.ended
      assert.equal(ended.code, 1, ended.stderr)
      assert.match(ended.stderr, /holds the files of another topic of the same name .* Move the folder away/)
      assert.deepEqual(ids(directory), range(0, 20))
    } else {
      // Offsets in the table are kept by topic id: the new topic begins at its first record.
      await untilStored(next, () => ids(directory), 60)
      await endsInOrder(next)
      assert.deepEqual(ids(directory), [...range(0, 20), ...range(100, 140)])
    }
  })
}
