/** bin/sluice.js: what old Nodes run. An old Node is played by one that says so, as none is at hand wherever npm is. */
import assert from 'node:assert/strict'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { root, runSluice, SluiceProcess } from '../e2e/sluice-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const old = `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})`
const clone: [string, ...string[]] = [process.execPath, '--import', old, join(root, 'bin', 'sluice.js')]

/** The package as npm installs it: without src/. */
async function installed(t: TestContext): Promise<string> {
  const folder = join(await temporaryDirectory(t), 'node_modules', 'sluice')
  await mkdir(join(folder, 'bin'), { recursive: true })
  await copyFile(join(root, 'bin', 'sluice.js'), join(folder, 'bin', 'sluice.js'))
  await writeFile(join(folder, 'package.json'), '{"type":"module","version":"9.9.9"}')
  return join(folder, 'bin', 'sluice.js')
}

await test('launcher: an installed package on an old Node says in one line what it needs', async (t) => {
  const command: [string, ...string[]] = [process.execPath, '--import', old, await installed(t)]
  const { code, stdout, stderr } = await runSluice(t, ['--version'], { command })
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /^sluice needs Node >= 22\.18, and this is Node 20\.1\.0 \(.*\)\n$/)
})

await test('launcher: an installed package that is not whole says so', async (t) => {
  const { code, stderr } = await runSluice(t, ['--version'], { command: [process.execPath, await installed(t)] })
  assert.equal(code, 1)
  assert.match(stderr, /dist.*main\.js is missing/)
})

await test('launcher: in a clone an old Node starts the one that npm ci brought; arguments and exit codes pass', async (t) => {
  const version = await runSluice(t, ['--version'], { command: clone })
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
  const usage = await runSluice(t, ['topics', 'create'], { command: clone })
  assert.equal(usage.code, 2)
  assert.match(usage.stderr, /^sluice: which topic\?/)
})

await test('launcher: standard input and signals pass through', async (t) => {
  const data = join(await temporaryDirectory(t), 'data')
  const broker = new SluiceProcess(t, ['broker', '--port', '0', '--data', data], { command: clone })
  const [, servers] = await broker.says(/ready at (\S+)/)
  const produced = await runSluice(t, ['produce', 'clicks', '--bootstrap-server', servers!], {
    command: clone,
    input: 'a\nb\n',
  })
  assert.equal(produced.stderr, 'produced 2 records to clicks\n')
  broker.kill('SIGTERM')
  assert.equal((await broker.ended).code, 0)
})
