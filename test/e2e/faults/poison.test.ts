/** A record that cannot be decoded or stored: the application stops at it, says where it is and what to do, and loses nothing before or after it. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { runSluice } from '../sluice-process.ts'
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

const badJson = {
  name: 'bad JSON',
  value: '{"id": 7,',
  says: 'the value cannot be decoded: it is not JSON: "{\\"id\\": 7,"',
}
const missing = {
  name: 'a missing column',
  value: '{"other":7}',
  says: 'the value has no field "id", which the column id needs',
}
const mistyped = {
  name: 'a wrong type',
  value: '{"id":"seven"}',
  says: '"id" is the string "seven", and the column id takes integer',
}

const stores = [
  { name: 'sqlite', sink: sqliteSink, ids: tableIds, poisons: [badJson, missing, mistyped] },
  { name: 'file', sink: fileSink, ids: fileIds, poisons: [badJson] },
]

/** Twenty records, of which the one at offset 7 is `poison`. */
async function sceneWith(t: TestContext, poison: string): Promise<Scene> {
  const scene = await sceneOf(t)
  await createTopic(t, scene.bootstrapServers)
  await produce(scene.bootstrapServers, [...numbered(0, 7), poison, ...numbered(8, 20)])
  return scene
}

for (const { name: store, sink, ids, poisons } of stores) {
  await test(`${store}: a record that cannot be stored stops the application, and does so again`, async (t) => {
    for (const { name, value, says } of poisons) {
      await t.test(name, async (t) => {
        const scene = await sceneWith(t, value)
        const { directory, bootstrapServers } = scene
        const conf = await confFile(scene, { 'auto.offset.reset': 'earliest', sink: sink(directory) })
        for (const time of ['the first time', 'again']) {
          const { code, stdout, stderr } = await runConf(t, conf).ended
          assert.equal(code, 1, `${time}: ${stderr}`)
          const last = stderr.trimEnd().split('\n').at(-1)!
          const where = 'sluice: readers consumer-thread-0: topic numbers, partition 0, offset 7: '
          const rest = `${where}${says}. Every record before it is stored, nothing from it on is committed. `
          assert.equal(last.slice(0, rest.length), rest, time)
          assert.notEqual(last.length, rest.length, 'what to do follows')
          assert.doesNotMatch(stderr, /^\s+at /m, 'no stack trace')
          assert.doesNotMatch(stdout, /Bye/, time)
          assert.deepEqual(ids(directory), range(0, 7), time)
          assert.equal(await committedOffset(t, bootstrapServers), 7, time)
        }
      })
    }
  })
}

await test('sqlite: after a missing column was made optional it goes on at that record', async (t) => {
  const scene = await sceneWith(t, missing.value)
  const { directory } = scene
  const options = { 'auto.offset.reset': 'earliest' }
  const { code } = await runConf(t, await confFile(scene, { ...options, sink: sqliteSink(directory) })).ended
  assert.equal(code, 1)
  const columns = [{ name: 'id', type: 'integer', optional: true }]
  const process = runConf(t, await confFile(scene, { ...options, sink: sqliteSink(directory, { columns }) }))
  await untilStored(process, () => tableIds(directory), 20)
  await endsInOrder(process)
  assert.deepEqual(tableIds(directory), [...range(0, 7), 0, ...range(8, 20)], 'null reads as 0')
})

await test('file: after bad JSON, with another "value", it goes on at that record', async (t) => {
  const scene = await sceneWith(t, badJson.value)
  const { directory } = scene
  const options = { 'auto.offset.reset': 'earliest' }
  const { code } = await runConf(t, await confFile(scene, { ...options, sink: fileSink(directory) })).ended
  assert.equal(code, 1)
  const sink = fileSink(directory, { columns: ['$offset'] })
  const process = runConf(t, await confFile(scene, { ...options, value: 'string', sink }))
  await untilStored(process, () => fileIds(directory), 20)
  await endsInOrder(process)
  assert.deepEqual(fileIds(directory), range(0, 20))
})

await test('stdout: reset-offsets leaves the record out, as the message says', async (t) => {
  const scene = await sceneWith(t, badJson.value)
  const { bootstrapServers } = scene
  const conf = await confFile(scene, { 'auto.offset.reset': 'earliest', sink: { type: 'stdout' } })
  const { code, stdout, stderr } = await runConf(t, conf).ended
  assert.equal(code, 1, stderr)
  assert.deepEqual(stdout.trimEnd().split('\n'), numbered(0, 7))
  const command =
    /sluice (groups reset-offsets --group readers) --topic <topic>:<partition> --to-offset <offset \+ 1> --execute/
  const [, advice] = command.exec(stderr) ?? []
  assert.ok(advice, stderr)
  const reset = [...advice.split(' '), '--topic', 'numbers:0', '--to-offset', '8', '--execute']
  const done = await runSluice(t, [...reset, '--bootstrap-server', bootstrapServers])
  assert.equal(done.code, 0, done.stderr)
  const process = runConf(t, conf)
  await process.says(/"id":19\}\n/)
  process.kill('SIGTERM')
  const ended = await process.ended
  assert.equal(ended.code, 0, ended.stderr)
  assert.deepEqual(ended.stdout.trimEnd().split('\n'), [...numbered(8, 20), 'Bye'])
})
