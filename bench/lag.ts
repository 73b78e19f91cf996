/**
 * What the lag monitor costs: many groups of many partitions on the embedded broker, judged by `sluice monitor` in a process of its own.
 *
 *     npm run build && node bench/lag.ts [--groups 2000] [--partitions 50] [--samples 6] [--interval 10000] [--bootstrap-server host:port] [--source]
 *
 * What users run is measured, the compiled program; with --source what Node makes of the sources, which takes some 30 MB more.
 *
 * First with traffic: a record for every partition and a commit of every group, again and again, while CPU and memory of the monitor's process are read from the
 * system. Then without, while one visitor after another asks its API: whatever of the time of an answer is not the monitor's own is small then.
 * A tenth of the groups has stopped committing, another tenth lags and catches up.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Admin } from '../src/client/admin/index.ts'
import { Producer } from '../src/client/producer/index.ts'
import type { Overview } from '../src/lag/api-types.ts'

export interface LagBenchOptions {
  /** The command line to run. */
  readonly program: string
  readonly groups: number
  /** Of each group, in one topic. */
  readonly partitions: number
  /** Over which CPU is measured. */
  readonly samples: number
  readonly intervalMs: number
  /** Default: the embedded broker, in a process of its own. */
  readonly bootstrapServers?: string | undefined
  readonly print: (line: string) => void
}

export interface LagBenchResult {
  readonly pairs: number
  /** Of one core, over whole intervals. */
  readonly cpuShare: number
  /** Most that was resident, and what is at the end. */
  readonly peakMb: number
  readonly residentMb: number
  readonly sampleMs: number
  readonly requestsPerSample: number
  readonly storeMb: number
  /** Milliseconds, by path. */
  readonly answers: readonly {
    readonly path: string
    readonly count: number
    readonly p50: number
    readonly p99: number
  }[]
  readonly statuses: Readonly<Record<string, number>>
}

const root = join(import.meta.dirname, '..')
export const sourceProgram = join(root, 'src', 'cli', 'main.ts')
export const compiledProgram = join(root, 'dist', 'cli', 'main.js')
/** Partitions that groups share: more would measure the broker. */
const TOPICS = 20
const COMMITS_AT_ONCE = 8
const VISITS_A_SECOND = 40
const GROUP = (index: number) => `group-${String(index).padStart(4, '0')}`
const topicOf = (index: number) => `topic-${index % TOPICS}`

