/** What a user reads when the system refuses a file or a folder. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { diskError } from '../../src/sinks/disk-error.ts'
import { SinkRefusedError, SinkUnavailableError } from '../../src/sinks/sink.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

async function said(doing: string, path: string, what: Promise<unknown>): Promise<Error> {
  const error = await what.then(
    () => assert.fail('nothing was refused'),
    (error: unknown) => error,
  )
  return diskError(error, doing, path)
}

test('diskError: a folder that cannot be made is not called removed', () => {
  // What Linux answers to `mkdir /proc/nope`.
  const refused = { code: 'ENOENT', syscall: 'mkdir', path: '/proc/nope' }
  const error = diskError(
    Object.assign(new Error('ENOENT: no such file'), refused),
    'cannot write to the directory',
    '/proc/nope/a',
  )
  assert.ok(error instanceof SinkRefusedError)
  assert.equal(
    error.message,
    'cannot write to the directory /proc/nope/a: the file system does not let the folder /proc/nope be made there: choose a place that takes folders (ENOENT)',
  )
})

test('diskError: a missing file or folder is called that', async (t: TestContext) => {
  const path = join(await temporaryDirectory(t), 'missing', 'file')
  const error = await said('cannot write', path, systemDisk.open(path, 'append'))
  assert.ok(error instanceof SinkRefusedError)
  assert.match(error.message, /file: it, or a folder above it, does not exist: check the path/)
})

test('diskError: a path through a file names the reason', async (t: TestContext) => {
  const directory = await temporaryDirectory(t)
  await (await systemDisk.open(join(directory, 'file'), 'create')).close()
  const path = join(directory, 'file', 'below')
  const error = await said('cannot write to the directory', path, systemDisk.makeDirectory(path))
  assert.match(error.message, /a part of the path is a file, not a folder \(ENOTDIR\)/)
})

test('diskError: what can pass is unavailable, what is no system error stays as it is', () => {
  const full = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
  assert.ok(diskError(full, 'cannot write', '/a') instanceof SinkUnavailableError)
  const mistake = new TypeError('a is undefined')
  assert.equal(diskError(mistake, 'cannot write', '/a'), mistake)
})
