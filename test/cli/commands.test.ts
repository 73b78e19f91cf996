/** The commands as a user meets them: processes, exit codes, what is printed where. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import { Admin } from '../../src/client/admin/admin.ts'
import type { Overview } from '../../src/lag/api-types.ts'
import { startBroker } from '../../src/testing/index.ts'
import { freePort } from '../compat/kafka.ts'
import { root, runSluice, SluiceProcess, spawnBroker } from '../e2e/sluice-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

async function brokerFor(t: TestContext): Promise<{ servers: string; directory: string }> {
  const broker = await startBroker({
    properties: { 'group.initial.rebalance.delay.ms': 0, 'group.min.session.timeout.ms': 500 },
  })
  t.after(() => broker.stop())
  return { servers: broker.bootstrapServers, directory: await temporaryDirectory(t) }
}

/** Runs a command against a broker; fails with what it said when it fails. */
async function sluice(t: TestContext, servers: string, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await runSluice(t, [...args, '--bootstrap-server', servers], { input })
  assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
  return stdout
}

await test('--version: what package.json says', async (t) => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const { code, stdout } = await runSluice(t, ['--version'])
  assert.deepEqual([code, stdout], [0, `${version}\n`])
})

await test('usage: exit code 2, the mistake and no stack', async (t) => {
  const cases: [args: string[], says: RegExp][] = [
    [[], /Usage: sluice/],
    [['topic'], /unknown command 'topic'/],
    [['topics', 'create'], /which topic\?/],
    [['topics', 'create', 'x', '--partitions', 'many'], /whole number of at least 1/],
    [['run'], /which file\?/],
    [['consume', 'x', '--offset', '5'], /--offset needs --partition/],
    [['groups', 'describe', 'g', '--grop'], /unknown option '--grop'/],
  ]
  for (const [args, says] of cases) {
    // Nothing of it asks a broker first: the address is one where nothing listens.
    const { code, stderr } = await runSluice(t, args)
    assert.match(stderr, says)
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`)
    assert.doesNotMatch(stderr, /^\s+at /m)
  }
})

await test('unreachable: address and cause are said, exit code 1', async (t) => {
  const address = `127.0.0.1:${await freePort()}`
  for (const args of [
    ['topics', 'list'],
    ['consume', 'x'],
    ['produce', 'x'],
    ['groups', 'list'],
  ]) {
    const { code, stderr } = await runSluice(t, [...args, '--bootstrap-server', address])
    assert.equal(code, 1)
    assert.match(
      stderr,
      new RegExp(`^sluice: no broker can be reached at ${address} \\(connection refused.*ECONNREFUSED\\)$`, 'm'),
    )
  }
})

await test('--command-config: a properties file says where the cluster is, unless the command line does', async (t) => {
  const { servers, directory } = await brokerFor(t)
  const file = join(directory, 'client.properties')
  await writeFile(file, `bootstrap.servers=${servers}\nrequest.timeout.ms=9000\n`)
  const listed = await runSluice(t, ['topics', 'list', '--command-config', file])
  assert.deepEqual([listed.code, listed.stderr], [0, ''])
  await writeFile(file, `bootstrap.servers=127.0.0.1:1\n`)
  await sluice(t, servers, ['topics', 'list', '--command-config', file])
  await writeFile(file, `reqest.timeout.ms=1\n`)
  const wrong = await runSluice(t, ['topics', 'list', '--command-config', file, '--bootstrap-server', servers])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /reqest\.timeout\.ms .*did you mean "request\.timeout\.ms"\?/)
})

await test('topics: created, listed, described, altered, deleted', async (t) => {
  const { servers } = await brokerFor(t)
  assert.equal(
    await sluice(t, servers, ['topics', 'create', 'clicks', '--partitions', '2', '--config', 'retention.ms=1000']),
    'created clicks\n',
  )
  const again = await runSluice(t, ['topics', 'create', 'clicks', '--bootstrap-server', servers])
  assert.equal(again.code, 1)
  assert.match(again.stderr, /TOPIC_ALREADY_EXISTS/)
  assert.equal(await sluice(t, servers, ['topics', 'create', 'clicks', '--if-not-exists']), 'clicks exists already\n')
  assert.equal(await sluice(t, servers, ['topics', 'list', '--exclude-internal']), 'clicks\n')
  assert.equal(
    await sluice(t, servers, ['topics', 'alter', 'clicks', '--partitions', '3', '--delete-config', 'retention.ms']),
    'changed clicks\n',
  )
  const [described] = JSON.parse(await sluice(t, servers, ['topics', 'describe', 'clicks', '--json'])) as {
    name: string
    configs: object
    partitions: unknown[]
  }[]
  assert.deepEqual([described!.name, described!.configs, described!.partitions.length], ['clicks', {}, 3])
  assert.match(
    await sluice(t, servers, ['topics', 'describe', 'clicks']),
    /^clicks {2}id \S+ {2}partitions 3\nPARTITION {2}LEADER {2}REPLICAS {2}IN-SYNC\n/,
  )
  assert.equal(await sluice(t, servers, ['topics', 'delete', 'clicks']), 'deleted clicks\n')
  assert.equal(await sluice(t, servers, ['topics', 'list', '--exclude-internal']), '')
})

await test('topics alter: fewer partitions get Kafka’s own words', async (t) => {
  const { servers } = await brokerFor(t)
  await sluice(t, servers, ['topics', 'create', 'clicks', '--partitions', '3'])
  const { code, stderr } = await runSluice(t, [
    'topics',
    'alter',
    'clicks',
    '--partitions',
    '2',
    '--bootstrap-server',
    servers,
  ])
  assert.equal(code, 1)
  assert.match(stderr, /The topic clicks currently has 3 partition\(s\); 2 would not be an increase/)
})

await test('produce and consume: lines with keys go in and come out', async (t) => {
  const { servers, directory } = await brokerFor(t)
  await sluice(t, servers, ['topics', 'create', 'clicks'])
  const produced = await runSluice(
    t,
    ['produce', 'clicks', '--key-separator', ':', '--compression-codec', 'gzip', '--bootstrap-server', servers],
    {
      input: 'a:1\r\nb:2:x\nc:',
    },
  )
  assert.equal(produced.stderr, 'produced 3 records to clicks\n')
  const properties = [
    '--property',
    'print.key=true',
    '--property',
    'print.offset=true',
    '--property',
    'key.separator= ',
  ]
  assert.equal(
    await sluice(t, servers, ['consume', 'clicks', '--from-beginning', '--max-messages', '3', ...properties]),
    'Offset:0 a 1\nOffset:1 b 2:x\nOffset:2 c \n',
  )
  const file = join(directory, 'lines')
  await writeFile(file, 'one\ntwo')
  await sluice(t, servers, ['produce', 'clicks', '--file', file, '--partition', '0'])
  assert.equal(
    await sluice(t, servers, ['consume', 'clicks', '--partition', '0', '--offset', '3', '--timeout-ms', '1000']),
    'one\ntwo\n',
  )
  const bad = await runSluice(t, ['produce', 'clicks', '--key-separator', '=', '--bootstrap-server', servers], {
    input: 'k=v\nnone',
  })
  assert.equal(bad.code, 1)
  assert.match(bad.stderr, /line 2 has no key/)
})

await test('consume: a group goes on behind what was printed', async (t) => {
  const { servers } = await brokerFor(t)
  await sluice(t, servers, ['produce', 'clicks'], '1\n2\n3\n4\n5\n')
  const args = ['consume', 'clicks', '--group', 'readers', '--from-beginning', '--max-messages']
  assert.equal(await sluice(t, servers, [...args, '2']), '1\n2\n')
  assert.equal(await sluice(t, servers, [...args, '3']), '3\n4\n5\n')
})

await test('consume: a reader that goes away ends it quietly', async (t) => {
  const { servers } = await brokerFor(t)
  await sluice(
    t,
    servers,
    ['produce', 'clicks'],
    Array.from({ length: 20_000 }, (_, index) => `line ${index}`).join('\n'),
  )
  const line = `"${process.execPath}" src/cli/main.ts consume clicks --from-beginning --max-messages 20000 --bootstrap-server ${servers} | head -n 1; echo "\${PIPESTATUS[0]}"`
  const { stdout, stderr } = await runSluice(t, ['-c', line], { command: ['bash'], cwd: root })
  assert.equal(stdout, 'line 0\n0\n', stderr)
  assert.doesNotMatch(stderr, /EPIPE|^\s+at /m)
})

await test('groups: described, reset and deleted', async (t) => {
  const { servers } = await brokerFor(t)
  await sluice(t, servers, ['topics', 'create', 'clicks', '--partitions', '2'])
  await sluice(t, servers, ['produce', 'clicks', '--partition', '0'], '1\n2\n3\n')
  await sluice(t, servers, ['consume', 'clicks', '--group', 'readers', '--from-beginning', '--max-messages', '2'])
  const describe = async () =>
    (
      JSON.parse(await sluice(t, servers, ['groups', 'describe', '--group', 'readers', '--json'])) as Record<
        string,
        unknown
      >[]
    ).map(({ topic, partition, currentOffset, logEndOffset, lag }) => ({
      topic,
      partition,
      currentOffset,
      logEndOffset,
      lag,
    }))
  assert.deepEqual((await describe())[0], { topic: 'clicks', partition: 0, currentOffset: 2, logEndOffset: 3, lag: 1 })
  const reset = ['groups', 'reset-offsets', '--group', 'readers', '--topic', 'clicks:0']
  const shown = await sluice(t, servers, [...reset, '--to-earliest'])
  assert.equal(
    shown,
    'GROUP    TOPIC   PARTITION  OLD-OFFSET  NEW-OFFSET\nreaders  clicks          0           2           0\n',
  )
  assert.equal((await describe())[0]!.currentOffset, 2, 'a dry run changes nothing')
  await sluice(t, servers, [...reset, '--shift-by', '-100', '--execute'])
  assert.equal((await describe())[0]!.currentOffset, 0, 'brought into the log')
  await sluice(t, servers, [...reset, '--to-latest', '--execute'])
  assert.equal((await describe())[0]!.currentOffset, 3)
  assert.match(
    await sluice(t, servers, ['groups', 'describe', 'readers', '--state']),
    /^GROUP .*\nreaders .*Empty +0\n$/,
  )
  assert.match(await sluice(t, servers, ['groups', 'list']), /^GROUP +STATE .*\nreaders +Empty/)
  assert.equal(await sluice(t, servers, ['groups', 'delete', 'readers']), 'deleted readers\n')
  const gone = await runSluice(t, ['groups', 'describe', 'readers', '--bootstrap-server', servers])
  assert.deepEqual([gone.code, gone.stderr], [1, 'sluice: there is no group "readers"\n'])
})

await test('broker: prints one ready line, keeps its data, ends on SIGTERM', async (t) => {
  const data = join(await temporaryDirectory(t), 'data')
  const first = await spawnBroker(t, data)
  assert.equal(first.process.stdout.split('\n').length, 2)
  await sluice(t, first.bootstrapServers, ['produce', 'clicks'], 'kept\n')
  const second = await runSluice(t, ['broker', '--port', '0', '--data', data])
  assert.equal(second.code, 1)
  assert.match(second.stderr, /in use by a broker/)
  first.process.kill('SIGTERM')
  assert.equal((await first.process.ended).code, 0)
  const again = await spawnBroker(t, data, { port: first.port })
  assert.equal(
    await sluice(t, again.bootstrapServers, ['consume', 'clicks', '--from-beginning', '--max-messages', '1']),
    'kept\n',
  )
})

await test('run --check: every problem of a conf at once, exit code 2', async (t) => {
  const directory = await temporaryDirectory(t)
  const conf = join(directory, 'consumer.conf')
  await writeFile(conf, '[{"topic": "a", "group.id": "g"}, {"topic": "a", "sink": {"type": "file", "formt": "csv"}}]')
  const { code, stderr } = await runSluice(t, ['run', conf, '--check'])
  assert.equal(code, 2)
  assert.match(stderr, /has \d problems:/)
  assert.match(stderr, /^ {2}\[1\]\["group\.id"\]: is missing/m)
  assert.match(stderr, /^ {2}\[1\]\.sink\.formt: is no option.*did you mean "format"/m)
  await writeFile(conf, '{"topic": "a", "group.id": "g", "consumer.no": 3}')
  const sound = await runSluice(t, ['run', '--path', conf, '--check'])
  assert.equal(sound.code, 0)
  assert.match(sound.stdout, /^g +a +3 +string +auto +stdout /m)
  await writeFile(conf, '{"topic": "a", "group.id": "g", "ssl.key.password": "hunter2"}')
  assert.doesNotMatch((await runSluice(t, ['run', conf, '--check', '--json'])).stdout, /hunter2/)
  const missing = await runSluice(t, ['run', join(directory, 'none.conf')])
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /cannot read .*none\.conf: there is no such file/)
})

await test('run: keeps trying when no broker answers, unless it is told to fail', async (t) => {
  const conf = join(await temporaryDirectory(t), 'consumer.conf')
  const address = `127.0.0.1:${await freePort()}`
  await writeFile(conf, JSON.stringify({ topic: 'a', 'group.id': 'g', 'bootstrap.servers': address }))
  const failing = await runSluice(t, ['run', conf, '--fail-fast'])
  assert.equal(failing.code, 1)
  assert.match(failing.stderr, /no broker can be reached at/)
  const trying = new SluiceProcess(t, ['run', conf])
  await trying.says(new RegExp(`no broker can be reached at ${address} .*ECONNREFUSED\\)\\. Trying again`), 'stderr')
  const port = Number(address.split(':')[1])
  const broker = await spawnBroker(t, join(await temporaryDirectory(t), 'data'), {
    port,
    properties: { 'group.initial.rebalance.delay.ms': 0 },
  })
  await trying.says(/a broker answers/, 'stderr')
  await sluice(t, broker.bootstrapServers, ['produce', 'a'], 'hello\n')
  await trying.says(/^hello$/m)
  trying.kill('SIGTERM')
  const { code, stdout } = await trying.ended
  assert.deepEqual([code, stdout], [0, 'hello\nBye\n'])
})

await test('run: n consumers say who they are; one prints plain values', async (t) => {
  const { servers, directory } = await brokerFor(t)
  await sluice(t, servers, ['topics', 'create', 'clicks', '--partitions', '2'])
  await sluice(t, servers, ['produce', 'clicks', '--partition', '0'], 'zero\n')
  await sluice(t, servers, ['produce', 'clicks', '--partition', '1'], 'one\n')
  const conf = join(directory, 'consumer.conf')
  await writeFile(
    conf,
    JSON.stringify({ topic: 'clicks', 'group.id': 'many', 'consumer.no': 2, 'bootstrap.servers': servers }),
  )
  const many = new SluiceProcess(t, ['run', conf])
  await many.says(/^consumer-thread-[01] >> zero$/m)
  await many.says(/^consumer-thread-[01] >> one$/m)
  many.kill('SIGINT')
  const { code, stdout } = await many.ended
  assert.equal(code, 0)
  assert.match(stdout, /\nBye\n$/)
})

await test('run: a reader of the output that goes away ends it without a failure', async (t) => {
  const { servers, directory } = await brokerFor(t)
  await sluice(
    t,
    servers,
    ['produce', 'clicks'],
    Array.from({ length: 20_000 }, (_, index) => `line ${index}`).join('\n'),
  )
  const conf = join(directory, 'consumer.conf')
  await writeFile(conf, JSON.stringify({ topic: 'clicks', 'group.id': 'g', 'bootstrap.servers': servers }))
  const line = `"${process.execPath}" src/cli/main.ts run ${conf} | head -n 1; echo "\${PIPESTATUS[0]}"`
  const { stdout, stderr } = await runSluice(t, ['-c', line], { command: ['bash'], cwd: root })
  assert.equal(stdout, 'line 0\n0\n', stderr)
  assert.doesNotMatch(stderr, /^\s+at /m)
})

for (const commit of ['auto', 'sync', 'async', 'record']) {
  await test(`run: commit "${commit}" has committed what was printed when it ends`, async (t) => {
    const { servers, directory } = await brokerFor(t)
    await sluice(t, servers, ['produce', 'clicks'], '1\n2\n3\n4\n5\n')
    const conf = join(directory, 'consumer.conf')
    await writeFile(conf, JSON.stringify({ topic: 'clicks', 'group.id': 'g', commit, 'bootstrap.servers': servers }))
    const running = new SluiceProcess(t, ['run', conf])
    await running.says(/^5$/m)
    running.kill('SIGTERM')
    assert.deepEqual([(await running.ended).code, running.stdout], [0, '1\n2\n3\n4\n5\nBye\n'])
    const [row] = JSON.parse(await sluice(t, servers, ['groups', 'describe', 'g', '--json'])) as {
      currentOffset: number
    }[]
    assert.equal(row!.currentOffset, 5)
  })
}

await test('run: a poison record stops it, with everything before it stored and no stack', async (t) => {
  const { servers, directory } = await brokerFor(t)
  await sluice(t, servers, ['produce', 'clicks'], '{"a":1}\n{"a":2}\nno json\n{"a":4}\n')
  const conf = join(directory, 'consumer.conf')
  const sink = { type: 'file', directory: join(directory, 'out'), format: 'csv', columns: ['a'] }
  await writeFile(
    conf,
    JSON.stringify({ topic: 'clicks', 'group.id': 'g', value: 'json', sink, 'bootstrap.servers': servers }),
  )
  const { code, stderr } = await runSluice(t, ['run', conf])
  assert.equal(code, 1)
  assert.match(
    stderr,
    /topic clicks, partition 0, offset 2: the value cannot be decoded: it is not JSON: "no json"\. Every record before it is stored, nothing from it on is committed/,
  )
  assert.doesNotMatch(stderr, /^\s+at /m)
  const folder = join(directory, 'out', 'clicks', '0')
  const stored = readdirSync(folder)
    .filter((name) => name.endsWith('.csv'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
  assert.equal(stored.join(''), '1\n2\n')
  const [row] = JSON.parse(await sluice(t, servers, ['groups', 'describe', 'g', '--json'])) as {
    currentOffset: number
  }[]
  assert.equal(row!.currentOffset, 2)
})

await test('run: a store that stands outside of the log stops it, and is never reset', async (t) => {
  const { servers, directory } = await brokerFor(t)
  await sluice(t, servers, ['produce', 'clicks'], '1\n2\n3\n')
  const conf = join(directory, 'consumer.conf')
  const sink = { type: 'file', directory: join(directory, 'out'), format: 'log', 'rotate.ms': 50 }
  await writeFile(conf, JSON.stringify({ topic: 'clicks', 'group.id': 'g', sink, 'bootstrap.servers': servers }))
  const running = new SluiceProcess(t, ['run', conf])
  await running.says(/owns clicks-0/, 'stderr')
  const stored = () =>
    existsSync(join(directory, 'out', 'clicks', '0')) &&
    readdirSync(join(directory, 'out', 'clicks', '0')).some((name) => name.endsWith('.log'))
  await until(stored, { what: 'a file' })
  running.kill('SIGTERM')
  assert.equal((await running.ended).code, 0)
  const admin = new Admin({ 'bootstrap.servers': servers })
  t.after(() => admin.close())
  await sluice(t, servers, ['produce', 'clicks'], '4\n5\n')
  await admin.deleteRecords([[{ topic: 'clicks', partition: 0 }, 4]])
  const stopped = await runSluice(t, ['run', conf])
  assert.equal(stopped.code, 1)
  assert.match(
    stopped.stderr,
    /the store of clicks-0 goes on at offset 3, and the log holds 4 to 5: 1 offsets were deleted before they were stored/,
  )
})

await test('run: a store that is down is said, and a second signal ends the wait at once', async (t) => {
  const { servers, directory } = await brokerFor(t)
  const conf = join(directory, 'consumer.conf')
  const database = join(directory, 'locked.db')
  const sink = { type: 'sqlite', database, table: 'rows', columns: ['a'], 'flush.records': 1, 'busy.timeout.ms': 10 }
  await sluice(t, servers, ['topics', 'create', 'rows'])
  const quick = { 'session.timeout.ms': 1000, 'heartbeat.interval.ms': 200 }
  const application = { topic: 'rows', 'group.id': 'g', value: 'json', sink, 'bootstrap.servers': servers, ...quick }
  await writeFile(conf, JSON.stringify(application))
  const running = new SluiceProcess(t, ['run', conf])
  await running.says(/owns rows-0/, 'stderr')
  await sluice(t, servers, ['produce', 'rows'], '{"a":1}\n')
  await until(() => rowsOf(database) === 1, { what: 'a row' })
  const lock = new DatabaseSync(database)
  t.after(() => lock.close())
  lock.exec('BEGIN IMMEDIATE')
  await sluice(t, servers, ['produce', 'rows'], '{"a":2}\n')
  await running.says(/rows-0: the sqlite sink is unavailable for flushing: .*locked.*Trying again in/, 'stderr')
  running.kill('SIGTERM')
  await running.says(/SIGTERM: storing and committing/, 'stderr')
  running.kill('SIGTERM')
  const { code, stdout } = await running.ended
  assert.deepEqual([code, stdout], [143, ''])
  lock.exec('ROLLBACK')
  const again = new SluiceProcess(t, ['run', conf])
  await until(() => rowsOf(database) === 2, { what: 'the row that was not stored' })
  again.kill('SIGTERM')
  assert.equal((await again.ended).code, 0)
  assert.equal(rowsOf(database), 2)
})

function rowsOf(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 })
  try {
    return Number(database.prepare('SELECT count(*) AS n FROM rows').get()!['n'])
  } finally {
    database.close()
  }
}

await test('run: ends within shutdown.timeout.ms when the broker has gone, and goes on behind it when both are back', async (t) => {
  const directory = await temporaryDirectory(t)
  const data = join(directory, 'data')
  const properties = { 'group.initial.rebalance.delay.ms': 0, 'group.min.session.timeout.ms': 500 }
  const broker = await spawnBroker(t, data, { properties })
  await sluice(t, broker.bootstrapServers, ['topics', 'create', 'rows'])
  const conf = join(directory, 'consumer.conf')
  const database = join(directory, 'rows.db')
  const application = {
    topic: 'rows',
    'group.id': 'g',
    'bootstrap.servers': broker.bootstrapServers,
    'shutdown.timeout.ms': 3000,
    'session.timeout.ms': 1000,
    'heartbeat.interval.ms': 200,
    'auto.commit.interval.ms': 60_000,
    value: 'json',
    sink: { type: 'sqlite', database, table: 'rows', columns: ['a'], 'flush.records': 1 },
  }
  await writeFile(conf, JSON.stringify(application))
  const running = new SluiceProcess(t, ['run', conf])
  await running.says(/owns rows-0/, 'stderr')
  await sluice(t, broker.bootstrapServers, ['produce', 'rows'], '{"a":1}\n{"a":2}\n')
  await until(() => rowsOf(database) === 2, { what: 'two rows' })
  broker.process.kill('SIGKILL')
  await broker.process.ended
  running.kill('SIGTERM')
  const { code, stdout, stderr } = await running.ended
  assert.deepEqual([code, stdout], [0, 'Bye\n'], stderr)
  assert.match(stderr, /committing rows-0 to 2 failed: .*The store has them/)
  const { bootstrapServers } = await spawnBroker(t, data, { port: broker.port, properties })
  await sluice(t, bootstrapServers, ['produce', 'rows'], '{"a":3}\n')
  const again = new SluiceProcess(t, ['run', conf])
  await until(() => rowsOf(database) === 3, { what: 'the third row' })
  again.kill('SIGTERM')
  assert.equal((await again.ended).code, 0)
  assert.equal(rowsOf(database), 3, 'nothing twice, though nothing had been committed')
})

await test('demo: counts are right, and an earlier result is not written over', async (t) => {
  const cwd = await temporaryDirectory(t)
  const first = await runSluice(t, ['demo', '--records', '2000', '--seed', '3'], { cwd })
  assert.equal(first.code, 0, first.stderr)
  assert.match(first.stdout, /produced 2,000, stored by each group 2,000, lost 0, repeated 0\n$/)
  const [, url] = /the lag monitor judges the groups at (\S+)/.exec(first.stdout)!
  for (const group of ['file', 'sqlite', 'console']) {
    assert.match(first.stdout, new RegExp(`the monitor's judgement: .*\\b${group}-consumers OK, lag 0\\b`))
  }
  assert.equal(first.stderr, '')
  await assert.rejects(fetch(url!), 'the monitor ends with the demo')
  const left = await readdir(join(cwd, 'sluice-demo'))
  assert.deepEqual(left.filter((name) => !name.startsWith('click_log.db')).sort(), ['broker', 'consumer.conf', 'out'])
  const flights = await runSluice(t, ['demo', '--records', '2000'], { cwd })
  assert.match(flights.stdout, /everything goes to sluice-demo-2\//)
  assert.match(flights.stdout, /produced 2,000 flights/)
  const taken = await runSluice(t, ['demo', '--directory', 'sluice-demo'], { cwd })
  assert.equal(taken.code, 1)
  assert.match(taken.stderr, /sluice-demo is not empty/)
})

await test('demo --keep-running: broker and monitor stay until they are told to end; a monitor that cannot be had is no failure', async (t) => {
  const cwd = await temporaryDirectory(t)
  const args = ['demo', '--records', '1000', '--seed', '3']
  const child = new SluiceProcess(t, [...args, '--keep-running'], { cwd })
  const [, servers, url] = await child.says(/Until Ctrl-C the broker stays at (\S+), the monitor at (\S+?)\. /)
  const { groups } = (await (await fetch(`${url}/api/v1/overview`)).json()) as Overview
  assert.equal(groups.length, 3)
  const second = await runSluice(t, [...args, '--monitor', url!.slice('http://'.length)], { cwd })
  assert.equal(second.code, 0, second.stderr)
  assert.match(second.stderr, /the demo goes on without its monitor: .*the port is in use/)
  assert.match(second.stdout, /lost 0, repeated 0\n$/)
  const listed = await runSluice(t, ['topics', 'list', '--bootstrap-server', servers!], { cwd })
  assert.match(listed.stdout, /click_log/)
  child.kill('SIGTERM')
  const { code, stderr } = await child.ended
  assert.equal(code, 0, stderr)
})
