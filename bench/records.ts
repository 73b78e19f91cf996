/**
 * What the record path costs: a record taken as a view, a checksum, a batch compressed and decompressed.
 *
 *     node bench/records.ts
 *
 * No sockets and no broker: `bench/` has other files for the whole way. The figures of one run can be compared with each other; those of two
 * machines, or of a busy one, only as ratios.
 */
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { RecordBatchWriter } from '../src/protocol/records/batch-writer.ts'
import { compress, decompress } from '../src/protocol/records/compression.ts'
import { type ConsumerRecord } from '../src/protocol/records/consumer-record.ts'
import { crc32c, crc32cByTables, hasNativeCrc32c } from '../src/protocol/records/crc32c.ts'
import { recordBatches } from '../src/protocol/records/record-batch.ts'
import { RecordCursor } from '../src/protocol/records/record-cursor.ts'

export interface Row {
  readonly what: string
  readonly value: number
  readonly unit: 'ns/record' | 'GB/s' | 'MB/s' | 'x'
}

export interface Sizes {
  /** Records in the fetch that is read again and again. */
  readonly records: number
  readonly recordBytes: number
  readonly batchBytes: number
  /** Bytes that are compressed and summed. */
  readonly bytes: number
  /** How long each measurement lasts at least, after as long a warm-up. */
  readonly milliseconds: number
}

const full: Sizes = { records: 40_000, recordBytes: 100, batchBytes: 64 * 1024, bytes: 1024 * 1024, milliseconds: 1000 }

/** Runs `work`, which says how much it did, and returns nanoseconds of processor time for each unit of it: others' load does not count. */
function nanosecondsEach(milliseconds: number, work: () => number): number {
  const measure = () => {
    const start = process.cpuUsage()
    let done = 0
    let micros: number
    do {
      done += work()
      const { user, system } = process.cpuUsage(start)
      micros = Math.max(1, user + system)
    } while (micros < milliseconds * 1000)
    return (micros * 1000) / done
  }
  measure()
  return measure()
}

/** A fetch response's worth of batches. */
function fetchOf({ records, recordBytes, batchBytes }: Sizes, timestampEach: number): Buffer {
  const value = Buffer.alloc(recordBytes, 'x')
  const batches: Buffer[] = []
  let writer = new RecordBatchWriter()
  for (let index = 0; index < records; index++) {
    const record = { value, timestamp: 1_700_000_000_000 + timestampEach * writer.count }
    if (writer.sizeInBytes + RecordBatchWriter.sizeUpperBound(record) > batchBytes && writer.count > 0) {
      batches.push(writer.build())
      writer = new RecordBatchWriter()
    }
    writer.append(record)
  }
  batches.push(writer.build())
  return Buffer.concat(batches)
}

function takeAll(bytes: Buffer, checkCrcs: boolean, read: (record: ConsumerRecord) => unknown): number {
  let taken = 0
  for (const batch of recordBatches(bytes)) {
    const cursor = new RecordCursor(batch, 'topic', 0, { checkCrcs })
    while (!cursor.exhausted) {
      const records: ConsumerRecord[] = []
      taken += cursor.take(records, 500, 0)
      for (const record of records) read(record)
    }
  }
  return taken
}

export function benchRecords(sizes: Sizes = full): Row[] {
  const rows: Row[] = []
  const { milliseconds, bytes } = sizes
  const add = (what: string, value: number, unit: Row['unit']) => rows.push({ what, value, unit })
  const fetched = fetchOf(sizes, 1)
  const nothing = (record: ConsumerRecord) => record
  const take = (checkCrcs: boolean, read: (record: ConsumerRecord) => unknown) =>
    nanosecondsEach(milliseconds, () => takeAll(fetched, checkCrcs, read))
  add('take, CRC unchecked', take(false, nothing), 'ns/record')
  add('take, CRC checked', take(true, nothing), 'ns/record')
  add(
    'take and offset',
    take(true, (record) => record.offset),
    'ns/record',
  )
  add(
    'take and value',
    take(true, (record) => record.value),
    'ns/record',
  )
  add(
    'take and valueText',
    take(true, (record) => record.valueText()),
    'ns/record',
  )
  const write = () => (fetchOf(sizes, 1), sizes.records)
  add('append and build', nanosecondsEach(milliseconds, write), 'ns/record')

  const noise = Buffer.from(Array.from({ length: bytes }, (_, index) => (Math.imul(index, 2654435761) >>> 13) & 0xff))
  const tables = 1 / nanosecondsEach(milliseconds, () => (crc32cByTables(noise), bytes))
  add('CRC-32C, tables', tables, 'GB/s')
  if (hasNativeCrc32c()) {
    const native = 1 / nanosecondsEach(milliseconds, () => (crc32c(noise), bytes))
    add('CRC-32C, native', native, 'GB/s')
    add('CRC-32C, native over tables', native / tables, 'x')
  }
  const lines = Array.from({ length: Math.ceil(bytes / 60) }, (_, index) => {
    return JSON.stringify({
      id: index,
      delay: (index * 7919) % 180,
      distance: (index * 104_729) % 2500,
      time: index / 7,
    })
  })
  const text = Buffer.from(lines.join('\n')).subarray(0, bytes)
  for (const type of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const compressed = compress(type, text)
    add(`${type}: ratio`, text.length / compressed.length, 'x')
    add(`${type}: compress`, 1000 / nanosecondsEach(milliseconds, () => (compress(type, text), bytes)), 'MB/s')
    const open = () => decompress(type, compressed, bytes).length
    add(`${type}: decompress`, 1000 / nanosecondsEach(milliseconds, open), 'MB/s')
  }
  return rows
}

if (import.meta.main) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname })
    .toString()
    .trim()
  console.log(`Node ${process.version}, ${cpus()[0]?.model} x ${cpus().length}, commit ${commit}`)
  for (const { what, value, unit } of benchRecords()) {
    console.log(`${what.padEnd(32)} ${value.toFixed(unit === 'x' || unit === 'GB/s' ? 2 : 0).padStart(8)} ${unit}`)
  }
}
