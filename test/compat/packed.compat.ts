/**
 * The package as npm packs and installs it, compiled and without the sources, on the oldest Node that it promises and on the one of development: `sluice run` with
 * worker threads, sinks, HTTP and SIGTERM. The oldest Node comes from npm, too.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { Producer } from '../../src/client/producer/producer.ts'
import { startBroker } from '../../src/testing/index.ts'
import { root, SluiceProcess } from '../e2e/sluice-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

const OLDEST = '22.18.0'
const RECORDS = 4000
const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'sluice-packed-'))
const installed = join(folder, 'node_modules', 'sluice')
const oldest = `node-${process.platform}-${process.arch}`

before(async () => {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root, maxBuffer: 1e8 })
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as { filename: string; files: { path: string }[] }[]
  assert.deepEqual(
    packed!.files.filter(({ path }) => path.startsWith('src/') || path.startsWith('test/')),
    [],
  )
  await writeFile(join(folder, 'package.json'), '{"private":true}')
  await run('npm', ['install', '--no-audit', '--no-fund', `./${packed!.filename}`, `${oldest}@${OLDEST}`], {
    cwd: folder,
  })
})
after(() => rmSync(folder, { recursive: true, force: true }))

for (const [name, node] of [
  [OLDEST, join(folder, 'node_modules', oldest, 'bin', 'node')],
  [process.versions.node, process.execPath],
] as const) {
  test(`packed: threads, sinks, HTTP and SIGTERM on Node ${name}`, async (t) => {
    const { stdout } = await run(node, ['--version'])
    assert.equal(stdout.trim(), `v${name}`)
    await runApplications(t, node)
  })
}

test('packed: the monitor serves its page out of the package, which has nothing to build it with', async (t) => {
  assert.deepEqual(
    ['vite', 'preact', 'uplot'].filter((name) => readdirSync(join(folder, 'node_modules')).includes(name)),
    [],
  )
  const command: [string, ...string[]] = [process.execPath, join(installed, 'bin', 'sluice.js')]
  const args = ['monitor', '--bootstrap-server', '127.0.0.1:1', '--listen', '127.0.0.1:0', '--store', 'none']
  const sluice = new SluiceProcess(t, args, { command, cwd: await temporaryDirectory(t) })
  const [, url] = await sluice.says(/The monitor is at (\S+)/)
  const page = await fetch(`${url}/`)
  assert.equal(page.status, 200)
  const [, script] = /<script type="module"[^>]*src="\.\/([^"]+)"/.exec(await page.text())!
  assert.equal((await fetch(`${url}/${script}`)).status, 200)
  sluice.kill('SIGTERM')
  assert.equal((await sluice.ended).code, 0)
})

async function runApplications(t: TestContext, node: string): Promise<void> {
  const broker = await startBroker({ topics: { clicks: 3 } })
  t.after(() => broker.stop())
  const directory = await temporaryDirectory(t)
  const conf = join(directory, 'consumer.conf')
  const common = { topic: 'clicks', value: 'json', 'consumer.no': 2, 'bootstrap.servers': broker.bootstrapServers }
  const file = { type: 'file', directory: join(directory, 'out'), format: 'csv', columns: ['id'], 'rotate.ms': 200 }
  const sqlite = { type: 'sqlite', database: join(directory, 'clicks.db'), table: 'clicks', columns: ['id'] }
  await writeFile(
    conf,
    JSON.stringify([
      { ...common, 'group.id': 'files', sink: file },
      { ...common, 'group.id': 'tables', sink: sqlite },
    ]),
  )
  const command: [string, ...string[]] = [node, join(installed, 'bin', 'sluice.js')]
  const sluice = new SluiceProcess(t, ['run', conf, '--http', ':0'], { command, cwd: directory })
  const [, url] = await sluice.says(/(http:\/\/\S+) answers/, 'stderr')
  const producer = new Producer({ 'bootstrap.servers': broker.bootstrapServers })
  t.after(() => producer.close())
  await producer.sendBatch(
    Array.from({ length: RECORDS }, (_, id) => ({ topic: 'clicks', partition: id % 3, value: `{"id":${id}}` })),
  )
  const done = async () => {
    const { consumers } = (await (await fetch(`${url}/status`)).json()) as {
      consumers: { counts: { stored: number } }[]
    }
    return consumers.reduce((sum, { counts }) => sum + counts.stored, 0)
  }
  await until(async () => sluice.isOver || (await done()) === 2 * RECORDS, { everyMs: 100, what: 'all stored' })
  await until(async () => (await fetch(`${url}/readyz`)).ok, { everyMs: 100, what: 'every consumer in its group' })
  assert.match(
    await (await fetch(`${url}/metrics`)).text(),
    /^kafka_consumer_consumer_metrics_last_poll_seconds_ago\{/m,
  )
  sluice.kill('SIGTERM')
  const { code, stdout, stderr } = await sluice.ended
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^Bye$/m)
  const ids = Array.from({ length: RECORDS }, (_, id) => id)
  const lines = [0, 1, 2].flatMap((partition) => {
    const out = join(directory, 'out', 'clicks', String(partition))
    const files = readdirSync(out).filter((name) => name.endsWith('.csv'))
    return files.flatMap((name) => readFileSync(join(out, name), 'utf8').split('\n').filter(Boolean).map(Number))
  })
  assert.deepEqual(
    lines.sort((left, right) => left - right),
    ids,
  )
  const database = new DatabaseSync(join(directory, 'clicks.db'), { readOnly: true })
  t.after(() => database.close())
  const rows = database.prepare('SELECT id FROM clicks ORDER BY id').all() as { id: number }[]
  assert.deepEqual(
    rows.map(({ id }) => id),
    ids,
  )
}
