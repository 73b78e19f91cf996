/** `sluice monitor` as a user meets it: from the command line and from a file, answering, ending, refusing. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Overview } from '../../src/lag/api-types.ts'
import { startBroker } from '../../src/testing/index.ts'
import { runSluice, SluiceProcess } from '../e2e/sluice-process.ts'
import { benchOf } from '../lag/embedded.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

const shared = startBroker({ topics: { orders: 1 } })
after(async () => (await shared).stop())

async function overviewOf(child: SluiceProcess): Promise<Overview> {
  const [, url] = await child.says(/The monitor is at (\S+)/)
  let overview: Overview | undefined
  await until(async () => {
    overview = (await (await fetch(`${url}/api/v1/overview`)).json()) as Overview
    return overview.clusters.every(({ state }) => state !== 'starting')
  })
  return overview!
}

test('monitor: one cluster from the command line, until SIGTERM; a second one on its store is refused', async (t) => {
  const { bootstrapServers } = await shared
  const bench = benchOf(t, bootstrapServers)
  await bench.produce('orders', 0, 3)
  await bench.admin.alterGroupOffsets('watched', [[{ topic: 'orders', partition: 0 }, { offset: 1 }]])
  const cwd = await temporaryDirectory(t)
  const args = ['monitor', '--bootstrap-server', bootstrapServers, '--listen', '127.0.0.1:0', '--store', 'lag.db']
  const child = new SluiceProcess(t, args, { cwd })
  const overview = await overviewOf(child)
  assert.deepEqual(
    overview.groups.map(({ cluster, group, totalLag }) => [cluster, group, totalLag]),
    [['default', 'watched', 2]],
  )
  const second = await runSluice(t, args, { cwd })
  assert.deepEqual([second.code, second.stdout], [1, ''])
  assert.match(second.stderr, /the store lag\.db is in use by another monitor/)
  child.kill('SIGTERM')
  const { code, stderr } = await child.ended
  assert.equal(code, 0, stderr)
})

test('monitor: several clusters from a file; one that cannot be reached does not hold up the other', async (t) => {
  const { bootstrapServers } = await shared
  const cwd = await temporaryDirectory(t)
  const file = `listen: 127.0.0.1:0\nstore: none\nclusters:\n  here:\n    bootstrap.servers: \${SERVERS}\n  away:\n    bootstrap.servers: 127.0.0.1:1\n`
  await writeFile(join(cwd, 'monitor.yaml'), file)
  const child = new SluiceProcess(t, ['monitor', 'monitor.yaml'], { cwd, env: { SERVERS: bootstrapServers } })
  const { clusters } = await overviewOf(child)
  assert.deepEqual(
    clusters.map(({ cluster, state }) => [cluster, state]),
    [
      ['here', 'ok'],
      ['away', 'stale'],
    ],
  )
  assert.match(clusters[1]!.problem!, /127\.0\.0\.1:1/)
})

test('monitor --check: a file that is not right, exit code 2; one that is, 0', async (t) => {
  const cwd = await temporaryDirectory(t)
  await writeFile(join(cwd, 'wrong.yaml'), 'clusters:\n  a:\n    bootstrap.server: x:1\n')
  const wrong = await runSluice(t, ['monitor', 'wrong.yaml', '--check'], { cwd })
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /clusters\.a\["bootstrap\.server"\]: is not known here; did you mean "bootstrap\.servers"/)
  await writeFile(join(cwd, 'right.yaml'), 'clusters:\n  a:\n    bootstrap.servers: x:1\n')
  const right = await runSluice(t, ['monitor', 'right.yaml', '--check'], { cwd })
  assert.deepEqual([right.code, right.stdout], [0, 'a: x:1, rules of sluice\n'])
  const both = await runSluice(t, ['monitor', 'right.yaml', '--bootstrap-server', 'x:1'], { cwd })
  assert.equal(both.code, 2)
})