export async function benchLag(options: LagBenchOptions): Promise<LagBenchResult> {
  const { program } = options
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-lag-'))
  const children: ChildProcess[] = []
  try {
    let { bootstrapServers } = options
    if (bootstrapServers === undefined) {
      const broker = await start(
        program,
        ['broker', '--port', '0', '--data', join(directory, 'broker')],
        /ready at (\S+)/,
      )
      children.push(broker.child)
      bootstrapServers = broker.said
    }
    const cluster = await Traffic.create(bootstrapServers, options)
    try {
      await cluster.turn()
      const conf = join(directory, 'monitor.yaml')
      const settings = `bootstrap.servers: '${bootstrapServers}'\n    sample.interval.ms: ${options.intervalMs}`
      writeFileSync(conf, `listen: 127.0.0.1:0\nstore: ${directory}/lag.db\nclusters:\n  bench:\n    ${settings}\n`)
      const monitor = await start(program, ['monitor', conf, '--log-level', 'warn'], /The monitor is at (\S+)/)
      children.unshift(monitor.child)
      return await measure(monitor.child.pid!, monitor.said, cluster, join(directory, 'lag.db'), options)
    } finally {
      await cluster.close()
    }
  } finally {
    for (const child of children) {
      child.kill('SIGTERM')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    rmSync(directory, { recursive: true, force: true })
  }
}

async function measure(
  pid: number,
  url: string,
  traffic: Traffic,
  store: string,
  { groups, partitions, samples, intervalMs, print }: LagBenchOptions,
): Promise<LagBenchResult> {
  const overviewOf = async () => (await (await fetch(`${url}/api/v1/overview`)).json()) as Overview
  let overview = await overviewOf()
  while (overview.groups.length < groups || overview.clusters[0]!.state !== 'ok') {
    await sleep(intervalMs / 10)
    overview = await overviewOf()
  }
  const stop = new AbortController()
  const moving = traffic.keepMoving(intervalMs, stop.signal)
  // The first samples warm the code and fill windows.
  await sleep(2 * intervalMs)
  const before = cpuSeconds(pid)
  const began = performance.now()
  for (let index = 1; index <= samples; index++) {
    await sleep(intervalMs)
    const seconds = (performance.now() - began) / 1000
    const share = (cpuSeconds(pid) - before) / seconds
    print(
      `after ${seconds.toFixed(0)} s  CPU ${(100 * share).toFixed(1)} % of a core  resident ${memoryOf(pid, 'VmRSS')} MB`,
    )
  }
  const cpuShare = (cpuSeconds(pid) - before) / ((performance.now() - began) / 1000)
  stop.abort()
  print(`commits of all groups took ${(await moving).map((ms) => `${(ms / 1000).toFixed(1)} s`).join(', ')}`)
  const answers = await visit(url, groups, Math.max(samples / 2, 1) * intervalMs)
  overview = await overviewOf()
  const [summary] = overview.clusters
  return {
    pairs: groups * partitions,
    cpuShare,
    peakMb: memoryOf(pid, 'VmHWM'),
    residentMb: memoryOf(pid, 'VmRSS'),
    sampleMs: summary!.sampleMs!,
    requestsPerSample: summary!.requestsPerSample!,
    storeMb: Math.round(statSync(store).size / 1e5) / 10,
    answers,
    statuses: summary!.counts,
  }
}

/** One visitor after the other, `VISITS_A_SECOND`, each path in turn. */
async function visit(url: string, groups: number, forMs: number): Promise<LagBenchResult['answers']> {
  const cluster = `${url}/api/v1/clusters/bench`
  const paths: Record<string, (turn: number) => string> = {
    'group, with every partition': (turn) => `${cluster}/groups/${GROUP(turn % groups)}`,
    'partition, with its samples': (turn) =>
      `${cluster}/groups/${GROUP(turn % groups)}/topics/${topicOf(turn % groups)}/partitions/0`,
    '50 groups, worst first': () => `${cluster}/groups?limit=50`,
    'Burrow: lag of a group': (turn) => `${url}/v3/kafka/bench/consumer/${GROUP(turn % groups)}/lag`,
    // What an answer takes that asks for nothing: the machine's own share in the others.
    'health, for comparison': () => `${url}/healthz`,
    'history of a group': (turn) => `${cluster}/groups/${GROUP(turn % groups)}/history`,
  }
  const times = new Map(Object.keys(paths).map((path) => [path, [] as number[]]))
  const began = performance.now()
  for (let turn = 0; performance.now() - began < forMs; turn++) {
    for (const [path, address] of Object.entries(paths)) {
      const at = performance.now()
      const response = await fetch(address(turn * 7))
      await response.arrayBuffer()
      if (!response.ok) throw new Error(`${address(turn)} answered ${response.status}`)
      times.get(path)!.push(performance.now() - at)
      await sleep(Math.max(0, 1000 / VISITS_A_SECOND - (performance.now() - at)))
    }
  }
  const all = { path: 'all of them', times: [...times.values()].flat() }
  return [all, ...[...times].map(([path, own]) => ({ path, times: own }))].map(({ path, times: own }) => ({
    path,
    count: own.length,
    p50: quantile(own, 0.5),
    p99: quantile(own, 0.99),
  }))
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
}

class Traffic {
  readonly #admin: Admin
  readonly #producer: Producer
  readonly #options: LagBenchOptions
  #end = 0

  private constructor(bootstrapServers: string, options: LagBenchOptions) {
    const properties = { 'bootstrap.servers': bootstrapServers, 'request.timeout.ms': 60_000 }
    this.#admin = new Admin({ ...properties, 'default.api.timeout.ms': 120_000 })
    this.#producer = new Producer(properties)
    this.#options = options
  }

  static async create(bootstrapServers: string, options: LagBenchOptions): Promise<Traffic> {
    const traffic = new Traffic(bootstrapServers, options)
    const topics = Array.from({ length: Math.min(TOPICS, options.groups) }, (_, index) => topicOf(index))
    await traffic.#admin.createTopics(
      topics.map((name) => ({ name, partitions: options.partitions, replicationFactor: 1 })),
    )
    return traffic
  }

  /** A record for each partition, then a commit of each group that still commits. */
  async turn(): Promise<void> {
    const { groups, partitions } = this.#options
    const all = Array.from({ length: partitions }, (_, partition) => partition)
    const topics = Array.from({ length: Math.min(TOPICS, groups) }, (_, index) => topicOf(index))
    await this.#producer.sendBatch(
      topics.flatMap((topic) => all.map((partition) => ({ topic, partition, value: 'v' }))),
    )
    this.#end++
    const committed = Array.from({ length: groups }, (_, index) => index).filter(
      (index) => this.#end === 1 || index % 10 !== 0,
    )
    for (let from = 0; from < committed.length; from += COMMITS_AT_ONCE) {
      await Promise.all(
        committed.slice(from, from + COMMITS_AT_ONCE).map((index) => {
          const behind = index % 10 === 1 ? this.#end % 3 : 0
          const offset = Math.max(0, this.#end - behind)
          return this.#admin.alterGroupOffsets(
            GROUP(index),
            all.map((partition) => [{ topic: topicOf(index), partition }, { offset }] as const),
          )
        }),
      )
    }
  }

  /** @returns how long each turn took */
  async keepMoving(everyMs: number, signal: AbortSignal): Promise<number[]> {
    const took: number[] = []
    while (!signal.aborted) {
      const began = performance.now()
      await this.turn()
      took.push(performance.now() - began)
      await sleep(Math.max(0, everyMs - took.at(-1)!), undefined, { signal }).catch(() => {})
    }
    return took
  }

  async close(): Promise<void> {
    await Promise.all([this.#admin.close(), this.#producer.close()])
  }
}

async function start(
  program: string,
  args: readonly string[],
  says: RegExp,
): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  for (;;) {
    const said = says.exec(text)?.[1]
    if (said !== undefined) return { child, said }
    if (child.exitCode !== null) throw new Error(`sluice ${args[0]} ended with ${child.exitCode}: ${text}`)
    await sleep(50)
  }
}

