/** Compaction: against a model that keeps the last value of each key, with transactions, tombstones and restarts. */
import assert from 'node:assert/strict'
import { readdir, rm } from 'node:fs/promises'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { controlBatch } from '../../../src/protocol/records/batch-writer.ts'
import { recordBatches } from '../../../src/protocol/records/record-batch.ts'
import { type PartitionLog } from '../../../src/broker/log/partition-log.ts'
import { systemDisk } from '../../../src/seams/disk.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { batchOf, keyed, openLogs, readAll, recordsOf, StandingClock, START_MS } from './log-fixtures.ts'

const COMPACTED = { 'cleanup.policy': 'compact', 'internal.segment.bytes': '600', 'delete.retention.ms': '1000' }

async function stateOf(log: PartitionLog): Promise<Map<string, string | null>> {
  const state = new Map<string, string | null>()
  for (const record of await readAll(log, log.logStartOffset, 'read_committed')) {
    state.set(record.keyText()!, record.valueText())
  }
  return state
}

/** As a consumer reads committed records: by the aborted transactions that each answer names, until their markers. */
async function committedOffsets(log: PartitionLog): Promise<Map<number, string>> {
  const found = new Map<number, string>()
  for (let offset = 0; ;) {
    const { records, abortedTransactions } = await log.read(offset, {
      maxBytes: 4000,
      isolation: 'read_committed',
      minOneBatch: true,
    })
    if (records.length === 0) return found
    const announced = [...abortedTransactions!]
    const aborted = new Set<number>()
    for (const piece of records) {
      for (const batch of recordBatches(piece)) {
        batch.verifyCrc()
        offset = batch.nextOffset
        while (announced.length > 0 && announced[0]!.firstOffset <= batch.lastOffset)
          aborted.add(announced.shift()!.producerId)
        if (batch.isControl && batch.controlType() === 'abort') aborted.delete(batch.producerId)
        if (batch.isControl || (batch.isTransactional && aborted.has(batch.producerId))) continue
        for (const record of recordsOf([batch.bytes()]))
          found.set(record.offset, `${record.keyText()}=${record.valueText()}`)
      }
    }
  }
}

test('compact: records of aborted transactions go at once, their markers after a horizon', async (t) => {
  const clock = new StandingClock()
  const directory = await temporaryDirectory(t)
  const logs = await openLogs(t, directory, { clock })
  const log = (await logs.createTopic('state', 1, { ...COMPACTED, 'internal.segment.bytes': '100000' })).partitions[0]!
  const producer = { producerId: 5, producerEpoch: 0, isTransactional: true }
  const end = { producerId: 5, producerEpoch: 0, coordinatorEpoch: 0 }
  await log.append(batchOf([keyed('a', 'aborted')], { ...producer, baseSequence: 0 }))
  await log.appendControl({ type: 'abort', ...end })
  await log.append(batchOf([keyed('b', 'committed')], { ...producer, baseSequence: 1 }))
  await log.appendControl({ type: 'commit', ...end })
  await log.roll()
  const left = async (of: PartitionLog) => {
    const { records } = await of.read(0, { maxBytes: 4000, isolation: 'read_uncommitted', minOneBatch: true })
    return records.flatMap((piece) => [...recordBatches(piece)].map(({ baseOffset }) => baseOffset))
  }
  await logs.compact({ force: true })
  assert.deepEqual(await left(log), [1, 2, 3])
  assert.equal(log.abortedTransactions(0, 4).length, 1)
  clock.ms += 1000
  await logs.compact({ force: true })
  assert.deepEqual(await left(log), [2, 3])
  assert.deepEqual([...(await committedOffsets(log)).values()], ['b=committed'])
  await logs.close()
  const again = (await openLogs(t, directory)).partition('state', 0)!
  assert.deepEqual(again.abortedTransactions(0, 4), [])
  assert.deepEqual([...(await committedOffsets(again)).values()], ['b=committed'])
})

