/** kill -9 of a real process, at random moments of a load: nothing that was acknowledged is lost, nothing is torn. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fetch } from '../../src/protocol/messages/index.ts'
import { recordBatches } from '../../src/protocol/records/record-batch.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { startBrokerProcess } from '../support/broker-process.ts'
import { WireClient } from '../support/wire-client.ts'
import { batchOf, fetchFrom, produceOne } from '../support/wire-requests.ts'

test('kill -9: every acknowledged batch is there afterwards, in order and with its checksum', async (t) => {
  const broker = await startBrokerProcess(t, { topics: ['clicks'] })
  const seed = Number(process.env['SEED'] ?? 11)
  t.diagnostic(`SEED=${seed}`)
  const random = seededRandom(seed)
  /** Base offsets that the broker has promised. */
  const acknowledged: number[] = []
  for (let round = 0; round < 4; round++) {
    const client = await WireClient.connect(broker.bootstrapServers, t)
    const load = (async () => {
      // Until the connection breaks.
      for (;;) {
        const records = Array.from({ length: 1 + Math.floor(random.next() * 20) }, () => 'x'.repeat(100))
        acknowledged.push((await produceOne(client, 9, 'clicks', batchOf(records))).baseOffset)
      }
    })().catch(() => {})
    // The moment is the test's subject, so it is drawn, not waited for.
    await sleep(random.next() * 100)
    await broker.kill()
    await load
    await broker.restart()
  }
  const client = await WireClient.connect(broker.bootstrapServers, t)
  const found: number[] = []
  for (let offset = 0; ;) {
    const { responses } = await client.request(fetch, 12, fetchFrom([{ topic: 'clicks', offset }]))
    const batches = [...recordBatches(responses[0]!.partitions[0]!.records!)]
    if (batches.length === 0) break
    for (const batch of batches) {
      batch.verifyCrc()
      assert.equal(batch.baseOffset, offset)
      found.push(batch.baseOffset)
      offset = batch.nextOffset
    }
  }
  const lost = acknowledged.filter((offset) => !found.includes(offset))
  assert.ok(acknowledged.length > 0)
  assert.deepEqual(lost, [])
})
