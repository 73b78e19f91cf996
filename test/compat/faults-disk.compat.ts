/**
 * Disks that are full, read-only or not ours, and a database that somebody else has locked, under the real command line. Needs Linux and
 * root (for tmpfs mounts and `setpriv`), and Python for a lock that is not Sluice's.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Producer } from '../../src/client/producer/producer.ts'
import { main, SluiceProcess, spawnBroker } from '../e2e/sluice-process.ts'
import {
  brokerProperties as properties,
  committedOffset,
  confFile,
  createTopic,
  endsInOrder,
  fileIds,
  fileSink,
  numbered,
  produce,
  range,
  runConf,
  sceneOf,
  sqliteSink,
  tableIds,
  untilStored,
} from '../e2e/faults/fixtures.ts'

/** A folder that holds `name`, a file system of its own in memory, so small that it can be filled. */
function folderWithTmpfs(t: TestContext, name: string, options: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  const path = join(folder, name)
  mkdirSync(path)
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
  t.after(() => {
    execFileSync('umount', ['-l', path])
    rmSync(folder, { recursive: true })
  })
  return folder
}

const options = { 'auto.offset.reset': 'earliest' }
const stores = [
  { name: 'file', sink: fileSink, ids: fileIds, columns: ['id', 'pad'] },
  { name: 'sqlite', sink: sqliteSink, ids: tableIds, columns: [{ name: 'id', type: 'integer' }, 'pad'] },
]

for (const { name, sink, ids, columns } of stores) {
  await test(`${name}, disk full: said, tried again, and each record is there once when there is room`, async (t) => {
    const scene = await sceneOf(t)
    const { bootstrapServers } = scene
    const directory = folderWithTmpfs(t, 'store', 'size=4m')
    const store = join(directory, 'store')
    writeFileSync(join(store, 'ballast'), Buffer.alloc(3_500_000))
    await createTopic(t, bootstrapServers)
    await produce(bootstrapServers, numbered(0, 1500, 500))
    const process = runConf(t, await confFile(scene, { ...options, sink: sink(directory, { columns }) }))
    await process.says(/disk is full.*free some space/, 'stderr')
    assert.match(
      process.stderr,
      new RegExp(`numbers-0: .*${store}.*Trying again in [\\d.]+ s; nothing is lost or committed meanwhile`),
    )
    assert.ok(ids(directory).length < 1500)
    rmSync(join(store, 'ballast'))
    await untilStored(process, () => ids(directory), 1500)
    await endsInOrder(process)
    assert.deepEqual(ids(directory), range(0, 1500))
    assert.equal(await committedOffset(t, bootstrapServers), 1500)
  })

  await test(`${name}, disk full: SIGTERM ends it, and the next run stores each record once`, async (t) => {
    const scene = await sceneOf(t)
    const { bootstrapServers } = scene
    const directory = folderWithTmpfs(t, 'store', 'size=4m')
    const store = join(directory, 'store')
    writeFileSync(join(store, 'ballast'), Buffer.alloc(3_500_000))
    await createTopic(t, bootstrapServers)
    await produce(bootstrapServers, numbered(0, 1500, 500))
    const conf = await confFile(scene, { ...options, 'shutdown.timeout.ms': 5000, sink: sink(directory, { columns }) })
    const process = runConf(t, conf)
    await process.says(/disk is full/, 'stderr')
    process.kill('SIGTERM')
    const { code, stderr } = await process.ended
    assert.equal(code, 0, stderr)
    rmSync(join(store, 'ballast'))
    const next = runConf(t, conf)
    await untilStored(next, () => ids(directory), 1500)
    await endsInOrder(next)
    assert.deepEqual(ids(directory), range(0, 1500))
  })

  await test(`${name}: a folder below a file, a read-only one, and somebody else's stop it with the path`, async (t) => {
    const scene = await sceneOf(t)
    const { directory, bootstrapServers } = scene
    await createTopic(t, bootstrapServers)
    const refused = async (base: string, says: RegExp, command?: [string, ...string[]]) => {
      const conf = await confFile(scene, { ...options, sink: sink(base) })
      const { code, stderr } = await runConf(t, conf, command ? { command } : {}).ended
      assert.equal(code, 1, stderr)
      assert.match(stderr, says)
      assert.ok(stderr.includes(join(base, 'store')), stderr)
      assert.doesNotMatch(stderr, /^\s+at /m, 'no stack trace')
    }
    const file = join(directory, 'a-file')
    writeFileSync(file, '')
    await refused(file, /a part of the path is a file, not a folder \(ENOTDIR\)/)
    const readOnly = join(folderWithTmpfs(t, 'read-only', 'ro,size=1m'), 'read-only')
    await refused(readOnly, /the file system is read-only \(EROFS\)/)
    const foreign = mkdtempSync(join(tmpdir(), 'sluice-test-'))
    t.after(() => rmSync(foreign, { recursive: true }))
    await chmod(directory, 0o755)
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, main] as const
    await refused(foreign, /permission denied: give this user the right to write and list there \(EACCES\)/, [
      ...asNobody,
    ])
  })
}

