/** `sluice lag` as a user meets it: what it prints, how long it waits, and the exit code that scripts go by. */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { lagReport } from '../../src/cli/lag-report.ts'
import type { GroupDetail } from '../../src/lag/api-types.ts'
import { startBroker } from '../../src/testing/index.ts'
import { runSluice, SluiceProcess } from '../e2e/sluice-process.ts'
import { benchOf } from '../lag/embedded.ts'
import { SimulatedCluster } from '../lag/simulated-cluster.ts'
import { groupDetail } from '../../src/lag/views.ts'

const shared = startBroker({ topics: { done: 1, waiting: 1, moving: 1 } })
after(async () => (await shared).stop())

async function lag(t: TestContext, ...args: string[]) {
  const { bootstrapServers } = await shared
  return runSluice(t, ['lag', '--interval', '100', ...args, '--bootstrap-server', bootstrapServers])
}

test('lag: who has no lag is OK at once, exit code 0', async (t) => {
  const bench = benchOf(t, (await shared).bootstrapServers)
  await bench.admin.alterGroupOffsets('finished', [[{ topic: 'done', partition: 0 }, { offset: 0 }]])
  const { code, stdout, stderr } = await lag(t, '--group', 'finished', '--window', '3600000')
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^STATUS {2}GROUP/)
  assert.match(stdout, /^OK {6}finished/m)
})

test('lag: a group that stands still is ERROR with the reason, exit code 4, and the same as JSON', async (t) => {
  const bench = benchOf(t, (await shared).bootstrapServers)
  await bench.produce('waiting', 0, 7)
  await bench.admin.alterGroupOffsets('stuck', [[{ topic: 'waiting', partition: 0 }, { offset: 3 }]])
  const shown = await lag(t, '--group', 'stuck', '--window', '1000')
  assert.equal(shown.code, 4, shown.stderr)
  assert.match(shown.stdout, /^ERROR {3}stuck +Empty +0 +4 /m)
  assert.match(
    shown.stdout,
    /^ {4}STOP waiting-0: The commit has stood at 3 for .* 4 records.* wait\. The group has no members\.$/m,
  )
  const json = await lag(t, '--group', 'stuck', '--window', '1000', '--json')
  assert.equal(json.code, 4)
  const [group] = JSON.parse(json.stdout) as GroupDetail[]
  assert.deepEqual([group!.group, group!.status, group!.totalLag], ['stuck', 'ERROR', 4])
  assert.equal(group!.partitionList[0]!.evidence.rule, 'stopped')
})

test('lag: lag that is allowed is none, and --partitions shows each', async (t) => {
  const bench = benchOf(t, (await shared).bootstrapServers)
  await bench.produce('moving', 0, 5)
  await bench.admin.alterGroupOffsets('lax', [[{ topic: 'moving', partition: 0 }, { offset: 2 }]])
  const { code, stdout } = await lag(t, '--group', 'lax', '--allowed-lag', '3', '--partitions')
  assert.equal(code, 0)
  assert.match(stdout, /^ {4}OK +moving +0 +2 +5 +3 /m)
})

test('lag: a group that is not there is said by name, exit code 1; wrong use is 2', async (t) => {
  const missing = await lag(t, '--group', 'nobody,here')
  assert.deepEqual([missing.code, missing.stderr.trim()], [1, 'sluice: there is no group "nobody", "here"'])
  const wrong = await lag(t, '--window', 'soon')
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /whole number from 1000/)
})

test('lag --watch --json: a line a sample until it is interrupted; then the exit code is that of the last', async (t) => {
  const bench = benchOf(t, (await shared).bootstrapServers)
  await bench.admin.alterGroupOffsets('watched', [[{ topic: 'done', partition: 0 }, { offset: 0 }]])
  const { bootstrapServers } = await shared
  const args = [
    'lag',
    '--group',
    'watched',
    '--watch',
    '--json',
    '--interval',
    '100',
    '--bootstrap-server',
    bootstrapServers,
  ]
  const child = new SluiceProcess(t, args)
  await child.says(/(?:.+\n){3}/)
  child.kill('SIGTERM')
  assert.equal((await child.ended).code, 0, child.stderr)
  for (const line of child.stdout.trim().split('\n'))
    assert.equal((JSON.parse(line) as GroupDetail[])[0]!.group, 'watched')
})

test('lag report: colours only where it is asked for, and nobody is called OK before the judgement', async () => {
  const cluster = new SimulatedCluster()
  cluster.topic('orders', [100])
  cluster.group('late').leave().commit('orders', 0, 40)
  const watched = cluster.watch()
  await watched.ticks(12)
  const details = [groupDetail(watched.monitor, watched.group('late'))]
  const plain = lagReport(details, { isColoured: false, partitions: false, isPending: () => false })
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(plain, /\u001b/)
  const coloured = lagReport(details, { isColoured: true, partitions: false, isPending: () => false })
  assert.ok(coloured.includes('\u001b[31mERROR\u001b[0m') && coloured.includes('\u001b[31mSTOP\u001b[0m'))
  const pending = lagReport(details, { isColoured: false, partitions: false, isPending: () => true })
  assert.match(pending, /^judging… +late/m)
  assert.doesNotMatch(pending, /STOP/)
})
