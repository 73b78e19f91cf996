/** What only the modules of a consumer.conf tell, asked before anything is joined. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkModules } from '../../src/app/check-modules.ts'
import { parseConf } from '../../src/app/conf.ts'
import { effectiveConf } from '../../src/app/effective-conf.ts'
import { ConfError } from '../../src/app/errors.ts'
import { systemSeams } from '../../src/client/seams.ts'
import { sinks } from '../../src/sinks/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

async function check(directory: string, entries: readonly object[]) {
  const file = join(directory, 'consumer.conf')
  return checkModules(parseConf(JSON.stringify(entries), file, { sinks }), file, systemSeams())
}

async function handlers(directory: string): Promise<void> {
  await writeFile(join(directory, 'one.mjs'), 'export const handle = () => {}')
  await writeFile(join(directory, 'batch.mjs'), 'export const handleBatch = () => {}')
}

await test('check: settings that the module’s kind of handler cannot honour, each with its place, all at once', async (t) => {
  const directory = await temporaryDirectory(t)
  await handlers(directory)
  const entry = { topic: 't', 'group.id': 'g' }
  const entries = [
    { ...entry, handler: './batch.mjs', order: 'key' },
    { ...entry, handler: './batch.mjs', order: 'unordered' },
    { ...entry, handler: './one.mjs', 'batch.records': 50 },
    { ...entry, handler: './gone.mjs' },
    { ...entry, handler: './one.mjs', order: 'key' },
  ]
  await assert.rejects(check(directory, entries), (error: Error) => {
    assert.ok(error instanceof ConfError)
    const said = error.problems.map(({ path, message }) => `${path}: ${message}`)
    assert.equal(said.length, 4, error.message)
    assert.match(
      said[0]!,
      /^\[0\]\.order: is "key", and batch\.mjs exports "handleBatch", which is called with the records of a partition in their order.*: leave it out, or export a function for one record$/,
    )
    assert.match(said[1]!, /^\[1\]\.order: is "unordered", and batch\.mjs/)
    assert.match(
      said[2]!,
      /^\[2\]\["batch\.records"\]: is 50, and one\.mjs exports a function for one record: leave it out, or export "handleBatch"/,
    )
    assert.match(said[3]!, /^\[3\]\.handler: there is no file .*gone\.mjs$/)
    return true
  })
})

await test('check: what holds for a batch handler is filled in, and for no other', async (t) => {
  const directory = await temporaryDirectory(t)
  await handlers(directory)
  const entry = { topic: 't', 'group.id': 'g' }
  const checked = await check(directory, [
    { ...entry, handler: './batch.mjs', order: 'partition' },
    { ...entry, handler: './batch.mjs', 'batch.records': 7 },
    { ...entry, handler: './one.mjs' },
  ])
  const effective = checked.map((application) => effectiveConf(application, sinks))
  assert.deepEqual(
    effective.map((one) => one['batch.records']),
    [500, 7, undefined],
  )
  // What is printed can be read again.
  await check(directory, effective)
})
