/**
 * The files of the embedded broker's log as Apache Kafka's own tool reads them: segments, both indexes, aborted transactions and producer
 * snapshots, each without a complaint.
 */
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { batchOf, keyed, openLogs, StandingClock, START_MS } from '../broker/log/log-fixtures.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { kafkaTool } from './kafka.ts'

const complaints = /mismatch|corrupt|invalid|not found|Found timestamp|Exception|error|larger than|out of order/i

/** Gaps are what compaction leaves; the tool also tells one before each segment that does not begin at 0. */
const gaps = /^SLF4J|^Non-consecutive offsets in|^ {2}-?\d+ is followed by \d+$/
const noGaps = /^SLF4J|^Non-consecutive offsets in|^ {2}-1 is followed by \d+$/

async function dump(files: readonly string[], options: readonly string[] = [], expected = noGaps): Promise<string> {
  const { code, stdout, stderr } = await kafkaTool('org.apache.kafka.tools.DumpLogSegments', [
    ...options,
    '--files',
    files.join(','),
  ])
  assert.equal(code, 0, stderr || stdout)
  const lines = stdout.split('\n').filter((line) => complaints.test(line) && !/isvalid: true/.test(line))
  assert.deepEqual(lines, [], stdout)
  assert.deepEqual(
    stderr.split('\n').filter((line) => line !== '' && !expected.test(line)),
    [],
  )
  return stdout
}

test('DumpLogSegments: reads segments and indexes without complaint, before and after compaction', async (t) => {
  const directory = await temporaryDirectory(t)
  const clock = new StandingClock()
  const logs = await openLogs(t, directory, { clock })
  const config = { 'cleanup.policy': 'compact', 'internal.segment.bytes': '6000', 'index.interval.bytes': '300' }
  const log = (await logs.createTopic('dumped', 1, config)).partitions[0]!
  const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
  const end = { producerId: 7, producerEpoch: 1, coordinatorEpoch: 3 }
  let sequence = 0
  for (let number = 0; number < 150; number++) {
    const records = [
      keyed(`key ${number % 11}`, number % 9 === 0 ? null : `value ${number}`, START_MS + 10 * number),
      keyed(`key ${number % 5}`, 'x'.repeat(60), START_MS + number),
    ]
    const producer = { producerId: 7, producerEpoch: 1, baseSequence: sequence, isTransactional: true }
    const plain = number % 3 === 0
    await log.append(batchOf(records, { compression: compressions[number % 5]!, ...(plain ? {} : producer) }))
    if (!plain) sequence += 2
    if (number % 6 === 5) await log.appendControl({ type: number % 4 === 1 ? 'abort' : 'commit', ...end })
  }
  for (const round of ['as written', 'compacted', 'compacted again']) {
    await logs.checkpoint()
    const folder = join(directory, 'dumped-0')
    const names = await readdir(folder)
    const filesOf = (suffix: string) => names.filter((name) => name.endsWith(suffix)).map((name) => join(folder, name))
    assert.ok(filesOf('.log').length >= 2 && filesOf('.index').length >= 2, round)
    const segments = await dump(
      filesOf('.log'),
      ['--deep-iteration', '--print-data-log'],
      round === 'as written' ? noGaps : gaps,
    )
    const batches = (segments.match(/baseOffset: /g) ?? []).length
    assert.ok(batches > (round === 'as written' ? 150 : 5), `${batches} batches ${round}`)
    // The second compaction comes after the markers' horizon: those whose records are gone go too.
    const markersLeft = round !== 'compacted again'
    assert.equal(segments.includes('endTxnMarker: ABORT'), markersLeft, round)
    assert.equal(filesOf('.txnindex').length > 0, markersLeft, round)
    const offsets = await dump(filesOf('.index'), ['--verify-index-only'])
    assert.ok(offsets.includes('Dumping'))
    await dump(filesOf('.index'), ['--index-sanity-check'])
    await dump(filesOf('.timeindex'), ['--verify-index-only'])
    if (markersLeft) assert.ok((await dump(filesOf('.txnindex'))).includes('producerId: 7'), round)
    const producers = await dump(filesOf('.snapshot'))
    assert.match(producers, /producerId: 7 producerEpoch: 1 coordinatorEpoch: 3/)
    clock.ms += 100_000_000
    await log.roll()
    await logs.compact({ force: true })
    await log.append(batchOf([keyed('one more', round, START_MS + 100_000)]))
  }
})
