/** `sluice run --monitor`: the lag monitor beside an application, for its own groups, gone with it, and never in its way. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { applicationMonitorConf } from '../../src/cli/application-monitor.ts'
import type { Overview } from '../../src/lag/api-types.ts'
import { startBroker } from '../../src/testing/index.ts'
import { runSluice, SluiceProcess } from '../e2e/sluice-process.ts'
import { benchOf } from '../lag/embedded.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

const shared = startBroker({ topics: { clicks: 2 }, properties: { 'group.initial.rebalance.delay.ms': 0 } })
after(async () => (await shared).stop())

async function application(t: TestContext, groupId: string) {
  const { bootstrapServers } = await shared
  const bench = benchOf(t, bootstrapServers)
  const cwd = await temporaryDirectory(t)
  const conf = { topic: 'clicks', 'group.id': groupId, 'bootstrap.servers': bootstrapServers }
  await writeFile(join(cwd, 'consumer.conf'), JSON.stringify(conf))
  return { bench, cwd }
}

const addressOf = async (child: SluiceProcess) =>
  (await child.says(/the monitor of their lag is at (http:\S+)/, 'stderr'))[1]!

test('run --monitor: shows the groups of the conf and no others, and ends with them; nothing stays behind', async (t) => {
  const { bench, cwd } = await application(t, 'own+group')
  await bench.admin.alterGroupOffsets('of others', [[{ topic: 'clicks', partition: 0 }, { offset: 0 }]])
  await bench.produce('clicks', 0, 5)
  const child = new SluiceProcess(t, ['run', 'consumer.conf', '--monitor', '127.0.0.1:0'], { cwd })
  const url = await addressOf(child)
  const overviewOf = async () => (await (await fetch(`${url}/api/v1/overview`)).json()) as Overview
  let overview = await overviewOf()
  await until(async () => (overview = await overviewOf()).groups.length > 0, { everyMs: 100, withinMs: 60_000 })
  assert.deepEqual(
    overview.groups.map(({ cluster, group }) => [cluster, group]),
    [['default', 'own+group']],
  )
  child.kill('SIGTERM')
  const { code, stderr } = await child.ended
  assert.equal(code, 0, stderr)
  await assert.rejects(fetch(url))
  assert.deepEqual(await readdir(cwd), ['consumer.conf'])
})

test('run --monitor: --monitor-store is a file that stays, taken up again after a restart and refused to a second process', async (t) => {
  const { cwd } = await application(t, 'kept')
  for (let turn = 0; turn < 2; turn++) {
    const args = ['run', 'consumer.conf', '--monitor', '127.0.0.1:0', '--monitor-store', 'lag.db']
    const child = new SluiceProcess(t, args, { cwd })
    const url = await addressOf(child)
    await until(async () => (await fetch(`${url}/readyz`)).status === 200, { everyMs: 50 })
    if (turn === 0) {
      const second = await runSluice(t, args, { cwd })
      assert.deepEqual([second.code, second.stdout], [1, ''])
      assert.match(second.stderr, /the store lag\.db is in use by another monitor/)
    }
    child.kill('SIGINT')
    assert.equal((await child.ended).code, 0, child.stderr)
  }
  assert.ok((await readdir(cwd)).includes('lag.db'))
})

test('run --monitor: a port that is taken is an error before anything is joined', async (t) => {
  const { bench, cwd } = await application(t, 'never joined')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const { code, stdout, stderr } = await runSluice(t, ['run', 'consumer.conf', '--monitor', `:${port}`], { cwd })
  assert.deepEqual([code, stdout], [1, ''])
  assert.equal(
    stderr,
    `sluice: the monitor cannot listen on 127.0.0.1:${port}: the port is in use: choose another one, or 0 for one that is free\n`,
  )
  assert.ok(!(await bench.admin.listGroups()).some(({ groupId }) => groupId === 'never joined'))
})

test('run --monitor: what is no address is a wrong use', async (t) => {
  const { cwd } = await application(t, 'wrong')
  const { code, stderr } = await runSluice(t, ['run', '--monitor', 'consumer.conf'], { cwd })
  assert.equal(code, 2)
  assert.match(stderr, /The form is host:port/)
})

test('run --monitor: a cluster for each way in, with the application’s own rights', () => {
  const own = { 'bootstrap.servers': 'a:1', 'group.id': 'x', 'client.id': 'app', 'request.timeout.ms': 5 }
  const secured = { ...own, 'security.protocol': 'SASL_PLAINTEXT', 'sasl.mechanism': 'PLAIN' }
  const jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p";'
  const conf = applicationMonitorConf(
    [
      { groupId: 'plain (1)', properties: own },
      { groupId: 'committed', properties: { ...own, 'isolation.level': 'read_committed' } },
      { groupId: 'secured', properties: { ...secured, 'sasl.jaas.config': jaas } },
      { groupId: 'elsewhere', properties: { ...own, 'bootstrap.servers': 'b:1' } },
    ],
    { address: { host: '::1', port: 8000 }, store: ':memory:' },
  )
  assert.deepEqual([conf.host, conf.port, conf.store?.path, conf.allowChanges], ['::1', 8000, ':memory:', false])
  assert.deepEqual(
    conf.clusters.map(({ name, properties }) => [name, properties]),
    [
      ['a:1', { 'bootstrap.servers': 'a:1' }],
      [
        'a:1 (2)',
        {
          'bootstrap.servers': 'a:1',
          'security.protocol': 'SASL_PLAINTEXT',
          'sasl.mechanism': 'PLAIN',
          'sasl.jaas.config': jaas,
        },
      ],
      ['b:1', { 'bootstrap.servers': 'b:1' }],
    ],
  )
  const [first] = conf.clusters
  assert.ok(first!.allow!.test('plain (1)') && first!.allow!.test('committed') && !first!.allow!.test('secured'))
  assert.deepEqual(
    first!.groupRules.map(({ groups, isolation }) => [groups.test('committed'), isolation]),
    [[true, 'read_committed']],
  )
})
