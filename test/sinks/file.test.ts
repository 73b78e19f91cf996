/** The file sink's own ways: layout, rotation, what it refuses and how it says so. Each offset once is conformance.test.ts's matter. */
import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { systemDisk } from '../../src/seams/disk.ts'
import { SinkFencedError, SinkRefusedError, SinkSequenceError, SinkUnavailableError } from '../../src/sinks/sink.ts'
import { steppingDisk } from '../../src/testing/stepping-disk.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { concatenated, filesUnder, fileSinkIn, publishedNames, textOf } from './file-store.ts'
import { batchOf, contextOf, flights, opened, storeAll } from './fixtures.ts'

const three = batchOf(['{"a":1}', '{"a":2}', '{"a":3}'])
const later = batchOf(['{"a":4}', '{"a":5}'], { first: 3 })
const { signal } = contextOf()

/** Opens, writes a batch, and closes when the test ends. */
async function sinkWith(t: TestContext, directory: string, options: object = {}) {
  const sink = fileSinkIn(directory, { columns: ['a'], ...options })
  t.after(() => sink.close())
  await opened(sink, contextOf())
  return sink
}

test('a file is named for the topic, the partition and its first offset, and nothing of Sluice’s stands beside it', async (t) => {
  const directory = await temporaryDirectory(t)
  await storeAll(fileSinkIn(directory, { columns: ['a'] }), contextOf(), three)
  assert.deepEqual(
    (await filesUnder(directory)).filter((path) => !path.includes('.sluice')),
    [join(directory, 'flights/0/00000000000000000000.csv')],
  )
  assert.equal(await textOf(join(directory, 'flights/0/00000000000000000000.csv')), '1\n2\n3\n')
  const chain = JSON.parse(await textOf(join(directory, 'flights/0/.sluice/chain.json'))) as object
  assert.deepEqual(chain, {
    version: 1,
    application: 'file-consumers',
    clusterId: 'cluster-1',
    topicId: 'id-of-flights',
    topic: 'flights',
    partition: 0,
    start: 0,
  })
})

test('every legal topic name makes a folder, the longest too', async (t) => {
  const directory = await temporaryDirectory(t)
  for (const topic of ['x'.repeat(249), '...', '.hidden', 'a_b-c.d', '-rf']) {
    const batch = batchOf(['{"a":1}'], { topicPartition: { topic, partition: 2_147_483_647 } })
    await storeAll(fileSinkIn(directory, { columns: ['a'], gzip: true, format: 'jsonl' }), contextOf(), batch)
    assert.equal(await concatenated(directory, batch.topicPartition), '{"a":1}\n')
  }
})

test('nothing is seen under a final name before the flush, and what was not flushed leaves nothing behind', async (t) => {
  const directory = await temporaryDirectory(t)
  const sink = await sinkWith(t, directory)
  await sink.write(batchOf(Array.from({ length: 2000 }, () => JSON.stringify({ a: 'x'.repeat(300) }))))
  await sink.write(batchOf(['{"a":1}'], { first: 2000 }))
  assert.deepEqual(await publishedNames(directory, flights), [])
  assert.equal((await filesUnder(directory)).length, 1, 'a chunk went to a prepared file')
  await sink.close()
  assert.deepEqual(await filesUnder(directory), [])
})

test('rotation: the sink says when a file is due, by records and by bytes, and asks the runner for the time', async (t) => {
  const directory = await temporaryDirectory(t)
  const byRecords = fileSinkIn(directory, { columns: ['a'], 'rotate.records': 3, 'rotate.ms': 60_000 })
  t.after(() => byRecords.close())
  const { flushHint } = await byRecords.open(contextOf())
  assert.deepEqual(flushHint, { records: 3, intervalMs: 60_000 })
  await byRecords.assigned([{ topicPartition: flights, committed: undefined, generation: 1 }])
  assert.deepEqual(await byRecords.write(three), { flushDue: true })
  assert.deepEqual(await byRecords.flush(flights, 3, signal), { durable: 3 })
  assert.deepEqual(await byRecords.write(later), { flushDue: false })
  const byBytes = await sinkWith(t, join(directory, 'bytes'), { 'rotate.bytes': 6 })
  assert.deepEqual(await byBytes.write(three), { flushDue: true })
})

test('header: every file begins with the column names', async (t) => {
  const directory = await temporaryDirectory(t)
  const sink = await sinkWith(t, directory, { header: true, columns: ['a', '$offset'], delimiter: ';' })
  await sink.write(three)
  await sink.flush(flights, 3, signal)
  await sink.write(later)
  await sink.flush(flights, 5, signal)
  assert.equal(await textOf(join(directory, 'flights/0/00000000000000000000.csv')), 'a;offset\n1;0\n2;1\n3;2\n')
  assert.equal(await textOf(join(directory, 'flights/0/00000000000000000003.csv')), 'a;offset\n4;3\n5;4\n')
})

