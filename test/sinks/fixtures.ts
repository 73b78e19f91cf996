/** A context and batches for tests that call a sink themselves. Options state only what matters to the case. */
import { recordOf } from '../../src/protocol/records/record-of.ts'
import { systemClock } from '../../src/seams/clock.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { systemRandom } from '../../src/seams/random.ts'
import type { Sink, SinkBatch, SinkContext, ValueType } from '../../src/sinks/sink.ts'
import type { TopicPartition } from '../../src/protocol/records/topic-partition.ts'

export const flights: TopicPartition = { topic: 'flights', partition: 0 }

export function contextOf(changes: Partial<SinkContext> = {}): SinkContext {
  return {
    application: 'file-consumers',
    clusterId: 'cluster-1',
    topicId: (topic) => `id-of-${topic}`,
    consumer: 'consumer-thread-0',
    consumerCount: 1,
    valueType: 'json',
    clock: systemClock,
    random: systemRandom,
    disk: systemDisk,
    logger: silentLogger,
    signal: new AbortController().signal,
    ...changes,
  }
}

export type Row = string | null | { key?: string | Uint8Array | null; value: string | Uint8Array | null }

/** Values at consecutive offsets from `first` on, decoded as `valueType` says. */
export function batchOf(
  rows: readonly Row[],
  { first = 0, valueType = 'json' as ValueType, topicPartition = flights } = {},
): SinkBatch {
  const records = rows.map((row, index) => {
    const { key = null, value } = row === null || typeof row === 'string' ? { value: row } : row
    return recordOf({ ...topicPartition, offset: first + index, timestamp: 1000 + first + index, key, value })
  })
  const values = records.map((record) => {
    if (valueType === 'bytes') return record.value
    const text = record.valueText()
    return valueType === 'json' && text !== null ? (JSON.parse(text) as unknown) : text
  })
  return { topicPartition, first, next: first + rows.length, records, values }
}

/** Opens, assigns one partition and answers where the store stands with it. */
export async function opened(sink: Sink, context: SinkContext, topicPartition = flights): Promise<number | undefined> {
  await sink.open(context)
  const [position] = await sink.assigned([{ topicPartition, committed: undefined, generation: 1 }])
  return position!.next
}

/** One batch through a sink, from open to close. */
export async function storeAll(sink: Sink, context: SinkContext, batch: SinkBatch): Promise<void> {
  await opened(sink, context, batch.topicPartition)
  await sink.write(batch)
  await sink.flush(batch.topicPartition, batch.next, context.signal)
  await sink.close()
}
