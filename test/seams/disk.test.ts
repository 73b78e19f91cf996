/** The system's disk where Node's own recursive mkdir goes wrong: what cannot be made is refused, by the system's own code. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { systemDisk } from '../../src/seams/disk.ts'

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-disk-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

test('makeDirectory: makes every missing folder, also when several ask at once, and takes one that is there', async (t) => {
  const path = join(await folder(t), 'a', 'b', 'c')
  await Promise.all([1, 2, 3, 4].map(() => systemDisk.makeDirectory(path)))
  await systemDisk.makeDirectory(`${path}/`)
  await systemDisk.makeDirectory('/')
  assert.ok((await stat(path)).isDirectory())
})

test('makeDirectory: somebody makes the parent right after it was found missing', async (t) => {
  const root = await folder(t)
  for (let round = 0; round < 200; round++) {
    const parent = join(root, String(round))
    await Promise.all([join(parent, 'a'), join(parent, 'b'), parent].map((path) => systemDisk.makeDirectory(path)))
    for (const name of ['a', 'b']) assert.ok((await stat(join(parent, name))).isDirectory())
  }
})

test('makeDirectory: a file in the way is EEXIST, a file further up ENOTDIR', async (t) => {
  const file = join(await folder(t), 'file')
  await writeFile(file, '')
  await assert.rejects(systemDisk.makeDirectory(file), { code: 'EEXIST' })
  await assert.rejects(systemDisk.makeDirectory(join(file, 'a', 'b')), { code: 'ENOTDIR' })
})

test('makeDirectory: below /proc it ends, with ENOENT', async () => {
  // Other systems have no /proc that refuses; the folder could really be made there.
  if (process.platform !== 'linux') return
  await assert.rejects(systemDisk.makeDirectory('/proc/nope'), { code: 'ENOENT', path: '/proc/nope' })
  await assert.rejects(systemDisk.makeDirectory('/proc/nope/a/b'), { code: 'ENOENT', path: '/proc/nope' })
})
