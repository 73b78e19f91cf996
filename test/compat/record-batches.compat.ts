/** Batches that Sluice writes, read by Apache Kafka's own classes: with every compression (snappy-java, lz4-java, zstd-jni), headers, nulls and gaps. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { RecordBatchWriter, type RecordInput } from '../../src/protocol/records/batch-writer.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { kafkaClassPath } from './kafka.ts'

const run = promisify(execFile)
const reader = join(import.meta.dirname, 'java', 'ReadRecordBatches.java')

/** Texts that compress well, badly and not at all, over more than one block of any format. */
function inputs(): RecordInput[] {
  let state = 1
  const noise = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return (state >>> 8).toString(36)
  }
  return Array.from({ length: 3000 }, (_, index) => ({
    key: index % 7 === 0 ? null : Buffer.from(`key-${index % 40}`),
    value: index % 11 === 0 ? null : Buffer.from(`ü ${index} ${'abc'.repeat(index % 50)} ${noise()}${noise()}`),
    headers:
      index % 5 === 0
        ? [
            { key: 'hé', value: Buffer.from(noise()) },
            { key: 'h', value: null },
          ]
        : [],
    timestamp: 1_700_000_000_000 + ((index * 7919) % 100_000),
  }))
}

function lineOf({ key, value, headers = [], timestamp }: RecordInput, offset: number): string {
  const text = (bytes: Uint8Array | null | undefined) => (bytes ? Buffer.from(bytes).toString() : 'null')
  return [
    offset,
    timestamp,
    text(key),
    text(value),
    ...headers.map((header) => `${header.key}=${text(header.value)}`),
  ].join('\t')
}

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
  test(`RecordBatchWriter, ${compression}: Apache Kafka reads what was written`, async (t) => {
    const records = inputs()
    const writer = new RecordBatchWriter({ compression })
    for (const record of records) writer.append(record)
    const offsetDeltas = records.map((_, index) => 3 * index)
    const file = join(await temporaryDirectory(t), 'batch')
    await writeFile(file, writer.build({ baseOffset: 1000, offsetDeltas, lastOffsetDelta: 20_000 }))
    const command = ['-Xmx256m', '-cp', await kafkaClassPath(), reader, file]
    const { stdout } = await run('java', command, { maxBuffer: 64 * 1024 * 1024 })
    const expected = records.map((record, index) => lineOf(record, 1000 + offsetDeltas[index]!))
    assert.deepEqual(stdout.trimEnd().split('\n'), expected)
  })
}
