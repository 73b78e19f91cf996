/** `sluice consume`: records on standard output, as kafka-console-consumer does. */
import { Command, Option } from 'commander'
import type { Consumer } from '../../client/consumer/consumer.ts'
import { formatNames } from '../../client/serialization/names.ts'
import type { ConsumerRecord } from '../../protocol/records/consumer-record.ts'
import { TopicPartitionMap, type TopicPartition } from '../../protocol/records/topic-partition.ts'
import { systemClock } from '../../seams/clock.ts'
import { connectionProperties, readProperties } from '../client-properties.ts'
import { CommandError, UsageError } from '../exit.ts'
import { nameValue, wholeNumber, withConnection, type ConnectionOptions } from '../options.ts'
import { grouped } from '../output.ts'
import { recordFormatter } from '../record-format.ts'
import { onTermination } from '../signals.ts'

interface ConsumeOptions extends ConnectionOptions {
  readonly group?: string
  readonly fromBeginning?: boolean
  readonly partition?: number
  readonly offset?: string
  readonly maxMessages?: number
  readonly timeoutMs?: number
  readonly isolationLevel?: string
  readonly property?: Readonly<Record<string, string>>
  readonly consumerProperty?: Readonly<Record<string, string>>
  readonly consumerConfig?: string
  readonly keyDeserializer?: string
  readonly valueDeserializer?: string
  readonly json?: boolean
}

export function consumeCommand(): Command {
  const command = new Command('consume')
    .description('print the records of a topic')
    .argument('<topic>', 'the topic')
    .option('--from-beginning', 'begin at the first record where the group has no committed offset')
    .option('--max-messages <n>', 'end after this many records', wholeNumber(1))
    .option('--timeout-ms <ms>', 'end when no record has come for this long', wholeNumber(0))
    .option(
      '--group <name>',
      'read as a member of this group, and commit; without it all partitions are read and nothing is committed',
    )
    .option('--partition <n>', 'read only this partition', wholeNumber(0))
    .option('--offset <offset>', 'with --partition, where to begin: an offset, earliest or latest')
    .addOption(
      new Option('--isolation-level <level>', 'whether records of open and aborted transactions are printed').choices([
        'read_committed',
        'read_uncommitted',
      ]),
    )
    .option(
      '--property <name=value>',
      'print.key, print.value, print.partition, print.offset, print.timestamp, print.headers, key.separator, null.literal',
      nameValue,
    )
    .option(
      '--consumer-property <name=value>',
      "one of the consumer's properties, may be given several times",
      nameValue,
    )
    .option('--consumer-config <file>', 'properties file of the consumer')
    .option('--key-deserializer <name>', `what a key is: ${formatNames.join(', ')}`)
    .option('--value-deserializer <name>', 'what a value is, likewise')
    .option('--json', 'print each record as one line of JSON')
  return withConnection(command).action(consume)
}

async function consume(topic: string, options: ConsumeOptions): Promise<void> {
  check(options)
  const format = recordFormatter(options.property ?? {}, options.json === true)
  const properties = await connectionProperties(options, {
    'auto.offset.reset': options.fromBeginning ? 'earliest' : 'latest',
    ...(await readProperties(options.consumerConfig)),
    ...(options.group === undefined ? {} : { 'group.id': options.group }),
    ...(options.isolationLevel === undefined ? {} : { 'isolation.level': options.isolationLevel }),
    ...options.consumerProperty,
    ...(options.keyDeserializer === undefined ? {} : { 'key.deserializer': options.keyDeserializer }),
    ...(options.valueDeserializer === undefined ? {} : { 'value.deserializer': options.valueDeserializer }),
  })
  const { Consumer } = await import('../../client/consumer/consumer.ts')
  const consumer = new Consumer(properties)
  const stop = new AbortController()
  const isOver = onTermination(() => stop.abort())
  process.stdout.on('error', () => stop.abort())
  try {
    if (options.group === undefined) await assignAll(consumer, topic, options)
    else consumer.subscribe([topic])
    const count = await printRecords(consumer, options, format, stop.signal)
    process.stderr.write(`Processed a total of ${grouped(count)} messages\n`)
  } finally {
    isOver()
    await consumer.close()
  }
}

function check({ group, partition, offset }: ConsumeOptions): void {
  if (offset !== undefined && partition === undefined) throw new UsageError('--offset needs --partition')
  if (group !== undefined && partition !== undefined)
    throw new UsageError('--partition reads without a group: leave --group out')
  if (offset !== undefined && !/^(\d+|earliest|latest)$/.test(offset)) {
    throw new UsageError(`--offset takes a whole number, earliest or latest, not "${offset}"`)
  }
}

async function assignAll(consumer: Consumer, topic: string, options: ConsumeOptions): Promise<void> {
  const found = await consumer.partitionsFor(topic)
  if (found.length === 0) throw new CommandError(`there is no topic "${topic}"`)
  const all: TopicPartition[] = found.map(({ partition }) => ({ topic, partition }))
  const chosen = options.partition === undefined ? all : all.filter(({ partition }) => partition === options.partition)
  if (chosen.length === 0)
    throw new CommandError(`topic ${topic} has ${all.length} partitions, and no partition ${options.partition}`)
  consumer.assign(chosen)
  const { offset } = options
  if (offset !== undefined && /^\d+$/.test(offset)) consumer.seek(chosen[0]!, Number(offset))
  else if (offset === 'earliest' || options.fromBeginning) consumer.seekToBeginning(chosen)
  else consumer.seekToEnd(chosen)
}

async function printRecords(
  consumer: Consumer,
  { maxMessages = Number.MAX_SAFE_INTEGER, timeoutMs }: ConsumeOptions,
  format: (record: ConsumerRecord) => string,
  signal: AbortSignal,
): Promise<number> {
  let count = 0
  let lastAt = systemClock.monotonic()
  while (count < maxMessages && !signal.aborted) {
    const waitMs = timeoutMs === undefined ? 1000 : Math.min(1000, timeoutMs - (systemClock.monotonic() - lastAt))
    if (waitMs <= 0) break
    const records = await pollUnlessAborted(consumer, waitMs, signal)
    let lines = ''
    const left = new TopicPartitionMap<number>()
    for (const record of records) {
      if (count < maxMessages) {
        lines += format(record)
        count++
      } else if (!left.has(record)) left.set(record, record.offset)
    }
    // What was not printed is not committed either: the group goes on there.
    for (const [topicPartition, offset] of left) consumer.seek(topicPartition, offset)
    if (lines === '') continue
    lastAt = systemClock.monotonic()
    await new Promise<void>((resolve) => process.stdout.write(lines, () => resolve()))
  }
  return count
}

async function pollUnlessAborted(
  consumer: Consumer,
  waitMs: number,
  signal: AbortSignal,
): Promise<Iterable<ConsumerRecord>> {
  try {
    return await consumer.poll(waitMs, { signal })
  } catch (error) {
    if (signal.aborted) return []
    throw error
  }
}