test('compact: the last value of each key stays, at its offset', async (t) => {
  const logs = await openLogs(t, await temporaryDirectory(t), { tailMemoryBytes: 0 })
  const log = (await logs.createTopic('state', 1, COMPACTED)).partitions[0]!
  for (let number = 0; number < 100; number++)
    await log.append(batchOf([keyed(`key ${number % 7}`, `value ${number}`)]))
  await log.roll()
  const before = log.sizeInBytes
  await logs.compact({ force: true })
  assert.ok(log.sizeInBytes < before / 5)
  const records = await readAll(log)
  assert.deepEqual(
    records.map(({ offset }) => offset),
    [93, 94, 95, 96, 97, 98, 99],
  )
  assert.equal(records[0]!.valueText(), 'value 93')
  assert.equal(log.logStartOffset, 0)
})

test('compact: a tombstone stays for delete.retention.ms from the first compaction on, then goes', async (t) => {
  const clock = new StandingClock()
  const logs = await openLogs(t, await temporaryDirectory(t), { clock, tailMemoryBytes: 0 })
  const log = (await logs.createTopic('state', 1, COMPACTED)).partitions[0]!
  await log.append(batchOf([keyed('a', 'old'), keyed('b', 'kept')]))
  await log.append(batchOf([keyed('a', null, START_MS + 5)]))
  await log.roll()
  await logs.compact({ force: true })
  assert.deepEqual(
    [...(await stateOf(log))],
    [
      ['b', 'kept'],
      ['a', null],
    ],
  )
  assert.equal((await readAll(log)).at(-1)!.timestamp, START_MS + 5)
  clock.ms += 999
  await logs.compact({ force: true })
  assert.equal((await stateOf(log)).size, 2)
  clock.ms += 1
  await logs.compact({ force: true })
  assert.deepEqual([...(await stateOf(log))], [['b', 'kept']])
})

test('compact: the active segment and what an open transaction wrote are left alone', async (t) => {
  const logs = await openLogs(t, await temporaryDirectory(t), { tailMemoryBytes: 0 })
  const log = (await logs.createTopic('state', 1, COMPACTED)).partitions[0]!
  await log.append(batchOf([keyed('a', '1')]))
  await log.append(batchOf([keyed('a', '2')]))
  await log.roll()
  await log.append(
    batchOf([keyed('a', '3')], { producerId: 5, producerEpoch: 0, baseSequence: 0, isTransactional: true }),
  )
  await log.roll()
  await log.append(batchOf([keyed('a', '4')]))
  await log.roll()
  await log.append(batchOf([keyed('a', '5')]))
  await logs.compact({ force: true })
  assert.deepEqual(
    (await readAll(log)).map((record) => record.valueText()),
    ['2', '3', '4', '5'],
  )
})

test('compact: a producer goes on with its sequence after its records are gone', async (t) => {
  const directory = await temporaryDirectory(t)
  const logs = await openLogs(t, directory)
  const log = (await logs.createTopic('state', 1, COMPACTED)).partitions[0]!
  await log.append(batchOf([keyed('a', '1')], { producerId: 5, producerEpoch: 0, baseSequence: 0 }))
  await log.append(batchOf([keyed('a', '2')]))
  await log.roll()
  await logs.compact({ force: true })
  await logs.abandon()
  for (const name of await readdir(`${directory}/state-0`))
    if (name.endsWith('.snapshot')) await rm(`${directory}/state-0/${name}`)
  const again = (await openLogs(t, directory)).partition('state', 0)!
  assert.equal((await readAll(again)).length, 1)
  await assert.rejects(
    again.append(batchOf([keyed('a', '3')], { producerId: 5, producerEpoch: 0, baseSequence: 7 })),
    /OUT_OF_ORDER_SEQUENCE_NUMBER/,
  )
  assert.equal(
    (await again.append(batchOf([keyed('a', '3')], { producerId: 5, producerEpoch: 0, baseSequence: 1 }))).baseOffset,
    2,
  )
})

