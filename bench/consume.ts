/**
 * How fast a consumer drains one partition, beside what the same broker gives at most, in the same run:
 *
 *     raw drain   one socket, fetch after fetch, only the headers of the batches are read
 *     poll        Consumer.poll, every record a view
 *     values      the same, and every record's value looked at
 *     kcat        librdkafka's `kcat -C`, whole process, when it is installed
 *     java        Kafka's own ConsumerPerformance, by its own count without start and rebalance; with --class-path
 *
 *     node bench/consume.ts [--bootstrap-server host:port] [--class-path 'kafka/libs/*'] [--records 5000000] [--size 100] [--rounds 3]
 *
 * Without --bootstrap-server it measures the embedded broker, in a process of its own. Machines are noisy: the ratio to the raw drain of the same
 * round is the figure that can be compared. Memory is this process's: what is resident after the round, and the most that ever was.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { Cluster } from '../src/client/cluster.ts'
import { parseAdminConfig } from '../src/client/config.ts'
import { Consumer } from '../src/client/consumer/index.ts'
import { systemSeams } from '../src/client/seams.ts'
import { decodeResponse, encodeRequest, FrameSplitter } from '../src/protocol/frame.ts'
import { createTopics, fetch as fetchApi, produce } from '../src/protocol/messages/index.ts'
import { RecordBatchWriter } from '../src/protocol/records/batch-writer.ts'
import { recordBatches } from '../src/protocol/records/record-batch.ts'
import { systemClock } from '../src/seams/clock.ts'

export interface Round {
  readonly name: string
  readonly recordsPerSecond: number
}

export interface Options {
  readonly bootstrapServers: string
  readonly records: number
  readonly size: number
  readonly rounds: number
  /** Beside ours, when it is installed. */
  readonly withKcat: boolean
  /** Kafka's jars, as Java takes them; without them Java is left out. */
  readonly classPath?: string | undefined
  readonly print: (line: string) => void
}

const BATCH_BYTES = 64 * 1024

export async function benchConsume({
  bootstrapServers,
  records,
  size,
  rounds,
  withKcat,
  classPath,
  print,
}: Options): Promise<Round[]> {
  const cluster = new Cluster(parseAdminConfig({ 'bootstrap.servers': bootstrapServers }), systemSeams())
  const topic = `bench-consume-${records}-${size}-${Math.trunc(performance.timeOrigin)}`
  const results: Round[] = []
  try {
    await cluster.connect()
    await fill(cluster, topic, records, size)
    print(`${records} records of ${size} bytes in ${topic}`)
    for (let round = 1; round <= rounds; round++) {
      const raw = await timed('raw drain', records, () => rawDrain(cluster, topic, records))
      results.push(raw)
      print(lineOf(round, raw, raw))
      for (const [name, looks] of [
        ['poll', false],
        ['values', true],
      ] as const) {
        const one = await timed(name, records, () => pollAll(bootstrapServers, topic, records, looks))
        results.push(one)
        print(lineOf(round, one, raw))
      }
      const others = [
        withKcat ? timedKcat(bootstrapServers, topic, records) : undefined,
        classPath ? javaRate(classPath, bootstrapServers, topic, records) : undefined,
      ]
      for (const other of others) {
        if (!other) continue
        results.push(other)
        print(lineOf(round, other, raw))
      }
    }
  } finally {
    await cluster.close()
  }
  return results
}

