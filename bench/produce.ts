/**
 * How fast records of one size get into one partition, acks=1 and uncompressed, beside others in the same run:
 *
 *     sluice          Producer.sendBatch, 10,000 records a call, batches of 64 KiB
 *     sluice, send    Producer.send, a promise a record
 *     kcat            librdkafka's `kcat -P` from a file, whole process, when it is installed
 *     platformatic    @platformatic/kafka, 5,000 records a send
 *     kafkajs         kafkajs, 5,000 records a send
 *
 *     node bench/produce.ts [--bootstrap-server host:port] [--records 2000000] [--size 100] [--rounds 3]
 *
 * Without --bootstrap-server it measures the embedded broker, in a process of its own. After each, the log's end says whether everything arrived.
 * Machines are noisy: ratios within one round are the figures that can be compared. The slow ones send a tenth of the records.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Admin } from '../src/client/admin/index.ts'
import { Producer } from '../src/client/producer/index.ts'

export interface Options {
  readonly bootstrapServers: string
  readonly records: number
  readonly size: number
  readonly rounds: number
  /** kcat, kafkajs and @platformatic/kafka beside ours. */
  readonly withOthers: boolean
  readonly print: (line: string) => void
}

export interface Result {
  readonly name: string
  readonly recordsPerSecond: number
}

type Contender = (options: Options, topic: string, records: number) => Promise<void> | undefined

const RECORDS_A_CALL = 10_000
const BATCH_SIZE = 64 * 1024

async function sluiceBatches({ bootstrapServers, size }: Options, topic: string, records: number): Promise<void> {
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers, acks: 1, 'batch.size': BATCH_SIZE })
  const value = Buffer.alloc(size, 'x')
  const underway: Promise<unknown>[] = []
  try {
    for (let left = records; left > 0; left -= RECORDS_A_CALL) {
      const call = Array.from({ length: Math.min(left, RECORDS_A_CALL) }, () => ({ topic, value }))
      underway.push(producer.sendBatch(call))
      if (underway.length > 3) await underway.shift()
    }
    await Promise.all(underway)
  } finally {
    await producer.close()
  }
}

async function sluiceSends({ bootstrapServers, size }: Options, topic: string, records: number): Promise<void> {
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers, acks: 1, 'batch.size': BATCH_SIZE })
  const value = Buffer.alloc(size, 'x')
  try {
    for (let left = records; left > 0; left -= RECORDS_A_CALL) {
      const sends = Array.from({ length: Math.min(left, RECORDS_A_CALL) }, () => producer.send({ topic, value }))
      await Promise.all(sends)
    }
  } finally {
    await producer.close()
  }
}

function kcat({ bootstrapServers, size }: Options, topic: string, records: number): Promise<void> | undefined {
  if (spawnSync('kcat', ['-V']).status !== 0) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  const file = join(directory, 'records')
  writeFileSync(file, `${'x'.repeat(size)}\n`.repeat(records))
  const settings = ['acks=1', `batch.size=${BATCH_SIZE}`, 'linger.ms=5', 'batch.num.messages=1000000'].flatMap(
    (one) => ['-X', one],
  )
  // Timed by the caller: the file is written before.
  return (async () => {
    const child = spawn('kcat', ['-b', bootstrapServers, '-P', '-t', topic, '-l', file, ...settings], {
      stdio: 'inherit',
    })
    const [code] = (await once(child, 'exit')) as [number]
    rmSync(directory, { recursive: true })
    if (code !== 0) throw new Error(`kcat exited with ${code}`)
  })()
}

async function platformatic({ bootstrapServers, size }: Options, topic: string, records: number): Promise<void> {
  const { Producer: Other, ProduceAcks } = await import('@platformatic/kafka')
  const producer = new Other({ clientId: 'bench', bootstrapBrokers: bootstrapServers.split(',') })
  const value = Buffer.alloc(size, 'x')
  for (let left = records; left > 0; left -= 5000) {
    const messages = Array.from({ length: Math.min(left, 5000) }, () => ({ topic, value }))
    await producer.send({ messages, acks: ProduceAcks.LEADER })
  }
  await producer.close()
}

