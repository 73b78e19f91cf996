/** docs/poison-records.md, done: what moves an application past a record that it cannot store, store by store, and what does not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import { Consumer } from '../../../src/client/consumer/index.ts'
import { root, runSluice } from '../sluice-process.ts'
import {
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
  type Scene,
  sceneOf,
  sqliteSink,
  tableIds,
  untilStored,
} from './fixtures.ts'

const page = readFileSync(join(root, 'docs', 'poison-records.md'), 'utf8')

/** The one example of this language on the page. */
function exampleOf(language: 'sql' | 'sh'): string {
  const [, example] = new RegExp(`\`\`\`${language}\\n(.*?)\\n\`\`\``, 's').exec(page) ?? []
  assert.ok(example, language)
  return example
}

/** Twenty records, of which the one at offset 7 is no JSON; an application has stopped at it. */
async function stopped(t: TestContext, sinkOf: (directory: string) => object): Promise<Scene> {
  const scene = await sceneOf(t)
  const { bootstrapServers, directory } = scene
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, [...numbered(0, 7), '{"id": 7,', ...numbered(8, 20)])
  await stopsAgain(t, scene, sinkOf(directory))
  return scene
}

const confOf = (scene: Scene, sink: object, more: object = {}) =>
  confFile(scene, { 'auto.offset.reset': 'earliest', sink, ...more })

async function stopsAgain(t: TestContext, scene: Scene, sink: object): Promise<void> {
  const { code, stderr } = await runConf(t, await confOf(scene, sink)).ended
  assert.equal(code, 1, stderr)
  assert.match(
    stderr,
    /topic numbers, partition 0, offset 7: .*Every record before it is stored, nothing from it on is committed/,
  )
}

async function resetOffsets(t: TestContext, { bootstrapServers }: Scene): Promise<void> {
  const [program, ...words] = exampleOf('sh').split(' ')
  assert.equal(program, 'sluice')
  const { code, stderr } = await runSluice(t, [...words, '--bootstrap-server', bootstrapServers])
  assert.equal(code, 0, stderr)
  assert.equal(await committedOffset(t, bootstrapServers), 8)
}

for (const [name, sinkOf, ids] of [
  ['sqlite', sqliteSink, tableIds],
  ['file', fileSink, fileIds],
] as const) {
  await test(`${name}: reset-offsets does not move an application whose store keeps the position`, async (t) => {
    const scene = await stopped(t, sinkOf)
    await resetOffsets(t, scene)
    await stopsAgain(t, scene, sinkOf(scene.directory))
    assert.deepEqual(ids(scene.directory), range(0, 7))
    assert.equal(await committedOffset(t, scene.bootstrapServers), 7, 'the mirror is set right')
  })

  await test(`${name}: with "on.failure": "skip" it goes on behind the record`, async (t) => {
    const scene = await stopped(t, sinkOf)
    const process = runConf(t, await confOf(scene, sinkOf(scene.directory), { 'on.failure': 'skip' }))
    await untilStored(process, () => ids(scene.directory), 19)
    await endsInOrder(process)
    assert.deepEqual(ids(scene.directory), [...range(0, 7), ...range(8, 20)])
    assert.match(process.stderr, /topic numbers, partition 0, offset 7: skipped/)
    assert.equal(await committedOffset(t, scene.bootstrapServers), 20)
  })
}

await test('sqlite: the UPDATE of the page moves it', async (t) => {
  const scene = await stopped(t, sqliteSink)
  const { directory } = scene
  const database = new DatabaseSync(join(directory, 'store', 'numbers.db'))
  const update = database.prepare(exampleOf('sql'))
  assert.equal(update.run().changes, 1)
  assert.equal(update.run().changes, 0, 'a second time it finds nothing')
  database.close()
  const process = runConf(t, await confOf(scene, sqliteSink(directory)))
  await untilStored(process, () => tableIds(directory), 19)
  await endsInOrder(process)
  assert.deepEqual(tableIds(directory), [...range(0, 7), ...range(8, 20)])
})

await test('sqlite: with "on.failure": "dead-letter" the record is in the other topic, as it came', async (t) => {
  const scene = await stopped(t, sqliteSink)
  const { directory, bootstrapServers } = scene
  const process = runConf(t, await confOf(scene, sqliteSink(directory), { 'on.failure': 'dead-letter' }))
  await untilStored(process, () => tableIds(directory), 19)
  await endsInOrder(process)
  assert.deepEqual(tableIds(directory), [...range(0, 7), ...range(8, 20)])
  const consumer = new Consumer({ 'bootstrap.servers': bootstrapServers, 'auto.offset.reset': 'earliest' })
  t.after(() => consumer.close())
  consumer.assign([{ topic: 'numbers-dlt', partition: 0 }])
  let letters = await consumer.poll(1000)
  while (letters.isEmpty) letters = await consumer.poll(1000)
  const [letter] = [...letters]
  assert.equal(letters.count, 1)
  assert.equal(letter!.valueText(), '{"id": 7,')
  const header = (name: string) => letter!.headers.find(({ key }) => key === name)?.value?.toString()
  assert.equal(header('sluice-original-offset'), '7')
  assert.equal(header('sluice-error-class'), 'SLUICE_VALUE_DECODE')
})
