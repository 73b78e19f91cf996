/** docs/poison-records.md with a real store that keeps the position: the UPDATE of the page moves an application past a record that it cannot store; reset-offsets does not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext } from 'node:test'
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

export interface PoisonStore {
  /** The `sink` object, for the table `numbers` with a column `id`. */
  readonly sink: object
  readonly ids: () => Promise<number[]>
  /** Answers how many rows it has changed. */
  readonly update: (sql: string) => Promise<number>
}

/** @param which of the page's statements, from 0 on */
export async function passPoison(t: TestContext, { sink, ids, update }: PoisonStore, which: number): Promise<void> {
  const page = readFileSync(join(root, 'docs', 'poison-records.md'), 'utf8')
  const statement = Array.from(page.matchAll(/```sql\n(.*?)\n```/gs), ([, sql]) => sql!)[which]!
  const scene = await sceneOf(t)
  await createTopic(t, scene.bootstrapServers)
  await produce(scene.bootstrapServers, [...numbered(0, 7), '{"id": 7,', ...numbered(8, 20)])
  const conf = await confFile(scene, { 'auto.offset.reset': 'earliest', sink })
  const stops = async () => {
    const { code, stderr } = await runConf(t, conf).ended
    assert.equal(code, 1, stderr)
    assert.match(
      stderr,
      /topic numbers, partition 0, offset 7: .*Every record before it is stored, nothing from it on is committed/,
    )
  }
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
  assert.equal(await update(statement), 1)
  const process = runConf(t, conf)
  await until(async () => process.isOver || (await ids()).length === 19, {
    withinMs: 60_000,
    what: 'the rest is stored',
  })
  await endsInOrder(process)
  assert.deepEqual(await ids(), [...range(0, 7), ...range(8, 20)])
}
