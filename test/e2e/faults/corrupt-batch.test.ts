/** A batch that fails its CRC, as `sluice run` meets it: said with its place, never passed over in silence, and left out on purpose as the page says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Producer } from '../../../src/client/producer/producer.ts'
import { fetch } from '../../../src/protocol/messages/index.ts'
import { type ResponseInputOf } from '../../../src/protocol/api.ts'
import { RecordBatchWriter } from '../../../src/protocol/records/batch-writer.ts'
import { startBroker } from '../../../src/testing/index.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { runSluice } from '../sluice-process.ts'
import { confFile, runConf } from './fixtures.ts'

await test('a corrupt batch: the application says where, goes no further, and reset-offsets leaves it out', async (t) => {
  const broker = await startBroker({ topics: { numbers: 1 }, properties: { 'group.initial.rebalance.delay.ms': 0 } })
  t.after(() => broker.stop())
  const { bootstrapServers } = broker
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers })
  t.after(() => producer.close())
  await producer.sendBatch(Array.from({ length: 9 }, (_, id) => ({ topic: 'numbers', value: `{"id":${id}}` })))
  const writer = new RecordBatchWriter()
  for (let id = 0; id < 4; id++) writer.append({ value: Buffer.from(`{"id":${id}}`), timestamp: 0 })
  const records = writer.build({ baseOffset: 0 })
  records[records.length - 2]! ^= 1
  broker.intercept('Fetch', (request) => {
    const { topics } = request as {
      topics: { topic: string; topicId: string; partitions: { fetchOffset: number }[] }[]
    }
    const asked = topics.find(({ partitions }) => partitions.some(({ fetchOffset }) => fetchOffset < 4))
    if (!asked) return undefined
    const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 9, abortedTransactions: null, records }
    const { topic, topicId } = asked
    return { throttleTimeMs: 0, responses: [{ topic, topicId, partitions: [partition] }] } satisfies ResponseInputOf<
      typeof fetch
    >
  })
  const directory = await temporaryDirectory(t)
  const options = { 'auto.offset.reset': 'earliest', 'restart.max': 0, sink: { type: 'stdout' } }
  const conf = await confFile({ directory, bootstrapServers }, options)
  const stopped = await runConf(t, conf).ended
  assert.equal(stopped.code, 1, stopped.stderr)
  assert.equal(stopped.stdout, '')
  assert.match(stopped.stderr, /The records of numbers-0 at offset 0 cannot be read: .*CRC/)
  assert.match(stopped.stderr, /seek to 4 to leave out the broken batch/)
  const { bootstrapServers: servers } = broker
  const reset = ['groups', 'reset-offsets', '--bootstrap-server', servers, '--group', 'readers', '--topic', 'numbers:0']
  const moved = await runSluice(t, [...reset, '--to-offset', '4', '--execute'])
  assert.equal(moved.code, 0, moved.stderr)
  const next = runConf(t, conf)
  await next.says(/"id":8/, 'stdout')
  next.kill('SIGTERM')
  const { code, stdout } = await next.ended
  assert.equal(code, 0)
  assert.deepEqual(
    stdout.split('\n').filter((line) => line.startsWith('{')),
    [4, 5, 6, 7, 8].map((id) => `{"id":${id}}`),
  )
})