async function kafkajs({ bootstrapServers, size }: Options, topic: string, records: number): Promise<void> {
  const { Kafka, logLevel, Partitioners } = await import('kafkajs')
  const kafka = new Kafka({ brokers: bootstrapServers.split(','), logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const value = Buffer.alloc(size, 'x')
  for (let left = records; left > 0; left -= 5000) {
    const messages = Array.from({ length: Math.min(left, 5000) }, () => ({ value }))
    await producer.send({ topic, messages, acks: 1 })
  }
  await producer.disconnect()
}

/** Runs every contender `rounds` times, each into a topic of its own. @throws when a log does not hold what was sent */
export async function benchProduce(options: Options): Promise<Result[]> {
  const contenders: [name: string, contender: Contender, share: number][] = [
    ['sluice', sluiceBatches, 1],
    ['sluice, send', sluiceSends, 1 / 4],
  ]
  if (options.withOthers) {
    contenders.push(['kcat', kcat, 1], ['platformatic', platformatic, 1 / 10], ['kafkajs', kafkajs, 1 / 10])
  }
  const admin = new Admin({ 'bootstrap.servers': options.bootstrapServers })
  try {
    return await benchRounds(options, contenders, admin)
  } finally {
    await admin.close()
  }
}

async function benchRounds(
  options: Options,
  contenders: readonly [name: string, contender: Contender, share: number][],
  admin: Admin,
): Promise<Result[]> {
  const results: Result[] = []
  for (let round = 1; round <= options.rounds; round++) {
    for (const [name, contender, share] of contenders) {
      const records = Math.max(1, Math.floor(options.records * share))
      const topic = `bench-produce-${Math.trunc(performance.timeOrigin)}-${round}-${results.length}`
      await admin.createTopics([{ name: topic, partitions: 1 }])
      const run = contender(options, topic, records)
      const start = performance.now()
      if (!run) continue
      await run
      const seconds = (performance.now() - start) / 1000
      const end = (await admin.listOffsets([[{ topic, partition: 0 }, 'latest']])).get(`${topic}-0`).offset
      if (end !== records) throw new Error(`${name}: ${records} records were sent and ${end} are in the log`)
      const recordsPerSecond = Math.round(records / seconds)
      results.push({ name, recordsPerSecond })
      options.print(`${round}  ${name.padEnd(14)} ${recordsPerSecond.toLocaleString('en').padStart(12)} records/s`)
      await admin.deleteTopics([topic])
    }
  }
  return results
}

/** The embedded broker in a process of its own, as its work must not count as the client's. */
async function embeddedBroker(): Promise<{ bootstrapServers: string; stop(): Promise<void> }> {
  const script = `
    import { startBroker } from ${JSON.stringify(new URL('../src/testing/index.ts', import.meta.url).href)}
    const broker = await startBroker()
    console.log(broker.bootstrapServers)
    process.stdin.on('end', () => broker.stop()).resume()
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    bootstrapServers: line.toString().trim(),
    async stop() {
      child.stdin.end()
      await once(child, 'exit')
    },
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      'bootstrap-server': { type: 'string' },
      records: { type: 'string', default: '2000000' },
      size: { type: 'string', default: '100' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout.trim()
  console.log(`commit ${commit}, Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}`)
  const given = values['bootstrap-server']
  const broker = given ? undefined : await embeddedBroker()
  try {
    await benchProduce({
      bootstrapServers: given ?? broker!.bootstrapServers,
      records: Number(values.records),
      size: Number(values.size),
      rounds: Number(values.rounds),
      withOthers: true,
      print: (line) => console.log(line),
    })
  } finally {
    await broker?.stop()
  }
}

if (import.meta.main) await main()
