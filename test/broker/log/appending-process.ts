/**
 * A process that appends until it is killed: `node appending-process.ts <directory>`. Every acknowledged record is said on
 * standard output as `partition offset value`, after the append has resolved.
 */
import { writeSync } from 'node:fs'
import { LogDirectory } from '../../../src/broker/log/log-directory.ts'
import { systemClock } from '../../../src/seams/clock.ts'
import { batchOf, optionsFor } from './log-fixtures.ts'

const logs = await LogDirectory.open(optionsFor(process.argv[2]!, { clock: systemClock, checkpointIntervalMs: 20 }))
const topic =
  logs.topic('crash') ??
  (await logs.createTopic('crash', 2, { 'internal.segment.bytes': '100000', 'index.interval.bytes': '500' }))
const padding = 'x'.repeat(300)

async function appendForever(partition: number, writer: number): Promise<never> {
  const log = topic.partitions[partition]!
  const producerId = 10 * partition + writer
  let sequence = log.producers().find((producer) => producer.producerId === producerId)?.lastSequence ?? -1
  for (;;) {
    const values = Array.from(
      { length: 1 + (sequence % 5 === 0 ? 20 : 0) },
      (_, at) => `${producerId}:${sequence + 1 + at}:${padding}`,
    )
    const timestamp = systemClock.now()
    const { baseOffset } = await log.append(
      batchOf(values, { timestamp, producerId, producerEpoch: 0, baseSequence: sequence + 1 }),
    )
    sequence += values.length
    writeSync(
      1,
      values.map((value, at) => `${partition} ${baseOffset + at} ${value.slice(0, value.lastIndexOf(':'))}\n`).join(''),
    )
  }
}

writeSync(1, 'ready\n')
await Promise.all([0, 0, 0, 1].map((partition, writer) => appendForever(partition, writer)))
