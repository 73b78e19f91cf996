/** The rows that benchmarks of sinks store, as the runner hands them over: polled, values decoded. */
import type { ConsumerRecord } from '../src/protocol/records/consumer-record.ts'
import { RecordBatchWriter } from '../src/protocol/records/batch-writer.ts'
import { RecordBatch } from '../src/protocol/records/record-batch.ts'
import { RecordCursor } from '../src/protocol/records/record-cursor.ts'
import { systemClock } from '../src/seams/clock.ts'
import { systemDisk } from '../src/seams/disk.ts'
import { silentLogger } from '../src/seams/logger.ts'
import { systemRandom } from '../src/seams/random.ts'
import type { Sink, SinkContext } from '../src/sinks/sink.ts'

const POLL_RECORDS = 500
const topicPartition = { topic: 'flights', partition: 0 }

export interface Polled {
  readonly records: readonly ConsumerRecord[]
  readonly values: readonly unknown[]
}

const origins = ['SFO', 'JFK', 'ORD', 'LAX', 'SEA']

export function rowOf(id: number) {
  return {
    id,
    at: 1_700_000_000_000 + id,
    origin: origins[id % origins.length]!,
    delay: (id % 300) - 60,
    distance: (id % 4000) + 0.5,
    note: id % 10 === 0 ? `gate\t${id % 40}` : `on time, gate ${id % 40}`,
  }
}

/** What polls hand to the runner, values decoded. */
export function polls(rows: number): Polled[] {
  const polled: Polled[] = []
  for (let from = 0; from < rows; from += POLL_RECORDS) {
    const writer = new RecordBatchWriter()
    const values: unknown[] = []
    for (let id = from; id < Math.min(rows, from + POLL_RECORDS); id++) {
      const text = JSON.stringify(rowOf(id))
      writer.append({ value: Buffer.from(text), timestamp: 1_700_000_000_000 + id })
      values.push(JSON.parse(text))
    }
    const records: ConsumerRecord[] = []
    new RecordCursor(new RecordBatch(writer.build({ baseOffset: from })), 'flights', 0).take(
      records,
      POLL_RECORDS,
      from,
    )
    polled.push({ records, values })
  }
  return polled
}

/** Everything through one sink, from open to close. */
export async function storeAll(sink: Sink, polled: readonly Polled[]): Promise<void> {
  const context = contextOf()
  await sink.open(context)
  await sink.assigned([{ topicPartition, committed: undefined, generation: 1 }])
  let next = 0
  for (const { records, values } of polled) {
    const first = next
    next += records.length
    const { flushDue } = await sink.write({ topicPartition, first, next, records, values })
    if (flushDue) await sink.flush(topicPartition, next, context.signal)
  }
  await sink.flush(topicPartition, next, context.signal)
  await sink.close()
}

function contextOf(): SinkContext {
  return {
    application: 'bench',
    clusterId: 'cluster',
    topicId: (topic) => topic,
    consumer: 'consumer-thread-0',
    consumerCount: 1,
    valueType: 'json',
    clock: systemClock,
    random: systemRandom,
    disk: systemDisk,
    logger: silentLogger,
    signal: new AbortController().signal,
  }
}