function lineOf(round: number, { name, recordsPerSecond }: Round, raw: Round): string {
  const ratio = `${((100 * recordsPerSecond) / raw.recordsPerSecond).toFixed(0)} %`.padStart(6)
  const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MB`
  const memory = `${megabytes(process.memoryUsage.rss())} resident, ${megabytes(process.resourceUsage().maxRSS * 1024)} at most`
  const rate = `${(recordsPerSecond / 1e6).toFixed(2)} M records/s`.padStart(18)
  return `round ${round}  ${name.padEnd(10)}${rate}  ${ratio} of raw  ${memory}`
}

async function timed(name: string, records: number, run: () => Promise<void>): Promise<Round> {
  const startMs = systemClock.monotonic()
  await run()
  return { name, recordsPerSecond: records / ((systemClock.monotonic() - startMs) / 1000) }
}

/** Produces whole batches built once: the broker only writes them down. */
async function fill(cluster: Cluster, topic: string, records: number, size: number): Promise<void> {
  await cluster.send(createTopics, 'any', {
    topics: [{ name: topic, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 30_000,
  })
  await cluster.topic(topic, { timeoutMs: 30_000, allowAutoTopicCreation: false })
  const perBatch = Math.max(1, Math.floor(BATCH_BYTES / (size + 8)))
  const value = Buffer.alloc(size, 'x')
  for (let left = records; left > 0; left -= perBatch) {
    const writer = new RecordBatchWriter()
    for (let index = Math.min(perBatch, left); index > 0; index--)
      writer.append({ value, timestamp: systemClock.now() })
    const leader = cluster.leader({ topic, partition: 0 })!
    const response = await cluster.send(
      produce,
      leader.nodeId,
      {
        acks: 1,
        timeoutMs: 30_000,
        topicData: [{ name: topic, partitionData: [{ index: 0, records: writer.build({}) }] }],
      },
      { maxVersion: 11 },
    )
    const { errorCode } = response.responses[0]!.partitionResponses[0]!
    if (errorCode !== 0) throw new Error(`Filling ${topic} failed with the error code ${errorCode}`)
  }
}

/** The least that a client can do: one fetch in flight, the offsets read from the batch headers. */
async function rawDrain(cluster: Cluster, topic: string, records: number): Promise<void> {
  const { nodeId } = cluster.leader({ topic, partition: 0 })!
  const broker = cluster.metadata.brokers.get(nodeId)!
  const socket = connect(broker.port, broker.host)
  await once(socket, 'connect')
  socket.setNoDelay(true)
  const splitter = new FrameSplitter()
  let offset = 0
  const ask = () => {
    const partitions = [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1024 * 1024 }]
    const body = {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 50 * 1024 * 1024,
      isolationLevel: 0,
      topics: [{ topic, partitions }],
      forgottenTopicsData: [],
    }
    for (const buffer of encodeRequest(fetchApi, 11, { correlationId: 1, clientId: 'raw' }, body)) socket.write(buffer)
  }
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) =>
      splitter.push(chunk, (frame) => {
        const answer = decodeResponse(fetchApi, 11, frame).responses[0]!.partitions[0]!
        for (const batch of recordBatches(answer.records ?? Buffer.alloc(0))) offset = batch.nextOffset
        if (offset >= records) resolve()
        else ask()
      }),
    )
    ask()
  })
  socket.destroy()
}

async function pollAll(bootstrapServers: string, topic: string, records: number, looks: boolean): Promise<void> {
  const consumer = new Consumer({ 'bootstrap.servers': bootstrapServers, 'auto.offset.reset': 'earliest' })
  consumer.assign([{ topic, partition: 0 }])
  consumer.seekToBeginning()
  let bytes = 0
  for (let count = 0; count < records;) {
    const polled = await consumer.poll(1000)
    count += polled.count
    if (!looks) continue
    for (const { records: some } of polled.groups()) for (const { value } of some) bytes += value!.length
  }
  await consumer.close()
  if (looks && bytes === 0) throw new Error('No value was seen')
}

function timedKcat(bootstrapServers: string, topic: string, records: number): Round | undefined {
  const startMs = systemClock.monotonic()
  const args = ['-C', '-b', bootstrapServers, '-t', topic, '-o', 'beginning', '-c', String(records), '-q', '-f', '']
  const { status } = spawnSync('kcat', args, { stdio: 'ignore' })
  if (status !== 0) return undefined
  return { name: 'kcat', recordsPerSecond: records / ((systemClock.monotonic() - startMs) / 1000) }
}

/** Its `fetch.nMsg.sec`, the last column: records by the time spent in polls, without the start of the machine and the rebalance. */
function javaRate(classPath: string, bootstrapServers: string, topic: string, records: number): Round {
  const tool = ['-Xmx512m', '-cp', classPath, 'org.apache.kafka.tools.ConsumerPerformance']
  const args = ['--bootstrap-server', bootstrapServers, '--topic', topic, '--num-records', String(records)]
  const { status, stdout, stderr } = spawnSync('java', [...tool, ...args], { encoding: 'utf8' })
  const row = stdout?.trim().split('\n').at(-1)?.split(', ') ?? []
  const recordsPerSecond = Number(row.at(-1))
  if (status !== 0 || !(recordsPerSecond > 0)) throw new Error(`ConsumerPerformance failed: ${stdout}${stderr}`)
  return { name: 'java', recordsPerSecond }
}

/** The embedded broker in a process of its own, so that both sides have a core. */
async function withEmbeddedBroker(run: (bootstrapServers: string) => Promise<unknown>): Promise<void> {
  const code =
    "const { startBroker } = await import(process.argv[1]); const broker = await startBroker(); process.stdout.write(broker.bootstrapServers + '\\n'); process.stdin.resume().on('end', async () => { await broker.stop(); process.exit(0) })"
  const script = new URL('../src/testing/index.ts', import.meta.url).href
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    await run(line.toString().trim())
  } finally {
    child.stdin.end()
    if (child.exitCode === null) await once(child, 'exit')
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      'bootstrap-server': { type: 'string' },
      'class-path': { type: 'string' },
      records: { type: 'string', default: '5000000' },
      size: { type: 'string', default: '100' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const numbers = { records: Number(values.records), size: Number(values.size), rounds: Number(values.rounds) }
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD']).stdout?.toString().trim() ?? 'unknown'
  console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, commit ${commit}`)
  const run = (bootstrapServers: string) =>
    benchConsume({
      bootstrapServers,
      ...numbers,
      withKcat: true,
      classPath: values['class-path'],
      print: (line) => console.log(line),
    })
  const external = values['bootstrap-server']
  if (external === undefined) await withEmbeddedBroker(run)
  else await run(external)
}