/** User and system time of all threads of a process, from Linux. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  // utime and stime are fields 14 and 15, in hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function memoryOf(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  const kilobytes = new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]
  return Math.round(Number(kilobytes) / 1024)
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      'bootstrap-server': { type: 'string' },
      source: { type: 'boolean', default: false },
      groups: { type: 'string', default: '2000' },
      partitions: { type: 'string', default: '50' },
      samples: { type: 'string', default: '6' },
      interval: { type: 'string', default: '10000' },
    },
  })
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD']).stdout?.toString().trim() ?? 'unknown'
  const load = () => loadavg()[0]!.toFixed(1)
  console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, commit ${commit}, load ${load()}`)
  const result = await benchLag({
    program: values.source ? sourceProgram : compiledProgram,
    groups: Number(values.groups),
    partitions: Number(values.partitions),
    samples: Number(values.samples),
    intervalMs: Number(values.interval),
    bootstrapServers: values['bootstrap-server'],
    print: (line) => console.log(line),
  })
  const { answers, ...figures } = result
  console.log(figures)
  for (const { path, count, p50, p99 } of answers)
    console.log(`${path.padEnd(30)} ${count} answers  p50 ${p50.toFixed(1)} ms  p99 ${p99.toFixed(1)} ms`)
  console.log(`load ${load()}`)
}