interface Step {
  kind: 'write' | 'begin' | 'commit' | 'abort' | 'roll' | 'compact' | 'restart' | 'wait'
  producer: number
  keys: number[]
  tombstone: boolean
  compression: 'none' | 'gzip' | 'zstd'
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom(
      'write',
      'write',
      'write',
      'begin',
      'begin',
      'commit',
      'abort',
      'roll',
      'compact',
      'restart',
      'wait',
    ),
    producer: fc.integer({ min: 0, max: 2 }),
    keys: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 }),
    tombstone: fc.boolean(),
    compression: fc.constantFrom('none', 'none', 'gzip', 'zstd'),
  }),
  { maxLength: 60 },
)

test('compact: whatever happens, readers of committed records see the last value of each key (property)', async (t) => {
  const root = await temporaryDirectory(t)
  let run = 0
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const clock = new StandingClock()
      const directory = `${root}/${run++}`
      let logs = await openLogs(t, directory, { clock, tailMemoryBytes: 0 })
      let log = (await logs.createTopic('state', 1, COMPACTED)).partitions[0]!
      const sequences = [0, 0, 0]
      const open = new Set<number>()
      const pending = new Map<number, [number, string, string | null][]>()
      /** Every committed record by offset. */
      const committed = new Map<number, [string, string | null]>()
      let number = 0
      for (const { kind, producer, keys, tombstone, compression } of sequence) {
        if (kind === 'write' || kind === 'begin') {
          const transactional = kind === 'begin' || open.has(producer)
          if (kind === 'begin') open.add(producer)
          const records = keys.map((key) => ({ key: `k${key}`, value: tombstone ? null : `v${number++}` }))
          const batch = batchOf(
            records.map(({ key, value }) => keyed(key, value, clock.ms)),
            {
              compression,
              producerId: producer,
              producerEpoch: 0,
              baseSequence: sequences[producer]!,
              isTransactional: transactional,
            },
          )
          sequences[producer]! += keys.length
          const { baseOffset } = await log.append(batch)
          const written = records.map(({ key, value }, at): [number, string, string | null] => [
            baseOffset + at,
            key,
            value,
          ])
          if (transactional) pending.set(producer, [...(pending.get(producer) ?? []), ...written])
          else for (const [offset, key, value] of written) committed.set(offset, [key, value])
        } else if (kind === 'commit' || kind === 'abort') {
          if (!open.delete(producer)) continue
          await log.appendControl({ type: kind, producerId: producer, producerEpoch: 0, coordinatorEpoch: 0 })
          if (kind === 'commit')
            for (const [offset, key, value] of pending.get(producer)!) committed.set(offset, [key, value])
          pending.delete(producer)
        } else if (kind === 'roll') {
          await log.roll()
        } else if (kind === 'compact') {
          await logs.compact({ force: true })
        } else if (kind === 'wait') {
          clock.ms += 700
        } else {
          await (number % 2 ? logs.close() : logs.abandon())
          logs = await openLogs(t, directory, { clock, tailMemoryBytes: 0 })
          log = logs.partition('state', 0)!
        }
      }
      const expected = new Map<string, string | null>()
      for (const [offset, [key, value]] of [...committed].sort(([one], [other]) => one - other)) {
        if (offset < log.lastStableOffset) expected.set(key, value)
      }
      const state = new Map<string, string | null>()
      for (const [offset, text] of await committedOffsets(log)) {
        const [key, value] = committed.get(offset) ?? ['?', '?']
        assert.equal(text, `${key}=${value}`, `the record at ${offset} is the one that was committed there`)
        state.set(key, value)
      }
      const withValue = (map: Map<string, string | null>) =>
        [...map].filter(([, value]) => value !== null).toSorted(([one], [other]) => (one < other ? -1 : 1))
      assert.deepEqual(withValue(state), withValue(expected))
      await logs.close()
    }),
    { numRuns: 100 },
  )
})