test('gzip: the same records give the same bytes, with no time in them', async (t) => {
  const [first, second] = [await temporaryDirectory(t), await temporaryDirectory(t)]
  for (const directory of [first, second])
    await storeAll(fileSinkIn(directory, { columns: ['a'], gzip: true }), contextOf(), three)
  const path = 'flights/0/00000000000000000000.csv.gz'
  const bytes = await readFile(join(first, path))
  assert.deepEqual(bytes, await readFile(join(second, path)))
  assert.equal(bytes.readUInt32LE(4), 0)
  assert.equal(gunzipSync(bytes).toString(), '1\n2\n3\n')
})

test('published files may be moved away: they are neither made again nor missed', async (t) => {
  const directory = await temporaryDirectory(t)
  await storeAll(fileSinkIn(directory, { columns: ['a'] }), contextOf(), three)
  await rename(join(directory, 'flights/0/00000000000000000000.csv'), join(directory, 'taken.csv'))
  const sink = fileSinkIn(directory, { columns: ['a'] })
  t.after(() => sink.close())
  assert.equal(await opened(sink, contextOf()), 3)
  await sink.write(later)
  await sink.flush(flights, 5, signal)
  assert.deepEqual(await publishedNames(directory, flights), ['00000000000000000003.csv'])
})

test('another format after a restart goes on behind the old one', async (t) => {
  const directory = await temporaryDirectory(t)
  await storeAll(fileSinkIn(directory, { columns: ['a'] }), contextOf(), three)
  await storeAll(fileSinkIn(directory, { columns: ['a'], format: 'jsonl' }), contextOf(), later)
  assert.deepEqual(await publishedNames(directory, flights), ['00000000000000000000.csv', '00000000000000000003.jsonl'])
})

for (const [what, changes] of [
  ['another application', { application: 'others' }],
  ['another Kafka cluster', { clusterId: 'cluster-2' }],
  ['another topic of the same name', { topicId: () => 'new-id' }],
] as const) {
  test(`a folder that belongs to ${what} is refused, and nothing is touched`, async (t) => {
    const directory = await temporaryDirectory(t)
    await storeAll(fileSinkIn(directory, { columns: ['a'] }), contextOf(), three)
    const before = await filesUnder(directory)
    await assert.rejects(opened(fileSinkIn(directory, { columns: ['a'] }), contextOf(changes)), (error) => {
      assert.ok(error instanceof SinkRefusedError)
      assert.match(error.message, new RegExp(`flights/0 holds the files of ${what}.*Move the folder away`))
      return true
    })
    assert.deepEqual(await filesUnder(directory), before)
  })
}

test('files whose history is gone are not mixed with new ones', async (t) => {
  const directory = await temporaryDirectory(t)
  await storeAll(fileSinkIn(directory, { columns: ['a'] }), contextOf(), three)
  await rm(join(directory, 'flights/0/.sluice'), { recursive: true })
  const sink = await sinkWith(t, directory)
  await sink.write(three)
  await assert.rejects(
    sink.flush(flights, 3, signal),
    /00000000000000000000\.csv exists, but .*\.sluice.*Move the files away/,
  )
  assert.equal(await concatenated(directory, flights), '1\n2\n3\n')
})

test('a stale owner is fenced, learns where to go on, and goes on there', async (t) => {
  const directory = await temporaryDirectory(t)
  const [stale, owner] = [await sinkWith(t, directory), await sinkWith(t, directory)]
  await stale.write(batchOf(['{"a":1}', '{"a":2}']))
  await owner.write(three)
  await owner.flush(flights, 3, signal)
  await assert.rejects(stale.flush(flights, 2, signal), (error) => {
    assert.ok(error instanceof SinkFencedError)
    assert.match(error.message, /topic flights, partition 0 has another owner in .*flights\/0/)
    return true
  })
  assert.deepEqual(await stale.assigned([{ topicPartition: flights, committed: 0, generation: 2 }]), [
    { topicPartition: flights, next: 3 },
  ])
  await stale.write(later)
  await stale.flush(flights, 5, signal)
  assert.equal(await concatenated(directory, flights), '1\n2\n3\n4\n5\n')
})

test('two owners that begin at different offsets: one beginning holds', async (t) => {
  const directory = await temporaryDirectory(t)
  const [first, second] = [await sinkWith(t, directory), await sinkWith(t, directory)]
  await first.write(three)
  await second.write(later)
  await second.flush(flights, 5, signal)
  await assert.rejects(first.flush(flights, 3, signal), /the files begin at 3, not 0/)
  assert.equal(await concatenated(directory, flights), '4\n5\n')
})

