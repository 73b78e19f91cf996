/**
 * How long a group takes to come to rest, beside the Java consumer on the same broker in the same run: `members` join at once and share the partitions of
 * one topic; then one leaves, and the others take what it had.
 *
 *     node bench/rebalance.ts --bootstrap-server host:port --class-path 'kafka/libs/*' [--members 10] [--partitions 1000] [--rounds 3]
 *
 * Both sides run once unmeasured before each time that counts. All members of a side are in one process, with heartbeat.interval.ms=100. Settled: every partition is owned, and no member has more than one more than another.
 */
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Admin } from '../src/client/admin/index.ts'
import { Consumer } from '../src/client/consumer/index.ts'
import { systemClock } from '../src/seams/clock.ts'

export const assignors = ['range', 'cooperative'] as const

/** Milliseconds until the group was at rest. */
export interface RebalanceTimes {
  readonly join: number
  readonly leave: number
}

export interface RebalanceResult {
  readonly assignor: (typeof assignors)[number]
  readonly sluice: RebalanceTimes
  /** undefined without Kafka's class path. */
  readonly java: RebalanceTimes | undefined
}

export interface RebalanceBenchOptions {
  readonly bootstrapServers: string
  readonly members: number
  readonly partitions: number
  readonly rounds: number
  /** Kafka's jars, as Java takes them. */
  readonly classPath?: string | undefined
  readonly print: (line: string) => void
}

export async function benchRebalance(options: RebalanceBenchOptions): Promise<RebalanceResult[]> {
  const { bootstrapServers, members, partitions, rounds, classPath, print } = options
  const topic = `bench-rebalance-${Math.trunc(performance.timeOrigin)}`
  const admin = new Admin({ 'bootstrap.servers': bootstrapServers })
  const results: RebalanceResult[] = []
  try {
    await admin.createTopics([{ name: topic, partitions }])
    for (let round = 1; round <= rounds; round++) {
      for (const assignor of assignors) {
        const group = `${topic}-${assignor}-${round}`
        await sluiceTimes(options, topic, `${group}-sluice-warm`, assignor)
        const sluice = await sluiceTimes(options, topic, `${group}-sluice`, assignor)
        const java = classPath
          ? javaTimes(classPath, [
              bootstrapServers,
              topic,
              `${group}-java`,
              assignor,
              String(members),
              String(partitions),
            ])
          : undefined
        results.push({ assignor, sluice, java })
        const beside = java ? `  java ${shown(java)}` : ''
        print(`round ${round}  ${assignor.padEnd(11)}  sluice ${shown(sluice)}${beside}`)
      }
    }
    await admin.deleteTopics([topic])
  } finally {
    await admin.close()
  }
  return results
}

function shown({ join, leave }: RebalanceTimes): string {
  return `join ${join.toFixed(0).padStart(6)} ms, leave ${leave.toFixed(0).padStart(6)} ms`
}

class Member {
  readonly #consumer: Consumer
  #isLeaving = false
  owned = 0

  constructor(bootstrapServers: string, group: string, assignor: string) {
    this.#consumer = new Consumer({
      'bootstrap.servers': bootstrapServers,
      'group.id': group,
      'heartbeat.interval.ms': 100,
      'enable.auto.commit': false,
      'partition.assignment.strategy': [assignor === 'cooperative' ? 'cooperative-sticky' : 'range'],
    })
  }

  /** Polls until it is told to leave. */
  async run(topic: string): Promise<void> {
    this.#consumer.subscribe([topic], {
      onPartitionsAssigned: (partitions) => void (this.owned += partitions.length),
      onPartitionsRevoked: (partitions) => void (this.owned -= partitions.length),
      onPartitionsLost: (partitions) => void (this.owned -= partitions.length),
    })
    try {
      while (!this.#isLeaving) await this.#consumer.poll(50)
    } finally {
      await this.#consumer.close()
    }
  }

  leave(): void {
    this.#isLeaving = true
  }
}

async function sluiceTimes(
  { bootstrapServers, members: count, partitions }: RebalanceBenchOptions,
  topic: string,
  group: string,
  assignor: string,
): Promise<RebalanceTimes> {
  const members = Array.from({ length: count }, () => new Member(bootstrapServers, group, assignor))
  const started = systemClock.monotonic()
  const running = Promise.all(members.map((member) => member.run(topic)))
  const settled = async (among: readonly Member[], sinceMs: number) => {
    const least = Math.floor(partitions / among.length)
    const isEven = ({ owned }: Member) => owned >= least && owned <= least + 1
    while (!among.every(isEven) || among.reduce((sum, { owned }) => sum + owned, 0) !== partitions) {
      await Promise.race([systemClock.sleep(1), running])
    }
    return systemClock.monotonic() - sinceMs
  }
  const join = await settled(members, started)
  const left = systemClock.monotonic()
  members[0]!.leave()
  const leave = await settled(members.slice(1), left)
  for (const member of members) member.leave()
  await running
  return { join, leave }
}

function javaTimes(classPath: string, args: readonly string[]): RebalanceTimes {
  const program = fileURLToPath(new URL('Rebalance.java', import.meta.url))
  const { status, stdout, stderr } = spawnSync('java', ['-Xmx512m', '-cp', classPath, program, ...args], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`The Java consumers failed: ${stderr}`)
  const [join, leave] = stdout.trim().split(' ').map(Number)
  return { join: join!, leave: leave! }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      'bootstrap-server': { type: 'string' },
      'class-path': { type: 'string' },
      members: { type: 'string', default: '10' },
      partitions: { type: 'string', default: '1000' },
      rounds: { type: 'string', default: '3' },
    },
  })
  if (values['bootstrap-server'] === undefined) throw new Error('--bootstrap-server is needed')
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD']).stdout?.toString().trim() ?? 'unknown'
  console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, commit ${commit}`)
  await benchRebalance({
    bootstrapServers: values['bootstrap-server'],
    classPath: values['class-path'],
    members: Number(values.members),
    partitions: Number(values.partitions),
    rounds: Number(values.rounds),
    print: (line) => console.log(line),
  })
}