test('compact: a crash between any two steps of the swap leaves the old segments or the new one', async (t) => {
  const root = await temporaryDirectory(t)
  let crashed = true
  for (let at = 0; crashed; at++) {
    crashed = false
    let armed = false
    let calls = 0
    const strike = () => {
      if (armed && calls++ >= at) {
        crashed = true
        throw Object.assign(new Error('the machine is gone'), { code: 'EIO', errno: -5, syscall: 'write' })
      }
    }
    const disk = {
      ...systemDisk,
      open: async (...args: Parameters<typeof systemDisk.open>) => (strike(), systemDisk.open(...args)),
      rename: async (from: string, to: string) => (strike(), systemDisk.rename(from, to)),
      remove: async (path: string) => (strike(), systemDisk.remove(path)),
    }
    const directory = `${root}/${at}`
    const logs = await openLogs(t, directory, { disk, tailMemoryBytes: 0 })
    const log = (await logs.createTopic('state', 1, COMPACTED)).partitions[0]!
    for (let number = 0; number < 12; number++) {
      const producer = { producerId: 3, producerEpoch: 0, baseSequence: number, isTransactional: true }
      await log.append(batchOf([keyed(`key ${number % 3}`, `value ${number}`)], producer))
      const type = number % 4 === 3 ? 'abort' : 'commit'
      await log.appendControl({ type, producerId: 3, producerEpoch: 0, coordinatorEpoch: 0 })
    }
    await log.roll()
    armed = true
    await logs.compact({ force: true }).catch(() => {})
    armed = false
    await logs.abandon()
    const again = await openLogs(t, directory, { tailMemoryBytes: 0 })
    const values = [...(await committedOffsets(again.partition('state', 0)!)).values()]
    assert.deepEqual(
      new Map(values.map((text) => text.split('=') as [string, string])),
      new Map([
        ['key 2', 'value 8'],
        ['key 0', 'value 9'],
        ['key 1', 'value 10'],
      ]),
    )
    await again.close()
  }
})

test('compact: the fixtures write markers as a coordinator does', () => {
  const [marker] = [
    ...recordBatches(
      controlBatch({ type: 'abort', producerId: 1, producerEpoch: 0, coordinatorEpoch: 0, timestamp: START_MS }),
    ),
  ]
  assert.equal(marker!.controlType(), 'abort')
  assert.equal(marker!.sizeInBytes, 78)
})

test('read: goes on while segments are compacted and deleted under it', async (t) => {
  const directory = await temporaryDirectory(t)
  const logs = await openLogs(t, directory)
  const created = (
    await logs.createTopic('state', 1, { ...COMPACTED, 'cleanup.policy': 'compact,delete', 'retention.bytes': '6000' })
  ).partitions[0]!
  for (let number = 0; number < 200; number++)
    await created.append(batchOf([keyed(`key ${number % 50}`, `value ${number}`)]))
  await logs.close()
  // Opened anew, so that no segment's file is open yet when it is replaced.
  const again = await openLogs(t, directory, { tailMemoryBytes: 0 })
  const log = again.partition('state', 0)!
  const writing = new AbortController()
  const reader = async (from: number) => {
    let seen = 0
    for (let offset = from; !writing.signal.aborted;) {
      if (offset < log.logStartOffset || offset >= log.logEndOffset) offset = log.logStartOffset
      const { records } = await log
        .read(offset, { maxBytes: 300, isolation: 'read_uncommitted', minOneBatch: true })
        .catch((error: unknown) => {
          assert.match(String(error), /OFFSET_OUT_OF_RANGE/)
          return { records: [] }
        })
      for (const piece of records) {
        for (const batch of recordBatches(piece)) {
          batch.verifyCrc()
          assert.ok(batch.lastOffset >= offset)
          offset = batch.nextOffset
          seen++
        }
      }
      if (records.length === 0) offset = log.logStartOffset
    }
    return seen
  }
  const readers = [0, 50, 120, 199].map(reader)
  for (let round = 0; round < 5; round++) {
    await again.compact({ force: true })
    for (let number = 0; number < 50; number++) await log.append(batchOf([keyed(`key ${number}`, `round ${round}`)]))
    assert.ok((await log.offsetForTimestamp(START_MS)) !== undefined)
    await again.applyRetention()
  }
  writing.abort()
  for (const seen of await Promise.all(readers)) assert.ok(seen > 0)
})
