/** What the tests of the log need: a directory with a clock that stands still until it is moved, and batches to append. */
import { type TestContext } from 'node:test'
import { RecordBatchWriter, type RecordInput } from '../../../src/protocol/records/batch-writer.ts'
import { type CompressionType } from '../../../src/protocol/records/compression.ts'
import { type ConsumerRecord } from '../../../src/protocol/records/consumer-record.ts'
import { recordBatches } from '../../../src/protocol/records/record-batch.ts'
import { RecordCursor } from '../../../src/protocol/records/record-cursor.ts'
import { LogDirectory, type LogDirectoryOptions } from '../../../src/broker/log/log-directory.ts'
import { type PartitionLog } from '../../../src/broker/log/partition-log.ts'
import { type Clock } from '../../../src/seams/clock.ts'
import { systemDisk } from '../../../src/seams/disk.ts'
import { silentLogger } from '../../../src/seams/logger.ts'
import { seededRandom } from '../../../src/seams/random.ts'

export const START_MS = 1_700_000_000_000

export class StandingClock implements Clock {
  ms = START_MS
  now = () => this.ms
  monotonic = () => this.ms
  setTimer = () => ({ cancel() {} })
  sleep = () => Promise.resolve()
  yield = () => Promise.resolve()
}

export function optionsFor(directory: string, options: Partial<LogDirectoryOptions> = {}): LogDirectoryOptions {
  return {
    disk: systemDisk,
    directory,
    clock: new StandingClock(),
    random: seededRandom(7),
    logger: silentLogger,
    ...options,
  }
}

export async function openLogs(
  t: TestContext,
  directory: string,
  options: Partial<LogDirectoryOptions> = {},
): Promise<LogDirectory> {
  const logs = await LogDirectory.open(optionsFor(directory, options))
  t.after(() => logs.close().catch(() => {}))
  return logs
}

export interface BatchOptions {
  timestamp?: number
  compression?: CompressionType
  producerId?: number
  producerEpoch?: number
  baseSequence?: number
  isTransactional?: boolean
}

export function batchOf(records: readonly (string | Partial<RecordInput>)[], options: BatchOptions = {}): Buffer {
  const { timestamp = START_MS, compression = 'none', ...producer } = options
  const writer = new RecordBatchWriter({ compression })
  for (const record of records) {
    writer.append(
      typeof record === 'string' ? { key: null, value: Buffer.from(record), timestamp } : { timestamp, ...record },
    )
  }
  return writer.build(producer)
}

export function keyed(key: string, value: string | null, timestamp = START_MS): RecordInput {
  return { key: Buffer.from(key), value: value === null ? null : Buffer.from(value), timestamp }
}

export function recordsOf(pieces: readonly Buffer[]): ConsumerRecord[] {
  const records: ConsumerRecord[] = []
  for (const piece of pieces) {
    for (const batch of recordBatches(piece)) {
      if (!batch.isControl) new RecordCursor(batch, 'topic', 0).take(records, Number.MAX_SAFE_INTEGER, 0)
    }
  }
  return records
}

/** Everything from an offset on, a megabyte a read. */
export async function readAll(
  log: PartitionLog,
  from = log.logStartOffset,
  isolation: 'read_uncommitted' | 'read_committed' = 'read_uncommitted',
  maxBytes = 1 << 20,
): Promise<ConsumerRecord[]> {
  const records: ConsumerRecord[] = []
  for (let offset = from; ;) {
    const { records: pieces } = await log.read(offset, { maxBytes, isolation, minOneBatch: true })
    if (pieces.length === 0) return records
    for (const piece of pieces) for (const batch of recordBatches(piece)) offset = batch.nextOffset
    for (const record of recordsOf(pieces)) if (record.offset >= from) records.push(record)
  }
}

export const valuesOf = (records: readonly ConsumerRecord[]) => records.map((record) => record.valueText())