test('what dead owners left is swept when the chain has passed it, and a live owner’s file is not', async (t) => {
  const directory = await temporaryDirectory(t)
  const live = await sinkWith(t, directory)
  const large = batchOf(Array.from({ length: 1000 }, () => JSON.stringify({ a: 'x'.repeat(300) })))
  await live.write(large)
  await live.write(batchOf(['{"a":1}'], { first: 1000 }))
  const chain = join(directory, 'flights/0/.sluice')
  await writeFile(join(chain, `00000000000000000000.${crypto.randomUUID()}.part`), 'left by a dead owner')
  // Somebody else looks in: the live owner's file must survive it.
  await sinkWith(t, directory)
  assert.equal((await filesUnder(chain)).length, 2)
  await live.flush(flights, 1001, signal)
  assert.deepEqual(
    (await filesUnder(chain)).map((path) => path.slice(chain.length + 1)),
    ['00000000000000000000.intent', 'chain.json'],
  )
  assert.equal((await concatenated(directory, flights)).length, 301_000 + 2)
})

test('the disk is full: said with path and what to do, kept, and written when there is space', async (t) => {
  const directory = await temporaryDirectory(t)
  let full = true
  const disk = steppingDisk(systemDisk, async (step) => {
    if (full && step.startsWith('during write')) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  })
  const sink = fileSinkIn(directory, { columns: ['a'] })
  t.after(() => sink.close())
  await opened(sink, contextOf({ disk }))
  await sink.write(three)
  await assert.rejects(sink.flush(flights, 3, signal), (error) => {
    assert.ok(error instanceof SinkUnavailableError && error.retriable)
    assert.match(error.message, /cannot write .*\.part: the disk is full: free some space \(ENOSPC\)/)
    return true
  })
  await assert.rejects(sink.flush(flights, 3, signal), SinkUnavailableError)
  full = false
  assert.deepEqual(await sink.flush(flights, 3, signal), { durable: 3 })
  assert.equal(await concatenated(directory, flights), '1\n2\n3\n')
})

test('after a failed sync nothing is believed: the application stops, and the next one stores it', async (t) => {
  const directory = await temporaryDirectory(t)
  const disk = steppingDisk(systemDisk, async (step) => {
    if (/before sync .*\.part$/.test(step)) throw Object.assign(new Error('i/o error'), { code: 'EIO' })
  })
  const sink = fileSinkIn(directory, { columns: ['a'] })
  t.after(() => sink.close())
  await opened(sink, contextOf({ disk }))
  await sink.write(three)
  await assert.rejects(sink.flush(flights, 3, signal), (error) => error instanceof SinkRefusedError && !error.retriable)
  await storeAll(fileSinkIn(directory, { columns: ['a'] }), contextOf(), three)
  assert.equal(await concatenated(directory, flights), '1\n2\n3\n')
})

test('a directory that cannot be used is refused at open, with what to do', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'file'), '')
  await assert.rejects(fileSinkIn(join(directory, 'file')).open(contextOf()), (error) => {
    assert.ok(error instanceof SinkRefusedError)
    assert.match(error.message, /cannot write to the directory .*\/file: /)
    return true
  })
  const denied = {
    ...systemDisk,
    list: async () => Promise.reject(Object.assign(new Error('denied'), { code: 'EACCES' })),
  }
  await assert.rejects(
    fileSinkIn(directory).open(contextOf({ disk: denied })),
    /cannot write to the directory .*: permission denied: give this user the right to write and list there \(EACCES\)/,
  )
})

test('a directory without the right to write is refused at open', async (t) => {
  if (process.getuid?.() === 0) return t.skip('root may write anywhere')
  const directory = join(await temporaryDirectory(t), 'sealed')
  await mkdir(directory)
  await chmod(directory, 0o500)
  await assert.rejects(fileSinkIn(directory).open(contextOf()), /permission denied/)
})

test('columns need JSON values', async (t) => {
  const directory = await temporaryDirectory(t)
  await assert.rejects(
    fileSinkIn(directory, { columns: ['a'] }).open(contextOf({ valueType: 'string' })),
    /set "value": "json"/,
  )
  await fileSinkIn(directory, { columns: ['$offset', '$value'] }).open(contextOf({ valueType: 'string' }))
})

test('a runner that leaves a hole is stopped', async (t) => {
  const sink = await sinkWith(t, await temporaryDirectory(t))
  await assert.rejects(sink.flush({ topic: 'other', partition: 0 }, 1, signal), SinkSequenceError)
  await sink.write(three)
  await assert.rejects(sink.write(batchOf(['{"a":9}'], { first: 9 })), /a batch begins at 9, and 3 comes next/)
  await assert.rejects(sink.flush(flights, 9, signal), /goes beyond 3/)
})
