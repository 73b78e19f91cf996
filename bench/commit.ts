/**
 * How fast records go by with each way to commit, beside the Java consumer on the same broker in the same run:
 *
 *     record   commitSync after each record
 *     poll     commitSync after each poll (of 100 records)
 *     async    commitAsync after each poll, commitSync at the end
 *
 *     node bench/commit.ts --bootstrap-server host:port --class-path 'kafka/libs/*' [--records 20000] [--rounds 3]
 *
 * Both sides warm up over a tenth of the records. Machines are noisy: the ratio within one round is the figure that can be compared.
 */
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Admin } from '../src/client/admin/index.ts'
import { Consumer } from '../src/client/consumer/index.ts'
import { Producer } from '../src/client/producer/index.ts'
import { systemClock } from '../src/seams/clock.ts'

export type Strategy = 'record' | 'poll' | 'async'
export const strategies: readonly Strategy[] = ['record', 'poll', 'async']

export interface CommitRate {
  readonly strategy: Strategy
  readonly sluice: number
  /** undefined without Kafka's class path. */
  readonly java: number | undefined
}

export interface CommitBenchOptions {
  readonly bootstrapServers: string
  readonly records: number
  readonly rounds: number
  /** Kafka's jars, as Java takes them. */
  readonly classPath?: string | undefined
  readonly print: (line: string) => void
}

/** Commits by record cost a round trip each: they get fewer records. */
const FEWER_BY_RECORD = 4

export async function benchCommit(options: CommitBenchOptions): Promise<CommitRate[]> {
  const { bootstrapServers, records, rounds, classPath, print } = options
  const topic = `bench-commit-${records}-${Math.trunc(performance.timeOrigin)}`
  await fill(bootstrapServers, topic, Math.ceil(records * 1.1))
  const rates: CommitRate[] = []
  for (let round = 1; round <= rounds; round++) {
    for (const strategy of strategies) {
      const count = strategy === 'record' ? Math.ceil(records / FEWER_BY_RECORD) : records
      const group = `${topic}-${strategy}-${round}`
      const sluice = await sluiceRate(bootstrapServers, topic, `${group}-sluice`, strategy, count)
      const java = classPath
        ? javaRate(classPath, [bootstrapServers, topic, `${group}-java`, strategy, String(count)])
        : undefined
      rates.push({ strategy, sluice, java })
      const beside =
        java === undefined ? '' : `  java ${java.toFixed(0).padStart(8)}  ratio ${(sluice / java).toFixed(2)}`
      print(`round ${round}  ${strategy.padEnd(6)}  sluice ${sluice.toFixed(0).padStart(8)} records/s${beside}`)
    }
  }
  return rates
}

async function fill(bootstrapServers: string, topic: string, records: number): Promise<void> {
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  await admin.createTopics([{ name: topic, partitions: 1 }])
  await admin.close()
  const producer = new Producer({ 'bootstrap.servers': bootstrapServers })
  const value = Buffer.alloc(100, 'x')
  for (let index = 0; index < records; index++) void producer.send({ topic, partition: 0, value })
  await producer.close()
}

async function sluiceRate(
  bootstrapServers: string,
  topic: string,
  group: string,
  strategy: Strategy,
  wanted: number,
): Promise<number> {
  const consumer = new Consumer({
    'bootstrap.servers': bootstrapServers,
    'group.id': group,
    'auto.offset.reset': 'earliest',
    'enable.auto.commit': false,
    'max.poll.records': 100,
  })
  consumer.subscribe([topic])
  const partition = { topic, partition: 0 }
  const warm = Math.floor(wanted / 10)
  let count = 0
  let startMs = 0
  while (count < wanted + warm) {
    const records = await consumer.poll(1000)
    for (const { offset } of records) {
      count++
      if (count === warm) startMs = systemClock.monotonic()
      if (strategy === 'record') await consumer.commitSync([[partition, { offset: offset + 1 }]])
      if (count === wanted + warm) break
    }
    if (records.isEmpty) continue
    if (strategy === 'poll') await consumer.commitSync()
    if (strategy === 'async') consumer.commitAsync()
  }
  if (strategy === 'async') await consumer.commitSync()
  const rate = wanted / ((systemClock.monotonic() - startMs) / 1000)
  await consumer.close()
  return rate
}

function javaRate(classPath: string, args: readonly string[]): number {
  const program = fileURLToPath(new URL('CommitRates.java', import.meta.url))
  const { status, stdout, stderr } = spawnSync('java', ['-Xmx256m', '-cp', classPath, program, ...args], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`The Java consumer failed: ${stderr}`)
  return Number(stdout.trim())
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      'bootstrap-server': { type: 'string' },
      'class-path': { type: 'string' },
      records: { type: 'string', default: '20000' },
      rounds: { type: 'string', default: '3' },
    },
  })
  if (values['bootstrap-server'] === undefined) throw new Error('--bootstrap-server is needed')
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD']).stdout?.toString().trim() ?? 'unknown'
  console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, commit ${commit}`)
  await benchCommit({
    bootstrapServers: values['bootstrap-server'],
    classPath: values['class-path'],
    records: Number(values.records),
    rounds: Number(values.rounds),
    print: (line) => console.log(line),
  })
}
