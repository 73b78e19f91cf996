/** docs/poison-records.md with a real PostgreSQL: the UPDATE of the page moves an application past a record that it cannot store; reset-offsets does not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  confFile,
  createTopic,
  endsInOrder,
  numbered,
  produce,
  range,
  runConf,
  sceneOf,
} from '../e2e/faults/fixtures.ts'
import { root, runSluice } from '../e2e/sluice-process.ts'
import { until } from '../support/until.ts'
import { query, startPostgres } from './postgres.ts'

test('postgres: past a poison record', async (t) => {
  const page = readFileSync(join(root, 'docs', 'poison-records.md'), 'utf8')
  const [, update] = /```sql\n(.*?)\n```/s.exec(page)!
  const server = await startPostgres(t)
  const scene = await sceneOf(t)
  await createTopic(t, scene.bootstrapServers)
  await produce(scene.bootstrapServers, [...numbered(0, 7), '{"id": 7,', ...numbered(8, 20)])
  const columns = [{ name: 'id', type: 'bigint' }]
  const sink = { type: 'postgres', ...server.options(), table: 'numbers', columns, 'flush.ms': 50 }
  const conf = await confFile(scene, { 'auto.offset.reset': 'earliest', sink })
  const stops = async () => {
    const { code, stderr } = await runConf(t, conf).ended
    assert.equal(code, 1, stderr)
    assert.match(stderr, /topic numbers, partition 0, offset 7: .*Every record before it is stored, none after it/)
  }
  const ids = async () => (await query(server.url(), 'SELECT id FROM numbers ORDER BY id')).map(({ id }) => Number(id))
  await stops()
  const reset = [
    'groups',
    'reset-offsets',
    '--group',
    'readers',
    '--topic',
    'numbers:0',
    '--to-offset',
    '8',
    '--execute',
  ]
  const { code, stderr } = await runSluice(t, [...reset, '--bootstrap-server', scene.bootstrapServers])
  assert.equal(code, 0, stderr)
  await stops()
  assert.deepEqual(await ids(), range(0, 7))
  assert.equal((await query(server.url(), `${update!} RETURNING next`)).length, 1)
  const process = runConf(t, conf)
  await until(async () => process.isOver || (await ids()).length === 19, {
    withinMs: 60_000,
    what: 'the rest is stored',
  })
  await endsInOrder(process)
  assert.deepEqual(await ids(), [...range(0, 7), ...range(8, 20)])
})
