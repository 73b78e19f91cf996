/** `sluice produce`: lines of standard input or of a file as records, as kafka-console-producer does. */
import { Command, Option } from 'commander'
import type { Producer } from '../../client/producer/producer.ts'
import type { ProducerRecord, RecordFailure } from '../../client/producer/record.ts'
import { connectionProperties, readProperties } from '../client-properties.ts'
import { CommandError } from '../exit.ts'
import { nameValue, wholeNumber, withConnection, withJson, type ConnectionOptions } from '../options.ts'
import { grouped, printJson, Progress } from '../output.ts'

interface ProduceOptions extends ConnectionOptions {
  readonly file?: string
  readonly keySeparator?: string
  readonly partition?: number
  readonly acks?: string
  readonly compressionCodec?: string
  readonly batchSize?: number
  readonly producerProperty?: Readonly<Record<string, string>>
  readonly producerConfig?: string
  readonly json?: boolean
}

export function produceCommand(): Command {
  const command = new Command('produce')
    .description('produce lines as records: from standard input, or from a file')
    .argument('<topic>', 'the topic')
    .option('--file <path>', 'a file, in place of standard input')
    .option('--key-separator <text>', 'what stands before it in a line is the key; a line without it is an error')
    .option('--partition <n>', 'the partition of every record (default: by key, else spread)', wholeNumber(0))
    .option('--acks <acks>', 'who must have a record before it counts: all, 1 or 0')
    .addOption(
      new Option('--compression-codec <codec>', 'how batches are compressed').choices([
        'none',
        'gzip',
        'snappy',
        'lz4',
        'zstd',
      ]),
    )
    .option('--batch-size <bytes>', 'bytes of one batch', wholeNumber(0))
    .option(
      '--producer-property <name=value>',
      "one of the producer's properties, may be given several times",
      nameValue,
    )
    .option('--producer-config <file>', 'properties file of the producer')
  return withJson(withConnection(command)).action(produce)
}

/** Records that are on their way at once. */
const SEND_AT_ONCE = 5000

async function produce(topic: string, options: ProduceOptions): Promise<void> {
  const properties = await connectionProperties(options, {
    // A terminal's user wants to hear of a failure before two minutes are over.
    'delivery.timeout.ms': 30_000,
    'request.timeout.ms': 15_000,
    'max.block.ms': 15_000,
    ...(await readProperties(options.producerConfig)),
    ...defined({ acks: options.acks, 'compression.type': options.compressionCodec, 'batch.size': options.batchSize }),
    ...options.producerProperty,
  })
  const { Producer } = await import('../../client/producer/producer.ts')
  const producer = new Producer(properties)
  const progress = new Progress()
  try {
    const { produced, refused } = await produceLines(producer, topic, options, progress)
    progress.clear()
    if (options.json) printJson({ topic, produced, refused })
    else process.stderr.write(`produced ${grouped(produced)} records to ${topic}\n`)
    if (refused > 0)
      throw new CommandError(`${grouped(refused)} ${refused === 1 ? 'line was' : 'lines were'} not produced; see above`)
  } finally {
    progress.clear()
    await producer.close()
  }
}

function defined(values: Record<string, string | number | undefined>): Record<string, string | number> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Record<
    string,
    string | number
  >
}

interface Outcome {
  readonly produced: number
  /** Lines that are too large for a record, each of which has been named. */
  readonly refused: number
}

/** A line that is too large fails alone. Any other error ends it, with what was on its way. */
async function produceLines(
  producer: Producer,
  topic: string,
  options: ProduceOptions,
  progress: Progress,
): Promise<Outcome> {
  const { keySeparator, partition, file } = options
  let produced = 0
  let refused = 0
  let number = 0
  let waiting: ProducerRecord[] = []
  const send = async () => {
    // Taken before it is sent: what failed once must not be sent again, with those of it that did not fail.
    const batch = waiting
    const before = number - batch.length
    waiting = []
    const failures = await failuresOf(producer, batch)
    const tooLarge = failures.filter(isTooLarge)
    for (const { index, error } of tooLarge) {
      progress.clear()
      process.stderr.write(`sluice: line ${before + index + 1} was not produced: ${error.message}\n`)
    }
    produced += batch.length - failures.length
    refused += tooLarge.length
    const other = failures.find((failure) => !isTooLarge(failure))
    if (other)
      throw new CommandError(`stopped at line ${before + other.index + 1}: ${other.error.message}`, other.error)
    progress.update(() => `produced ${grouped(produced)}`)
  }
  try {
    for await (const lines of lineChunks(file)) {
      for (const line of lines) {
        const record = { topic, partition, ...keyAndValue(line, keySeparator, number + 1) }
        number++
        waiting.push(record)
        if (waiting.length >= SEND_AT_ONCE) await send()
      }
      // Somebody who types wants each line to be on its way.
      if (file === undefined && process.stdin.isTTY && waiting.length > 0) await send()
    }
  } finally {
    if (waiting.length > 0) await send()
  }
  return { produced, refused }
}

function isTooLarge({ error }: RecordFailure): boolean {
  return (error as { code?: unknown }).code === 'SLUICE_RECORD_TOO_LARGE'
}

async function failuresOf(producer: Producer, batch: readonly ProducerRecord[]): Promise<readonly RecordFailure[]> {
  const { SendBatchError } = await import('../../client/producer/record.ts')
  try {
    await producer.sendBatch(batch)
    return []
  } catch (error) {
    if (error instanceof SendBatchError) return error.failures
    throw error
  }
}

/** Complete lines, as many as arrived together. Line ends may be LF or CRLF; the last line needs none. */
async function* lineChunks(file: string | undefined): AsyncGenerator<string[]> {
  const stream = file === undefined ? process.stdin : (await import('node:fs')).createReadStream(file)
  stream.setEncoding('utf8')
  let rest = ''
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    yield lines.map(withoutReturn)
  }
  if (rest !== '') yield [withoutReturn(rest)]
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

function keyAndValue(line: string, separator: string | undefined, number: number): { key?: string; value: string } {
  if (separator === undefined) return { value: line }
  const at = line.indexOf(separator)
  if (at < 0)
    throw new CommandError(
      `line ${number} has no key: ${JSON.stringify(separator)} is not in it. Lines before it were produced`,
    )
  return { key: line.slice(0, at), value: line.slice(at + separator.length) }
}