const impatient = (directory: string) => sqliteSink(directory, { 'busy.timeout.ms': 100 })

/** Another process that holds the database's write lock until its standard input ends. */
async function lockDatabase(t: TestContext, path: string): Promise<{ release(): Promise<void> }> {
  const script = `import sqlite3,sys,time
db=sqlite3.connect(${JSON.stringify(path)}, isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(600)`
  const python = new SluiceProcess(t, ['-c', script], { command: ['python3'] })
  await python.says(/locked/)
  return {
    async release() {
      python.kill('SIGKILL')
      await python.ended
    },
  }
}

await test('sqlite locked by another process, beyond busy.timeout.ms: said, tried again, each record once', async (t) => {
  const scene = await sceneOf(t)
  const { directory, bootstrapServers } = scene
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, numbered(0, 20))
  const sink = sqliteSink(directory, { 'busy.timeout.ms': 500 })
  const process = runConf(t, await confFile(scene, { ...options, sink }))
  await untilStored(process, () => tableIds(directory), 20)
  const lock = await lockDatabase(t, join(directory, 'store', 'numbers.db'))
  await produce(bootstrapServers, numbered(20, 40))
  await process.says(
    /numbers\.db is locked by another process for \d+ ms \("busy\.timeout\.ms" is 500\); nothing was written.*Trying again/,
    'stderr',
  )
  await lock.release()
  await untilStored(process, () => tableIds(directory), 40)
  await endsInOrder(process)
  assert.deepEqual(tableIds(directory), range(0, 40))
})

await test('sqlite locked for less than busy.timeout.ms: waited for, and nothing is said', async (t) => {
  const scene = await sceneOf(t)
  const { directory, bootstrapServers } = scene
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, numbered(0, 20))
  const process = runConf(
    t,
    await confFile(scene, { ...options, sink: sqliteSink(directory, { 'busy.timeout.ms': 60_000 }) }),
  )
  await untilStored(process, () => tableIds(directory), 20)
  const lock = await lockDatabase(t, join(directory, 'store', 'numbers.db'))
  await produce(bootstrapServers, numbered(20, 40))
  await produce(bootstrapServers, numbered(40, 60))
  await lock.release()
  await untilStored(process, () => tableIds(directory), 60)
  await endsInOrder(process)
  assert.deepEqual(tableIds(directory), range(0, 60))
  assert.doesNotMatch(process.stderr, /locked/)
})

