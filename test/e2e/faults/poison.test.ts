/** A record that cannot be decoded or stored: the application stops at it, says where it is and what to do, and loses nothing before or after it. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { runSluice } from '../sluice-process.ts'
import {
  committedOffset,
  confFile,
  createTopic,
  fileIds,
  fileSink,
  numbered,
  produce,
  range,
  runConf,
  sceneOf,
  type Scene,
  sqliteSink,
  tableIds,
  untilStored,
  endsInOrder,
} from './fixtures.ts'

interface Poison {
  readonly name: string
  readonly value: string
  readonly says: RegExp
}

const poisons: readonly Poison[] = [
  { name: 'bad JSON', value: '{"id": 7,', says: /the value is not JSON: "\{\\"id\\": 7,"/ },
  { name: 'a missing column', value: '{"other":7}', says: /"id"/ },
]
const wrongType: Poison = { name: 'a wrong type', value: '{"id":"seven"}', says: /id.*(integer|seven)/ }

const stores = [
  { name: 'sqlite', sink: sqliteSink, ids: tableIds, poisons: [...poisons, wrongType] },
  { name: 'file', sink: fileSink, ids: fileIds, poisons },
]

async function sceneWith(t: TestContext, poison: string): Promise<Scene> {
  const scene = await sceneOf(t)
  await createTopic(t, scene.bootstrapServers)
  await produce(scene.bootstrapServers, [...numbered(0, 7), poison, ...numbered(8, 20)])
  return scene
}

for (const { name: store, sink, ids, poisons: all } of stores) {
  for (const { name, value, says } of all) {
    await test(`${store}: ${name} stops the application at that record, and does so again`, async (t) => {
      const scene = await sceneWith(t, value)
      const { directory, bootstrapServers } = scene
      const conf = await confFile(scene, { 'auto.offset.reset': 'earliest', sink: sink(directory) })
      for (const time of ['first', 'again']) {
        const { code, stderr } = await runConf(t, conf).ended
        assert.equal(code, 1, `${time}: ${stderr}`)
        assert.match(stderr, /topic numbers, partition 0, offset 7: /, time)
        assert.match(stderr, says, time)
        assert.match(stderr, /Every record before it is stored, none after it\. /, time)
        assert.doesNotMatch(stderr, /^\s+at /m, 'no stack trace')
        assert.deepEqual(ids(directory), range(0, 7), time)
        assert.equal(await committedOffset(t, bootstrapServers), 7, time)
        console.log(stderr)
      }
    })
  }
}