await test('sqlite locked: SIGTERM ends it within shutdown.timeout.ms, and locked at the start it does not begin', async (t) => {
  const scene = await sceneOf(t)
  const { directory, bootstrapServers } = scene
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, numbered(0, 20))
  const conf = await confFile(scene, { ...options, 'shutdown.timeout.ms': 4000, sink: sqliteSink(directory) })
  const process = runConf(t, conf)
  await untilStored(process, () => tableIds(directory), 20)
  const lock = await lockDatabase(t, join(directory, 'store', 'numbers.db'))
  await produce(bootstrapServers, numbered(20, 40))
  await endsInOrder(process)
  const refused = await runConf(t, await confFile(scene, { ...options, sink: impatient(directory) })).ended
  assert.equal(refused.code, 1, 'a store that cannot be opened stops it before it joins the group')
  assert.match(
    refused.stderr,
    /^sluice: .*numbers\.db is locked by another process for \d+ ms \("busy\.timeout\.ms" is 100\)/m,
  )
  await lock.release()
  const last = runConf(t, conf)
  await untilStored(last, () => tableIds(directory), 40)
  await endsInOrder(last)
  assert.deepEqual(tableIds(directory), range(0, 40))
})

await test('sqlite locked: a second SIGTERM ends it at once with 143', async (t) => {
  const scene = await sceneOf(t)
  const { directory, bootstrapServers } = scene
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, numbered(0, 20))
  const process = runConf(t, await confFile(scene, { ...options, sink: impatient(directory) }))
  await untilStored(process, () => tableIds(directory), 20)
  const lock = await lockDatabase(t, join(directory, 'store', 'numbers.db'))
  await produce(bootstrapServers, numbered(20, 40))
  await process.says(/is locked by another process/, 'stderr')
  process.kill('SIGTERM')
  await process.says(/again to end at once/, 'stderr')
  process.kill('SIGTERM')
  assert.equal((await process.ended).code, 143)
  await lock.release()
  const next = runConf(t, await confFile(scene, { ...options, sink: sqliteSink(directory) }))
  await untilStored(next, () => tableIds(directory), 40)
  await endsInOrder(next)
  assert.deepEqual(tableIds(directory), range(0, 40))
})

await test("the embedded broker's disk is full: produce fails with a retriable error, and goes on when there is room", async (t) => {
  const data = join(folderWithTmpfs(t, 'data', 'size=24m'), 'data')
  writeFileSync(join(data, '..ballast'), Buffer.alloc(12_000_000))
  const { process: broker, bootstrapServers } = await spawnBroker(t, data, { properties })
  await createTopic(t, bootstrapServers)
  const producer = new Producer({
    'bootstrap.servers': bootstrapServers,
    'delivery.timeout.ms': 3000,
    'request.timeout.ms': 2000,
    'linger.ms': 0,
  })
  t.after(() => producer.close({ timeoutMs: 1000 }))
  const kept: string[] = []
  let failure: (Error & { retriable?: boolean }) | undefined
  for (let index = 0; ; index++) {
    assert.ok(index < 200, 'the disk is full at some time')
    const value = `${index} ${'x'.repeat(200_000)}`
    failure = await producer.send({ topic: 'numbers', partition: 0, value }).then(
      () => undefined,
      (error: Error) => error,
    )
    if (failure) break
    kept.push(value)
  }
  assert.match(broker.stderr, /ENOSPC|disk is full/, 'the broker says so')
  assert.equal(broker.isOver, false)
  t.diagnostic(`${kept.length} records, then: ${failure.message}`)
  t.diagnostic(broker.stderr.slice(0, 600))
  rmSync(join(data, '..ballast'))
  const later = new Producer({ 'bootstrap.servers': bootstrapServers, 'delivery.timeout.ms': 60_000 })
  t.after(() => later.close())
  await later.send({ topic: 'numbers', partition: 0, value: 'last' })
  const read = new SluiceProcess(t, [
    'consume',
    'numbers',
    '--from-beginning',
    '--timeout-ms',
    '3000',
    '--bootstrap-server',
    bootstrapServers,
  ])
  const lines = (await read.ended).stdout.trimEnd().split('\n')
  assert.equal(lines.at(-1), 'last')
  for (const value of kept) assert.ok(lines.includes(value), 'an acknowledged record is there')
})
